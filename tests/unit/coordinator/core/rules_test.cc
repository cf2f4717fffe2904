// How a service's rules make its severity: holds, keeps, and what nobody can say.
#include "coordinator/core/rules.h"

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace rules_test {

const ProbeKey kHealth = key("api", "health");
const ProbeKey kQueue = key("api", "queue");

std::string with_rules(const std::string& rules, const std::string& probe_options = "") {
  return R"yaml(
severities: {P1: {}, P2: {}, P3: {}}
facts: {customers: 0, breach: false}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s)yaml" +
         probe_options + R"yaml(}
      queue: {queue: {redis: "cache:6379", list: jobs}, every: 5s, timeout: 2s}
rules:
)yaml" + rules;
}

World with_agents(const std::string& rules, int agents, const std::string& probe_options = "") {
  World world(with_rules(rules, probe_options));
  for (int i = 0; i < agents; ++i) world.attach(std::string(1, static_cast<char>('a' + i)));
  return world;
}

TEST(Rules, TakeTheFirstLevelThatIsTrue) {
  World world = with_agents(
      "  - {service: api, severity: {P1: \"value('queue') > 10\", P2: \"value('queue') > 5\"}}", 1);

  world.result("a", kQueue, with_value(Status::ok, "length", 6));
  EXPECT_EQ(world.severity("api"), "P2");
  world.result("a", kQueue, with_value(Status::ok, "length", 11));
  EXPECT_EQ(world.severity("api"), "P1");
  world.result("a", kQueue, with_value(Status::ok, "length", 5));
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, GiveTheServiceTheMostSevereOfThem) {
  World world = with_agents(
      "  - {service: api, severity: {P3: facts.breach}}\n"
      "  - {service: api, severity: {P2: facts.customers > 10}}",
      1);

  world.set_fact("breach", true);
  EXPECT_EQ(world.severity("api"), "P3");
  world.set_fact("customers", 11);
  EXPECT_EQ(world.severity("api"), "P2");
}

TEST(Rules, NeitherRaiseNorLowerWithoutData) {
  World world = with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 1);
  world.pass(1min);
  EXPECT_EQ(world.severity("api"), "none");

  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.severity("api"), "P1");
  world.detach("a");
  world.pass(1h);
  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_TRUE(world.state.services.at(ServiceName("api")).blind);

  world.attach("a", {}, 2);
  world.result("a", kHealth, Status::ok);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, SinkNoFurtherThanALevelThatCannotBeDecided) {
  World world = with_agents(
      "  - {service: api, severity: {P1: facts.breach, P2: \"!available('health')\"}}", 1);
  world.set_fact("breach", true);

  world.set_fact("breach", false);

  EXPECT_EQ(world.severity("api"), "P2");
  world.result("a", kHealth, Status::ok);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, CountAfterTheyHaveHeldForTheirTime) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}, for: 30s}", 1);
  const Instant fault = world.now;

  world.keep("a", kHealth, Status::critical, 29s, 1s);
  EXPECT_EQ(world.severity("api"), "none");
  world.keep("a", kHealth, Status::critical, 2s, 1s);

  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_EQ(world.incident().opened, fault + 30s);
  EXPECT_EQ(world.incident().detected, fault);
}

TEST(Rules, BeginTheirHoldAnewWhenTheyWereNotTrueOrNotKnownInBetween) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}, for: 30s}", 1);
  world.keep("a", kHealth, Status::critical, 20s);
  world.detach("a");
  world.pass(1min);
  world.attach("a", {}, 2);

  world.keep("a", kHealth, Status::critical, 25s);
  EXPECT_EQ(world.severity("api"), "none");
  world.keep("a", kHealth, Status::critical, 10s);
  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Rules, NeedNoSecondHoldForASeverityThatStoodWhileNobodySaw) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}, for: 30s}", 1);
  world.keep("a", kHealth, Status::critical, 35s);
  world.detach("a");
  ASSERT_TRUE(world.state.services.at(ServiceName("api")).blind);
  world.attach("a", {}, 2);

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_FALSE(world.state.services.at(ServiceName("api")).blind);
}

// The agent stayed attached, and its probe gave no result for a while: it hung, or stood still.
TEST(Rules, AreLookedAtWhenASilentSeriesIsBackWithTheSameVerdict) {
  World world = with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 1);
  world.result("a", kHealth, Status::critical);
  world.pass(2min);
  ASSERT_TRUE(world.state.services.at(ServiceName("api")).blind);

  world.result("a", kHealth, Status::critical);

  EXPECT_FALSE(world.state.services.at(ServiceName("api")).blind);
}

TEST(Rules, LowerAtOnceToALevelThatHasNotHeldYet) {
  World world = with_agents(
      "  - {service: api, severity: {P1: facts.breach, P2: facts.customers > 10}, for: 1m}", 1);
  world.set_fact("breach", true);
  world.pass(1min);
  ASSERT_EQ(world.severity("api"), "P1");
  world.set_fact("customers", 11);

  world.set_fact("breach", false);

  EXPECT_EQ(world.severity("api"), "P2");
}

TEST(Rules, KeepASeverityForTheirTimeAfterItHasGone) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}, keep_for: 1m}", 1);
  world.result("a", kHealth, Status::critical);

  world.keep("a", kHealth, Status::ok, 55s);
  EXPECT_EQ(world.severity("api"), "P1");
  world.keep("a", kHealth, Status::ok, 5s);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, WantMoreThanHalfOfTheVantagePointsUnlessToldOtherwise) {
  World world = with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 4);
  for (const char* agent : {"a", "b", "c", "d"}) world.result(agent, kHealth, Status::ok);

  world.result("a", kHealth, Status::critical);
  world.result("b", kHealth, Status::critical);
  EXPECT_EQ(world.severity("api"), "none");
  world.result("c", kHealth, Status::critical);
  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Rules, WantAsManyVantagePointsAsTheProbeNeeds) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 4, ", need: 1");
  for (const char* agent : {"a", "b", "c", "d"}) world.result(agent, kHealth, Status::ok);

  world.result("d", kHealth, Status::critical);

  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Rules, CannotSayWhenFewerCanSeeThanMustFail) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 3, ", need: 2");

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
  EXPECT_EQ(world.severity("api"), "none");
  world.result("b", kHealth, Status::critical);
  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Rules, WaitAfterAStartForAgentsThatWereKnown) {
  World world = with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 3);
  for (const char* agent : {"a", "b", "c"}) world.result(agent, kHealth, Status::ok);
  world.step(Started{2});

  world.attach("a", {}, 2);
  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.severity("api"), "none");

  world.keep("a", kHealth, Status::critical, limits::kWarmUp);
  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Rules, DoNotCountWhatWasSeenBeforeAStart) {
  World world = with_agents("  - {service: api, severity: {P1: \"!available('health')\"}}", 1);
  world.result("a", kHealth, Status::critical);
  auto& incident = world.incident();
  world.ask(ResolveIncident{incident.id, "a drill"});
  world.step(Started{2});
  world.attach("a", {}, 2);

  world.pass(1s);

  EXPECT_TRUE(world.state.services.at(ServiceName("api")).blind);
}

TEST(Rules, SeeAWindowChangeWithTimeAlone) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"error_rate('health', 20s) > 0.5\"}}", 1);
  const Instant start = world.now;
  world.result("a", kHealth, Status::critical);
  world.pass(1s);
  ASSERT_EQ(world.severity("api"), "P1");
  world.pass(5s);
  world.result("a", kHealth, Status::ok);
  world.pass(5s);
  world.result("a", kHealth, Status::ok);
  ASSERT_EQ(world.severity("api"), "none");

  world.result("a", kHealth, observation(Status::ok));
  // Nothing more comes: not before the first result leaves the window.
  world.pass(8s + 999ms);
  EXPECT_EQ(world.now, start + 19s + 999ms);
  EXPECT_LE(world.state.services.at(ServiceName("api")).evaluated, start + 12s);
  world.pass(1ms);
  EXPECT_EQ(world.state.services.at(ServiceName("api")).evaluated, start + 20s);
}

TEST(Rules, ReadAShortWindowAsExactlyBesideALongOne) {
  World world = with_agents(
      "  - {service: api, severity: {P1: \"error_rate('health', 5m) > 0.0\"}}\n"
      "  - {service: api, severity: {P2: \"error_rate('health', 6h) > 0.0\"}}",
      1);
  world.pass(77s);  // into a bucket of either
  world.result("a", kHealth, Status::critical);
  world.pass(1s);
  world.keep("a", kHealth, Status::ok, 295s);
  ASSERT_EQ(world.severity("api"), "P1");

  // A sixtieth of five minutes late at most, not a sixtieth of six hours.
  world.keep("a", kHealth, Status::ok, 10s);
  EXPECT_EQ(world.severity("api"), "P2");
  world.keep("a", kHealth, Status::ok, 6h - 310s);
  EXPECT_EQ(world.severity("api"), "P2");
  world.keep("a", kHealth, Status::ok, 370s);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, AreNotJudgedByEachOfManyResultsWhenTheyReadAWindow) {
  World world =
      with_agents("  - {service: api, severity: {P1: \"error_rate('health', 20s) > 0.5\"}}", 3);
  world.pass(2s);
  world.result("a", kHealth, Status::critical);
  ASSERT_EQ(world.severity("api"), "P1");

  world.pass(500ms);
  const Instant evaluated = world.state.services.at(ServiceName("api")).evaluated;
  world.result("b", kHealth, Status::ok);
  world.result("c", kHealth, Status::ok);
  EXPECT_EQ(world.state.services.at(ServiceName("api")).evaluated, evaluated);
  world.pass(500ms);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Rules, OfOneServiceReadProbesOfAnother) {
  World world(R"yaml(
severities: {P1: {}}
services:
  db: {agents: 'true', probes: {ready: {http: "http://db/"}}}
  api: {agents: 'true', probes: {health: {http: "http://api/"}}}
rules:
  - {service: api, severity: {P1: "!available('db/ready')"}}
)yaml");
  world.attach("a");

  world.result("a", key("db", "ready"), Status::critical);

  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_EQ(world.incident().title, "db/ready is critical on 1 of 1 agent (refused)");
}

}  // namespace rules_test
}  // namespace firebreak::core
