// One number for everything that the coordinator remembers.
#pragma once

#include <string>

#include "coordinator/core/state.h"

namespace firebreak::store {

// Hex SHA-256 over the state as a snapshot holds it: two states with one digest go on alike. What
// only the step that just ran needs (State::changed) is not in it.
[[nodiscard]] std::string digest(const core::State& state);

}  // namespace firebreak::store
