// Attaching, releasing, and what an incident's scope is.
#include "coordinator/core/symptoms.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/dependencies.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {
namespace {

using policy::SeverityIndex;

constexpr std::size_t kNamesShown = 5;

Incident* find_incident(State& state, const IncidentId& id) {
  const auto found = state.incidents.find(id);
  return found == state.incidents.end() ? nullptr : &found->second;
}

// Its playbook would run on the symptom, and is meant to.
bool acts_itself(const State& state, const ServiceName& name, const ServiceState& mine) {
  const policy::Playbook* playbook = state.policy->find_playbook(name, mine.severity);
  return playbook != nullptr && playbook->on_symptom;
}

bool share_a_group(const State& state, const ServiceName& a, const ServiceName& b) {
  const policy::Service* one = state.policy->find_service(a);
  const policy::Service* other = state.policy->find_service(b);
  return one != nullptr && other != nullptr && !one->group.empty() && one->group == other->group;
}

// Whether what the rules say stands on results that are newer than `since`: every vantage point
// that sees a fault has looked again.
bool has_news(const State& state, const ServiceName& name, Instant since) {
  const auto inputs = state.inputs->services.find(name);
  if (inputs == state.inputs->services.end()) return true;
  bool any = false, any_new = false, old_fault = false;
  for (const auto& [key, probe] : inputs->second.probes) {
    if (probe->probe == nullptr) continue;
    const ProbeSpec& spec = probe->probe->spec;
    each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
      if (!is_fresh(agent, series, spec, state.now)) return;
      const bool is_new = series.observed > since;
      any = true;
      any_new = any_new || is_new;
      old_fault = old_fault || (!is_new && series.confirmed == Status::critical);
    });
  }
  return !old_fault && (any_new || !any);
}

// It is no part of the incident any more; `own`: it has this one now.
void leave(Turn& turn, const ServiceName& name, const IncidentId& own) {
  ServiceState& mine = turn.state.services[name];
  Incident* incident = find_incident(turn.state, std::exchange(mine.symptom_of, {}));
  mine.released.reset();
  if (incident == nullptr) return;
  const auto affected = incident->affected.find(name);
  if (affected != incident->affected.end()) {
    affected->second.until = turn.now;
    affected->second.own = own;
  }
  turn.state.changed.insert(incident->id);
  if (!incident->resolved) turn.attend.insert(incident->id);
}

std::string because(const ServiceState& service) {
  return service.because.empty() ? std::string() : "because " + service.because;
}

// False: the incident affects too many already.
bool attach(Turn& turn, Incident& incident, const ServiceName& name) {
  ServiceState& mine = turn.state.services[name];
  const bool is_new = mine.symptom_of != incident.id;
  if (!incident.affected.contains(name) && incident.affected.size() >= limits::kAffectedServicesMax)
    return false;
  if (is_new) leave(turn, name, {});
  Affected& affected = incident.affected[name];
  affected.severity = turn.state.policy->severities[*mine.severity].name;
  mine.symptom_of = incident.id;
  mine.released.reset();
  turn.attend.insert(incident.id);
  turn.state.changed.insert(incident.id);
  if (!is_new) return true;
  affected.since = turn.now;
  affected.until.reset();
  affected.own = {};
  add_entry(turn, incident, "affected", kEngine,
            "also affected: " + name.str() + " at " + affected.severity + ": " +
                describe_fault(turn.state, name, turn.now),
            because(mine));
  return true;
}

void link(Turn& turn, Incident& cause, Incident& symptom) {
  if (cause.symptoms.contains(symptom.id) || cause.symptoms.size() >= limits::kLinkedIncidentsMax ||
      symptom.causes.size() >= limits::kLinkedIncidentsMax)
    return;
  cause.symptoms.insert(symptom.id);
  symptom.causes.insert(cause.id);
  add_entry(turn, cause, "affected", kEngine,
            "also affected, with an incident of its own: " + symptom.service.str() + ", " +
                symptom.id.str());
  add_entry(
      turn, symptom, "affected", kEngine,
      "may be a symptom of " + cause.id.str() + ", " + cause.service.str() + ": " + cause.title);
}

// No incident explains it any more, or another one does.
void release_unexplained(Turn& turn, const ServiceName& name, ServiceState& service) {
  if (service.symptom_of.empty() || service.released ||
      find_cause(turn.state, name) == service.symptom_of)
    return;
  service.released = turn.now;
  turn.state.dirty.insert(name);
}

std::size_t most_failing(const State& state, const ServiceInputs& inputs) {
  std::size_t most = 0;
  for (const auto& [key, probe] : inputs.probes)
    if (const ProbeTally* tally = find_tally(state, *probe))
      most = std::max(most, tally->failing_since.size());
  return most;
}

}  // namespace

bool is_symptom(Turn& turn, const ServiceName& service) {
  State& state = turn.state;
  const ServiceState& mine = state.services[service];
  if (awaits_news(mine) && !has_news(state, service, *mine.released)) return true;
  if (acts_itself(state, service, mine)) return false;
  Incident* cause = find_incident(state, find_cause(state, service));
  return cause != nullptr && attach(turn, *cause, service);
}

void symptom_ended(Turn& turn, const ServiceName& service) {
  const IncidentId id = turn.state.services[service].symptom_of;
  if (id.empty()) return;
  leave(turn, service, {});
  Incident* incident = find_incident(turn.state, id);
  if (incident != nullptr && !incident->resolved)
    add_entry(turn, *incident, "affected", kEngine, service.str() + " has recovered");
}

bool awaits_news(const ServiceState& service) {
  return service.released && !service.symptom_of.empty();
}

void link_incident(Turn& turn, Incident& incident) {
  State& state = turn.state;
  const IncidentId former = state.services[incident.service].symptom_of;
  leave(turn, incident.service, incident.id);
  Incident* cause =
      find_incident(state, former.empty() ? find_cause(state, incident.service) : former);
  if (cause != nullptr) link(turn, *cause, incident);
  for (const ServiceName& name : dependents_of(state, incident.service)) {
    Incident* other = open_incident_of(state, name);
    if (other != nullptr && is_loud(*other) && find_cause(state, name) == incident.id)
      link(turn, incident, *other);
  }
}

void release_symptoms(Turn& turn, const Incident& incident) {
  for (const ServiceName& name : symptoms_of(turn.state, incident)) {
    ServiceState& service = turn.state.services[name];
    if (incident.resolved && share_a_group(turn.state, incident.service, name)) {
      // The word of the one who closed it is about the whole group.
      leave(turn, name, {});
      service.dismissed = service.severity;
      continue;
    }
    if (!service.released) service.released = turn.now;
    turn.state.dirty.insert(name);
  }
  // A group of which it is one member is not down any more, whatever the others say.
  for (const ServiceName& name : dependents_of(turn.state, incident.service))
    if (const auto service = turn.state.services.find(name); service != turn.state.services.end())
      release_unexplained(turn, name, service->second);
}

void keep_symptoms(Turn& turn, const Incident& incident) {
  for (const ServiceName& name : symptoms_of(turn.state, incident))
    turn.state.services[name].released.reset();
}

void review_symptoms(Turn& turn) {
  State& state = turn.state;
  for (auto& [id, incident] : state.incidents) {
    for (auto& [name, affected] : incident.affected) {
      const auto service = state.services.find(name);
      if (affected.until || (service != state.services.end() && service->second.symptom_of == id))
        continue;
      affected.until = turn.now;  // the policy has the service no more
      state.changed.insert(id);
      if (!incident.resolved) turn.attend.insert(id);
    }
  }
  for (auto& [name, service] : state.services) release_unexplained(turn, name, service);
}

std::vector<ServiceName> symptoms_of(const State& state, const Incident& incident) {
  std::vector<ServiceName> names;
  for (const auto& [name, affected] : incident.affected) {
    if (affected.until) continue;
    const auto service = state.services.find(name);
    if (service != state.services.end() && service->second.symptom_of == incident.id)
      names.push_back(name);
  }
  return names;
}

std::optional<SeverityIndex> group_severity(const State& state, const Incident& incident) {
  std::optional<SeverityIndex> worst;
  for (const ServiceName& name : symptoms_of(state, incident)) {
    const auto& severity = state.services.at(name).severity;
    if (!severity || !share_a_group(state, incident.service, name)) continue;
    worst = worst ? std::min(*worst, *severity) : *severity;
  }
  return worst;
}

ServiceName worst_service(const State& state, const Incident& incident, SeverityIndex own) {
  const auto mine = state.services.find(incident.service);
  ServiceName worst = incident.service;
  // A member of the group may be worse than the service whose name the incident has.
  if (mine == state.services.end() || mine->second.severity != own)
    own = incident.declared_severity == own ? own : own + 1;
  for (const ServiceName& name : symptoms_of(state, incident)) {
    const auto& severity = state.services.at(name).severity;
    if (!severity || *severity >= own) continue;
    own = *severity;
    worst = name;
  }
  return worst;
}

void note_hosts(Turn& turn, const ServiceName& name) {
  State& state = turn.state;
  ServiceState& mine = state.services[name];
  const IncidentId& id = mine.open_incident.empty() ? mine.symptom_of : mine.open_incident;
  if (id.empty()) {
    mine.hosts_noted = 0;
    return;
  }
  Incident* incident = find_incident(state, id);
  const auto inputs = state.inputs->services.find(name);
  if (incident == nullptr || incident->resolved || inputs == state.inputs->services.end()) return;
  const std::size_t failing = most_failing(state, inputs->second);
  if (failing <= mine.hosts_noted) return;
  mine.hosts_noted = failing;
  for (const auto& [key, probe] : inputs->second.probes) {
    if (probe->probe == nullptr) continue;
    each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
      if (!series.counted || series.confirmed != Status::critical || incident->hosts_more) return;
      add_host(turn, *incident, agent.name);
    });
  }
}

void add_host(Turn& turn, Incident& incident, const AgentName& host) {
  if (incident.hosts.contains(host) || incident.hosts_more) return;
  turn.state.changed.insert(incident.id);
  if (incident.hosts.size() < limits::kAffectedHostsMax)
    incident.hosts.insert(host);
  else
    incident.hosts_more = true;
}

std::string describe_affected(const Incident& incident) {
  std::vector<std::string> names;
  std::size_t more = 0;
  for (const auto& [name, affected] : incident.affected) {
    if (affected.until) continue;
    if (names.size() == kNamesShown)
      ++more;
    else
      names.push_back(name.str() + " (" + affected.severity + ")");
  }
  if (more > 0) names.push_back(std::to_string(more) + " more");
  return join_words(names);
}

std::string describe_hosts(const Incident& incident) {
  std::vector<std::string> names;
  for (const AgentName& host : incident.hosts) {
    if (names.size() == kNamesShown) break;
    names.push_back(host.str());
  }
  const std::size_t more = incident.hosts.size() - names.size();
  if (more > 0)
    names.push_back((incident.hosts_more ? "more than " : "") + std::to_string(more) +
                    (incident.hosts_more ? " others" : " more"));
  return join_words(names);
}

}  // namespace firebreak::core
