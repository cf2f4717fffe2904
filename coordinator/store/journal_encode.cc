// Writing: events, durable effects and incidents to bytes, field by field.
#include <utility>

#include "common/assert.h"
#include "coordinator/store/codec_parts.h"
#include "coordinator/store/journal_codec.h"

namespace firebreak::store {
namespace {

template <class Map>
void put_map(const std::map<std::string, std::string>& from, Map& to) {
  for (const auto& [key, value] : from) to[key] = value;
}

template <class Repeated>
void put_headers(const std::vector<std::pair<std::string, std::string>>& from, Repeated& to) {
  for (const auto& [name, value] : from) {
    auto* header = to.Add();
    header->set_name(name);
    header->set_value(value);
  }
}

struct EventWriter {
  pb::Entry& entry;

  void operator()(const core::AgentAttached& from) const {
    auto& to = *entry.mutable_agent_attached();
    to.set_agent(from.agent.str());
    to.set_incarnation(from.incarnation);
    to.set_version(from.version);
    put_map(from.labels, *to.mutable_labels());
    to.set_clock_skew_us(us(from.clock_skew));
    for (const std::string& action : from.actions) to.add_actions(action);
  }
  void operator()(const core::AgentDetached& from) const {
    auto& to = *entry.mutable_agent_detached();
    to.set_agent(from.agent.str());
    to.set_incarnation(from.incarnation);
    to.set_reason(from.reason);
  }
  void operator()(const core::ResultsReceived& from) const {
    auto& to = *entry.mutable_results_received();
    to.set_agent(from.agent.str());
    to.set_incarnation(from.incarnation);
    to.set_first_seq(from.first_seq);
    to.set_dropped_before(from.dropped_before);
    for (const core::SeriesDefined& series : from.series) {
      auto& defined = *to.add_series();
      defined.set_ref(series.ref);
      put_key(series.key, *defined.mutable_key());
    }
    ObservationWriter observations(*to.mutable_observations());
    std::int64_t before = entry.at_us();
    for (const core::ResultRow& row : from.rows) {
      to.add_ref(row.ref);
      to.add_observed_us(unix_us(row.observed) - before);
      before = unix_us(row.observed);
      to.add_confirmed(row.confirmed);
      observations.add(row.observation);
    }
  }
  void operator()(const core::ProbeNowFinished& from) const {
    auto& to = *entry.mutable_probe_now_finished();
    to.set_agent(from.agent.str());
    to.set_request(from.request.str());
    ObservationWriter(*to.mutable_observation()).add(from.observation);
  }
  void operator()(const core::ActionReported& from) const {
    auto& to = *entry.mutable_action_reported();
    to.set_action(from.action.str());
    to.set_reporter(from.reporter);
    to.set_state(enum_to_proto<pb::ActionState>(from.state));
    to.set_exit_code(from.exit_code);
    to.set_output(from.output);
    to.set_output_dropped_bytes(from.output_dropped_bytes);
    to.set_took_us(us(from.took));
    to.set_detail(from.detail);
  }
  void operator()(const core::NotificationFinished& from) const {
    auto& to = *entry.mutable_notification_finished();
    to.set_notification(from.notification.str());
    to.set_delivered(from.delivered);
    to.set_attempts(from.attempts);
    to.set_detail(from.detail);
  }
  void operator()(const core::OperatorAsked& from) const;
  void operator()(const core::PolicyChanged& from) const {
    FB_ASSERT(from.policy != nullptr);
    auto& to = *entry.mutable_policy_changed();
    to.set_by(from.by);
    to.set_digest(from.policy->digest);
    for (const policy::SourceFile& file : from.policy->files) {
      auto& added = *to.add_files();
      added.set_path(file.path);
      added.set_text(file.text);
    }
  }
  void operator()(const core::Started& from) const {
    entry.mutable_started()->set_epoch(from.epoch);
  }
  void operator()(const core::Tick&) const { entry.mutable_tick(); }
  void operator()(const core::OrderLapsed& from) const {
    entry.mutable_order_lapsed()->set_action(from.action.str());
  }
};

struct RequestWriter {
  pb::OperatorAsked& to;

  void operator()(const core::AcknowledgeIncident& from) const {
    to.mutable_acknowledge()->set_incident(from.incident.str());
    to.mutable_acknowledge()->set_note(from.note);
  }
  void operator()(const core::AddNote& from) const {
    to.mutable_note()->set_incident(from.incident.str());
    to.mutable_note()->set_text(from.text);
    to.mutable_note()->set_phase(from.phase);
  }
  void operator()(const core::DeclareIncident& from) const {
    to.mutable_declare()->set_service(from.service.str());
    to.mutable_declare()->set_severity(static_cast<std::uint32_t>(from.severity));
    to.mutable_declare()->set_title(from.title);
    to.mutable_declare()->set_request_id(from.request_id);
  }
  void operator()(const core::ResolveIncident& from) const {
    to.mutable_resolve()->set_incident(from.incident.str());
    to.mutable_resolve()->set_reason(from.reason);
  }
  void operator()(const core::OverrideSeverity& from) const {
    auto& wish = *to.mutable_override_severity();
    wish.set_incident(from.incident.str());
    if (from.severity) wish.set_severity(static_cast<std::uint32_t>(*from.severity));
    wish.set_reason(from.reason);
    wish.set_lasts_us(us(from.lasts));
  }
  void operator()(const core::StepDone& from) const {
    to.mutable_step_done()->set_incident(from.incident.str());
    to.mutable_step_done()->set_step(from.step);
    to.mutable_step_done()->set_note(from.note);
  }
  void operator()(const core::SetFact& from) const {
    to.mutable_set_fact()->set_fact(from.fact.str());
    to.mutable_set_fact()->set_service(from.service.str());
    put_value(from.value, *to.mutable_set_fact()->mutable_value());
  }
  void operator()(const core::ClearFact& from) const {
    to.mutable_clear_fact()->set_fact(from.fact.str());
    to.mutable_clear_fact()->set_service(from.service.str());
  }
  void operator()(const core::StartValidation& from) const {
    to.mutable_start_validation()->set_id(from.id.str());
    to.mutable_start_validation()->set_service(from.service.str());
  }
  void operator()(const core::CancelValidation& from) const {
    to.mutable_cancel_validation()->set_id(from.id.str());
  }
  void operator()(const core::ForgetAgent& from) const {
    to.mutable_forget_agent()->set_agent(from.agent.str());
  }
  void operator()(const core::AddSilence& from) const {
    auto& added = *to.mutable_add_silence();
    for (const std::string& matcher : from.matchers) added.add_matchers(matcher);
    added.set_lasts_us(us(from.lasts));
    added.set_reason(from.reason);
    added.set_request_id(from.request_id);
  }
  void operator()(const core::ExpireSilence& from) const {
    to.mutable_expire_silence()->set_id(from.silence.str());
  }
  void operator()(const core::StartMaintenance& from) const {
    auto& started = *to.mutable_start_maintenance();
    for (const ServiceName& service : from.services) started.add_services(service.str());
    started.set_lasts_us(us(from.lasts));
    started.set_reason(from.reason);
    started.set_request_id(from.request_id);
  }
  void operator()(const core::EndMaintenance& from) const {
    to.mutable_end_maintenance()->set_id(from.maintenance.str());
  }
};

void EventWriter::operator()(const core::OperatorAsked& from) const {
  auto& to = *entry.mutable_operator_asked();
  to.set_by(from.by);
  std::visit(RequestWriter{to}, from.what);
}

void put(const core::OrderHostAction& from, pb::OrderHostAction& to) {
  to.set_action(from.action.str());
  to.set_agent(from.agent.str());
  to.set_entry(from.entry);
  put_map(from.parameters, *to.mutable_parameters());
  to.set_expires_us(unix_us(from.expires));
  to.set_incident(from.incident.str());
  to.set_reason(from.reason);
}

void put(const core::RunHttpAction& from, pb::RunHttpAction& to) {
  to.set_action(from.action.str());
  to.set_url(from.http.url);
  to.set_method(from.http.method);
  put_headers(from.http.headers, *to.mutable_headers());
  to.set_body(from.http.body);
  to.set_bearer_token_file(from.http.bearer_token_file);
  for (const std::string& status : from.http.expect_status) to.add_expect_status(status);
  to.set_timeout_us(us(from.timeout));
  to.set_incident(from.incident.str());
  to.set_expires_us(unix_us(from.expires));
}

void put(const core::SendNotification& from, pb::SendNotification& to) {
  to.set_notification(from.notification.str());
  to.set_receiver(from.receiver.str());
  if (const auto* slack = std::get_if<policy::SlackReceiver>(&from.how.how)) {
    to.mutable_slack()->set_url_file(slack->url_file);
    to.mutable_slack()->set_url(slack->url);
  } else {
    const auto& webhook = std::get<policy::WebhookReceiver>(from.how.how);
    to.mutable_webhook()->set_url(webhook.url);
    to.mutable_webhook()->set_secret_file(webhook.secret_file);
    put_headers(webhook.headers, *to.mutable_webhook()->mutable_headers());
  }
  to.set_kind(enum_to_proto<pb::NotificationKind>(from.kind));
  to.set_incident(from.incident.str());
  to.set_severity(from.severity);
  to.set_service(from.service.str());
  to.set_title(from.title);
  to.set_text(from.text);
  to.set_at_us(unix_us(from.at));
}

void put(const core::ActionRun& from, pb::ActionRun& to) {
  to.set_id(from.id.str());
  to.set_name(from.name.str());
  to.set_incident(from.incident.str());
  to.set_target(from.target);
  to.set_stage(from.stage);
  to.set_state(enum_to_proto<pb::ActionState>(from.state));
  to.set_ordered_us(unix_us(from.ordered));
  to.set_expires_us(unix_us(from.expires));
  if (from.finished) to.set_finished_us(unix_us(*from.finished));
  to.set_exit_code(from.exit_code);
  to.set_output(from.output);
  to.set_detail(from.detail);
  to.set_by_coordinator(!from.on_host);
}

void put(const core::PlaybookRun& from, pb::PlaybookRun& to) {
  to.set_playbook(from.playbook);
  to.set_name(from.name);
  to.set_since_us(unix_us(from.since));
  to.set_next_stage(from.next_stage);
  for (const core::PlaybookRun::Step& step : from.due) {
    auto& added = *to.add_due();
    added.set_stage(step.stage);
    added.set_action(step.action.str());
    added.set_target(step.target);
  }
  to.set_verify_failed(from.verify_failed);
  if (from.wait_until) to.set_wait_until_us(unix_us(*from.wait_until));
  if (from.paused) to.set_paused_us(unix_us(*from.paused));
}

void put(const core::EscalationRun& from, pb::EscalationRun& to) {
  to.set_name(from.name);
  to.set_since_us(unix_us(from.since));
  for (const std::size_t tier : from.passed) to.add_passed(static_cast<std::uint32_t>(tier));
  to.set_round(from.round);
  to.set_stopped(from.stopped);
}

void put_scope(const core::Incident& from, pb::Incident& to) {
  for (const auto& [service, affected] : from.affected) {
    auto& added = *to.add_affected();
    added.set_service(service.str());
    added.set_since_us(unix_us(affected.since));
    if (affected.until) added.set_until_us(unix_us(*affected.until));
    added.set_severity(affected.severity);
    added.set_incident(affected.own.str());
  }
  for (const AgentName& host : from.hosts) to.add_hosts(host.str());
  to.set_hosts_more(from.hosts_more);
  for (const IncidentId& cause : from.causes) to.add_causes(cause.str());
  for (const IncidentId& symptom : from.symptoms) to.add_symptoms(symptom.str());
}

void put(const core::SeverityOverride& from, pb::SeverityOverride& to) {
  to.set_severity(from.severity);
  to.set_by(from.by);
  to.set_reason(from.reason);
  to.set_until_us(unix_us(from.until));
  if (from.rules) to.set_rules(*from.rules);
}

void put(const core::ManualStep& from, pb::ManualStep& to) {
  to.set_number(from.number);
  to.set_text(from.text);
  to.set_due_us(unix_us(from.due));
  to.set_required(from.required);
  to.set_shown(from.shown);
  if (from.done) to.set_done_us(unix_us(*from.done));
  to.set_done_by(from.done_by);
  to.set_note(from.note);
}

void put_lists(const core::Incident& from, pb::Incident& to) {
  for (const core::TimelineEntry& entry : from.timeline) {
    auto& added = *to.add_timeline();
    added.set_at_us(unix_us(entry.at));
    added.set_kind(entry.kind);
    added.set_actor(entry.actor);
    added.set_text(entry.text);
    added.set_detail(entry.detail);
  }
  to.set_timeline_dropped(from.timeline_dropped);
  for (const core::ActionRun& run : from.actions) put(run, *to.add_actions());
  if (from.playbook) put(*from.playbook, *to.mutable_playbook());
  for (const auto& [request, verification] : from.verifications) {
    auto& added = *to.add_verifications();
    added.set_request(request.str());
    added.set_action(verification.action.str());
    added.set_agent(verification.agent.str());
    put_key(verification.key, *added.mutable_key());
    added.set_until_us(unix_us(verification.until));
  }
  for (const ReceiverName& receiver : from.told) to.add_told(receiver.str());
  if (from.escalation) put(*from.escalation, *to.mutable_escalation());
  put_scope(from, to);
  for (const auto& [receiver, held] : from.held) {
    auto& added = *to.add_held();
    added.set_receiver(receiver.str());
    added.set_kind(enum_to_proto<pb::NotificationKind>(held.kind));
    added.set_by(held.by);
  }
  if (from.severity_override) put(*from.severity_override, *to.mutable_severity_override());
  for (const core::ManualStep& step : from.steps) put(step, *to.add_steps());
  for (const core::Recommended& one : from.recommended) {
    auto& added = *to.add_recommended();
    added.set_say(one.say);
    added.set_since_us(unix_us(one.since));
    added.set_holds(one.holds);
  }
  to.set_last_step(from.last_step);
  to.set_waits_for_steps(from.waits_for_steps);
}

}  // namespace

void put_key(const ProbeKey& from, pb::ProbeKey& to) {
  to.set_service(from.service.str());
  to.set_probe(from.probe.str());
}

void put_value(const cel::Value& from, pb::FactValue& to) {
  switch (from.kind()) {
    case cel::Value::Kind::boolean:
      to.set_boolean(from.as_bool());
      return;
    case cel::Value::Kind::integer:
      to.set_integer(from.as_int());
      return;
    case cel::Value::Kind::real:
      to.set_real(from.as_double());
      return;
    case cel::Value::Kind::string:
      to.set_text(from.as_string());
      return;
    default:
      FB_ASSERT(false && "a fact is a bool, an int, a double or a string");
  }
}

void put_incident(const core::Incident& from, pb::Incident& to) {
  to.set_id(from.id.str());
  to.set_service(from.service.str());
  to.set_title(from.title);
  to.set_phase(enum_to_proto<pb::Phase>(from.phase));
  if (from.severity) to.set_severity(*from.severity);
  to.set_severity_name(from.severity_name);
  to.set_peak_severity(from.peak_severity);
  to.set_peak_rank(from.peak_rank);
  to.set_declared(from.declared);
  to.set_detected_us(unix_us(from.detected));
  to.set_opened_us(unix_us(from.opened));
  if (from.acknowledged) to.set_acknowledged_us(unix_us(*from.acknowledged));
  to.set_acknowledged_by(from.acknowledged_by);
  if (from.quiet_since) to.set_quiet_since_us(unix_us(*from.quiet_since));
  if (from.resolved) to.set_resolved_us(unix_us(*from.resolved));
  to.set_resolved_by(from.resolved_by);
  put_lists(from, to);
  to.set_validation(from.validation.str());
  if (from.validate_at) to.set_validate_at_us(unix_us(*from.validate_at));
  to.set_validations(from.validations);
  to.set_last_update_us(unix_us(from.last_update));
  to.set_acknowledge_overdue(from.acknowledge_overdue);
  to.set_resolve_overdue(from.resolve_overdue);
  to.set_validations_failed(from.validations_failed);
  to.set_failing_check(from.failing_check);
  to.set_raised_us(unix_us(from.raised));
  to.set_last_reminder_us(unix_us(from.last_reminder));
  if (from.declared_severity) to.set_declared_severity(*from.declared_severity);
  to.set_request_id(from.request_id);
}

std::string encode_batch(const std::vector<JournalEntry>& entries) {
  OnArena<pb::Batch> on_arena;
  pb::Batch& batch = *on_arena;
  for (const JournalEntry& entry : entries) {
    auto& to = *batch.add_entries();
    to.set_at_us(unix_us(entry.at));
    std::visit(EventWriter{to}, entry.event);
  }
  return batch.SerializeAsString();
}

bool is_durable(const core::Effect& effect) {
  return std::holds_alternative<core::OrderHostAction>(effect) ||
         std::holds_alternative<core::RunHttpAction>(effect) ||
         std::holds_alternative<core::SendNotification>(effect);
}

std::string encode_effect(const core::Effect& effect) {
  pb::Effect to;
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
    put(*order, *to.mutable_order_host_action());
  else if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    put(*http, *to.mutable_run_http_action());
  else if (const auto* notification = std::get_if<core::SendNotification>(&effect))
    put(*notification, *to.mutable_send_notification());
  FB_ASSERT(to.effect_case() != pb::Effect::EFFECT_NOT_SET);
  return to.SerializeAsString();
}

std::string encode_incident(const core::Incident& incident) {
  pb::Incident to;
  put_incident(incident, to);
  return to.SerializeAsString();
}

}  // namespace firebreak::store
