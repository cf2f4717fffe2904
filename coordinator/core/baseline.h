// What a signal was before something was wrong: it stands still from then on until all is well.
#pragma once

#include <optional>
#include <string_view>

#include "coordinator/core/inputs.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

// baseline_p95 -> p95; empty: it is no baseline.
[[nodiscard]] std::optional<policy::Signal> live_signal(policy::Signal signal);
// As it is written in snapshots, and back; empty: it is none.
[[nodiscard]] const char* name_of_baseline(policy::Signal signal);
[[nodiscard]] std::optional<policy::Signal> baseline_named(std::string_view name);

// What the service holds of it; Unknown: there was no data then. Only while ServiceState::held_at
// is set: before, a baseline is the live signal.
[[nodiscard]] cel::Value held_value(const ServiceState& service, const SignalCall& call);

// After the service's rules were judged: holds what the live signals are when the first level of
// them became true, and lets go when none is, no severity stands and no incident is open.
void hold_baselines(State& state, const ServiceName& name, ServiceState& service,
                    const ServiceInputs& inputs, Instant now);

}  // namespace firebreak::core
