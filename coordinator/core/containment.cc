// Choosing targets, ordering, and taking in outcomes. An action is ordered once and never again.
#include "coordinator/core/containment.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/broken.h"
#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/ingest.h"
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

// The agents that see the service fail now.
std::vector<std::string> failing_agents(const State& state, const ServiceName& service,
                                        Instant now) {
  std::vector<std::string> targets;
  const auto vantages = state.vantages.find(service);
  if (vantages == state.vantages.end()) return targets;
  for (const AgentName& name : vantages->second) {
    const AgentState& agent = state.agents.at(name);
    const bool fails = std::any_of(agent.series.begin(), agent.series.end(), [&](const auto& one) {
      const policy::Probe* probe = state.policy->find_probe(one.first);
      return one.first.service == service && probe != nullptr &&
             one.second.confirmed == Status::critical &&
             is_fresh(agent, one.second, probe->spec, now);
    });
    if (fails) targets.push_back(name.str());
  }
  return targets;
}

std::vector<std::string> targets_of(const State& state, const Action& action,
                                    const ServiceName& service, Instant now) {
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host == nullptr) return {kCoordinator};
  if (!host->on) return failing_agents(state, service, now);
  std::vector<std::string> targets;
  for (const auto& [name, agent] : state.agents)
    if (host->on->evaluate(selector_bindings(agent)).is_true()) targets.push_back(name.str());
  return targets;
}

// The first step in the queue becomes one step for each target, in the order of their names.
void choose_targets(Turn& turn, Incident& incident, const Action& action) {
  std::deque<Step>& due = incident.playbook->due;
  const Step step = due.front();
  due.pop_front();
  const auto targets = targets_of(turn.state, action, incident.service, turn.now);
  if (targets.empty())
    add_entry(turn, incident, "action", kEngine,
              step.action.str() + " skipped: no agent is a target now");
  for (auto target = targets.rbegin(); target != targets.rend(); ++target)
    due.push_front({step.stage, step.action, *target});
}

// Why the step must not be done now; empty: it may.
std::string objection(const Turn& turn, const Incident& incident, const Action& action,
                      const Step& step) {
  const State& state = turn.state;
  Duration cooldown = action.cooldown;
  const auto& own = state.policy->playbooks[incident.playbook->playbook].cooldown;
  if (own) cooldown = std::max(cooldown, *own);
  const auto last = state.action_last.find({step.action, step.target});
  if (last != state.action_last.end() && turn.now - last->second < cooldown)
    return "cooldown until " + format_utc(last->second + cooldown) + " UTC";
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host == nullptr) return {};
  const auto agent = state.agents.find(AgentName(step.target));
  if (agent == state.agents.end() || !agent->second.attached) return "the agent is not attached";
  if (!host->on) {
    const auto failing = failing_agents(state, incident.service, turn.now);
    if (std::find(failing.begin(), failing.end(), step.target) == failing.end())
      return "its probes of the service do not fail any more";
  }
  return {};
}

void keep_bounded(Incident& incident) {
  if (incident.actions.size() < limits::kActionsPerIncidentMax) return;
  const auto oldest = std::find_if(incident.actions.begin(), incident.actions.end(),
                                   [](const ActionRun& run) { return is_final(run.state); });
  if (oldest != incident.actions.end()) incident.actions.erase(oldest);
}

void order(Turn& turn, Incident& incident, const Action& action, const Step& step) {
  keep_bounded(incident);
  ActionRun run;
  run.id = ActionId(turn.next_id("act"));
  run.name = step.action;
  run.incident = incident.id;
  run.target = step.target;
  run.on_host = std::holds_alternative<HostAction>(action.how);
  run.stage = step.stage;
  run.ordered = turn.now;
  run.expires = turn.now + limits::kOrderLifetime + action.timeout + limits::kOutcomeGrace;
  const auto* host = std::get_if<HostAction>(&action.how);
  if (host != nullptr) {
    turn.emit(OrderHostAction{
        run.id, AgentName(run.target), host->entry, host->parameters,
        turn.now + limits::kOrderLifetime, incident.id,
        incident.severity_name + " " + incident.service.str() + ": " + incident.title});
  } else {
    run.expires = turn.now + action.timeout + limits::kOutcomeGrace;
    turn.emit(RunHttpAction{run.id, std::get<policy::HttpAction>(action.how), action.timeout,
                            incident.id});
  }
  turn.state.action_last[{step.action, step.target}] = turn.now;
  turn.state.actions_running[run.id] = incident.id;
  incident.playbook->wait_until.reset();
  incident.playbook->verify_failed = false;
  add_entry(turn, incident, "action", kEngine, name_of(run) + " ordered (" + run.id.str() + ")");
  incident.actions.push_back(std::move(run));
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
  if (step.target.empty()) {
    choose_targets(turn, incident, *action);
    return;
  }
  playbook.due.pop_front();
  const std::string what = step.action.str() + " on " + step.target;
  const std::string against = objection(turn, incident, *action, step);
  if (!against.empty()) {
    add_entry(turn, incident, "action", kEngine, what + " skipped: " + against);
    return;
  }
  const Mode mode = turn.state.policy->playbooks[playbook.playbook].mode;
  if (mode == Mode::enforce) {
    order(turn, incident, *action, step);
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
  const auto& playbooks = turn.state.policy->playbooks;
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < playbooks.size(); ++i) {
    if (playbooks[i].service != incident.service) continue;
    if (playbooks[i].severity == incident.severity) {
      chosen = i;
      break;
    }
    if (!playbooks[i].severity && !chosen) chosen = i;
  }
  if (!chosen || (incident.playbook && incident.playbook->playbook == *chosen)) return;
  PlaybookRun run;
  run.playbook = *chosen;
  run.name = playbooks[*chosen].name;
  run.since = turn.now;
  incident.playbook = std::move(run);
  add_entry(turn, incident, "action", kEngine, "playbook " + incident.playbook->name + " begins");
  turn.attend.insert(incident.id);
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
  if (!may_act(turn.state, incident)) return;
  begin_stages(turn, incident);
  if (frozen_until(turn.state, turn.now)) return;
  PlaybookRun& playbook = *incident.playbook;
  while (!playbook.due.empty() && !is_action_running(incident) && incident.verifications.empty()) {
    if (playbook.wait_until && *playbook.wait_until > turn.now && !playbook.verify_failed) return;
    next_step(turn, incident);
  }
}

std::optional<Instant> containment_due(const State& state, const Incident& incident) {
  std::optional<Instant> next;
  for (const ActionRun& run : incident.actions)
    if (!is_final(run.state)) at_first(next, run.expires);
  for (const auto& [request, verification] : incident.verifications)
    at_first(next, verification.until);
  if (!may_act(state, incident)) return next;
  const PlaybookRun& playbook = *incident.playbook;
  const policy::Playbook& plan = state.policy->playbooks[playbook.playbook];
  if (playbook.next_stage < plan.stages.size())
    at_first(next, playbook.since + plan.stages[playbook.next_stage].at);
  if (!playbook.due.empty() && playbook.wait_until && *playbook.wait_until > state.now)
    at_first(next, *playbook.wait_until);
  const auto frozen = frozen_until(state, state.now);
  if (!playbook.due.empty() && frozen) at_first(next, *frozen);
  return next;
}

}  // namespace firebreak::core
