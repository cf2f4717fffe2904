// What became of an action, and what the probes after it saw.
#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/containment.h"
#include "coordinator/core/signal_values.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

constexpr std::string_view kAgentPrefix = "agent:";

struct Found {
  Incident* incident = nullptr;
  ActionRun* run = nullptr;
};
Found find_run(State& state, const ActionId& id) {
  const auto in = [&](Incident& incident) -> Found {
    for (ActionRun& run : incident.actions)
      if (run.id == id) return {&incident, &run};
    return {};
  };
  const auto running = state.actions_running.find(id);
  if (running != state.actions_running.end()) {
    const auto incident = state.incidents.find(running->second);
    if (incident != state.incidents.end()) return in(incident->second);
  }
  // Ended already: a repeated outcome, or one that comes after it was given up.
  for (auto& [incident_id, incident] : state.incidents)
    if (const Found found = in(incident); found.run != nullptr) return found;
  return {};
}

std::string expected_reporter(const ActionRun& run) {
  return run.on_host ? std::string(kAgentPrefix) + run.target : kEngine;
}

// Probes at once from where the action ran; from everywhere when that is the coordinator.
void verify(Turn& turn, Incident& incident, const ActionRun& run) {
  State& state = turn.state;
  const auto action = state.policy->actions.find(run.name);
  const auto vantages = state.vantages.find(incident.service);
  if (action == state.policy->actions.end() || vantages == state.vantages.end()) return;
  const bool everywhere = !run.on_host || !vantages->second.contains(AgentName(run.target));
  for (const ProbeName& name : action->second.verify) {
    const ProbeKey key{incident.service, name};
    const policy::Probe* probe = state.policy->find_probe(key);
    if (probe == nullptr) continue;
    for (const AgentName& agent : vantages->second) {
      if (!state.agents.at(agent).attached || !(everywhere || agent.str() == run.target)) continue;
      const RequestId request(turn.next_id("req"));
      incident.verifications[request] = {run.id, agent, key,
                                         turn.now + probe->spec.timeout + limits::kDeliverySlack};
      state.verifications[request] = incident.id;
      turn.emit(SendProbeNow{agent, request, key, probe->spec});
    }
  }
}

std::string outcome_text(const ActionRun& run, const ActionReported& event, bool late) {
  std::string text = name_of(run) + " ";
  if (late) text += "was unknown, now its outcome came: ";
  text += event.state == ActionState::timed_out ? "timed out" : to_string(event.state);
  if (event.took > Duration{0}) text += " in " + humanize_duration(event.took);
  if (event.state == ActionState::succeeded || event.state == ActionState::failed)
    text +=
        (run.on_host ? " (exit code " : " (HTTP status ") + std::to_string(event.exit_code) + ")";
  if (!event.detail.empty()) text += ": " + escape_line(event.detail, limits::kEvidenceBytesMax);
  return text;
}

void finish(Turn& turn, Incident& incident, ActionRun& run, const ActionReported& event) {
  const bool late = run.state == ActionState::unknown;
  run.state = event.state;
  run.finished = turn.now;
  run.exit_code = event.exit_code;
  run.output = to_valid_utf8(event.output, limits::kActionOutputBytesMax);
  run.detail = to_valid_utf8(event.detail, limits::kTextBytesMax);
  turn.state.actions_running.erase(run.id);
  const std::string text = outcome_text(run, event, late);
  std::string output = run.output;
  if (event.output_dropped_bytes > 0)
    output += "\n(" + std::to_string(event.output_dropped_bytes) + " bytes more were dropped)";
  add_entry(turn, incident, "action", event.reporter, text, std::move(output));
  if (incident.resolved) return;
  notify(turn, incident, NotificationKind::action, text);
  if (!late) verify(turn, incident, run);
}

// Back to the front of the queue, if its playbook is still the one that runs.
void give_back(State& state, Incident& incident, const ActionRun& run) {
  if (!incident.playbook || incident.playbook->since > run.ordered) return;
  PlaybookRun& playbook = *incident.playbook;
  const auto& stages = state.policy->playbooks[playbook.playbook].stages;
  if (run.stage >= std::min(playbook.next_stage, stages.size())) return;
  const auto& actions = stages[run.stage].actions;
  if (std::find(actions.begin(), actions.end(), run.name) == actions.end()) return;
  playbook.due.push_front({run.stage, run.name, run.target});
}

}  // namespace

void order_lapsed(Turn& turn, const OrderLapsed& event) {
  State& state = turn.state;
  const Found found = find_run(state, event.action);
  if (found.run == nullptr || is_final(found.run->state)) return;
  ActionRun& run = *found.run;
  run.state = ActionState::refused;
  run.finished = turn.now;
  run.detail =
      found.incident->quiet_since || found.incident->resolved
          ? "the fault was over before it was written down; it was not sent"
          : "writing it down took longer than what it stands on stays fresh; it was not sent";
  state.actions_running.erase(run.id);
  // It has spent nothing.
  const auto last = state.action_last.find({run.name, run.target});
  if (last != state.action_last.end() && last->second == run.ordered) state.action_last.erase(last);
  const std::string text = name_of(run) + " refused: " + run.detail;
  add_entry(turn, *found.incident, "action", kEngine, text);
  turn.attend.insert(found.incident->id);
  if (found.incident->resolved) return;
  notify(turn, *found.incident, NotificationKind::action, text);
  give_back(state, *found.incident, run);
}

void action_reported(Turn& turn, const ActionReported& event) {
  const bool final = is_final(event.state);
  const bool from_agent = event.reporter.starts_with(kAgentPrefix);
  const auto confirm = [&] {
    if (final && from_agent)
      turn.emit(
          ConfirmOutcome{AgentName(event.reporter.substr(kAgentPrefix.size())), event.action});
  };
  const Found found = find_run(turn.state, event.action);
  if (found.run == nullptr) {
    confirm();
    return;
  }
  ActionRun& run = *found.run;
  if (event.reporter != expected_reporter(run)) return;
  confirm();
  const bool corrects =
      run.state == ActionState::unknown && final && event.state != ActionState::unknown;
  if (is_final(run.state) && !corrects) return;
  turn.attend.insert(found.incident->id);
  if (final) {
    finish(turn, *found.incident, run, event);
    return;
  }
  if (event.state != ActionState::started || run.state == ActionState::started) return;
  run.state = ActionState::started;
  const auto action = turn.state.policy->actions.find(run.name);
  if (action != turn.state.policy->actions.end())
    run.expires = turn.now + action->second.timeout + limits::kOutcomeGrace;
  add_entry(turn, *found.incident, "action", event.reporter, name_of(run) + " started");
}

void verification_answered(Turn& turn, const ProbeNowFinished& event) {
  State& state = turn.state;
  const auto asked = state.verifications.find(event.request);
  if (asked == state.verifications.end()) return;
  const auto found = state.incidents.find(asked->second);
  if (found == state.incidents.end()) return;
  Incident& incident = found->second;
  const auto one = incident.verifications.find(event.request);
  if (one == incident.verifications.end() || one->second.agent != event.agent) return;
  const ProbeKey key = one->second.key;
  const bool good = event.observation.status == Status::ok;
  incident.verifications.erase(one);
  state.verifications.erase(asked);
  std::string text = "verify " + key.probe.str() + ": " + to_string(event.observation.status);
  if (!good) text += std::string(", ") + to_string(event.observation.reason);
  text += " in " + humanize_duration(event.observation.latency);
  add_entry(turn, incident, "action", "agent:" + event.agent.str(), std::move(text),
            to_valid_utf8(event.observation.evidence, limits::kEvidenceBytesMax));
  turn.attend.insert(incident.id);
  if (!incident.playbook) return;
  if (!good) incident.playbook->verify_failed = true;
  // It seems to have helped: the regular probes get the time to say so before anything else is
  // done.
  if (const policy::Probe* probe = state.policy->find_probe(key))
    incident.playbook->wait_until =
        turn.now + probe->spec.every + probe->spec.timeout + limits::kDeliverySlack;
}

void forget_http_actions(Turn& turn) {
  for (auto& [id, incident] : turn.state.incidents) {
    for (ActionRun& run : incident.actions) {
      if (is_final(run.state) || run.on_host) continue;
      run.state = ActionState::unknown;
      run.finished = turn.now;
      run.detail = "the coordinator restarted while it ran";
      turn.state.actions_running.erase(run.id);
      add_entry(turn, incident, "action", kEngine,
                name_of(run) + " is unknown: " + run.detail + "; it is not repeated");
      turn.attend.insert(id);
    }
  }
}

}  // namespace firebreak::core
