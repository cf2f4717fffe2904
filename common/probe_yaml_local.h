// The kinds of probe that look at the agent's own host.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak {

// `exec: NAME`, or a map: check, parameters.
ExecSpec read_exec(const yaml::Node& node, yaml::Problems& problems);
// `systemd: UNIT`, or a map: unit, states, sub_states, warning, critical.
SystemdSpec read_systemd(const yaml::Node& node, yaml::Problems& problems);
// A map: name, within.
HeartbeatSpec read_heartbeat(const yaml::Node& node, yaml::Problems& problems);
// A map, which may be empty: disks, warning, critical.
HostSpec read_host_spec(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak
