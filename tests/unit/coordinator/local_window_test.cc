// Weekly windows in local time, on the days when clocks change and on others.
#include "coordinator/policy/local_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::policy {
namespace {

using ::testing::HasSubstr;

constexpr Instant at(std::int64_t unix_seconds) {
  return instant_from_unix_us(unix_seconds * 1'000'000);
}
// 2026-11-22 00:00:00 UTC, a Sunday.
constexpr std::int64_t kSunday = 1'795'305'600;
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
// 2026-03-29 and 2026-10-25, 00:00:00 UTC: Sundays on which Europe's clocks change at 01:00 UTC.
constexpr std::int64_t kSpring = 1'774'742'400;
constexpr std::int64_t kAutumn = 1'792'886'400;

LocalWindow window(const char* every, const char* zone = "UTC") {
  const auto parsed = LocalWindow::parse(every, zone);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : LocalWindow();
}
std::string complaint(const char* every, const char* zone = "UTC") {
  const auto parsed = LocalWindow::parse(every, zone);
  return parsed ? "" : parsed.error().message;
}
// "2026-11-22 02:00:00 to 2026-11-22 04:00:00", in UTC.
std::string span(const LocalWindow& window, std::int64_t unix_seconds) {
  const auto found = window.at(at(unix_seconds));
  return found ? format_utc(found->begins) + " to " + format_utc(found->ends) : "none";
}
std::string next(const LocalWindow& window, std::int64_t unix_seconds) {
  const auto found = window.next_begin(at(unix_seconds));
  return found ? format_utc(*found) : "none";
}

TEST(LocalWindow, BeginsWithItsFirstSecondAndEndsBeforeItsLast) {
  const LocalWindow sunday = window("Sun 02:00-04:00");

  EXPECT_EQ(span(sunday, kSunday + 2 * kHour - 1), "none");
  EXPECT_EQ(span(sunday, kSunday + 2 * kHour), "2026-11-22 02:00:00 to 2026-11-22 04:00:00");
  EXPECT_EQ(span(sunday, kSunday + 4 * kHour - 1), "2026-11-22 02:00:00 to 2026-11-22 04:00:00");
  EXPECT_EQ(span(sunday, kSunday + 4 * kHour), "none");
  EXPECT_EQ(next(sunday, kSunday), "2026-11-22 02:00:00");
  EXPECT_EQ(next(sunday, kSunday + 2 * kHour), "2026-11-29 02:00:00");
}

TEST(LocalWindow, MayEndOnTheNextDay) {
  const LocalWindow nights = window("Mon-Fri 22:00-06:00");

  EXPECT_EQ(span(nights, kSunday + 23 * kHour), "none");
  EXPECT_EQ(span(nights, kSunday + kDay + 23 * kHour),
            "2026-11-23 22:00:00 to 2026-11-24 06:00:00");
  EXPECT_EQ(span(nights, kSunday + 6 * kDay + 5 * kHour),
            "2026-11-27 22:00:00 to 2026-11-28 06:00:00");
  EXPECT_EQ(next(nights, kSunday + 5 * kDay + 22 * kHour), "2026-11-30 22:00:00");
}

TEST(LocalWindow, TakesListsOfDaysAndEveryDay) {
  EXPECT_EQ(span(window("Sat,Sun 00:00-24:00"), kSunday + kHour),
            "2026-11-22 00:00:00 to 2026-11-23 00:00:00");
  EXPECT_EQ(span(window("Fri-Mon 00:00-01:00"), kSunday),
            "2026-11-22 00:00:00 to 2026-11-22 01:00:00");
  EXPECT_EQ(span(window("Tue,Thu-Sat 00:00-01:00"), kSunday), "none");
  EXPECT_EQ(span(window("day 03:00-03:30"), kSunday + 3 * kHour + 1799),
            "2026-11-22 03:00:00 to 2026-11-22 03:30:00");
}

TEST(LocalWindow, IsInTheTimeOfItsZone) {
  EXPECT_EQ(span(window("Sun 02:00-04:00", "Europe/Berlin"), kSunday + kHour),
            "2026-11-22 01:00:00 to 2026-11-22 03:00:00");
  EXPECT_EQ(span(window("Sun 02:00-04:00", "-03:30"), kSunday + 6 * kHour),
            "2026-11-22 05:30:00 to 2026-11-22 07:30:00");
  // There it is Sunday for the most part of our Saturday.
  EXPECT_EQ(span(window("Sun 02:00-04:00", "Pacific/Auckland"), kSunday - 10 * kHour),
            "2026-11-21 13:00:00 to 2026-11-21 15:00:00");
}

TEST(LocalWindow, IsShorterWhenClocksGoForward) {
  EXPECT_EQ(span(window("Sun 01:00-04:00", "Europe/Berlin"), kSpring + kHour),
            "2026-03-29 00:00:00 to 2026-03-29 02:00:00");
  // 02:00 does not exist: it stands for the moment of the change.
  EXPECT_EQ(span(window("Sun 02:00-04:00", "Europe/Berlin"), kSpring + kHour),
            "2026-03-29 01:00:00 to 2026-03-29 02:00:00");
  EXPECT_EQ(span(window("Sun 01:00-02:30", "Europe/Berlin"), kSpring),
            "2026-03-29 00:00:00 to 2026-03-29 01:00:00");
}

TEST(LocalWindow, DoesNotHappenInTheHourThatIsSkipped) {
  const LocalWindow skipped = window("Sun 02:15-02:45", "Europe/Berlin");

  EXPECT_EQ(span(skipped, kSpring + kHour), "none");
  EXPECT_EQ(next(skipped, kSpring), "2026-04-05 00:15:00");
}

TEST(LocalWindow, IsLongerWhenClocksGoBack) {
  EXPECT_EQ(span(window("Sun 01:00-04:00", "Europe/Berlin"), kAutumn),
            "2026-10-24 23:00:00 to 2026-10-25 03:00:00");
  // From the first 02:30 to the second 02:45.
  EXPECT_EQ(span(window("Sun 02:30-02:45", "Europe/Berlin"), kAutumn + kHour),
            "2026-10-25 00:30:00 to 2026-10-25 01:45:00");
  EXPECT_EQ(span(window("Sat 22:00-02:30", "Europe/Berlin"), kAutumn + kHour),
            "2026-10-24 20:00:00 to 2026-10-25 01:30:00");
}

TEST(LocalWindow, RefusesWhatIsNone) {
  for (const char* every :
       {"", "Sun", "Sun02:00-04:00", "Sunday 02:00-04:00", "Sun 2:00-04:00", "Sun 02:00-25:00",
        "Sun 02:60-04:00", "Sun 02:00-02:00", "Sun 24:00-02:00", "Sun- 02:00-04:00",
        "Sun, 02:00-04:00", "Sun 02:00-04:00 "})
    EXPECT_THAT(complaint(every), HasSubstr("is not days and a time")) << every;
  for (const char* zone : {"Europe/Berln", "", "localtime", "/etc/passwd", "+25:00"})
    EXPECT_THAT(complaint("Sun 02:00-04:00", zone), HasSubstr("there is no time zone")) << zone;
}

}  // namespace
}  // namespace firebreak::policy
