// Durations are read exactly and printed so that they read back.
#include "common/time.h"

#include <gtest/gtest.h>

namespace firebreak {
namespace {
using namespace std::chrono_literals;

TEST(ParseDuration, ReadsEveryUnitAndTheirSums) {
  EXPECT_EQ(*parse_duration("30s"), 30s);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("2d"), 48h);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("0"), 0s);
}

TEST(ParseDuration, RefusesWhatIsNotADurationAndSaysHowToWriteOne) {
  for (const char* text :
       {"", "5", "s", "-5s", "5 s", "5s1h", "5x", "1.5s1ms", "5s5s", "1e9s", "nan", "99999999d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("30s, 5m"), std::string::npos);
  }
}

TEST(FormatDuration, ReadsBack) {
  for (const Duration d :
       {Duration{0}, Duration{250ms}, Duration{90s}, Duration{25h}, Duration{1234567us}})
    EXPECT_EQ(*parse_duration(format_duration(d)), d) << format_duration(d);
}

TEST(HumanizeDuration, RoundsForPeople) {
  EXPECT_EQ(humanize_duration(340ms), "340 ms");
  EXPECT_EQ(humanize_duration(2400ms), "2.4 s");
  EXPECT_EQ(humanize_duration(185s), "3 min 05 s");
  EXPECT_EQ(humanize_duration(26h), "1 d 02 h");
}

TEST(HumanizeDuration, TakesWhateverAnAgentsClockIsOutBy) {
  EXPECT_EQ(humanize_duration(-185s), "-3 min 05 s");
  EXPECT_EQ(humanize_duration(Duration::max()), "106751991 d 04 h");
  EXPECT_EQ(humanize_duration(Duration::min()), "-106751991 d 04 h");
}

TEST(FormatDuration, WritesTheExtremes) {
  EXPECT_EQ(format_duration(Duration::max()), "106751991d4h54s775ms807us");
  EXPECT_EQ(format_duration(Duration::min()), "-106751991d4h54s775ms808us");
}

TEST(FormatRfc3339, IsUtcWithMilliseconds) {
  EXPECT_EQ(format_rfc3339(instant_from_unix_us(1795230847123456)), "2026-11-21T03:14:07.123Z");
}

}  // namespace
}  // namespace firebreak
