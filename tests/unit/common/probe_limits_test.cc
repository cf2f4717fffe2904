// Limits make results worse, `invert` turns them round, and neither blames a target for what is
// ours.
#include "common/probe_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace judge_test {
namespace {

using namespace std::chrono_literals;
using testing::expect_ok;
using testing::expect_verdict;

Observation good(double value) {
  Observation seen;
  seen.status = Status::ok;
  seen.latency = 250ms;
  seen.values = {{"days", value}};
  return seen;
}

Observation judged(const std::map<std::string, Limit>& limits, Observation seen) {
  ProbeSpec spec;
  spec.limits = limits;
  judge_limits(spec, seen);
  return seen;
}

Limit limit(const char* warning, const char* critical) {
  return {parse_range(warning), parse_range(critical)};
}

TEST(JudgeLimits, HoldAtTheirBoundaries) {
  const std::map<std::string, Limit> limits{{"days", limit("21:", "7:")}};

  expect_ok(judged(limits, good(21)));
  expect_verdict(judged(limits, good(20.9)), Status::warning, Reason::threshold, Phase::none);
  expect_verdict(judged(limits, good(7)), Status::warning, Reason::threshold, Phase::none);
  const Observation late = judged(limits, good(6));
  expect_verdict(late, Status::critical, Reason::threshold, Phase::none);
  EXPECT_EQ(late.evidence, "days is 6, limit 7:");
}

TEST(JudgeLimits, NameAllThatAreCrossedAndKeepWhatTheTargetSaid) {
  Observation seen = good(3);
  seen.evidence = "hello";

  const Observation result =
      judged({{"days", limit("", "7:")}, {"latency", limit("", "0.1")}}, seen);

  EXPECT_EQ(result.evidence, "days is 3, limit 7:, latency is 0.25, limit 0.1; hello");
}

TEST(JudgeLimits, LatencyIsInSeconds) {
  expect_ok(judged({{"latency", limit("0.25", "")}}, good(1)));
  expect_verdict(judged({{"latency", limit("0.249", "")}}, good(1)), Status::warning,
                 Reason::threshold, Phase::none);
}

TEST(JudgeLimits, WhatIsNotThereCannotBeJudged) {
  const Limit any = limit("1", "");
  expect_verdict(judged({{"other", any}}, good(1)), Status::unknown, Reason::missing, Phase::none);
  // What is there and critical counts all the same.
  expect_verdict(judged({{"other", any}, {"days", limit("", "7:")}}, good(1)), Status::critical,
                 Reason::threshold, Phase::none);
}

TEST(JudgeLimits, NeverMakeAnythingBetter) {
  Observation refused;
  refused.status = Status::critical;
  refused.reason = Reason::refused;
  refused.phase = Phase::connect;
  expect_verdict(judged({{"days", limit("21:", "")}}, refused), Status::critical, Reason::refused,
                 Phase::connect);

  Observation warned = good(8);
  warned.status = Status::warning;
  warned.reason = Reason::status;
  expect_verdict(judged({{"days", limit("21:", "")}}, warned), Status::warning, Reason::status,
                 Phase::none);
  expect_verdict(judged({{"days", limit("", "10:")}}, warned), Status::critical, Reason::threshold,
                 Phase::none);
}

TEST(JudgeLimits, EvidenceStaysWithinItsBound) {
  Observation seen = good(1);
  seen.evidence.assign(limits::kEvidenceBytesMax, 'x');

  EXPECT_EQ(judged({{"days", limit("7:", "")}}, seen).evidence.size(), limits::kEvidenceBytesMax);
}

TEST(Invert, TurnsWhatIsKnownRound) {
  Observation seen = good(1);
  invert(seen);
  expect_verdict(seen, Status::critical, Reason::status, Phase::none);

  for (const Status status : {Status::warning, Status::critical}) {
    Observation failed;
    failed.status = status;
    failed.reason = Reason::refused;
    failed.phase = Phase::connect;
    failed.evidence = "connect to 127.0.0.1:1";
    invert(failed);
    expect_ok(failed);
    EXPECT_EQ(failed.evidence, "as it should be: refused; connect to 127.0.0.1:1");
  }
}

TEST(Invert, DoesNotCallGoodWhatNobodySaw) {
  Observation seen;
  seen.reason = Reason::prober;
  invert(seen);
  expect_verdict(seen, Status::unknown, Reason::prober, Phase::none);
}

TEST(OwnLimits, AreWhatEachKindSays) {
  TcpSpec tcp;
  tcp.certificate_warning_days = 14;
  IcmpSpec icmp;
  icmp.loss_critical = 50;
  icmp.rtt_warning = 80ms;
  SystemdSpec systemd;
  systemd.critical = parse_range("3");
  HostSpec host;
  host.warning = {{"cpu", *parse_range("80")}};
  host.critical = {{"cpu", *parse_range("95")}};
  PrometheusSpec prometheus;
  prometheus.critical = parse_range("1:");
  QueueSpec queue{QueueSpec::RedisKey{}, 10, 100};
  const auto at = [](const KindSpec& kind, const char* value) {
    return own_limits(kind).at(value);
  };

  EXPECT_EQ(at(tcp, "chain_days"), (Limit{parse_range("14:"), {}}));
  EXPECT_EQ(at(icmp, "loss"), (Limit{{}, parse_range("~:50")}));
  EXPECT_EQ(at(icmp, "rtt"), (Limit{parse_range("~:0.08"), {}}));
  EXPECT_EQ(at(systemd, "restarts"), (Limit{{}, parse_range("3")}));
  EXPECT_EQ(at(host, "cpu"), (Limit{parse_range("80"), parse_range("95")}));
  EXPECT_EQ(at(prometheus, "value"), (Limit{{}, parse_range("1:")}));
  EXPECT_EQ(at(queue, "length"), (Limit{parse_range("~:10"), parse_range("~:100")}));
  EXPECT_TRUE(own_limits(HttpSpec{}).empty());
  EXPECT_TRUE(own_limits(TcpSpec{}).empty());
}

}  // namespace
}  // namespace judge_test
}  // namespace firebreak
