// What a log line looks like, and that hostile values stay inside it.
#include "common/log.h"

#include <gtest/gtest.h>

namespace firebreak::log {
namespace {

constexpr const char* kTime = "2026-11-21T03:14:07.123Z";

TEST(FormatLine, TextHasTimeLevelMessageAndFields) {
  EXPECT_EQ(format_line(Format::text, false, kTime, Level::warning, "the link broke",
                        {{"agent", "edge-1"}, {"error", "connection refused"}, {"tries", 3}}),
            "2026-11-21T03:14:07.123Z warning the link broke agent=edge-1 "
            "error=\"connection refused\" tries=3");
}

TEST(FormatLine, TheJournalGetsAPriorityAndNoTime) {
  EXPECT_EQ(format_line(Format::text, true, kTime, Level::error, "disk full", {}), "<3>disk full");
  EXPECT_EQ(format_line(Format::text, true, kTime, Level::info, "ready", {}), "<6>ready");
}

TEST(FormatLine, AHostileValueCannotForgeALineOrAField) {
  EXPECT_EQ(format_line(Format::text, true, kTime, Level::info, "got",
                        {{"body", "a\n<0>all is well agent=\"root\"\x1b[2J"}}),
            "<6>got body=\"a\\n<0>all is well agent=\\\"root\\\"\\x1b[2J\"");
  EXPECT_EQ(format_line(Format::text, true, kTime, Level::info, "got", {{"body", ""}}),
            "<6>got body=\"\"");
}

TEST(FormatLine, JsonIsOneValidObject) {
  EXPECT_EQ(format_line(Format::json, false, kTime, Level::info, "got",
                        {{"body", "\"\n\xff"}, {"n", std::uint64_t{7}}}),
            "{\"time\":\"2026-11-21T03:14:07.123Z\",\"level\":\"info\",\"message\":\"got\","
            "\"body\":\"\\\"\\n\xef\xbf\xbd\",\"n\":\"7\"}");
}

TEST(FormatLine, AValueIsCut) {
  const std::string line = format_line(Format::text, true, kTime, Level::info, "got",
                                       {{"body", std::string(1 << 20, 'x')}});
  EXPECT_LT(line.size(), 5000U);
}

TEST(Write, WhatIsQueuedIsWrittenBeforeStopReturns) {
  ::testing::internal::CaptureStderr();
  start(Level::info, Format::text);
  debug("below the level");
  for (int i = 0; i < 100; ++i) info("line", {{"i", i}});
  stop();
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("below"), std::string::npos);
  EXPECT_NE(out.find("line i=0\n"), std::string::npos);
  EXPECT_NE(out.find("line i=99\n"), std::string::npos);
}

TEST(Write, WithoutStartOnlyWarningsAndErrorsAreWritten) {
  ::testing::internal::CaptureStderr();
  info("quiet");
  warning("loud");
  const std::string out = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("quiet"), std::string::npos);
  EXPECT_NE(out.find("warning loud\n"), std::string::npos);
}

}  // namespace
}  // namespace firebreak::log
