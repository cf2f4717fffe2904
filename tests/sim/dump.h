// A state as text: whatever differs between two states that should be one.
#pragma once

#include <string>

#include "coordinator/core/state.h"

namespace firebreak::sim {

// All that later decisions rest on.
[[nodiscard]] std::string dump(const core::State& state);
// What a person sees once nothing is wrong any more: it does not depend on how it came about.
[[nodiscard]] std::string outlook(const core::State& state);
// The first line in which they differ, with both versions.
[[nodiscard]] std::string difference(const std::string& a, const std::string& b);

}  // namespace firebreak::sim
