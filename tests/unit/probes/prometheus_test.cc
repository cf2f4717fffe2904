// Prometheus probes against servers that say what they are told.
#include "probes/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace prometheus_test {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::secret_file;
using testing::TempDir;
using testing::time_out;
using testing::value_of;

std::string http(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

std::string vector_of(const std::string& series, const std::string& beside = "") {
  return http(R"({"status":"success",)" + beside + R"("data":{"resultType":"vector","result":[)" +
              series + "]}}");
}

std::string series(const std::string& name, const std::string& value) {
  return R"({"metric":{"__name__":")" + name + R"("},"value":[1,")" + value + R"("]})";
}

PrometheusSpec query(const std::string& text = "up") {
  PrometheusSpec spec;
  spec.query = text;
  return spec;
}

PrometheusSpec page(const std::string& metric = "up") {
  PrometheusSpec spec;
  spec.metric = metric;
  return spec;
}

class Prometheus : public ::testing::Test {
 protected:
  Observation ask(PrometheusSpec spec, const std::string& reply,
                  Script::End end = Script::End::close) {
    const ScriptedServer server(io_, {{{{"\r\n\r\n", reply}}, end}});
    spec.http.url = server.url(spec.query.empty() ? "/metrics" : "/prefix/");
    Observation result = run_probe(io_, spec);
    asked_ = server.received().empty() ? "" : server.received().front();
    return result;
  }

  boost::asio::io_context io_;
  std::string asked_;
};

TEST_F(Prometheus, AsksByPostWithItsTimeout) {
  expect_ok(ask(query("sum(rate(a{b=\"ä\"}[5m])) + 1"), vector_of(series("a", "1"))));

  EXPECT_THAT(asked_, ::testing::StartsWith("POST /prefix/api/v1/query HTTP/1.1\r\n"));
  EXPECT_THAT(asked_, HasSubstr("Content-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(asked_, HasSubstr("\r\n\r\nquery=sum%28rate%28a%7Bb%3D%22%C3%A4%22%7D%5B5m%5D%29%29"
                                "%20%2B%201&timeout=20000ms"));
}

TEST_F(Prometheus, OneSeriesIsTheValue) {
  const Observation result = ask(query(), vector_of(series("up", "0.25")));

  expect_ok(result);
  EXPECT_EQ(result.values.front(), (NamedValue{"value", 0.25}));
  EXPECT_EQ(value_of(result, "results"), 1);
}

TEST_F(Prometheus, LimitsAreAboutEachSeries) {
  PrometheusSpec spec = query();
  spec.warning = parse_range("1:");
  spec.critical = parse_range("0.5:");

  const Observation fine = ask(spec, vector_of(series("a", "1") + "," + series("b", "2")));
  expect_ok(fine);
  EXPECT_EQ(value_of(fine, "results"), 2);
  for (const NamedValue& value : fine.values) EXPECT_NE(value.name, "value");
  const Observation warned = ask(spec, vector_of(series("a", "1") + "," + series("b", "0.7")));
  expect_verdict(warned, Status::warning, Reason::threshold, Phase::transfer);
  EXPECT_EQ(warned.evidence, "1 of 2 series: b is 0.7, the limit is 1:");
  const Observation bad = ask(spec, vector_of(series("a", "0.7") + "," + series("b", "-Inf")));
  expect_verdict(bad, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_THAT(bad.evidence, HasSubstr("b is -inf"));
  const Observation one = ask(spec, vector_of(series("a", "0")));
  EXPECT_EQ(one.evidence, "a is 0, the limit is 0.5:");
  EXPECT_EQ(value_of(one, "value"), 0);
}

TEST_F(Prometheus, NothingMeansWhatEmptySays) {
  for (const std::string& reply : {vector_of(""), vector_of(series("a", "NaN"))}) {
    PrometheusSpec spec = query();
    expect_verdict(ask(spec, reply), Status::critical, Reason::missing, Phase::transfer);
    spec.empty = "unknown";
    expect_verdict(ask(spec, reply), Status::unknown, Reason::missing, Phase::transfer);
    spec.empty = "ok";
    const Observation result = ask(spec, reply);
    expect_ok(result);
    EXPECT_EQ(value_of(result, "results"), 0);
  }
}

TEST_F(Prometheus, WarningsOfTheServerAreAWarning) {
  const std::string beside = R"("warnings":["no store matched"],)";
  PrometheusSpec spec = query();
  spec.critical = parse_range("10");

  const Observation result = ask(spec, vector_of(series("a", "1"), beside));
  expect_verdict(result, Status::warning, Reason::body, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("no store matched"));
  EXPECT_EQ(value_of(result, "value"), 1);
  expect_verdict(ask(spec, vector_of(series("a", "11"), beside)), Status::critical,
                 Reason::threshold, Phase::transfer);
  expect_verdict(ask(spec, vector_of("", beside)), Status::critical, Reason::missing,
                 Phase::transfer);
  spec.empty = "ok";
  expect_verdict(ask(spec, vector_of("", beside)), Status::warning, Reason::body, Phase::transfer);
}

TEST_F(Prometheus, ErrorsHaveTheServersWords) {
  const auto error = [](const std::string& type, const std::string& status) {
    return http(R"({"status":"error","errorType":")" + type + R"(","error":"it says"})", status);
  };
  const Observation wrong = ask(query("up{"), error("bad_data", "400 Bad Request"));
  expect_verdict(wrong, Status::unknown, Reason::config, Phase::transfer);
  EXPECT_EQ(wrong.evidence, "bad_data: it says");
  expect_verdict(ask(query(), error("execution", "422 Unprocessable Entity")), Status::critical,
                 Reason::status, Phase::transfer);
  expect_verdict(ask(query(), error("timeout", "503 Service Unavailable")), Status::critical,
                 Reason::timeout, Phase::transfer);
  expect_verdict(ask(query(), error("internal", "200 OK")), Status::critical, Reason::status,
                 Phase::transfer);
}

TEST_F(Prometheus, WhatHttpSaysStays) {
  const Observation gone = ask(query(), http("<p>gone</p>", "502 Bad Gateway"));
  expect_verdict(gone, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(gone.evidence, HasSubstr("502 Bad Gateway: <p>gone</p>"));
  expect_verdict(ask(query(), http("{}", "401 Unauthorized")), Status::critical, Reason::auth,
                 Phase::transfer);
  expect_verdict(ask(page(), http("up 1\n", "404 Not Found")), Status::critical, Reason::status,
                 Phase::transfer);
  expect_verdict(ask(page(), http("up 1\n", "302 Found")), Status::critical, Reason::status,
                 Phase::transfer);
}

TEST_F(Prometheus, AnotherServerIsProtocol) {
  const Observation result = ask(query(), http("<html>\x1b[2J"));
  expect_verdict(result, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("no JSON: <html>"));
}

TEST_F(Prometheus, ATooLongAnswerIsTheQuerysFault) {
  const std::string huge(limits::kPrometheusAnswerBytesMax + 1, ' ');
  expect_verdict(ask(query(), http(huge)), Status::unknown, Reason::config, Phase::transfer);
}

TEST_F(Prometheus, ReadsAPage) {
  PrometheusSpec spec = page("jobs{queue=\"mail\"}");
  spec.critical = parse_range("10");
  const std::string text =
      "jobs{queue=\"mail\",zone=\"a\"} 4\njobs{queue=\"mail\",zone=\"b\"} 5\njobs{queue=\"x\"} 9\n";

  const Observation result = ask(spec, http(text));
  expect_ok(result);
  EXPECT_EQ(result.values.front(), (NamedValue{"value", 9}));
  EXPECT_EQ(value_of(result, "results"), 2);
  EXPECT_THAT(asked_, ::testing::StartsWith("GET /metrics HTTP/1.1\r\n"));
  EXPECT_THAT(asked_, HasSubstr("Accept: text/plain;version=0.0.4"));
  const Observation bad = ask(spec, http(text + "jobs{queue=\"mail\"} 5"));
  expect_verdict(bad, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_EQ(bad.evidence, "jobs{queue=\"mail\"} is 14, the limit is 10");
  expect_verdict(ask(spec, http("jobs{queue=\"x\"} 9\n")), Status::critical, Reason::missing,
                 Phase::transfer);
  expect_verdict(ask(spec, http("jobs{queue=\"mail\"} many\n")), Status::critical, Reason::protocol,
                 Phase::transfer);
}

TEST_F(Prometheus, APageMayBeLongerThanABodyIsHeld) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "jobs{queue=\"" + std::to_string(i) + "\"} 1\n";
  ASSERT_GT(text.size(), limits::kHttpBodyBytesMax);

  const Observation result = ask(page("jobs"), http(text));
  expect_ok(result);
  EXPECT_EQ(value_of(result, "value"), 5000);
}

TEST_F(Prometheus, InfinitiesThatMeetAreNoNumber) {
  expect_verdict(ask(page(), http("up +Inf\nup -Inf\n")), Status::critical, Reason::missing,
                 Phase::transfer);
}

TEST_F(Prometheus, AnEndlessPageEndsAtItsBound) {
  const std::string page_of_blanks =
      "HTTP/1.1 200 OK\r\n\r\nup 1\n" + std::string(limits::kMetricsPageBytesMax, '\n');
  const ScriptedServer server(io_, {{{{"\r\n\r\n", page_of_blanks}}, Script::End::drip}});
  PrometheusSpec spec = page();
  spec.http.url = server.url();

  const Observation result = run_probe(io_, spec);
  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("longer than 16 MiB"));
}

TEST_F(Prometheus, ASilentServerEndsAtTheDeadline) {
  for (PrometheusSpec spec : {query(), page()}) {
    const ScriptedServer silent(io_, {{{}, Script::End::hold}});
    spec.http.url = silent.url();
    expect_verdict(time_out(io_, spec), Status::critical, Reason::timeout, Phase::first_byte);
    const ScriptedServer slow(
        io_,
        {{{{"\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nup"}}, Script::End::hold}});
    spec.http.url = slow.url();
    expect_verdict(time_out(io_, spec), Status::critical, Reason::timeout, Phase::transfer);
  }
}

TEST_F(Prometheus, AnEarlyEndIsNeverOk) {
  const std::string answer = vector_of(series("up", "1"));
  for (std::size_t size = 0; size < answer.size(); ++size)
    EXPECT_EQ(ask(query(), answer.substr(0, size)).status, Status::critical) << size;
  const std::string samples = http("up 1\nup 1\n");
  for (std::size_t size = 0; size < samples.size(); ++size)
    EXPECT_EQ(ask(page(), samples.substr(0, size)).status, Status::critical) << size;
}

TEST_F(Prometheus, CredentialsAreSentAndNeverShown) {
  const TempDir folder;
  PrometheusSpec spec = query();
  spec.http.bearer_token_file = secret_file(folder, "hunter2");
  const Observation result =
      ask(spec, http(R"({"status":"error","errorType":"x","error":"hunter2"})", "403 Forbidden"));

  EXPECT_THAT(asked_, HasSubstr("Authorization: Bearer hunter2\r\n"));
  EXPECT_EQ(result.evidence, "x: ***");
}

}  // namespace prometheus_test
}  // namespace firebreak
