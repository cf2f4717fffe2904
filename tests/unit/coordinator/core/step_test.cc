// The property that everything else stands on: the same events make the same state and effects.
#include "coordinator/core/step.h"

#include <sstream>

#include "common/cel/value.h"
#include "common/rng.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace step_test {

constexpr const char* kPolicy = R"yaml(
severities:
  P1: {acknowledge: 1m, update: 2m, notify: ops}
  P2: {notify: ops}
facts: {customers: 0}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
      queue: {queue: {redis: "cache:6379", list: jobs}, every: 5s}
  db:
    agents: 'true'
    probes: {ready: {http: "http://db/", every: 5s}}
rules:
  - service: api
    severity:
      P1: "!available('health') || value('queue') > 10"
      P2: "facts.customers > 100 || error_rate('health', 1m) > 0.2"
    keep_for: 10s
  - {service: db, severity: {P1: "!available('ready')"}, for: 10s}
actions:
  restart: {host: {entry: restart}, cooldown: 1m, verify: health}
  warm: {http: {post: "http://api/warm"}, cooldown: 1m}
playbooks:
  - on: {service: api, severity: P1}
    stages: [{at: 0m, do: [restart]}, {at: 1m, do: [warm]}]
)yaml";

void write(std::ostream& out, const Incident& incident) {
  out << incident.id.str() << ' ' << incident.service.str() << ' ' << incident.severity_name << ' '
      << to_string(incident.phase) << ' ' << unix_us(incident.detected) << ' '
      << unix_us(incident.opened) << ' ' << incident.validations << ' ' << incident.failing_check
      << '\n';
  for (const TimelineEntry& entry : incident.timeline)
    out << unix_us(entry.at) << ' ' << entry.kind << ' ' << entry.actor << ' ' << entry.text << ' '
        << entry.detail << '\n';
  for (const ActionRun& run : incident.actions)
    out << run.id.str() << ' ' << run.target << ' ' << to_string(run.state) << '\n';
}

// Everything that a decision may depend on.
std::string dump(const State& state) {
  std::ostringstream out;
  for (const auto& [name, agent] : state.agents) {
    out << name.str() << ' ' << agent.attached << ' ' << agent.incarnation << ' ' << agent.last_seq
        << '\n';
    for (const auto& [probe, series] : agent.series)
      out << probe.service.str() << '/' << probe.probe.str() << ' ' << to_string(series.confirmed)
          << ' ' << unix_us(series.confirmed_since) << ' ' << unix_us(series.observed) << ' '
          << series.live << '\n';
  }
  for (const Window& window : state.windows)
    for (const Window::Ring& ring : window.rings())
      out << window.over(ring.span, state.now).samples << '\n';
  for (const auto& [name, service] : state.services)
    out << name.str() << ' ' << service.severity.value_or(99) << ' ' << service.blind << ' '
        << service.open_incident.str() << ' ' << service.because << '\n';
  for (const auto& [fact, held] : state.facts)
    out << fact.first.str() << ' ' << cel::to_string(held.value) << '\n';
  for (const auto& [id, incident] : state.incidents) write(out, incident);
  for (const auto& [id, validation] : state.validations)
    out << id.str() << ' ' << to_string(validation.verdict) << '\n';
  out << state.next_id << ' ' << state.counters.results << ' ' << state.counters.duplicates << ' '
      << state.counters.late << ' ' << state.notifications_pending.size() << ' '
      << state.verifications.size() << '\n';
  if (const auto next = next_wake(state)) out << unix_us(*next) << '\n';
  return out.str();
}

struct Describe {
  std::ostream& out;
  void operator()(const SendAssignment& it) const { out << "assign " << it.agent.str(); }
  void operator()(const SendProbeNow& it) const {
    out << "probe " << it.agent.str() << ' ' << it.request.str();
  }
  void operator()(const OrderHostAction& it) const {
    out << "order " << it.action.str() << ' ' << it.agent.str() << ' ' << it.entry;
  }
  void operator()(const RunHttpAction& it) const { out << "http " << it.action.str(); }
  void operator()(const SendNotification& it) const {
    out << "tell " << it.notification.str() << ' ' << it.title << ' ' << it.text;
  }
  void operator()(const ConfirmOutcome& it) const { out << "confirm " << it.action.str(); }
  void operator()(const PublishEntry& it) const {
    out << "entry " << it.incident.str() << ' ' << it.entry.text;
  }
  void operator()(const PublishValidation& it) const { out << "show " << it.validation.str(); }
};
std::string dump(const std::vector<Effect>& effects) {
  std::ostringstream out;
  for (const Effect& effect : effects) {
    std::visit(Describe{out}, effect);
    out << '\n';
  }
  return out.str();
}

Status any_status(Rng& rng) {
  const auto pick = rng.below(10);
  if (pick < 5) return Status::ok;
  return pick < 9 ? Status::critical : Status::unknown;
}

// What one agent or operator might do next.
void anything(World& world, Rng& rng) {
  static const char* const kAgents[] = {"a", "b", "c"};
  const std::string agent = kAgents[rng.below(3)];
  switch (rng.below(12)) {
    case 0:
      world.attach(agent, {}, 1 + rng.below(1000));
      return;
    case 1:
      world.detach(agent);
      return;
    case 2:
      world.set_fact("customers", static_cast<std::int64_t>(rng.below(200)));
      return;
    case 3:
      world.pass(std::chrono::seconds(rng.below(60)));
      return;
    case 4:
      world.answer(any_status(rng));
      return;
    case 5:
      for (const auto& order : world.asked_ever<OrderHostAction>()) {
        ActionReported event;
        event.action = order.action;
        event.reporter = "agent:" + order.agent.str();
        event.state = rng.below(2) == 0 ? ActionState::succeeded : ActionState::failed;
        world.step(event);
      }
      return;
    case 6:
      world.step(Started{2 + rng.below(9)});
      return;
    case 7:
      world.result(agent, key("api", "queue"),
                   with_value(Status::ok, "length", static_cast<double>(rng.below(15))));
      return;
    case 8:
      world.result(agent, key("db", "ready"), any_status(rng));
      return;
    default:
      world.result(agent, key("api", "health"), observation(any_status(rng)), rng.below(4) != 0);
      world.pass(std::chrono::milliseconds(rng.below(3000)));
  }
}

class Replay : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Replay, OfTheSameEventsGivesTheSameStateAndEffects) {
  World world(kPolicy);
  Rng rng(GetParam());
  for (int i = 0; i < 200; ++i) anything(world, rng);

  State replayed;
  std::vector<Effect> effects;
  for (const auto& [at, event] : world.history) {
    const auto more = step(replayed, event, at);
    effects.insert(effects.end(), more.begin(), more.end());
  }

  EXPECT_EQ(dump(replayed), dump(world.state));
  EXPECT_EQ(dump(effects), dump(world.all));
}

TEST_P(Replay, GoesOnFromACopyOfTheStateAsTheOriginalDoes) {
  World world(kPolicy);
  Rng rng(GetParam());
  for (int i = 0; i < 150; ++i) anything(world, rng);
  State copy = world.state;
  const std::size_t from = world.history.size();
  for (int i = 0; i < 150; ++i) anything(world, rng);

  for (std::size_t i = from; i < world.history.size(); ++i)
    step(copy, world.history[i].second, world.history[i].first);

  EXPECT_EQ(dump(copy), dump(world.state));
}

TEST_P(Replay, OfEveryBatchOfResultsTwiceChangesNothing) {
  World world(kPolicy);
  Rng rng(GetParam());
  for (int i = 0; i < 200; ++i) anything(world, rng);

  State twice;
  for (const auto& [at, event] : world.history) {
    step(twice, event, at);
    if (std::holds_alternative<ResultsReceived>(event)) step(twice, event, at);
  }
  twice.counters.duplicates = world.state.counters.duplicates;

  EXPECT_EQ(dump(twice), dump(world.state));
}

// An incident stands if and only if something holds it.
TEST_P(Replay, NeverLeavesAServicesWorstSeverityWithoutAnIncident) {
  World world(kPolicy);
  Rng rng(GetParam());
  for (int i = 0; i < 200; ++i) {
    anything(world, rng);
    for (const auto& [name, service] : world.state.services) {
      if (service.severity && !service.blind) {
        ASSERT_FALSE(service.open_incident.empty()) << name.str();
      }
      if (service.open_incident.empty()) continue;
      const Incident& incident = world.state.incidents.at(service.open_incident);
      ASSERT_FALSE(incident.resolved);
      ASSERT_EQ(incident.quiet_since.has_value(), !service.severity);
      const auto running =
          std::count_if(incident.actions.begin(), incident.actions.end(), [](const ActionRun& run) {
            return run.state == ActionState::ordered || run.state == ActionState::started;
          });
      ASSERT_LE(running, 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Replay, testing::Range<std::uint64_t>(1, 5));

TEST(Step, NeedsNoTickWhenNothingCanChangeWithTime) {
  World world(kPolicy);
  EXPECT_FALSE(next_wake(world.state));
}

TEST(Step, TakesEventsBeforeThereIsAPolicy) {
  World world;
  world.step(Started{1});
  world.attach("a");
  world.result("a", key("api", "health"), Status::critical);
  world.ask(DeclareIncident{ServiceName("api"), 0, "", ""});
  world.set_fact("customers", 1);
  world.step(ActionReported{});
  world.step(ProbeNowFinished{});
  world.step(NotificationFinished{});
  world.step(Tick{});

  EXPECT_TRUE(world.state.incidents.empty());
  EXPECT_TRUE(assignment_for(world.state, AgentName("a")).empty());
  EXPECT_EQ(probe_status(world.state, key("api", "health")), Status::unknown);
  world.use(kPolicy);
  EXPECT_EQ(assignment_for(world.state, AgentName("a")).size(), 3U);
}

}  // namespace step_test
}  // namespace firebreak::core
