// The agent's time line: time since the host booted, suspends included.
//
// It is what results and messages carry, so that a result which waited while the host slept is as
// old as it is. It begins well above zero: results of earlier boots lie before this one.
#pragma once

#include "common/clock.h"
#include "common/limits.h"
#include "common/time.h"

namespace firebreak::agent {

inline constexpr Duration kBooted = 2 * Duration(limits::kSpoolAgeMax);

[[nodiscard]] inline Instant time_line(const Clock& clock) {
  return Instant{kBooted + clock.since_boot()};
}

}  // namespace firebreak::agent
