// The shipped example loads, and every mistake in a configuration is shown with its place.
#include "agent/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::agent {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::string kTls = "tls: {certificate: /pki/a.crt, key: /pki/a.key, ca: /pki/ca.crt}\n";
const std::string kGood = kTls + "state: /state\ncoordinators: [a:1]\n";

std::string refusal(const std::string& text) {
  const auto config = parse_config("a.yaml", text);
  return config ? "accepted" : config.error().message;
}

TEST(AgentConfig, TheShippedExampleLoads) {
  const auto config = load_config(FIREBREAK_SOURCE_DIR "/deploy/examples/agent.yaml");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->coordinators, ElementsAre("coordinator.example:7443"));
  EXPECT_EQ(config->tls.certificate, "/etc/firebreak/pki/agent.crt");
  EXPECT_EQ(config->tls.key, "credential:agent.key");
  EXPECT_EQ(config->tls.ca, "/etc/firebreak/pki/ca.crt");
  EXPECT_THAT(config->labels, ElementsAre(Pair("role", "edge"), Pair("site", "hel1")));
  EXPECT_EQ(config->state, "/var/lib/firebreak/agent");
  EXPECT_EQ(config->actuator, "/run/firebreak/actuator.sock");
  EXPECT_EQ(config->checks_dir, "/etc/firebreak/checks.d");
  EXPECT_EQ(config->heartbeats->socket, "/run/firebreak-agent/heartbeat.sock");
  EXPECT_EQ(config->log_level, log::Level::info);
  EXPECT_EQ(config->log_format, log::Format::text);
}

TEST(AgentConfig, WithoutAnActuatorItOnlyProbes) {
  const auto config = parse_config("a.yaml", kGood);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->actuator, "");
  EXPECT_EQ(config->checks_dir, "");
  EXPECT_TRUE(config->labels.empty());
}

TEST(AgentConfig, ReadsWhereJobsReport) {
  EXPECT_FALSE(parse_config("a.yaml", kGood)->heartbeats);
  const auto empty = parse_config("a.yaml", kGood + "heartbeats: {}\n");
  ASSERT_TRUE(empty) << empty.error().message;
  EXPECT_EQ(empty->heartbeats->socket, "/run/firebreak-agent/heartbeat.sock");
  EXPECT_TRUE(empty->heartbeats->is_for_all);
  EXPECT_EQ(empty->heartbeats->address, "");

  const auto config = parse_config(
      "a.yaml", kGood +
                    "heartbeats: {socket: /jobs/s, access: group, users: {backup: [root, daemon], "
                    "mirror: www-data}, tcp: {listen: '[::1]:7445', token_file: credential:t}}\n");
  ASSERT_TRUE(config) << config.error().message;
  const HeartbeatConfig& beats = *config->heartbeats;
  EXPECT_EQ(beats.socket, "/jobs/s");
  EXPECT_FALSE(beats.is_for_all);
  EXPECT_THAT(beats.users, ElementsAre(Pair("backup", ElementsAre("daemon", "root")),
                                       Pair("mirror", ElementsAre("www-data"))));
  EXPECT_EQ(beats.address, "::1");
  EXPECT_EQ(beats.port, 7445);
  EXPECT_EQ(beats.token_file, "credential:t");
}

TEST(AgentConfig, RefusesWhereNoJobCouldReport) {
  for (const char* bad :
       {"{socket: jobs}", "{access: all}", "{users: {A/B: root}}", "{tcp: {listen: '[::1]:7445'}}",
        "{tcp: {listen: localhost:7445, token_file: /t}}",
        "{tcp: {listen: 127.0.0.1, token_file: /t}}",
        "{tcp: {listen: 127.0.0.1:7445, token_file: t}}", "{port: 1}"})
    EXPECT_THAT(refusal(kGood + "heartbeats: " + bad + "\n"), HasSubstr("a.yaml:4:")) << bad;
}

TEST(AgentConfig, ReadsHowToLog) {
  const auto config = parse_config("a.yaml", kGood + "log: {level: debug, format: json}\n");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->log_level, log::Level::debug);
  EXPECT_EQ(config->log_format, log::Format::json);
  EXPECT_THAT(refusal(kGood + "log: {level: loud}\n"), HasSubstr("a.yaml:4:14: error"));
}

TEST(AgentConfig, ReadsHowMuchTheSpoolMayHold) {
  const auto config = parse_config("a.yaml", kGood + "spool: {size_mib: 64, age: 2d}\n");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->spool.bytes_max, 64U << 20);
  EXPECT_EQ(config->spool.age_max, std::chrono::hours(48));
  EXPECT_EQ(parse_config("a.yaml", kGood)->spool.bytes_max, limits::kSpoolBytesDefault);
  EXPECT_THAT(refusal(kGood + "spool: {size_mib: 0}\n"), HasSubstr("a.yaml:4:19: error"));
  EXPECT_THAT(refusal(kGood + "spool: {age: 1s}\n"), HasSubstr("a.yaml:4:14: error"));
}

TEST(AgentConfig, TakesOneCoordinatorOrSeveral) {
  const auto one = parse_config("a.yaml", kTls + "state: /s\ncoordinators: main.example:7443\n");
  const auto more = parse_config(
      "a.yaml", kTls + "state: /s\ncoordinators: [a:1, '[::1]:7443', 10.0.0.1:65535]\n");

  ASSERT_TRUE(one) << one.error().message;
  EXPECT_THAT(one->coordinators, ElementsAre("main.example:7443"));
  ASSERT_TRUE(more) << more.error().message;
  EXPECT_THAT(more->coordinators, ElementsAre("a:1", "[::1]:7443", "10.0.0.1:65535"));
}

TEST(AgentConfig, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"'7443'", "':7443'", "'::1:7443'", "'a:'", "a:65536", "a:0", "a:-1", "a:7443x",
        "'[::1:7443'", "'a b:1'", "'http://a:1'", "'unix:/run/x:1'", "'dns:a:1'", "\"a\\0:1\""}) {
    EXPECT_THAT(refusal(kTls + "state: /s\ncoordinators:\n- " + text + "\n"),
                HasSubstr("a.yaml:4:3: error: "))
        << text;
  }
  EXPECT_THAT(refusal(kTls + "state: /s\ncoordinators: [main.example]\n"),
              HasSubstr("did you mean 'main.example:7443'?"));
}

TEST(AgentConfig, RefusesNoCoordinatorAndTheSameTwice) {
  EXPECT_THAT(refusal(kTls + "state: /s\n"), HasSubstr("'coordinators'"));
  EXPECT_THAT(refusal(kTls + "state: /s\ncoordinators: []\n"), HasSubstr("at least one"));
  EXPECT_THAT(refusal(kTls + "state: /s\ncoordinators: [a:1, a:1]\n"), HasSubstr("again"));
  std::string many = "a1:1";
  for (int i = 2; i <= 17; ++i) many += ", a" + std::to_string(i) + ":1";
  EXPECT_THAT(refusal(kTls + "state: /s\ncoordinators: [" + many + "]\n"), HasSubstr("at most 16"));
}

TEST(AgentConfig, LabelsAreNamesWithPlainText) {
  EXPECT_THAT(refusal(kGood + "labels: {Role: x}\n"), HasSubstr("a.yaml:4:10: error"));
  EXPECT_THAT(refusal(kGood + "labels: {role: \"a\\nb\"}\n"), HasSubstr("a.yaml:4:16: error"));
  EXPECT_THAT(refusal(kGood + "labels: {role: " + std::string(257, 'x') + "}\n"),
              HasSubstr("a.yaml:4:16: error"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "l" + std::to_string(i) + ": x, ";
  EXPECT_THAT(refusal(kGood + "labels: {" + many + "}\n"), HasSubstr("at most 64"));
}

TEST(AgentConfig, PathsAreAbsoluteAndOnlyTheKeyMayBeACredential) {
  EXPECT_THAT(refusal("tls: {certificate: a.crt, key: k, ca: credential:ca}\n"
                      "state: var\ncoordinators: [a:1]\nactuator: sock\n"),
              AllOf(HasSubstr("a.yaml:1:20: error"), HasSubstr("a.yaml:1:32: error"),
                    HasSubstr("a.yaml:1:39: error"), HasSubstr("a.yaml:2:8: error"),
                    HasSubstr("a.yaml:4:11: error")));
  EXPECT_THAT(refusal(kGood + "actuator: /" + std::string(200, 'x') + "\n"),
              HasSubstr("longer than a socket's path"));
}

TEST(AgentConfig, ReadsWhoseAnswerProvesTheNetwork) {
  const auto config = parse_config(
      "a.yaml", kGood +
                    "anchors: [{tcp: 'dns.example:53'}, {tcp: '[::1]:53'}, {icmp: 10.0.0.1}, "
                    "{icmp: 'fe80::1'}]\n");

  ASSERT_TRUE(config) << config.error().message;
  using Kind = Anchor::Kind;
  EXPECT_THAT(config->anchors,
              ElementsAre(Anchor{Kind::tcp, "dns.example", 53}, Anchor{Kind::tcp, "::1", 53},
                          Anchor{Kind::icmp, "10.0.0.1", 0}, Anchor{Kind::icmp, "fe80::1", 0}));
  EXPECT_TRUE(parse_config("a.yaml", kGood)->anchors.empty());
}

TEST(AgentConfig, RefusesWhatIsNotAnAnchor) {
  EXPECT_THAT(refusal(kGood + "anchors: [10.0.0.1]\n"), HasSubstr("a.yaml:4:11: error"));
  EXPECT_THAT(refusal(kGood + "anchors: [{}]\n"), HasSubstr("either {tcp: HOST:PORT} or"));
  EXPECT_THAT(refusal(kGood + "anchors: [{tcp: 'a:1', icmp: a}]\n"), HasSubstr("either {tcp:"));
  EXPECT_THAT(refusal(kGood + "anchors: [{tcp: a}]\n"), HasSubstr("a.yaml:4:17: error"));
  EXPECT_THAT(refusal(kGood + "anchors: [{icmp: 10.0.0.1:53}]\n"),
              HasSubstr("must be a host such as"));
  EXPECT_THAT(refusal(kGood + "anchors: [{icmp: a}, {icmp: a}]\n"), HasSubstr("again"));
  std::string many;
  for (int i = 0; i < 9; ++i) many += "{icmp: a" + std::to_string(i) + "}, ";
  EXPECT_THAT(refusal(kGood + "anchors: [" + many + "]\n"), HasSubstr("at most 8"));
}

TEST(AgentConfig, ReadsHowManyProbesRunAtOnce) {
  const auto config = parse_config("a.yaml", kGood + "probes: {at_once: 4096, per_target: 1}\n");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->probes_at_once, 4096U);
  EXPECT_EQ(config->probes_per_target, 1U);
  EXPECT_EQ(parse_config("a.yaml", kGood)->probes_at_once, 512U);
  EXPECT_THAT(refusal(kGood + "probes: {at_once: 0}\n"), HasSubstr("a.yaml:4:19: error"));
  EXPECT_THAT(refusal(kGood + "probes: {per_target: 5000}\n"), HasSubstr("4096"));
}

TEST(AgentConfig, UnknownKeysAreMistakes) {
  EXPECT_THAT(refusal(kGood + "label: {}\n"), HasSubstr("did you mean 'labels'?"));
  EXPECT_THAT(refusal(kGood + "name: web-1\n"), HasSubstr("a.yaml:4:1: error"));
  EXPECT_THAT(refusal(""), HasSubstr("a.yaml"));
}

}  // namespace
}  // namespace firebreak::agent
