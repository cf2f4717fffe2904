// What is done about an incident, by whom, how often, and who may ask for what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/deployment.h"
#include "tests/support/files.h"
#include "tests/support/http_receiver.h"

namespace firebreak::testing {
namespace {

using ::testing::HasSubstr;

// A program of this host that writes down each of its runs, then does `more`.
class Script {
 public:
  explicit Script(const std::string& more) {
    std::ofstream(path()) << "#!/bin/sh\necho run >> " << folder_ / "runs"
                          << "\n"
                          << more << "\n";
    std::filesystem::permissions(path(), std::filesystem::perms(0700));
  }
  [[nodiscard]] std::string path() const { return folder_ / "act"; }
  [[nodiscard]] std::string file(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] long runs() const {
    const std::string text = read_file(folder_ / "runs");
    return std::count(text.begin(), text.end(), '\n');
  }

 private:
  TempDir folder_;
};

std::string actions(const Script& script) {
  return "actions:\n  repair:\n    exec: [" + script.path() + "]\n    timeout: 30s\n";
}

std::string policy(const NginxServer& nginx, const std::string& more) {
  return "severities:\n  P1: {notify: chat}\n"
         "receivers:\n  chat: {webhook: {url: \"" +
         more +
         "\"}}\n"
         "services:\n  web:\n    agents: labels.role == 'edge'\n    probes:\n"
         "      health: {http: \"" +
         nginx.url("/index.html") +
         "\", every: 500ms, timeout: 1s, confirm: {attempts: 1, every: 100ms}}\n"
         "rules:\n  - {service: web, severity: {P1: \"!available('health')\"}}\n"
         "actions:\n  repair: {host: {entry: repair, on: \"name == 'edge-1'\"}, verify: health}\n"
         "playbooks:\n  - on: {service: web, severity: P1}\n    stages: [{do: repair}]\n"
         "checklists:\n  web: [{probe: health, attempts: 5, every: 200ms, passes: 2}]\n";
}

class Containment : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "an actuator needs root";
    nginx_.write("index.html", "hello");
  }
  std::string run(const Script& script) {
    deployment_ = std::make_unique<Deployment>(Deployment::Options{
        policy(nginx_, receiver_.url("/hook")), {"edge-1", "edge-2"}, actions(script)});
    if (!deployment_->await_calm()) return "";
    nginx_.kill();
    const auto opened =
        deployment_->await_incident([](const boost::json::object&) { return true; });
    return opened.is_object() ? text_of(opened.as_object(), "id") : "";
  }
  bool await_action(const std::string& id, const std::string& state) {
    return Deployment::await([&] {
      const auto incident = deployment_->ask({"incident", id});
      if (!incident.is_object()) return false;
      for (const auto& action : incident.at("actions").as_array())
        if (text_of(action.as_object(), "state") == state) return true;
      return false;
    });
  }

  NginxServer nginx_;
  HttpReceiver receiver_{[](const ReceivedRequest&, int number) {
    return number == 1 ? http_reply(503) : http_reply(200);
  }};
  std::unique_ptr<Deployment> deployment_;
};

TEST_F(Containment, ActsOnceOnTheChosenHostAndSaysSo) {
  const Script script("echo output from the host");
  const std::string id = run(script);
  ASSERT_FALSE(id.empty()) << deployment_->logs();
  ASSERT_TRUE(await_action(id, "ACTION_STATE_SUCCEEDED")) << deployment_->logs();
  nginx_.start();
  ASSERT_TRUE(deployment_
                  ->await_incident(
                      [](const boost::json::object& incident) {
                        return text_of(incident, "phase") == "resolved";
                      },
                      true)
                  .is_object())
      << deployment_->firebreak({"incident", id}).output << deployment_->logs();
  EXPECT_EQ(script.runs(), 1);
  EXPECT_THAT(deployment_->firebreak({"report", id}).output, HasSubstr("output from the host"));
  // The receiver refused once; every notification arrived, under one key.
  ASSERT_TRUE(Deployment::await([&] {
    const auto requests = receiver_.requests("/hook");
    return !requests.empty() && requests.back().body.find("\"resolved\"") != std::string::npos;
  }));
  for (const ReceivedRequest& request : receiver_.requests("/hook"))
    EXPECT_THAT(request.body, HasSubstr("\"dedup_key\":\"" + id + "\""));
}

TEST_F(Containment, ACoordinatorThatDiesWhileAnActionRunsLearnsItsEnd) {
  const Script script("while [ ! -e \"$(dirname \"$0\")/go\" ]; do sleep 0.05; done");
  const std::string id = run(script);
  ASSERT_FALSE(id.empty()) << deployment_->logs();
  ASSERT_TRUE(Deployment::await([&] { return script.runs() == 1; })) << deployment_->logs();
  deployment_->kill_coordinator();
  std::ofstream(script.file("go")) << "go";
  deployment_->start_coordinator();
  ASSERT_TRUE(await_action(id, "ACTION_STATE_SUCCEEDED"))
      << deployment_->firebreak({"incident", id}).output << deployment_->logs();
  EXPECT_EQ(script.runs(), 1);
}

TEST_F(Containment, OnlyAnOperatorsCertificateMayAsk) {
  const Script script("true");
  deployment_ = std::make_unique<Deployment>(
      Deployment::Options{policy(nginx_, receiver_.url("/hook")), {"edge-1"}, actions(script)});
  const std::string pki = deployment_->folder() + "/pki/";
  const CommandResult as_agent =
      deployment_->firebreak_as(pki + "agents/edge-1.crt", pki + "agents/edge-1.key", {"status"});
  EXPECT_NE(as_agent.exit_code, 0);
  EXPECT_THAT(as_agent.errors, HasSubstr("operator"));
  const CommandResult mixed =
      deployment_->firebreak_as(pki + "operators/alice.crt", pki + "agents/edge-1.key", {"status"});
  EXPECT_NE(mixed.exit_code, 0);
}

}  // namespace
}  // namespace firebreak::testing
