// The kinds that ask a network rather than a service: tcp, dns, icmp. For common/probe_yaml.cc.
#pragma once

#include "common/probe_spec.h"
#include "common/yaml.h"

namespace firebreak::probe_yaml {

[[nodiscard]] TcpSpec read_tcp(const yaml::Node& node, yaml::Problems& problems);
[[nodiscard]] DnsSpec read_dns(const yaml::Node& node, yaml::Problems& problems);
[[nodiscard]] IcmpSpec read_icmp(const yaml::Node& node, yaml::Problems& problems);

}  // namespace firebreak::probe_yaml
