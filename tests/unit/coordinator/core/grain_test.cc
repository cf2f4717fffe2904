// Every length is kept finely enough, in few rings.
#include "coordinator/core/grain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::core {
namespace grain_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(Grain, OfOneLengthIsASixtiethOfItAndASecondAtLeast) {
  EXPECT_THAT(grains_of({5min}), ElementsAre(Grain{5min, 5s}));
  EXPECT_THAT(grains_of({24h}), ElementsAre(Grain{24h, 24min}));
  EXPECT_THAT(grains_of({10s}), ElementsAre(Grain{10s, 1s}));
  EXPECT_THAT(grains_of({61s}), ElementsAre(Grain{61s, 1'016'667us}));
}

TEST(Grain, IsSharedByLengthsThatAreClose) {
  EXPECT_THAT(grains_of({5min, 10min, 11min, 6h}),
              ElementsAre(Grain{10min, 5s}, Grain{11min, 11s}, Grain{6h, 6min}));
  EXPECT_THAT(grains_of({3s, 30s, 2min}), ElementsAre(Grain{2min, 1s}));
}

TEST(Grain, IsNoneForNoLength) {
  EXPECT_TRUE(grains_of({0s, -1min}).empty());
}

TEST(Grain, IsFineEnoughForEachOfAnyLengths) {
  std::set<Duration> lengths;
  for (Duration length = 1s; length <= 24h; length += 7s) lengths.insert(length);
  lengths.insert(24h);

  const std::vector<Grain> grains = grains_of(lengths);

  EXPECT_EQ(grains.size(), 11U);
  for (const Grain& grain : grains) {
    EXPECT_TRUE(is_grain(grain));
    EXPECT_LE(bucket_count(grain), 2 * limits::kWindowBuckets + 1);
  }
  for (const Duration length : lengths) {
    const Grain& grain = serving(grains, length);
    ASSERT_GE(grain.span, length);
    ASSERT_LE(grain.width, bucket_width(length));
  }
}

}  // namespace grain_test
}  // namespace firebreak::core
