// Series of policy tests: what they show when, how long they last, what is wrong with them.
#include "coordinator/rehearsal/series.h"

#include <gtest/gtest.h>

namespace firebreak::rehearsal {
namespace {

using namespace std::chrono_literals;

constexpr Duration kEvery = 10s;

struct Parsed {
  yaml::Problems problems;
  std::optional<yaml::Document> document;

  explicit Parsed(const std::string& series) {
    auto read = yaml::parse("t.yaml", "s: " + series + "\n", problems);
    if (read) document = *std::move(read);
  }
  [[nodiscard]] yaml::Node node() const { return document->root().entries().front().value; }
};

Series<Look> looks(const std::string& text) {
  Parsed parsed(text);
  auto series = read_looks(parsed.node(), parsed.problems);
  EXPECT_TRUE(series) << parsed.problems.render();
  return series.value_or(Series<Look>(Look::silent));
}
Series<double> numbers(const std::string& text) {
  Parsed parsed(text);
  auto series = read_numbers(parsed.node(), parsed.problems);
  EXPECT_TRUE(series) << parsed.problems.render();
  return series.value_or(Series<double>(-1));
}
Series<Duration> latencies(const std::string& text) {
  Parsed parsed(text);
  auto series = read_latencies(parsed.node(), parsed.problems);
  EXPECT_TRUE(series) << parsed.problems.render();
  return series.value_or(Series<Duration>(Duration{-1}));
}

TEST(Series, OneValueGoesOnForEver) {
  const auto series = looks("warning");

  EXPECT_EQ(series.at(0s, kEvery), Look::warning);
  EXPECT_EQ(series.at(24h * 300, kEvery), Look::warning);
  EXPECT_FALSE(series.length(kEvery));
}

TEST(Series, ACountIsSoManyResults) {
  const auto series = looks("ok x 12, fail x 3");

  EXPECT_EQ(series.at(119s, kEvery), Look::ok);
  EXPECT_EQ(series.at(120s, kEvery), Look::critical);
  EXPECT_EQ(series.length(kEvery), 150s);
  EXPECT_EQ(series.length(1s), 15s);
}

TEST(Series, ATimeLastsWhateverTheIntervalIs) {
  const auto series = looks("ok 5m, fail 2m, silent 30s, ok");

  EXPECT_EQ(series.at(5min - 1us, kEvery), Look::ok);
  EXPECT_EQ(series.at(5min, kEvery), Look::critical);
  EXPECT_EQ(series.at(7min, 1s), Look::silent);
  EXPECT_EQ(series.at(7min + 30s, 1s), Look::ok);
  EXPECT_FALSE(series.length(1s));
}

TEST(Series, APieceWithoutACountIsOneResultUnlessItIsTheLast) {
  const auto series = numbers("6, 10, 11 x 4");

  EXPECT_EQ(series.at(0s, kEvery), 6);
  EXPECT_EQ(series.at(10s, kEvery), 10);
  EXPECT_EQ(series.at(20s, kEvery), 11);
  EXPECT_EQ(series.at(50s, kEvery), 11);
  EXPECT_EQ(series.length(kEvery), 60s);
}

TEST(Series, ARampTakesOneStepPerResultAndEndsWithItsLastValue) {
  const auto series = latencies("120ms..900ms/30s");

  EXPECT_EQ(series.at(0s, kEvery), 120ms);
  EXPECT_EQ(series.at(10s, kEvery), 380ms);
  EXPECT_EQ(series.at(30s, kEvery), 900ms);
  EXPECT_EQ(series.at(1h, kEvery), 900ms);
  EXPECT_FALSE(series.length(kEvery));
}

TEST(Series, WhatFollowsARampComesAfterItsLastValue) {
  const auto series = numbers("0..3/30s, -1.5");

  EXPECT_EQ(series.at(30s, kEvery), 3);
  EXPECT_EQ(series.at(39s, kEvery), 3);
  EXPECT_EQ(series.at(40s, kEvery), -1.5);
}

struct Mistake {
  const char* series;
  int column;  // of "s: ..."
  const char* says;
};

TEST(Series, SaysWhatIsWrongWhere) {
  const Mistake mistakes[] = {
      {"okay", 4, "'okay' is not ok, warning"},
      {"ok x 3, bad", 12, "'bad' is not ok, warning"},
      {"ok x 0", 9, "'0' is not a count"},
      {"ok x 2.5", 9, "'2.5' is not a count"},
      {"ok x 100001", 9, "'100001' is not a count"},
      {"ok x", 7, "'x' takes one count"},
      {"ok x 3 4", 11, "'x' takes one count"},
      {"ok 3", 7, "'3' is not a time"},
      {"ok 0s", 7, "'0s' is not a time"},
      {"ok 20000d", 7, "too long"},
      {"ok 3m 4m", 10, "a comma ends it"},
      {"ok,, fail", 7, "a piece of the series is missing"},
      {"ok..fail/3s", 4, "a status has no ramp"},
  };
  for (const Mistake& mistake : mistakes) {
    Parsed parsed(mistake.series);
    EXPECT_FALSE(read_looks(parsed.node(), parsed.problems)) << mistake.series;
    ASSERT_EQ(parsed.problems.errors(), 1U) << mistake.series;
    const yaml::Problem& problem = parsed.problems.kept().front();
    EXPECT_EQ(problem.column, mistake.column) << mistake.series << ": " << problem.message;
    EXPECT_NE(problem.message.find(mistake.says), std::string::npos) << problem.message;
  }
}

TEST(Series, NumbersAndLatenciesAreWhatTheySay) {
  for (const char* wrong : {"6..11", "6..x/3s", "1e999", "nan", "6 .. 11/3s", "6..11/3s x 3", ""}) {
    Parsed parsed(std::string("'") + wrong + "'");
    EXPECT_FALSE(read_numbers(parsed.node(), parsed.problems)) << wrong;
    EXPECT_FALSE(parsed.problems.ok()) << wrong;
  }
  for (const char* wrong : {"120", "25h", "-1ms", "[1ms]"}) {
    Parsed parsed(wrong);
    EXPECT_FALSE(read_latencies(parsed.node(), parsed.problems)) << wrong;
    EXPECT_FALSE(parsed.problems.ok()) << wrong;
  }
}

}  // namespace
}  // namespace firebreak::rehearsal
