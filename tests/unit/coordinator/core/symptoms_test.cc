// One outage, one incident, at its bounds: how far a cause is looked for, how many services and
// hosts an incident names. Its stories are in tests/scenario.
#include "coordinator/core/symptoms.h"

#include "common/limits.h"
#include "coordinator/core/dependencies.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace symptoms_test {

// s0 <- s1 <- s2 ..., each with a probe and a rule of its own.
std::string chain(int services) {
  std::string text = "severities: {P1: {}}\nservices:\n";
  std::string rules = "rules:\n";
  for (int i = 0; i < services; ++i) {
    const std::string name = "s" + std::to_string(i);
    text += "  " + name + ": {agents: 'true', probes: {up: {http: 'http://h/', every: 5s}}";
    if (i > 0) text += ", depends_on: s" + std::to_string(i - 1);
    text += "}\n";
    rules += "  - {service: " + name + ", severity: {P1: \"!available('up')\"}}\n";
  }
  return text + rules;
}
// `db`, and as many services that depend on it.
std::string star(std::size_t services) {
  std::string text =
      "severities: {P1: {}}\nservices:\n"
      "  db: {agents: 'true', probes: {up: {http: 'http://h/', every: 5s}}}\n";
  std::string rules = "rules:\n  - {service: db, severity: {P1: \"!available('up')\"}}\n";
  for (std::size_t i = 0; i < services; ++i) {
    const std::string name = "s" + std::to_string(i);
    text += "  " + name +
            ": {agents: 'true', depends_on: db, probes: {up: {http: 'http://h/', every: 5s}}}\n";
    rules += "  - {service: " + name + ", severity: {P1: \"!available('up')\"}}\n";
  }
  return text + rules;
}

void fail(World& world, const std::string& service, const char* agent = "a") {
  world.result(agent, key(service.c_str(), "up"), Status::critical);
}

TEST(Symptoms, AreFoundAsFarAsTheBoundAndNoFarther) {
  const int far = limits::kDependencyDepthMax;
  World world(chain(far + 2));
  world.attach("a");
  fail(world, "s0");

  fail(world, "s" + std::to_string(far));
  EXPECT_EQ(world.state.incidents.size(), 1U);
  EXPECT_EQ(symptoms_of(world.state, world.incident()).size(), 1U);

  World farther(chain(far + 2));
  farther.attach("a");
  fail(farther, "s0");
  fail(farther, "s" + std::to_string(far + 1));
  EXPECT_EQ(farther.state.incidents.size(), 2U);
}

TEST(Symptoms, BeyondTheBoundHaveIncidentsOfTheirOwn) {
  World world(star(limits::kAffectedServicesMax + 1));
  world.attach("a");
  fail(world, "db");
  // Without World's own look at every tally after each step.
  for (std::size_t i = 0; i < limits::kAffectedServicesMax; ++i) {
    const std::string name = "s" + std::to_string(i);
    const auto batch =
        world.batch("a", key(name.c_str(), "up"), observation(Status::critical), world.now);
    core::step(world.state, batch, world.now);
  }
  ASSERT_EQ(world.state.incidents.size(), 1U);
  EXPECT_EQ(world.incident().affected.size(), limits::kAffectedServicesMax);

  fail(world, "s" + std::to_string(limits::kAffectedServicesMax));

  EXPECT_EQ(world.state.incidents.size(), 2U);
  EXPECT_EQ(world.incident_of("db").affected.size(), limits::kAffectedServicesMax);
  EXPECT_EQ(world.incident_of("db").symptoms.size(), 1U);
}

TEST(Symptoms, NameHostsUpToTheBoundAndSayThatThereAreMore) {
  World world(star(0));
  const std::size_t hosts = limits::kAffectedHostsMax + 1;
  for (std::size_t i = 0; i < hosts; ++i) world.attach("h" + std::to_string(i));
  for (std::size_t i = 0; i < hosts - 1; ++i)
    world.result("h" + std::to_string(i), key("db", "up"), Status::critical);
  EXPECT_EQ(world.incident().hosts.size(), limits::kAffectedHostsMax);
  EXPECT_FALSE(world.incident().hosts_more);
  EXPECT_EQ(describe_hosts(world.incident()), "h0, h1, h10, h11, h12 and 95 more");

  world.result("h" + std::to_string(hosts - 1), key("db", "up"), Status::critical);

  EXPECT_EQ(world.incident().hosts.size(), limits::kAffectedHostsMax);
  EXPECT_TRUE(world.incident().hosts_more);
  EXPECT_EQ(describe_hosts(world.incident()), "h0, h1, h10, h11, h12 and more than 95 others");
}

TEST(Symptoms, AreInWhatPeopleAreTold) {
  World world(
      "severities: {P1: {notify: ops}, P2: {notify: ops}}\n"
      "receivers: {ops: {slack: {url: 'http://127.0.0.1:1/'}}}\n"
      "services:\n"
      "  db: {agents: 'true', probes: {up: {http: 'http://h/', every: 5s}}}\n"
      "  api: {agents: 'true', depends_on: db, probes: {up: {http: 'http://h/', every: 5s}}}\n"
      "rules:\n  - {service: db, severity: {P2: \"!available('up')\"}}\n"
      "  - {service: api, severity: {P1: \"!available('up')\"}}\n");
  world.attach("a");
  fail(world, "db");
  fail(world, "api");

  const auto told = world.told_ever(NotificationKind::severity_changed);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].title.find("raised to P1 (was P2) because of api"), std::string::npos);
  EXPECT_NE(told[0].text.find("\nAlso affected: api (P1)\nHosts: a"), std::string::npos)
      << told[0].text;
  const auto& entries = world.incident().timeline;
  const auto raised = std::find_if(entries.begin(), entries.end(),
                                   [](const auto& one) { return one.kind == "severity"; });
  ASSERT_NE(raised, entries.end());
  EXPECT_EQ(raised->detail,
            "up is critical on 1 of 1 agent (refused); because api/1: !available('up')");
}

TEST(Symptoms, CausesComeFirstInOneStep) {
  World world(
      "severities: {P1: {}}\nfacts: {down: false}\nservices:\n"
      "  api: {agents: 'true', depends_on: [{any_of: [db]}], probes: {}}\n"
      "  db: {agents: 'true', probes: {}}\n"
      "rules:\n  - {service: api, severity: {P1: facts.down}}\n"
      "  - {service: db, severity: {P1: facts.down}}\n");

  world.set_fact("down", true);

  EXPECT_EQ(world.incident().service.str(), "db");
  EXPECT_EQ(describe_affected(world.incident()), "api (P1)");
}

// A symptom that stands on a person's word has no results to wait for.
TEST(Symptoms, ThatStandOnFactsAloneAreIncidentsAtOnceWhenTheirCauseIsClosed) {
  World world(
      "severities: {P1: {}}\nfacts: {a: false, d: false}\nservices:\n"
      "  api: {agents: 'true', depends_on: db, probes: {}}\n"
      "  db: {agents: 'true', probes: {}}\n"
      "rules:\n  - {service: api, severity: {P1: facts.a}}\n"
      "  - {service: db, severity: {P1: facts.d}}\n");
  world.set_fact("d", true);
  world.set_fact("a", true);
  const IncidentId cause = world.incident().id;

  world.ask(ResolveIncident{cause, "the standby has taken over"});

  ASSERT_FALSE(world.state.services.at(ServiceName("api")).open_incident.empty());
  EXPECT_EQ(world.incident_of("api").causes, std::set<IncidentId>{cause});
}

}  // namespace symptoms_test
}  // namespace firebreak::core
