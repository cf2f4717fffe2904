// Reads /proc at once, file systems on threads, processors twice.
#include "probes/host.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>

#include "common/file.h"
#include "common/limits.h"
#include "probes/disk_reader.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

using namespace std::chrono_literals;
using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr auto kCpuWindow = 250ms;  // between two looks, when there was none before
constexpr auto kCpuPastMin = 1s;    // an earlier look is used when it is this old ...
constexpr auto kCpuPastMax = 5min;  // ... and not older
constexpr std::size_t kProcFileBytesMax = 4u << 20;  // /proc/stat of a host with 512 processors

// What was read, and why the rest was not.
struct Seen {
  HostValues values;
  std::string missing;
  void note(const std::string& why) {
    if (!missing.empty()) missing += "; ";
    missing += why;
  }
};

Awaitable<void> pause(Attempt& attempt, Duration length) {
  Timer timer(attempt.tools().io.get_executor(), attempt.now() + length);
  const Attempt::AbortScope scope(attempt, [&timer] { timer.cancel(); });
  co_await timer.async_wait(as_data());
}

std::optional<CpuTimes> read_cpu(Attempt& attempt, Seen& seen) {
  const std::string path = attempt.tools().proc + "/stat";
  const auto text = read_small_file(path, kProcFileBytesMax);
  const auto times = text ? parse_cpu(*text) : std::nullopt;
  if (!times) seen.note(text ? path + " is not as expected" : text.error().message);
  return times;
}

// The share of the time since the last probe of this agent, or of a short pause.
Awaitable<int> measure_cpu(Attempt& attempt, Seen& seen) {
  std::optional<CpuLook>& last = attempt.tools().cpu;
  auto times = read_cpu(attempt, seen);
  if (!times) co_return 0;
  std::optional<CpuTimes> before;
  if (last && attempt.now() - last->at >= kCpuPastMin && attempt.now() - last->at <= kCpuPastMax)
    before = last->times;
  if (!before) {
    before = times;
    co_await pause(attempt, std::min<Duration>(kCpuWindow, attempt.spec().timeout / 4));
    times = read_cpu(attempt, seen);
    if (!times) co_return 0;
  }
  last = CpuLook{*times, attempt.now()};
  add_cpu(*before, *times, seen.values);
  co_return times->processors;
}

template <class Add>
void read_values(Attempt& attempt, const std::string& name, Seen& seen, Add add) {
  const std::string path = attempt.tools().proc + "/" + name;
  const auto text = read_small_file(path, kProcFileBytesMax);
  if (!text) return seen.note(text.error().message);
  if (!add(*text, seen.values)) seen.note(path + " is not as expected");
}

void read_files(Attempt& attempt, int processors, Seen& seen) {
  read_values(attempt, "meminfo", seen, add_memory);
  read_values(attempt, "loadavg", seen, [processors](std::string_view text, HostValues& values) {
    return add_load(text, processors, values);
  });
  read_values(attempt, "sys/fs/file-nr", seen, add_files);
  for (const std::string resource : {"cpu", "memory", "io"})
    read_values(attempt, "pressure/" + resource, seen,
                [&resource](std::string_view text, HostValues& values) {
                  return add_pressure(resource, text, values);
                });
}

using Answers = std::map<std::string, Result<DiskSpace>>;

bool take_answers(Attempt& attempt, const HostSpec& spec, const Answers& answers, Seen& seen) {
  std::vector<DiskSpace> disks;
  disks.reserve(spec.disks.size());
  for (const std::string& path : spec.disks) {
    const auto found = answers.find(path);
    if (found == answers.end())
      return attempt.fail_timeout("the file system of " + path + " did not answer");
    if (!found->second) {
      const Error& error = found->second.error();
      if (error.code == Errc::not_found) return attempt.critical(Reason::missing, error.message);
      if (error.code == Errc::resource_exhausted)
        return attempt.unknown(Reason::prober, error.message);
      return attempt.critical(Reason::unreachable, error.message);
    }
    disks.push_back(*found->second);
  }
  add_disks(disks, seen.values);
  return true;
}

Awaitable<bool> measure_disks(Attempt& attempt, const HostSpec& spec, Seen& seen) {
  Timer answered(attempt.tools().io.get_executor(), TimePoint::max());
  const std::set<std::string> paths(spec.disks.begin(), spec.disks.end());
  Answers answers;
  std::vector<std::shared_ptr<DiskReader::Done>> asked;  // an answer after our end finds it gone
  asked.reserve(paths.size());
  for (const std::string& path : paths) {
    asked.push_back(std::make_shared<DiskReader::Done>([&, path](const Result<DiskSpace>& space) {
      answers.emplace(path, space);
      if (answers.size() == paths.size()) answered.cancel();
    }));
    auto begun = attempt.tools().disks.ask(path, asked.back());
    if (!begun) answers.emplace(path, begun.error());
  }
  if (answers.size() < paths.size() && !attempt.is_over()) {
    const Attempt::AbortScope scope(attempt, [&answered] { answered.cancel(); });
    co_await answered.async_wait(as_data());
  }
  co_return take_answers(attempt, spec, answers, seen);
}

// "disk_used.var" is a disk_used.
std::string_view base_of(std::string_view name) {
  return name.substr(0, name.find('.'));
}

// The values that a limit is about and that are beyond it, as text.
std::string beyond(const std::map<std::string, Range>& limits, const HostValues& values) {
  std::string text;
  for (const NamedValue& value : values) {
    const auto limit = limits.find(std::string(base_of(value.name)));
    if (limit == limits.end() || !limit->second.alerts(value.value)) continue;
    if (!text.empty()) text += ", ";
    text.append(value.name).append(" is ").append(format_number(value.value));
    text.append(", limit ").append(to_string(limit->second));
  }
  return text;
}

// A value that is limited and was not read.
std::optional<std::string> unread(const HostSpec& spec, const HostValues& values) {
  for (const auto* limits : {&spec.critical, &spec.warning})
    for (const auto& [name, range] : *limits)
      if (std::none_of(values.begin(), values.end(),
                       [&name = name](const NamedValue& value) { return value.name == name; }))
        return name;
  return std::nullopt;
}

}  // namespace

void judge_host(Attempt& attempt, const HostSpec& spec, const HostValues& values) {
  for (const NamedValue& value : values) attempt.add_value(value.name, value.value);
  if (std::string text = beyond(spec.critical, values); !text.empty()) {
    attempt.critical(Reason::threshold, text);
  } else if (const auto name = unread(spec, values)) {
    attempt.unknown(Reason::missing, "this host does not say " + *name);
  } else if (text = beyond(spec.warning, values); !text.empty()) {
    attempt.fail(Status::warning, Reason::threshold, text);
  } else {
    attempt.succeed();
  }
}

Awaitable<void> probe_host(Attempt& attempt, const HostSpec& spec) {
  attempt.enter(Phase::query);
  Seen seen;
  const int processors = co_await measure_cpu(attempt, seen);
  if (attempt.is_over()) {
    attempt.fail_timeout("the host was not measured");
    co_return;
  }
  read_files(attempt, processors, seen);
  if (!co_await measure_disks(attempt, spec, seen)) co_return;
  if (attempt.tracing() && !seen.missing.empty()) attempt.trace(seen.missing);
  judge_host(attempt, spec, seen.values);
}

}  // namespace firebreak::probes
