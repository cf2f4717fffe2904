// An incident's life: who opens it, what raises and lowers it, its clocks, and what ends it.
#include "coordinator/core/incidents.h"

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace incidents_test {

using testing::Test;

const ProbeKey kHealth = key("api", "health");

std::string policy_text(const std::string& more = "") {
  return R"yaml(
severities:
  P1: {acknowledge: 5m, update: 15m, resolve: 2h, notify: [ops, boss]}
  P2: {notify: ops}
facts: {customers: 0}
receivers:
  ops: {slack: {url: "http://127.0.0.1:1/hook"}}
  boss: {webhook: {url: "http://127.0.0.1:1/boss"}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
  db:
    agents: 'true'
    probes:
      ready: {http: "http://db/", every: 5s, timeout: 2s}
rules:
  - service: api
    severity: {P1: "!available('health')", P2: facts.customers > 100}
  - {service: db, severity: {P1: "!available('ready')"}}
)yaml" + more;
}

World healthy(const std::string& more = "") {
  World world(policy_text(more));
  world.attach("a");
  world.result("a", kHealth, Status::ok);
  return world;
}
World failing() {
  World world = healthy();
  world.pass(5s);
  world.result("a", kHealth, Status::critical);
  return world;
}

TEST(Incident, IsOpenedByARuleAndSaysWhy) {
  World world = failing();

  const Incident& incident = world.incident();
  EXPECT_EQ(incident.id.str(), "INC-20261121-030005");
  EXPECT_EQ(incident.severity_name, "P1");
  EXPECT_EQ(incident.title, "health is critical on 1 of 1 agent (refused)");
  EXPECT_EQ(incident.phase, Phase::investigating);
  ASSERT_EQ(World::entries(incident, "opened").size(), 1U);
  EXPECT_NE(incident.timeline[0].detail.find("!available('health')"), std::string::npos);
  EXPECT_TRUE(world.state.changed.contains(incident.id));
}

TEST(Incident, IsToldToTheReceiversOfItsSeverityOnce) {
  World world = failing();
  world.keep("a", kHealth, Status::critical, 30s);

  const auto told = world.told_ever(NotificationKind::opened);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].receiver, ReceiverName("boss"));
  EXPECT_EQ(told[1].receiver, ReceiverName("ops"));
  EXPECT_EQ(told[0].title, "P1 api: health is critical on 1 of 1 agent (refused)");
  EXPECT_NE(told[0].notification, told[1].notification);
}

TEST(Incident, IsToldInTheWordsOfItsReceiversScheme) {
  World world(R"yaml(
severities: {P1: {notify: [ops, shop]}}
schemes: {customer: {P1: Critical}}
receivers:
  ops: {webhook: {url: "http://127.0.0.1:1/ops"}}
  shop: {webhook: {url: "http://127.0.0.1:1/shop"}, scheme: customer}
facts: {breach: false}
services: {api: {agents: 'true', probes: {health: {http: "http://api/health"}}}}
rules: [{service: api, severity: {P1: facts.breach}}]
)yaml");
  world.set_fact("breach", true);

  const auto told = world.told_ever(NotificationKind::opened);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].severity, "P1");
  EXPECT_EQ(told[1].severity, "Critical");
  EXPECT_TRUE(told[1].title.starts_with("Critical api: ")) << told[1].title;
}

TEST(Incident, TellsItsReceiversWhatIsToBeDoneByHand) {
  World world = healthy(
      "manual_steps: [{text: open the war room}, {at: 5m, text: call legal}, {text: log in}]\n");
  world.result("a", kHealth, Status::critical);

  const auto told = world.told_ever(NotificationKind::opened);
  ASSERT_FALSE(told.empty());
  EXPECT_NE(told[0].text.find("\nTo do: 1 open the war room; 3 log in"), std::string::npos)
      << told[0].text;
}

TEST(Incident, HasAnIdOfItsOwnEvenInTheSameSecond) {
  World world = healthy();
  world.result("a", kHealth, Status::critical);
  world.result("a", key("db", "ready"), Status::critical);

  EXPECT_EQ(world.state.services.at(ServiceName("api")).open_incident.str(), "INC-20261121-030000");
  EXPECT_EQ(world.state.services.at(ServiceName("db")).open_incident.str(),
            "INC-20261121-030000-2");
}

TEST(Incident, CarriesTheDaysNumberWhereItsFormatWantsIt) {
  World world = healthy("incident_id: 'FIRE-%Y-%m-%d-%N'\n");
  world.result("a", kHealth, Status::critical);
  EXPECT_TRUE(world.state.incidents.contains(IncidentId("FIRE-2026-11-21-001")));
  world.result("a", key("db", "ready"), Status::critical);
  EXPECT_TRUE(world.state.incidents.contains(IncidentId("FIRE-2026-11-21-002")));
}

TEST(Incident, IsRaisedAndLoweredWithItsRules) {
  World world = healthy();
  world.set_fact("customers", 101);
  EXPECT_EQ(world.incident().severity_name, "P2");

  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.incident().severity_name, "P1");
  world.result("a", kHealth, Status::ok);

  const Incident& incident = world.incident();
  EXPECT_EQ(incident.severity_name, "P2");
  EXPECT_EQ(incident.peak_severity, "P1");
  EXPECT_EQ(World::entries(incident, "severity"),
            (std::vector<std::string>{"raised to P1 (was P2)", "lowered to P2 (was P1)"}));
  // Who was told of the P1 hears that it is a P2 now.
  EXPECT_EQ(world.told_ever(NotificationKind::severity_changed).size(), 4U);
}

TEST(Incident, RunsItsAcknowledgeClockOutOnce) {
  World world = failing();

  world.pass(5min - 1us);
  EXPECT_TRUE(world.told_ever(NotificationKind::acknowledge_overdue).empty());
  world.pass(20min);

  EXPECT_EQ(world.told_ever(NotificationKind::acknowledge_overdue).size(), 2U);
  EXPECT_TRUE(world.incident().acknowledge_overdue);
}

TEST(Incident, StopsItsAcknowledgeClockWhenSomebodyAcknowledges) {
  World world = failing();

  world.ask(AcknowledgeIncident{world.incident().id, "on it"});
  world.pass(14min);

  EXPECT_EQ(world.incident().acknowledged_by, "mia");
  EXPECT_EQ(world.told_ever(NotificationKind::acknowledged).size(), 2U);
  EXPECT_TRUE(world.told_ever(NotificationKind::acknowledge_overdue).empty());
}

TEST(Incident, AsksForAnUpdateAfterEachIntervalWithoutOne) {
  World world = failing();
  const IncidentId id = world.incident().id;
  const auto asked = [&] { return world.told_ever(NotificationKind::update_due).size() / 2; };

  world.pass(10min);
  world.ask(AddNote{id, "looking", ""});
  world.pass(14min);
  EXPECT_EQ(asked(), 0U);
  world.pass(1min);
  EXPECT_EQ(asked(), 1U);
  world.pass(15min);
  EXPECT_EQ(asked(), 2U);
}

TEST(Incident, AsksForAnUpdateNoSoonerThanItsNewSeverityWants) {
  World world = healthy();
  world.set_fact("customers", 101);
  world.pass(1h);
  const auto asked = [&] { return world.told_ever(NotificationKind::update_due).size() / 2; };

  world.result("a", kHealth, Status::critical);
  ASSERT_EQ(world.incident().severity_name, "P1");
  EXPECT_EQ(asked(), 0U);
  world.pass(14min);
  EXPECT_EQ(asked(), 0U);
  world.pass(1min);
  EXPECT_EQ(asked(), 1U);
}

TEST(Incident, RunsItsResolveClockOutOnce) {
  World world = failing();

  world.pass(3h);

  EXPECT_EQ(world.told_ever(NotificationKind::resolve_overdue).size(), 2U);
}

TEST(Incident, IsWatchedAndValidatedWhenNoRuleHoldsAnyMore) {
  World world = failing();

  world.result("a", kHealth, Status::ok);

  const Incident& incident = world.incident();
  EXPECT_EQ(incident.phase, Phase::monitoring);
  EXPECT_FALSE(incident.resolved);
  EXPECT_EQ(incident.validations, 1);
  EXPECT_TRUE(world.state.validations.contains(incident.validation));
}

TEST(Incident, ResolvesByItselfWhenItsValidationPasses) {
  World world = failing();
  world.result("a", kHealth, Status::ok);

  world.pass_answering(1min, Status::ok);

  const Incident& incident = world.incident();
  EXPECT_EQ(incident.phase, Phase::resolved);
  EXPECT_EQ(incident.resolved_by, "engine");
  EXPECT_EQ(world.told_ever(NotificationKind::resolved).size(), 2U);
  EXPECT_TRUE(world.state.services.at(ServiceName("api")).open_incident.empty());
}

TEST(Incident, StaysOpenAndIsValidatedAgainEverMoreRarelyWhenItsValidationFails) {
  World world = failing();
  world.result("a", kHealth, Status::ok);

  for (int i = 0; i < 120; ++i) {
    world.pass_answering(5s, Status::critical);
    world.result("a", kHealth, Status::ok);
  }

  const Incident& incident = world.incident();
  EXPECT_FALSE(incident.resolved);
  EXPECT_GE(incident.validations, 4);
  EXPECT_LE(incident.validations, 6);
  EXPECT_FALSE(incident.failing_check.empty());
  const auto entries = World::entries(incident, "validation");
  EXPECT_NE(entries.back().find(incident.failing_check), std::string::npos);
  // The same failure is told once.
  EXPECT_EQ(world.told_ever(NotificationKind::validation_failed).size(), 2U);
}

TEST(Incident, BreaksItsValidationOffWhenTheFaultIsBack) {
  World world = failing();
  world.result("a", kHealth, Status::ok);
  const ValidationId validation = world.incident().validation;

  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.state.validations.at(validation).verdict, Verdict::inconclusive);
  const Incident& incident = world.incident();
  EXPECT_EQ(incident.phase, Phase::investigating);
  EXPECT_FALSE(incident.quiet_since);
  EXPECT_FALSE(incident.validate_at);
}

TEST(Incident, IsResolvedByAPersonWithAReason) {
  World world = failing();
  const IncidentId id = world.incident().id;

  world.ask(ResolveIncident{id, "a false alarm"});

  EXPECT_EQ(world.incident().resolved_by, "operator:mia");
  EXPECT_EQ(World::entries(world.incident(), "resolved"),
            std::vector<std::string>{"a false alarm"});
}

TEST(Incident, IsNotOpenedAgainForTheFaultThatAPersonResolved) {
  World world = failing();
  world.ask(ResolveIncident{world.incident().id, "known, harmless"});
  world.keep("a", kHealth, Status::critical, 1min);
  EXPECT_EQ(world.state.incidents.size(), 1U);

  world.result("a", kHealth, Status::ok);
  world.result("a", kHealth, Status::critical);

  EXPECT_EQ(world.state.incidents.size(), 2U);
}

TEST(Incident, IsDeclaredByAPersonAndRaisedButNotLoweredByRules) {
  World world = healthy();

  world.ask(DeclareIncident{ServiceName("api"), 1, "customers call", "r-1"});
  world.ask(DeclareIncident{ServiceName("api"), 1, "customers call", "r-1"});
  EXPECT_EQ(world.incident().severity_name, "P2");
  EXPECT_EQ(world.incident().title, "customers call");
  world.result("a", kHealth, Status::critical);
  EXPECT_EQ(world.incident().severity_name, "P1");
  world.result("a", kHealth, Status::ok);
  world.pass(1min);

  EXPECT_EQ(world.incident().severity_name, "P2");
  EXPECT_FALSE(world.incident().quiet_since);
}

TEST(Incident, IsNotDeclaredTwiceByOneRequestEvenWhenItIsOver) {
  World world = healthy();
  const DeclareIncident wish{ServiceName("api"), 1, "customers call", "r-1"};
  world.ask(wish);
  world.ask(ResolveIncident{world.incident().id, "done"});

  EXPECT_TRUE(world.may(wish));
  world.ask(wish);

  EXPECT_EQ(world.state.incidents.size(), 1U);
}

TEST(Incident, CutsTheMiddleOfALongTimeline) {
  World world = failing();
  const IncidentId id = world.incident().id;
  const auto before = world.incident().timeline.size();
  for (std::size_t i = 0; i < limits::kTimelineEntriesMax + 10; ++i)
    world.ask(AddNote{id, "note " + std::to_string(i), ""});

  const Incident& incident = world.incident();
  EXPECT_LE(incident.timeline.size(), limits::kTimelineEntriesMax + 1);
  EXPECT_EQ(incident.timeline.size() + incident.timeline_dropped,
            before + limits::kTimelineEntriesMax + 10);
  EXPECT_EQ(incident.timeline.front().kind, "opened");
  EXPECT_EQ(incident.timeline.back().text, "note 2009");
  const auto published = world.asked<PublishEntry>();
  ASSERT_EQ(published.size(), 1U);
  EXPECT_EQ(published[0].entry.text, "note 2009");
}

TEST(Incident, OfTheOldestResolvedOnesIsForgottenBeyondTheBound) {
  World world = healthy();
  for (std::size_t i = 0; i < limits::kResolvedIncidentsKept + 5; ++i) {
    world.ask(DeclareIncident{ServiceName("api"), 1, "", ""});
    world.ask(ResolveIncident{world.state.services.at(ServiceName("api")).open_incident, "drill"});
  }

  EXPECT_EQ(world.state.incidents.size(), limits::kResolvedIncidentsKept);
  EXPECT_EQ(world.state.resolved_order.size(), limits::kResolvedIncidentsKept);
}

TEST(Incident, SaysWhetherAReceiverCouldBeTold) {
  World world = failing();
  const auto told = world.told_ever(NotificationKind::opened);

  world.step(NotificationFinished{told[0].notification, true, 1, ""});
  world.step(NotificationFinished{told[1].notification, false, 8, "HTTP status 500"});
  world.step(NotificationFinished{told[1].notification, false, 8, "HTTP status 500"});

  EXPECT_EQ(World::entries(world.incident(), "notification"),
            (std::vector<std::string>{"told boss of \"opened\"",
                                      "could not tell ops of \"opened\" after 8 attempts"}));
  EXPECT_TRUE(world.state.notifications_pending.empty());
}

}  // namespace incidents_test
}  // namespace firebreak::core
