// How far a value went within a while, as one vantage point saw it.
#include "coordinator/core/trail.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "common/limits.h"

namespace firebreak::core {
namespace trail_test {

using namespace std::chrono_literals;

constexpr Instant kStart = instant_from_unix_us(1'795'230'000'000'000);

Trail with_span(Duration span) {
  Trail trail;
  trail.configure({span});
  return trail;
}

TEST(Trail, SaysNothingOfOneValue) {
  Trail trail = with_span(1min);
  EXPECT_FALSE(trail.over(1min, kStart));
  trail.add(kStart, 5);

  EXPECT_FALSE(trail.over(1min, kStart));
}

TEST(Trail, IsFromTheFirstOfTheWindowToTheNewest) {
  Trail trail = with_span(1min);
  for (int i = 0; i <= 60; i += 10) trail.add(kStart + i * 1s, i * 2.0);

  // The window is open at its begin: the value of a minute ago is outside.
  const auto change = trail.over(1min, kStart + 60s);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->over, 50s);
  EXPECT_EQ(change->delta, 100);
  EXPECT_EQ(trail.over(20s, kStart + 60s)->over, 10s);
  EXPECT_FALSE(trail.over(10s, kStart + 60s));
}

TEST(Trail, TakesAFallForAReset) {
  Trail trail = with_span(1min);
  trail.add(kStart + 1s, 100);
  trail.add(kStart + 2s, 130);
  trail.add(kStart + 3s, 4);
  trail.add(kStart + 4s, 10);

  const auto change = trail.over(1min, kStart + 4s);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->risen, 40);
  EXPECT_EQ(change->delta, -90);
}

TEST(Trail, CountsResetsBetweenTwoPointsThatItKeeps) {
  Trail trail = with_span(1h);  // buckets of a minute
  trail.add(kStart + 1s, 10);
  trail.add(kStart + 11s, 50);
  trail.add(kStart + 21s, 0);
  trail.add(kStart + 31s, 20);

  EXPECT_EQ(trail.over(1h, kStart + 31s)->risen, 60);
  EXPECT_EQ(trail.points().size(), 2U);
}

TEST(Trail, ChangesWhenItsFirstPointLeaves) {
  Trail trail = with_span(1min);
  trail.add(kStart + 1s, 1);
  trail.add(kStart + 31s, 2);

  const auto next = trail.next_change(1min, kStart + 40s);
  ASSERT_TRUE(next);
  EXPECT_TRUE(trail.over(1min, *next - 1us));
  EXPECT_FALSE(trail.over(1min, *next));
  EXPECT_EQ(*next, kStart + 61s);
}

TEST(Trail, IsBoundedAndKeepsWhatTheLongestWindowNeeds) {
  Trail trail = with_span(10min);
  for (int i = 0; i < 10'000; ++i) trail.add(kStart + i * 1s, i);

  EXPECT_LE(trail.points().size(), limits::kWindowBuckets + 3);
  const auto change = trail.over(10min, kStart + 9999s);
  ASSERT_TRUE(change);
  EXPECT_GE(change->over, 10min - 1s);
  EXPECT_LE(change->over, 10min + 10s);
  EXPECT_EQ(change->delta, std::chrono::duration<double>(change->over).count());
}

TEST(Trail, IsOfOneLengthAsIfThereWereNoOther) {
  Trail both;
  both.configure({5min, 6h});
  Trail shorter = with_span(5min), longer = with_span(6h);
  for (int i = 0; i < 5000; ++i) {
    const Instant now = kStart + i * 7s;
    for (Trail* trail : {&both, &shorter, &longer}) trail->add(now, i % 1000);
    for (const auto& [asked, alone] :
         {std::pair{Duration{5min}, &shorter}, std::pair{Duration{6h}, &longer}}) {
      ASSERT_EQ(both.next_change(asked, now), alone->next_change(asked, now)) << i;
      const auto one = both.over(asked, now), other = alone->over(asked, now);
      ASSERT_EQ(one.has_value(), other.has_value()) << i;
      if (!one) continue;
      ASSERT_EQ(one->over, other->over) << i;
      ASSERT_EQ(one->delta, other->delta) << i;
      ASSERT_EQ(one->risen, other->risen) << i;
    }
  }
  EXPECT_LE(both.points().size(), 2 * limits::kWindowBuckets + 4);
}

TEST(Trail, OfSeveralLengthsIsTheSameReadBack) {
  Trail trail, back;
  trail.configure({1min, 1h});
  back.configure({1min, 1h});
  for (int i = 0; i < 1000; ++i) {
    trail.add(kStart + i * 7s, i % 13);
    ASSERT_TRUE(back.restore(trail.points()));
    ASSERT_EQ(back.points(), trail.points());
    ASSERT_EQ(back.next_change(1min, kStart + i * 7s), trail.next_change(1min, kStart + i * 7s));
  }
}

TEST(Trail, TakesNoValueThatIsNoNumberAndOutlivesOnesThatAreTooGreat) {
  Trail trail = with_span(1min);
  trail.add(kStart + 1s, std::numeric_limits<double>::infinity());
  trail.add(kStart + 1s, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(trail.points().empty());
  const double most = std::numeric_limits<double>::max();
  trail.add(kStart + 2s, -most);
  trail.add(kStart + 3s, most);
  trail.add(kStart + 4s, 0);
  trail.add(kStart + 5s, most);
  trail.add(kStart + 6s, 0);
  trail.add(kStart + 8s, most);  // it cannot have risen twice as far
  trail.add(kStart + 9s, 0);
  trail.add(kStart + 10s, 3);

  const auto change = trail.over(3s, kStart + 10s);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->risen, 3);
}

TEST(Trail, IsTheSameReadBack) {
  Trail trail = with_span(10min);
  for (int i = 0; i < 100; ++i) trail.add(kStart + i * 7s, i % 13);
  Trail back = with_span(10min);

  ASSERT_TRUE(back.restore(trail.points()));

  EXPECT_EQ(back.points(), trail.points());
  trail.add(kStart + 800s, 5);
  back.add(kStart + 800s, 5);
  EXPECT_EQ(back.points(), trail.points());
  EXPECT_EQ(back.over(10min, kStart + 800s)->risen, trail.over(10min, kStart + 800s)->risen);
}

TEST(Trail, RefusesWhatNoneCanHaveBeen) {
  Trail trail = with_span(1min);
  EXPECT_FALSE(trail.restore({{kStart + 1s, 1, 0}, {kStart, 2, 0}}));
  EXPECT_FALSE(trail.restore({{kStart, std::numeric_limits<double>::infinity(), 0}}));
  EXPECT_FALSE(trail.restore(std::vector<Trail::Point>(100, {kStart, 1, 0})));
  EXPECT_FALSE(trail.restore({{Instant{}, 1, 0}}));
}

TEST(Trail, KeepsWhatItHasWhenAnotherPolicyAsksForLessOrMore) {
  Trail trail = with_span(1h);
  for (int i = 0; i < 3600; i += 10) trail.add(kStart + i * 1s, i);

  trail.configure({2h});
  EXPECT_EQ(trail.over(2h, kStart + 3590s)->over, 3590s);
  trail.configure({1min});
  EXPECT_LE(trail.points().size(), 3U);
  trail.add(kStart + 3600s, 3600);
  EXPECT_LE(trail.over(1min, kStart + 3600s)->over, 1min);
}

}  // namespace trail_test
}  // namespace firebreak::core
