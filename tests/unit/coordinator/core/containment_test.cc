// The playbook: what is ordered, on whom, when, and what is not.
#include "coordinator/core/containment.h"

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace {

const ProbeKey kHealth = key("api", "health");

std::string policy_text(const std::string& playbook, const std::string& restart_options = "") {
  return R"yaml(
severities: {P1: {notify: ops}, P2: {}}
facts: {customers: 0}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s, need: 1}
rules:
  - service: api
    severity: {P1: "!available('health')", P2: facts.customers > 100}
actions:
  save-logs: {host: {entry: save-logs}, cooldown: 1s}
  restart: {host: {entry: restart-web, parameters: {unit: web}}, timeout: 10s, cooldown: 5m)yaml" +
         restart_options + R"yaml(}
  warm: {http: {post: "http://api/warm"}, cooldown: 1s}
  flush: {host: {entry: flush, on: 'labels.role == "cache"'}, cooldown: 1s}
  nobody: {host: {entry: flush, on: 'labels.role == "none"'}, cooldown: 1s}
playbooks:
)yaml" + playbook;
}
constexpr Duration kFreshFor = 3 * 5s + 2s + limits::kDeliverySlack;  // of a result of health
constexpr const char* kTwoStages = R"yaml(
  - on: {service: api, severity: P1}
    name: web
    stages:
      - {at: 0m, do: [save-logs, restart]}
      - {at: 5m, do: [warm]}
)yaml";
std::string one_action(const std::string& action, const std::string& more = "") {
  return "  - {on: {service: api, severity: P1}, stages: [{at: 0m, do: [" + action + "]}]" + more +
         "}\n";
}

World with(const std::string& policy) {
  World world(policy);
  world.attach("a");
  world.result("a", kHealth, Status::ok);
  return world;
}
ActionReported report(const OrderHostAction& order, ActionState state, int exit_code = 0) {
  ActionReported event;
  event.action = order.action;
  event.reporter = "agent:" + order.agent.str();
  event.state = state;
  event.exit_code = exit_code;
  event.output = "done";
  event.took = 1200ms;
  return event;
}
OrderHostAction only_order(const World& world) {
  const auto orders = world.asked_ever<OrderHostAction>();
  EXPECT_EQ(orders.size(), 1U);
  return orders.empty() ? OrderHostAction{} : orders.back();
}

TEST(Containment, OrdersTheFirstActionOnTheAgentThatSeesTheFault) {
  World world = with(policy_text(one_action("restart")));
  world.attach("b");
  world.result("b", kHealth, Status::ok);

  world.result("b", kHealth, Status::critical);

  const OrderHostAction order = only_order(world);
  EXPECT_EQ(order.agent, AgentName("b"));
  EXPECT_EQ(order.entry, "restart-web");
  EXPECT_EQ(order.parameters.at("unit"), "web");
  EXPECT_EQ(order.expires, world.now + kFreshFor);
  EXPECT_EQ(order.incident, world.incident().id);
  ASSERT_EQ(world.incident().actions.size(), 1U);
  EXPECT_EQ(world.incident().actions[0].state, ActionState::ordered);
}

TEST(Containment, RunsActionsOneAtATimeInOrder) {
  World world = with(policy_text(kTwoStages));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction first = only_order(world);
  EXPECT_EQ(first.entry, "save-logs");

  world.step(report(first, ActionState::started));
  EXPECT_TRUE(world.asked<OrderHostAction>().empty());
  world.step(report(first, ActionState::failed, 3));

  const auto second = world.asked<OrderHostAction>();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].entry, "restart-web");
  EXPECT_NE(second[0].action, first.action);
}

TEST(Containment, BeginsALaterStageOnlyWhileTheServiceHasNotRecovered) {
  World world = with(policy_text(kTwoStages));
  world.result("a", kHealth, Status::critical);
  for (int i = 0; i < 2; ++i) {
    const auto orders = world.asked<OrderHostAction>();
    ASSERT_EQ(orders.size(), 1U);
    world.step(report(orders[0], ActionState::succeeded));
  }
  World recovered = world;

  world.keep("a", kHealth, Status::critical, 5min);
  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);

  recovered.keep("a", kHealth, Status::ok, 6min);
  EXPECT_TRUE(recovered.asked_ever<RunHttpAction>().empty());
}

TEST(Containment, DoesNothingWhileNobodySeesTheFaultAnyMore) {
  World world = with(policy_text(kTwoStages));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));
  world.step(report(world.asked<OrderHostAction>().at(0), ActionState::succeeded));
  world.detach("a");

  world.pass(10min);
  EXPECT_TRUE(world.asked_ever<RunHttpAction>().empty());
  world.attach("a", {}, 2);
  EXPECT_TRUE(world.asked_ever<RunHttpAction>().empty());
  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);
}

TEST(Containment, KeepsToTheCooldownAcrossIncidents) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));
  world.ask(ResolveIncident{world.incident().id, "drill"});
  world.result("a", kHealth, Status::ok);
  world.pass(1min);

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);
  const Incident& second = world.state.incidents.rbegin()->second;
  EXPECT_NE(World::entries(second, "action").back().find("cooldown until"), std::string::npos);
}

TEST(Containment, TakesTheLongerCooldownOfActionAndPlaybook) {
  World world = with(policy_text(one_action("save-logs", ", guard: {cooldown: 10m}")));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));
  world.result("a", kHealth, Status::ok);
  world.pass(9min);
  world.result("a", kHealth, Status::ok);

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);
}

TEST(Containment, OnlyRecordsWhileItObserves) {
  World world = with(policy_text(one_action("restart", ", mode: observe")));
  world.result("a", kHealth, Status::critical);

  EXPECT_TRUE(world.asked_ever<OrderHostAction>().empty());
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "would run (observing only): restart on a");
  EXPECT_TRUE(world.told_ever(NotificationKind::action).empty());
}

TEST(Containment, AlsoTellsWhileItAdvises) {
  World world = with(policy_text(one_action("restart", ", mode: advise")));
  world.result("a", kHealth, Status::critical);

  EXPECT_TRUE(world.asked_ever<OrderHostAction>().empty());
  ASSERT_EQ(world.told_ever(NotificationKind::action).size(), 1U);
  EXPECT_EQ(world.told_ever(NotificationKind::action)[0].title,
            "P1 api: advised: run restart on a");
}

TEST(Containment, ActsOnTheAgentsOfTheActionsSelectorWhereItHasOne) {
  World world = with(policy_text(one_action("flush, nobody")));
  world.attach("cache-1", {{"role", "cache"}});
  world.attach("cache-2", {{"role", "cache"}});

  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(only_order(world).agent, AgentName("cache-1"));
  world.step(report(only_order(world), ActionState::succeeded));
  ASSERT_EQ(world.asked<OrderHostAction>().size(), 1U);
  EXPECT_EQ(world.asked<OrderHostAction>()[0].agent, AgentName("cache-2"));
  world.step(report(world.asked<OrderHostAction>()[0], ActionState::succeeded));

  EXPECT_TRUE(world.asked<OrderHostAction>().empty());
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "nobody skipped: no agent is a target now");
}

TEST(Containment, PassesOverATargetThatHasRecoveredMeanwhile) {
  World world = with(policy_text(one_action("save-logs, restart")));
  world.attach("b");
  world.result("b", kHealth, Status::critical);
  const OrderHostAction first = only_order(world);
  ASSERT_EQ(first.agent, AgentName("b"));
  world.result("a", kHealth, Status::critical);
  world.step(report(first, ActionState::succeeded));
  // The turn of the next action: both fail, the first of them goes first.
  const auto second = world.asked<OrderHostAction>();
  ASSERT_EQ(second.size(), 1U);
  ASSERT_EQ(second[0].agent, AgentName("a"));
  world.result("b", kHealth, Status::ok);

  world.step(report(second[0], ActionState::succeeded));

  EXPECT_TRUE(world.asked<OrderHostAction>().empty());
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "restart on b skipped: its probes of the service do not fail any more");
}

TEST(Containment, CallsAnActionWithoutOutcomeUnknownAndNeverRepeatsIt) {
  World world = with(policy_text(one_action("restart, save-logs")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction order = only_order(world);

  world.keep("a", kHealth, Status::critical,
             limits::kOrderLifetime + 10s + limits::kOutcomeGrace + 5s);

  EXPECT_EQ(world.incident().actions[0].state, ActionState::unknown);
  const auto orders = world.asked_ever<OrderHostAction>();
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_EQ(orders[1].entry, "save-logs");
  EXPECT_FALSE(world.state.actions_running.contains(order.action));
}

TEST(Containment, CorrectsAnUnknownActionWhenItsOutcomeComesAfterAll) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction order = only_order(world);
  world.keep("a", kHealth, Status::critical, 2min);
  ASSERT_EQ(world.incident().actions[0].state, ActionState::unknown);

  world.step(report(order, ActionState::succeeded));

  EXPECT_EQ(world.incident().actions[0].state, ActionState::succeeded);
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "restart on a was unknown, now its outcome came: succeeded in 1.2 s (exit code 0)");
}

TEST(Containment, ConfirmsEveryFinalOutcomeAndWritesItDownOnce) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction order = only_order(world);
  world.step(report(order, ActionState::started));
  EXPECT_TRUE(world.asked<ConfirmOutcome>().empty());

  for (int i = 0; i < 2; ++i) {
    world.step(report(order, ActionState::failed, 7));
    ASSERT_EQ(world.asked<ConfirmOutcome>().size(), 1U);
    EXPECT_EQ(world.asked<ConfirmOutcome>()[0].action, order.action);
  }

  const auto entries = World::entries(world.incident(), "action");
  EXPECT_EQ(
      std::count(entries.begin(), entries.end(), "restart on a failed in 1.2 s (exit code 7)"), 1);
  EXPECT_EQ(world.told_ever(NotificationKind::action).size(), 1U);
}

TEST(Containment, ConfirmsAnOutcomeThatNobodyKnowsSoThatItsHostForgetsIt) {
  World world = with(policy_text(one_action("restart")));
  ActionReported event;
  event.action = ActionId("act-of-another-age");
  event.reporter = "agent:a";
  event.state = ActionState::succeeded;

  world.step(event);

  EXPECT_EQ(world.asked<ConfirmOutcome>().size(), 1U);
}

TEST(Containment, TakesAnOutcomeOnlyFromTheHostThatWasToldToAct) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  ActionReported forged = report(only_order(world), ActionState::succeeded);
  forged.reporter = "agent:b";

  world.step(forged);

  EXPECT_EQ(world.incident().actions[0].state, ActionState::ordered);
  EXPECT_TRUE(world.asked<ConfirmOutcome>().empty());
}

TEST(Containment, CapsTheOutputThatItKeeps) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  ActionReported event = report(only_order(world), ActionState::succeeded);
  event.output.assign(limits::kActionOutputBytesMax * 3, 'x');
  event.output_dropped_bytes = 5;

  world.step(event);

  EXPECT_LE(world.incident().actions[0].output.size(), limits::kActionOutputBytesMax);
  EXPECT_LE(world.incident().timeline.back().detail.size(), limits::kActionOutputBytesMax + 64);
}

TEST(Containment, ProbesAtOnceAfterAnActionAndWaitsForTheRegularProbesWhenThatIsGood) {
  World world = with(policy_text(one_action("restart, save-logs"), ", verify: health"));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));
  const auto probes = world.asked<SendProbeNow>();
  ASSERT_EQ(probes.size(), 1U);
  EXPECT_EQ(probes[0].agent, AgentName("a"));
  EXPECT_EQ(probes[0].key, kHealth);

  world.answer(Status::ok);
  EXPECT_EQ(World::entries(world.incident(), "action").back(), "verify health: ok in 10 ms");
  World still_failing = world;

  world.result("a", kHealth, Status::ok);
  world.pass(1min);
  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);

  still_failing.keep("a", kHealth, Status::critical, 1min);
  EXPECT_EQ(still_failing.asked_ever<OrderHostAction>().size(), 2U);
}

TEST(Containment, GoesOnAtOnceWhenTheProbeAfterAnActionIsBad) {
  World world = with(policy_text(one_action("restart, save-logs"), ", verify: health"));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));

  world.answer(Status::critical);

  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 2U);
}

TEST(Containment, DoesNotWaitForeverForTheProbeAfterAnAction) {
  World world = with(policy_text(one_action("restart, save-logs"), ", verify: health"));
  world.result("a", kHealth, Status::critical);
  world.step(report(only_order(world), ActionState::succeeded));

  world.pass(10s);

  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 2U);
  EXPECT_TRUE(world.state.verifications.empty());
}

TEST(Containment, CallsItsOwnHttpActionUnknownAfterAStart) {
  World world = with(policy_text(one_action("warm")));
  world.result("a", kHealth, Status::critical);
  ASSERT_EQ(world.asked<RunHttpAction>().size(), 1U);

  world.step(Started{2});

  EXPECT_EQ(world.incident().actions[0].state, ActionState::unknown);
  EXPECT_TRUE(world.state.actions_running.empty());
}

TEST(Containment, TakesTheOutcomeOfItsOwnHttpAction) {
  World world = with(policy_text(one_action("warm")));
  world.result("a", kHealth, Status::critical);
  ActionReported event;
  event.action = world.asked<RunHttpAction>().at(0).action;
  event.reporter = "engine";
  event.state = ActionState::succeeded;
  event.exit_code = 204;

  world.step(event);

  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "warm on coordinator succeeded (HTTP status 204)");
  EXPECT_TRUE(world.asked<ConfirmOutcome>().empty());
}

TEST(Containment, BeginsThePlaybookOfTheSeverityThatIsReached) {
  World world =
      with(policy_text("  - {on: {service: api, severity: P1}, stages: [{at: 0m, do: [restart]}]}\n"
                       "  - {on: {service: api, severity: P2}, stages: [{at: 0m, do: [warm]}]}\n"));
  world.set_fact("customers", 101);
  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);
  EXPECT_TRUE(world.asked_ever<OrderHostAction>().empty());
  ActionReported event;
  event.action = world.asked<RunHttpAction>().at(0).action;
  event.reporter = "engine";
  event.state = ActionState::succeeded;
  world.step(event);

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);
}

TEST(Containment, WaitsWhileTheIncidentIsLessSevereThanItsPlaybook) {
  World world =
      with(policy_text("  - {on: {service: api, severity: P1}, stages: [{at: 5m, do: [warm]}]}\n"));
  world.set_fact("customers", 101);
  world.result("a", kHealth, Status::critical);
  world.keep("a", kHealth, Status::ok, 6min);
  EXPECT_EQ(world.incident().severity_name, "P2");
  EXPECT_TRUE(world.asked_ever<RunHttpAction>().empty());

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);
}

TEST(Containment, LetsNoOrderOutliveTheResultsItStandsOn) {
  World world = with(policy_text(one_action("warm")));
  world.attach("b");
  world.result("b", kHealth, Status::ok);
  world.pass(4s);
  world.step(world.batch("a", kHealth, observation(Status::critical), world.now - 3s));

  ASSERT_EQ(world.asked<RunHttpAction>().size(), 1U);
  const RunHttpAction action = world.asked<RunHttpAction>()[0];
  EXPECT_EQ(action.expires, world.now - 3s + kFreshFor);
  EXPECT_TRUE(may_begin(world.state, action.incident, action.expires, action.expires - 1us));
  EXPECT_FALSE(may_begin(world.state, action.incident, action.expires, action.expires));
}

TEST(Containment, GivesAnOrderThatStandsOnFactsOrPeopleItsWholeLifetime) {
  std::string facts_only =
      policy_text("  - {on: {service: api, severity: P2}, stages: [{at: 0m, do: [warm]}]}\n");
  const std::string by_probe = "P1: \"!available('health')\", ";
  facts_only.replace(facts_only.find(by_probe), by_probe.size(), "");
  World by_fact(facts_only);
  by_fact.set_fact("customers", 101);
  ASSERT_EQ(by_fact.asked<RunHttpAction>().size(), 1U);
  EXPECT_EQ(by_fact.asked<RunHttpAction>()[0].expires, by_fact.now + limits::kOrderLifetime);

  World declared = with(policy_text(one_action("warm")));
  declared.ask(DeclareIncident{ServiceName("api"), 0, "customers say so", "r-1"});
  ASSERT_EQ(declared.asked<RunHttpAction>().size(), 1U);
  EXPECT_EQ(declared.asked<RunHttpAction>()[0].expires, declared.now + limits::kOrderLifetime);
}

TEST(Containment, OrdersAgainWhatLapsedOnceSomebodySeesTheFaultAgain) {
  World world = with(policy_text(one_action("restart, save-logs")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction first = only_order(world);
  world.now += 40s;

  world.step(OrderLapsed{first.action});

  EXPECT_EQ(world.incident().actions[0].state, ActionState::refused);
  EXPECT_FALSE(world.state.actions_running.contains(first.action));
  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);  // what it stood on is stale
  EXPECT_EQ(World::entries(world.incident(), "action").back(),
            "restart on a refused: writing it down took longer than what it stands on stays fresh; "
            "it was not sent");

  world.result("a", kHealth, Status::critical);
  world.pass(1s);

  const auto orders = world.asked_ever<OrderHostAction>();
  ASSERT_EQ(orders.size(), 2U);
  EXPECT_EQ(orders[1].entry, "restart-web");
  EXPECT_NE(orders[1].action, first.action);
}

TEST(Containment, TakesALapseOnceAndNotOfWhatHasEnded) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction order = only_order(world);
  world.step(report(order, ActionState::succeeded));

  world.step(OrderLapsed{order.action});
  world.step(OrderLapsed{ActionId("act-99")});

  EXPECT_EQ(world.incident().actions[0].state, ActionState::succeeded);
  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);
}

TEST(Containment, DoesNotGiveALapsedStepToAnotherPlaybook) {
  World world =
      with(policy_text("  - {on: {service: api, severity: P1}, stages: [{at: 0m, do: [restart]}]}\n"
                       "  - {on: {service: api, severity: P2}, stages: [{at: 0m, do: [warm]}]}\n"));
  world.set_fact("customers", 101);
  const ActionId warm = world.asked<RunHttpAction>().at(0).action;
  world.pass(1s);
  world.result("a", kHealth, Status::critical);
  ASSERT_TRUE(world.asked_ever<OrderHostAction>().empty());  // one at a time

  world.step(OrderLapsed{warm});

  EXPECT_EQ(world.asked_ever<RunHttpAction>().size(), 1U);
  EXPECT_EQ(world.asked<OrderHostAction>().size(), 1U);
}

// The newest result says that all is well, and the agent is about to look again.
TEST(Containment, WaitsWhileANewerResultContradictsTheFault) {
  World world = with(policy_text(kTwoStages));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction first = only_order(world);
  world.result("a", kHealth, observation(Status::ok), false);

  world.step(report(first, ActionState::succeeded));
  EXPECT_TRUE(world.asked<OrderHostAction>().empty());
  World recovers = world;

  world.result("a", kHealth, Status::critical);
  world.pass(1s);
  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 2U);

  recovers.result("a", kHealth, Status::ok);
  recovers.pass(10s);
  EXPECT_EQ(recovers.asked_ever<OrderHostAction>().size(), 1U);
}

// A backlog comes in pieces: the first one shows a fault, the second one that it is over.
TEST(Containment, SendsNoOrderWhoseFaultIsOverByTheTimeOfItsCommit) {
  World world = with(policy_text(one_action("restart")));
  world.result("a", kHealth, Status::critical);
  const OrderHostAction order = only_order(world);
  EXPECT_TRUE(may_begin(world.state, order.incident, order.expires, world.now));

  world.result("a", kHealth, Status::ok);

  EXPECT_FALSE(may_begin(world.state, order.incident, order.expires, world.now));
  world.step(OrderLapsed{order.action});
  EXPECT_EQ(world.incident().actions[0].detail,
            "the fault was over before it was written down; it was not sent");
  world.pass(1min);
  EXPECT_EQ(world.asked_ever<OrderHostAction>().size(), 1U);
}

}  // namespace
}  // namespace firebreak::core
