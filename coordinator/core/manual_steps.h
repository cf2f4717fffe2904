// What no software does and somebody must: an incident's steps, due at their times, ticked off by
// people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {

// The incident has reached its severity: adds the steps of it that the incident does not have yet.
void add_steps(Turn& turn, Incident& incident);
// It is less severe now: what is not due yet and not a step of this severity will not be.
void drop_future_steps(const State& state, Incident& incident);

// Says which steps are due.
void show_due_steps(Turn& turn, Incident& incident);
// When show_due_steps() must run again if nothing happens before.
[[nodiscard]] std::optional<Instant> steps_due(const Incident& incident);

// "2 (call legal)": those that are due, must be done before the end, and are not; empty: none.
[[nodiscard]] std::string open_required_steps(const Incident& incident);
// For a notification: what is to be done now; empty: nothing.
[[nodiscard]] std::string to_do(const Incident& incident);

// The incident exists.
[[nodiscard]] Result<> may_do_step(const State& state, const StepDone& wish);
void do_step(Turn& turn, const StepDone& wish, const std::string& by);

}  // namespace firebreak::core
