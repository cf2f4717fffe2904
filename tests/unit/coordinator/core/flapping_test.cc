// When a service begins to flap and when it is calm again, by the two thresholds alone.
#include "coordinator/core/flapping.h"

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace flapping_test {

constexpr Instant kStart = instant_from_unix_us(1'795'230'000'000'000);
const policy::Flapping kPolicy{3, 10min, 5min};

class FlappingTest : public ::testing::Test {
 protected:
  FlapNews change(Duration after) { return judge_flapping(kPolicy, state, true, kStart + after); }
  FlapNews look(Duration after) { return judge_flapping(kPolicy, state, false, kStart + after); }
  FlapState state;
};

TEST_F(FlappingTest, BeginsWithTheLastOfSoManyChangesWithinTheTime) {
  EXPECT_EQ(change(0min), FlapNews::none);
  EXPECT_EQ(change(9min), FlapNews::none);
  EXPECT_EQ(change(10min - 1us), FlapNews::begun);
  EXPECT_EQ(change(11min), FlapNews::none);
}

TEST_F(FlappingTest, ForgetsChangesThatAreTooOld) {
  EXPECT_EQ(change(0min), FlapNews::none);
  EXPECT_EQ(change(9min), FlapNews::none);
  EXPECT_EQ(change(10min), FlapNews::none);
  EXPECT_EQ(change(11min), FlapNews::begun);
}

TEST_F(FlappingTest, IsCalmWhenNothingHasChangedForSoLong) {
  for (const Duration after : {0min, 1min, 2min}) static_cast<void>(change(after));
  ASSERT_TRUE(state.since);

  EXPECT_EQ(look(7min - 1us), FlapNews::none);
  EXPECT_EQ(change(7min - 1us), FlapNews::none);
  EXPECT_EQ(look(12min - 2us), FlapNews::none);
  EXPECT_EQ(look(12min - 1us), FlapNews::calm);
  EXPECT_TRUE(state.changes.empty());
}

TEST_F(FlappingTest, RemembersNoMoreThanItNeeds) {
  for (int i = 0; i < 1000; ++i) static_cast<void>(change(Duration(i)));
  EXPECT_EQ(state.changes.size(), 3U);
}

}  // namespace flapping_test
}  // namespace firebreak::core
