// What people are told of why a rule holds or not, and why an action is done or not.
#include "coordinator/core/explain.h"

#include <string>

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core::explaining {
namespace {

const ProbeKey kHealth = key("api", "health");

std::string policy(const std::string& mode = "enforce") {
  return R"yaml(
severities: {P1: {notify: ops}, P2: {}}
facts: {customers: 0}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s, need: 1}
  idle:
    agents: 'true'
    probes:
      health: {http: "http://idle/health", every: 5s, timeout: 2s}
rules:
  - service: api
    severity: {P1: "!available('health') && facts.customers > 10", P2: "!available('health')"}
    for: 30s
    keep_for: 1m
  - {service: api, name: crowd, severity: {P2: facts.customers > 100}}
actions:
  restart: {host: {entry: restart-web}, cooldown: 5m}
  warm: {http: {post: "http://api/warm"}, cooldown: 1s}
playbooks:
  - on: {service: api, severity: P2}
    name: web
    mode: )yaml" +
         mode + R"yaml(
    stages:
      - {at: 0m, do: [restart]}
      - {at: 5m, do: [restart, warm]}
)yaml";
}

Explanation explained(const World& world, const std::string& about) {
  const auto question = find_question(world.state, about);
  EXPECT_TRUE(question) << about;
  if (!question) return {};
  const auto explanation = explain(world.state, *question, world.now);
  EXPECT_TRUE(explanation) << about;
  return explanation ? *explanation : Explanation{};
}
std::string value_of(const LevelExplained& level, const std::string& text) {
  for (const cel::Part& part : level.parts)
    if (part.text == text) return to_string(part.value);
  return "not a part";
}
World failing() {
  World world(policy());
  world.attach("a");
  world.result("a", kHealth, Status::ok);
  world.keep("a", kHealth, Status::critical, 20s);
  return world;
}

TEST(Explain, FindsIncidentsServicesAndRules) {
  World world = failing();
  world.keep("a", kHealth, Status::critical, 30s);
  const auto incident = find_question(world.state, world.incident().id.str());
  ASSERT_TRUE(incident);
  EXPECT_EQ(incident->service, ServiceName("api"));
  EXPECT_EQ(incident->incident, world.incident().id);
  EXPECT_EQ(find_question(world.state, "api")->service, ServiceName("api"));
  EXPECT_EQ(find_question(world.state, "crowd")->rule, "crowd");
  EXPECT_EQ(find_question(world.state, "api/crowd")->rule, "crowd");
  EXPECT_EQ(find_question(world.state, "api/1")->rule, "api/1");

  const auto nothing = find_question(world.state, "crwd");
  ASSERT_FALSE(nothing);
  EXPECT_NE(nothing.error().message.find("did you mean 'crowd'"), std::string::npos);
}

TEST(Explain, GivesTheValueOfEveryInputAndHowLongItHasHeld) {
  const World world = failing();

  const Explanation why = explained(world, "api");

  EXPECT_EQ(why.severity, "");
  ASSERT_EQ(why.rules.size(), 2U);
  const RuleExplained& rule = why.rules[0];
  EXPECT_EQ(rule.hold, 30s);
  EXPECT_EQ(rule.keep, 1min);
  ASSERT_EQ(rule.levels.size(), 2U);
  EXPECT_EQ(rule.levels[0].severity, "P1");
  EXPECT_EQ(value_of(rule.levels[0], "available('health')"), "false");
  EXPECT_EQ(value_of(rule.levels[0], "facts.customers"), "0");
  EXPECT_EQ(value_of(rule.levels[0], "facts.customers > 10"), "false");
  EXPECT_FALSE(rule.levels[0].true_since);
  EXPECT_EQ(value_of(rule.levels[1], "!available('health')"), "true");
  ASSERT_TRUE(rule.levels[1].true_since);
  EXPECT_EQ(world.now - *rule.levels[1].true_since, 20s);
  ASSERT_EQ(why.probes.size(), 1U);
  EXPECT_EQ(why.probes[0].view.failing, 1);
}

TEST(Explain, SaysWhatIsMissing) {
  World world(policy());

  const Explanation why = explained(world, "api/1");

  ASSERT_EQ(why.rules.size(), 1U);
  EXPECT_EQ(value_of(why.rules[0].levels[1], "available('health')"),
            "unknown (api/health: no fresh result)");
}

TEST(Explain, SaysThatALowerSeverityMustLast) {
  World world = failing();
  world.keep("a", kHealth, Status::critical, 30s);
  world.keep("a", kHealth, Status::ok, 20s);

  const Explanation why = explained(world, "api");

  EXPECT_EQ(why.severity, "P2");
  EXPECT_TRUE(why.blind);
  ASSERT_TRUE(why.rules[0].lower_since);
  EXPECT_EQ(world.now - *why.rules[0].lower_since, 20s);
  ASSERT_TRUE(why.playbook);
  EXPECT_EQ(why.playbook->waits,
            "the severity stands on missing data or keep_for: no rule says so now");
}

TEST(Explain, NamesTheGuardThatRefusesAnAction) {
  World world = failing();
  world.keep("a", kHealth, Status::critical, 30s);
  const auto orders = world.asked_ever<OrderHostAction>();
  ASSERT_EQ(orders.size(), 1U);

  const Explanation running = explained(world, world.incident().id.str());
  ASSERT_TRUE(running.playbook);
  EXPECT_EQ(running.playbook->waits, "an action runs");
  ASSERT_EQ(running.playbook->steps.size(), 2U);
  EXPECT_EQ(running.playbook->steps[0].action, ActionName("restart"));
  EXPECT_EQ(running.playbook->steps[0].target, "a");
  EXPECT_EQ(running.playbook->steps[0].stage, 1U);
  EXPECT_EQ(running.playbook->steps[0].against.find("cooldown until"), 0U);
  EXPECT_EQ(running.playbook->steps[1].against, "");

  ActionReported report;
  report.action = orders[0].action;
  report.reporter = "agent:a";
  report.state = ActionState::failed;
  world.step(report);
  world.detach("a");
  const Explanation away = explained(world, world.incident().id.str());
  EXPECT_EQ(away.playbook->steps[0].against, "no agent is a target now");
  EXPECT_NE(away.decisions.size(), 0U);
}

TEST(Explain, SaysWhatASeverityForbidsAndThatWorkIsGoingOn) {
  std::string text = policy();
  text.replace(text.find("P2: {}"), 6, "P2: {actions: none}");
  World world(text);
  world.attach("a");
  world.result("a", kHealth, Status::ok);
  world.keep("a", kHealth, Status::critical, 60s);

  const auto steps = explained(world, "api").playbook->steps;
  ASSERT_FALSE(steps.empty());
  for (const Prospect& step : steps) EXPECT_EQ(step.against, "P2 does not allow it");

  world.ask(StartMaintenance{{ServiceName("api")}, 10min, "a new disk", ""});
  EXPECT_NE(explained(world, "api").playbook->waits.find("a new disk"), std::string::npos);
}

TEST(Explain, SaysThatAModeOnlyLooks) {
  World world(policy("observe"));
  world.attach("a");
  world.result("a", kHealth, Status::ok);
  world.keep("a", kHealth, Status::critical, 50s);

  const Explanation why = explained(world, "api");

  ASSERT_TRUE(why.playbook);
  EXPECT_EQ(why.playbook->mode, policy::Mode::observe);
  EXPECT_EQ(why.playbook->waits, "its mode is observe: nothing is done, only recorded");
}

TEST(Explain, TellsOfAnIncidentThatIsOver) {
  World world = failing();
  world.keep("a", kHealth, Status::critical, 30s);
  const IncidentId id = world.incident().id;
  world.ask(ResolveIncident{id, "replaced"});

  const Explanation by_id = explained(world, id.str());
  EXPECT_TRUE(by_id.resolved);
  EXPECT_EQ(by_id.no_playbook, "the incident is resolved");
  EXPECT_EQ(by_id.dismissed, "P2");
  EXPECT_TRUE(explained(world, "api").incident.empty());
  const Incident past = world.incident();
  const auto from_the_store = explain(world.state, {past.service, {}, past.id}, world.now, &past);
  ASSERT_TRUE(from_the_store);
  EXPECT_EQ(from_the_store->incident, id);
}

TEST(Explain, LooksOnly) {
  World world = failing();
  const auto next = next_wake(world.state);

  explained(world, "api");

  EXPECT_EQ(next_wake(world.state), next);
  EXPECT_TRUE(world.state.dirty.empty());
}

}  // namespace
}  // namespace firebreak::core::explaining
