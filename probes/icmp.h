// Ping without privileges: a ping socket, which the kernel gives to the groups of
// net.ipv4.ping_group_range (icmp(7)); it serves IPv6, too.
//
// Ends when every packet is answered, or at the deadline. No answer at all is timeout, or
// unreachable when somebody on the way says so; loss and round trip above their limits are
// threshold.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

// Values: "loss" (percent of what was sent), "rtt" (mean, in seconds), "rtt_min", "rtt_max".
Awaitable<void> probe_icmp(Attempt& attempt, const IcmpSpec& spec);

}  // namespace firebreak::probes
