// The playbook, running: stages at their times, actions one at a time, outcomes as they come.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// The incident has reached its severity: finds the playbook for it, whose stages count from now.
void begin_playbook(Turn& turn, Incident& incident);
// It has recovered, or its service is gone: what is due is not done any more.
// What a severity that was raised on missing data has waited for is here: its stages count from
// now.
void begin_stages_anew(Turn& turn, const IncidentId& id);
void end_playbook(Incident& incident);

// Begins the stages that are due and the next action; gives up on what got no answer in time.
void contain(Turn& turn, Incident& incident);
// Whether an order that `ends` then may still be sent: there is time, and the fault is still there.
[[nodiscard]] bool may_begin(const State& state, const IncidentId& incident, Instant ends,
                             Instant now);
// "restart-web on web-1".
[[nodiscard]] std::string name_of(const ActionRun& run);
[[nodiscard]] bool is_action_running(const Incident& incident);
// When contain() must run again if nothing happens before.
[[nodiscard]] std::optional<Instant> containment_due(const State& state, const Incident& incident);

// A step of the playbook that is still to come, and what is against it now.
struct Prospect {
  std::size_t stage = 0;  // from 0
  Instant begins;         // that stage
  ActionName action;
  std::string target;   // empty: no agent is one
  std::string against;  // empty: it may be done
};
// At most limits::kExplainedStepsMax, in the order in which they come.
[[nodiscard]] std::vector<Prospect> prospects(const State& state, const Incident& incident);
// Why no step is done now, whatever it is; empty: nothing holds them back.
[[nodiscard]] std::string holds_back(const State& state, const Incident& incident);

void action_reported(Turn& turn, const ActionReported& event);
// The step goes back to where it came from: it is decided again on what is known by then.
void order_lapsed(Turn& turn, const OrderLapsed& event);
// The answer to a probe that an action asked for.
void verification_answered(Turn& turn, const ProbeNowFinished& event);
// The coordinator's own actions cannot have outlived it.
void forget_http_actions(Turn& turn);

}  // namespace firebreak::core
