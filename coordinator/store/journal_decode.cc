// Reading: bytes to events, effects and incidents. The reader carries the first error it meets and
// goes on with defaults, so that each conversion reads like a list.
#include <limits>
#include <utility>

#include "common/text.h"
#include "coordinator/store/codec_parts.h"
#include "coordinator/store/journal_codec.h"

namespace firebreak::store {
namespace {

constexpr auto kLastStatus = static_cast<std::uint32_t>(Status::unknown);
constexpr auto kLastReason = static_cast<std::uint32_t>(Reason::config);
constexpr auto kLastPhase = static_cast<std::uint32_t>(Phase::query);

template <class Map>
std::map<std::string, std::string> get_map(const Map& from) {
  return {from.begin(), from.end()};
}

template <class Repeated>
std::vector<std::pair<std::string, std::string>> get_headers(const Repeated& from) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& header : from) headers.emplace_back(header.name(), header.value());
  return headers;
}

// The sparse columns; rows were checked to exist by the caller's size.
void get_sparse(const pb::Observations& from, std::vector<Observation>& to, Reader& reader) {
  const auto row_of = [&](std::uint32_t row) -> Observation* {
    if (row < to.size()) return &to[row];
    reader.fail("observations: row " + std::to_string(row) + " does not exist");
    return nullptr;
  };
  if (from.value_name_size() != from.value_row_size() ||
      from.value_size() != from.value_row_size() ||
      from.evidence_size() != from.evidence_row_size() ||
      from.timing_phase_size() != from.timing_row_size() ||
      from.timing_us_size() != from.timing_row_size())
    return reader.fail("observations: sparse columns of different lengths");
  for (int i = 0; i < from.value_row_size(); ++i) {
    Observation* row = row_of(from.value_row(i));
    if (row == nullptr) return;
    if (from.value_name(i) >= static_cast<std::uint32_t>(from.value_names_size()))
      return reader.fail("observations: a value without a name");
    row->values.push_back({from.value_names(static_cast<int>(from.value_name(i))), from.value(i)});
  }
  for (int i = 0; i < from.evidence_row_size(); ++i) {
    Observation* row = row_of(from.evidence_row(i));
    if (row == nullptr) return;
    row->evidence = from.evidence(i);
  }
  for (int i = 0; i < from.timing_row_size(); ++i) {
    Observation* row = row_of(from.timing_row(i));
    if (row == nullptr) return;
    if (from.timing_phase(i) > kLastPhase)
      return reader.fail("observations: unknown phase " + std::to_string(from.timing_phase(i)));
    row->phases.push_back({static_cast<Phase>(from.timing_phase(i)), Duration{from.timing_us(i)}});
  }
}

core::AgentAttached get(const pb::AgentAttached& from, Reader& reader) {
  core::AgentAttached to;
  to.agent = reader.name<AgentName>(from.agent(), "agent attached: agent");
  to.incarnation = from.incarnation();
  to.version = from.version();
  to.labels = get_map(from.labels());
  to.clock_skew = Duration{from.clock_skew_us()};
  to.actions = {from.actions().begin(), from.actions().end()};
  return to;
}

core::AgentDetached get(const pb::AgentDetached& from, Reader& reader) {
  return {reader.name<AgentName>(from.agent(), "agent detached: agent"), from.incarnation(),
          from.reason()};
}

core::ResultsReceived get(const pb::ResultsReceived& from, std::int64_t at_us, Reader& reader) {
  core::ResultsReceived to;
  to.agent = reader.name<AgentName>(from.agent(), "results received: agent");
  to.incarnation = from.incarnation();
  to.first_seq = from.first_seq();
  to.dropped_before = from.dropped_before();
  for (const auto& series : from.series())
    to.series.push_back({series.ref(), get_key(series.key(), reader)});
  const int count = from.ref_size();
  std::vector<Observation> observations = get_observations(from.observations(), count, reader);
  if (from.observed_us_size() != count || from.confirmed_size() != count)
    reader.fail("results received: columns of different lengths");
  if (reader.error()) return to;
  to.rows.reserve(static_cast<std::size_t>(count));
  std::uint64_t observed = static_cast<std::uint64_t>(at_us);  // unsigned: damaged deltas may wrap
  for (int i = 0; i < count; ++i) {
    observed += static_cast<std::uint64_t>(from.observed_us(i));
    to.rows.push_back({from.ref(i), instant(static_cast<std::int64_t>(observed)), from.confirmed(i),
                       std::move(observations[static_cast<std::size_t>(i)])});
  }
  return to;
}

core::ProbeNowFinished get(const pb::ProbeNowFinished& from, Reader& reader) {
  core::ProbeNowFinished to;
  to.agent = reader.name<AgentName>(from.agent(), "probe-now: agent");
  to.request = reader.name<RequestId>(from.request(), "probe-now: request");
  auto observations = get_observations(from.observation(), 1, reader);
  if (!observations.empty()) to.observation = std::move(observations.front());
  return to;
}

core::ActionReported get(const pb::ActionReported& from, Reader& reader) {
  core::ActionReported to;
  to.action = reader.name<ActionId>(from.action(), "action reported: action");
  to.reporter = from.reporter();
  to.state = reader.enumerator(from.state(), core::ActionState::unknown, "action reported: state");
  to.exit_code = from.exit_code();
  to.output = from.output();
  to.output_dropped_bytes = from.output_dropped_bytes();
  to.took = Duration{from.took_us()};
  to.detail = from.detail();
  return to;
}

core::NotificationFinished get(const pb::NotificationFinished& from, Reader& reader) {
  return {reader.name<NotificationId>(from.notification(), "notification finished: notification"),
          from.delivered(), from.attempts(), from.detail()};
}

core::StartMaintenance get(const pb::OperatorAsked::StartMaintenance& from) {
  core::StartMaintenance to;
  for (const std::string& service : from.services()) to.services.emplace_back(service);
  to.lasts = Duration{from.lasts_us()};
  to.reason = from.reason();
  to.request_id = from.request_id();
  return to;
}

core::AddSilence get(const pb::OperatorAsked::AddSilence& from) {
  return {{from.matchers().begin(), from.matchers().end()},
          Duration{from.lasts_us()},
          from.reason(),
          from.request_id()};
}

core::OverrideSeverity get(const pb::OperatorAsked::OverrideSeverity& from) {
  std::optional<policy::SeverityIndex> severity;
  if (from.has_severity()) severity = from.severity();
  return {IncidentId(from.incident()), severity, from.reason(), Duration{from.lasts_us()}};
}

core::OperatorAsked get(const pb::OperatorAsked& from, Reader& reader) {
  core::OperatorAsked to;
  to.by = from.by();
  switch (from.what_case()) {
    case pb::OperatorAsked::kAcknowledge:
      to.what = core::AcknowledgeIncident{IncidentId(from.acknowledge().incident()),
                                          from.acknowledge().note()};
      break;
    case pb::OperatorAsked::kNote:
      to.what = core::AddNote{IncidentId(from.note().incident()), from.note().text(),
                              from.note().phase()};
      break;
    case pb::OperatorAsked::kDeclare:
      to.what =
          core::DeclareIncident{ServiceName(from.declare().service()), from.declare().severity(),
                                from.declare().title(), from.declare().request_id()};
      break;
    case pb::OperatorAsked::kResolve:
      to.what =
          core::ResolveIncident{IncidentId(from.resolve().incident()), from.resolve().reason()};
      break;
    case pb::OperatorAsked::kSetFact:
      to.what =
          core::SetFact{FactName(from.set_fact().fact()), ServiceName(from.set_fact().service()),
                        get_value(from.set_fact().value(), reader)};
      break;
    case pb::OperatorAsked::kClearFact:
      to.what = core::ClearFact{FactName(from.clear_fact().fact()),
                                ServiceName(from.clear_fact().service())};
      break;
    case pb::OperatorAsked::kOverrideSeverity:
      to.what = get(from.override_severity());
      break;
    case pb::OperatorAsked::kStepDone:
      to.what = core::StepDone{IncidentId(from.step_done().incident()), from.step_done().step(),
                               from.step_done().note()};
      break;
    case pb::OperatorAsked::kStartValidation:
      to.what = core::StartValidation{ValidationId(from.start_validation().id()),
                                      ServiceName(from.start_validation().service())};
      break;
    case pb::OperatorAsked::kForgetAgent:
      to.what = core::ForgetAgent{
          reader.name<AgentName>(from.forget_agent().agent(), "forget agent: agent")};
      break;
    case pb::OperatorAsked::kCancelValidation:
      to.what = core::CancelValidation{ValidationId(from.cancel_validation().id())};
      break;
    case pb::OperatorAsked::kAddSilence:
      to.what = get(from.add_silence());
      break;
    case pb::OperatorAsked::kExpireSilence:
      to.what = core::ExpireSilence{SilenceId(from.expire_silence().id())};
      break;
    case pb::OperatorAsked::kStartMaintenance:
      to.what = get(from.start_maintenance());
      break;
    case pb::OperatorAsked::kEndMaintenance:
      to.what = core::EndMaintenance{MaintenanceId(from.end_maintenance().id())};
      break;
    case pb::OperatorAsked::WHAT_NOT_SET:
      reader.fail("operator asked: for nothing that this version knows");
  }
  return to;
}

core::PolicyChanged get(const pb::PolicyChanged& from, const PolicyCompiler& compile,
                        Reader& reader) {
  core::PolicyChanged to;
  to.by = from.by();
  std::vector<policy::SourceFile> files;
  for (const auto& file : from.files()) files.push_back({file.path(), file.text()});
  auto compiled = compile(std::move(files));
  if (!compiled)
    reader.fail(Error{compiled.error().code,
                      "the policy that was applied by '" + escape_line(from.by()) +
                          "' does not compile any more: " + compiled.error().message});
  else
    to.policy = std::move(*compiled);
  return to;
}

core::Event get_event(const pb::Entry& entry, const PolicyCompiler& compile, Reader& reader) {
  switch (entry.event_case()) {
    case pb::Entry::kAgentAttached:
      return get(entry.agent_attached(), reader);
    case pb::Entry::kAgentDetached:
      return get(entry.agent_detached(), reader);
    case pb::Entry::kResultsReceived:
      return get(entry.results_received(), entry.at_us(), reader);
    case pb::Entry::kProbeNowFinished:
      return get(entry.probe_now_finished(), reader);
    case pb::Entry::kActionReported:
      return get(entry.action_reported(), reader);
    case pb::Entry::kNotificationFinished:
      return get(entry.notification_finished(), reader);
    case pb::Entry::kOperatorAsked:
      return get(entry.operator_asked(), reader);
    case pb::Entry::kPolicyChanged:
      return get(entry.policy_changed(), compile, reader);
    case pb::Entry::kStarted:
      return core::Started{entry.started().epoch()};
    case pb::Entry::kTick:
      return core::Tick{};
    case pb::Entry::kOrderLapsed:
      return core::OrderLapsed{
          reader.name<ActionId>(entry.order_lapsed().action(), "order lapsed: action")};
    case pb::Entry::EVENT_NOT_SET:
      break;
  }
  reader.fail("an event of a kind that this version does not know; run the version that wrote it");
  return core::Tick{};
}

core::OrderHostAction get(const pb::OrderHostAction& from, Reader& reader) {
  core::OrderHostAction to;
  to.action = reader.name<ActionId>(from.action(), "host action: action");
  to.agent = reader.name<AgentName>(from.agent(), "host action: agent");
  to.entry = from.entry();
  to.parameters = get_map(from.parameters());
  to.expires = instant(from.expires_us());
  to.incident = IncidentId(from.incident());
  to.reason = from.reason();
  return to;
}

core::RunHttpAction get(const pb::RunHttpAction& from, Reader& reader) {
  core::RunHttpAction to;
  to.action = reader.name<ActionId>(from.action(), "http action: action");
  to.http.url = from.url();
  to.http.method = from.method();
  to.http.headers = get_headers(from.headers());
  to.http.body = from.body();
  to.http.bearer_token_file = from.bearer_token_file();
  to.http.expect_status = {from.expect_status().begin(), from.expect_status().end()};
  to.timeout = Duration{from.timeout_us()};
  to.incident = IncidentId(from.incident());
  to.expires = instant(from.expires_us());
  return to;
}

core::SendNotification get(const pb::SendNotification& from, Reader& reader) {
  core::SendNotification to;
  to.notification = reader.name<NotificationId>(from.notification(), "notification: id");
  to.receiver = reader.name<ReceiverName>(from.receiver(), "notification: receiver");
  to.how.name = to.receiver;
  if (from.has_slack()) {
    to.how.how = policy::SlackReceiver{from.slack().url_file(), from.slack().url()};
  } else if (from.has_webhook()) {
    to.how.how = policy::WebhookReceiver{from.webhook().url(), from.webhook().secret_file(),
                                         get_headers(from.webhook().headers())};
  } else {
    reader.fail("notification: a receiver of a kind that this version does not know");
  }
  to.kind = reader.enumerator(from.kind(), core::NotificationKind::flapping, "notification: kind");
  to.incident = IncidentId(from.incident());
  to.severity = from.severity();
  to.service = ServiceName(from.service());
  to.title = from.title();
  to.text = from.text();
  to.at = instant(from.at_us());
  return to;
}

core::ActionRun get(const pb::ActionRun& from, Reader& reader) {
  core::ActionRun to;
  to.id = reader.name<ActionId>(from.id(), "incident: action id");
  to.name = ActionName(from.name());
  to.incident = IncidentId(from.incident());
  to.target = from.target();
  to.stage = from.stage();
  to.state = reader.enumerator(from.state(), core::ActionState::unknown, "incident: action state");
  to.ordered = instant(from.ordered_us());
  to.expires = instant(from.expires_us());
  if (from.has_finished_us()) to.finished = instant(from.finished_us());
  to.exit_code = from.exit_code();
  to.output = from.output();
  to.detail = from.detail();
  to.on_host = !from.by_coordinator();
  return to;
}

core::PlaybookRun get(const pb::PlaybookRun& from) {
  core::PlaybookRun run;
  run.playbook = from.playbook();
  run.name = from.name();
  run.since = instant(from.since_us());
  run.next_stage = from.next_stage();
  for (const auto& step : from.due())
    run.due.push_back({step.stage(), ActionName(step.action()), step.target()});
  run.verify_failed = from.verify_failed();
  if (from.has_wait_until_us()) run.wait_until = instant(from.wait_until_us());
  if (from.has_paused_us()) run.paused = instant(from.paused_us());
  return run;
}

core::EscalationRun get(const pb::EscalationRun& from) {
  core::EscalationRun run;
  run.name = from.name();
  run.since = instant(from.since_us());
  run.passed = {from.passed().begin(), from.passed().end()};
  run.round = from.round();
  run.stopped = from.stopped();
  return run;
}

core::SeverityOverride get(const pb::SeverityOverride& from) {
  core::SeverityOverride said;
  said.severity = from.severity();
  said.by = from.by();
  said.reason = from.reason();
  said.until = instant(from.until_us());
  if (from.has_rules()) said.rules = from.rules();
  return said;
}

core::ManualStep get(const pb::ManualStep& from) {
  core::ManualStep step;
  step.number = from.number();
  step.text = from.text();
  step.due = instant(from.due_us());
  step.required = from.required();
  step.shown = from.shown();
  if (from.has_done_us()) step.done = instant(from.done_us());
  step.done_by = from.done_by();
  step.note = from.note();
  return step;
}

void get_lists(const pb::Incident& from, core::Incident& to, Reader& reader) {
  for (const auto& entry : from.timeline())
    to.timeline.push_back(
        {instant(entry.at_us()), entry.kind(), entry.actor(), entry.text(), entry.detail()});
  to.timeline_dropped = from.timeline_dropped();
  for (const auto& run : from.actions()) to.actions.push_back(get(run, reader));
  if (from.has_playbook()) to.playbook = get(from.playbook());
  for (const auto& one : from.verifications())
    to.verifications.insert_or_assign(
        RequestId(one.request()),
        core::Verification{ActionId(one.action()), AgentName(one.agent()),
                           get_key(one.key(), reader), instant(one.until_us())});
  for (const auto& receiver : from.told()) to.told.insert(ReceiverName(receiver));
  if (from.has_escalation()) to.escalation = get(from.escalation());
  for (const auto& held : from.held())
    to.held.insert_or_assign(
        ReceiverName(held.receiver()),
        core::HeldNotification{reader.enumerator(held.kind(), core::NotificationKind::flapping,
                                                 "incident: kind of what was held back"),
                               held.by()});
  if (from.has_severity_override()) to.severity_override = get(from.severity_override());
  for (const auto& step : from.steps()) to.steps.push_back(get(step));
  for (const auto& one : from.recommended())
    to.recommended.push_back({one.say(), instant(one.since_us()), one.holds()});
  to.last_step = from.last_step();
  to.waits_for_steps = from.waits_for_steps();
}

}  // namespace

std::vector<Observation> get_observations(const pb::Observations& from, int count, Reader& reader) {
  if (from.status_size() != count || from.reason_size() != count || from.phase_size() != count ||
      from.latency_us_size() != count) {
    reader.fail("observations: columns of different lengths");
    return {};
  }
  std::vector<Observation> to(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    Observation& row = to[static_cast<std::size_t>(i)];
    if (from.status(i) > kLastStatus || from.reason(i) > kLastReason || from.phase(i) > kLastPhase)
      reader.fail("observations: row " + std::to_string(i) +
                  " has an unknown status, reason or phase");
    row.status = static_cast<Status>(from.status(i));
    row.reason = static_cast<Reason>(from.reason(i));
    row.phase = static_cast<Phase>(from.phase(i));
    row.latency = Duration{from.latency_us(i)};
  }
  get_sparse(from, to, reader);
  return to;
}

ProbeKey get_key(const pb::ProbeKey& from, Reader& reader) {
  return {reader.name<ServiceName>(from.service(), "probe key: service"),
          reader.name<ProbeName>(from.probe(), "probe key: probe")};
}

cel::Value get_value(const pb::FactValue& from, Reader& reader) {
  switch (from.value_case()) {
    case pb::FactValue::kBoolean:
      return from.boolean();
    case pb::FactValue::kInteger:
      return std::int64_t{from.integer()};
    case pb::FactValue::kReal:
      return from.real();
    case pb::FactValue::kText:
      return from.text();
    case pb::FactValue::VALUE_NOT_SET:
      break;
  }
  reader.fail("set fact: no value");
  return {};
}

namespace {

void get_scope(const pb::Incident& from, core::Incident& to, Reader& reader) {
  for (const auto& one : from.affected()) {
    core::Affected& added =
        to.affected[reader.name<ServiceName>(one.service(), "incident: affected service")];
    added.since = instant(one.since_us());
    if (one.has_until_us()) added.until = instant(one.until_us());
    added.severity = one.severity();
    added.own = IncidentId(one.incident());
  }
  for (const auto& host : from.hosts()) to.hosts.insert(AgentName(host));
  to.hosts_more = from.hosts_more();
  for (const auto& cause : from.causes()) to.causes.insert(IncidentId(cause));
  for (const auto& symptom : from.symptoms()) to.symptoms.insert(IncidentId(symptom));
}

}  // namespace

core::Incident get_incident(const pb::Incident& from, Reader& reader) {
  core::Incident to;
  to.id = reader.name<IncidentId>(from.id(), "incident: id");
  to.service = ServiceName(from.service());
  to.title = from.title();
  to.phase = reader.enumerator(from.phase(), core::Phase::resolved, "incident: phase");
  if (from.has_severity()) to.severity = from.severity();
  to.severity_name = from.severity_name();
  to.peak_severity = from.peak_severity();
  to.peak_rank = from.peak_rank();
  to.declared = from.declared();
  to.detected = instant(from.detected_us());
  to.opened = instant(from.opened_us());
  if (from.has_acknowledged_us()) to.acknowledged = instant(from.acknowledged_us());
  to.acknowledged_by = from.acknowledged_by();
  if (from.has_quiet_since_us()) to.quiet_since = instant(from.quiet_since_us());
  if (from.has_resolved_us()) to.resolved = instant(from.resolved_us());
  to.resolved_by = from.resolved_by();
  get_lists(from, to, reader);
  get_scope(from, to, reader);
  to.validation = ValidationId(from.validation());
  if (from.has_validate_at_us()) to.validate_at = instant(from.validate_at_us());
  to.validations = count(from.validations());
  to.last_update = instant(from.last_update_us());
  to.acknowledge_overdue = from.acknowledge_overdue();
  to.resolve_overdue = from.resolve_overdue();
  to.validations_failed = count(from.validations_failed());
  to.failing_check = from.failing_check();
  to.raised = instant(from.raised_us());
  to.last_reminder = instant(from.last_reminder_us());
  if (from.has_declared_severity()) to.declared_severity = from.declared_severity();
  to.request_id = from.request_id();
  return to;
}

Result<std::vector<JournalEntry>> decode_batch(std::string_view bytes, std::uint64_t first_position,
                                               const PolicyCompiler& compile) {
  OnArena<pb::Batch> on_arena;
  pb::Batch& batch = *on_arena;
  if (!parse(batch, bytes))
    return make_error(Errc::corrupt,
                      "journal position " + std::to_string(first_position) + ": not a batch");
  std::vector<JournalEntry> entries;
  entries.reserve(static_cast<std::size_t>(batch.entries_size()));
  for (const auto& entry : batch.entries()) {
    Reader reader;
    const std::uint64_t position = first_position + entries.size();
    entries.push_back({position, instant(entry.at_us()), get_event(entry, compile, reader)});
    if (reader.error())
      return make_error(reader.error()->code, "journal position " + std::to_string(position) +
                                                  ": " + reader.error()->message);
  }
  return entries;
}

Result<core::Effect> decode_effect(std::string_view bytes) {
  pb::Effect from;
  if (!parse(from, bytes)) return make_error(Errc::corrupt, "outbox: not an effect");
  Reader reader;
  core::Effect effect;
  switch (from.effect_case()) {
    case pb::Effect::kOrderHostAction:
      effect = get(from.order_host_action(), reader);
      break;
    case pb::Effect::kRunHttpAction:
      effect = get(from.run_http_action(), reader);
      break;
    case pb::Effect::kSendNotification:
      effect = get(from.send_notification(), reader);
      break;
    case pb::Effect::EFFECT_NOT_SET:
      reader.fail("outbox: an effect of a kind that this version does not know");
  }
  if (reader.error()) return *reader.error();
  return effect;
}

Result<core::Incident> decode_incident(std::string_view bytes) {
  pb::Incident from;
  if (!parse(from, bytes)) return make_error(Errc::corrupt, "incident: not an incident");
  Reader reader;
  core::Incident incident = get_incident(from, reader);
  if (reader.error()) return *reader.error();
  return incident;
}

}  // namespace firebreak::store
