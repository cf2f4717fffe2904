// What the tests of a file have reached, and what of it counts.
#include "coordinator/rehearsal/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/rehearsal/suite.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::rehearsal {
namespace {

constexpr const char* kPolicy = R"yaml(policy: |
  severities: {P1: {}, P2: {}}
  services:
    shop:
      agents: 'true'
      probes:
        health: {http: "http://shop.example/health", every: 5s}
  rules:
    - {service: shop, name: down, severity: {P1: "!available('health')", P2: "status('health') == 'warning'"}, for: 1m}
  actions: {restart: {host: restart-web}, page: {host: page}}
  playbooks:
    - {on: {service: shop, severity: P1}, stages: [{at: 0s, do: restart}, {at: 5m, do: page}]}
  checklists:
    shop: [{name: again, probe: health}, {name: twice, probe: health}]
agents: {web-1: {}}
tests:
)yaml";

std::vector<std::string> missed(const std::string& tests, const char* policy = kPolicy) {
  const testing::TempDir folder;
  testing::write_file(folder / "t.yaml", policy + tests);
  const Suite suite(folder / "t.yaml");
  EXPECT_TRUE(suite.ok()) << suite.text();
  if (!suite.ok()) return {};
  Coverage coverage(suite.policy());
  for (std::size_t test = 0; test < suite.size(); ++test) {
    const TestResult result =
        suite.play(test, [&](const core::State& state, const core::Event&,
                             const std::vector<core::Effect>& effects,
                             Instant now) { coverage.observe(state, effects, now); });
    EXPECT_EQ(result.outcome, Outcome::passed) << result.text;
  }
  std::vector<std::string> names;
  for (const Coverage::Item& item : coverage.items())
    if (!item.reached) names.push_back(std::string(to_string(item.kind)) + " " + item.name);
  return names;
}

TEST(Coverage, NothingHappenedNothingIsReached) {
  EXPECT_EQ(
      missed(
          "- {name: calm, timeline: [{at: 0s, results: {probe: '*/*', status: ok}}, {at: 1h}]}\n")
          .size(),
      8U);
}

TEST(Coverage, ALevelIsReachedWhenItHasHeldAndIsTheFirst) {
  const std::vector<std::string> left = missed(
      "- {name: down, timeline: [{at: 0s, results: {probe: '*/*', status: fail}}, {at: 59s}]}\n");
  EXPECT_EQ(left.size(), 8U);

  const std::vector<std::string> down = missed(
      "- {name: down, timeline: [{at: 0s, results: {probe: '*/*', status: fail}}, {at: 60s}]}\n");
  const std::vector<std::string> wanted{"rule down P2 (status('health') == 'warning')",
                                        "check shop: again", "check shop: twice",
                                        "stage shop/P1 stage 2 (at 5m)", "action page"};
  EXPECT_EQ(down, wanted);
}

TEST(Coverage, IsCountedOverAllTests) {
  EXPECT_EQ(
      missed("- {name: down, timeline: [{at: 0s, results: {probe: '*/*', status: 'fail 7m, ok'}}, "
             "{at: 1h}]}\n"
             "- {name: warned, timeline: [{at: 0s, results: {probe: '*/*', status: warning}}, "
             "{at: 1h}]}\n"),
      std::vector<std::string>{});
}

constexpr const char* kWithPeople = R"yaml(policy: |
  severities: {P1: {escalation: on-call}, P2: {escalation: on-call}}
  receivers: {anna: {slack: {url: "http://127.0.0.1:1/a"}}, boss: {slack: {url: "http://127.0.0.1:1/b"}}}
  escalations:
    on-call: {tiers: [{after: 1m, notify: anna}, {after: 10m, notify: boss}]}
  services:
    shop:
      agents: 'true'
      probes:
        health: {http: "http://shop.example/health", every: 5s}
  rules:
    - {service: shop, name: down, severity: {P1: "!available('health')"}}
  manual_steps:
    - {service: shop, severity: P1, at: 2m, text: call the hoster}
    - {service: shop, severity: P2, text: write it down}
  recommendations:
    - {service: shop, when: "failing_for('health') > 5m", say: fail over}
agents: {web-1: {}}
tests:
)yaml";

TEST(Coverage, KnowsWhatIsForPeople) {
  EXPECT_EQ(missed("- {name: calm, timeline: [{at: 1h}]}\n", kWithPeople).size(), 6U);

  const std::vector<std::string> left = missed(
      "- {name: down, timeline: [{at: 0s, results: {probe: '*/*', status: fail}}, {at: 4m}]}\n",
      kWithPeople);
  const std::vector<std::string> wanted{"tier on-call 2 (10m)", "step write it down",
                                        "recommendation shop: fail over"};
  EXPECT_EQ(left, wanted);

  EXPECT_EQ(
      missed(
          "- {name: down, timeline: [{at: 0s, results: {probe: '*/*', status: fail}}, {at: 1h}]}\n",
          kWithPeople),
      std::vector<std::string>{"step write it down"});
}

}  // namespace
}  // namespace firebreak::rehearsal
