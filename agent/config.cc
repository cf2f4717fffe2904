// Reads agent.yaml; every mistake is shown with its place at once.
#include "agent/config.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "common/file.h"
#include "common/limits.h"
#include "common/probe_spec.h"
#include "common/text.h"
#include "common/tls_yaml.h"
#include "common/yaml.h"

namespace firebreak::agent {
namespace {

constexpr std::array<std::pair<std::string_view, log::Level>, 4> kLevels{{
    {"debug", log::Level::debug},
    {"info", log::Level::info},
    {"warning", log::Level::warning},
    {"error", log::Level::error},
}};
constexpr std::array<std::pair<std::string_view, log::Format>, 2> kFormats{{
    {"text", log::Format::text},
    {"json", log::Format::json},
}};

// Whether the socket is for everybody.
constexpr std::array<std::pair<std::string_view, bool>, 2> kAccess{{
    {"everybody", true},
    {"group", false},
}};

// gRPC would take far more (unix:, dns://server/..., a path), none of which a certificate covers.
bool is_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool in_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (in_brackets) host = host.substr(1, host.size() - 2);
  const auto fits = [in_brackets](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || c == '.' ||
           (in_brackets ? c == ':' : c == '-' || c == '_');
  };
  if (host.empty() || host.size() > limits::kHostBytesMax) return false;
  if (!std::all_of(host.begin(), host.end(), fits)) return false;
  std::uint16_t port = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, port);
  return read.ec == std::errc{} && read.ptr == end && port != 0;
}

std::vector<std::string> read_coordinators(const yaml::Node& node, yaml::Problems& problems) {
  std::vector<std::string> addresses;
  const auto items = node.as_list_or_one(problems);
  if (node && items.empty() && problems.ok())
    problems.error(node.place(),
                   "'coordinators' must name at least one, such as main.example:7443");
  if (items.size() > limits::kCoordinatorsMax)
    problems.error(node.place(), "'coordinators' may name at most " +
                                     std::to_string(limits::kCoordinatorsMax) + ", not " +
                                     std::to_string(items.size()));
  for (const yaml::Node& item : items) {
    auto text = item.as_string(problems);
    if (!text) continue;
    if (!is_address(*text)) {
      const bool lacks_port = is_address(*text + ":7443");
      problems.error(item.place(),
                     item.label() +
                         " must be a host and a port such as main.example:7443 or [::1]:7443, "
                         "not '" +
                         *text + "'",
                     lacks_port ? *text + ":7443" : "");
    } else if (std::find(addresses.begin(), addresses.end(), *text) != addresses.end()) {
      problems.error(item.place(), item.label() + " names '" + *text + "' again; remove one");
    } else {
      addresses.push_back(*std::move(text));
    }
  }
  return addresses;
}

std::map<std::string, std::string> read_labels(const yaml::Node& node, yaml::Problems& problems) {
  std::map<std::string, std::string> labels;
  if (!node) return labels;
  const auto entries = node.as_map(problems);
  if (entries.size() > limits::kLabelsMax)
    problems.error(node.place(), "an agent has at most " + std::to_string(limits::kLabelsMax) +
                                     " labels, not " + std::to_string(entries.size()));
  for (const yaml::Entry& entry : entries) {
    const auto name = entry.key.as_name(problems);
    auto value = entry.value.as_string(problems, limits::kLabelBytesMax);
    if (!name || !value) continue;
    if (escape_line(*value) != *value) {
      problems.error(entry.value.place(),
                     "label '" + *name + "' must be plain text without control characters and \\");
      continue;
    }
    labels.emplace(*name, *std::move(value));
  }
  return labels;
}

bool is_host(std::string_view text) {
  const std::string host(text);
  return (host.find(':') == std::string::npos && is_address(host + ":1")) ||
         firebreak::is_address(host);
}

void read_anchor(const yaml::Node& node, yaml::Problems& problems, std::vector<Anchor>& anchors) {
  yaml::MapReader map(node, "an anchor", problems);
  const yaml::Node tcp = map.optional("tcp");
  const yaml::Node icmp = map.optional("icmp");
  if (!tcp == !icmp) {
    problems.error(
        node.place(),
        "an anchor is either {tcp: HOST:PORT} or {icmp: HOST}, such as {icmp: 10.0.0.1}");
    return;
  }
  const yaml::Node& value = tcp ? tcp : icmp;
  const auto text = value.as_string(problems);
  if (!text) return;
  if (tcp ? !is_address(*text) : !is_host(*text)) {
    problems.error(value.place(),
                   tcp ? "'tcp' must be a host and a port such as 10.0.0.1:53, not '" + *text + "'"
                       : "'icmp' must be a host such as 10.0.0.1, not '" + *text + "'");
    return;
  }
  Anchor anchor = tcp ? tcp_anchor(*text) : Anchor{Anchor::Kind::icmp, *text, 0};
  if (std::find(anchors.begin(), anchors.end(), anchor) != anchors.end())
    problems.error(value.place(), "anchor '" + *text + "' is named again; remove one");
  anchors.push_back(std::move(anchor));
}

std::vector<Anchor> read_anchors(const yaml::Node& node, yaml::Problems& problems) {
  std::vector<Anchor> anchors;
  if (!node) return anchors;
  const auto items = node.as_list(problems);
  if (items.size() > limits::kAnchorsMax)
    problems.error(node.place(), "'anchors' may name at most " +
                                     std::to_string(limits::kAnchorsMax) + ", not " +
                                     std::to_string(items.size()));
  anchors.reserve(items.size());
  for (const yaml::Node& item : items) read_anchor(item, problems, anchors);
  return anchors;
}

std::string read_socket(const yaml::Node& node, yaml::Problems& problems) {
  if (!node) return {};
  std::string path = yaml::read_absolute_path(node, problems);
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kLongest)
    problems.error(node.place(), node.label() + " is longer than a socket's path may be, " +
                                     std::to_string(kLongest) + " bytes");
  return path;
}

std::set<std::string> read_users(const yaml::Node& node, yaml::Problems& problems) {
  std::set<std::string> users;
  const auto items = node.as_list_or_one(problems);
  if (items.size() > limits::kHeartbeatUsersMax)
    problems.error(node.place(), "a heartbeat has at most " +
                                     std::to_string(limits::kHeartbeatUsersMax) + " users, not " +
                                     std::to_string(items.size()));
  for (const yaml::Node& item : items)
    if (auto user = item.as_string(problems, limits::kLabelBytesMax))
      users.insert(*std::move(user));
  return users;
}

void read_heartbeat_tcp(const yaml::Node& node, yaml::Problems& problems, HeartbeatConfig& config) {
  if (!node) return;
  yaml::MapReader map(node, "'tcp'", problems);
  const yaml::Node listen = map.required("listen");
  const yaml::Node token = map.required("token_file");
  if (const auto text = listen.as_string(problems)) {
    const Anchor at = is_address(*text) ? tcp_anchor(*text) : Anchor{};
    if (!firebreak::is_address(at.host))
      problems.error(
          listen.place(),
          "'listen' must be an address of this host and a port such as 127.0.0.1:7445 or "
          "[::1]:7445, not '" +
              *text + "'");
    config.address = at.host;
    config.port = at.port;
  }
  if (auto path = token.as_string(problems)) {
    if (!path->starts_with('/') && !path->starts_with("credential:"))
      problems.error(token.place(), "'token_file' is neither a full path nor credential:NAME");
    config.token_file = *std::move(path);
  }
}

std::optional<HeartbeatConfig> read_heartbeats(const yaml::Node& node, yaml::Problems& problems) {
  if (!node) return std::nullopt;
  HeartbeatConfig config;
  yaml::MapReader map(node, "'heartbeats'", problems);
  if (const yaml::Node socket = map.optional("socket"))
    config.socket = read_socket(socket, problems);
  if (const yaml::Node access = map.optional("access"))
    config.is_for_all = access.as_enum(problems, kAccess).value_or(true);
  if (const yaml::Node users = map.optional("users")) {
    const auto entries = users.as_map(problems);
    if (entries.size() > limits::kHeartbeatsMax)
      problems.error(users.place(), "'users' may name at most " +
                                        std::to_string(limits::kHeartbeatsMax) + " heartbeats");
    for (const yaml::Entry& entry : entries)
      if (const auto name = entry.key.as_name(problems))
        config.users[*name] = read_users(entry.value, problems);
  }
  read_heartbeat_tcp(map.optional("tcp"), problems, config);
  return config;
}

void read_spool(const yaml::Node& node, yaml::Problems& problems, spool::LogLimits& spool) {
  if (!node) return;
  yaml::MapReader map(node, "'spool'", problems);
  constexpr auto in_mib = [](std::uint64_t bytes) {
    return static_cast<std::int64_t>(bytes >> 20);
  };
  if (const yaml::Node size = map.optional("size_mib"))
    if (const auto mib =
            size.as_int(problems, in_mib(limits::kSpoolBytesMin), in_mib(limits::kSpoolBytesMax)))
      spool.bytes_max = static_cast<std::uint64_t>(*mib) << 20;
  if (const yaml::Node age = map.optional("age"))
    spool.age_max = age.as_duration(problems, limits::kSpoolAgeMin, limits::kSpoolAgeMax)
                        .value_or(spool.age_max);
}

void read_probes(const yaml::Node& node, yaml::Problems& problems, Config& config) {
  if (!node) return;
  yaml::MapReader map(node, "'probes'", problems);
  const auto read = [&](const char* key, std::size_t& into) {
    if (const yaml::Node most = map.optional(key))
      into = static_cast<std::size_t>(most.as_int(problems, 1, limits::kProbesAtOnceMost)
                                          .value_or(static_cast<std::int64_t>(into)));
  };
  read("at_once", config.probes_at_once);
  read("per_target", config.probes_per_target);
}

void read_log(const yaml::Node& node, yaml::Problems& problems, Config& config) {
  if (!node) return;
  yaml::MapReader map(node, "'log'", problems);
  if (const yaml::Node level = map.optional("level"))
    config.log_level = level.as_enum(problems, kLevels).value_or(config.log_level);
  if (const yaml::Node format = map.optional("format"))
    config.log_format = format.as_enum(problems, kFormats).value_or(config.log_format);
}

Config read_config(const yaml::Node& root, yaml::Problems& problems) {
  yaml::MapReader map(root, "the agent's configuration", problems);
  Config config;
  config.coordinators = read_coordinators(map.required("coordinators"), problems);
  config.tls = yaml::read_tls_files(map.required("tls"), problems);
  config.labels = read_labels(map.optional("labels"), problems);
  config.state = yaml::read_absolute_path(map.required("state"), problems);
  read_spool(map.optional("spool"), problems, config.spool);
  config.actuator = read_socket(map.optional("actuator"), problems);
  if (const yaml::Node folder = map.optional("checks_dir"))
    config.checks_dir = yaml::read_absolute_path(folder, problems);
  config.heartbeats = read_heartbeats(map.optional("heartbeats"), problems);
  config.anchors = read_anchors(map.optional("anchors"), problems);
  read_probes(map.optional("probes"), problems, config);
  read_log(map.optional("log"), problems, config);
  return config;
}

}  // namespace

Anchor tcp_anchor(const std::string& address) {
  const std::size_t colon = std::min(address.rfind(':'), address.size() - 1);
  Anchor anchor{Anchor::Kind::tcp, address.substr(0, colon), 0};
  if (anchor.host.starts_with('[')) anchor.host = anchor.host.substr(1, anchor.host.size() - 2);
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), anchor.port);
  return anchor;
}

Result<Config> parse_config(const std::string& file_name, const std::string& text) {
  yaml::Problems problems;
  const auto document = yaml::parse(file_name, text, problems);
  Config config;
  if (document) config = read_config(document->root(), problems);
  if (!problems.ok()) return make_error(Errc::invalid_argument, problems.render());
  return config;
}

Result<Config> load_config(const std::string& path) {
  const auto text = read_small_file(path, limits::kYamlBytesMax);
  if (!text) return text.error();
  return parse_config(path, *text);
}

}  // namespace firebreak::agent
