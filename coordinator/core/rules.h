// A service's rules -> its severity, three-valued: what cannot be decided neither raises nor
// lowers.
#pragma once

#include <chrono>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// What changes with time alone (windows, ages) is looked at this often.
inline constexpr Duration kLookEvery = std::chrono::seconds(1);

// Looks at the service's rules, sets its severity and the alarm for when time alone may change it,
// and hands a change to its incident (incidents.h).
void judge_service(Turn& turn, const ServiceName& name);

// What is wrong with the service in a line for people, from the probes that its rules read: "health
// is critical on 2 of 3 agents (timeout)"; otherwise what the rule says.
[[nodiscard]] std::string describe_fault(const State& state, const ServiceName& service,
                                         Instant now);

}  // namespace firebreak::core
