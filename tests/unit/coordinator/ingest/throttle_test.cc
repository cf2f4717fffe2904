// An honest agent never waits; one that floods waits as long as its flood is worth.
#include "coordinator/ingest/throttle.h"

#include <gtest/gtest.h>

namespace firebreak::ingest {
namespace throttle_test {

using namespace std::chrono_literals;

const TokenBucket::Time kStart{1h};

TEST(Throttle, NeverHoldsTheBusiestHonestAgentBack) {
  Throttle throttle;

  // 10,000 probes every second in full batches, and each of their faults looked at once more.
  for (int second = 0; second < 3600; ++second)
    for (int batch = 0; batch < 20; ++batch)
      ASSERT_EQ(throttle.charge(limits::kBatchResultsMax, kStart + second * 1s), 0s) << second;
  EXPECT_EQ(throttle.times(), 0U);
}

TEST(Throttle, LetsABacklogOfTwoSecondsInAtOnce) {
  Throttle throttle;
  for (int batch = 0; batch < 40; ++batch)
    ASSERT_EQ(throttle.charge(limits::kBatchResultsMax, kStart), 0s);

  EXPECT_EQ(throttle.charge(limits::kBatchResultsMax, kStart), 50ms);
}

TEST(Throttle, ReadsAFloodAtTheAgentsShare) {
  Throttle throttle;
  auto now = kStart;
  std::uint64_t taken = 0;
  while (now < kStart + 60s) {
    taken += limits::kBatchResultsMax;
    now += throttle.charge(limits::kBatchResultsMax, now);
  }

  EXPECT_LE(taken, 60 * limits::kAgentResultsPerSecond + limits::kAgentResultsBurst + 1000);
  EXPECT_GE(taken, 60 * limits::kAgentResultsPerSecond);
  EXPECT_GT(throttle.times(), 0U);
  EXPECT_GE(throttle.held(), 57s);
}

// What a message costs is not only its results.
TEST(Throttle, ReadsAFloodOfEmptyMessagesNoFasterThanOneOfSmallBatches) {
  Throttle throttle;
  auto now = kStart;
  std::uint64_t messages = 0;
  for (; now < kStart + 60s; ++messages) now += throttle.charge(0, now);

  EXPECT_LE(messages, 62 * limits::kAgentResultsPerSecond / limits::kMessageCost + 1);
}

}  // namespace throttle_test
}  // namespace firebreak::ingest
