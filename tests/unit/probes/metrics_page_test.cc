// Pages as exporters write them, cut anywhere, and pages that are none.
#include "probes/metrics_page.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

using ::testing::StartsWith;

constexpr std::string_view kPage =
    "# HELP http_requests_total The total number of HTTP requests.\n"
    "# TYPE http_requests_total counter\n"
    "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
    "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n"
    "\n"
    "# Escaping in label values:\n"
    "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find "
    "file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n"
    "metric_without_timestamp_and_labels 12.47\n"
    "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
    "http_request_duration_seconds_bucket{le=\"+Inf\"} 144320 # {trace_id=\"a\"} 0.67\n"
    "rpc_duration_seconds{quantile=\"0.01\"} NaN\n"
    "rpc_duration_seconds{quantile=\"0.5\"} 4773\n"
    "rpc_duration_seconds_sum 1.7560473e+07\r\n"
    "last_one -2";

MetricsPage read(std::string_view page, std::string_view metric, std::size_t piece = SIZE_MAX) {
  MetricsPage reader(*parse_metric_selector(metric));
  for (std::size_t at = 0; at < page.size(); at += std::min(piece, page.size()))
    reader.feed(page.substr(at, piece));
  reader.end();
  return reader;
}

TEST(MetricsPage, SumsWhatMatches) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    EXPECT_EQ(read(kPage, "http_requests_total", piece).sum(), 1030);
    EXPECT_EQ(read(kPage, "http_requests_total", piece).matching(), 2u);
    EXPECT_EQ(read(kPage, "http_requests_total{code=\"400\"}", piece).sum(), 3);
    EXPECT_EQ(read(kPage, "http_requests_total{code!=\"400\"}", piece).sum(), 1027);
    EXPECT_EQ(read(kPage, "metric_without_timestamp_and_labels", piece).sum(), 12.47);
    EXPECT_EQ(read(kPage, "http_request_duration_seconds_bucket", piece).sum(), 144320);
    EXPECT_EQ(read(kPage, "rpc_duration_seconds_sum", piece).sum(), 1.7560473e7);
    EXPECT_EQ(read(kPage, "last_one", piece).sum(), -2);
    EXPECT_EQ(read(kPage, "something_weird", piece).sum(), std::numeric_limits<double>::infinity());
    EXPECT_EQ(read(kPage, "rpc_duration_seconds", piece).sum(), 4773);
    EXPECT_EQ(read(kPage, "rpc_duration_seconds", piece).without_number(), 1u);
    EXPECT_EQ(read(kPage, "http_requests", piece).matching(), 0u);
    EXPECT_EQ(read(kPage, "http_requests", piece).problem(), "");
  }
}

TEST(MetricsPage, EscapesInLabelsAreRead) {
  EXPECT_EQ(read(kPage, R"(msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT"})").matching(),
            1u);
  EXPECT_EQ(read(kPage,
                 "msdos_file_access_time_seconds{error=\"Cannot find "
                 "file:\\n\\\"FILE.TXT\\\"\"}")
                .matching(),
            1u);
}

TEST(MetricsPage, AnEmptyPageHasNothingAndIsNoProblem) {
  for (const char* page : {"", "\n\n", "# only a comment", " \t\n"}) {
    EXPECT_EQ(read(page, "up").matching(), 0u);
    EXPECT_EQ(read(page, "up").problem(), "") << page;
  }
}

TEST(MetricsPage, APageOfSomethingElseIsAProblem) {
  EXPECT_EQ(read("<!DOCTYPE html>\n<p>Welcome</p>\n", "up").problem(), "<!DOCTYPE html>");
  EXPECT_EQ(read("{\"status\": \"ok\"}", "up").problem(), "{\"status\": \"ok\"}");
}

TEST(MetricsPage, ALineOfOurMetricThatCannotBeReadIsAProblem) {
  for (const char* line : {"up", "up ", "up{", "up{job=\"a\" 1", "up{job=\"a} 1", "up{job=a} 1",
                           "up{job=\"a\"}", "up one", "up 1e999", "up 0x", "up nan(1)", "up +-1",
                           "up{=\"a\"} 1", "up{a=\"b\"c=\"d\"} 1"}) {
    const std::string page = "down 1\n" + std::string(line) + "\ndown 2\n";
    EXPECT_EQ(read(page, "up").problem(), line);
    EXPECT_EQ(read(page, "down").problem(), "") << "the others still count";
    EXPECT_EQ(read(page, "down").sum(), 3);
  }
}

TEST(MetricsPage, ALineWithoutAnEndIsNotHeld) {
  const std::string endless = "up{a=\"" + std::string(limits::kMetricLineBytesMax * 3, 'x');
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1000}}) {
    const MetricsPage page = read("down 1\n" + endless + "\ndown 1\n", "up", piece);
    EXPECT_THAT(page.problem(), StartsWith("up{a=\"xxx"));
    EXPECT_LE(page.problem().size(), limits::kEvidenceBytesMax);
    EXPECT_EQ(read("down 1\n" + endless + "\ndown 1\n", "down", piece).sum(), 2);
  }
}

TEST(MetricsPage, SamplesAreNumbersAsGoWritesThem) {
  EXPECT_EQ(parse_sample("1e3"), 1000);
  EXPECT_EQ(parse_sample("+1.5"), 1.5);
  EXPECT_EQ(parse_sample("-Inf"), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(parse_sample("NaN").value()));
  for (const char* text : {"", "+", "+-1", "++1", "1 ", "1,5", "nan(1)", "one", "1e999"})
    EXPECT_EQ(parse_sample(text), std::nullopt) << text;
}

}  // namespace
}  // namespace firebreak::probes
