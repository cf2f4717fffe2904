// Hours of the week: their text, their ends, and the nights on which the clocks change.
#include "coordinator/policy/hours.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firebreak::policy {
namespace {

using namespace std::chrono_literals;

// 2026-11-23, a Monday, 00:00 UTC.
constexpr Instant kMonday = instant_from_unix_us(1'795'392'000'000'000);

Hours hours(const char* times, const char* zone = "UTC") {
  auto read = Hours::parse(times, zone);
  if (const auto* mistake = std::get_if<Hours::Mistake>(&read)) {
    ADD_FAILURE() << times << ": " << mistake->message;
    return std::get<Hours>(Hours::parse("Mon", "UTC"));
  }
  return std::get<Hours>(std::move(read));
}

TEST(Hours, BeginAtTheirBeginAndEndBeforeTheirEnd) {
  const Hours office = hours("Mon-Fri 09:00-17:00");

  EXPECT_FALSE(office.contains(kMonday + 9h - 1us));
  EXPECT_TRUE(office.contains(kMonday + 9h));
  EXPECT_TRUE(office.contains(kMonday + 17h - 1us));
  EXPECT_FALSE(office.contains(kMonday + 17h));
  EXPECT_TRUE(office.contains(kMonday + 4 * 24h + 16h));
  EXPECT_FALSE(office.contains(kMonday + 5 * 24h + 12h));
}

TEST(Hours, AreLookedAtAgainAtTheNextBoundary) {
  const Hours office = hours("Mon-Fri 09:00-17:00");

  EXPECT_EQ(office.look_again(kMonday), kMonday + 9h);
  EXPECT_EQ(office.look_again(kMonday + 9h - 1us), kMonday + 9h);
  EXPECT_EQ(office.look_again(kMonday + 9h), kMonday + 17h);
  EXPECT_EQ(office.look_again(kMonday + 9h + 500us), kMonday + 17h);
  EXPECT_EQ(office.look_again(kMonday + 4 * 24h + 17h), kMonday + 7 * 24h + 9h);
  EXPECT_EQ(hours("00:00-24:00").look_again(kMonday), std::nullopt);
  EXPECT_EQ(hours("Mon-Sun").look_again(kMonday), std::nullopt);
}

TEST(Hours, MayGoOverMidnightAndOverTheWeeksEnd) {
  const Hours night = hours("Sun 22:00-06:00");

  EXPECT_FALSE(night.contains(kMonday - 2h - 1us));
  EXPECT_TRUE(night.contains(kMonday - 2h));
  EXPECT_TRUE(night.contains(kMonday));
  EXPECT_TRUE(night.contains(kMonday + 6h - 1us));
  EXPECT_FALSE(night.contains(kMonday + 6h));
  EXPECT_TRUE(hours("Sat-Mon").contains(kMonday + 23h));
  EXPECT_FALSE(hours("Sat-Mon").contains(kMonday + 24h));
}

TEST(Hours, HaveSeveralPartsDaysAndTimes) {
  const Hours open = hours("mon,WED 08:00-12:00,13:00-18:30 ; Sat 10:00-24:00");

  EXPECT_TRUE(open.contains(kMonday + 11h + 59min));
  EXPECT_FALSE(open.contains(kMonday + 12h));
  EXPECT_TRUE(open.contains(kMonday + 2 * 24h + 18h + 29min));
  EXPECT_FALSE(open.contains(kMonday + 24h + 9h));
  EXPECT_TRUE(open.contains(kMonday + 6 * 24h - 1us));
  EXPECT_TRUE(hours("09:00-10:00").contains(kMonday + 6 * 24h + 9h));
}

// On 2026-03-29 at 01:00 UTC Berlin's clocks go from 02:00 to 03:00, on 2026-10-25 back.
TEST(Hours, FollowTheirZonesClocks) {
  const Hours office = hours("09:00-17:00", "Europe/Berlin");
  const Instant spring = instant_from_unix_us(1'774'742'400'000'000);  // 2026-03-29 00:00 UTC
  EXPECT_TRUE(office.contains(spring - 24h + 8h));
  EXPECT_FALSE(office.contains(spring - 24h + 7h));
  EXPECT_TRUE(office.contains(spring + 7h));
  EXPECT_EQ(office.look_again(spring - 24h + 16h), spring + 1h) << "when the clocks change";
  EXPECT_EQ(office.look_again(spring + 1h), spring + 7h);

  const Hours skipped = hours("02:30-03:30", "Europe/Berlin");
  EXPECT_FALSE(skipped.contains(spring + 1h - 1us));
  EXPECT_TRUE(skipped.contains(spring + 1h));
  EXPECT_FALSE(skipped.contains(spring + 90min));
  EXPECT_TRUE(hours("12:00-13:00", "+05:30").contains(kMonday + 6h + 30min));
}

TEST(Hours, SayWhatIsWrongAndWhere) {
  struct Case {
    const char* times;
    const char* zone;
    std::size_t offset;
    const char* says;
  };
  const std::vector<Case> cases{
      {"", "UTC", 0, "expected a day"},
      {"Mon-Fry 09:00-17:00", "UTC", 4, "expected a day"},
      {"Mon-Fri 9:00-17:00", "UTC", 8, "expected a time"},
      {"Mon-Fri 09:00-25:00", "UTC", 14, "expected a time"},
      {"Mon-Fri 09:00-24:01", "UTC", 14, "expected a time"},
      {"Mon-Fri 09:00", "UTC", 13, "expected '-'"},
      {"09:00-09:00", "UTC", 0, "begins and ends at the same time"},
      {"24:00-09:00", "UTC", 0, "only an end"},
      {"Mon 09:00-17:00 Tue", "UTC", 16, "expected ';'"},
      {"Mon;", "UTC", 4, "expected a day"},
      {"Mon", "Europe/Berlim", 0, "no such time zone"},
      {"Mon", "../../etc/passwd", 0, "no such time zone"},
  };
  for (const Case& wrong : cases) {
    const auto read = Hours::parse(wrong.times, wrong.zone);
    const auto* mistake = std::get_if<Hours::Mistake>(&read);
    ASSERT_TRUE(mistake != nullptr) << wrong.times;
    EXPECT_EQ(mistake->offset, wrong.offset) << wrong.times;
    EXPECT_NE(mistake->message.find(wrong.says), std::string::npos)
        << wrong.times << ": " << mistake->message;
  }
  EXPECT_TRUE(std::holds_alternative<Hours::Mistake>(Hours::parse(std::string(257, ' '), "UTC")));
}

}  // namespace
}  // namespace firebreak::policy
