// Prometheus probes of a real Prometheus, which scrapes itself, and of its own metrics page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "probes/run.h"
#include "tests/integration/run.h"
#include "tests/support/servers.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::kBrief;
using testing::NginxServer;
using testing::OtherServer;
using testing::run;
using testing::TempDir;
using testing::value_of;

class RealPrometheus : public ::testing::Test {
 protected:
  static std::vector<std::string> command(const std::string& port, const TempDir& folder) {
    std::ofstream(folder / "prometheus.yml")
        << "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
           "scrape_configs:\n"
           "  - {job_name: itself, static_configs: [{targets: ['127.0.0.1:"
        << port << "']}]}\n";
    return {"prometheus",
            "--config.file",
            folder / "prometheus.yml",
            "--storage.tsdb.path",
            folder / "data",
            "--query.max-samples",
            "1000",
            "--log.level",
            "error",
            "--web.listen-address",
            "127.0.0.1:" + port};
  }

  PrometheusSpec query(const std::string& text) const {
    PrometheusSpec spec;
    spec.http.url = "http://127.0.0.1:" + std::to_string(server_.port());
    spec.query = text;
    return spec;
  }

  PrometheusSpec page(const std::string& metric) const {
    PrometheusSpec spec;
    spec.http.url = "http://127.0.0.1:" + std::to_string(server_.port()) + "/metrics";
    spec.metric = metric;
    return spec;
  }

  // It listens before it answers (503), and answers before it has scraped.
  void await_samples() const {
    while (run(query("up == 1")).status != Status::ok) {
    }
  }

  OtherServer server_{command};
};

TEST_F(RealPrometheus, AnswersQueries) {
  await_samples();

  const Observation up = run(query("up{job=\"itself\"}"));
  expect_ok(up);
  EXPECT_EQ(up.values.front(), (NamedValue{"value", 1}));
  const Observation scalar = run(query("scalar(sum(up)) + 41"));
  expect_ok(scalar);
  EXPECT_EQ(value_of(scalar, "value"), 42);
  PrometheusSpec down = query("up == 0");
  expect_verdict(run(down), Status::critical, Reason::missing, Phase::transfer);
  down.empty = "ok";
  expect_ok(run(down));
  PrometheusSpec limited = query("prometheus_http_requests_total");
  limited.critical = parse_range("~:-1");
  const Observation many = run(limited);
  expect_verdict(many, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_THAT(many.evidence, HasSubstr("prometheus_http_requests_total{code=\"200\""));
  expect_verdict(run(query("vector(0) / 0")), Status::critical, Reason::missing, Phase::transfer);
  expect_ok(run(query("vector(1) / 0")));
}

TEST_F(RealPrometheus, SaysWhatIsWrongWithAQuery) {
  await_samples();

  const Observation wrong = run(query("sum(up"));
  expect_verdict(wrong, Status::unknown, Reason::config, Phase::transfer);
  EXPECT_THAT(wrong.evidence, HasSubstr("parse error"));
  expect_verdict(run(query("up[5m]")), Status::unknown, Reason::config, Phase::transfer);
  expect_verdict(run(query("\"text\"")), Status::unknown, Reason::config, Phase::transfer);
  const Observation twice =
      run(query("label_replace({job=\"itself\"}, \"__name__\", \"a\", \"\", \"\")"));
  expect_verdict(twice, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(twice.evidence, HasSubstr("execution: "));
}

TEST_F(RealPrometheus, ItsOwnPageIsRead) {
  await_samples();

  const Observation info = run(page("prometheus_build_info"));
  expect_ok(info);
  EXPECT_EQ(value_of(info, "value"), 1);
  const Observation all = run(page("prometheus_http_requests_total"));
  const Observation some =
      run(page("prometheus_http_requests_total{handler=\"/api/v1/query\",code!=\"503\"}"));
  expect_ok(all);
  expect_ok(some);
  EXPECT_GE(value_of(all, "value"), value_of(some, "value"));
  EXPECT_GE(value_of(some, "value"), 1);
  expect_verdict(run(page("no_such_metric")), Status::critical, Reason::missing, Phase::transfer);
}

TEST_F(RealPrometheus, TellsFrozenKilledAndHealthyApart) {
  await_samples();

  server_.freeze();
  expect_verdict(run(query("up"), kBrief), Status::critical, Reason::timeout, Phase::first_byte);
  expect_verdict(run(page("up"), kBrief), Status::critical, Reason::timeout, Phase::first_byte);
  server_.thaw();
  expect_ok(run(query("up")));
  server_.kill();
  expect_verdict(run(query("up")), Status::critical, Reason::refused, Phase::connect);
}

TEST(MetricsPageProbe, APageOfAFileServer) {
  const NginxServer server;
  server.write("metrics", "# TYPE jobs gauge\njobs{queue=\"mail\"} 4\n");
  server.write("index.html", "<html>\n<p>hello</p>\n</html>\n");
  PrometheusSpec spec;
  spec.http.url = server.url("/metrics");
  spec.metric = "jobs";

  const Observation result = run(spec);
  expect_ok(result);
  EXPECT_EQ(value_of(result, "value"), 4);
  spec.http.url = server.url("/index.html");
  expect_verdict(run(spec), Status::critical, Reason::protocol, Phase::transfer);
}

}  // namespace
}  // namespace firebreak
