// What a rule means that cannot be decided, and how many results it takes to decide it.
#include "common/limits.h"
#include "coordinator/core/rules.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace no_data_test {

const ProbeKey kHealth = key("api", "health");
const ServiceName kApi("api");
// Three intervals of 5 s, a timeout of 2 s, and a result's way.
constexpr Duration kStale = 17s + limits::kDeliverySlack;

std::string with_rule(const std::string& rest) {
  return R"yaml(
severities: {P1: {}, P2: {}, P3: {}}
facts: {breach: false}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health", every: 5s, timeout: 2s}}
actions: {restart: {host: restart-api, cooldown: 1m, timeout: 10s}}
playbooks:
  - {on: {service: api, severity: P2}, stages: [{at: 0s, do: restart}, {at: 5m, do: restart}]}
  - {on: {service: api, severity: P1}, stages: [{at: 0s, do: restart}]}
rules:
  - service: api
    severity: {P1: facts.breach, P2: "!available('health')"}
)yaml" + rest;
}

World with_agent(const std::string& rest) {
  World world(with_rule(rest));
  world.attach("a");
  return world;
}

TEST(NoData, AlertsWhenTheProbeWouldBeStaleAtTheMildestLevel) {
  World world = with_agent("    no_data: alert\n");
  const Instant start = world.now;
  world.pass(kStale - 1us);
  EXPECT_EQ(world.severity("api"), "none");
  EXPECT_TRUE(world.state.incidents.empty());

  world.pass(1us);

  EXPECT_EQ(world.severity("api"), "P2");
  EXPECT_TRUE(world.state.services.at(kApi).blind);
  EXPECT_EQ(world.incident().severity_name, "P2");
  EXPECT_EQ(world.incident().detected, start);
  EXPECT_EQ(world.incident().title, "api/1: no data (api/health: no fresh result)");
}

TEST(NoData, AlertsAtTheLevelThatIsNamedAndAfterTheRulesHold) {
  World world = with_agent("    no_data: {alert: P3}\n    for: 1m\n");
  world.pass(1min - 1us);
  EXPECT_EQ(world.severity("api"), "none");
  world.pass(1us);
  EXPECT_EQ(world.severity("api"), "P3");
}

TEST(NoData, IsNoNewsWhileALevelSaysWhatIsWrong) {
  World world = with_agent("    no_data: {alert: P1}\n");
  world.pass(1s);
  world.set_fact("breach", true);
  ASSERT_EQ(world.severity("api"), "P1");
  world.pass(1h);
  EXPECT_FALSE(world.state.services.at(kApi).no_data);
  EXPECT_FALSE(world.state.services.at(kApi).blind);
}

TEST(NoData, NeverStartsContainment) {
  World world = with_agent("    no_data: alert\n");
  world.pass(1h);
  ASSERT_EQ(world.incident().severity_name, "P2");

  EXPECT_TRUE(world.asked_ever<OrderHostAction>().empty());
  EXPECT_TRUE(world.incident().actions.empty());
  EXPECT_EQ(World::entries(world.incident(), "action"),
            std::vector<std::string>{"playbook api/P2 waits: nothing is done on missing data"});
}

TEST(NoData, LetsThePlaybookBeginWhenThereIsDataThatSaysSo) {
  World world = with_agent("    no_data: alert\n");
  world.pass(10min);
  world.result("a", kHealth, Status::critical);

  EXPECT_FALSE(world.state.services.at(kApi).blind);
  EXPECT_EQ(world.asked<OrderHostAction>().size(), 1U);
  ASSERT_TRUE(world.incident().playbook);
  EXPECT_EQ(world.incident().playbook->since, world.now) << "five minutes count from here";
  EXPECT_EQ(world.incident().playbook->next_stage, 1U);
}

// What missing data has raised has been held by nobody: the first failure does not count at once.
TEST(NoData, GivesTheLevelNoHoldForFree) {
  World world = with_agent("    no_data: alert\n    for: 1m\n");
  world.pass(10min);
  ASSERT_EQ(world.severity("api"), "P2");

  world.keep("a", kHealth, Status::critical, 55s);
  EXPECT_TRUE(world.state.services.at(kApi).blind);
  EXPECT_TRUE(world.asked_ever<OrderHostAction>().empty());
  world.keep("a", kHealth, Status::critical, 10s);
  EXPECT_FALSE(world.state.services.at(kApi).blind);
  EXPECT_FALSE(world.asked_ever<OrderHostAction>().empty());
}

TEST(NoData, EndsWithTheFirstGoodResult) {
  World world = with_agent("    no_data: alert\n");
  world.pass(10min);
  world.result("a", kHealth, Status::ok);

  EXPECT_EQ(world.severity("api"), "none");
  EXPECT_FALSE(world.state.services.at(kApi).no_data);
  EXPECT_EQ(world.incident().phase, Phase::monitoring);
}

TEST(NoData, LeavesASeverityThatStandsAsItIs) {
  World world = with_agent("    no_data: {alert: P3}\n");
  world.result("a", kHealth, Status::critical);
  ASSERT_EQ(world.severity("api"), "P2");
  world.detach("a");
  world.pass(1h);

  EXPECT_EQ(world.severity("api"), "P2");
  EXPECT_TRUE(world.state.services.at(kApi).blind);
  EXPECT_EQ(world.state.incidents.size(), 1U);
}

TEST(NoData, IsNoNewsWhileAgentsAreAwaitedAfterAStart) {
  World world = with_agent("    no_data: alert\n");
  world.result("a", kHealth, Status::ok);
  world.step(Started{2});

  world.pass(limits::kWarmUp - 1s);
  EXPECT_EQ(world.severity("api"), "none");
  world.pass(kStale + 2s);
  EXPECT_EQ(world.severity("api"), "P2");
}

TEST(NoData, ThatIsOkLetsASeverityFall) {
  World world = with_agent("    no_data: ok\n    keep_for: 30s\n");
  world.result("a", kHealth, Status::critical);
  ASSERT_EQ(world.severity("api"), "P2");
  world.detach("a");
  world.pass(30s - 1us);
  EXPECT_EQ(world.severity("api"), "P2");
  world.pass(1us);
  EXPECT_EQ(world.severity("api"), "none");
}

// ---- samples

TEST(Samples, AreCountedInTheSignalsWindow) {
  World world = with_agent(
      "  - {service: api, samples: 3, severity: {P1: \"error_rate('health', 1m) > 0.5\"}}\n"
      "  - {service: api, severity: {P3: \"error_rate('health', 2m) > 1.5\"}}\n");
  world.result("a", kHealth, Status::critical);
  world.pass(5s);
  world.result("a", kHealth, Status::critical);
  world.pass(4s);
  EXPECT_EQ(world.severity("api"), "P2") << "of the other rule";
  world.pass(1s);
  world.result("a", kHealth, Status::critical);
  world.pass(1s);
  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(Samples, ThatAreTooFewLowerNothingEither) {
  World world = with_agent(
      "  - {service: api, samples: 3, severity: {P1: \"error_rate('health', 1m) > 0.5\"}}\n");
  for (int i = 0; i < 3; ++i) {
    world.result("a", kHealth, Status::critical);
    world.pass(5s);
  }
  ASSERT_EQ(world.severity("api"), "P1");
  world.pass(70s);
  world.result("a", kHealth, Status::ok);
  world.pass(5s);
  world.result("a", kHealth, Status::ok);
  world.pass(4s);
  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_TRUE(world.state.services.at(kApi).blind);

  world.pass(1s);
  world.result("a", kHealth, Status::ok);
  world.pass(1s);

  EXPECT_EQ(world.severity("api"), "none");
}

TEST(Samples, OfASignalWithoutAWindowAreCountedWithinTheHold) {
  World world = with_agent(
      "  - {service: api, samples: 5, for: 20s, severity: {P1: \"!available('health')\"}}\n");
  // Every 5 s: only four within any 20 s, however long it fails.
  world.keep("a", kHealth, Status::critical, 2min);
  EXPECT_EQ(world.severity("api"), "P2");
  // Every 3 s: six or seven; and then for 20 s.
  world.keep("a", kHealth, Status::critical, 1min, 3s);
  EXPECT_EQ(world.severity("api"), "P1");
}

}  // namespace no_data_test
}  // namespace firebreak::core
