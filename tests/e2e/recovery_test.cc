// An incident is over when its checklist says so, and not before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/deployment.h"

namespace firebreak::testing {
namespace recovery_test {

using ::testing::HasSubstr;

constexpr const char* kHealthy = "location /health { return 200 'fine'; }\n";

std::string answer(const std::string& success) {
  return std::string(kHealthy) +
         "location /test { default_type application/json; return 200 '{\"success\": " + success +
         "}'; }\n";
}

std::string policy(const NginxServer& nginx) {
  return "severities:\n  P1: {}\n"
         "services:\n  web:\n    agents: labels.role == 'edge'\n    probes:\n"
         "      health: {http: \"" +
         nginx.url("/health") +
         "\", every: 500ms, timeout: 1s, confirm: {attempts: 1, every: 100ms}}\n"
         "rules:\n  - {service: web, severity: {P1: \"!available('health')\"}}\n"
         "checklists:\n  web:\n"
         "    - {name: health, probe: health, attempts: 5, every: 200ms, passes: 2}\n"
         "    - {name: test order, http: {post: \"" +
         nginx.url("/test") +
         "\", json: {test: true}}, expect: body.success == true, attempts: 2, every: 200ms}\n"
         "    - {name: error rate, expect: \"error_rate('health', 3s) < 0.5\", hold: 2s, samples: "
         "2}\n";
}

class Recovery : public ::testing::Test {
 protected:
  NginxServer nginx_{answer("true")};
  Deployment deployment_{{policy(nginx_), {"edge-1", "edge-2"}, ""}};
};

TEST_F(Recovery, AFailingTestOrderKeepsTheIncidentOpen) {
  ASSERT_TRUE(deployment_.await_calm()) << deployment_.logs();
  nginx_.kill();
  const auto opened = deployment_.await_incident([](const boost::json::object&) { return true; });
  ASSERT_TRUE(opened.is_object()) << deployment_.logs();
  const std::string id = text_of(opened.as_object(), "id");

  nginx_.serve(answer("false"));
  ASSERT_TRUE(Deployment::await([&] {
    return deployment_.firebreak({"incident", id}).output.find("test order") != std::string::npos;
  })) << deployment_.firebreak({"incident", id}).output
      << deployment_.logs();
  const boost::json::value open = deployment_.ask({"incident", id});
  EXPECT_NE(text_of(open.as_object(), "phase"), "resolved");

  nginx_.serve(answer("true"));
  EXPECT_TRUE(deployment_
                  .await_incident(
                      [](const boost::json::object& incident) {
                        return text_of(incident, "phase") == "resolved";
                      },
                      true)
                  .is_object())
      << deployment_.firebreak({"incident", id}).output << deployment_.logs();
}

TEST_F(Recovery, ValidateSaysPassedFailedOrInconclusive) {
  ASSERT_TRUE(deployment_.await_calm()) << deployment_.logs();
  const CommandResult passed = deployment_.firebreak({"validate", "web"});
  EXPECT_EQ(passed.exit_code, 0) << passed.output << passed.errors << deployment_.logs();
  EXPECT_THAT(passed.output, HasSubstr("passed"));

  nginx_.serve(answer("false"));
  ASSERT_TRUE(deployment_.await_calm()) << deployment_.logs();
  const CommandResult failed = deployment_.firebreak({"validate", "web"});
  EXPECT_EQ(failed.exit_code, 1) << failed.output << failed.errors;
  EXPECT_THAT(failed.output, HasSubstr("test order"));

  deployment_.kill_agent("edge-1");
  deployment_.kill_agent("edge-2");
  ASSERT_TRUE(Deployment::await([this] {
    const boost::json::value status = deployment_.ask({"status"});
    return status.is_object() && status.at("agents_attached").as_int64() == 0;
  })) << deployment_.logs();
  const CommandResult blind = deployment_.firebreak({"validate", "web"});
  EXPECT_EQ(blind.exit_code, 3) << blind.output << blind.errors;

  EXPECT_EQ(deployment_.firebreak({"validate", "wbe"}).exit_code, 1);
}

}  // namespace recovery_test
}  // namespace firebreak::testing
