// Choosing targets, ordering, and taking in outcomes. An action is ordered once and never again.
#include "coordinator/core/containment.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/broken.h"
#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/ingest.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/timeline.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

using policy::Action;
using policy::HostAction;
using policy::Mode;
using Step = PlaybookRun::Step;

const std::string kCoordinator = "coordinator";

const Action* find_action(const State& state, const ActionName& name) {
  const auto found = state.policy->actions.find(name);
  return found == state.policy->actions.end() ? nullptr : &found->second;
}

// A result since contradicts the verdict, and is yet to be confirmed.
bool is_doubted(const SeriesState& series) {
  return series.suspected_since != Instant{};
}

// The last instant at which what the agent has seen fail of the service may be used: now, when its
// newest results contradict that. Empty: it sees nothing fail.
std::optional<Instant> sees_fault_until(const State& state, const AgentState& agent,
                                        const ServiceName& service) {
  std::optional<Instant> until;
  for (const auto& [key, series] : agent.series) {
    if (key.service != service || series.confirmed != Status::critical) continue;
    const policy::Probe* probe = state.policy->find_probe(key);
    if (probe != nullptr && is_fresh(agent, series, probe->spec, state.now))
      at_last(until, is_doubted(series) ? state.now : fresh_until(series, probe->spec));
  }
  return until;
}

bool sees_fault(const State& state, const ServiceName& service, const AgentName& agent) {
  const auto vantages = state.vantages.find(service);
  return vantages != state.vantages.end() && vantages->second.contains(agent) &&
         sees_fault_until(state, state.agents.at(agent), service).has_value();
}

std::vector<std::string> targets_of(const State& state, const Action& action,
                                    const ServiceName& service) {
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host == nullptr) return {kCoordinator};
  std::vector<std::string> targets;
  for (const auto& [name, agent] : state.agents)
    if (host->on ? host->on->evaluate(selector_bindings(agent)).is_true()
                 : sees_fault(state, service, name))
      targets.push_back(name.str());
  return targets;
}

// The last instant at which the results that the service's rules stand on may be used, as above:
// those that fail, or where none does all that they read. Empty: they stand on facts alone.
std::optional<Instant> evidence_until(const State& state, const ServiceName& service) {
  std::optional<Instant> failing, fresh;
  const auto inputs = state.inputs->services.find(service);
  if (inputs == state.inputs->services.end()) return std::nullopt;
  for (const auto& [key, probe] : inputs->second.probes) {
    if (probe->probe == nullptr) continue;
    const ProbeSpec& spec = probe->probe->spec;
    each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
      if (!is_fresh(agent, series, spec, state.now)) return;
      const Instant until = is_doubted(series) ? state.now : fresh_until(series, spec);
      at_last(fresh, until);
      if (series.confirmed == Status::critical) at_last(failing, until);
    });
  }
  return failing ? failing : fresh;
}

// By when an order must have begun. How long its commit and its way take nobody knows yet; what it
// stands on is not to be stale by then.
Instant order_ends(const State& state, const Incident& incident, const Action& action,
                   const Step& step) {
  const Instant latest = state.now + limits::kOrderLifetime;
  if (incident.declared_severity) return latest;
  const auto* host = std::get_if<HostAction>(&action.how);
  const auto until =
      host != nullptr && !host->on
          ? sees_fault_until(state, state.agents.at(AgentName(step.target)), incident.service)
          : evidence_until(state, incident.service);
  return until ? std::min(latest, *until) : latest;
}

// The first step in the queue becomes one step for each target, in the order of their names.
void choose_targets(Turn& turn, Incident& incident, const Action& action) {
  std::deque<Step>& due = incident.playbook->due;
  const Step step = due.front();
  due.pop_front();
  const auto targets = targets_of(turn.state, action, incident.service);
  if (targets.empty())
    add_entry(turn, incident, "action", kEngine,
              step.action.str() + " skipped: no agent is a target now");
  for (auto target = targets.rbegin(); target != targets.rend(); ++target)
    due.push_front({step.stage, step.action, *target});
}

// Why the step must not be done now; empty: it may.
std::string objection(const State& state, const Incident& incident, const Action& action,
                      const Step& step) {
  Duration cooldown = action.cooldown;
  const auto& own = state.policy->playbooks[incident.playbook->playbook].cooldown;
  if (own) cooldown = std::max(cooldown, *own);
  const auto last = state.action_last.find({step.action, step.target});
  if (last != state.action_last.end() && state.now - last->second < cooldown)
    return "cooldown until " + format_utc(last->second + cooldown) + " UTC";
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host == nullptr) return {};
  const auto agent = state.agents.find(AgentName(step.target));
  if (agent == state.agents.end() || !agent->second.attached) return "the agent is not attached";
  if (!host->on && !sees_fault(state, incident.service, AgentName(step.target)))
    return "its probes of the service do not fail any more";
  return {};
}

// Why the incident's severity does not let this action run; empty: it does.
std::string forbidden_by_severity(const State& state, const Incident& incident,
                                  const ActionName& action) {
  if (!incident.severity) return {};
  const policy::Severity& severity = state.policy->severities[*incident.severity];
  if (!severity.actions || severity.actions->contains(action)) return {};
  return severity.name + " does not allow it";
}

void keep_bounded(Incident& incident) {
  if (incident.actions.size() < limits::kActionsPerIncidentMax) return;
  const auto oldest = std::find_if(incident.actions.begin(), incident.actions.end(),
                                   [](const ActionRun& run) { return is_final(run.state); });
  if (oldest != incident.actions.end()) incident.actions.erase(oldest);
}

void order(Turn& turn, Incident& incident, const Action& action, const Step& step, Instant ends) {
  keep_bounded(incident);
  ActionRun run;
  run.id = ActionId(turn.next_id("act"));
  run.name = step.action;
  run.incident = incident.id;
  run.target = step.target;
  run.on_host = std::holds_alternative<HostAction>(action.how);
  run.stage = step.stage;
  run.ordered = turn.now;
  run.expires = ends + action.timeout + limits::kOutcomeGrace;
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host != nullptr) {
    turn.emit(OrderHostAction{
        run.id, AgentName(run.target), host->entry, host->parameters, ends, incident.id,
        incident.severity_name + " " + incident.service.str() + ": " + incident.title});
  } else {
    turn.emit(RunHttpAction{run.id, std::get<policy::HttpAction>(action.how), action.timeout,
                            incident.id, ends});
  }
  turn.state.action_last[{step.action, step.target}] = turn.now;
  turn.state.actions_running[run.id] = incident.id;
  incident.playbook->wait_until.reset();
  incident.playbook->verify_failed = false;
  add_entry(turn, incident, "action", kEngine, name_of(run) + " ordered (" + run.id.str() + ")");
  incident.actions.push_back(std::move(run));
}

// Whether the first step, whose target is chosen, must wait for a newer result.
bool awaits_result(const State& state, const Incident& incident) {
  const Step& step = incident.playbook->due.front();
  const Action* action = find_action(state, step.action);
  return action != nullptr && !step.target.empty() &&
         forbidden_by_severity(state, incident, step.action).empty() &&
         objection(state, incident, *action, step).empty() &&
         order_ends(state, incident, *action, step) <= state.now;
}

// The first step that is due: ordered, said, or put aside with the reason.
void next_step(Turn& turn, Incident& incident) {
  PlaybookRun& playbook = *incident.playbook;
  const Step step = playbook.due.front();
  const Action* action = find_action(turn.state, step.action);
  if (action == nullptr) {
    playbook.due.pop_front();
    add_entry(turn, incident, "action", kEngine,
              step.action.str() + " skipped: the policy has it no more");
    return;
  }
  const std::string forbidden = forbidden_by_severity(turn.state, incident, step.action);
  if (!forbidden.empty()) {
    playbook.due.pop_front();
    add_entry(turn, incident, "action", kEngine,
              step.action.str() + (step.target.empty() ? "" : " on " + step.target) +
                  " skipped: " + forbidden);
    return;
  }
  if (step.target.empty()) {
    choose_targets(turn, incident, *action);
    return;
  }
  playbook.due.pop_front();
  const std::string what = step.action.str() + " on " + step.target;
  const std::string against = objection(turn.state, incident, *action, step);
  if (!against.empty()) {
    add_entry(turn, incident, "action", kEngine, what + " skipped: " + against);
    return;
  }
  const Mode mode = turn.state.policy->playbooks[playbook.playbook].mode;
  if (mode == Mode::enforce) {
    order(turn, incident, *action, step, order_ends(turn.state, incident, *action, step));
    return;
  }
  const bool advises = mode == Mode::advise;
  const std::string text = (advises ? "advised: run " : "would run (observing only): ") + what;
  add_entry(turn, incident, "action", kEngine, text);
  if (advises) notify(turn, incident, NotificationKind::action, text);
}

void begin_stages(Turn& turn, Incident& incident) {
  PlaybookRun& playbook = *incident.playbook;
  const policy::Playbook& plan = turn.state.policy->playbooks[playbook.playbook];
  while (playbook.next_stage < plan.stages.size() &&
         playbook.since + plan.stages[playbook.next_stage].at <= turn.now) {
    const policy::Stage& stage = plan.stages[playbook.next_stage];
    for (const ActionName& action : stage.actions)
      playbook.due.push_back({playbook.next_stage, action, {}});
    ++playbook.next_stage;
    std::string text =
        "stage " + std::to_string(playbook.next_stage) + " of " + plan.name + " begins";
    if (frozen_until(turn.state, turn.now))
      text += ", its actions wait: " + describe_warm_up(turn.state);
    add_entry(turn, incident, "action", kEngine, std::move(text));
  }
}

// A playbook is for its severity: what a P1 justifies, what is left of it as a P2 does not. Its
// stages wait until the incident is as severe again.
bool is_below_playbook(const State& state, const Incident& incident) {
  const auto& wanted = state.policy->playbooks[incident.playbook->playbook].severity;
  return wanted && incident.severity && *incident.severity > *wanted;
}

// A severity that stands on missing data, or on keep_for, is no ground to act on.
bool may_act(const State& state, const Incident& incident) {
  if (incident.resolved || incident.quiet_since || !incident.playbook) return false;
  if (is_below_playbook(state, incident)) return false;
  if (incident.declared_severity) return true;
  const auto service = state.services.find(incident.service);
  return service != state.services.end() && service->second.severity &&
         (!service->second.blind || is_broken(Break::blind));
}

void expire_runs(Turn& turn, Incident& incident) {
  for (ActionRun& run : incident.actions) {
    if (is_final(run.state) || run.expires > turn.now) continue;
    run.state = ActionState::unknown;
    run.finished = turn.now;
    run.detail = "no outcome came in time";
    turn.state.actions_running.erase(run.id);
    add_entry(turn, incident, "action", kEngine,
              name_of(run) + " is unknown: " + run.detail + "; it is not repeated");
  }
}

void expire_verifications(Turn& turn, Incident& incident) {
  for (auto one = incident.verifications.begin(); one != incident.verifications.end();) {
    if (one->second.until > turn.now) {
      ++one;
      continue;
    }
    add_entry(turn, incident, "action", "agent:" + one->second.agent.str(),
              "verify " + one->second.key.probe.str() + ": no answer");
    if (incident.playbook) incident.playbook->verify_failed = true;
    turn.state.verifications.erase(one->first);
    one = incident.verifications.erase(one);
  }
}

}  // namespace

void begin_playbook(Turn& turn, Incident& incident) {
  const policy::Policy& policy = *turn.state.policy;
  const policy::Playbook* found = policy.find_playbook(incident.service, incident.severity);
  if (found == nullptr) return;
  const auto chosen = static_cast<std::size_t>(found - policy.playbooks.data());
  if (incident.playbook && incident.playbook->playbook == chosen) return;
  PlaybookRun run;
  run.playbook = chosen;
  run.name = found->name;
  run.since = turn.now;
  incident.playbook = std::move(run);
  const auto service = turn.state.services.find(incident.service);
  const bool waits = !incident.declared_severity && service != turn.state.services.end() &&
                     service->second.no_data;
  add_entry(turn, incident, "action", kEngine,
            "playbook " + incident.playbook->name +
                (waits ? " waits: nothing is done on missing data" : " begins"));
  turn.attend.insert(incident.id);
}

void begin_stages_anew(Turn& turn, const IncidentId& id) {
  const auto found = turn.state.incidents.find(id);
  if (found == turn.state.incidents.end() || !found->second.playbook) return;
  PlaybookRun& playbook = *found->second.playbook;
  if (playbook.next_stage > 0 || !playbook.due.empty()) return;
  playbook.since = turn.now;
  add_entry(turn, found->second, "action", kEngine, "playbook " + playbook.name + " begins");
}

void end_playbook(Incident& incident) {
  incident.playbook.reset();
}

std::string name_of(const ActionRun& run) {
  return run.name.str() + " on " + run.target;
}

bool is_action_running(const Incident& incident) {
  return std::any_of(incident.actions.begin(), incident.actions.end(),
                     [](const ActionRun& run) { return !is_final(run.state); });
}

void contain(Turn& turn, Incident& incident) {
  expire_runs(turn, incident);
  expire_verifications(turn, incident);
  if (!may_act(turn.state, incident) || follow_pause(turn, incident)) return;
  begin_stages(turn, incident);
  if (frozen_until(turn.state, turn.now)) return;
  PlaybookRun& playbook = *incident.playbook;
  while (!playbook.due.empty() && !is_action_running(incident) && incident.verifications.empty()) {
    if (playbook.wait_until && *playbook.wait_until > turn.now && !playbook.verify_failed) return;
    if (awaits_result(turn.state, incident)) return;
    next_step(turn, incident);
  }
}

bool may_begin(const State& state, const IncidentId& id, Instant ends, Instant now) {
  const auto incident = state.incidents.find(id);
  return now < ends && incident != state.incidents.end() && !incident->second.resolved &&
         !incident->second.quiet_since &&
         maintenance_of(state, incident->second.service) == nullptr;
}

std::optional<Instant> containment_due(const State& state, const Incident& incident) {
  std::optional<Instant> next;
  for (const ActionRun& run : incident.actions)
    if (!is_final(run.state)) at_first(next, run.expires);
  for (const auto& [request, verification] : incident.verifications)
    at_first(next, verification.until);
  if (!may_act(state, incident) || incident.playbook->paused) return next;
  const PlaybookRun& playbook = *incident.playbook;
  const policy::Playbook& plan = state.policy->playbooks[playbook.playbook];
  if (playbook.next_stage < plan.stages.size())
    at_first(next, playbook.since + plan.stages[playbook.next_stage].at);
  if (!playbook.due.empty() && playbook.wait_until && *playbook.wait_until > state.now)
    at_first(next, *playbook.wait_until);
  const auto frozen = frozen_until(state, state.now);
  if (!playbook.due.empty() && frozen) at_first(next, *frozen);
  if (!playbook.due.empty() && !frozen && awaits_result(state, incident))
    at_first(next, state.now + kLookEvery);
  return next;
}

std::vector<Prospect> prospects(const State& state, const Incident& incident) {
  std::vector<Prospect> out;
  if (!incident.playbook) return out;
  const PlaybookRun& run = *incident.playbook;
  const policy::Playbook& plan = state.policy->playbooks[run.playbook];
  std::deque<Step> steps = run.due;
  for (std::size_t stage = run.next_stage; stage < plan.stages.size(); ++stage)
    for (const ActionName& action : plan.stages[stage].actions)
      steps.push_back({stage, action, {}});
  for (const Step& step : steps) {
    const Instant begins =
        step.stage < plan.stages.size() ? run.since + plan.stages[step.stage].at : run.since;
    const Action* action = find_action(state, step.action);
    std::vector<std::string> targets{step.target};
    if (action != nullptr && step.target.empty())
      targets = targets_of(state, *action, incident.service);
    if (action == nullptr || targets.empty())
      out.push_back({step.stage, begins, step.action, step.target,
                     action == nullptr ? "the policy has it no more" : "no agent is a target now"});
    else
      for (const std::string& target : targets) {
        std::string against = forbidden_by_severity(state, incident, step.action);
        if (against.empty())
          against = objection(state, incident, *action, {step.stage, step.action, target});
        out.push_back({step.stage, begins, step.action, target, std::move(against)});
      }
    if (out.size() >= limits::kExplainedStepsMax) break;
  }
  if (out.size() > limits::kExplainedStepsMax) out.resize(limits::kExplainedStepsMax);
  return out;
}

std::string holds_back(const State& state, const Incident& incident) {
  if (incident.resolved) return "the incident is resolved";
  if (incident.quiet_since)
    return "no rule holds since " + format_utc(*incident.quiet_since) + " UTC";
  if (const MaintenanceNow* maintenance = maintenance_of(state, incident.service))
    return "in maintenance " + describe(*maintenance);
  if (!incident.playbook)
    return "no playbook is for " + incident.service.str() + " at " + incident.severity_name;
  if (is_below_playbook(state, incident))
    return "the playbook is for a higher severity than " + incident.severity_name;
  if (!may_act(state, incident))
    return "the severity stands on missing data or keep_for: no rule says so now";
  if (frozen_until(state, state.now))
    return "after the start too many agents are missing: " + describe_warm_up(state);
  const PlaybookRun& run = *incident.playbook;
  if (is_action_running(incident)) return "an action runs";
  if (!incident.verifications.empty()) return "a probe looks at what the last action changed";
  if (run.wait_until && *run.wait_until > state.now && !run.verify_failed)
    return "the last action seems to have helped: nothing further before " +
           format_utc(*run.wait_until) + " UTC";
  if (!run.due.empty() && awaits_result(state, incident)) return "it waits for a newer result";
  switch (state.policy->playbooks[run.playbook].mode) {
    case Mode::observe:
      return "its mode is observe: nothing is done, only recorded";
    case Mode::advise:
      return "its mode is advise: people are told, nothing is done";
    case Mode::enforce:
      break;
  }
  return {};
}

}  // namespace firebreak::core
