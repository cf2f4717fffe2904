// A policy as large as asked for, the same for every benchmark.
#pragma once

#include <string>

namespace firebreak::bench {

// `probes` on every agent, in services s0, s1, ... of ten probes p0 ... p9 each. A service is P1
// when its first probe fails and P2 when any does; `windowed`: P2 reads a window of each probe.
std::string synthetic_policy(int probes, bool windowed);

}  // namespace firebreak::bench
