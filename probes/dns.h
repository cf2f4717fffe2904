// One question to one DNS server: over UDP, asked again while time is left, and over TCP when the
// answer does not fit.
//
// Datagrams that do not answer the question are counted and waited past; when nothing else came,
// that is protocol, and timeout when nothing came at all. A name that does not exist, or has no
// record of that type, is missing; another rcode than the expected one status; other answers than
// the expected ones body.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

// Values: "answers" (records of the type that was asked), "ttl" (the least of them, in seconds),
// "rcode".
Awaitable<void> probe_dns(Attempt& attempt, const DnsSpec& spec);

}  // namespace firebreak::probes
