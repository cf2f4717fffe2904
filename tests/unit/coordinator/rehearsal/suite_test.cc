// Files of policy tests: what passes, what fails where, and what is a mistake rather than a
// failure.
#include "coordinator/rehearsal/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::rehearsal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kHead = R"yaml(policy: |
  severities: {P1: {notify: ops}, P2: {}}
  receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
  facts: {customers: 0}
  services:
    shop:
      agents: 'true'
      probes:
        health: {http: "http://shop.example/health", every: 5s}
        queue: {queue: {redis: "localhost:6379", list: orders, warning: 5, critical: 10}, every: 10s}
  rules:
    - {service: shop, severity: {P1: "!available('health') || value('queue', 'length') > 10", P2: "facts.customers > 100"}}
  actions: {restart: {host: restart-web}}
  playbooks:
    - {on: {service: shop, severity: P1}, stages: [{at: 0s, do: restart}]}
agents: {web-1: {}}
results: {probe: "*/*", status: ok}
tests:
)yaml";

class SuiteOf {
 public:
  explicit SuiteOf(const std::string& text) {
    testing::write_file(folder_ / "t.yaml", text);
    suite_.emplace(folder_ / "t.yaml");
  }
  Suite* operator->() { return &*suite_; }

 private:
  testing::TempDir folder_;
  std::optional<Suite> suite_;
};

// Of one test with this timeline.
TestResult played(const std::string& timeline) {
  SuiteOf suite(kHead + ("- name: one\n  timeline:\n" + timeline));
  EXPECT_TRUE(suite->ok()) << suite->text();
  return suite->ok() ? suite->play(0) : TestResult{};
}

void expect_passes(const std::string& timeline) {
  const TestResult result = played(timeline);
  EXPECT_EQ(result.outcome, Outcome::passed) << result.text;
}

void expect_fails(const std::string& timeline, int column, const std::string& message) {
  const TestResult result = played(timeline);
  EXPECT_EQ(result.outcome, Outcome::failed) << result.text;
  ASSERT_FALSE(result.problems.empty());
  EXPECT_EQ(result.problems.front().column, column) << result.text;
  EXPECT_THAT(result.problems.front().message, HasSubstr(message));
  EXPECT_THAT(result.text, HasSubstr("^"));
}

TEST(PolicyTest, NothingIsNothing) {
  expect_passes("  - {at: 24h, expect: {nothing: true, severity: {shop: none}}}\n");
  expect_fails("  - {at: 1m, facts: {customers: 101}, expect: {nothing: true}}\n", 57,
               "expected nothing, found open incidents [P2 shop]");
}

TEST(PolicyTest, AQueueIsJudgedByItsOwnThresholds) {
  expect_passes(
      "  - {at: 1m, results: {probe: shop/queue, value: 5}, expect: {services: {shop: ok}}}\n"
      "  - {at: 2m, results: {probe: shop/queue, value: 6}, expect: {services: {shop: warning}}}\n"
      "  - {at: 3m, results: {probe: shop/queue, value: 10}, expect: {services: {shop: warning}}}\n"
      "  - {at: 4m, results: {probe: shop/queue, value: 11}, expect: {services: {shop: "
      "critical}}}\n");
}

TEST(PolicyTest, TheInstantOfAResultIsTheInstantOfWhatFollows) {
  expect_passes(
      "  - {at: 1m, results: {probe: shop/queue, value: '8, 9, 10 x 4, 11'}}\n"
      "  - {at: 1m59s, expect: {severity: {shop: none}}}\n"
      "  - {at: 2m, expect: {severity: {shop: P1}}}\n");
  expect_fails(
      "  - {at: 1m, results: {probe: shop/queue, value: '8, 9, 10 x 4, 11'}}\n"
      "  - {at: 1m59s, expect: {severity: {shop: P1}}}\n",
      43, "expected 'shop' P1, found none");
}

TEST(PolicyTest, ASeriesThatEndsGivesWayToWhatWasSaidBefore) {
  expect_passes(
      "  - {at: 1m, results: {probe: shop/health, status: fail x 3}}\n"
      "  - {at: 1m14s, expect: {services: {shop: critical}}}\n"
      "  - {at: 1m15s, expect: {services: {shop: ok}}}\n");
}

TEST(PolicyTest, ComparesWhatWasOrderedToldAndSkippedSinceItWasAsked) {
  expect_passes(
      "  - at: 1m\n    results: {probe: shop/health, status: 'fail 1m, ok'}\n"
      "    expect: {orders: [restart@web-1], notifications: [opened@ops], actions: {restart@web-1: "
      "started}}\n"
      "  - {at: 5m, expect: {orders: [], skipped: [], actions: {restart@web-1: succeeded}}}\n"
      "  - {at: 6m, results: {probe: shop/health, status: fail}, expect: {orders: [], skipped: "
      "['restart@web-1: cooldown until']}}\n");
  expect_fails("  - {at: 1m, results: {probe: shop/health, status: fail}, expect: {orders: []}}\n",
               68, "expected 'orders' [], found [restart@web-1]");
}

TEST(PolicyTest, ACommandThatIsRefusedFailsUnlessItIsExpected) {
  expect_fails("  - {at: 1m, acknowledge: shop}\n", 27,
               "refused: service shop has no open incident");
  expect_passes("  - {at: 1m, acknowledge: shop, expect: {refused: [service shop has no open]}}\n");
  expect_fails("  - {at: 1m, expect: {refused: [service shop]}}\n", 23, "found []");
}

TEST(PolicyTest, AFailureShowsTheTimelineAndOnlyTheFirstEntryThatDiffers) {
  const TestResult result = played(
      "  - {at: 1m, facts: {customers: 101}, expect: {severity: {shop: P1}}}\n"
      "  - {at: 2m, expect: {severity: {shop: none}}}\n");

  EXPECT_THAT(result.problems, SizeIs(1));
  EXPECT_THAT(result.text, HasSubstr("1m opened engine: "));
  EXPECT_EQ(result.played, std::chrono::minutes(2));
}

TEST(PolicyTest, FindsEveryMistakeThoughATestHasFailedBefore) {
  const TestResult result = played(
      "  - {at: 1m, expect: {open_incidents: 1}}\n"
      "  - {at: 2m, results: {probe: shop/helth, status: fail}}\n"
      "  - {at: 3m, results: {probe: shop/health, status: fial}}\n"
      "  - {at: 2m}\n"
      "  - {at: 4m, expect: {severity: {shpo: P1}, incident: {service: shop, opne: true}}}\n"
      "  - {at: 5m, detach: web-2, actions: {restrt: {outcome: failed}}, colour: red}\n");

  EXPECT_EQ(result.outcome, Outcome::wrong);
  EXPECT_THAT(result.problems, SizeIs(8)) << result.text;
  for (const char* said :
       {"did you mean 'shop/health'", "did you mean 'shop'", "did you mean 'restart'",
        "'fial' is not ok", "is before the entry above", "there is no agent web-2", "'colour'",
        "'opne'"})
    EXPECT_THAT(result.text, HasSubstr(said));
}

TEST(PolicyTest, AFileIsWrongBeforeAnyOfItsTestsIsPlayed) {
  EXPECT_THAT(SuiteOf("policy: nowhere\ntests: []\n")->text(), HasSubstr("t.yaml:1:9: error"));
  EXPECT_THAT(SuiteOf(kHead + std::string("[]\n"))->text(), HasSubstr("there is no test here"));
  EXPECT_THAT(SuiteOf(kHead + std::string("- {name: a, timeline: []}\n- {name: a, timeline: []}\n"))
                  ->text(),
              HasSubstr("another test has this name"));
  EXPECT_THAT(
      SuiteOf("policy: |\n  severities: {P1: {}}\ntests: [{name: a, timeline: []}]\n")->text(),
      HasSubstr("the test has no 'agents'"));
  EXPECT_THAT(
      SuiteOf("policy: |\n  rules: 7\nagents: {a: {}}\ntests: [{name: a, timeline: []}]\n")->text(),
      HasSubstr("policy.yaml:1:8"));
}

TEST(PolicyTest, AListOfPathsIsOnePolicy) {
  const testing::TempDir folder;
  testing::write_file(folder / "a.yaml", "severities: {P1: {}}\n");
  testing::write_file(
      folder / "b.yaml",
      "services: {shop: {agents: 'true', probes: {health: {http: \"http://h/\"}}}}\n"
      "rules: [{service: shop, severity: {P1: \"!available('health')\"}}]\n");
  testing::write_file(folder / "t.yaml",
                      "policy: [a.yaml, b.yaml]\nagents: {web-1: {}}\ntests:\n- name: down\n"
                      "  timeline: [{at: 0s, results: {probe: '*/*', status: fail}, expect: "
                      "{severity: {shop: P1}}}]\n");
  const Suite suite(folder / "t.yaml");

  ASSERT_TRUE(suite.ok()) << suite.text();
  const TestResult result = suite.play(0);
  EXPECT_EQ(result.outcome, Outcome::passed) << result.text;
}

}  // namespace
}  // namespace firebreak::rehearsal
