// Fields are looked up where they stand: the text is small, and most of it is not wanted.
#include "probes/redis_info.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include "common/range.h"

namespace firebreak::probes {
namespace {

// Calls `take` with each line, without its end, until it returns false.
template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!take(line) || end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::string_view> field(std::string_view info, std::string_view name) {
  std::optional<std::string_view> value;
  each_line(info, [&](std::string_view line) {
    if (line.size() > name.size() && line[name.size()] == ':' && line.starts_with(name))
      value = line.substr(name.size() + 1);
    return !value;
  });
  return value;
}

// Redis writes -1 for what it cannot say.
std::optional<double> to_count(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !std::isfinite(value) ||
      value < 0)
    return std::nullopt;
  return value;
}

std::optional<double> count(std::string_view info, std::string_view name) {
  const auto text = field(info, name);
  return text ? to_count(*text) : std::nullopt;
}

// "slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=1": the longest of all of them.
std::optional<double> longest_lag(std::string_view info) {
  constexpr std::string_view kLag = ",lag=";
  std::optional<double> longest;
  each_line(info, [&](std::string_view line) {
    if (!line.starts_with("slave") || line.size() < 6 || line[5] < '0' || line[5] > '9')
      return true;
    const std::size_t at = line.find(kLag);
    if (at == std::string_view::npos) return true;
    const std::string_view rest = line.substr(at + kLag.size());
    const auto lag = to_count(rest.substr(0, rest.find(',')));
    if (lag && (!longest || *lag > *longest)) longest = lag;
    return true;
  });
  return longest;
}

bool is_replica(std::string_view info) {
  return field(info, "role") == std::optional<std::string_view>("slave");
}

bool is_cut_off(std::string_view info) {
  return is_replica(info) &&
         field(info, "master_link_status") == std::optional<std::string_view>("down");
}

std::optional<double> replication_lag(std::string_view info) {
  if (!is_replica(info)) return longest_lag(info);
  return count(info,
               is_cut_off(info) ? "master_link_down_since_seconds" : "master_last_io_seconds_ago");
}

std::optional<double> percent(std::optional<double> part, std::optional<double> whole) {
  if (!part || !whole || *whole == 0) return std::nullopt;
  return *part * 100 / *whole;
}

std::string describe_cut_off(std::string_view info) {
  std::string text = "the link to its master ";
  text.append(field(info, "master_host").value_or("")).append(":");
  text.append(field(info, "master_port").value_or("")).append(" is down");
  if (const auto since = count(info, "master_link_down_since_seconds"))
    text.append(" for ").append(format_number(*since)).append(" s");
  if (field(info, "master_sync_in_progress") == std::optional<std::string_view>("1"))
    text += ", it synchronizes";
  return text;
}

}  // namespace

std::vector<NamedValue> redis_values_of(std::string_view info) {
  const auto clients = count(info, "connected_clients");
  const auto memory = count(info, "used_memory");
  const std::pair<const char*, std::optional<double>> all[] = {
      {"connected_clients", clients},
      {"clients_share", percent(clients, count(info, "maxclients"))},
      {"blocked_clients", count(info, "blocked_clients")},
      {"used_memory", memory},
      {"used_memory_share", percent(memory, count(info, "maxmemory"))},
      {"evicted_keys", count(info, "evicted_keys")},
      {"connected_replicas", count(info, "connected_slaves")},
      {"replication_lag", replication_lag(info)}};
  std::vector<NamedValue> values;
  values.reserve(std::size(all));
  for (const auto& [name, value] : all)
    if (value && std::isfinite(*value)) values.push_back({name, *value});
  return values;
}

std::optional<RedisTrouble> judge_redis_role(std::string_view info, std::string_view wanted) {
  const auto role = field(info, "role");
  if (!role && !wanted.empty())
    return RedisTrouble{Status::unknown, Reason::missing, "INFO does not say its role"};
  const std::string_view is = is_replica(info) ? "replica" : role.value_or("");
  if (!wanted.empty() && is != wanted)
    return RedisTrouble{Status::critical, Reason::status,
                        "it is a " + std::string(is) + ", not a " + std::string(wanted)};
  if (is_cut_off(info))
    return RedisTrouble{Status::critical, Reason::status, describe_cut_off(info)};
  return std::nullopt;
}

}  // namespace firebreak::probes
