// Which policies were in force, and how much of them is kept.
#include "coordinator/core/policy_history.h"

#include <string>

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core::policy_history {
namespace {

policy::Policy policy_of(const std::string& digest, std::size_t bytes = 10) {
  policy::Policy policy;
  policy.digest = digest;
  policy.files = {{"p.yaml", std::string(bytes, 'x')}};
  return policy;
}
Instant at(int second) {
  return instant_from_unix_us(second * 1'000'000);
}

TEST(PolicyHistory, KeepsWhatWasAppliedWithItsAuthorAndTime) {
  World world("severities: {P1: {}}\n");
  world.pass(1s);
  world.step(PolicyChanged{World::load("severities: {P2: {}}\n"), "operator:mia"});

  const PolicyHistory& history = world.state.policy_history;
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0].by, "test");
  EXPECT_EQ(history[1].by, "operator:mia");
  EXPECT_EQ(history[1].at - history[0].at, 1s);
  EXPECT_EQ(history[1].digest, world.state.policy->digest);
  ASSERT_NE(history[0].files, nullptr);
  EXPECT_EQ((*history[0].files)[0].text, "severities: {P1: {}}\n");
}

TEST(PolicyHistory, SharesTheFilesOfOneDigest) {
  PolicyHistory history;
  for (const char* digest : {"a", "b", "a"})
    remember_policy(history, policy_of(digest), "x", at(1));
  EXPECT_EQ(history[0].files, history[2].files);
  EXPECT_NE(history[0].files, history[1].files);
}

TEST(PolicyHistory, ForgetsTheOldest) {
  PolicyHistory history;
  for (std::size_t i = 0; i < limits::kPolicyVersionsMax + 3; ++i)
    remember_policy(history, policy_of(std::to_string(i)), "x", at(1));
  ASSERT_EQ(history.size(), limits::kPolicyVersionsMax);
  EXPECT_EQ(history.front().digest, "3");
}

TEST(PolicyHistory, ForgetsTheOldestTextsBeyondTheirBytes) {
  PolicyHistory history;
  for (const char* digest : {"a", "b", "c"})
    remember_policy(history, policy_of(digest, limits::kPolicyHistoryBytes / 2 - 100), "x", at(1));
  ASSERT_EQ(history.size(), 3U);
  EXPECT_EQ(history[0].files, nullptr);
  EXPECT_NE(history[1].files, nullptr);
  EXPECT_NE(history[2].files, nullptr);
}

TEST(PolicyHistory, AChangeIsRefusedWhenAnotherPolicyIsInForceByThen) {
  World world("severities: {P1: {}}\n");
  const auto next = World::load("severities: {P2: {}}\n");
  const std::string now = world.state.policy->digest;
  EXPECT_TRUE(admissible(world.state, PolicyChanged{next, "mia", now}));
  EXPECT_TRUE(admissible(world.state, PolicyChanged{next, "mia"}));
  EXPECT_FALSE(admissible(world.state, PolicyChanged{next, "mia", next->digest}));
}

}  // namespace
}  // namespace firebreak::core::policy_history
