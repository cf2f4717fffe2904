// What the policy recommends while something is true: said once, shown as long as it holds. Nothing
// follows from it.
#pragma once

#include <optional>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// Looks at the conditions of the incident's service; while no rule holds none of them does.
void recommend(Turn& turn, Incident& incident);
// When recommend() must run again if nothing happens before.
[[nodiscard]] std::optional<Instant> recommendations_due(const State& state,
                                                         const Incident& incident);

}  // namespace firebreak::core
