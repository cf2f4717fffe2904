// From a real server that dies or hangs to an incident, and back to a proven recovery.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "tests/support/deployment.h"

namespace firebreak::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kSeverities =
    "severities:\n"
    "  P1: {acknowledge: 5m, update: 15m, resolve: 2h}\n"
    "  P2: {acknowledge: 15m, update: 30m, resolve: 4h}\n"
    "facts:\n"
    "  customers: 0\n";

std::string probe(const std::string& kind) {
  return "{" + kind + ", every: 500ms, timeout: 1s, confirm: {attempts: 2, every: 100ms}}";
}

std::string port_of(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

struct Servers {
  NginxServer nginx;
  RedisServer redis;
  PostgresServer postgres;
};

std::string three_services(const Servers& servers) {
  std::string policy = std::string(kSeverities) + "services:\n";
  const auto service = [&](const std::string& name, const std::string& kind) {
    policy += "  " + name +
              ":\n    agents: labels.role == 'edge'\n    probes:\n      health: " + probe(kind) +
              "\n";
  };
  service("web", "http: \"" + servers.nginx.url("/index.html") + "\"");
  service("cache", "redis: \"" + port_of(servers.redis.port()) + "\"");
  service("database", "postgres: \"" + port_of(servers.postgres.port()) + "\"");
  policy += "rules:\n";
  for (const char* name : {"web", "cache", "database"})
    policy +=
        "  - {service: " + std::string(name) + ", severity: {P1: \"!available('health')\"}}\n";
  policy += "checklists:\n";
  for (const char* name : {"web", "cache", "database"})
    policy +=
        "  " + std::string(name) + ": [{probe: health, attempts: 5, every: 200ms, passes: 3}]\n";
  return policy;
}

// How a server is hurt, and healed.
struct Fault {
  const char* name;
  const char* service;
  std::function<void(Servers&)> hurt;
  std::function<void(Servers&)> heal;
  // What a list of tests shows for the parameter, instead of its bytes.
  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

class Detection : public ::testing::TestWithParam<Fault> {};

TEST_P(Detection, OpensOneIncidentAndResolvesItAfterAProvenRecovery) {
  Servers servers;
  servers.nginx.write("index.html", "hello");
  const Deployment deployment({three_services(servers), {"edge-1", "edge-2"}, ""});
  ASSERT_TRUE(deployment.await_calm()) << deployment.logs();

  GetParam().hurt(servers);
  const auto opened = deployment.await_incident(
      [](const boost::json::object& incident) { return text_of(incident, "severity") == "P1"; });
  ASSERT_TRUE(opened.is_object()) << deployment.logs();
  const std::string id = text_of(opened.as_object(), "id");
  EXPECT_EQ(text_of(opened.as_object(), "service"), GetParam().service);

  GetParam().heal(servers);
  const auto resolved = deployment.await_incident(
      [&](const boost::json::object& incident) {
        return text_of(incident, "id") == id && text_of(incident, "phase") == "resolved";
      },
      true);
  ASSERT_TRUE(resolved.is_object())
      << deployment.firebreak({"incident", id}).output << deployment.logs();
  EXPECT_EQ(text_of(resolved.as_object(), "resolved_by"), "engine");
  EXPECT_EQ(deployment.ask({"incidents", "--all"}).at("incidents").as_array().size(), 1U);
  EXPECT_THAT(deployment.firebreak({"report", id}).output, HasSubstr("# "));
}

INSTANTIATE_TEST_SUITE_P(
    Faults, Detection,
    ::testing::Values(Fault{"NginxKilled", "web", [](Servers& s) { s.nginx.kill(); },
                            [](Servers& s) { s.nginx.start(); }},
                      Fault{"NginxStopped", "web", [](Servers& s) { s.nginx.freeze(); },
                            [](Servers& s) { s.nginx.thaw(); }},
                      Fault{"RedisKilled", "cache", [](Servers& s) { s.redis.kill(); },
                            [](Servers& s) { s.redis.start(); }},
                      Fault{"RedisStopped", "cache", [](Servers& s) { s.redis.freeze(); },
                            [](Servers& s) { s.redis.thaw(); }},
                      Fault{"PostgresKilled", "database", [](Servers& s) { s.postgres.kill(); },
                            [](Servers& s) { s.postgres.start(); }},
                      Fault{"PostgresStopped", "database", [](Servers& s) { s.postgres.freeze(); },
                            [](Servers& s) { s.postgres.thaw(); }}),
    [](const auto& fault) { return std::string(fault.param.name); });

TEST(Queue, GrowsFromP2ToP1AndResolvesWhenItIsDrained) {
  RedisServer redis;
  const std::string policy =
      std::string(kSeverities) +
      "services:\n  mail:\n    agents: labels.role == 'edge'\n    probes:\n      queue: " +
      probe("queue: {redis: \"" + port_of(redis.port()) + "\", list: outgoing}") +
      "\nrules:\n  - service: mail\n    severity: {P1: \"value('queue') > 10\", "
      "P2: \"value('queue') > 5\"}\n"
      "checklists:\n  mail: [{probe: queue, attempts: 5, every: 200ms, passes: 2, "
      "expect: \"value <= 5.0\"}]\n";
  redis.cli({"RPUSH", "outgoing", "job"});
  const Deployment deployment({policy, {"edge-1"}, ""});
  ASSERT_TRUE(deployment.await_calm()) << deployment.logs();

  redis.cli({"RPUSH", "outgoing", "2", "3", "4", "5", "6"});
  const auto opened = deployment.await_incident(
      [](const boost::json::object& incident) { return text_of(incident, "severity") == "P2"; });
  ASSERT_TRUE(opened.is_object()) << deployment.logs();
  redis.cli({"RPUSH", "outgoing", "7", "8", "9", "10", "11"});
  ASSERT_TRUE(deployment
                  .await_incident([&](const boost::json::object& incident) {
                    return text_of(incident, "severity") == "P1" &&
                           text_of(incident, "id") == text_of(opened.as_object(), "id");
                  })
                  .is_object())
      << deployment.logs();
  redis.cli({"LTRIM", "outgoing", "0", "0"});
  const auto resolved = deployment.await_incident(
      [](const boost::json::object& incident) { return text_of(incident, "phase") == "resolved"; },
      true);
  ASSERT_TRUE(resolved.is_object()) << deployment.logs();
  EXPECT_EQ(text_of(resolved.as_object(), "peak_severity"), "P1");
}

TEST(Facts, APersonsWordOpensAnIncident) {
  NginxServer nginx;
  nginx.write("index.html", "hello");
  const std::string policy =
      std::string(kSeverities) +
      "services:\n  web:\n    agents: labels.role == 'edge'\n    probes:\n      health: " +
      probe("http: \"" + nginx.url("/index.html") + "\"") +
      "\nrules:\n  - {service: web, severity: {P2: \"facts.customers > 100\"}}\n";
  const Deployment deployment({policy, {"edge-1"}, ""});
  ASSERT_TRUE(deployment.await_calm()) << deployment.logs();

  const CommandResult wrong = deployment.firebreak({"fact", "set", "customers", "many"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.errors, HasSubstr("whole number"));
  EXPECT_EQ(deployment.firebreak({"fact", "set", "customers", "101"}).exit_code, 0);
  ASSERT_TRUE(deployment
                  .await_incident([](const boost::json::object& incident) {
                    return text_of(incident, "severity") == "P2";
                  })
                  .is_object())
      << deployment.logs();
}

}  // namespace
}  // namespace firebreak::testing
