// Names and limits only: what is run on a host stands in the host's own files.
#include "common/probe_yaml_local.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/limits.h"
#include "common/probe_yaml_fields.h"

namespace firebreak {

using probe_yaml::read_range;
using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

namespace {

void read_unit(const Node& node, std::string& unit, Problems& problems) {
  const auto text = node.as_string(problems);
  if (!text) return;
  if (!is_unit_name(*text))
    problems.error(node.place(), "'" + *text + "' is no unit's full name, such as nginx.service",
                   is_unit_name(*text + ".service") ? *text + ".service" : "");
  unit = *text;
}

std::map<std::string, Range> read_limits(const Node& node, Problems& problems) {
  std::map<std::string, Range> limits;
  const std::vector<std::string> known(host_values().begin(), host_values().end());
  for (const yaml::Entry& entry : node.as_map(problems)) {
    const auto name = entry.key.as_word(problems, known);
    const auto range = read_range(entry.value, problems);
    if (name && range) limits.emplace(known[*name], *range);
  }
  return limits;
}

void read_disks(const Node& node, std::vector<std::string>& disks, Problems& problems) {
  disks = node.as_strings(problems);
  if (disks.size() > limits::kDisksMax)
    problems.error(node.name_place(),
                   "a probe looks at " + std::to_string(limits::kDisksMax) + " disks at most");
  for (std::size_t i = 0; i < disks.size(); ++i) {
    if (!disks[i].starts_with('/') ||
        disks[i].find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
      problems.error(node.place(), "'" + disks[i] + "' is not a full path, such as /var");
    if (std::find(disks.begin(), disks.begin() + static_cast<std::ptrdiff_t>(i), disks[i]) !=
        disks.begin() + static_cast<std::ptrdiff_t>(i))
      problems.error(node.place(), "'" + disks[i] + "' is named twice");
  }
}

}  // namespace

ExecSpec read_exec(const Node& node, Problems& problems) {
  ExecSpec exec;
  if (node.kind() == yaml::Kind::scalar) {
    exec.check = node.as_name(problems).value_or("");
    return exec;
  }
  MapReader reader(node, "an exec target", problems);
  exec.check = reader.required("check").as_name(problems).value_or("");
  const Node parameters = reader.optional("parameters");
  if (!parameters) return exec;
  const auto entries = parameters.as_map(problems);
  if (entries.size() > limits::kCheckParametersMax)
    problems.error(
        parameters.name_place(),
        "a check takes at most " + std::to_string(limits::kCheckParametersMax) + " parameters");
  for (const yaml::Entry& entry : entries) {
    const auto name = entry.key.as_name(problems);
    auto value = entry.value.as_string(problems, limits::kActionParameterBytesMax);
    if (name && value) exec.parameters.emplace(*name, *std::move(value));
  }
  return exec;
}

SystemdSpec read_systemd(const Node& node, Problems& problems) {
  SystemdSpec systemd;
  if (node.kind() == yaml::Kind::scalar) {
    read_unit(node, systemd.unit, problems);
    return systemd;
  }
  MapReader reader(node, "a systemd target", problems);
  read_unit(reader.required("unit"), systemd.unit, problems);
  if (const Node states = reader.optional("states")) {
    systemd.states.clear();
    for (const Node& state : states.as_list_or_one(problems))
      if (const auto index = state.as_word(problems, unit_states()))
        systemd.states.push_back(unit_states()[*index]);
    if (systemd.states.empty())
      problems.error(states.place(), "no state at all would ever be right; name at least one");
  }
  if (const Node states = reader.optional("sub_states"))
    systemd.sub_states = states.as_strings(problems);
  for (const std::string& state : systemd.sub_states)
    if (!is_valid_name(state))
      problems.error(node.place(), "'" + state + "' is not a sub state, such as running");
  if (systemd.sub_states.size() > limits::kUnitStatesMax)
    problems.error(node.place(),
                   "at most " + std::to_string(limits::kUnitStatesMax) + " sub states");
  systemd.warning = read_range(reader.optional("warning"), problems);
  systemd.critical = read_range(reader.optional("critical"), problems);
  return systemd;
}

HeartbeatSpec read_heartbeat(const Node& node, Problems& problems) {
  HeartbeatSpec heartbeat;
  MapReader reader(node, "a heartbeat", problems);
  heartbeat.name = reader.required("name").as_name(problems).value_or("");
  heartbeat.within =
      reader.required("within")
          .as_duration(problems, limits::kHeartbeatWithinMin, limits::kHeartbeatWithinMax)
          .value_or(Duration{});
  return heartbeat;
}

HostSpec read_host_spec(const Node& node, Problems& problems) {
  HostSpec host;
  if (node.kind() == yaml::Kind::null) return host;
  MapReader reader(node, "a host target", problems);
  if (const Node disks = reader.optional("disks")) read_disks(disks, host.disks, problems);
  if (const Node limits = reader.optional("warning")) host.warning = read_limits(limits, problems);
  if (const Node limits = reader.optional("critical"))
    host.critical = read_limits(limits, problems);
  return host;
}

}  // namespace firebreak
