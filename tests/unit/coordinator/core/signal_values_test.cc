// Every signal, and that each is Unknown where nothing fresh is known.
#include "coordinator/core/signal_values.h"

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace signal_values_test {

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}}
facts: {customers: 7, ratio: 0.5}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
  other: {agents: 'true', probes: {ping: {http: "http://o/"}}}
rules:
  - {service: api, severity: {P1: "error_rate('health', 1m) > 2.0 && max_value('health', 1m) > 1000.0"}}
)yaml";
const ProbeKey kHealth = key("api", "health");
const ServiceName kApi("api");

class Signals : public testing::Test {
 protected:
  Signals() : world(kPolicy) {
    world.attach("a");
    world.attach("b");
  }
  cel::Value call(policy::Signal signal, std::vector<cel::Value> arguments = {"health"}) const {
    return ServiceSignals(world.state, kApi, world.now).call(static_cast<int>(signal), arguments);
  }
  cel::Value windowed(policy::Signal signal) const {
    return call(signal, {"health", cel::Value(1min)});
  }
  World world;
};

TEST_F(Signals, AreUnknownBeforeThereIsData) {
  using policy::Signal;
  for (const Signal signal :
       {Signal::available, Signal::status, Signal::failing_for, Signal::failing_agents,
        Signal::failing_share, Signal::age, Signal::value, Signal::latency})
    EXPECT_TRUE(call(signal).is_unknown()) << static_cast<int>(signal);
  for (const Signal signal :
       {Signal::min_value, Signal::max_value, Signal::avg_value, Signal::mean, Signal::max,
        Signal::p50, Signal::p95, Signal::p99, Signal::error_rate, Signal::samples})
    EXPECT_TRUE(windowed(signal).is_unknown()) << static_cast<int>(signal);
}

TEST_F(Signals, SayWhatIsMissing) {
  const cel::Value value = call(policy::Signal::available);

  ASSERT_TRUE(value.is_unknown());
  EXPECT_EQ(*value.as_unknown().missing.begin(), "api/health: no fresh result");
}

TEST_F(Signals, CountThoseThatFail) {
  world.result("a", kHealth, Status::critical);
  world.result("b", kHealth, Status::ok);
  world.now += 3s;

  EXPECT_EQ(call(policy::Signal::failing_agents), cel::Value(1));
  EXPECT_EQ(call(policy::Signal::failing_share), cel::Value(0.5));
  EXPECT_EQ(call(policy::Signal::available), cel::Value(true));
  EXPECT_EQ(call(policy::Signal::failing_for), cel::Value(0s));
  EXPECT_EQ(call(policy::Signal::age), cel::Value(3s));
}

TEST_F(Signals, SayForHowLongTheProbeHasFailed) {
  world.result("a", kHealth, Status::critical);
  world.now += 3s;
  world.result("b", kHealth, Status::critical);
  world.now += 4s;

  EXPECT_EQ(call(policy::Signal::available), cel::Value(false));
  EXPECT_EQ(call(policy::Signal::status), cel::Value("critical"));
  EXPECT_EQ(call(policy::Signal::failing_for), cel::Value(4s));
}

TEST_F(Signals, GiveTheWorstNewestValueAndLatency) {
  Observation first = with_value(Status::ok, "length", 3);
  first.latency = 40ms;
  Observation second = with_value(Status::ok, "length", 9);
  second.values.push_back({"age", 2});
  world.result("a", kHealth, first);
  world.result("b", kHealth, second);

  EXPECT_EQ(call(policy::Signal::value), cel::Value(9.0));
  EXPECT_EQ(call(policy::Signal::value, {"health", "age"}), cel::Value(2.0));
  EXPECT_TRUE(call(policy::Signal::value, {"health", "none"}).is_unknown());
  EXPECT_EQ(call(policy::Signal::latency), cel::Value(40ms));
}

TEST_F(Signals, SummariseTheWindowOverAllVantagePoints) {
  world.result("a", kHealth, with_value(Status::ok, "n", 1));
  world.result("b", kHealth, with_value(Status::critical, "n", 5));
  world.now += 1s;
  world.result("a", kHealth, with_value(Status::ok, "n", 3));
  world.result("b", kHealth, observation(Status::unknown));

  EXPECT_EQ(windowed(policy::Signal::samples), cel::Value(3));
  EXPECT_NEAR(windowed(policy::Signal::error_rate).as_double(), 1.0 / 3, 1e-9);
  EXPECT_EQ(windowed(policy::Signal::min_value), cel::Value(1.0));
  EXPECT_EQ(windowed(policy::Signal::max_value), cel::Value(5.0));
  EXPECT_EQ(windowed(policy::Signal::avg_value), cel::Value(3.0));
  EXPECT_EQ(windowed(policy::Signal::mean), cel::Value(10ms));
  EXPECT_EQ(windowed(policy::Signal::max), cel::Value(10ms));
  EXPECT_EQ(windowed(policy::Signal::p50), cel::Value(10ms));
}

TEST_F(Signals, GiveNoHistoryOfAProbeThatNobodySeesNow) {
  world.result("a", kHealth, Status::ok);
  world.detach("a");

  EXPECT_TRUE(windowed(policy::Signal::error_rate).is_unknown());
  EXPECT_TRUE(windowed(policy::Signal::samples).is_unknown());
}

TEST_F(Signals, ReadAFactOfTheServiceBeforeThatOfAllBeforeItsDeclaration) {
  const auto customers = [&](const char* service) {
    const ServiceName name(service);
    return ServiceSignals(world.state, name, world.now).variable("facts.customers");
  };
  EXPECT_EQ(customers("api"), cel::Value(7));
  world.set_fact("customers", 100);
  world.set_fact("customers", 1, "api");

  EXPECT_EQ(customers("api"), cel::Value(1));
  EXPECT_EQ(customers("other"), cel::Value(100));
}

TEST_F(Signals, KnowTheirServiceAndNothingThatIsNotDeclared) {
  const ServiceSignals signals(world.state, kApi, world.now);
  EXPECT_EQ(signals.variable("service"), cel::Value("api"));
  EXPECT_TRUE(signals.variable("facts.nothing").is_unknown());
  EXPECT_TRUE(signals.variable("weather").is_unknown());
}

}  // namespace signal_values_test
}  // namespace firebreak::core
