// Ten thousand agents at the door: all get in, soon, and never faster than they may.
#include "coordinator/ingest/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <vector>

namespace firebreak::ingest {
namespace {

using namespace std::chrono_literals;

const TokenBucket::Time kStart{1h};
constexpr Rate kRate{limits::kAttachesPerSecond, limits::kAttachesBurst};

TEST(Admission, LetsAQuietFleetInAtOnce) {
  Admission admission(kRate, Rng(1));

  for (std::uint64_t i = 0; i < limits::kAttachesBurst; ++i)
    ASSERT_FALSE(admission.ask(kStart)) << i;
  EXPECT_TRUE(admission.ask(kStart));
}

TEST(Admission, AsksForJitteredAndBoundedWaits) {
  Admission admission({1, 1}, Rng(1));
  EXPECT_FALSE(admission.ask(kStart));
  std::vector<Duration> waits;
  for (int i = 0; i < 100000; ++i) waits.push_back(*admission.ask(kStart));

  EXPECT_GE(*std::min_element(waits.begin(), waits.end()), 1s);
  EXPECT_LE(*std::max_element(waits.begin(), waits.end()), limits::kReconnectAfterMax);
  std::sort(waits.begin(), waits.end());
  EXPECT_GT(std::unique(waits.begin(), waits.end()) - waits.begin(), 90000);
}

class Storm : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Storm, OfTenThousandAgentsIsOverWithinAMinute) {
  Admission admission(kRate, Rng(GetParam()));
  // Each comes within the first half second, as its own back-off has it, and again when told.
  Rng rng(GetParam() + 1000);
  std::priority_queue<TokenBucket::Time, std::vector<TokenBucket::Time>, std::greater<>> arrivals;
  for (int i = 0; i < 10000; ++i) arrivals.push(kStart + rng.below(500'000) * 1us);
  std::vector<TokenBucket::Time> admitted;
  int asked = 0;
  for (; !arrivals.empty(); ++asked) {
    const auto now = arrivals.top();
    arrivals.pop();
    if (const auto after = admission.ask(now))
      arrivals.push(now + *after + rng.below(500'000) * 1us);
    else
      admitted.push_back(now);
  }

  ASSERT_EQ(admitted.size(), 10000U);
  EXPECT_LE(admitted[9900] - kStart, 65s);
  EXPECT_LE(asked, 25000);
  // In no second more than the rate and what the bucket may have saved.
  for (std::size_t i = 1000; i < admitted.size(); i += 100)
    EXPECT_GE(admitted[i] - admitted[i - 1000],
              1s * static_cast<int>(1000 - limits::kAttachesBurst - 1) /
                  static_cast<int>(limits::kAttachesPerSecond));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Storm, testing::Range<std::uint64_t>(1, 6));

}  // namespace
}  // namespace firebreak::ingest
