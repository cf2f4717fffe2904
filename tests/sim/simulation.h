// One seed: parties, faults, checks, and the end in which everything has to agree.
#pragma once

#include <string>

#include "tests/sim/world.h"

namespace firebreak::sim {

struct Verdict {
  Tally tally;
  std::string broken;   // the promise and how; empty: all were kept
  std::string outlook;  // what the end looks like
};
[[nodiscard]] Verdict simulate(const Options& options);
// The same with and without faults: both ends look alike. `tally` counts both.
[[nodiscard]] Verdict compare(const Options& options);

}  // namespace firebreak::sim
