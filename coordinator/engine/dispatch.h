// From an effect to whom it concerns.
#pragma once

#include <vector>

#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/sinks.h"

namespace firebreak::engine {

// Takes out the orders that must not begin any more (core/containment.h, may_begin), and says
// which.
[[nodiscard]] std::vector<ActionId> take_lapsed(std::vector<core::Effect>& effects,
                                                const core::State& state, Instant now);

// In order; an agent's assignment is sent once, as `state` has it now.
void dispatch(std::vector<core::Effect> effects, const core::State& state, const Sinks& sinks);

}  // namespace firebreak::engine
