// What is known and open outlives a change of policy.
#include "coordinator/core/policy_change.h"

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace policy_change_test {

const ProbeKey kHealth = key("api", "health");

// `severities` and `rest` differ between the policies of a test.
std::string policy_text(const std::string& severities, const std::string& rest = "") {
  return "severities: " + severities + R"yaml(
facts: {customers: 0, breach: false}
actions:
  warm: {http: {post: "http://api/warm"}}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health", every: 5s, timeout: 2s}}
rules:
  - {service: api, severity: {P1: "!available('health') || facts.customers > 100"}, for: 10s}
)yaml" + rest;
}
constexpr const char* kStages = R"yaml(
playbooks:
  - {on: {service: api, severity: P1}, name: web, stages: [{at: 5m, do: [warm]}]}
)yaml";
constexpr const char* kOther = R"yaml(
severities: {P1: {}}
facts: {customers: 'none'}
services:
  other:
    agents: 'labels.role == "edge"'
    probes: {ping: {http: "http://other/"}}
)yaml";

World with_incident() {
  World world(policy_text("{P1: {}, P2: {}}", kStages));
  world.attach("a", {{"role", "edge"}});
  world.keep("a", kHealth, Status::critical, 15s);
  EXPECT_EQ(world.incident().severity_name, "P1");
  return world;
}

TEST(PolicyChange, SendsEveryAttachedAgentItsAssignmentAnew) {
  World world(policy_text("{P1: {}}"));
  world.attach("a", {{"role", "edge"}});
  world.attach("b");
  world.detach("b");

  world.use(kOther);

  ASSERT_EQ(world.asked<SendAssignment>().size(), 1U);
  EXPECT_EQ(world.asked<SendAssignment>()[0].agent, AgentName("a"));
  const auto assignment = assignment_for(world.state, AgentName("a"));
  ASSERT_EQ(assignment.size(), 1U);
  EXPECT_EQ(assignment[0].first, key("other", "ping"));
}

TEST(PolicyChange, FindsTheSeverityOfAnOpenIncidentByItsName) {
  World world = with_incident();

  world.use(policy_text("{P0: {}, P1: {}}", kStages));

  EXPECT_EQ(world.incident().severity, 1U);
  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_TRUE(World::entries(world.incident(), "severity").empty());
}

TEST(PolicyChange, TakesTheSeverityOfTheSameRankWhereTheNameIsGone) {
  World world = with_incident();
  world.detach("a");

  world.use(R"yaml(
severities: {SEV-1: {}, SEV-2: {}}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health"}}
rules:
  - {service: api, severity: {SEV-1: "!available('health')"}}
)yaml");

  EXPECT_EQ(world.incident().severity_name, "SEV-1");
  EXPECT_FALSE(world.incident().quiet_since);
  EXPECT_EQ(World::entries(world.incident(), "severity"),
            std::vector<std::string>{"the policy has no P1 any more: this is SEV-1"});
}

TEST(PolicyChange, LetsAHoldGoOnWhereTheRuleIsTheSame) {
  World world(policy_text("{P1: {}}"));
  world.set_fact("customers", 101);
  world.pass(6s);

  world.use(policy_text("{P1: {}}", "  - {service: api, severity: {P1: facts.breach}}\n"));
  world.pass(4s);

  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(PolicyChange, DoesNotLowerASeverityForWantOfData) {
  World world = with_incident();
  world.detach("a");

  world.use(R"yaml(
severities: {P1: {}}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health"}}
rules:
  - {service: api, severity: {P1: "failing_share('health') > 0.9"}}
)yaml");

  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_FALSE(world.incident().quiet_since);
}

TEST(PolicyChange, GoesOnWithThePlaybookOfTheSameName) {
  World world = with_incident();
  world.use(policy_text("{P1: {}, P2: {}}", R"yaml(
playbooks:
  - {on: {service: api, severity: P2}, name: first, stages: [{at: 0m, do: [warm]}]}
  - {on: {service: api, severity: P1}, name: web, stages: [{at: 5m, do: [warm]}]}
)yaml"));

  world.keep("a", kHealth, Status::critical, 5min);

  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);
}

TEST(PolicyChange, EndsAPlaybookThatIsGone) {
  World world = with_incident();

  world.use(policy_text("{P1: {}, P2: {}}"));
  world.keep("a", kHealth, Status::critical, 6min);

  EXPECT_TRUE(world.asked_ever<RunHttpAction>().empty());
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "playbook web ends: the policy has it no more");
}

TEST(PolicyChange, LeavesTheIncidentOfARemovedServiceToAPerson) {
  World world = with_incident();

  world.use(kOther);
  world.pass(1h);
  EXPECT_FALSE(world.incident().resolved);
  EXPECT_EQ(world.incident().severity_name, "P1");
  world.ask(ResolveIncident{world.incident().id, "the service is no more"});

  EXPECT_TRUE(world.incident().resolved);
}

TEST(PolicyChange, ForgetsFactsThatAreOfAnotherTypeNow) {
  World world(policy_text("{P1: {}}"));
  world.set_fact("customers", 5);

  world.use(kOther);

  EXPECT_TRUE(world.state.facts.empty());
}

TEST(PolicyChange, KeepsNoResultsOfProbesThatAreGone) {
  World world = with_incident();

  world.use(kOther);
  EXPECT_TRUE(world.state.agents.at(AgentName("a")).series.empty());
  EXPECT_FALSE(world.state.vantages.contains(ServiceName("api")));
  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.state.counters.unknown_probe, 1U);
}

TEST(PolicyChange, OpensTheWindowThatTheNewRulesAskFor) {
  World world(policy_text("{P1: {}}"));
  world.attach("a");
  world.result("a", kHealth, Status::ok);

  world.use(policy_text(
      "{P1: {}}", "  - {service: api, severity: {P1: \"error_rate('health', 2m) > 0.5\"}}\n"));

  const Window* window = find_window(world.state, &world.state.inputs->probes.at(kHealth));
  ASSERT_NE(window, nullptr);
  EXPECT_EQ(window->span(), 2min);
}

TEST(PolicyChange, AddsAndDropsLengthsOfAWindow) {
  const std::string longer =
      "  - {service: api, severity: {P1: \"error_rate('health', 6h) > 0.5\"}}\n";
  const std::string shorter =
      "  - {service: api, severity: {P1: \"error_rate('health', 5m) > 0.5\"}}\n";
  const auto over = [](const World& world, Duration length) {
    return find_window(world.state, &world.state.inputs->probes.at(kHealth))
        ->over(length, world.now)
        .samples;
  };
  World world(policy_text("{P1: {}}", longer));
  world.attach("a");
  world.keep("a", kHealth, Status::ok, 1h);
  const std::uint64_t all = over(world, 6h);

  world.use(policy_text("{P1: {}}", longer + shorter));
  EXPECT_EQ(over(world, 6h), all);
  EXPECT_GE(over(world, 5min), 59U);
  EXPECT_LE(over(world, 5min), 60U + 2 * 72U);  // made of buckets of 6 min
  world.keep("a", kHealth, Status::ok, 12min);
  EXPECT_LE(over(world, 5min), 61U);

  world.use(policy_text("{P1: {}}", shorter));
  EXPECT_LE(over(world, 6h), 61U);
  EXPECT_GE(over(world, 5min), 59U);
}

}  // namespace policy_change_test
}  // namespace firebreak::core
