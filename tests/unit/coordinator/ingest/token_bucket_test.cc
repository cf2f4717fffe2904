// A bucket gives what it promises, no more, and never forgets a debt.
#include "coordinator/ingest/token_bucket.h"

#include <gtest/gtest.h>

namespace firebreak::ingest {
namespace token_bucket_test {

using namespace std::chrono_literals;

const TokenBucket::Time kStart{1h};

TEST(TokenBucket, GivesItsBurstAtOnceAndThenItsRate) {
  TokenBucket bucket({10, 3});

  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.try_take(1, kStart)) << i;
  EXPECT_FALSE(bucket.try_take(1, kStart));
  EXPECT_FALSE(bucket.try_take(1, kStart + 99ms));
  EXPECT_TRUE(bucket.try_take(1, kStart + 100ms));
  EXPECT_FALSE(bucket.try_take(1, kStart + 100ms));
}

TEST(TokenBucket, SavesNoMoreThanItsBurst) {
  TokenBucket bucket({10, 3});

  EXPECT_TRUE(bucket.try_take(3, kStart + 24h));
  EXPECT_FALSE(bucket.try_take(1, kStart + 24h));
}

TEST(TokenBucket, PaysADebtBackAtItsRate) {
  TokenBucket bucket({1000, 100});

  EXPECT_EQ(bucket.take(100, kStart), 0ms);
  EXPECT_EQ(bucket.take(500, kStart), 500ms);
  EXPECT_EQ(bucket.take(100, kStart + 100ms), 500ms);
  EXPECT_EQ(bucket.debt(kStart + 599ms), 1ms);
  EXPECT_EQ(bucket.debt(kStart + 600ms), 0ms);
}

TEST(TokenBucket, TakesWhateverNumberAHostilePeerSends) {
  TokenBucket bucket({1, 1});

  const auto wait = bucket.take(~std::uint64_t{0}, kStart);

  EXPECT_EQ(wait, 999'999'999s);
}

}  // namespace token_bucket_test
}  // namespace firebreak::ingest
