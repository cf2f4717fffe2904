// Groups of vantage points, changes of values, other services and hours of the week, as rules read
// them.
#include "coordinator/core/service_signals.h"

#include "coordinator/core/signal_values.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace service_signals_test {

const ProbeKey kHealth = key("api", "health");
const ProbeKey kQueue = key("api", "queue");
const ProbeKey kReady = key("db", "ready");
const ServiceName kApi("api");

std::string with_rules(const std::string& rules, const std::string& options = "") {
  return R"yaml(
severities: {P1: {}, P2: {}, P3: {}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s)yaml" +
         options + R"yaml(}
      queue: {queue: {redis: "cache:6379", list: jobs}, every: 5s, timeout: 2s}
  db: {agents: 'true', probes: {ready: {postgres: "db:5432", every: 5s, timeout: 2s}}}
  web: {agents: 'true', probes: {home: {http: "http://web/", every: 5s, timeout: 2s}}}
rules:
)yaml" + rules;
}
std::string api_rule(const std::string& condition) {
  return "  - {service: api, severity: {P1: \"" + condition + "\"}}\n";
}
cel::Value ask(const World& world, policy::Signal signal, std::vector<cel::Value> arguments) {
  return ServiceSignals(world.state, kApi, world.now).call(static_cast<int>(signal), arguments);
}

// ---- groups

class Regions : public testing::Test {
 protected:
  explicit Regions(const std::string& options = "")
      : world(with_rules(api_rule("failing_groups_share('health', 'region') > 0.5"), options)) {
    for (const char* name : {"eu-1", "eu-2", "eu-3"}) world.attach(name, {{"region", "eu"}});
    for (const char* name : {"us-1", "us-2"}) world.attach(name, {{"region", "us"}});
    world.attach("ap-1", {{"region", "ap"}});
    world.attach("home");
  }
  void see(const std::vector<const char*>& agents, Status status) {
    for (const char* agent : agents) world.result(agent, kHealth, status);
  }
  cel::Value count() { return ask(world, policy::Signal::failing_groups, {"health", "region"}); }
  cel::Value share() {
    return ask(world, policy::Signal::failing_groups_share, {"health", "region"});
  }
  World world;
};

TEST_F(Regions, FailWhenMoreThanHalfOfTheirVantagePointsDo) {
  see({"eu-1", "eu-2", "eu-3", "us-1", "us-2", "ap-1", "home"}, Status::ok);
  EXPECT_EQ(count(), cel::Value(0));
  see({"eu-1", "us-1"}, Status::critical);
  EXPECT_EQ(count(), cel::Value(0)) << "one of three, one of two";
  see({"eu-2"}, Status::critical);
  EXPECT_EQ(count(), cel::Value(1));
  EXPECT_DOUBLE_EQ(share().as_double(), 1.0 / 3);
  EXPECT_EQ(world.severity("api"), "none");

  see({"us-2"}, Status::critical);

  EXPECT_EQ(count(), cel::Value(2));
  EXPECT_EQ(world.severity("api"), "P1") << "two of three regions";
}

TEST_F(Regions, CountOnlyThoseThatSee) {
  EXPECT_TRUE(count().is_unknown());
  see({"home"}, Status::critical);
  EXPECT_TRUE(share().is_unknown()) << "it has no region";

  see({"ap-1"}, Status::critical);
  EXPECT_EQ(share(), cel::Value(1.0)) << "nobody sees anything from another region";
  see({"us-1"}, Status::ok);
  EXPECT_EQ(share(), cel::Value(0.5));
  world.detach("ap-1");
  EXPECT_EQ(share(), cel::Value(0.0));
}

class RegionsWithNeed : public Regions {
 protected:
  RegionsWithNeed() : Regions(", need: 2") {}
};

TEST_F(RegionsWithNeed, WantAsManyAsTheProbeNeedsButNoMoreThanThereAre) {
  see({"eu-1", "us-1"}, Status::critical);
  EXPECT_EQ(count(), cel::Value(0));
  see({"eu-2", "ap-1"}, Status::critical);
  EXPECT_EQ(count(), cel::Value(2));
}

// ---- delta and rate

class Changes : public testing::Test {
 protected:
  Changes()
      : world(with_rules(api_rule("delta('queue', 1m) > 10.0") +
                         "  - {service: api, severity: {P2: \"rate('queue', 1m) >= 2.0\"}}\n")) {
    world.attach("a");
    world.attach("b");
  }
  void see(const char* agent, double value) {
    world.result(agent, kQueue, with_value(Status::ok, "length", value));
  }
  cel::Value delta() { return ask(world, policy::Signal::delta, {"queue", cel::Value(1min)}); }
  cel::Value rate() { return ask(world, policy::Signal::rate, {"queue", cel::Value(1min)}); }
  World world;
};

TEST_F(Changes, AreOfEachVantagePointByItself) {
  see("a", 1000);
  see("b", 5);
  EXPECT_TRUE(delta().is_unknown());
  world.pass(10s);
  see("a", 1010);
  EXPECT_EQ(delta(), cel::Value(10.0));
  see("b", 2);
  EXPECT_EQ(delta(), cel::Value(10.0)) << "where it changed most";
  EXPECT_EQ(rate(), cel::Value(1.0));
  EXPECT_EQ(world.severity("api"), "none");

  world.pass(1s);
  see("a", 1011);
  world.pass(1s);

  EXPECT_EQ(world.severity("api"), "P1");
}

TEST_F(Changes, OfACounterGoOnOverItsReset) {
  see("a", 100);
  world.pass(5s);
  see("a", 0);
  world.pass(5s);
  see("a", 20);
  world.pass(1s);

  EXPECT_EQ(rate(), cel::Value(2.0));
  EXPECT_EQ(delta(), cel::Value(-80.0));
  EXPECT_EQ(world.severity("api"), "P2");
}

TEST_F(Changes, AreUnknownOfWhoSeesNothingNow) {
  see("a", 1);
  world.pass(5s);
  see("a", 30);
  ASSERT_EQ(delta(), cel::Value(29.0));
  world.detach("a");
  EXPECT_TRUE(delta().is_unknown());
  EXPECT_TRUE(rate().is_unknown());
}

TEST_F(Changes, EndWhenTheWindowHasPassed) {
  see("a", 0);
  world.pass(1s);
  see("a", 11);
  world.pass(1s);
  ASSERT_EQ(world.severity("api"), "P1");
  for (int i = 0; i < 12; ++i) {
    world.pass(5s);
    see("a", 11);
  }
  world.pass(2s);

  EXPECT_EQ(world.severity("api"), "none");
}

TEST_F(Changes, AreForgottenWithTheirVantagePointAndWithoutARule) {
  see("a", 1);
  see("b", 1);
  ASSERT_EQ(world.state.trails.at(kQueue).size(), 2U);
  world.use(with_rules(api_rule("delta('queue', 2m) > 10.0")));
  EXPECT_EQ(world.state.trails.at(kQueue).size(), 2U);
  world.use(with_rules(api_rule("value('queue') > 10.0")));
  EXPECT_TRUE(world.state.trails.empty());
}

// ---- other services

TEST(ServiceSignals, FollowAnotherServicesSeverityInTheSameStep) {
  World world(with_rules(api_rule("severity_of('db') == 'P2'") +
                         "  - {service: db, severity: {P2: \"!available('ready')\"}}\n"
                         "  - {service: web, severity: {P3: \"severity_of('api') != ''\"}}\n"));
  world.attach("a");
  EXPECT_TRUE(ask(world, policy::Signal::severity_of, {"db"}).is_unknown()) << "nobody has looked";
  world.result("a", kReady, Status::ok);
  EXPECT_EQ(ask(world, policy::Signal::severity_of, {"db"}), cel::Value(""));

  world.result("a", kReady, Status::critical);

  EXPECT_EQ(world.severity("db"), "P2");
  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_EQ(world.severity("web"), "P3");
  world.result("a", kReady, Status::ok);
  EXPECT_EQ(world.severity("api"), "none");
  EXPECT_EQ(world.severity("web"), "none");
}

// api comes before db by name: judged first, it would blame itself for what db is the cause of.
TEST(ServiceSignals, AreJudgedAfterWhatTheyRead) {
  World world(with_rules(api_rule("!available('db/ready') && severity_of('db') == ''") +
                         "  - {service: db, severity: {P2: \"!available('ready')\"}}\n"));
  world.attach("a");
  world.result("a", kReady, Status::ok);

  world.result("a", kReady, Status::critical);

  EXPECT_EQ(world.severity("db"), "P2");
  EXPECT_EQ(world.state.incidents.size(), 1U);
}

// What stands on missing data is no ground for another service to act on.
TEST(ServiceSignals, SayNothingOfASeverityThatStandsBlindly) {
  World world(with_rules(api_rule("severity_of('db') == 'P2'") +
                         "  - {service: db, severity: {P2: \"!available('ready')\"}}\n"));
  world.attach("a");
  world.result("a", kReady, Status::critical);
  ASSERT_EQ(world.severity("api"), "P1");

  world.detach("a");

  EXPECT_TRUE(ask(world, policy::Signal::severity_of, {"db"}).is_unknown());
  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_TRUE(world.state.services.at(kApi).blind);
}

TEST(ServiceSignals, ReadTheStatusOfAnotherService) {
  World world(with_rules(api_rule("service_status('db') == 'critical'")));
  world.attach("a");
  EXPECT_TRUE(ask(world, policy::Signal::service_status, {"db"}).is_unknown());
  world.result("a", kReady, Status::warning);
  EXPECT_EQ(ask(world, policy::Signal::service_status, {"db"}), cel::Value("warning"));
  EXPECT_EQ(world.severity("api"), "none");

  world.result("a", kReady, Status::critical);

  EXPECT_EQ(world.severity("api"), "P1");
  world.result("a", kHealth, Status::ok);
  EXPECT_TRUE(ask(world, policy::Signal::service_status, {"api"}).is_unknown())
      << "of its queue nothing is known";
}

// ---- time

// The world begins on 2026-11-21, a Saturday, at 03:00 UTC.
TEST(ServiceSignals, WakeTheirRuleAtTheHoursBoundaryAndNotBefore) {
  World world(with_rules(api_rule("within('Sat 10:00-12:00', 'Europe/Berlin')")));
  const Instant start = world.now;
  EXPECT_EQ(next_wake(world.state), start + 6h);
  world.pass(6h - 1us);
  EXPECT_EQ(world.severity("api"), "none");

  world.pass(1us);

  EXPECT_EQ(world.severity("api"), "P1");
  world.pass(2h - 1us);
  EXPECT_EQ(world.severity("api"), "P1");
  world.pass(1us);
  EXPECT_EQ(world.severity("api"), "none");
}

TEST(ServiceSignals, ReadTheClock) {
  World world(with_rules(api_rule("now() >= timestamp('2026-11-21T03:00:05Z')")));
  world.pass(5s - 1us);
  EXPECT_EQ(world.severity("api"), "none");
  world.pass(1us);
  EXPECT_EQ(world.severity("api"), "P1");
}

}  // namespace service_signals_test
}  // namespace firebreak::core
