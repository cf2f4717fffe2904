// From an effect to whom it concerns.
#pragma once

#include <vector>

#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/sinks.h"

namespace firebreak::engine {

// In order; an agent's assignment is sent once, as `state` has it now.
void dispatch(std::vector<core::Effect> effects, const core::State& state, const Sinks& sinks);

}  // namespace firebreak::engine
