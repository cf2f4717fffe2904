// Indices into the old policy become indices into the new one, or go; nothing that is open is
// forgotten.
#include "coordinator/core/policy_change.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "coordinator/core/agent_watch.h"
#include "coordinator/core/containment.h"
#include "coordinator/core/escalation.h"
#include "coordinator/core/ingest.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/symptoms.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

using policy::Policy;
using policy::SeverityIndex;

// By its name; where that is gone, the one of its rank, for a new name must not end anything.
std::optional<SeverityIndex> carry(const std::optional<SeverityIndex>& severity, const Policy* from,
                                   const Policy& to) {
  if (!severity || from == nullptr || *severity >= from->severities.size() || to.severities.empty())
    return std::nullopt;
  if (const auto same = to.find_severity(from->severities[*severity].name)) return same;
  return std::min(*severity, to.severities.size() - 1);
}

bool is_same_rule(const policy::Rule& a, const policy::Rule& b) {
  return a.name == b.name &&
         std::equal(a.levels.begin(), a.levels.end(), b.levels.begin(), b.levels.end(),
                    [](const auto& x, const auto& y) { return x.when.text() == y.when.text(); });
}

// What a rule remembers goes with it. A new or rewritten rule starts from the service's severity,
// so that missing data does not lower it; decided, it says its own.
RuleState carry_rule(const policy::Rule& rule, const policy::Service* old_service,
                     const ServiceState& mine, const Policy* old, const Policy& now) {
  if (old_service != nullptr) {
    for (std::size_t i = 0; i < old_service->rules.size() && i < mine.rules.size(); ++i) {
      if (!is_same_rule(rule, old_service->rules[i])) continue;
      RuleState state = mine.rules[i];
      state.severity = carry(state.severity, old, now);
      return state;
    }
  }
  RuleState state;
  state.severity = carry(mine.severity, old, now);
  return state;
}

void carry_services(State& state, const Policy* old) {
  const Policy& policy = *state.policy;
  std::erase_if(state.services, [&](const auto& entry) {
    return policy.find_service(entry.first) == nullptr && entry.second.open_incident.empty();
  });
  for (auto& [name, mine] : state.services) {
    const policy::Service* service = policy.find_service(name);
    const policy::Service* before = old == nullptr ? nullptr : old->find_service(name);
    std::vector<RuleState> rules;
    if (service != nullptr)
      for (const policy::Rule& rule : service->rules)
        rules.push_back(carry_rule(rule, before, mine, old, policy));
    else
      state.service_alarms.set(name, std::nullopt);
    mine.rules = std::move(rules);
    mine.severity = carry(mine.severity, old, policy);
    mine.dismissed = carry(mine.dismissed, old, policy);
  }
  for (const auto& [name, service] : policy.services) state.dirty.insert(name);
}

void carry_facts(State& state) {
  std::erase_if(state.facts, [&](const auto& entry) {
    const auto declared = state.policy->facts.find(entry.first.first);
    return declared == state.policy->facts.end() ||
           declared->second.initial.kind() != entry.second.value.kind();
  });
}

void carry_series(State& state) {
  state.tallies.clear();  // of the policy before
  for (auto& [name, agent] : state.agents) {
    select_services(state, agent);
    agent.forget();
    for (auto one = agent.series.begin(); one != agent.series.end();) {
      const auto inputs = state.inputs->probes.find(one->first);
      if (inputs == state.inputs->probes.end()) {
        one = agent.series.erase(one);
        continue;
      }
      one->second.inputs = &inputs->second;
      ++one;
    }
  }
  std::erase_if(state.vantages, [](const auto& entry) { return entry.second.empty(); });
  recount_all(state);
  carry_trails(state);
}

void carry_playbook(Turn& turn, Incident& incident) {
  if (!incident.playbook) return;
  const auto& playbooks = turn.state.policy->playbooks;
  const auto same = std::find_if(playbooks.begin(), playbooks.end(), [&](const auto& playbook) {
    return playbook.name == incident.playbook->name && playbook.service == incident.service;
  });
  if (same == playbooks.end()) {
    add_entry(turn, incident, "action", kEngine,
              "playbook " + incident.playbook->name + " ends: the policy has it no more");
    end_playbook(incident);
    return;
  }
  incident.playbook->playbook = static_cast<std::size_t>(same - playbooks.begin());
}

void carry_override(Incident& incident, const Policy* old, const Policy& policy) {
  if (!incident.severity_override) return;
  const auto severity = carry(incident.severity_override->severity, old, policy);
  if (!severity) {
    incident.severity_override.reset();
    return;
  }
  incident.severity_override->severity = *severity;
  incident.severity_override->rules = carry(incident.severity_override->rules, old, policy);
}

void carry_incident(Turn& turn, Incident& incident, const Policy* old) {
  const Policy& policy = *turn.state.policy;
  if (const auto peak = policy.find_severity(incident.peak_severity)) incident.peak_rank = *peak;
  if (incident.resolved) {
    incident.severity = policy.find_severity(incident.severity_name);
    return;
  }
  incident.severity = carry(incident.severity, old, policy);
  incident.declared_severity = carry(incident.declared_severity, old, policy);
  carry_override(incident, old, policy);
  if (incident.severity && policy.severities[*incident.severity].name != incident.severity_name) {
    const std::string& name = policy.severities[*incident.severity].name;
    add_entry(turn, incident, "severity", kEngine,
              "the policy has no " + incident.severity_name + " any more: this is " + name);
    incident.severity_name = name;
  }
  carry_escalation(turn, incident);
  const bool gone = policy.find_service(incident.service) == nullptr;
  if (gone) {
    end_playbook(incident);
    add_entry(turn, incident, "note", kEngine,
              "the policy has no service " + incident.service.str() +
                  " any more: a person must resolve this incident");
  } else {
    carry_playbook(turn, incident);
  }
  turn.attend.insert(incident.id);
}

}  // namespace

void policy_changed(Turn& turn, const PolicyChanged& event) {
  if (!event.policy) return;
  State& state = turn.state;
  const auto old = state.policy;
  const auto old_inputs = state.inputs;
  state.policy = event.policy;
  state.inputs = inputs_of(*event.policy);
  state.policy_by = event.by;
  state.policy_at = turn.now;
  remember_policy(state.policy_history, *event.policy, event.by, turn.now);
  carry_services(state, old.get());
  carry_facts(state);
  carry_windows(state, old_inputs.get());
  carry_series(state);
  for (auto& [id, incident] : state.incidents) carry_incident(turn, incident, old.get());
  review_symptoms(turn);
  watch_agents(turn);
  for (const auto& [name, agent] : state.agents)
    if (agent.attached) turn.emit(SendAssignment{name});
}

}  // namespace firebreak::core
