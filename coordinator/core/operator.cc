// Each wish has two sides: whether it may be, said before it is journaled, and what it does.
#include "coordinator/core/operator.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "common/limits.h"
#include "coordinator/core/agent_watch.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/manual_steps.h"
#include "coordinator/core/severity_override.h"
#include "coordinator/core/silences.h"
#include "coordinator/core/step.h"
#include "coordinator/core/timeline.h"
#include "coordinator/core/validation.h"

namespace firebreak::core {

namespace {

using policy::FactType;

std::string quoted(const std::string& name) {
  return "\"" + name + "\"";
}

Result<> known_incident(const State& state, const IncidentId& id) {
  if (state.incidents.contains(id)) return {};
  return make_error(Errc::not_found, "there is no incident " + quoted(id.str()) +
                                         "; `firebreak incidents` lists them");
}

Result<> open_incident(const State& state, const IncidentId& id) {
  if (const auto known = known_incident(state, id); !known) return known.error();
  const Incident& incident = state.incidents.at(id);
  if (incident.resolved)
    return make_error(Errc::failed_precondition, "incident " + id.str() + " was resolved at " +
                                                     format_utc(*incident.resolved) + " UTC by " +
                                                     incident.resolved_by);
  return {};
}

Result<> known_service(const State& state, const ServiceName& service) {
  if (state.policy && state.policy->find_service(service) != nullptr) return {};
  return make_error(Errc::not_found, "the policy has no service " + quoted(service.str()) +
                                         "; `firebreak services` lists them");
}

Result<> short_enough(const char* what, const std::string& text) {
  if (text.size() <= limits::kTextBytesMax) return {};
  return make_error(Errc::invalid_argument,
                    std::string(what) + " has " + std::to_string(text.size()) + " bytes; at most " +
                        std::to_string(limits::kTextBytesMax) + " are kept");
}

std::optional<Phase> phase_of(const std::string& name) {
  for (const Phase phase : {Phase::investigating, Phase::identified, Phase::monitoring})
    if (name == to_string(phase)) return phase;
  return std::nullopt;
}

const char* name_of(FactType type) {
  switch (type) {
    case FactType::boolean:
      return "bool";
    case FactType::integer:
      return "int";
    case FactType::real:
      return "double";
    case FactType::string:
      return "string";
  }
  return "?";
}

// The value as the fact's declaration wants it; empty: it is of another type.
std::optional<cel::Value> fitting(const cel::Value& value, FactType type) {
  using Kind = cel::Value::Kind;
  switch (type) {
    case FactType::boolean:
      if (value.is(Kind::boolean)) return value;
      break;
    case FactType::integer:
      if (value.is(Kind::integer)) return value;
      break;
    case FactType::real:
      if (value.is(Kind::real) && std::isfinite(value.as_double())) return value;
      if (value.is(Kind::integer)) return cel::Value(static_cast<double>(value.as_int()));
      break;
    case FactType::string:
      if (value.is(Kind::string)) return value;
      break;
  }
  return std::nullopt;
}

Result<> known_fact(const State& state, const FactName& fact, const ServiceName& service) {
  if (!state.policy || !state.policy->facts.contains(fact))
    return make_error(Errc::not_found, "the policy declares no fact " + quoted(fact.str()) +
                                           "; add it to `facts:` there");
  if (service.empty()) return {};
  return known_service(state, service);
}

Result<> may(const State& state, const AcknowledgeIncident& wish) {
  if (const auto open = open_incident(state, wish.incident); !open) return open.error();
  return short_enough("the note", wish.note);
}
Result<> may(const State& state, const AddNote& wish) {
  if (const auto open = open_incident(state, wish.incident); !open) return open.error();
  if (!wish.phase.empty() && !phase_of(wish.phase))
    return make_error(Errc::invalid_argument,
                      quoted(wish.phase) +
                          " is no phase of a note; it is investigating, identified or monitoring");
  if (wish.text.empty() && wish.phase.empty())
    return make_error(Errc::invalid_argument, "the note is empty; give a text or a phase");
  return short_enough("the note", wish.text);
}
// Whether this very wish has been granted before.
bool was_declared(const State& state, const DeclareIncident& wish) {
  return !wish.request_id.empty() &&
         std::any_of(state.incidents.begin(), state.incidents.end(),
                     [&](const auto& entry) { return entry.second.request_id == wish.request_id; });
}

Result<> may(const State& state, const DeclareIncident& wish) {
  if (was_declared(state, wish)) return {};
  if (const auto known = known_service(state, wish.service); !known) return known.error();
  if (wish.severity >= state.policy->severities.size())
    return make_error(Errc::invalid_argument, "the policy has no such severity");
  if (const Incident* open = open_incident_of(state, wish.service)) {
    return make_error(Errc::already_exists, "incident " + open->id.str() + " is already open for " +
                                                quoted(wish.service.str()) +
                                                "; add a note to it instead");
  }
  if (state.incidents.size() - state.resolved_order.size() >= limits::kOpenIncidentsMax)
    return make_error(Errc::resource_exhausted,
                      "too many incidents are open; resolve some of them first");
  return short_enough("the title", wish.title);
}
Result<> may(const State& state, const ResolveIncident& wish) {
  if (const auto open = open_incident(state, wish.incident); !open) return open.error();
  if (wish.reason.empty())
    return make_error(Errc::invalid_argument,
                      "say why incident " + wish.incident.str() + " is over: give a reason");
  return short_enough("the reason", wish.reason);
}
Result<> may(const State& state, const OverrideSeverity& wish) {
  if (const auto open = open_incident(state, wish.incident); !open) return open.error();
  if (const auto allowed = may_override(state, wish); !allowed) return allowed.error();
  return short_enough("the reason", wish.reason);
}
// What is left to do may be done after the end.
Result<> may(const State& state, const StepDone& wish) {
  if (const auto known = known_incident(state, wish.incident); !known) return known.error();
  if (const auto allowed = may_do_step(state, wish); !allowed) return allowed.error();
  return short_enough("the note", wish.note);
}
Result<> may(const State& state, const SetFact& wish) {
  if (const auto known = known_fact(state, wish.fact, wish.service); !known) return known.error();
  const FactType type = state.policy->facts.at(wish.fact).type;
  if (!fitting(wish.value, type))
    return make_error(Errc::invalid_argument, "fact " + quoted(wish.fact.str()) + " is of type " +
                                                  name_of(type) + ", not " +
                                                  cel::to_string(wish.value));
  if (wish.value.is(cel::Value::Kind::string))
    return short_enough("the value", wish.value.as_string());
  return {};
}
Result<> may(const State& state, const ClearFact& wish) {
  return known_fact(state, wish.fact, wish.service);
}
Result<> may(const State& state, const StartValidation& wish) {
  if (const auto known = known_service(state, wish.service); !known) return known.error();
  if (wish.id.empty() || state.validations.contains(wish.id))
    return make_error(Errc::already_exists,
                      "a validation needs an id of its own, " + quoted(wish.id.str()) + " is not");
  return {};
}
Result<> may(const State& state, const ForgetAgent& wish) {
  const auto agent = state.agents.find(wish.agent);
  if (agent == state.agents.end())
    return make_error(Errc::not_found, "there is no agent " + quoted(wish.agent.str()) +
                                           "; `firebreak agents` lists them");
  if (agent->second.attached)
    return make_error(
        Errc::failed_precondition,
        "agent " + quoted(wish.agent.str()) + " is attached; stop it first, or it is back at once");
  return {};
}
Result<> may(const State& state, const CancelValidation& wish) {
  if (state.validations.contains(wish.id)) return {};
  return make_error(Errc::not_found, "there is no validation " + quoted(wish.id.str()));
}
Result<> may(const State& state, const AddSilence& wish) {
  return may_add_silence(state, wish);
}
Result<> may(const State& state, const ExpireSilence& wish) {
  return may_expire_silence(state, wish);
}
Result<> may(const State& state, const StartMaintenance& wish) {
  return may_start_maintenance(state, wish);
}
Result<> may(const State& state, const EndMaintenance& wish) {
  return may_end_maintenance(state, wish);
}

void perform(Turn& turn, const AcknowledgeIncident& wish, const std::string& by) {
  Incident& incident = turn.state.incidents.at(wish.incident);
  incident.last_update = turn.now;
  turn.attend.insert(incident.id);
  if (incident.acknowledged) {
    add_entry(turn, incident, "note", "operator:" + by,
              wish.note.empty() ? "acknowledged it too" : wish.note);
    return;
  }
  incident.acknowledged = turn.now;
  incident.acknowledged_by = by;
  add_entry(turn, incident, "acknowledged", "operator:" + by, "acknowledged", wish.note);
  notify(turn, incident, NotificationKind::acknowledged, "acknowledged by " + by);
}
void perform(Turn& turn, const AddNote& wish, const std::string& by) {
  Incident& incident = turn.state.incidents.at(wish.incident);
  incident.last_update = turn.now;
  turn.attend.insert(incident.id);
  const auto phase = phase_of(wish.phase);
  if (phase && *phase != incident.phase) {
    incident.phase = *phase;
    add_entry(turn, incident, "phase", "operator:" + by, to_string(*phase));
  }
  if (!wish.text.empty()) add_entry(turn, incident, "note", "operator:" + by, wish.text);
}
void perform(Turn& turn, const DeclareIncident& wish, const std::string& by) {
  if (!was_declared(turn.state, wish)) declare_incident(turn, wish, by);
}
void perform(Turn& turn, const ResolveIncident& wish, const std::string& by) {
  resolve(turn, turn.state.incidents.at(wish.incident), "operator:" + by, wish.reason);
}
void perform(Turn& turn, const OverrideSeverity& wish, const std::string& by) {
  override_severity(turn, wish, by);
}
void perform(Turn& turn, const StepDone& wish, const std::string& by) {
  do_step(turn, wish, by);
}

// Wakes the rules that read the fact and writes it on their incidents.
void fact_changed(Turn& turn, const FactName& fact, const ServiceName& scope, const std::string& by,
                  const std::string& text) {
  State& state = turn.state;
  const auto readers = state.inputs->facts.find(fact);
  if (readers == state.inputs->facts.end()) return;
  for (const ServiceName& service : readers->second) {
    if (!scope.empty() && service != scope) continue;
    state.dirty.insert(service);
    Incident* incident = open_incident_of(state, service);
    if (incident == nullptr) continue;
    add_entry(turn, *incident, "fact", "operator:" + by, text);
    if (!state.policy->recommendations.empty()) turn.attend.insert(incident->id);
  }
}
void perform(Turn& turn, const SetFact& wish, const std::string& by) {
  const auto value = fitting(wish.value, turn.state.policy->facts.at(wish.fact).type);
  turn.state.facts[{wish.fact, wish.service}] = {*value, by, turn.now};
  fact_changed(turn, wish.fact, wish.service, by, wish.fact.str() + " = " + cel::to_string(*value));
}
void perform(Turn& turn, const ClearFact& wish, const std::string& by) {
  turn.state.facts.erase({wish.fact, wish.service});
  fact_changed(turn, wish.fact, wish.service, by, wish.fact.str() + " cleared");
}
void perform(Turn& turn, const StartValidation& wish, const std::string& by) {
  start_validation(turn, wish.id, wish.service, IncidentId(), "operator:" + by);
}
void perform(Turn& turn, const CancelValidation& wish, const std::string& /*by*/) {
  if (turn.state.validations.at(wish.id).verdict == Verdict::running)
    cancel_validation(turn, wish.id);
}
void perform(Turn& turn, const AddSilence& wish, const std::string& by) {
  add_silence(turn, wish, by);
}
void perform(Turn& turn, const ExpireSilence& wish, const std::string& by) {
  expire_silence(turn, wish, by);
}
void perform(Turn& turn, const StartMaintenance& wish, const std::string& by) {
  start_maintenance(turn, wish, by);
}
void perform(Turn& turn, const EndMaintenance& wish, const std::string& by) {
  end_maintenance(turn, wish, by);
}

void perform(Turn& turn, const ForgetAgent& wish, const std::string& by) {
  forget_agent(turn, wish.agent, by);
}

}  // namespace

Result<> may_ask(const State& state, const OperatorAsked& event) {
  return std::visit([&](const auto& wish) { return may(state, wish); }, event.what);
}

void operator_asked(Turn& turn, const OperatorAsked& event) {
  if (!may_ask(turn.state, event)) return;
  std::visit([&](const auto& wish) { perform(turn, wish, event.by); }, event.what);
}

}  // namespace firebreak::core
