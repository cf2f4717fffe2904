// Signals that are of no single probe: groups of vantage points, other services, the time.
#pragma once

#include <string>

#include "common/cel/value.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

// Vantage points with the same value of a label; those without it are in no group.
struct Groups {
  int judged = 0;  // with a fresh verdict
  int failing = 0;
  bool awaits = false;  // after a start: somebody of them is still awaited
};
[[nodiscard]] Groups group_vantages(const State& state, const ProbeKey& key,
                                    const policy::Probe& probe, const std::string& label,
                                    Instant now);

// What a service's rules say, by name; empty: nothing. Unknown while nobody can say: a rule is not
// decided, or the severity stands though no rule says so now.
[[nodiscard]] cel::Value severity_value(const State& state, const ServiceName& service);
[[nodiscard]] cel::Value status_value(const State& state, const ServiceName& service, Instant now);

}  // namespace firebreak::core
