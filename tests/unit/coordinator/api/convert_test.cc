// What the coordinator knows is shown whole, or it is said how much is not.
#include "coordinator/api/convert.h"

#include <firebreak/v1/operator.pb.h>

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "coordinator/policy/loader.h"

namespace firebreak::api {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kStart = instant_from_unix_us(1'795'230'847'000'000);

core::Incident an_incident(const std::string& id = "INC-1") {
  core::Incident incident;
  incident.id = IncidentId(id);
  incident.service = ServiceName("api");
  incident.title = "down\xff";
  incident.severity_name = "P1";
  incident.peak_severity = "P1";
  incident.detected = kStart;
  incident.opened = kStart + 1s;
  core::ActionRun run;
  run.id = ActionId("a-1");
  run.name = ActionName("restart");
  run.target = "web-1";
  run.ordered = kStart + 2s;
  run.output = "output";
  incident.actions.push_back(run);
  incident.timeline.push_back({kStart + 1s, "opened", "engine", "opened as P1", "refused"});
  return incident;
}

TEST(IncidentToProto, ShowsEveryField) {
  core::Incident incident = an_incident();
  incident.phase = core::Phase::resolved;
  incident.acknowledged = kStart + 3s;
  incident.acknowledged_by = "alice";
  incident.resolved = kStart + 9s;
  incident.resolved_by = "engine";
  incident.actions[0].state = core::ActionState::failed;
  incident.actions[0].exit_code = 7;
  incident.actions[0].finished = kStart + 5s;

  const v1::Incident out = to_proto(incident, Detail::full);

  EXPECT_EQ(out.title(), "down\xef\xbf\xbd");
  EXPECT_EQ(out.phase(), "resolved");
  EXPECT_EQ(out.opened_unix_us() - out.detected_unix_us(), 1'000'000);
  EXPECT_EQ(out.acknowledged_by(), "alice");
  EXPECT_EQ(out.resolved_unix_us() - out.acknowledged_unix_us(), 6'000'000);
  ASSERT_EQ(out.timeline_size(), 1);
  EXPECT_EQ(out.timeline(0).detail(), "refused");
  ASSERT_EQ(out.actions_size(), 1);
  EXPECT_EQ(out.actions(0).state(), v1::ACTION_STATE_FAILED);
  EXPECT_EQ(out.actions(0).exit_code(), 7);
  EXPECT_EQ(out.actions(0).output(), "output");
  EXPECT_FALSE(out.actions(0).pending());
}

TEST(IncidentToProto, ASummaryHasNoTimelineAndNoOutput) {
  const v1::Incident out = to_proto(an_incident(), Detail::summary);
  EXPECT_EQ(out.timeline_size(), 0);
  ASSERT_EQ(out.actions_size(), 1);
  EXPECT_TRUE(out.actions(0).pending());
  EXPECT_EQ(out.actions(0).output(), "");
  EXPECT_EQ(out.acknowledged_unix_us(), 0);
}

TEST(IncidentToProto, TheLargestFitsIntoOneMessage) {
  core::Incident incident = an_incident();
  incident.actions[0].output = std::string(limits::kActionOutputBytesMax, 'o');
  incident.actions.resize(100, incident.actions[0]);
  incident.timeline.clear();
  const std::string long_text(limits::kTextBytesMax, 't');
  for (std::size_t i = 0; i < limits::kTimelineEntriesMax; ++i)
    incident.timeline.push_back({kStart, "note", std::to_string(i), long_text, long_text});
  incident.timeline_dropped = 5;

  const v1::Incident out = to_proto(incident, Detail::full);

  EXPECT_LT(out.ByteSizeLong(), limits::kMessageBytesMax);
  EXPECT_EQ(out.timeline(0).actor(), "0");
  EXPECT_EQ(out.timeline(out.timeline_size() - 1).actor(), "1999");
  EXPECT_EQ(out.timeline_dropped() + static_cast<std::uint64_t>(out.timeline_size()), 2005u);
  EXPECT_EQ(out.actions_size(), 100);
}

TEST(Incidents, BeginWithTheWorstOpenOneAndEndWithWhatIsOver) {
  core::State state;
  for (const char* id : {"INC-1", "INC-2", "INC-3", "INC-4", "INC-5"}) {
    core::Incident incident = an_incident(id);
    incident.opened = kStart + (id[4] - '0') * 1s;
    incident.severity = id[4] == '1' ? 0 : 1;
    if (id[4] == '4') incident.resolved = kStart + 9s;
    if (id[4] == '5') incident.severity.reset();
    state.incidents.emplace(incident.id, incident);
  }
  const auto ids = [&](bool include_resolved, std::size_t limit) {
    v1::ListIncidentsResponse out;
    fill_incidents(state, include_resolved, limit, out);
    std::string all;
    for (const auto& incident : out.incidents()) all += incident.id() + " ";
    return all + "+" + std::to_string(out.left_out());
  };
  EXPECT_EQ(ids(false, 100), "INC-1 INC-3 INC-2 INC-5 +0");
  EXPECT_EQ(ids(true, 100), "INC-1 INC-3 INC-2 INC-5 INC-4 +0");
  EXPECT_EQ(ids(true, 1), "INC-1 +4");
}

TEST(Incidents, SayHowManyDoNotFitIntoAMessage) {
  core::State state;
  for (int i = 0; i < 1000; ++i) {
    core::Incident incident = an_incident(("INC-" + std::to_string(i)).c_str());
    incident.title = std::string(2000, 't');
    state.incidents.emplace(incident.id, incident);
  }
  v1::ListIncidentsResponse out;

  fill_incidents(state, false, 1000, out);

  EXPECT_LT(out.ByteSizeLong(), limits::kMessageBytesMax);
  EXPECT_GT(out.incidents_size(), 100);
  EXPECT_EQ(out.left_out() + static_cast<std::uint32_t>(out.incidents_size()), 1000U);
}

core::State a_state() {
  const auto loaded = policy::load_policy({{"policy.yaml", R"(
severities: {P1: {}, P2: {}}
facts:
  customers: {type: int, default: 3}
services:
  api:
    agents: "true"
    probes:
      health: {http: "http://127.0.0.1/", every: 5s}
  web:
    agents: "true"
    probes:
      health: {http: "http://127.0.0.1/", every: 5s}
)"}});
  if (!loaded.policy) throw std::runtime_error(loaded.problems);
  core::State state;
  state.policy = loaded.policy;
  const ProbeKey key{ServiceName("api"), ProbeName("health")};
  core::AgentState agent;
  agent.name = AgentName("web-1");
  agent.attached = true;
  agent.labels = {{"role", "edge"}};
  agent.services = {ServiceName("api"), ServiceName("web")};
  core::SeriesState series;
  series.live = true;
  series.confirmed = Status::critical;
  series.confirmed_by.reason = Reason::refused;
  series.confirmed_by.evidence = "connection refused";
  series.confirmed_by.values = {{"length", 4}};
  series.observed = kStart;
  agent.series.emplace(key, series);
  state.vantages[ServiceName("api")] = {agent.name};
  state.agents.emplace(agent.name, agent);
  return state;
}

TEST(Services, ShowEachVantagePoint) {
  v1::ListServicesResponse out;
  ASSERT_TRUE(fill_service(a_state(), ServiceName("api"), out));
  ASSERT_EQ(out.services_size(), 1);
  ASSERT_EQ(out.services(0).probes(0).vantages_size(), 1);
  const auto& vantage = out.services(0).probes(0).vantages(0);
  EXPECT_EQ(vantage.agent(), "web-1");
  EXPECT_EQ(vantage.status(), v1::STATUS_CRITICAL);
  EXPECT_EQ(vantage.reason(), "refused");
  EXPECT_EQ(vantage.evidence(), "connection refused");
  EXPECT_EQ(vantage.values(0).name(), "length");
}

TEST(Services, AnAgentNotHeardSinceItAttachedTellsNothing) {
  core::State state = a_state();
  state.agents.begin()->second.series.begin()->second.live = false;
  v1::ListServicesResponse out;
  ASSERT_TRUE(fill_service(state, ServiceName("api"), out));
  EXPECT_EQ(out.services(0).probes(0).vantages(0).status(), v1::STATUS_UNKNOWN);
}

TEST(Services, AreAllThereOrOneOrNotFound) {
  v1::ListServicesResponse all;
  ASSERT_TRUE(fill_services(a_state(), {}, all));
  EXPECT_EQ(all.services_size(), 2);
  v1::ListServicesResponse none;
  const auto refused = fill_service(a_state(), ServiceName("wed"), none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_THAT(refused.error().message, HasSubstr("did you mean 'web'?"));
}

TEST(Services, ComeInPages) {
  v1::ListServicesResponse first, second;

  ASSERT_TRUE(fill_services(a_state(), {1, ServiceName()}, first));
  ASSERT_TRUE(fill_services(a_state(), {1, ServiceName("api")}, second));

  ASSERT_EQ(first.services_size(), 1);
  EXPECT_EQ(first.services(0).name(), "api");
  EXPECT_TRUE(first.more());
  ASSERT_EQ(second.services_size(), 1);
  EXPECT_EQ(second.services(0).name(), "web");
  EXPECT_FALSE(second.more());
}

TEST(Agents, ShowWhatTheyProbe) {
  v1::ListAgentsResponse out;
  ASSERT_TRUE(fill_agents(a_state(), {}, out));
  ASSERT_EQ(out.agents_size(), 1);
  EXPECT_EQ(out.agents(0).probes(), 2u);
  EXPECT_EQ(out.agents(0).labels().at("role"), "edge");
}

core::State many_agents(int count, std::size_t labels) {
  core::State state;
  core::AgentState agent;
  for (std::size_t i = 0; i < labels; ++i)
    agent.labels.emplace(std::to_string(i), std::string(limits::kLabelBytesMax, 'v'));
  for (int i = 0; i < count; ++i) {
    agent.name = AgentName("a" + std::to_string(10000 + i));
    state.agents.emplace(agent.name, agent);
  }
  return state;
}

TEST(Agents, ComeInPagesThatFitIntoAMessageAndLoseNothing) {
  const core::State state = many_agents(200, limits::kLabelsMax);
  int seen = 0, pages = 0;
  Page<AgentName> page{limits::kListedMax, AgentName()};
  for (bool more = true; more; ++pages) {
    v1::ListAgentsResponse out;
    ASSERT_TRUE(fill_agents(state, page, out));
    ASSERT_GT(out.agents_size(), 0);
    EXPECT_LT(out.ByteSizeLong(), limits::kMessageBytesMax);
    for (const auto& agent : out.agents()) {
      EXPECT_EQ(agent.name(), "a" + std::to_string(10000 + seen++));
      EXPECT_EQ(agent.labels_size(), static_cast<int>(limits::kLabelsMax));
    }
    page.after = AgentName(out.agents(out.agents_size() - 1).name());
    more = out.more();
  }
  EXPECT_EQ(seen, 200);
  EXPECT_GT(pages, 2);
}

TEST(Agents, AreRefusedWhenAllOfThemAreAskedForAndDoNotFit) {
  v1::ListAgentsResponse out;

  const auto refused = fill_agents(many_agents(120000, 0), {}, out);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
}

TEST(Facts, ShowDefaultsAndWhatServicesHaveOfTheirOwn) {
  core::State state = a_state();
  state.facts[{FactName("customers"), ServiceName("api")}] = {cel::Value(7), "alice", kStart};

  v1::ListFactsResponse out;
  fill_facts(state, out);

  ASSERT_EQ(out.facts_size(), 2);
  EXPECT_TRUE(out.facts(0).is_default());
  EXPECT_EQ(out.facts(0).value().int_value(), 3);
  EXPECT_EQ(out.facts(1).service(), "api");
  EXPECT_EQ(out.facts(1).value().int_value(), 7);
  EXPECT_EQ(out.facts(1).set_by(), "alice");
}

TEST(StatusOfAll, Counts) {
  core::State state = a_state();
  state.incidents.emplace(IncidentId("INC-1"), an_incident());
  state.counters.results = 12;

  v1::GetStatusResponse out;
  fill_status(state, kStart, out);

  EXPECT_EQ(out.agents_attached(), 1u);
  EXPECT_EQ(out.agents_known(), 1u);
  EXPECT_EQ(out.services(), 2u);
  EXPECT_EQ(out.incidents_open(), 1u);
  EXPECT_EQ(out.results_committed(), 12u);
  EXPECT_EQ(out.worst_size() + static_cast<int>(out.services_ok()), 2);
}

TEST(Validations, NameTheirChecksByThePolicyTheyBeganWith) {
  core::Validation validation;
  validation.id = ValidationId("v1");
  validation.service = ServiceName("api");
  validation.policy = a_state().policy;
  validation.started = kStart;
  core::CheckState check;
  check.started = true;
  check.attempt = 2;
  check.samples = 4;
  check.true_since = kStart + 1s;
  validation.checks = {check};

  const auto out = to_proto(validation, kStart + 3s);

  EXPECT_EQ(out.verdict(), v1::VERDICT_UNSPECIFIED);
  ASSERT_EQ(out.checks_size(), 1);
  EXPECT_FALSE(out.checks(0).name().empty());
  EXPECT_TRUE(out.checks(0).running());
  EXPECT_EQ(out.checks(0).attempt(), 2u);
  EXPECT_GT(out.checks(0).attempts_max(), 0u);
  EXPECT_EQ(out.checks(0).held_us(), 2'000'000);
}

}  // namespace
}  // namespace firebreak::api
