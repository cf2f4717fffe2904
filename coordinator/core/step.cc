// One event in, then everything that follows from it, until nothing more does.
#include "coordinator/core/step.h"

#include <algorithm>
#include <utility>

#include "common/assert.h"
#include "coordinator/core/agent_watch.h"
#include "coordinator/core/containment.h"
#include "coordinator/core/dependencies.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/ingest.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/operator.h"
#include "coordinator/core/policy_change.h"
#include "coordinator/core/quieting.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/signal_values.h"
#include "coordinator/core/timeline.h"
#include "coordinator/core/validation.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

// Rules open incidents, incidents start validations, validations resolve incidents: each round is
// one such link. What is left over is done by the next step, for its alarm is due.
constexpr int kRoundsMax = 8;

void started(Turn& turn, const Started& event) {
  State& state = turn.state;
  state.epoch = event.epoch;
  state.started_at = turn.now;
  begin_warm_up(turn);
  for (auto& [name, agent] : state.agents) lose_agent(turn, agent);
  watch_agents(turn);
  if (!state.policy) return;
  for (const auto& [name, service] : state.policy->services) state.dirty.insert(name);
  forget_http_actions(turn);
}

void probe_now_finished(Turn& turn, const ProbeNowFinished& event) {
  if (turn.state.verifications.contains(event.request))
    verification_answered(turn, event);
  else if (turn.state.requests.contains(event.request))
    validation_answered(turn, event.request, event.agent, event.observation);
}

struct Take {
  Turn& turn;
  void operator()(const AgentAttached& event) const { agent_attached(turn, event); }
  void operator()(const AgentDetached& event) const { agent_detached(turn, event); }
  void operator()(const ResultsReceived& event) const { results_received(turn, event); }
  void operator()(const ProbeNowFinished& event) const { probe_now_finished(turn, event); }
  void operator()(const ActionReported& event) const { action_reported(turn, event); }
  void operator()(const NotificationFinished& event) const { notification_finished(turn, event); }
  void operator()(const OperatorAsked& event) const { operator_asked(turn, event); }
  void operator()(const PolicyChanged& event) const {
    policy_changed(turn, event);
    follow_quieting(turn);
  }
  void operator()(const Started& event) const { started(turn, event); }
  void operator()(const Tick& /*event*/) const {}
  void operator()(const OrderLapsed& event) const { order_lapsed(turn, event); }
};

// Whether there were any. A severity that others read is known before they are judged.
bool judge_dirty(Turn& turn) {
  State& state = turn.state;
  const bool any = !state.dirty.empty();
  const int depth = state.inputs ? state.inputs->depth : 0;
  for (int level = 0; level <= depth; ++level) {
    auto now = std::exchange(state.dirty, {});
    if (level < depth)
      std::erase_if(now, [&](const ServiceName& service) {
        const auto inputs = state.inputs->services.find(service);
        if (inputs == state.inputs->services.end() || inputs->second.depth <= level) return false;
        state.dirty.insert(service);
        return true;
      });
    for (const ServiceName& service : causes_first(state, now)) judge_service(turn, service);
  }
  return any;
}

// Whether anything was to do.
bool settle_once(Turn& turn) {
  State& state = turn.state;
  agents_silent(turn, state.agent_alarms.take_due(turn.now));
  for (ServiceName& service : state.service_alarms.take_due(turn.now))
    state.dirty.insert(std::move(service));
  const bool judged = judge_dirty(turn);
  const auto validations = state.validation_alarms.take_due(turn.now);
  for (const ValidationId& validation : validations) advance_validation(turn, validation);
  for (IncidentId& incident : state.incident_alarms.take_due(turn.now))
    turn.attend.insert(std::move(incident));
  const auto attend_to = std::exchange(turn.attend, {});
  for (const IncidentId& incident : attend_to) attend(turn, incident);
  const auto finished = std::exchange(turn.finished, {});
  for (const ValidationId& validation : finished) validation_ended(turn, validation);
  return judged || !(validations.empty() && attend_to.empty() && finished.empty());
}

}  // namespace

std::vector<Effect> step(State& state, const Event& event, Instant now) {
  FB_ASSERT(now >= state.now);
  state.now = now;
  state.changed.clear();
  std::vector<Effect> effects;
  Turn turn{state, now, effects, {}, {}};
  if (state.quieting.next <= now) follow_quieting(turn);
  std::visit(Take{turn}, event);
  for (int round = 0; round < kRoundsMax && settle_once(turn); ++round) {
  }
  for (const IncidentId& left : turn.attend) state.incident_alarms.set_earlier(left, now);
  drop_oldest_resolved(state);
  return effects;
}

std::optional<Instant> next_wake(const State& state) {
  std::optional<Instant> next;
  at_first(next, state.service_alarms.first());
  at_first(next, state.incident_alarms.first());
  at_first(next, state.validation_alarms.first());
  at_first(next, state.agent_alarms.first());
  if (state.quieting.next != Instant::max()) at_first(next, state.quieting.next);
  if (!state.dirty.empty()) next = state.now;
  return next;
}

Result<> admissible(const State& state, const Event& event) {
  if (const auto* change = std::get_if<PolicyChanged>(&event))
    return still_replaces(state, change->replaces);
  const auto* asked = std::get_if<OperatorAsked>(&event);
  if (asked == nullptr) return {};
  return may_ask(state, *asked);
}

std::vector<std::pair<ProbeKey, ProbeSpec>> assignment_for(const State& state,
                                                           const AgentName& agent) {
  std::vector<std::pair<ProbeKey, ProbeSpec>> assignment;
  const auto found = state.agents.find(agent);
  if (found == state.agents.end() || !state.policy) return assignment;
  for (const ServiceName& name : found->second.services) {
    const policy::Service* service = state.policy->find_service(name);
    if (service == nullptr) continue;
    for (const policy::Probe& probe : service->probes)
      assignment.emplace_back(ProbeKey{name, probe.name}, probe.spec);
  }
  std::sort(assignment.begin(), assignment.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return assignment;
}

Status probe_status(const State& state, const ProbeKey& key) {
  return view_probe(state, key, state.now).status;
}

Status service_status(const State& state, const ServiceName& name) {
  const policy::Service* service = state.policy ? state.policy->find_service(name) : nullptr;
  if (service != nullptr && state.policy->is_agents_service(name))
    return state.silent.empty() ? Status::ok : Status::critical;
  if (service == nullptr || service->probes.empty()) return Status::unknown;
  bool any_unknown = false;
  Status worst = Status::ok;
  for (const policy::Probe& probe : service->probes) {
    const Status status = probe_status(state, {name, probe.name});
    if (status == Status::unknown)
      any_unknown = true;
    else
      worst = std::max(worst, status);
  }
  return any_unknown && worst == Status::ok ? Status::unknown : worst;
}

}  // namespace firebreak::core
