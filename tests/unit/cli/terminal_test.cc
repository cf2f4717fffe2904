// What people see of instants says which day it was, unless it was today.
#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace firebreak::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kNow = 1'795'230'000 * kSecond;  // 2026-11-21 03:00:00 UTC

TEST(ClockTime, OfTodayIsTheTimeAlone) {
  EXPECT_EQ(clock_time(kNow, kNow), "03:00:00");
  EXPECT_EQ(clock_time(kNow - 3 * kHour, kNow), "00:00:00");
  EXPECT_EQ(clock_time(kNow + 21 * kHour - kSecond, kNow), "23:59:59");
  EXPECT_EQ(clock_time(kNow, kNow).size(), kClockTimeWidth);
}

TEST(ClockTime, OfAnotherDayHasItsDate) {
  EXPECT_EQ(clock_time(kNow - 3 * kHour - kSecond, kNow), "2026-11-20 23:59:59");
  EXPECT_EQ(clock_time(kNow + 21 * kHour, kNow), "2026-11-22 00:00:00");
  EXPECT_EQ(clock_time(kNow, 0), "2026-11-21 03:00:00");
}

TEST(ClockTime, OfWhatNeverWasIsADash) {
  EXPECT_EQ(clock_time(0, kNow), "-");
}

}  // namespace
}  // namespace firebreak::cli
