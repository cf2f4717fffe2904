// A coordinator that is killed in the middle: nothing acknowledged is lost, nothing counts twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/deployment.h"

namespace firebreak::testing {
namespace {

std::uint64_t number_of(const boost::json::value& object, std::string_view name) {
  return std::stoull(text_of(object.as_object(), name));
}

std::string policy(const NginxServer& nginx) {
  std::string text =
      "severities:\n  P1: {}\nfacts:\n  customers: 0\n"
      "services:\n  web:\n    agents: labels.role == 'edge'\n    probes:\n";
  for (int i = 0; i < 20; ++i)
    text += "      page" + std::to_string(i) + ": {http: \"" + nginx.url("/index.html") +
            "\", every: 200ms, timeout: 200ms}\n";
  return text + "rules:\n  - {service: web, severity: {P1: \"facts.customers > 10\"}}\n";
}

class Crash : public ::testing::Test {
 protected:
  Crash() { nginx_.write("index.html", "hello"); }
  // Results that the state has counted, and those that agents were told to be committed.
  void expect_nothing_lost_or_twice() {
    const auto agents = deployment_.ask({"agents"});
    const auto status = deployment_.ask({"status"});
    ASSERT_TRUE(agents.is_object() && status.is_object()) << deployment_.logs();
    std::uint64_t acked = 0;
    for (const auto& agent : agents.at("agents").as_array()) {
      acked += number_of(agent, "acked_seq");
      EXPECT_EQ(number_of(agent, "dropped_results"), 0U);
    }
    EXPECT_GE(number_of(status, "results_committed"), acked);
  }

  NginxServer nginx_;
  Deployment deployment_{{policy(nginx_), {"edge-1", "edge-2"}, ""}};
};

TEST_F(Crash, IncidentsFactsAndResultsSurviveManyKills) {
  ASSERT_TRUE(deployment_.await_calm()) << deployment_.logs();
  ASSERT_EQ(deployment_.firebreak({"fact", "set", "customers", "11"}).exit_code, 0);
  const auto opened = deployment_.await_incident([](const boost::json::object&) { return true; });
  ASSERT_TRUE(opened.is_object()) << deployment_.logs();
  const std::string id = text_of(opened.as_object(), "id");
  ASSERT_EQ(deployment_.firebreak({"ack", id, "--note", "on it"}).exit_code, 0);

  std::uint64_t committed = 0;
  for (int kill = 0; kill < 5; ++kill) {
    committed = number_of(deployment_.ask({"status"}), "results_committed");
    deployment_.kill_coordinator();
    deployment_.start_coordinator();
    EXPECT_GE(number_of(deployment_.ask({"status"}), "results_committed"), committed);
    const auto incident = deployment_.ask({"incident", id});
    ASSERT_TRUE(incident.is_object()) << deployment_.logs();
    EXPECT_EQ(text_of(incident.as_object(), "acknowledged_by"), "alice");
    EXPECT_NE(text_of(incident.as_object(), "phase"), "resolved");
    // Results flow again before the next kill.
    ASSERT_TRUE(Deployment::await([&] {
      return number_of(deployment_.ask({"status"}), "results_committed") > committed + 40;
    })) << deployment_.logs();
    expect_nothing_lost_or_twice();
  }
  const auto fact = deployment_.ask({"fact", "list"});
  EXPECT_EQ(text_of(fact.at("facts").as_array().at(0).at("value").as_object(), "int_value"), "11");
}

}  // namespace
}  // namespace firebreak::testing
