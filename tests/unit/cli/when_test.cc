// Times as people write them after --at and --since.
#include "cli/when.h"

#include <gtest/gtest.h>

namespace firebreak::cli {
namespace {

constexpr Instant kThreeAtNight = instant_from_unix_us(1'795'230'000'000'000);  // 2026-11-21

std::string when(const std::string& text) {
  const auto at = parse_when(text, kThreeAtNight);
  return at ? format_utc(*at) : "refused";
}

TEST(When, TakesWhatPeopleWrite) {
  EXPECT_EQ(when("24h"), "2026-11-20 03:00:00");
  EXPECT_EQ(when("10m"), "2026-11-21 02:50:00");
  EXPECT_EQ(when("02:14"), "2026-11-21 02:14:00");
  EXPECT_EQ(when("02:14:07"), "2026-11-21 02:14:07");
  EXPECT_EQ(when("03:00"), "2026-11-21 03:00:00");
  EXPECT_EQ(when("03:01"), "2026-11-20 03:01:00");
  EXPECT_EQ(when("2026-11-19 23:59"), "2026-11-19 23:59:00");
  EXPECT_EQ(when("2026-11-19T23:59:58Z"), "2026-11-19 23:59:58");
}

TEST(When, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2:14", "24:00", "02:60", "2026-02-30 01:00", "yesterday", "02:14 "})
    EXPECT_EQ(when(text), "refused") << text;
}

}  // namespace
}  // namespace firebreak::cli
