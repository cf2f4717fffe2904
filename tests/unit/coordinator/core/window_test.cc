// A window forgets what is old, never what is asked for, and its quantiles stay within their bound.
#include "coordinator/core/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace firebreak::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart = instant_from_unix_us(1'700'000'000'000'000);

Window window_of(Duration span) {
  Window window;
  window.configure({span});
  return window;
}

Window::Sample ok(Duration latency = 1ms) {
  return {.failed = false, .latency = latency, .value = {}};
}
Window::Sample failed(Duration latency = 1ms) {
  return {.failed = true, .latency = latency, .value = {}};
}
Window::Sample with_value(double value) {
  return {.failed = false, .latency = 1ms, .value = value};
}

TEST(Window, KeepsNothingBeforeItIsConfigured) {
  Window window;
  window.add(kStart, ok());

  EXPECT_EQ(window.over(1min, kStart).samples, 0U);
  EXPECT_EQ(window.span(), Duration{0});
}

TEST(Window, SumsUpWhatItWasGiven) {
  Window window = window_of(1min);
  window.add(kStart + 1s, ok(10ms));
  window.add(kStart + 2s, failed(30ms));
  window.add(kStart + 3s, {.failed = false, .latency = 20ms, .value = 7});
  window.add(kStart + 4s, {.failed = false, .latency = 0ms, .value = -2});

  const Window::Summary summary = window.over(1min, kStart + 5s);
  EXPECT_EQ(summary.samples, 4U);
  EXPECT_EQ(summary.failures, 1U);
  EXPECT_EQ(summary.latency_sum, Duration{60ms});
  EXPECT_EQ(summary.latency_max, Duration{30ms});
  EXPECT_EQ(summary.values, 2U);
  EXPECT_EQ(summary.value_sum, 5);
  EXPECT_EQ(summary.value_min, -2);
  EXPECT_EQ(summary.value_max, 7);
}

TEST(Window, LeavesOutWhatIsOlderThanAskedFor) {
  Window window = window_of(1min);
  for (int second = 0; second < 60; ++second) window.add(kStart + second * 1s, ok());

  EXPECT_EQ(window.over(10s, kStart + 59s).samples, 10U);
  EXPECT_EQ(window.over(1min, kStart + 59s).samples, 60U);
  EXPECT_EQ(window.over(1min, kStart + 89s).samples, 30U);
  EXPECT_EQ(window.over(1min, kStart + 10min).samples, 0U);
}

TEST(Window, IsExactAtItsOldEndWhenTimesAreWholeBuckets) {
  Window window = window_of(1min);
  window.add(kStart, failed());
  window.add(kStart + 1min, ok());

  EXPECT_EQ(window.over(1min, kStart + 1min).failures, 0U);
  EXPECT_EQ(window.over(1min, kStart + 1min).samples, 1U);
}

// Each of the lengths, at every sample: all that is younger, and at most a bucket more.
void expect_exact(const std::set<Duration>& lengths, Duration over) {
  std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same times in every run
  std::uniform_int_distribution<std::int64_t> times(0, over.count());
  std::vector<Instant> samples;
  for (int i = 0; i < 4000; ++i) samples.push_back(kStart + Duration{times(random)});
  std::sort(samples.begin(), samples.end());

  Window window;
  window.configure(lengths);
  for (auto newest = samples.begin(); newest != samples.end(); ++newest) {
    window.add(*newest, ok());
    const auto younger_than = [&](Duration age) {
      return static_cast<std::uint64_t>(
          std::next(newest) - std::upper_bound(samples.begin(), std::next(newest), *newest - age));
    };
    for (const Duration asked : lengths) {
      const std::uint64_t counted = window.over(asked, *newest).samples;
      ASSERT_GE(counted, younger_than(asked)) << asked.count();
      ASSERT_LE(counted, younger_than(asked + std::max<Duration>(1s, asked / 60 + 1us)))
          << asked.count();
    }
  }
}

TEST(Window, IsNeverShorterThanAskedFor) {
  expect_exact({7min + 13s}, 1h);
}

TEST(Window, IsAsExactForAShortLengthAsForALongOne) {
  expect_exact({5min, 6h}, 12h);
  expect_exact({10s, 90s, 5min, 7min, 10min, 1h, 6h, 24h}, 50h);
}

TEST(Window, IsOfOneLengthAsIfThereWereNoOther) {
  Window both;
  both.configure({5min, 6h});
  Window shorter = window_of(5min), longer = window_of(6h);
  for (int i = 0; i < 5000; ++i) {
    const Instant now = kStart + i * 7s;
    for (Window* window : {&both, &shorter, &longer}) window->add(now, with_value(i));
    for (const auto& [asked, alone] :
         {std::pair{Duration{5min}, &shorter}, std::pair{Duration{6h}, &longer}}) {
      ASSERT_EQ(both.next_change(asked, now), alone->next_change(asked, now)) << i;
      const Window::Summary one = both.over(asked, now), other = alone->over(asked, now);
      ASSERT_EQ(one.samples, other.samples) << i;
      ASSERT_EQ(one.value_sum, other.value_sum) << i;
      ASSERT_EQ(one.histogram, other.histogram) << i;
    }
  }
}

TEST(Window, OfALengthThatNobodyAskedForIsNeverShorterEither) {
  Window window;
  window.configure({5min, 6h});
  for (int i = 0; i < 3600; ++i) window.add(kStart + i * 1s, ok());
  const Instant now = kStart + 3599s;

  EXPECT_GE(window.over(1min, now).samples, 60U);  // buckets of 5 s
  EXPECT_LE(window.over(1min, now).samples, 65U);
  EXPECT_GE(window.over(10min, now).samples, 600U);  // of 6 min
  EXPECT_LE(window.over(10min, now).samples, 960U);
  EXPECT_EQ(window.over(24h, now).samples, 3600U);
}

TEST(Window, TakesSamplesInAnyOrder) {
  Window forwards = window_of(1min);
  Window backwards = window_of(1min);
  for (int second = 0; second < 60; ++second) {
    forwards.add(kStart + second * 1s, with_value(second));
    backwards.add(kStart + (59 - second) * 1s, with_value(59 - second));
  }

  for (const Duration asked : {1s, 17s, 60s}) {
    const Window::Summary a = forwards.over(asked, kStart + 59s);
    const Window::Summary b = backwards.over(asked, kStart + 59s);
    EXPECT_EQ(a.samples, b.samples);
    EXPECT_EQ(a.value_sum, b.value_sum);
    EXPECT_EQ(a.value_min, b.value_min);
    EXPECT_EQ(a.histogram, b.histogram);
  }
}

TEST(Window, DropsASampleOlderThanItsSpan) {
  Window window = window_of(1min);
  window.add(kStart + 1h, ok());
  window.add(kStart + 1h - 1min, failed());
  window.add(kStart, failed());

  EXPECT_EQ(window.over(1min, kStart + 1h).samples, 1U);
  EXPECT_EQ(window.over(1min, kStart + 1h).failures, 0U);
  EXPECT_EQ(window.over(1min, kStart).samples, 0U);
}

TEST(Window, ForgetsABucketWhenTheRingComesRound) {
  Window window = window_of(10s);
  for (int second = 0; second < 1000; ++second) {
    window.add(kStart + second * 1s, with_value(second));
    const Window::Summary newest = window.over(1s, kStart + second * 1s);
    ASSERT_EQ(newest.samples, 1U);
    ASSERT_EQ(newest.value_max, second);
    ASSERT_LE(window.over(10s, kStart + second * 1s).samples, 10U);
  }
}

TEST(Window, DoesNotCountTheFuture) {
  Window window = window_of(1min);
  window.add(kStart + 30s, failed());

  EXPECT_EQ(window.over(1min, kStart + 10s).samples, 0U);
  EXPECT_EQ(window.over(1min, kStart + 30s).samples, 1U);
}

TEST(Window, SurvivesTimesBeforeTheEpochAndWindowsOfNothing) {
  Window window = window_of(1min);
  window.add(Instant{} - 1h, ok());
  window.add(Instant{}, ok());
  window.add(Instant{} + 1us, ok());

  EXPECT_EQ(window.over(1min, Instant{} + 1us).samples, 1U);
  EXPECT_EQ(window.over(1min, Instant{}).samples, 0U);
  EXPECT_EQ(window.over(1min, Instant{} - 1h).samples, 0U);
  EXPECT_EQ(window.over(0s, Instant{} + 1s).samples, 0U);
  EXPECT_EQ(window.over(24h, Instant{} + 1s).samples, 1U);
}

TEST(Window, LeavesOutValuesThatAreNoNumbers) {
  Window window = window_of(1min);
  window.add(kStart, with_value(std::nan("")));
  window.add(kStart, with_value(std::numeric_limits<double>::infinity()));
  window.add(kStart, with_value(3));

  EXPECT_EQ(window.over(1min, kStart).samples, 3U);
  EXPECT_EQ(window.over(1min, kStart).values, 1U);
  EXPECT_EQ(window.over(1min, kStart).value_max, 3);
}

TEST(Quantile, IsEmptyWithoutSamples) {
  EXPECT_FALSE(window_of(1min).over(1min, kStart).quantile(0.95));
}

TEST(Quantile, OfOneSampleIsThatSample) {
  Window window = window_of(1min);
  window.add(kStart, ok(437ms));

  for (const double q : {0.0, 0.5, 0.99, 1.0})
    EXPECT_EQ(window.over(1min, kStart).quantile(q), Duration{437ms});
}

TEST(Quantile, StaysWithinItsBoundForEveryLatency) {
  for (std::int64_t us = 1; us < Duration{24h}.count(); us += 1 + us / 97) {
    Window window = window_of(1min);
    window.add(kStart, ok(Duration{us}));
    window.add(kStart, ok(30h));

    const auto quantile =
        static_cast<double>(window.over(1min, kStart).quantile(0.5).value_or(Duration{}).count());
    ASSERT_GE(quantile, static_cast<double>(us)) << us;
    ASSERT_LE(quantile, static_cast<double>(us) * 65 / 64) << us;
  }
}

TEST(Quantile, StaysWithinItsBoundOverADistribution) {
  std::mt19937 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same latencies in every run
  std::lognormal_distribution<double> latencies(std::log(80'000.0), 1.2);
  std::vector<std::int64_t> all;
  Window window = window_of(10min);
  for (int i = 0; i < 5000; ++i) {
    all.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(latencies(random)), 100,
                                           Duration{88s}.count()));
    window.add(kStart + i * 100ms, ok(Duration{all.back()}));
  }
  std::sort(all.begin(), all.end());

  const Window::Summary summary = window.over(10min, kStart + 9min);
  for (const double q : {0.01, 0.5, 0.9, 0.95, 0.99, 0.999}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * 5000));
    const auto exact = static_cast<double>(all[rank - 1]);
    const auto estimate = static_cast<double>(summary.quantile(q).value_or(Duration{}).count());
    EXPECT_GE(estimate, exact) << q;
    EXPECT_LE(estimate, exact * 65 / 64) << q;
  }
  EXPECT_EQ(summary.quantile(1), Duration{all.back()});
}

TEST(Quantile, IsNeverAboveTheGreatest) {
  Window window = window_of(1min);
  for (int i = 0; i < 100; ++i) window.add(kStart, ok(101ms));

  EXPECT_EQ(window.over(1min, kStart).quantile(0.99), Duration{101ms});
}

TEST(Quantile, OfLatenciesBeyondTheLastBinIsTheGreatest) {
  Window window = window_of(1min);
  window.add(kStart, ok(40h));
  window.add(kStart, ok(50h));

  EXPECT_EQ(window.over(1min, kStart).quantile(0.1), Duration{50h});
}

// Far more bins than a bucket keeps: the lowest are one, the others as they are.
TEST(Quantile, StaysWithinItsBoundAboveTheBinsThatWereJoined) {
  Window upwards = window_of(1min);
  Window downwards = window_of(1min);
  std::vector<std::int64_t> all;
  for (std::int64_t us = 1; us < Duration{1h}.count(); us += 1 + us / 80) all.push_back(us);
  for (std::size_t i = 0; i < all.size(); ++i) {
    upwards.add(kStart, ok(Duration{all[i]}));
    downwards.add(kStart, ok(Duration{all[all.size() - 1 - i]}));
  }
  ASSERT_GT(all.size(), 2 * limits::kSketchBinsMax);

  const Window::Summary summary = upwards.over(1min, kStart);
  EXPECT_EQ(summary.histogram, downwards.over(1min, kStart).histogram);
  EXPECT_EQ(std::count_if(summary.histogram.begin(), summary.histogram.end(),
                          [](std::uint32_t count) { return count > 0; }),
            static_cast<std::ptrdiff_t>(limits::kSketchBinsMax));
  for (const double q : {0.7, 0.9, 0.99}) {
    const auto exact = static_cast<double>(
        all[static_cast<std::size_t>(std::ceil(q * static_cast<double>(all.size()))) - 1]);
    const auto estimate = static_cast<double>(summary.quantile(q).value_or(Duration{}).count());
    EXPECT_GE(estimate, exact) << q;
    EXPECT_LE(estimate, exact * 65 / 64) << q;
  }
}

TEST(Window, SaysWhenItChangesWithTimeAlone) {
  Window window = window_of(10min);  // buckets of 10 s
  EXPECT_FALSE(window.next_change(1min, kStart));
  window.add(kStart + 5s, failed());
  window.add(kStart + 25s, ok());

  for (const Duration asked : {Duration{1min}, Duration{10min}}) {
    const auto next = window.next_change(asked, kStart + 30s);
    ASSERT_TRUE(next);
    EXPECT_EQ(window.over(asked, *next - 1us).samples, 2U);
    EXPECT_EQ(window.over(asked, *next).samples, 1U);
    const auto last = window.next_change(asked, *next);
    ASSERT_TRUE(last);
    EXPECT_EQ(window.over(asked, *last - 1us).samples, 1U);
    EXPECT_EQ(window.over(asked, *last).samples, 0U);
    EXPECT_FALSE(window.next_change(asked, *last));
  }
}

TEST(Quantile, SurvivesABinThatIsFull) {
  Window window = window_of(1min);
  for (int i = 0; i < 70'000; ++i) window.add(kStart, ok(1ms));
  window.add(kStart, ok(1s));

  const Window::Summary summary = window.over(1min, kStart);
  EXPECT_EQ(summary.samples, 70'001U);
  EXPECT_LT(summary.quantile(0.99), Duration{2ms});
  EXPECT_EQ(summary.quantile(1), Duration{1s});
}

TEST(WindowSpan, ChangeKeepsWhatTheNewOneReaches) {
  Window window = window_of(1min);
  for (int second = 0; second < 60; ++second) window.add(kStart + second * 1s, ok());

  window.configure({30s});
  EXPECT_EQ(window.over(30s, kStart + 59s).samples, 30U);
  window.configure({50s});
  EXPECT_EQ(window.over(50s, kStart + 59s).samples, 30U);
  window.add(kStart + 60s, failed());
  EXPECT_EQ(window.over(50s, kStart + 60s).samples, 31U);
}

TEST(WindowSpan, ChangeOfTheBucketsLosesNothing) {
  Window window = window_of(1min);
  for (int second = 0; second < 60; ++second) window.add(kStart + second * 1s, with_value(second));
  const Window::Summary before = window.over(1min, kStart + 59s);

  window.configure({2h});
  const Window::Summary coarse = window.over(2h, kStart + 59s);
  EXPECT_EQ(coarse.samples, before.samples);
  EXPECT_EQ(coarse.values, before.values);
  EXPECT_EQ(coarse.value_sum, before.value_sum);
  EXPECT_EQ(coarse.value_min, 0);
  EXPECT_EQ(coarse.value_max, 59);
  EXPECT_EQ(coarse.histogram, before.histogram);

  window.configure({1min});
  EXPECT_EQ(window.over(1min, kStart + 59s).samples, before.samples);
}

TEST(Window, TakesInWhatAnotherOneHasGathered) {
  Window mine = window_of(1min), others = window_of(10min);
  mine.add(kStart, failed());
  for (int second = 0; second < 60; ++second) others.add(kStart + second * 1s, with_value(second));

  mine.merge(others);

  const Window::Summary sum = mine.over(1min, kStart + 59s);
  EXPECT_EQ(sum.samples, 61U);
  EXPECT_EQ(sum.failures, 1U);
  EXPECT_EQ(sum.values, 60U);
  EXPECT_EQ(sum.value_max, 59);
  EXPECT_EQ(mine.newest(), kStart + 59s);
}

TEST(WindowSpan, ThatIsNewIsMadeOfTheNextLongerOne) {
  Window window;
  window.configure({5min, 6h});
  for (int i = 0; i < 7 * 3600; ++i) window.add(kStart + i * 1s, ok());
  const Instant now = kStart + 7h - 1s;
  const std::uint64_t of_5min = window.over(5min, now).samples;
  const std::uint64_t of_6h = window.over(6h, now).samples;

  window.configure({5min, 1h, 6h});
  EXPECT_EQ(window.over(5min, now).samples, of_5min);
  EXPECT_EQ(window.over(6h, now).samples, of_6h);
  EXPECT_GE(window.over(1h, now).samples, 3600U);
  EXPECT_LE(window.over(1h, now).samples, 3600U + 2 * 360U);

  // Exact as soon as what it was made of is past.
  for (int i = 7 * 3600; i < 8 * 3600 + 360; ++i) window.add(kStart + i * 1s, ok());
  EXPECT_LE(window.over(1h, kStart + 8h + 359s).samples, 3660U);
}

TEST(WindowSpan, ThatIsDroppedLeavesTheOthersAsTheyWere) {
  Window window;
  window.configure({5min, 1h, 6h});
  for (int i = 0; i < 7 * 3600; ++i) window.add(kStart + i * 1s, ok());
  const Instant now = kStart + 7h - 1s;
  const std::uint64_t of_5min = window.over(5min, now).samples;
  const std::uint64_t of_1h = window.over(1h, now).samples;

  window.configure({5min, 1h});
  EXPECT_EQ(window.over(1h, now).samples, of_1h);
  window.configure({5min});
  EXPECT_EQ(window.over(5min, now).samples, of_5min);
  EXPECT_EQ(window.span(), 5min);
}

TEST(Window, TakesWhatWasWrittenDownOnlyIfItCanHaveBeen) {
  Window::Bucket one;
  one.number = 100;
  one.samples = 1;
  const auto takes = [&](const std::vector<Window::Ring>& rings) {
    return Window().restore(kStart, rings);
  };
  EXPECT_TRUE(takes({}));
  EXPECT_TRUE(takes({{{5min, 5s}, {one}}, {{6h, 6min}, {one}}}));
  EXPECT_TRUE(takes({{{10min, 5s}, {}}}));

  EXPECT_FALSE(takes({{{6h, 6min}, {one}}, {{5min, 5s}, {one}}}));
  EXPECT_FALSE(takes({{{5min, 5s}, {one}}, {{5min, 5s}, {one}}}));
  EXPECT_FALSE(takes({{{5min, 0s}, {one}}}));
  EXPECT_FALSE(takes({{{5min, -5s}, {one}}}));
  EXPECT_FALSE(takes({{{5min, 5s + 1us}, {}}}));
  EXPECT_FALSE(takes({{{10min, 4s}, {}}}));
  EXPECT_FALSE(takes({{{0s, 1s}, {}}}));
  EXPECT_FALSE(takes({{{-1min, 1s}, {}}}));
  EXPECT_FALSE(takes({{{Duration::max(), Duration::max() / 60}, {}}}));
  EXPECT_FALSE(takes({{{5min, 5s}, {one, one}}}));
  EXPECT_FALSE(takes({{{5min, 5s}, {Window::Bucket{}}}}));
  one.number = kStart.time_since_epoch() / 5s;
  EXPECT_FALSE(takes({{{5min, 5s}, {one}}})) << "later than the newest";
}

TEST(WindowSpan, OfNothingForgetsEverything) {
  Window window = window_of(1min);
  window.add(kStart, ok());
  window.configure({0s});
  window.configure({1min});

  EXPECT_EQ(window.over(1min, kStart).samples, 0U);
}

}  // namespace
}  // namespace firebreak::core
