// Opening, following the severity, the clocks, and the end.
#include "coordinator/core/incidents.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/containment.h"
#include "coordinator/core/escalation.h"
#include "coordinator/core/flapping.h"
#include "coordinator/core/held.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/manual_steps.h"
#include "coordinator/core/recommendations.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/severity_override.h"
#include "coordinator/core/symptoms.h"
#include "coordinator/core/timeline.h"
#include "coordinator/core/validation.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

// Of a State or a const State.
template <class S>
auto find_open(S& state, const ServiceName& service) -> decltype(&state.incidents.begin()->second) {
  const auto found = state.services.find(service);
  if (found == state.services.end() || found->second.open_incident.empty()) return nullptr;
  const auto incident = state.incidents.find(found->second.open_incident);
  return incident == state.incidents.end() ? nullptr : &incident->second;
}

using policy::SeverityIndex;

// The format, with the day's number for %N, and a suffix where that is not unique.
IncidentId new_id(State& state, Instant now) {
  const std::int64_t day = std::chrono::floor<std::chrono::days>(now.time_since_epoch()).count();
  if (day != state.incident_day) {
    state.incident_day = day;
    state.incidents_today = 0;
  }
  ++state.incidents_today;
  std::string number = std::to_string(state.incidents_today);
  number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
  std::string format = state.policy->incident_id_format;
  for (auto at = format.find("%N"); at != std::string::npos; at = format.find("%N", at))
    format.replace(at, 2, number);
  const std::string text = format_strftime(now, format);
  state.same_incident_id = text == state.last_incident_id ? state.same_incident_id + 1 : 1;
  state.last_incident_id = text;
  IncidentId id(text);
  while (state.same_incident_id > 1 || state.incidents.contains(id)) {
    id =
        IncidentId(text + "-" + std::to_string(std::max<std::uint64_t>(state.same_incident_id, 2)));
    if (!state.incidents.contains(id)) break;
    ++state.same_incident_id;
  }
  return id;
}

void take_severity(const State& state, Incident& incident, SeverityIndex severity) {
  incident.severity = severity;
  incident.severity_name = state.policy->severities[severity].name;
  if (incident.peak_severity.empty() || severity < incident.peak_rank) {
    incident.peak_rank = severity;
    incident.peak_severity = incident.severity_name;
  }
}

Incident& add_incident(Turn& turn, const ServiceName& service, SeverityIndex severity) {
  State& state = turn.state;
  const IncidentId id = new_id(state, turn.now);
  Incident& incident = state.incidents[id];
  incident.id = id;
  incident.service = service;
  incident.opened = incident.detected = turn.now;
  incident.raised = incident.last_update = incident.last_reminder = turn.now;
  take_severity(state, incident, severity);
  state.services[service].open_incident = id;
  turn.attend.insert(id);
  return incident;
}

// Before its receivers are told, who read what is to be done.
void begin_steps(Turn& turn, Incident& incident) {
  add_steps(turn, incident);
  show_due_steps(turn, incident);
}

void open_incident(Turn& turn, const ServiceName& service) {
  State& state = turn.state;
  if (state.incidents.size() - state.resolved_order.size() >= limits::kOpenIncidentsMax) return;
  const ServiceState& mine = state.services[service];
  Incident& incident = add_incident(turn, service, *mine.severity);
  incident.title = describe_fault(state, service, turn.now);
  incident.detected = std::min(mine.shown, turn.now);
  add_entry(turn, incident, "opened", kEngine,
            "opened at " + incident.severity_name + ": " + incident.title,
            "because " + mine.because + "; detected " + format_rfc3339(incident.detected));
  note_hosts(turn, service);
  link_incident(turn, incident);
  begin_steps(turn, incident);
  notify(turn, incident, NotificationKind::opened,
         "Because " + mine.because + open_flapping(turn, incident));
  begin_escalation(turn, incident);
  begin_playbook(turn, incident);
}

// What rules, the declaration and the services of its group say together; empty: nothing holds any
// more.
std::optional<SeverityIndex> severity_now(const State& state, const Incident& incident) {
  const auto service = state.services.find(incident.service);
  std::optional<SeverityIndex> severity = incident.declared_severity;
  if (service != state.services.end() && service->second.severity)
    severity =
        severity ? std::min(*severity, *service->second.severity) : *service->second.severity;
  if (const auto group = group_severity(state, incident))
    severity = severity ? std::min(*severity, *group) : *group;
  return severity;
}

// What is seen there, and which rule says how bad that is.
std::string describe_decision(const State& state, const ServiceName& service, Instant now) {
  std::string text = describe_fault(state, service, now);
  const auto found = state.services.find(service);
  if (found == state.services.end() || found->second.because.empty()) return text;
  if (text == found->second.because) return "because " + text;
  return text + (text.empty() ? "" : "; ") + "because " + found->second.because;
}

void stop_validation(Turn& turn, const Incident& incident) {
  const auto running = turn.state.validations.find(incident.validation);
  if (running != turn.state.validations.end() && running->second.verdict == Verdict::running)
    cancel_validation(turn, incident.validation);
}

void become_quiet(Turn& turn, Incident& incident) {
  incident.quiet_since = turn.now;
  incident.phase = Phase::monitoring;
  incident.validate_at = turn.now;
  incident.validations_failed = 0;
  incident.failing_check.clear();
  end_playbook(incident);
  release_symptoms(turn, incident);
  const std::string affected = describe_affected(incident);
  add_entry(turn, incident, "phase", kEngine,
            "no rule holds any more: monitoring" +
                (affected.empty() ? "" : "; it is not over before new results of " + affected));
}

void become_loud(Turn& turn, Incident& incident) {
  incident.quiet_since.reset();
  incident.validate_at.reset();
  incident.waits_for_steps = false;
  incident.phase = Phase::investigating;
  stop_validation(turn, incident);
  keep_symptoms(turn, incident);
  add_entry(turn, incident, "phase", kEngine,
            "it is back: " + describe_fault(turn.state, incident.service, turn.now));
}

// Its clocks, steps and escalation follow. `worst`: the service whose fault decides.
void change_severity(Turn& turn, Incident& incident, SeverityIndex severity,
                     const ServiceName& worst) {
  const bool raised = !incident.severity || severity < *incident.severity;
  const auto& said = incident.severity_override;
  std::string change = (raised ? "raised to " : "lowered to ") +
                       turn.state.policy->severities[severity].name + " (was " +
                       incident.severity_name + ")";
  if (!said && worst != incident.service) change += " because of " + worst.str();
  take_severity(turn.state, incident, severity);
  if (raised) {
    incident.raised = turn.now;
    incident.acknowledge_overdue = incident.resolve_overdue = false;
  }
  add_entry(turn, incident, "severity", said ? "operator:" + said->by : kEngine, change,
            said ? said->reason : describe_decision(turn.state, worst, turn.now));
  if (raised)
    begin_steps(turn, incident);
  else
    drop_future_steps(turn.state, incident);
  notify(turn, incident, NotificationKind::severity_changed,
         said ? change + " by " + said->by + ": " + said->reason : change);
  if (raised)
    begin_escalation(turn, incident);
  else
    stop_escalation(turn, incident, change);
}

void follow_severity(Turn& turn, Incident& incident) {
  if (turn.state.policy->find_service(incident.service) == nullptr) return;
  expire_override(turn, incident);
  auto severity = severity_now(turn.state, incident);
  if (!severity) {
    if (!incident.quiet_since) become_quiet(turn, incident);
    return;
  }
  const bool back = incident.quiet_since.has_value();
  if (back) become_loud(turn, incident);
  // Its scope: the worst of what it affects.
  const ServiceName worst = worst_service(turn.state, incident, *severity);
  if (worst != incident.service) severity = turn.state.services.at(worst).severity;
  severity = follow_override(turn, incident, *severity);
  const bool raised = !incident.severity || *severity < *incident.severity;
  if (incident.severity != severity) change_severity(turn, incident, *severity, worst);
  if (raised || back) begin_playbook(turn, incident);
}

const policy::Severity* severity_of(const State& state, const Incident& incident) {
  return incident.severity ? &state.policy->severities[*incident.severity] : nullptr;
}

// One clock: says once that it has run out.
void overdue(Turn& turn, Incident& incident, NotificationKind kind, const std::string& what) {
  add_entry(turn, incident, "clock", kEngine, what);
  notify(turn, incident, kind, what);
}

struct Clocks {
  std::optional<Instant> acknowledge, update, resolve;
};
Clocks clocks_of(const State& state, const Incident& incident) {
  Clocks clocks;
  const policy::Severity* severity = severity_of(state, incident);
  if (severity == nullptr) return clocks;
  if (severity->acknowledge && !incident.acknowledged && !incident.acknowledge_overdue)
    clocks.acknowledge = incident.raised + *severity->acknowledge;
  if (severity->update)
    clocks.update = std::max({incident.last_update, incident.last_reminder, incident.raised}) +
                    *severity->update;
  if (severity->resolve && !incident.resolve_overdue)
    clocks.resolve = incident.raised + *severity->resolve;
  return clocks;
}

void run_clocks(Turn& turn, Incident& incident) {
  const Clocks clocks = clocks_of(turn.state, incident);
  const policy::Severity* severity = severity_of(turn.state, incident);
  if (clocks.acknowledge && *clocks.acknowledge <= turn.now) {
    incident.acknowledge_overdue = true;
    overdue(turn, incident, NotificationKind::acknowledge_overdue,
            "not acknowledged within " + format_duration(*severity->acknowledge));
  }
  if (clocks.resolve && *clocks.resolve <= turn.now) {
    incident.resolve_overdue = true;
    overdue(turn, incident, NotificationKind::resolve_overdue,
            "not resolved within " + format_duration(*severity->resolve));
  }
  if (clocks.update && *clocks.update <= turn.now) {
    incident.last_reminder = turn.now;
    overdue(turn, incident, NotificationKind::update_due,
            "no update for " + humanize_duration(turn.now - incident.last_update));
  }
}

bool may_validate(const State& state, const Incident& incident) {
  return incident.quiet_since && incident.validate_at && !is_action_running(incident) &&
         !is_flapping(state, incident.service) &&
         state.policy->find_service(incident.service) != nullptr &&
         symptoms_of(state, incident).empty();
}

void prove_recovery(Turn& turn, Incident& incident) {
  if (!may_validate(turn.state, incident) || *incident.validate_at > turn.now) return;
  if (frozen_until(turn.state, turn.now)) return;
  incident.validate_at.reset();
  if (turn.state.policy->is_agents_service(incident.service))
    return resolve(turn, incident, kEngine, "every agent that was silent is back or forgotten");
  incident.validation = ValidationId(turn.next_id("val"));
  ++incident.validations;
  add_entry(turn, incident, "validation", kEngine,
            "validation " + incident.validation.str() + " begins");
  start_validation(turn, incident.validation, incident.service, incident.id, kEngine);
}

// What was proven while people were busy is proven again.
void go_on_after_steps(Turn& turn, Incident& incident) {
  if (!incident.waits_for_steps || !open_required_steps(incident).empty()) return;
  incident.waits_for_steps = false;
  incident.validate_at = turn.now;
}

// Whether the end must wait for people.
bool wait_for_steps(Turn& turn, Incident& incident) {
  const std::string open = open_required_steps(incident);
  if (open.empty()) return false;
  incident.waits_for_steps = true;
  const std::string what = "recovered, but not over before this is done: " + open;
  add_entry(turn, incident, "step", kEngine, what,
            "tick it off with `firebreak done " + incident.id.str() +
                " STEP`, or resolve the incident with a reason");
  notify(turn, incident, NotificationKind::action, what);
  return true;
}

void set_alarm(Turn& turn, const Incident& incident) {
  std::optional<Instant> next = containment_due(turn.state, incident);
  if (!incident.resolved) {
    const Clocks clocks = clocks_of(turn.state, incident);
    at_first(next, clocks.acknowledge);
    at_first(next, clocks.update);
    at_first(next, clocks.resolve);
    at_first(next, escalation_due(turn.state, incident));
    at_first(next, steps_due(incident));
    at_first(next, recommendations_due(turn.state, incident));
    if (incident.severity_override) at_first(next, incident.severity_override->until);
    if (may_validate(turn.state, incident))
      at_first(next, std::max(*incident.validate_at,
                              frozen_until(turn.state, turn.now).value_or(turn.now)));
  }
  turn.state.incident_alarms.set(incident.id, next);
}

// The name of the check at which a validation ended.
std::string failing_check(const Validation& validation) {
  const policy::Service* service =
      validation.policy ? validation.policy->find_service(validation.service) : nullptr;
  const std::size_t at = validation.current;
  if (service == nullptr || at >= validation.checks.size() || at >= service->checklist.size())
    return "the checklist could not be run";
  return service->checklist[at].name;
}

std::string failing_detail(const Validation& validation) {
  if (validation.current >= validation.checks.size()) return "";
  const std::string& detail = validation.checks[validation.current].detail;
  return detail.empty() ? "" : ": " + detail;
}

}  // namespace

const Incident* open_incident_of(const State& state, const ServiceName& service) {
  return find_open(state, service);
}

Incident* open_incident_of(State& state, const ServiceName& service) {
  return find_open(state, service);
}

void service_judged(Turn& turn, const ServiceName& service) {
  ServiceState& mine = turn.state.services[service];
  if (!mine.open_incident.empty()) {
    turn.attend.insert(mine.open_incident);
    return;
  }
  if (!mine.severity) {
    mine.dismissed.reset();
    symptom_ended(turn, service);
    return;
  }
  if ((mine.blind && !mine.no_data) || (mine.dismissed && *mine.dismissed <= *mine.severity))
    return;
  if (maintenance_of(turn.state, service) != nullptr) return;  // looked at again when it ends
  mine.dismissed.reset();
  if (is_symptom(turn, service)) return;
  open_incident(turn, service);
}

void declare_incident(Turn& turn, const DeclareIncident& what, const std::string& by) {
  Incident& incident = add_incident(turn, what.service, what.severity);
  incident.declared = true;
  incident.declared_severity = what.severity;
  incident.title = what.title.empty() ? "declared by " + by : what.title;
  incident.request_id = what.request_id;
  add_entry(turn, incident, "opened", "operator:" + by,
            "declared at " + incident.severity_name + ": " + incident.title);
  note_hosts(turn, what.service);
  link_incident(turn, incident);
  begin_steps(turn, incident);
  notify(turn, incident, NotificationKind::opened, "Declared by " + by);
  begin_escalation(turn, incident);
  begin_playbook(turn, incident);
}

void attend(Turn& turn, const IncidentId& id) {
  const auto found = turn.state.incidents.find(id);
  if (found == turn.state.incidents.end() || !turn.state.policy) return;
  Incident& incident = found->second;
  if (!incident.resolved) {
    follow_severity(turn, incident);
    run_clocks(turn, incident);
    escalate(turn, incident);
    tell_held(turn, incident);
    show_due_steps(turn, incident);
    recommend(turn, incident);
    go_on_after_steps(turn, incident);
  }
  contain(turn, incident);
  if (!incident.resolved) prove_recovery(turn, incident);
  set_alarm(turn, incident);
}

void resolve(Turn& turn, Incident& incident, const std::string& by, const std::string& reason) {
  State& state = turn.state;
  end_playbook(incident);
  incident.escalation.reset();
  incident.severity_override.reset();
  incident.waits_for_steps = false;
  incident.phase = Phase::resolved;
  incident.resolved = turn.now;
  incident.resolved_by = by;
  incident.validate_at.reset();
  for (const auto& [request, verification] : incident.verifications)
    state.verifications.erase(request);
  incident.verifications.clear();
  incident.held.clear();
  const std::string open = open_required_steps(incident);
  add_entry(turn, incident, "resolved", by, reason,
            "open for " + humanize_duration(turn.now - incident.opened) +
                (open.empty() ? "" : "; not done: " + open));
  notify(turn, incident, NotificationKind::resolved, "Resolved by " + by + ": " + reason);
  const auto service = state.services.find(incident.service);
  if (service != state.services.end() && service->second.open_incident == incident.id) {
    service->second.open_incident = IncidentId();
    service->second.dismissed = service->second.severity;
  }
  release_symptoms(turn, incident);
  turn.attend.insert(incident.id);
  state.resolved_order.push_back(incident.id);
  stop_validation(turn, incident);
}

void drop_oldest_resolved(State& state) {
  while (state.resolved_order.size() > limits::kResolvedIncidentsKept) {
    const IncidentId oldest = state.resolved_order.front();
    state.resolved_order.pop_front();
    state.incidents.erase(oldest);
    state.incident_alarms.set(oldest, std::nullopt);
    std::erase_if(state.actions_running, [&](const auto& run) { return run.second == oldest; });
  }
}

void validation_ended(Turn& turn, const ValidationId& id) {
  State& state = turn.state;
  const auto validation = state.validations.find(id);
  if (validation == state.validations.end()) return;
  const auto found = state.incidents.find(validation->second.incident);
  if (found == state.incidents.end()) return;
  Incident& incident = found->second;
  if (incident.resolved || !incident.quiet_since || incident.validation != id) return;
  turn.attend.insert(incident.id);
  if (validation->second.verdict == Verdict::passed &&
      state.policy->find_service(incident.service) != nullptr) {
    add_entry(turn, incident, "validation", kEngine, "validation " + id.str() + " passed");
    if (!wait_for_steps(turn, incident))
      resolve(turn, incident, kEngine, "recovery proven by validation " + id.str());
    return;
  }
  const Duration delay = std::min<Duration>(
      limits::kValidateAgainMin * (1 << std::min(incident.validations_failed, 8)),
      limits::kValidateAgainMax);
  ++incident.validations_failed;
  incident.validate_at = turn.now + delay;
  const std::string check = failing_check(validation->second);
  const std::string verdict = to_string(validation->second.verdict);
  const std::string text = "validation " + id.str() + " " + verdict + ": " + check +
                           failing_detail(validation->second) + "; again in " +
                           format_duration(delay);
  add_entry(turn, incident, "validation", kEngine, text);
  // A number that differs at each try is not news.
  const std::string ended = verdict + ": " + check;
  const bool is_new = incident.failing_check != ended;
  incident.failing_check = ended;
  if (is_new) notify(turn, incident, NotificationKind::validation_failed, text);
}

}  // namespace firebreak::core
