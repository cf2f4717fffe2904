// After a start nobody acts before enough agents are back, and nobody is waited for for ever.
#include "coordinator/core/warm_up.h"

#include <gmock/gmock.h>

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace warm_up_test {

using ::testing::Contains;
using ::testing::HasSubstr;

const ProbeKey kHealth = key("api", "health");

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/", every: 5s, timeout: 2s, need: 2}}
rules: [{service: api, severity: {P1: "!available('health')"}}]
actions: {warm: {http: {post: "http://api/warm"}}}
playbooks: [{on: {service: api, severity: P1}, stages: [{at: 0m, do: [warm]}]}]
checklists: {api: [{expect: "available('health')", hold: 1s, samples: 1}]}
)yaml";

std::string name(int i) {
  return "a" + std::to_string(10 + i);
}

// Ten agents that see the service well, then a start.
class WarmUpTest : public ::testing::Test {
 protected:
  WarmUpTest() {
    for (int i = 0; i < 10; ++i) world.attach(name(i));
    for (int i = 0; i < 10; ++i) world.result(name(i), kHealth, Status::ok);
  }
  void start() { world.step(Started{2}); }
  void comes_back(int i, Status status = Status::ok) {
    world.attach(name(i), {}, ++lives_);
    says(i, status);
  }
  void says(int i, Status status) { world.result(name(i), kHealth, status); }
  [[nodiscard]] bool is_frozen() const { return frozen_until(world.state, world.now).has_value(); }
  [[nodiscard]] std::size_t actions() const { return world.asked_ever<RunHttpAction>().size(); }

  World world{kPolicy};

 private:
  std::uint64_t lives_ = 1;  // incarnations, new ones for those that come back
};

TEST_F(WarmUpTest, FreezesUntilNineInTenAreBack) {
  start();
  for (int i = 0; i < 8; ++i) comes_back(i);
  EXPECT_TRUE(is_frozen());
  EXPECT_EQ(describe_warm_up(world.state), "8 of 10 agents are back");

  comes_back(8);

  EXPECT_FALSE(is_frozen());
  EXPECT_TRUE(is_warming_up(world.state, world.now));
  comes_back(9);
  EXPECT_FALSE(is_warming_up(world.state, world.now));
}

TEST_F(WarmUpTest, DoesNotWaitForEver) {
  start();
  comes_back(0);

  world.pass(limits::kWarmUp - 1us);
  EXPECT_TRUE(is_frozen());
  world.pass(1us);
  EXPECT_FALSE(is_frozen());
}

TEST_F(WarmUpTest, AnAgentIsBackWhenItHasSaidSomething) {
  ResultsReceived repeated = world.batch(name(0), kHealth, observation(Status::ok), world.now);
  world.step(repeated);
  start();
  world.attach(name(0));
  world.step(repeated);
  EXPECT_EQ(describe_warm_up(world.state), "0 of 10 agents are back");

  repeated.first_seq += 1;
  world.step(repeated);

  EXPECT_EQ(describe_warm_up(world.state), "1 of 10 agents are back");
}

TEST_F(WarmUpTest, AwaitsNobodyWhoWasAwayLongBefore) {
  world.detach(name(9));
  world.keep(name(0), kHealth, Status::ok, limits::kAwaitedWhenSeen + 10s);

  start();

  EXPECT_TRUE(world.state.warm_up.away.contains(AgentName(name(8))));
  EXPECT_FALSE(world.state.warm_up.away.contains(AgentName(name(9))));
}

// As a coordinator does that stops in good order.
TEST_F(WarmUpTest, AwaitsThoseThatWereDetachedJustBeforeTheStop) {
  for (int i = 0; i < 10; ++i) world.detach(name(i));
  world.pass(1h);

  start();

  EXPECT_EQ(world.state.warm_up.away.size(), 10U);
}

TEST_F(WarmUpTest, GoesOnAfterASecondStart) {
  start();
  comes_back(0);
  world.pass(1s);
  start();

  EXPECT_EQ(world.state.warm_up.away.size(), 10U);
  EXPECT_EQ(describe_warm_up(world.state), "0 of 10 agents are back");
}

TEST_F(WarmUpTest, OpensNothingFromMissingData) {
  start();
  world.pass(limits::kWarmUp - 1us);
  comes_back(0, Status::critical);

  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
  EXPECT_TRUE(world.state.incidents.empty());
}

// Two vantage points are enough for this probe, whoever else is missing.
TEST_F(WarmUpTest, OpensAnIncidentForAFaultThatEnoughSeeButDoesNothingYet) {
  start();
  comes_back(0, Status::critical);
  comes_back(1, Status::critical);

  EXPECT_EQ(world.told_ever(NotificationKind::opened).size(), 0U);  // the severity tells nobody
  EXPECT_EQ(world.incident().severity_name, "P1");
  EXPECT_EQ(actions(), 0U);
  EXPECT_THAT(World::entries(world.incident(), "action"),
              Contains(HasSubstr("its actions wait: 2 of 10 agents are back")));

  for (int i = 2; i < 9; ++i) comes_back(i);

  EXPECT_EQ(actions(), 1U);
  EXPECT_THAT(World::entries(world.incident(), "warm-up"),
              Contains("enough agents are back to go on; 9 of 10 agents are back"));
}

TEST_F(WarmUpTest, ActsWhenTheWaitIsOverAndTheFaultIsNot) {
  start();
  comes_back(0, Status::critical);
  comes_back(1, Status::critical);
  for (Duration waited{}; waited < limits::kWarmUp; waited += 5s) {
    EXPECT_EQ(actions(), 0U) << waited.count();
    says(0, Status::critical);
    says(1, Status::critical);
    world.pass(5s);
  }

  EXPECT_EQ(actions(), 1U);
}

TEST_F(WarmUpTest, ValidatesNoRecoveryYet) {
  world.result(name(0), kHealth, Status::critical);
  world.result(name(1), kHealth, Status::critical);
  ASSERT_EQ(world.incident().severity_name, "P1");
  start();
  EXPECT_THAT(World::entries(world.incident(), "warm-up"),
              Contains(HasSubstr("0 of 10 agents are back")));

  for (int i = 0; i < 8; ++i) comes_back(i);
  world.pass(10s);
  EXPECT_FALSE(world.incident().resolved);
  EXPECT_TRUE(World::entries(world.incident(), "validation").empty());

  for (int i = 0; i < 8; ++i) says(i, Status::ok);
  comes_back(8);
  world.pass(3s);
  EXPECT_FALSE(World::entries(world.incident(), "validation").empty());
}

TEST_F(WarmUpTest, IsNotBegunByAFirstStart) {
  World fresh(kPolicy);
  fresh.step(Started{1});
  fresh.attach("a");

  EXPECT_FALSE(is_warming_up(fresh.state, fresh.now));
}

}  // namespace warm_up_test
}  // namespace firebreak::core
