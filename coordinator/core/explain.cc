// Takes apart what judge_service() and contain() decided, without deciding anything.
#include "coordinator/core/explain.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"

namespace firebreak::core {

namespace {

std::string severity_name(const State& state,
                          const std::optional<policy::SeverityIndex>& severity) {
  if (!severity || !state.policy || *severity >= state.policy->severities.size()) return {};
  return state.policy->severities[*severity].name;
}

RuleExplained explain_rule(const State& state, const policy::Rule& rule, const RuleState* mine,
                           const ServiceSignals& signals) {
  RuleExplained out;
  out.name = rule.name;
  out.hold = rule.hold;
  out.keep = rule.keep;
  if (mine != nullptr) {
    out.severity = severity_name(state, mine->severity);
    out.lower_since = mine->lower_since;
  }
  for (std::size_t i = 0; i < rule.levels.size(); ++i) {
    LevelExplained level;
    level.severity = severity_name(state, rule.levels[i].severity);
    level.parts = rule.levels[i].when.parts(signals);
    // A condition that is a constant has no parts but itself.
    if (level.parts.empty())
      level.parts.push_back({rule.levels[i].when.text(), 0, rule.levels[i].when.evaluate(signals)});
    if (mine != nullptr && i < mine->true_since.size()) level.true_since = mine->true_since[i];
    out.levels.push_back(std::move(level));
  }
  return out;
}

void explain_rules(const State& state, const policy::Service& service, const Question& question,
                   Explanation& out) {
  const auto found = state.services.find(service.name);
  const ServiceState* mine = found == state.services.end() ? nullptr : &found->second;
  if (mine != nullptr) {
    out.severity = severity_name(state, mine->severity);
    if (mine->severity) out.because = mine->because;
    out.blind = mine->blind;
    out.dismissed = severity_name(state, mine->dismissed);
    out.evaluated = mine->evaluated;
  }
  const ServiceSignals signals(state, service.name, out.at);
  for (std::size_t i = 0; i < service.rules.size(); ++i) {
    if (!question.rule.empty() && service.rules[i].name != question.rule) continue;
    const bool judged = mine != nullptr && i < mine->rules.size();
    out.rules.push_back(
        explain_rule(state, service.rules[i], judged ? &mine->rules[i] : nullptr, signals));
  }
  const auto inputs = state.inputs->services.find(service.name);
  if (inputs == state.inputs->services.end()) return;
  for (const auto& [key, probe] : inputs->second.probes)
    out.probes.push_back({key, view_probe(state, key, *probe, out.at)});
}

void explain_incident(const State& state, const Incident& incident, Explanation& out) {
  out.incident = incident.id;
  out.title = incident.title;
  out.phase = incident.phase;
  out.opened = incident.opened;
  out.resolved = incident.resolved;
  for (const TimelineEntry& entry : incident.timeline)
    if (entry.actor == "engine" && entry.kind != "notification") out.decisions.push_back(entry);
  if (out.decisions.size() > limits::kExplainedDecisionsMax)
    out.decisions.erase(out.decisions.begin(),
                        out.decisions.end() - limits::kExplainedDecisionsMax);
  if (incident.playbook && incident.playbook->playbook < state.policy->playbooks.size()) {
    PlaybookExplained playbook;
    playbook.name = incident.playbook->name;
    playbook.mode = state.policy->playbooks[incident.playbook->playbook].mode;
    playbook.since = incident.playbook->since;
    playbook.steps = prospects(state, incident);
    playbook.waits = holds_back(state, incident);
    out.playbook = std::move(playbook);
  } else {
    out.no_playbook = holds_back(state, incident);
  }
}

// A rule by its name, or by SERVICE/NAME.
std::optional<Question> find_rule(const policy::Policy& policy, const std::string& about) {
  for (const auto& [name, service] : policy.services)
    for (const policy::Rule& rule : service.rules)
      if (rule.name == about || name.str() + "/" + rule.name == about)
        return Question{name, rule.name, {}};
  return std::nullopt;
}

Error nothing_of_that_name(const State& state, const std::string& about) {
  std::vector<std::string> known;
  for (const auto& [id, incident] : state.incidents) known.push_back(id.str());
  if (state.policy)
    for (const auto& [name, service] : state.policy->services) {
      known.push_back(name.str());
      for (const policy::Rule& rule : service.rules) known.push_back(rule.name);
    }
  const std::string meant = did_you_mean(about, known);
  return make_error(Errc::not_found, "there is no incident, service or rule '" +
                                         escape_line(about, 80) + "'" +
                                         (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

}  // namespace

Result<Question> find_question(const State& state, const std::string& about) {
  const auto incident = state.incidents.find(IncidentId(about));
  if (incident != state.incidents.end())
    return Question{incident->second.service, {}, incident->first};
  if (state.policy) {
    if (state.policy->find_service(ServiceName(about)) != nullptr)
      return Question{ServiceName(about), {}, {}};
    if (auto rule = find_rule(*state.policy, about)) return *std::move(rule);
  }
  return nothing_of_that_name(state, about);
}

Result<Explanation> explain(const State& state, const Question& question, Instant now,
                            const Incident* past) {
  if (!state.policy || !state.inputs)
    return make_error(Errc::failed_precondition,
                      "there was no policy then, and nothing to explain");
  Explanation out;
  out.service = question.service;
  out.at = std::max(now, state.now);
  if (past == nullptr) {
    const auto asked = state.incidents.find(question.incident);
    if (asked != state.incidents.end())
      past = &asked->second;
    else if (question.incident.empty())
      past = open_incident_of(state, question.service);
  }
  if (past != nullptr) explain_incident(state, *past, out);
  const policy::Service* service = state.policy->find_service(question.service);
  if (service != nullptr)
    explain_rules(state, *service, question, out);
  else if (past == nullptr)
    return make_error(Errc::not_found, "the policy has no service '" +
                                           escape_line(question.service.str(), 80) + "'");
  return out;
}

}  // namespace firebreak::core
