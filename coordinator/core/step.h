// The coordinator's decision: one event in, effects out. Pure: the same State and events give the
// same State and effects, live, after a crash, in a simulator or a back-test.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/probe_spec.h"
#include "common/result.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

// `now` never decreases. Fills state.changed with the incidents it touched.
std::vector<Effect> step(State& state, const Event& event, Instant now);

// When step(Tick) should be called if nothing else happens before; empty: not needed.
[[nodiscard]] std::optional<Instant> next_wake(const State& state);

// Whether the event would be refused, said before it is journaled: unknown incident, already
// resolved, wrong severity... The API asks this on the owner thread; step() ignores what it would
// refuse.
[[nodiscard]] Result<> admissible(const State& state, const Event& event);

// The probes that this agent is to run: services whose selector chooses it, sorted by key.
[[nodiscard]] std::vector<std::pair<ProbeKey, ProbeSpec>> assignment_for(const State& state,
                                                                         const AgentName& agent);

// The status of a probe over its vantage points, as rules see it (missing or stale data: unknown).
[[nodiscard]] Status probe_status(const State& state, const ProbeKey& key);
[[nodiscard]] Status service_status(const State& state, const ServiceName& service);

}  // namespace firebreak::core
