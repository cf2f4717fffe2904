// What Prometheus answers, and what only looks like it.
#include "probes/prometheus_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

using ::testing::HasSubstr;

std::string success(const std::string& type, const std::string& result) {
  return R"({"status":"success","data":{"resultType":")" + type + R"(","result":)" + result + "}}";
}

void expect_failed(const std::string& text, Status status, Reason reason, const char* evidence) {
  const PrometheusAnswer answer = parse_prometheus_answer(text);
  EXPECT_STREQ(to_string(answer.status), to_string(status)) << text;
  EXPECT_STREQ(to_string(answer.reason), to_string(reason)) << text;
  EXPECT_THAT(answer.evidence, HasSubstr(evidence)) << text;
}

TEST(PrometheusAnswer, ReadsAVector) {
  const PrometheusAnswer answer = parse_prometheus_answer(success(
      "vector",
      R"([{"metric":{"__name__":"up","instance":"a:1","job":"b"},"value":[1700000000.781,"1"]},
          {"metric":{"job":"c"},"value":[1700000000,"-2.5"]},
          {"metric":{},"value":[1700000000,"NaN"]},
          {"metric":{},"value":[1700000000,"+Inf"]}])"));

  EXPECT_EQ(answer.reason, Reason::none);
  ASSERT_EQ(answer.series.size(), 3u);
  EXPECT_EQ(answer.series[0].name, R"(up{instance="a:1",job="b"})");
  EXPECT_EQ(answer.series[0].value, 1);
  EXPECT_EQ(answer.series[1].name, R"({job="c"})");
  EXPECT_EQ(answer.series[1].value, -2.5);
  EXPECT_EQ(answer.series[2].name, "{}");
  EXPECT_GT(answer.series[2].value, 1e300);
  EXPECT_EQ(answer.without_number, 1u);
}

TEST(PrometheusAnswer, ReadsAScalarAndAnEmptyVector) {
  const PrometheusAnswer scalar =
      parse_prometheus_answer(success("scalar", R"([1700000000, "3"])"));
  ASSERT_EQ(scalar.series.size(), 1u);
  EXPECT_EQ(scalar.series[0].value, 3);
  const PrometheusAnswer none = parse_prometheus_answer(success("vector", "[]"));
  EXPECT_EQ(none.reason, Reason::none);
  EXPECT_TRUE(none.series.empty());
}

TEST(PrometheusAnswer, KeepsWarnings) {
  const PrometheusAnswer answer = parse_prometheus_answer(
      R"({"status":"success","warnings":["no store matched",7,"b"],"data":{"resultType":"vector","result":[]}})");
  EXPECT_EQ(answer.warnings, "no store matched; ?; b");
}

TEST(PrometheusAnswer, AnErrorHasItsReason) {
  const auto error = [](const std::string& type) {
    return R"({"status":"error","errorType":")" + type + R"(","error":"why it is"})";
  };
  expect_failed(error("bad_data"), Status::unknown, Reason::config, "bad_data: why it is");
  expect_failed(error("timeout"), Status::critical, Reason::timeout, "timeout: why it is");
  expect_failed(error("execution"), Status::critical, Reason::status, "execution: why it is");
  expect_failed(error("\\u0000"), Status::critical, Reason::status, "why it is");
  expect_failed(R"({"status":"error"})", Status::critical, Reason::status, "");
}

TEST(PrometheusAnswer, AnAnswerThatIsNoNumberIsTheQuerysFault) {
  expect_failed(success("string", R"([1, "a"])"), Status::unknown, Reason::config, "a text");
  expect_failed(success("matrix", "[]"), Status::unknown, Reason::config, "ranges of samples");
  expect_failed(success("vector", R"([{"metric":{"__name__":"h"},"histogram":[1,{"count":"1"}]}])"),
                Status::unknown, Reason::config, "h is a histogram");
}

TEST(PrometheusAnswer, WhatIsNotPrometheusIsProtocol) {
  const std::string deep(100, '[');
  for (const std::string& text : {std::string(),
                                  std::string("<html>"),
                                  std::string("{"),
                                  std::string("[]"),
                                  std::string("null"),
                                  deep,
                                  std::string("{}"),
                                  std::string(R"({"status":"success"})"),
                                  std::string(R"({"status":7,"data":{}})"),
                                  std::string(R"({"status":"success","data":[]})"),
                                  success("vector", "7"),
                                  success("vector", "[7]"),
                                  success("vector", "[{}]"),
                                  success("vector", R"([{"metric":{},"value":["1"]}])"),
                                  success("vector", R"([{"metric":{},"value":[1,2]}])"),
                                  success("vector", R"([{"metric":{},"value":[1,"two"]}])"),
                                  success("vector", R"([{"metric":{},"value":{"0":"1"}}])"),
                                  success("scalar", "[]"),
                                  success("scalar", "null"),
                                  success("cube", "[]")})
    expect_failed(text, Status::critical, Reason::protocol, "not an answer of Prometheus");
}

TEST(PrometheusAnswer, NamesAreBounded) {
  const std::string huge(100'000, 'x');
  const PrometheusAnswer answer = parse_prometheus_answer(
      success("vector", R"([{"metric":{"__name__":")" + huge + R"(","a":")" + huge +
                            R"("},"value":[1,"1"]},{"metric":{"a":")" + huge +
                            R"("},"value":[1,"1"]},{"metric":7,"value":[1,"1"]}])"));
  ASSERT_EQ(answer.series.size(), 3u);
  for (const Series& series : answer.series)
    EXPECT_LE(series.name.size(), limits::kEvidenceBytesMax + 1);
}

}  // namespace
}  // namespace firebreak::probes
