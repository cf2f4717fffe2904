// Another policy over what was recorded: the same one gives the same, another one says what
// differs.
#include "coordinator/rehearsal/backtest.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::rehearsal::backtesting {
namespace {

using core::World;
using namespace std::chrono_literals;

const ProbeKey kHealth = core::key("api", "health");

std::string policy(const std::string& hold = "0s", const std::string& do_now = "restart") {
  return R"yaml(
severities: {P1: {notify: ops, acknowledge: 2m}, P2: {notify: ops}}
facts: {customers: 0}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s, need: 1}
rules:
  - {service: api, severity: {P1: "!available('health')", P2: facts.customers > 10}, for: )yaml" +
         hold + R"yaml(}
actions:
  restart: {host: {entry: restart-web}, cooldown: 1m, verify: [health]}
  flush: {host: {entry: flush}, cooldown: 1m}
playbooks:
  - {on: {service: api, severity: P1}, name: web, stages: [{at: 0m, do: [)yaml" +
         do_now + R"yaml(]}]}
checklists:
  api:
    - {probe: health, attempts: 3, every: 5s}
)yaml";
}

// Answers what the core asks of the world, as it would be answered.
void serve(World& world) {
  for (int round = 0; round < 10; ++round) {
    std::vector<core::Event> answers;
    for (const core::Effect& effect : world.effects) {
      if (const auto* sent = std::get_if<core::SendNotification>(&effect))
        answers.push_back(core::NotificationFinished{sent->notification, true, 1, ""});
      if (const auto* request = std::get_if<core::SendProbeNow>(&effect))
        answers.push_back(core::ProbeNowFinished{request->agent, request->request,
                                                 core::observation(Status::ok)});
      if (const auto* order = std::get_if<core::OrderHostAction>(&effect)) {
        core::ActionReported report;
        report.action = order->action;
        report.reporter = "agent:" + order->agent.str();
        report.state = core::ActionState::failed;
        report.exit_code = 3;
        report.took = 700ms;
        answers.push_back(report);
      }
    }
    if (answers.empty()) return;
    for (const core::Event& answer : answers) {
      world.now += 700ms;
      world.step(answer);
    }
  }
}

void look(World& world, Status status, Duration time) {
  for (Duration passed{}; passed < time; passed += 5s) {
    world.result("a", kHealth, status);
    serve(world);
    // The owner thread's ticks come a little late.
    for (const Instant until = world.now + 5s; world.now < until;) {
      const auto wake = core::next_wake(world.state);
      world.now = wake && *wake < until ? std::max(*wake, world.now) + 1300us : until;
      world.step(core::Tick{});
      serve(world);
    }
  }
}

// A night: two outages, a fact, a person, a restart.
World night() {
  World world;
  world.step(core::Started{1});
  world.use(policy());
  world.attach("a");
  look(world, Status::ok, 60s);
  look(world, Status::critical, 60s);
  const IncidentId first = world.incident().id;
  world.ask(core::AcknowledgeIncident{first, "on it"});
  look(world, Status::ok, 60s);
  world.set_fact("customers", 20);
  look(world, Status::ok, 20s);
  world.set_fact("customers", 0);
  look(world, Status::ok, 60s);
  world.step(core::Started{2});
  world.attach("a", {}, 2);
  look(world, Status::ok, 150s);
  look(world, Status::critical, 15s);
  look(world, Status::ok, 120s);
  return world;
}

BacktestResult run(const World& world, const std::string& text, Duration since_start) {
  const Instant begin = world.history.front().first;
  // On the heap: of one on the stack g++ 12 says wrongly that it may be uninitialized.
  const auto nothing = std::make_unique<core::State>();
  Backtest backtest(std::move(*nothing), World::load(text), {begin + since_start, world.now});
  for (const auto& [at, event] : world.history) {
    const auto taken = backtest.take(event, at);
    EXPECT_TRUE(taken && *taken);
  }
  return backtest.finish();
}
std::vector<std::string> all_differences(const BacktestResult& result) {
  std::vector<std::string> out;
  for (const StoryPair& pair : result.incidents)
    out.insert(out.end(), pair.differences.begin(), pair.differences.end());
  return out;
}
bool has(const std::vector<std::string>& lines, const std::string& begin) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.starts_with(begin); });
}

TEST(Backtest, OfThePolicyThatWasInForceGivesNoDifferences) {
  const World world = night();
  ASSERT_GE(world.state.incidents.size(), 3U);
  // From before the policy, from quiet, from amid an outage, its action and its validation.
  for (const Duration since : {0s, 30s, 61s, 62s, 70s, 121s, 125s, 190s, 300s}) {
    const BacktestResult result = run(world, policy(), since);
    EXPECT_EQ(all_differences(result), std::vector<std::string>{}) << since.count();
    EXPECT_EQ(result.outcomes_supposed, 0U) << since.count();
    EXPECT_EQ(result.commands_ignored, 0U) << since.count();
    EXPECT_NE(result.incidents.size(), 0U) << since.count();
  }
}

TEST(Backtest, SaysWhatALongerForWouldHaveSpared) {
  const BacktestResult result = run(night(), policy("30s"), 30s);

  EXPECT_FALSE(result.same());
  const auto lines = all_differences(result);
  EXPECT_TRUE(has(lines, "opened 2026-11-21 03:")) << ::testing::PrintToString(lines);
  EXPECT_TRUE(has(lines, "no page opened P1 to ops"));
  // Both the twenty seconds with the fact and the fifteen of the second outage are too short.
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "no incident"), 2);
}

TEST(Backtest, SupposesHowAnActionEndsThatDidNotRun) {
  const BacktestResult result = run(night(), policy("0s", "flush"), 30s);

  const auto lines = all_differences(result);
  EXPECT_TRUE(has(lines, "action flush on a at ")) << ::testing::PrintToString(lines);
  EXPECT_TRUE(has(lines, "no action restart on a at "));
  EXPECT_GE(result.outcomes_supposed, 2U);
}

TEST(Backtest, SaysOfWhichProbesNothingIsRecorded) {
  std::string text = policy();
  const std::string probe = "      health:";
  text.replace(text.find(probe), probe.size(),
               "      other: {http: \"http://api/other\", every: 5s}\n" + probe);
  const BacktestResult result = run(night(), text, 30s);
  EXPECT_EQ(result.probes_unseen, std::vector<std::string>{"api/other"});
}

TEST(Backtest, KnowsSeveritiesByTheirNamesWhateverTheirOrder) {
  World world;
  world.step(core::Started{1});
  world.use(policy());
  world.attach("a");
  look(world, Status::ok, 60s);
  look(world, Status::critical, 30s);
  const IncidentId id = world.state.incidents.begin()->first;
  world.ask(core::OverrideSeverity{id, world.state.policy->find_severity("P2"), "known", 1h});
  look(world, Status::critical, 30s);

  std::string text = policy();
  const std::string severities = "severities: {";
  text.replace(text.find(severities), severities.size(), severities + "P0: {}, ");
  const BacktestResult result = run(world, text, 30s);

  ASSERT_EQ(result.incidents.size(), 1U);
  EXPECT_EQ(result.commands_ignored, 0U);
  EXPECT_EQ(result.incidents[0].differences, std::vector<std::string>{});
}

TEST(Backtest, EndsWithItsSpanAndRefusesTimeThatGoesBack) {
  const World world = night();
  const Instant begin = world.history.front().first;
  // On the heap: of one on the stack g++ 12 says wrongly that it may be uninitialized.
  const auto nothing = std::make_unique<core::State>();
  Backtest backtest(std::move(*nothing), World::load(policy()), {begin + 10s, begin + 20s});
  bool ended = false;
  for (const auto& [at, event] : world.history) {
    const auto more = backtest.take(event, at);
    ASSERT_TRUE(more);
    ended = !*more;
    if (ended) break;
  }
  EXPECT_TRUE(ended);
  const auto back = backtest.take(core::Tick{}, begin);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace firebreak::rehearsal::backtesting
