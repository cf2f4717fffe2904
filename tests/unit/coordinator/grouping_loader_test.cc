// What a policy says of dependencies, groups and silent agents, and the mistakes in it.
#include <gtest/gtest.h>

#include <string>

#include "coordinator/policy/loader.h"

namespace firebreak::policy {
namespace grouping_loader_test {

Loaded load(const std::string& text) {
  return load_policy({{"policy.yaml", "severities: {P1: {}, P3: {}}\n" + text}});
}
void expect_problem(const std::string& text, const std::string& place, const std::string& message) {
  const Loaded loaded = load(text);
  EXPECT_FALSE(loaded.policy);
  EXPECT_NE(loaded.problems.find("policy.yaml:" + place + ": error: " + message), std::string::npos)
      << "wants " << place << ": " << message << "\n"
      << loaded.problems;
}

constexpr const char* kServices =
    "services:\n"
    "  a: {agents: 'true', probes: {}}\n"
    "  b: {agents: 'true', probes: {}}\n"
    "  c: {agents: 'true', probes: {}}\n";

TEST(LoadGrouping, ReadsDependenciesAndRedundancyGroups) {
  const Loaded loaded =
      load(std::string(kServices) +
           "  d: {agents: 'true', depends_on: [a, {any_of: [b, c]}], probes: {}}\n");
  ASSERT_TRUE(loaded.policy) << loaded.problems;
  const auto& depends_on = loaded.policy->services.at(ServiceName("d")).depends_on;
  ASSERT_EQ(depends_on.size(), 2U);
  EXPECT_EQ(depends_on[0].any_of, std::vector<ServiceName>{ServiceName("a")});
  EXPECT_EQ(depends_on[1].any_of, (std::vector<ServiceName>{ServiceName("b"), ServiceName("c")}));
}

TEST(LoadGrouping, RefusesWhatADependencyCannotBe) {
  const std::string services = kServices;
  expect_problem(services + "  d: {agents: 'true', depends_on: [{any_of: [b, cc]}], probes: {}}\n",
                 "6:49", "there is no service 'cc'");
  expect_problem(services + "  d: {agents: 'true', depends_on: [{any: [b]}], probes: {}}\n", "6:37",
                 "unknown key 'any'");
  expect_problem(services + "  d: {agents: 'true', depends_on: [{any_of: [a, d]}], probes: {}}\n",
                 "6:46", "service 'd' depends on itself, in a circle");
}

TEST(LoadGrouping, ReadsGroupsAndRefusesASecondOne) {
  const std::string services = kServices;
  const Loaded loaded = load(services + "groups: {edge: {services: [b, a]}}\n");
  ASSERT_TRUE(loaded.policy) << loaded.problems;
  EXPECT_EQ(loaded.policy->services.at(ServiceName("b")).group, "edge");
  EXPECT_EQ(loaded.policy->services.at(ServiceName("c")).group, "");
  EXPECT_EQ(loaded.policy->groups.at("edge"),
            (std::vector<ServiceName>{ServiceName("a"), ServiceName("b")}));

  expect_problem(services + "groups: {x: {services: [a]}, y: {services: [a, b]}}\n", "6:45",
                 "service 'a' is in group 'x' already");
  expect_problem(services + "groups: {x: {services: [aa]}}\n", "6:25", "there is no service 'aa'");
}

TEST(LoadGrouping, ReadsWhenAnAgentIsSilent) {
  const Loaded loaded = load(
      "receivers: {ops: {slack: {url: 'http://h/'}}}\n"
      "agents: {silent_after: 2m, severity: P3, notify: ops}\n");
  ASSERT_TRUE(loaded.policy) << loaded.problems;
  ASSERT_TRUE(loaded.policy->agent_watch);
  EXPECT_EQ(loaded.policy->agent_watch->silent_after, std::chrono::minutes(2));
  EXPECT_EQ(loaded.policy->agent_watch->severity, 1U);
  EXPECT_EQ(loaded.policy->agent_watch->notify.size(), 1U);
  EXPECT_TRUE(loaded.policy->is_agents_service(ServiceName("agents")));
  EXPECT_FALSE(load("").policy->is_agents_service(ServiceName("agents")));
}

TEST(LoadGrouping, RefusesWhatSilentAgentsCannotBe) {
  const std::string watch = "agents: {silent_after: 2m, severity: P3}\n";
  expect_problem("agents: {silent_after: 1s, severity: P3}\n", "2:24", "");
  expect_problem("agents: {silent_after: 2m, severity: P2}\n", "2:38", "there is no severity 'P2'");
  expect_problem("agents: {silent_after: 2m, severity: P3, notify: ops}\n", "2:50",
                 "there is no receiver 'ops'");
  expect_problem(watch + "services: {agents: {agents: 'true', probes: {}}}\n", "3:12",
                 "with a section 'agents'");
  expect_problem(watch + "services: {a: {agents: 'true', depends_on: agents, probes: {}}}\n",
                 "3:44", "no service depends on silent agents");
  expect_problem(watch + "checklists: {agents: [{expect: 'true'}]}\n", "3:14",
                 "silent agents have no checklist");
  expect_problem(watch + "rules: [{service: agents, severity: {P1: 'true'}}]\n", "3:19",
                 "there is no service 'agents'");
}

}  // namespace grouping_loader_test
}  // namespace firebreak::policy
