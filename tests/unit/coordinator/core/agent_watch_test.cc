// What is forgotten with an agent. When one counts as silent is in tests/scenario.
#include "coordinator/core/agent_watch.h"

#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace agent_watch_test {

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}, P3: {}}
agents: {silent_after: 2m, severity: P3}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health", every: 5s, timeout: 2s}}
rules:
  - {service: api, severity: {P1: "!available('health')"}}
)yaml";

TEST(ForgetAgent, LeavesNothingOfIt) {
  World world(kPolicy);
  world.attach("a");
  world.attach("b");
  world.result("a", key("api", "health"), Status::critical);
  world.result("b", key("api", "health"), Status::ok);
  world.state.action_last[{ActionName("restart"), "b"}] = world.now;
  world.detach("b");
  world.pass(3min);
  ASSERT_TRUE(world.state.silent.contains(AgentName("b")));

  world.ask(ForgetAgent{AgentName("b")});

  EXPECT_FALSE(world.state.agents.contains(AgentName("b")));
  EXPECT_FALSE(world.state.vantages.at(ServiceName("api")).contains(AgentName("b")));
  EXPECT_TRUE(world.state.silent.empty());
  EXPECT_TRUE(world.state.agent_alarms.all().empty());
  EXPECT_TRUE(world.state.action_last.empty());
  EXPECT_TRUE(world.state.services.at(ServiceName("agents")).open_incident.empty());
}

TEST(ForgetAgent, ThatHadAValueWhoseChangeIsRead) {
  World world(R"yaml(
severities: {P1: {}}
services:
  api:
    agents: 'true'
    probes: {queue: {queue: {redis: "db:6379", list: jobs}, every: 5s}}
rules:
  - {service: api, severity: {P1: "delta('queue', 1m) > 5.0"}}
)yaml");
  Observation seen = observation(Status::ok);
  seen.values = {{"length", 3.0}};
  for (const char* name : {"a", "b"}) {
    world.attach(name);
    world.result(name, key("api", "queue"), seen);
  }
  world.detach("b");

  world.ask(ForgetAgent{AgentName("b")});
  seen.values = {{"length", 9.0}};
  world.pass(5s);
  world.result("a", key("api", "queue"), seen);

  EXPECT_EQ(world.severity("api"), "P1");
  EXPECT_EQ(world.state.trails.at(key("api", "queue")).size(), 1U);
}

TEST(ForgetAgent, IsNotAwaitedAfterAStart) {
  World world(kPolicy);
  for (const char* name : {"a", "b"}) world.attach(name);
  world.step(Started{2});
  ASSERT_TRUE(world.state.warm_up.away.contains(AgentName("b")));

  world.ask(ForgetAgent{AgentName("b")});

  EXPECT_FALSE(world.state.warm_up.away.contains(AgentName("b")));
}

TEST(ForgetAgent, ThatComesBackIsNew) {
  World world(kPolicy);
  world.attach("a");
  world.result("a", key("api", "health"), Status::ok);
  world.detach("a");
  world.ask(ForgetAgent{AgentName("a")});

  world.attach("a");
  world.result("a", key("api", "health"), Status::critical);

  EXPECT_EQ(world.severity("api"), "P1");
}

TEST(AgentWatch, CountsFromTheLinksEndAndNotFromTheLastResult) {
  World world(kPolicy);
  world.attach("a");
  world.pass(10min);
  world.detach("a");

  world.pass(2min - 1us);
  EXPECT_TRUE(world.state.silent.empty());
  world.pass(1us);
  EXPECT_EQ(world.state.silent.size(), 1U);
}

TEST(AgentWatch, EndsWithThePolicyThatAsksForIt) {
  World world(kPolicy);
  world.attach("a");
  world.detach("a");
  const std::string text(kPolicy);
  std::string without = text;
  without.erase(without.find("agents: {silent"),
                std::string("agents: {silent_after: 2m, severity: P3}").size());

  world.use(without);
  EXPECT_TRUE(world.state.agent_alarms.all().empty());
  world.pass(1h);
  EXPECT_TRUE(world.state.incidents.empty());

  world.use(text);
  world.pass(0s);
  EXPECT_EQ(world.state.silent.size(), 1U);  // it has been away for longer than that
}

}  // namespace agent_watch_test
}  // namespace firebreak::core
