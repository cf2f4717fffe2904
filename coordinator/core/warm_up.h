// After a start: whose vantage is missing, and what must wait until enough agents are back.
//
// Those that were attached, or heard shortly before the end of the life before, are awaited, for at
// most limits::kWarmUp. Until then two things hold. Who is missing counts as a vantage point that
// sees no fault, so the first agents that are back do not speak for the rest: a probe that enough
// of *all* of them see fail is a fault and opens an incident at once, anything less is unknown.
// And while fewer than limits::kWarmEnoughPercent are back, nothing is done about any fault: no
// action is ordered, no recovery is validated.
#pragma once

#include <optional>
#include <string>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// At a start, before anybody is detached.
void begin_warm_up(Turn& turn);
// The agent has been heard. Whatever waited for this is looked at again.
void agent_is_back(Turn& turn, const AgentName& agent);

// Somebody is awaited.
[[nodiscard]] bool is_warming_up(const State& state, Instant now);
// Too many are awaited to act. When that ends at the latest; empty: it does not hold.
[[nodiscard]] std::optional<Instant> frozen_until(const State& state, Instant now);
// "812 of 1000 agents are back"
[[nodiscard]] std::string describe_warm_up(const State& state);

}  // namespace firebreak::core
