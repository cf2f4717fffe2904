// What a signal was before something was wrong.
#include "coordinator/core/baseline.h"

#include "coordinator/core/signal_values.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace baseline_test {

const ProbeKey kHealth = key("api", "health");
const ServiceName kApi("api");

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}, P2: {}}
facts: {slow: false}
services:
  api: {agents: 'true', probes: {health: {http: "http://api/health", every: 5s, timeout: 2s}}}
rules:
  - {service: api, for: 20s, severity: {P2: "p95('health', 30s) > 100ms"}}
  - service: api
    severity:
      P1: "error_rate('health', 30s) > baseline_error_rate('health', 5m) + 0.5 || baseline_p95('health', 5m) > 1h"
)yaml";

class BaselineOfAService : public testing::Test {
 protected:
  BaselineOfAService() : world(kPolicy) { world.attach("a"); }
  void see(int count, Duration latency, Status status = Status::ok) {
    for (int i = 0; i < count; ++i) {
      world.result("a", kHealth, observation(status, latency));
      world.pass(5s);
    }
  }
  cel::Value ask(policy::Signal signal, Duration window = 5min) {
    return ServiceSignals(world.state, kApi, world.now)
        .call(static_cast<int>(signal), std::vector<cel::Value>{"health", cel::Value(window)});
  }
  const ServiceState& service() { return world.state.services.at(kApi); }
  World world;
};

TEST_F(BaselineOfAService, IsTheLiveSignalWhileAllIsWell) {
  EXPECT_TRUE(ask(policy::Signal::baseline_p95).is_unknown());
  see(10, 10ms);
  EXPECT_EQ(ask(policy::Signal::baseline_p95), cel::Value(10ms));
  see(10, 20ms);
  EXPECT_EQ(ask(policy::Signal::baseline_p95), cel::Value(20ms));
  EXPECT_EQ(ask(policy::Signal::baseline_error_rate), cel::Value(0.0));
  EXPECT_FALSE(service().held_at);
}

TEST_F(BaselineOfAService, StandsStillFromTheFirstLevelThatIsTrueEvenBeforeItHasHeld) {
  see(60, 10ms);
  see(1, 200ms);
  ASSERT_TRUE(service().held_at);
  EXPECT_EQ(world.severity("api"), "none") << "it has not held for 20 s";
  const cel::Value held = ask(policy::Signal::baseline_p95);

  see(60, 200ms);

  EXPECT_EQ(world.severity("api"), "P2");
  EXPECT_EQ(ask(policy::Signal::baseline_p95), held);
  EXPECT_LE(held.as_duration(), 11ms);
  EXPECT_EQ(ask(policy::Signal::p95, 5min), cel::Value(200ms));
}

TEST_F(BaselineOfAService, LetsGoWhenTheIncidentIsOver) {
  see(20, 10ms);
  see(20, 200ms);
  ASSERT_EQ(world.severity("api"), "P2");
  see(10, 10ms);
  ASSERT_EQ(world.severity("api"), "none");
  EXPECT_TRUE(service().held_at) << "its incident is still open";

  world.ask(ResolveIncident{world.incident().id, "it was me"});
  see(2, 30ms);

  EXPECT_FALSE(service().held_at);
  EXPECT_TRUE(service().baselines.empty());
}

TEST_F(BaselineOfAService, IsUnknownWhenThereWasNothingBefore) {
  world.use(std::string(kPolicy) + "  - {service: api, severity: {P2: facts.slow}}\n");
  world.set_fact("slow", true);
  ASSERT_TRUE(service().held_at);
  see(20, 10ms);

  EXPECT_TRUE(ask(policy::Signal::baseline_p95).is_unknown());
}

TEST_F(BaselineOfAService, HasANumberForEachCallOfItsRules) {
  see(20, 10ms);
  see(6, 200ms);
  ASSERT_EQ(service().baselines.size(), 2U);
  for (const Baseline& held : service().baselines)
    EXPECT_EQ(baseline_named(name_of_baseline(held.signal)), held.signal);
  EXPECT_FALSE(baseline_named("p95"));
}

TEST(Baseline, IsHeldForAChecklistAndARecommendationToo) {
  World world(R"yaml(
severities: {P1: {}}
facts: {bad: false}
services:
  api: {agents: 'true', probes: {health: {http: "http://api/health", every: 5s, timeout: 2s}}}
rules: [{service: api, severity: {P1: facts.bad}}]
checklists:
  api: [{expect: "p95('health', 30s) <= baseline_p95('health', 5m)"}]
recommendations:
  - {service: api, when: "mean('health', 30s) > baseline_mean('health', 5m) || delta('health', 1m) > 0.0", say: scale}
)yaml");
  world.attach("a");
  const auto see = [&](Duration latency) {
    for (int i = 0; i < 70; ++i) {
      world.result("a", kHealth, observation(Status::ok, latency));
      world.pass(5s);
    }
  };
  see(10ms);
  world.set_fact("bad", true);
  see(200ms);

  const ServiceState& api = world.state.services.at(kApi);
  ASSERT_TRUE(api.held_at);
  ASSERT_EQ(api.baselines.size(), 2U);
  for (const Baseline& held : api.baselines) EXPECT_LT(held.value, 20'000) << "microseconds";
  EXPECT_FALSE(world.state.inputs->probes.at(kHealth).trails.empty()) << "delta() needs one";
}

}  // namespace baseline_test
}  // namespace firebreak::core
