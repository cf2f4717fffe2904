// Which results count, once, and how long what an agent said may be believed.
#include "coordinator/core/ingest.h"

#include <limits>

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace ingest_test {

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}}
services:
  api:
    agents: 'labels.role == "edge"'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
rules:
  - {service: api, severity: {P1: "!available('health')"}}
)yaml";
const ProbeKey kHealth = key("api", "health");

World one_agent() {
  World world(kPolicy);
  world.attach("a", {{"role", "edge"}});
  return world;
}

TEST(Ingest, SendsAnAssignmentToAnAgentThatAttachesAndItHoldsWhatItsSelectorChooses) {
  World world(kPolicy);

  world.attach("a", {{"role", "edge"}});
  EXPECT_EQ(world.asked<SendAssignment>().size(), 1U);
  world.attach("b", {{"role", "db"}});

  const auto assignment = assignment_for(world.state, AgentName("a"));
  ASSERT_EQ(assignment.size(), 1U);
  EXPECT_EQ(assignment[0].first, kHealth);
  EXPECT_TRUE(assignment_for(world.state, AgentName("b")).empty());
}

TEST(Ingest, OrdersResultsByTheirNumbersWhateverTheClocksSay) {
  World world = one_agent();
  world.step(world.batch("a", kHealth, observation(Status::ok), world.now - 1s));
  world.step(world.batch("a", kHealth, observation(Status::critical), world.now - 10s));

  const SeriesState& series = world.state.agents.at(AgentName("a")).series.at(kHealth);
  EXPECT_EQ(series.confirmed, Status::critical);
  EXPECT_EQ(series.observed, world.now - 1s);
  EXPECT_EQ(series.confirmed_since, world.now - 1s);
}

// After an outage of unknown length the coordinator's time goes on where it ended, so that what was
// seen before seems newer than it is.
TEST(Ingest, AnOldResultIsNotFreshForComingAfterOneThatSeemedNewer) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);
  world.pass(10s);
  world.detach("a");
  world.attach("a", {{"role", "edge"}}, 2);

  world.step(world.batch("a", kHealth, observation(Status::critical), world.now - 21s));
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown) << "older than 20 s";
  world.step(world.batch("a", kHealth, observation(Status::critical), world.now - 19s));
  EXPECT_EQ(probe_status(world.state, kHealth), Status::critical);
  world.pass(2s);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
}

TEST(Ingest, TakesNoResultForOneOfTheFuture) {
  World world = one_agent();
  world.step(world.batch("a", kHealth, observation(Status::ok), world.now + 1h));

  EXPECT_EQ(world.state.agents.at(AgentName("a")).series.at(kHealth).observed, world.now);
}

TEST(Ingest, TakesARepeatedResultOnce) {
  World world = one_agent();
  const auto critical = world.batch("a", kHealth, observation(Status::critical), world.now);
  world.step(critical);
  world.result("a", kHealth, Status::ok);

  world.step(critical);

  EXPECT_EQ(world.state.counters.duplicates, 1U);
  EXPECT_EQ(world.state.counters.results, 2U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
}

TEST(Ingest, AnEarlierLifeThatComesBackDoesNotReplaceTheOneThatGoesOn) {
  World world(kPolicy);
  world.attach("a", {{"role", "edge"}}, 1);
  world.attach("a", {{"role", "edge"}}, 2);

  // A greeting of the first life that was held up, or a copy of the host that still runs it.
  world.step(AgentAttached{AgentName("a"), 1, "1.0", {}, {}, {}});
  const AgentState& agent = world.state.agents.at(AgentName("a"));
  EXPECT_EQ(agent.incarnation, 2U);
  EXPECT_FALSE(agent.attached);
  EXPECT_TRUE(world.asked<SendAssignment>().empty());

  world.attach("a", {{"role", "edge"}}, 2);
  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.state.counters.results, 1U);
  EXPECT_EQ(agent.last_seq, 1U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::critical);
}

TEST(Ingest, TakesOnlyTheNewPartOfABatchThatOverlaps) {
  World world = one_agent();
  auto batch = world.batch("a", kHealth, observation(Status::ok), world.now);
  world.step(batch);
  batch.rows.push_back({0, world.now, true, observation(Status::critical)});

  world.step(batch);

  EXPECT_EQ(world.state.counters.duplicates, 1U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::critical);
}

TEST(Ingest, TakesNothingOfAnIncarnationThatIsOver) {
  World world = one_agent();
  const auto old = world.batch("a", kHealth, observation(Status::critical), world.now);
  world.attach("a", {{"role", "edge"}}, 2);

  world.step(old);

  EXPECT_EQ(world.state.counters.duplicates, 1U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
}

// Incarnations are drawn at random: the smallest number is not the oldest life.
TEST(Ingest, RemembersTheNewestOfTheIncarnationsThatAreOver) {
  World world(kPolicy);
  for (std::uint64_t life = 0; life <= limits::kPastIncarnationsMax; ++life)
    world.attach("a", {{"role", "edge"}}, 1000 - life);
  const auto old = world.batch("a", kHealth, observation(Status::critical), world.now);
  world.attach("a", {{"role", "edge"}}, 2000);

  world.step(old);

  EXPECT_EQ(world.state.counters.duplicates, 1U);
}

TEST(Ingest, CountsWhatIsMissingApartFromWhatTheAgentDropped) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);
  auto batch = world.batch("a", kHealth, observation(Status::ok), world.now);
  batch.first_seq += 10;
  batch.dropped_before = 7;

  world.step(batch);

  EXPECT_EQ(world.state.counters.dropped_by_agents, 7U);
  EXPECT_EQ(world.state.counters.missing, 3U);
  EXPECT_EQ(world.state.agents.at(AgentName("a")).dropped_results, 7U);
}

TEST(Ingest, NeverMakesASmallNumberOfTwoLargeClaims) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  World world = one_agent();
  for (const std::uint64_t incarnation : {10U, 11U}) {
    world.attach("a", {{"role", "edge"}}, incarnation);
    auto batch = world.batch("a", kHealth, observation(Status::ok), world.now);
    batch.first_seq = kMost - 10;
    batch.dropped_before = kMost;

    world.step(batch);
  }

  EXPECT_EQ(world.state.counters.dropped_by_agents, kMost);
  EXPECT_EQ(world.state.agents.at(AgentName("a")).dropped_results, kMost);
}

TEST(Ingest, LetsALateResultChangeNothing) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);

  world.step(world.batch("a", kHealth, observation(Status::critical), world.now - 61s));

  EXPECT_EQ(world.state.counters.late, 1U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
  EXPECT_TRUE(world.state.incidents.empty());
}

TEST(Ingest, DoesNotCallAResultLateForTheTimeItsProbeTook) {
  World world(R"yaml(
severities: {P1: {}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5m, timeout: 2m}
)yaml");
  world.attach("a");

  world.step(world.batch("a", kHealth, observation(Status::critical, 90s), world.now - 91s));

  EXPECT_EQ(world.state.counters.late, 0U);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::critical);
}

TEST(Ingest, BelievesAChangeOnlyWhenItIsConfirmedAndDatesItFromTheFirstResultThatShowedIt) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);
  world.pass(5s);
  const Instant first = world.now;

  world.result("a", kHealth, observation(Status::critical), false);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
  world.pass(1s);
  world.result("a", kHealth, observation(Status::critical), true);

  EXPECT_EQ(probe_status(world.state, kHealth), Status::critical);
  EXPECT_EQ(world.incident().detected, first);
  EXPECT_EQ(world.incident().opened, first + 1s);
}

TEST(Ingest, ForgetsASuspicionThatWasNotConfirmed) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);
  world.result("a", kHealth, observation(Status::critical), false);
  world.pass(1s);
  world.result("a", kHealth, Status::ok);
  world.pass(4s);
  const Instant second = world.now;
  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.incident().detected, second);
}

TEST(Ingest, DoesNotKnowTheStatusAfterThreeIntervalsWithoutAResult) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);

  world.pass(20s);  // three intervals, the time-out, and the way here
  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
  world.pass(1s);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
  EXPECT_EQ(service_status(world.state, ServiceName("api")), Status::unknown);
}

TEST(Ingest, DoesNotKnowTheStatusWhileTheAgentIsGoneNorUntilItHasSentAnew) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);

  world.detach("a");
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
  world.attach("a", {{"role", "edge"}}, 2);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::unknown);
  world.result("a", kHealth, Status::ok);
  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
}

TEST(Ingest, IgnoresTheEndOfAConnectionThatAnotherHasReplaced) {
  World world = one_agent();
  world.attach("a", {{"role", "edge"}}, 2);
  world.result("a", kHealth, Status::ok);

  world.step(AgentDetached{AgentName("a"), 1, "timed out"});

  EXPECT_EQ(probe_status(world.state, kHealth), Status::ok);
}

TEST(Ingest, CountsResultsOfProbesThatTheAgentIsNotToRun) {
  World world = one_agent();
  world.result("a", key("api", "other"), Status::critical);
  world.result("a", key("nothing", "health"), Status::critical);

  EXPECT_EQ(world.state.counters.unknown_probe, 2U);
  EXPECT_TRUE(world.state.agents.at(AgentName("a")).series.empty());
}

TEST(Ingest, WakesNoRuleForAHealthyResultLikeTheOneBefore) {
  World world = one_agent();
  world.result("a", kHealth, Status::ok);
  const Instant evaluated = world.state.services.at(ServiceName("api")).evaluated;
  world.now += 5s;

  EXPECT_TRUE(world.step(world.batch("a", kHealth, observation(Status::ok), world.now)).empty());

  EXPECT_EQ(world.state.services.at(ServiceName("api")).evaluated, evaluated);
}

}  // namespace ingest_test
}  // namespace firebreak::core
