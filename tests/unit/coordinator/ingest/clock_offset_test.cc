// Where agents' clocks stand, whatever the way here does to their messages.
#include "coordinator/ingest/clock_offset.h"

#include <gtest/gtest.h>

namespace firebreak::ingest {
namespace clock_offset_test {

using namespace std::chrono_literals;

// The agent's clock is at 1000 s then.
constexpr Instant kStart = instant_from_unix_us(1'795'230'000'000'000);
constexpr Duration kSent = 1000s;

TEST(ClockOffset, PlacesAMomentByTheMessageThatTellsOfIt) {
  ClockOffset offset;
  offset.heard(kSent, kStart);

  EXPECT_EQ(offset.place(kSent - 300ms), kStart - 300ms);
}

TEST(ClockOffset, DoesNotTakeWaitingOnTheWayForYouth) {
  ClockOffset offset;
  offset.heard(kSent, kStart);

  // Held up for 4 s and then for 2: the results in it are no younger for it.
  offset.heard(kSent + 1s, kStart + 5s);
  EXPECT_EQ(offset.place(kSent + 1s), kStart + 1s);
  offset.heard(kSent + 10s, kStart + 12s);
  EXPECT_EQ(offset.place(kSent + 10s), kStart + 10s);
}

TEST(ClockOffset, LearnsTheShortestWay) {
  ClockOffset offset;
  offset.heard(kSent, kStart + 3s);
  EXPECT_EQ(offset.place(kSent), kStart + 3s);

  offset.heard(kSent + 5s, kStart + 5s);

  EXPECT_EQ(offset.place(kSent + 5s), kStart + 5s);
}

TEST(ClockOffset, FollowsADriftingClock) {
  ClockOffset offset;
  Duration sent = kSent;
  Instant received = kStart;
  // The agent's clock is slow by 100 ppm, for a day of heartbeats.
  for (int i = 0; i < 86400 / 5; ++i, sent += 5s - 500us, received += 5s)
    offset.heard(sent, received);

  const Duration error = offset.place(sent) - received;
  EXPECT_LE(error, 0ms);
  EXPECT_GE(error, -10ms);
}

TEST(ClockOffset, FindsAClockThatStoodStill) {
  ClockOffset offset;
  offset.heard(kSent, kStart);

  // Suspended for ten minutes: the clock goes on where it was.
  const Instant after = kStart + 10min;
  for (int i = 1; i <= 3; ++i) offset.heard(kSent + i * 1s, after + i * 1s);

  EXPECT_EQ(offset.place(kSent + 3s), after + 3s);
}

TEST(ClockOffset, IsNotFooledByABacklogThatDrains) {
  ClockOffset offset;
  offset.heard(kSent, kStart);

  // A minute of batches, one per second, comes in at once after a stall.
  for (int i = 1; i <= 60; ++i) offset.heard(kSent + i * 1s, kStart + 60s + i * 1ms);

  EXPECT_EQ(offset.place(kSent + 1s), kStart + 1s);
  EXPECT_EQ(offset.place(kSent + 60s), kStart + 60s);
}

TEST(ClockOffset, IsNotFooledByOneOfManySmallBatches) {
  ClockOffset offset;
  offset.heard(kSent, kStart);

  for (int i = 1; i <= 600; ++i) offset.heard(kSent + i * 100ms, kStart + 60s + i * 1ms);

  EXPECT_EQ(offset.place(kSent + 1s), kStart + 1s);
}

}  // namespace clock_offset_test
}  // namespace firebreak::ingest
