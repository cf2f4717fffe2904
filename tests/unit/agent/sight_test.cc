// When a target's silence is believed, and when it is the agent that is blind.
#include "agent/sight.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kBegan{seconds(1000)};

// A run of two seconds that ended then.
Silence silence(Instant ended, bool is_known = false) {
  return {ended - seconds(2), ended, is_known};
}

// An agent whose anchors answered at first, and then no more.
Sight blinded_at(Instant now) {
  Sight sight;
  sight.answered(kBegan);
  EXPECT_TRUE(sight.silent(now - seconds(1), now));
  return sight;
}

TEST(Sight, HostWithoutAnchorsBelievesWhatItSees) {
  Sight sight;
  EXPECT_EQ(sight.judge(silence(kBegan)), Verdict::believe);

  EXPECT_FALSE(sight.silent(kBegan, kBegan + seconds(1)));

  EXPECT_FALSE(sight.blind_since());
  EXPECT_EQ(sight.judge(silence(kBegan + seconds(2))), Verdict::believe);
}

TEST(Sight, AsksBeforeItBelieves) {
  Sight sight;
  sight.answered(kBegan);
  const Instant failed = kBegan + seconds(30);

  EXPECT_EQ(sight.judge(silence(failed)), Verdict::ask);
  EXPECT_FALSE(sight.answered(failed + milliseconds(3)));
  EXPECT_EQ(sight.judge(silence(failed)), Verdict::believe);
}

TEST(Sight, AnAnswerOfJustBeforeIsEnough) {
  Sight sight;
  sight.answered(kBegan);

  EXPECT_EQ(sight.judge(silence(kBegan + limits::kSightHolds)), Verdict::believe);
  EXPECT_EQ(sight.judge(silence(kBegan + limits::kSightHolds + milliseconds(1))), Verdict::ask);
}

TEST(Sight, AFailureThatIsKnownNeedsNoFreshAnswer) {
  Sight sight;
  sight.answered(kBegan);

  EXPECT_EQ(sight.judge(silence(kBegan + seconds(9), true)), Verdict::believe);
  EXPECT_EQ(sight.judge(silence(kBegan + seconds(9), false)), Verdict::ask);
  EXPECT_EQ(sight.judge(silence(kBegan + seconds(11), true)), Verdict::ask);
}

TEST(Sight, IsBlindWhenNobodyAnswersWhoDidBefore) {
  const Instant now = kBegan + seconds(30);
  const Sight sight = blinded_at(now);

  ASSERT_TRUE(sight.blind_since());
  EXPECT_EQ(*sight.blind_since(), now);
  EXPECT_EQ(sight.judge(silence(now)), Verdict::excuse);
  EXPECT_EQ(sight.judge(silence(now + seconds(5), true)), Verdict::excuse);
}

TEST(Sight, IsBlindOnlyOnce) {
  const Instant now = kBegan + seconds(30);
  Sight sight = blinded_at(now);

  EXPECT_FALSE(sight.silent(now + seconds(2), now + seconds(3)));
  EXPECT_EQ(*sight.blind_since(), now);
}

TEST(Sight, SilenceOfARoundIsNoneWhenSomebodyAnsweredMeanwhile) {
  Sight sight;
  sight.answered(kBegan + milliseconds(500));  // the coordinator's link, not the round

  EXPECT_FALSE(sight.silent(kBegan, kBegan + seconds(1)));
  EXPECT_FALSE(sight.blind_since());
}

TEST(Sight, SeesAgainWithTheFirstAnswer) {
  const Instant now = kBegan + seconds(30);
  Sight sight = blinded_at(now);
  const Instant back = now + seconds(10);

  EXPECT_TRUE(sight.answered(back));

  EXPECT_FALSE(sight.blind_since());
  // What began in the dark proves nothing, however it ended.
  EXPECT_EQ(sight.judge({back - seconds(1), back + milliseconds(10), false}), Verdict::excuse);
  EXPECT_EQ(sight.judge({back, back + milliseconds(10), false}), Verdict::believe);
  EXPECT_EQ(sight.judge({back, back + seconds(5), false}), Verdict::ask);
}

TEST(Sight, AnOldAnswerDoesNotEndABlindness) {
  const Instant now = kBegan + seconds(30);
  Sight sight = blinded_at(now);

  EXPECT_FALSE(sight.answered(now - seconds(5)));
  EXPECT_TRUE(sight.blind_since());
}

TEST(Sight, LooksSeldomWhileItSeesAndOftenWhileItDoesNot) {
  Sight sight;
  sight.answered(kBegan);
  EXPECT_EQ(sight.next_look(), kBegan + limits::kAnchorBeat);

  const Instant now = kBegan + seconds(30);
  EXPECT_EQ(blinded_at(now).next_look(), now + limits::kAnchorBeatBlind);
}

}  // namespace
}  // namespace firebreak::agent
