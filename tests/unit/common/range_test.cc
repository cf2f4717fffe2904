// Ranges mean what the guidelines of monitoring plugins say.
#include "common/range.h"

#include <cmath>

#include <gtest/gtest.h>

namespace firebreak {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Range, ReadsTheFiveFormsOfTheGuidelines) {
  EXPECT_EQ(parse_range("10"), (Range{0, 10, false}));
  EXPECT_EQ(parse_range("10:"), (Range{10, kInfinity, false}));
  EXPECT_EQ(parse_range("~:10"), (Range{-kInfinity, 10, false}));
  EXPECT_EQ(parse_range("10:20"), (Range{10, 20, false}));
  EXPECT_EQ(parse_range("@10:20"), (Range{10, 20, true}));
  EXPECT_EQ(parse_range(":5"), (Range{0, 5, false}));
  EXPECT_EQ(parse_range("-1.5:+2e3"), (Range{-1.5, 2000, false}));
  EXPECT_EQ(parse_range("~:"), (Range{-kInfinity, kInfinity, false}));
}

TEST(Range, AlertsOutsideOrInsideWithBothEndsBelongingToIt) {
  EXPECT_FALSE(parse_range("10")->alerts(0));
  EXPECT_FALSE(parse_range("10")->alerts(10));
  EXPECT_TRUE(parse_range("10")->alerts(10.1));
  EXPECT_TRUE(parse_range("10")->alerts(-0.1));
  EXPECT_TRUE(parse_range("10:")->alerts(9));
  EXPECT_FALSE(parse_range("~:10")->alerts(-1e9));
  EXPECT_TRUE(parse_range("@10:20")->alerts(10));
  EXPECT_TRUE(parse_range("@10:20")->alerts(20));
  EXPECT_FALSE(parse_range("@10:20")->alerts(21));
  EXPECT_TRUE(parse_range("10")->alerts(std::nan("")));
}

TEST(Range, RefusesWhatCouldBeMisunderstood) {
  for (const char* text : {"", "@", ":", "@:", "x", "10 ", " 10", "20:10", "1:2:3", "nan", "inf",
                           "1e999", "~", "~:~", "0x10", "10,5", "--1", "+-1", "10%"})
    EXPECT_EQ(parse_range(text), std::nullopt) << text;
}

TEST(Range, IsWrittenAsItReads) {
  for (const char* text : {"10", "10:", "~:10", "10:20", "@10:20", "0:", "-3:4.5", "~:", "@~:0"})
    EXPECT_EQ(to_string(*parse_range(text)), text);
}

TEST(Range, NumbersAreFiniteDecimals) {
  EXPECT_EQ(parse_number("1e3"), 1000);
  EXPECT_EQ(parse_number("+.5"), 0.5);
  for (const char* text : {"", "1e999", "-1e999", "nan", "NaN", "inf", "0x1", "1 ", "1,5"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  EXPECT_EQ(format_number(0.1), "0.1");
}

}  // namespace
}  // namespace firebreak
