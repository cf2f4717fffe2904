// The default gateways of this host, as the kernel's tables show them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace firebreak::agent {

// From /proc/self/net/route (proc(5)): "10.0.0.1". At most limits::kGatewaysMax, in the table's
// order; lines that are none are skipped.
std::vector<std::string> ipv4_gateways(std::string_view route);
// From /proc/self/net/ipv6_route: "fe80::1%eth0", for a gateway's address is mostly link-local.
std::vector<std::string> ipv6_gateways(std::string_view route);

}  // namespace firebreak::agent
