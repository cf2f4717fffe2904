// What is written can be read back, whole; what is damaged or foreign is refused with its place.
#include "coordinator/store/journal_codec.h"

#include <firebreak/v1/journal.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr Instant kAt = instant_from_unix_us(1'795'000'000'000'000);

Result<std::shared_ptr<const policy::Policy>> keep_files(std::vector<policy::SourceFile> files) {
  auto compiled = std::make_shared<policy::Policy>();
  compiled->files = std::move(files);
  compiled->digest = "of " + std::to_string(compiled->files.size());
  return std::shared_ptr<const policy::Policy>(compiled);
}

// Writes, reads, and returns the event; the bytes of a second writing must be the same.
template <class Event>
Event round_trip(Event event) {
  const std::string bytes = encode_batch({{7, kAt, std::move(event)}});
  const auto decoded = decode_batch(bytes, 7, keep_files);
  EXPECT_TRUE(decoded) << decoded.error().message;
  if (!decoded || decoded->size() != 1) return Event{};
  EXPECT_EQ(decoded->front().position, 7u);
  EXPECT_EQ(decoded->front().at, kAt);
  EXPECT_EQ(encode_batch(*decoded), bytes);
  const Event* same = std::get_if<Event>(&decoded->front().event);
  EXPECT_NE(same, nullptr);
  return same == nullptr ? Event{} : *same;
}

core::OperatorAsked round_trip_request(decltype(core::OperatorAsked::what) what) {
  return round_trip(core::OperatorAsked{"ada", std::move(what)});
}

Observation rich_observation() {
  Observation observation;
  observation.status = Status::critical;
  observation.reason = Reason::status;
  observation.phase = Phase::first_byte;
  observation.latency = std::chrono::milliseconds(12);
  observation.phases = {{Phase::connect, Duration{5}}, {Phase::send, Duration{7}}};
  observation.values = {{"length", 11.5}, {"rows", -3}};
  observation.evidence = "HTTP 503 \xff<b>";
  return observation;
}

TEST(JournalCodec, KeepsAgentAttached) {
  const auto back = round_trip(core::AgentAttached{AgentName("web-1"),
                                                   0xffff'ffff'ffff'fff1,
                                                   "0.1.0",
                                                   {{"role", "edge"}},
                                                   Duration{-1500},
                                                   {"restart-api", "save-logs"}});

  EXPECT_EQ(back.agent.str(), "web-1");
  EXPECT_EQ(back.incarnation, 0xffff'ffff'ffff'fff1);
  EXPECT_EQ(back.version, "0.1.0");
  EXPECT_THAT(back.labels, ElementsAre(Pair("role", "edge")));
  EXPECT_EQ(back.clock_skew, Duration{-1500});
  EXPECT_THAT(back.actions, ElementsAre("restart-api", "save-logs"));
}

TEST(JournalCodec, KeepsAgentDetached) {
  const auto back = round_trip(core::AgentDetached{AgentName("web-1"), 3, "silent for 15s"});

  EXPECT_EQ(back.agent.str(), "web-1");
  EXPECT_EQ(back.incarnation, 3u);
  EXPECT_EQ(back.reason, "silent for 15s");
}

TEST(JournalCodec, KeepsResults) {
  core::ResultsReceived results{AgentName("web-1"), 9, 100, 4, {}, {}};
  const ProbeKey key{ServiceName("api"), ProbeName("health")};
  results.series = {{0, key}};
  Observation plain;
  plain.status = Status::ok;
  plain.latency = Duration{42};
  plain.values = {{"rows", 1}};
  results.rows = {{0, kAt - Duration{2'000'000}, true, plain},
                  {0, kAt - Duration{1'000'000}, false, rich_observation()},
                  {0, kAt - Duration{5'000'000}, true, Observation{}}};

  const auto back = round_trip(results);

  EXPECT_EQ(back.agent.str(), "web-1");
  EXPECT_EQ(back.incarnation, 9u);
  EXPECT_EQ(back.first_seq, 100u);
  EXPECT_EQ(back.dropped_before, 4u);
  ASSERT_EQ(back.series.size(), 1u);
  EXPECT_EQ(back.series[0].key, key);
  ASSERT_EQ(back.rows.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back.rows[i].observed, results.rows[i].observed) << i;
    EXPECT_EQ(back.rows[i].confirmed, results.rows[i].confirmed) << i;
    EXPECT_EQ(back.rows[i].observation, results.rows[i].observation) << i;
  }
}

TEST(JournalCodec, KeepsProbeNowFinished) {
  const auto back =
      round_trip(core::ProbeNowFinished{AgentName("web-1"), RequestId("r-1"), rich_observation()});

  EXPECT_EQ(back.agent.str(), "web-1");
  EXPECT_EQ(back.request.str(), "r-1");
  EXPECT_EQ(back.observation, rich_observation());
}

TEST(JournalCodec, KeepsActionReportedInEveryState) {
  for (int state = 0; state <= static_cast<int>(core::ActionState::unknown); ++state) {
    const auto back = round_trip(core::ActionReported{ActionId("a-1"), "agent:web-1",
                                                      static_cast<core::ActionState>(state), -9,
                                                      "out\xfeput", 70, Duration{88}, "killed"});

    EXPECT_EQ(back.action.str(), "a-1");
    EXPECT_EQ(back.reporter, "agent:web-1");
    EXPECT_EQ(static_cast<int>(back.state), state);
    EXPECT_EQ(back.exit_code, -9);
    EXPECT_EQ(back.output, "out\xfeput");
    EXPECT_EQ(back.output_dropped_bytes, 70u);
    EXPECT_EQ(back.took, Duration{88});
    EXPECT_EQ(back.detail, "killed");
  }
}

TEST(JournalCodec, KeepsNotificationFinished) {
  const auto back =
      round_trip(core::NotificationFinished{NotificationId("n-1"), true, 3, "HTTP 200"});

  EXPECT_EQ(back.notification.str(), "n-1");
  EXPECT_TRUE(back.delivered);
  EXPECT_EQ(back.attempts, 3);
  EXPECT_EQ(back.detail, "HTTP 200");
}

TEST(JournalCodec, KeepsWhatOperatorsAskAboutIncidents) {
  const IncidentId id("INC-1");
  const auto acknowledged = round_trip_request(core::AcknowledgeIncident{id, "mine"});
  EXPECT_EQ(acknowledged.by, "ada");
  EXPECT_EQ(std::get<core::AcknowledgeIncident>(acknowledged.what).incident, id);
  EXPECT_EQ(std::get<core::AcknowledgeIncident>(acknowledged.what).note, "mine");

  const auto note =
      std::get<core::AddNote>(round_trip_request(core::AddNote{id, "text", "identified"}).what);
  EXPECT_EQ(note.incident, id);
  EXPECT_EQ(note.text, "text");
  EXPECT_EQ(note.phase, "identified");

  const auto declared = std::get<core::DeclareIncident>(
      round_trip_request(core::DeclareIncident{ServiceName("api"), 2, "smoke", "q-1"}).what);
  EXPECT_EQ(declared.service.str(), "api");
  EXPECT_EQ(declared.severity, 2u);
  EXPECT_EQ(declared.title, "smoke");
  EXPECT_EQ(declared.request_id, "q-1");

  const auto resolved =
      std::get<core::ResolveIncident>(round_trip_request(core::ResolveIncident{id, "done"}).what);
  EXPECT_EQ(resolved.incident, id);
  EXPECT_EQ(resolved.reason, "done");
}

TEST(JournalCodec, KeepsFactsOfEveryType) {
  for (const cel::Value& value :
       {cel::Value(true), cel::Value(-7), cel::Value(0.25), cel::Value("text")}) {
    const auto set = std::get<core::SetFact>(
        round_trip_request(core::SetFact{FactName("customers"), ServiceName("api"), value}).what);
    EXPECT_EQ(set.fact.str(), "customers");
    EXPECT_EQ(set.service.str(), "api");
    EXPECT_EQ(set.value, value);
  }
  const auto cleared = std::get<core::ClearFact>(
      round_trip_request(core::ClearFact{FactName("customers"), ServiceName()}).what);
  EXPECT_EQ(cleared.fact.str(), "customers");
  EXPECT_TRUE(cleared.service.empty());
}

TEST(JournalCodec, KeepsValidationRequests) {
  const auto started = std::get<core::StartValidation>(
      round_trip_request(core::StartValidation{ValidationId("v-1"), ServiceName("api")}).what);
  EXPECT_EQ(started.id.str(), "v-1");
  EXPECT_EQ(started.service.str(), "api");
  const auto cancelled = std::get<core::CancelValidation>(
      round_trip_request(core::CancelValidation{ValidationId("v-1")}).what);
  EXPECT_EQ(cancelled.id.str(), "v-1");
}

TEST(JournalCodec, KeepsThatAnAgentIsForgotten) {
  const auto forgotten =
      std::get<core::ForgetAgent>(round_trip_request(core::ForgetAgent{AgentName("web-1")}).what);
  EXPECT_EQ(forgotten.agent.str(), "web-1");
}

TEST(JournalCodec, KeepsSilencesAndMaintenance) {
  using namespace std::chrono_literals;
  const auto silence = std::get<core::AddSilence>(
      round_trip_request(core::AddSilence{{"service=api", "severity!=P1"}, 90s, "why", "r"}).what);
  EXPECT_EQ(silence.matchers, (std::vector<std::string>{"service=api", "severity!=P1"}));
  EXPECT_EQ(silence.lasts, 90s);
  EXPECT_EQ(silence.reason + "/" + silence.request_id, "why/r");
  const auto expired =
      std::get<core::ExpireSilence>(round_trip_request(core::ExpireSilence{SilenceId("s")}).what);
  EXPECT_EQ(expired.silence.str(), "s");
  const auto started = std::get<core::StartMaintenance>(
      round_trip_request(
          core::StartMaintenance{{ServiceName("api"), ServiceName("db")}, 20min, "why", "r"})
          .what);
  EXPECT_EQ(started.services, (std::vector<ServiceName>{ServiceName("api"), ServiceName("db")}));
  EXPECT_EQ(started.lasts, 20min);
  EXPECT_EQ(started.reason + "/" + started.request_id, "why/r");
  const auto ended = std::get<core::EndMaintenance>(
      round_trip_request(core::EndMaintenance{MaintenanceId("m")}).what);
  EXPECT_EQ(ended.maintenance.str(), "m");
}

TEST(JournalCodec, KeepsAPolicyAsItsFiles) {
  auto policy = std::make_shared<policy::Policy>();
  policy->files = {{"a.yaml", "severities: {}\n"}, {"b/c.yaml", "\xff"}};
  policy->digest = "of 2";

  const auto back = round_trip(core::PolicyChanged{policy, "ada"});

  EXPECT_EQ(back.by, "ada");
  ASSERT_NE(back.policy, nullptr);
  EXPECT_EQ(back.policy->digest, "of 2");
  ASSERT_EQ(back.policy->files.size(), 2u);
  EXPECT_EQ(back.policy->files[1].path, "b/c.yaml");
  EXPECT_EQ(back.policy->files[1].text, "\xff");
}

TEST(JournalCodec, KeepsStartedTickAndOrderLapsed) {
  EXPECT_EQ(round_trip(core::Started{12}).epoch, 12u);
  round_trip(core::Tick{});
  EXPECT_EQ(round_trip(core::OrderLapsed{ActionId("act-7")}).action.str(), "act-7");
}

TEST(JournalCodec, NumbersTheEntriesOfABatch) {
  const auto decoded =
      decode_batch(encode_batch({{5, kAt, core::Tick{}}, {6, kAt + Duration{1}, core::Started{1}}}),
                   5, keep_files);

  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->size(), 2u);
  EXPECT_EQ((*decoded)[1].position, 6u);
  EXPECT_EQ((*decoded)[1].at, kAt + Duration{1});
}

TEST(JournalCodec, SaysWhyAPolicyCannotBeReadBack) {
  auto policy = std::make_shared<policy::Policy>();
  const std::string bytes = encode_batch({{1, kAt, core::PolicyChanged{policy, "ada"}}});

  const auto decoded =
      decode_batch(bytes, 1, [](auto) -> Result<std::shared_ptr<const policy::Policy>> {
        return make_error(Errc::invalid_argument, "a.yaml:1:1: unknown key");
      });

  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::invalid_argument);
  EXPECT_THAT(decoded.error().message, HasSubstr("position 1"));
  EXPECT_THAT(decoded.error().message, HasSubstr("a.yaml:1:1"));
}

TEST(JournalCodec, IgnoresFieldsOfALaterVersion) {
  std::string bytes = encode_batch({{1, kAt, core::Tick{}}});
  bytes += std::string("\xa2\x06\x03new", 6);  // field 100

  EXPECT_TRUE(decode_batch(bytes, 1, keep_files));
}

TEST(JournalCodec, RefusesAnEventOfALaterVersion) {
  firebreak::journal::v1::Batch batch;
  batch.add_entries()->set_at_us(1);

  const auto decoded = decode_batch(batch.SerializeAsString(), 8, keep_files);

  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::corrupt);
  EXPECT_THAT(decoded.error().message, HasSubstr("position 8"));
}

// Each damage is one field of a good batch of results made wrong.
TEST(JournalCodec, RefusesDamagedColumns) {
  core::ResultsReceived results{AgentName("web-1"), 9, 100, 0, {}, {}};
  results.rows = {{0, kAt, true, rich_observation()}};
  firebreak::journal::v1::Batch good;
  ASSERT_TRUE(good.ParseFromString(encode_batch({{1, kAt, results}})));
  using Results = firebreak::journal::v1::ResultsReceived;
  const std::vector<std::pair<const char*, std::function<void(Results&)>>> damages = {
      {"an agent without a name", [](Results& r) { r.clear_agent(); }},
      {"a ref too many", [](Results& r) { r.add_ref(1); }},
      {"a time too many", [](Results& r) { r.add_observed_us(1); }},
      {"a flag too few", [](Results& r) { r.clear_confirmed(); }},
      {"an unknown status", [](Results& r) { r.mutable_observations()->set_status(0, 4); }},
      {"an unknown reason", [](Results& r) { r.mutable_observations()->set_reason(0, 200); }},
      {"an unknown phase", [](Results& r) { r.mutable_observations()->set_phase(0, 99); }},
      {"a value of no row", [](Results& r) { r.mutable_observations()->set_value_row(0, 1); }},
      {"a value of no name", [](Results& r) { r.mutable_observations()->set_value_name(0, 2); }},
      {"a value too many", [](Results& r) { r.mutable_observations()->add_value(1); }},
      {"evidence of no row", [](Results& r) { r.mutable_observations()->set_evidence_row(0, 7); }},
      {"evidence too many", [](Results& r) { r.mutable_observations()->add_evidence("x"); }},
      {"a timing of no row", [](Results& r) { r.mutable_observations()->set_timing_row(0, 7); }},
      {"a timing of no phase",
       [](Results& r) { r.mutable_observations()->set_timing_phase(0, 70); }},
      {"a series without a key", [](Results& r) { r.add_series()->set_ref(1); }},
  };
  for (const auto& [name, damage] : damages) {
    auto damaged = good;
    damage(*damaged.mutable_entries(0)->mutable_results_received());
    const auto decoded = decode_batch(damaged.SerializeAsString(), 1, keep_files);
    ASSERT_FALSE(decoded) << name;
    EXPECT_EQ(decoded.error().code, Errc::corrupt) << name;
  }
}

TEST(JournalCodec, RefusesBytesThatAreNotABatch) {
  EXPECT_FALSE(decode_batch("\xff\xff\xff", 1, keep_files));
  EXPECT_FALSE(decode_effect("\xff\xff\xff"));
  EXPECT_FALSE(decode_effect(""));
  EXPECT_FALSE(decode_incident("\xff\xff\xff"));
  EXPECT_FALSE(decode_incident(""));
}

template <class Effect>
Effect round_trip_effect(const Effect& effect) {
  EXPECT_TRUE(is_durable(effect));
  const auto decoded = decode_effect(encode_effect(effect));
  EXPECT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(decoded && std::holds_alternative<Effect>(*decoded));
  return decoded ? std::get<Effect>(*decoded) : Effect{};
}

TEST(JournalCodec, KeepsHostActions) {
  const auto back = round_trip_effect(core::OrderHostAction{ActionId("a-1"),
                                                            AgentName("web-1"),
                                                            "restart",
                                                            {{"unit", "api"}},
                                                            kAt,
                                                            IncidentId("INC-1"),
                                                            "stage 1"});

  EXPECT_EQ(back.action.str(), "a-1");
  EXPECT_EQ(back.agent.str(), "web-1");
  EXPECT_EQ(back.entry, "restart");
  EXPECT_THAT(back.parameters, ElementsAre(Pair("unit", "api")));
  EXPECT_EQ(back.expires, kAt);
  EXPECT_EQ(back.incident.str(), "INC-1");
  EXPECT_EQ(back.reason, "stage 1");
}

TEST(JournalCodec, KeepsHttpActions) {
  core::RunHttpAction action{
      ActionId("a-2"), {}, std::chrono::seconds(30), IncidentId("INC-1"), kAt};
  action.http = {"https://lb/drain", "PUT", {{"X-A", "b"}}, "{}", "/run/token", {"200", "204"}};

  const auto back = round_trip_effect(action);

  EXPECT_EQ(back.action.str(), "a-2");
  EXPECT_EQ(back.http.url, "https://lb/drain");
  EXPECT_EQ(back.http.method, "PUT");
  EXPECT_THAT(back.http.headers, ElementsAre(Pair("X-A", "b")));
  EXPECT_EQ(back.http.body, "{}");
  EXPECT_EQ(back.http.bearer_token_file, "/run/token");
  EXPECT_THAT(back.http.expect_status, ElementsAre("200", "204"));
  EXPECT_EQ(back.timeout, std::chrono::seconds(30));
  EXPECT_EQ(back.incident.str(), "INC-1");
  EXPECT_EQ(back.expires, kAt);
}

TEST(JournalCodec, KeepsNotifications) {
  core::SendNotification notification;
  notification.notification = NotificationId("n-1");
  notification.receiver = ReceiverName("team");
  notification.how = {notification.receiver, policy::SlackReceiver{"/etc/slack", ""}};
  notification.kind = core::NotificationKind::resolved;
  notification.incident = IncidentId("INC-1");
  notification.severity = "P1";
  notification.service = ServiceName("api");
  notification.title = "api <down>";
  notification.text = "it was \xff";
  notification.at = kAt;

  auto back = round_trip_effect(notification);
  EXPECT_EQ(back.notification.str(), "n-1");
  EXPECT_EQ(back.receiver.str(), "team");
  EXPECT_EQ(back.how.name.str(), "team");
  EXPECT_EQ(std::get<policy::SlackReceiver>(back.how.how).url_file, "/etc/slack");
  EXPECT_EQ(back.kind, core::NotificationKind::resolved);
  EXPECT_EQ(back.incident.str(), "INC-1");
  EXPECT_EQ(back.severity, "P1");
  EXPECT_EQ(back.service.str(), "api");
  EXPECT_EQ(back.title, "api <down>");
  EXPECT_EQ(back.text, "it was \xff");
  EXPECT_EQ(back.at, kAt);

  notification.kind = core::NotificationKind::escalated;
  notification.how.how = policy::WebhookReceiver{"https://hook", "/run/secret", {{"A", "b"}}};
  back = round_trip_effect(notification);
  EXPECT_EQ(back.kind, core::NotificationKind::escalated);
  const auto& webhook = std::get<policy::WebhookReceiver>(back.how.how);
  EXPECT_EQ(webhook.url, "https://hook");
  EXPECT_EQ(webhook.secret_file, "/run/secret");
  EXPECT_THAT(webhook.headers, ElementsAre(Pair("A", "b")));
}

TEST(JournalCodec, KnowsWhichEffectsAreDurable) {
  EXPECT_FALSE(is_durable(core::SendAssignment{}));
  EXPECT_FALSE(is_durable(core::SendProbeNow{}));
  EXPECT_FALSE(is_durable(core::ConfirmOutcome{}));
  EXPECT_FALSE(is_durable(core::PublishEntry{}));
  EXPECT_FALSE(is_durable(core::PublishValidation{}));
}

core::Incident full_incident() {
  core::Incident incident;
  incident.id = IncidentId("INC-20261121-031407");
  incident.service = ServiceName("api");
  incident.title = "api is down";
  incident.phase = core::Phase::monitoring;
  incident.severity = 0;
  incident.severity_name = "P1";
  incident.peak_severity = "P0";
  incident.peak_rank = 3;
  incident.declared = true;
  incident.detected = kAt - Duration{9};
  incident.opened = kAt;
  incident.acknowledged = kAt + Duration{1};
  incident.acknowledged_by = "ada";
  incident.quiet_since = kAt + Duration{2};
  incident.resolved = kAt + Duration{3};
  incident.resolved_by = "engine";
  incident.timeline = {{kAt, "opened", "engine", "text", "detail"}};
  incident.timeline_dropped = 4;
  core::ActionRun run;
  run.id = ActionId("a-1");
  run.name = ActionName("restart");
  run.incident = incident.id;
  run.target = "web-1";
  run.stage = 2;
  run.state = core::ActionState::failed;
  run.ordered = kAt;
  run.expires = kAt + Duration{5};
  run.finished = kAt + Duration{4};
  run.exit_code = 7;
  run.output = "output";
  run.detail = "detail";
  incident.actions = {run};
  incident.playbook.emplace();
  incident.playbook->playbook = 1;
  incident.playbook->name = "api/P1";
  incident.playbook->since = kAt;
  incident.playbook->next_stage = 2;
  incident.validation = ValidationId("v-1");
  incident.validate_at = kAt + Duration{6};
  incident.validations = 5;
  incident.last_update = kAt + Duration{7};
  incident.acknowledge_overdue = true;
  incident.resolve_overdue = true;
  return incident;
}

TEST(JournalCodec, KeepsIncidents) {
  const core::Incident from = full_incident();

  const auto decoded = decode_incident(encode_incident(from));

  ASSERT_TRUE(decoded) << decoded.error().message;
  const core::Incident& back = *decoded;
  EXPECT_EQ(encode_incident(back), encode_incident(from));
  EXPECT_EQ(back.id, from.id);
  EXPECT_EQ(back.service, from.service);
  EXPECT_EQ(back.title, from.title);
  EXPECT_EQ(back.phase, from.phase);
  EXPECT_EQ(back.severity, from.severity);
  EXPECT_EQ(back.severity_name, from.severity_name);
  EXPECT_EQ(back.peak_severity, from.peak_severity);
  EXPECT_EQ(back.peak_rank, from.peak_rank);
  EXPECT_EQ(back.declared, from.declared);
  EXPECT_EQ(back.detected, from.detected);
  EXPECT_EQ(back.opened, from.opened);
  EXPECT_EQ(back.acknowledged, from.acknowledged);
  EXPECT_EQ(back.acknowledged_by, from.acknowledged_by);
  EXPECT_EQ(back.quiet_since, from.quiet_since);
  EXPECT_EQ(back.resolved, from.resolved);
  EXPECT_EQ(back.resolved_by, from.resolved_by);
  EXPECT_EQ(back.timeline_dropped, from.timeline_dropped);
  EXPECT_EQ(back.validation, from.validation);
  EXPECT_EQ(back.validate_at, from.validate_at);
  EXPECT_EQ(back.validations, from.validations);
  EXPECT_EQ(back.last_update, from.last_update);
  EXPECT_TRUE(back.acknowledge_overdue);
  EXPECT_TRUE(back.resolve_overdue);
}

TEST(JournalCodec, KeepsWhatPeopleSayAndDo) {
  const IncidentId id("INC-1");
  const auto said = std::get<core::OverrideSeverity>(
      round_trip_request(core::OverrideSeverity{id, 1, "the press", std::chrono::minutes(5)}).what);
  EXPECT_EQ(said.incident, id);
  EXPECT_EQ(said.severity, 1U);
  EXPECT_EQ(said.reason, "the press");
  EXPECT_EQ(said.lasts, Duration{std::chrono::minutes(5)});
  const auto lifted = std::get<core::OverrideSeverity>(
      round_trip_request(core::OverrideSeverity{id, std::nullopt, "over", {}}).what);
  EXPECT_FALSE(lifted.severity);
  const auto done =
      std::get<core::StepDone>(round_trip_request(core::StepDone{id, 3, "called"}).what);
  EXPECT_EQ(done.incident, id);
  EXPECT_EQ(done.step, 3U);
  EXPECT_EQ(done.note, "called");
}

TEST(JournalCodec, KeepsAnIncidentsOverrideStepsAndRecommendations) {
  core::Incident incident;
  incident.id = IncidentId("INC-1");
  incident.severity_override = core::SeverityOverride{1, "mia", "why", kAt, 2};
  incident.steps = {{4, "call legal", kAt, true, true, kAt + Duration{1}, "eve", "done"},
                    {5, "later", kAt, false, false, std::nullopt, "", ""}};
  incident.last_step = 5;
  incident.waits_for_steps = true;
  incident.recommended = {{"roll back", kAt, true}, {"wait", kAt, false}};

  const auto back = decode_incident(encode_incident(incident));

  ASSERT_TRUE(back && back->severity_override);
  EXPECT_EQ(back->severity_override->severity, 1U);
  EXPECT_EQ(back->severity_override->by, "mia");
  EXPECT_EQ(back->severity_override->reason, "why");
  EXPECT_EQ(back->severity_override->until, kAt);
  EXPECT_EQ(back->severity_override->rules, 2U);
  ASSERT_EQ(back->steps.size(), 2U);
  EXPECT_EQ(back->steps[0].number, 4U);
  EXPECT_EQ(back->steps[0].text, "call legal");
  EXPECT_EQ(back->steps[0].due, kAt);
  EXPECT_TRUE(back->steps[0].required && back->steps[0].shown);
  EXPECT_EQ(back->steps[0].done, kAt + Duration{1});
  EXPECT_EQ(back->steps[0].done_by, "eve");
  EXPECT_EQ(back->steps[0].note, "done");
  EXPECT_FALSE(back->steps[1].required || back->steps[1].shown || back->steps[1].done);
  EXPECT_EQ(back->last_step, 5U);
  EXPECT_TRUE(back->waits_for_steps);
  ASSERT_EQ(back->recommended.size(), 2U);
  EXPECT_EQ(back->recommended[0].say, "roll back");
  EXPECT_EQ(back->recommended[0].since, kAt);
  EXPECT_TRUE(back->recommended[0].holds);
  EXPECT_FALSE(back->recommended[1].holds);
}

TEST(JournalCodec, KeepsAnIncidentsEscalation) {
  core::Incident incident;
  incident.id = IncidentId("INC-1");
  incident.escalation = core::EscalationRun{"default", kAt, {0, 3}, 2, true};

  const auto back = decode_incident(encode_incident(incident));

  ASSERT_TRUE(back && back->escalation);
  EXPECT_EQ(back->escalation->name, "default");
  EXPECT_EQ(back->escalation->since, kAt);
  EXPECT_EQ(back->escalation->passed, (std::set<std::size_t>{0, 3}));
  EXPECT_EQ(back->escalation->round, 2U);
  EXPECT_TRUE(back->escalation->stopped);
}

TEST(JournalCodec, KeepsAnIncidentsTimelineActionsAndPlaybook) {
  const auto decoded = decode_incident(encode_incident(full_incident()));

  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->timeline.size(), 1u);
  EXPECT_EQ(decoded->timeline[0].at, kAt);
  EXPECT_EQ(decoded->timeline[0].kind, "opened");
  EXPECT_EQ(decoded->timeline[0].actor, "engine");
  EXPECT_EQ(decoded->timeline[0].text, "text");
  EXPECT_EQ(decoded->timeline[0].detail, "detail");
  ASSERT_EQ(decoded->actions.size(), 1u);
  const core::ActionRun& run = decoded->actions[0];
  EXPECT_EQ(run.id.str(), "a-1");
  EXPECT_EQ(run.name.str(), "restart");
  EXPECT_EQ(run.target, "web-1");
  EXPECT_EQ(run.stage, 2u);
  EXPECT_EQ(run.state, core::ActionState::failed);
  EXPECT_EQ(run.ordered, kAt);
  EXPECT_EQ(run.expires, kAt + Duration{5});
  EXPECT_EQ(run.finished, kAt + Duration{4});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_EQ(run.output, "output");
  EXPECT_EQ(run.detail, "detail");
  ASSERT_TRUE(decoded->playbook);
  EXPECT_EQ(decoded->playbook->playbook, 1u);
  EXPECT_EQ(decoded->playbook->name, "api/P1");
  EXPECT_EQ(decoded->playbook->since, kAt);
  EXPECT_EQ(decoded->playbook->next_stage, 2u);
}

TEST(JournalCodec, KeepsAbsentTimesAbsent) {
  core::Incident incident;
  incident.id = IncidentId("INC-1");

  const auto back = decode_incident(encode_incident(incident));

  ASSERT_TRUE(back);
  EXPECT_FALSE(back->severity);
  EXPECT_FALSE(back->acknowledged);
  EXPECT_FALSE(back->quiet_since);
  EXPECT_FALSE(back->resolved);
  EXPECT_FALSE(back->validate_at);
  EXPECT_FALSE(back->playbook);
}

}  // namespace
}  // namespace firebreak::store
