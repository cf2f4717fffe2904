// Every lint fires at its boundary and is silent one step beside it; a comment silences exactly
// one.
#include "coordinator/policy/lint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/policy/loader.h"

namespace firebreak::policy {
namespace {

// Nothing is odd here. Each test replaces one piece of it.
constexpr const char* kClean = R"yaml(severities:
  P1: {resolve: 2h, notify: ops}
  P2: {resolve: 4h, notify: ops}
facts:
  customers: 0
receivers:
  ops: {slack: {url: "https://h/"}}
services:
  shop:
    agents: labels.role == 'edge'
    probes:
      health: {http: "https://h/", every: 10s, timeout: 5s}
      queue: {queue: {redis: "c:1", list: l}, every: 10s}
rules:
  - service: shop
    severity:
      P1: "!available('health') || facts.customers > 1000"
      P2: "value('queue') > 5.0"
actions:
  restart: {host: web}
playbooks:
  - on: {service: shop, severity: P1}
    stages: [{at: 5m, do: restart}]
checklists:
  shop: [{probe: health}]
)yaml";

using Replacement = std::pair<std::string, std::string>;

std::string with(const std::vector<Replacement>& replacements) {
  std::string text = kClean;
  for (const auto& [from, to] : replacements) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
  }
  return text;
}

// "code line:column" of each, in order.
std::vector<std::string> lints(const std::string& text, std::span<const HostEntries> hosts = {}) {
  const Loaded loaded = load_policy({{"policy.yaml", text}}, hosts);
  EXPECT_TRUE(loaded.policy) << loaded.problems;
  std::vector<std::string> found;
  for (const yaml::Problem& problem : loaded.findings) {
    EXPECT_FALSE(problem.message.empty());
    EXPECT_FALSE(problem.advice.empty()) << problem.message;
    EXPECT_EQ(problem.file, "policy.yaml") << problem.message;
    found.push_back(problem.code + " " + std::to_string(problem.line) + ":" +
                    std::to_string(problem.column));
  }
  return found;
}

struct Case {
  std::vector<Replacement> replacements;
  std::vector<std::string> wanted;
};

const std::string kP1 = "!available('health') || facts.customers > 1000";
const std::string kP2 = "value('queue') > 5.0";
const std::string kCheck = "[{probe: health}]";

void expect_all(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const std::string text = with(one.replacements);
    EXPECT_EQ(lints(text), one.wanted) << text;
  }
}

TEST(Lint, IsSilentAboutWhatIsMeant) {
  EXPECT_EQ(lints(kClean), std::vector<std::string>{});
}

TEST(Lint, UnusedProbe) {
  expect_all({
      {{{kP2, "facts.customers > 100"}}, {"unused-probe 13:7"}},
      {{{kP2, "facts.customers > 100"}, {"host: web", "host: web, verify: queue"}}, {}},
      {{{kP2, "facts.customers > 100"}, {kCheck, "[{probe: health}, {probe: queue}]"}}, {}},
      {{{kP2, "facts.customers > 100"}, {kCheck, "[{expect: \"value('queue') < 5.0\"}]"}}, {}},
      // Another service's rule looks at it.
      {{{kP2, "value('shop/queue') > 5.0"}}, {}},
      // What a playbook never runs verifies nothing.
      {{{kP2, "facts.customers > 100"},
        {"  restart: {host: web}", "  restart: {host: web}\n  stop: {host: x, verify: queue}"}},
       {"unused-probe 13:7", "unused-action 21:3"}},
  });
}

TEST(Lint, NeverFires) {
  expect_all({
      {{{kP2, "value('queue') > 5.0 && false"}}, {"never-fires 18:7"}},
      {{{kP2, "value('queue') > 5.0 || false"}}, {}},
      {{{kP2, "value('queue') > 5.0 && service == 'shopp'"}}, {"never-fires 18:7"}},
      {{{kP2, "value('queue') > 5.0 && service == 'shop'"}}, {}},
      // A share is never above one: somebody thought in percent.
      {{{kP2, "error_rate('queue', 5m) > 1.0"}}, {"never-fires 18:7"}},
      {{{kP2, "error_rate('queue', 5m) >= 1.0"}}, {}},
      {{{kP2, "failing_share('queue') >= 50.0"}}, {"never-fires 18:7"}},
      {{{kP2, "failing_share('queue') > 0.5"}}, {}},
      {{{kP2, "failing_share('queue') > 1.0 || value('queue') > 5.0"}}, {}},
      {{{kP2, "100.0 * failing_share('queue') > 50.0"}}, {}},
      {{{kP2, "has(facts.customers) && value('queue') > 5.0"}}, {}},
      {{{"      P2: \"" + kP2 + "\"\n",
         "      P2: \"" + kP2 + "\"\n  - {service: shop, severity: {}}\n"}},
       {"never-fires 19:5"}},
  });
}

TEST(Lint, CoveredLevel) {
  expect_all({
      {{{kP2, "facts.customers > 1000 && value('queue')>5.0"}}, {"covered-level 18:7"}},
      {{{kP2, "facts.customers > 1000 || value('queue') > 5.0"}}, {}},
      {{{kP2, "value('queue') > 5.0"},
        {kP1, "value( \\\"queue\\\" ) > 5.0 || !available('health') || facts.customers > 1"}},
       {"covered-level 18:7"}},
      // Thresholds the wrong way round.
      {{{kP1, kP1 + " || value('queue') > 4.0"}}, {"covered-level 18:7"}},
      {{{kP1, kP1 + " || value('queue') >= 5.0"}}, {"covered-level 18:7"}},
      {{{kP1, kP1 + " || value('queue') > 5.0"}}, {"covered-level 18:7"}},
      {{{kP1, kP1 + " || value('queue') > 5.5"}}, {}},
      {{{kP1, kP1 + " || value('queue') < 4.0"}}, {}},
      {{{kP2, "value('queue') >= 5.0"}, {kP1, kP1 + " || value('queue') > 5.0"}}, {}},
      {{{kP1, kP1 + " || p95('queue', 1m) > 500ms"}, {kP2, "p95('queue', 1m) > 1s"}},
       {"covered-level 18:7"}},
      {{{kP1, kP1 + " || p95('queue', 1m) > 1s"}, {kP2, "p95('queue', 1m) > 500ms"}}, {}},
      // Both must hold for P1, so P2 is not covered.
      {{{kP1, kP1 + " || value('queue') > 4.0 && facts.customers > 5"}}, {}},
      {{{kP1, kP1 + " || true"}}, {"covered-level 18:7"}},
      // Only the parser can tell these apart; nothing is claimed.
      {{{kP1, kP1 + " || (value('queue') > 4.0 ? true : false)"}}, {}},
      {{{kP1, "!available('health') ? true : facts.customers > 1000 || value('queue') > 4.0"}}, {}},
      {{{kP2, "value('queue') > 5.0 && '||' != 'a'"}}, {}},
  });
}

TEST(Lint, UnreachablePlaybook) {
  const std::string on = "{service: shop, severity: P1}";
  expect_all({
      {{{"      P2: \"value('queue') > 5.0\"\n", ""},
        {on, "{service: shop, severity: P2}"},
        {kCheck, "[{probe: queue}]"}},
       {"unreachable-playbook 21:35"}},
      {{{on, "{service: shop, severity: P2}"}}, {}},
      {{{on, "{service: shop}"}}, {}},
      // A level that never decides does not reach it.
      {{{on, "{service: shop, severity: P2}"}, {kP2, "false && value('queue') > 5.0"}},
       {"never-fires 18:7", "unreachable-playbook 22:35"}},
      {{{on, "{service: shop}"},
        {kP1, "false && !available('health') && facts.customers > 1000"},
        {kP2, "false && " + kP2}},
       {"never-fires 17:7", "never-fires 18:7", "unreachable-playbook 22:9"}},
  });
}

TEST(Lint, StageTooLate) {
  const std::string on = "{service: shop, severity: P1}";
  expect_all({
      {{{"at: 5m", "at: 2h"}}, {}},
      {{{"at: 5m", "at: 2h1s"}}, {"stage-too-late 23:19"}},
      // Any severity: the one that may take longest.
      {{{on, "{service: shop}"}, {"at: 5m", "at: 4h"}}, {}},
      {{{on, "{service: shop}"}, {"at: 5m", "at: 5h"}}, {"stage-too-late 23:19"}},
      {{{on, "{service: shop}"}, {"at: 5m", "at: 5h"}, {"P1: {resolve: 2h, ", "P1: {"}}, {}},
  });
}

TEST(Lint, ShortWindow) {
  expect_all({
      {{{kP2, "avg_value('queue', 29s) > 5.0"}}, {"short-window 18:31"}},
      {{{kP2, "avg_value('queue', 30s) > 5.0"}}, {}},
      {{{kCheck, "[{expect: \"error_rate('health', 10s) < 0.1\"}]"}}, {"short-window 25:41"}},
      // A hold may be short: it is no window.
      {{{"  - service: shop\n", "  - service: shop\n    for: 1s\n"}}, {}},
  });
}

TEST(Lint, TooFewSamples) {
  // Every 10s, both ends included: 7 in a minute.
  const auto check = [](const std::string& rest) {
    return Replacement{kCheck, "[{expect: \"available('health')\", " + rest + "}]"};
  };
  expect_all({
      {{check("within: 1m, samples: 7")}, {}},
      {{check("within: 1m, samples: 8")}, {"too-few-samples 25:63"}},
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) >= 7"}}, {}},
      {{{"  - service: shop\n", "  - service: shop\n    for: 1m\n    samples: 7\n"}}, {}},
      {{{"  - service: shop\n", "  - service: shop\n    for: 1m\n    samples: 8\n"}},
       {"too-few-samples 17:14", "too-few-samples 17:14"}},  // of either probe
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) >= 8"}}, {"too-few-samples 18:11"}},
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) > 6"}}, {}},
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) > 7"}}, {"too-few-samples 18:11"}},
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) < 100"}}, {}},
      {{{kP2, "value('queue') > 5.0 && samples('queue', 1m) >= 1e300"}}, {"too-few-samples 18:11"}},
  });
}

// The timeout is 5s.
TEST(Lint, ALatencyThatTheTimeoutForbids) {
  const auto lint_of = [](const std::string& condition) {
    return lints(with({{kP2, "value('queue') > 5.0 && " + condition}}));
  };
  const std::vector<std::string> found{"latency-over-timeout 18:11"};
  for (const char* function : {"mean", "max", "p50", "p95", "p99"})
    EXPECT_EQ(lint_of(std::string(function) + "('health', 5m) > 6s"), found) << function;
  EXPECT_EQ(lint_of("latency('health') > 5s"), found);
  EXPECT_EQ(lint_of("latency('health') >= 5001ms"), found);
  for (const char* fine :
       {"latency('health') >= 5s", "latency('health') > 4999ms", "latency('health') < 6s",
        "failing_for('health') > 6s", "age('health') > 6s", "baseline_p95('health', 1h) > 6s"})
    EXPECT_EQ(lint_of(fine), std::vector<std::string>{}) << fine;
}

TEST(Lint, AnAddressThatTheProbeCannotChoose) {
  const auto lint_of = [](const std::string& kind) {
    return lints(with({{"{http: \"https://h/\", every: 10s, timeout: 5s}", kind}}));
  };
  EXPECT_EQ(lint_of("{host: {}, family: ipv4}"), std::vector<std::string>{"no-effect 12:34"});
  EXPECT_EQ(lint_of("{heartbeat: {name: a, within: 1h}, family: ipv4}"),
            std::vector<std::string>{"no-effect 12:58"});
  EXPECT_EQ(lint_of("{exec: disk, source: '::1'}"), std::vector<std::string>{"no-effect 12:36"});
  EXPECT_EQ(lint_of("{postgres: {query: select 1}, source: '::1'}"),
            std::vector<std::string>{"no-effect 12:53"});
  EXPECT_EQ(lint_of("{postgres: {info: true}, source: '::1'}"),
            std::vector<std::string>{"no-effect 12:48"});
  EXPECT_EQ(lint_of("{pgbouncer: h, source: '::1'}"), std::vector<std::string>{"no-effect 12:38"});
  for (const char* fine :
       {"{postgres: {query: select 1}, family: ipv6}", "{pgbouncer: h, family: ipv6}",
        "{postgres: db, source: '::1'}", "{icmp: h, source: '::1'}"})
    EXPECT_EQ(lint_of(fine), std::vector<std::string>{}) << fine;
}

// A host that takes `page` for its entry 'web' and nothing for 'db'.
HostEntries host_with(Duration timeout) {
  using Parameters = std::map<std::string, std::string>;
  HostEntries entries;
  entries["web"] = {timeout, [](const Parameters& given) -> std::optional<std::string> {
                      if (given == Parameters{{"page", "busy"}}) return std::nullopt;
                      return "parameter 'page' is not given";
                    }};
  entries["db"] = {timeout, [](const Parameters&) { return std::optional<std::string>(); }};
  return entries;
}

TEST(Lint, WhatHostsAllow) {
  const std::vector<HostEntries> hosts{HostEntries{}, host_with(std::chrono::seconds(60))};
  const auto lint_of = [&](const std::string& action) {
    return lints(with({{"restart: {host: web}", "restart: {host: " + action + "}"}}), hosts);
  };
  using Found = std::vector<std::string>;
  EXPECT_EQ(lint_of("db"), Found{});
  EXPECT_EQ(lint_of("bd"), Found{"unknown-host-action 20:19"});
  EXPECT_EQ(lint_of("{entry: bd}"), Found{"unknown-host-action 20:27"});
  EXPECT_EQ(lint_of("web"), Found{"refused-action 20:19"});
  EXPECT_EQ(lint_of("{entry: web, parameters: {page: free}}"), Found{"refused-action 20:27"});
  EXPECT_EQ(lint_of("{entry: web, parameters: {page: busy}}"), Found{});
  EXPECT_EQ(lint_of("db, timeout: 60s"), Found{});
  EXPECT_EQ(lint_of("db, timeout: 59s"), Found{"short-action-timeout 20:12"});
  // Nobody has said what hosts allow.
  EXPECT_EQ(lints(with({{"host: web", "host: bd"}})), Found{});
}

TEST(Lint, OneKindOfHostThatTakesAnActionIsEnough) {
  const std::vector<HostEntries> hosts{host_with(std::chrono::minutes(5)),
                                       host_with(std::chrono::seconds(30))};
  EXPECT_EQ(lints(with({{"host: web", "host: db"}}), hosts), std::vector<std::string>{});
}

TEST(Lint, SaysWhichEntryOfAHostWasMeant) {
  const std::vector<HostEntries> hosts{host_with(std::chrono::seconds(60))};
  const Loaded loaded = load_policy({{"policy.yaml", with({{"host: web", "host: wbe"}})}}, hosts);
  ASSERT_EQ(loaded.findings.size(), 1U) << loaded.problems;
  EXPECT_EQ(loaded.findings.front().advice, "did you mean 'web'?");
}

TEST(Lint, AnActionThatItsSeverityForbids) {
  const auto allows = [](const std::string& actions) {
    return Replacement{"P1: {resolve: 2h, notify: ops}",
                       "P1: {resolve: 2h, notify: ops, actions: " + actions + "}"};
  };
  expect_all({
      {{allows("none")}, {"forbidden-action 23:27"}},
      {{allows("restart")}, {}},
      {{allows("all")}, {}},
  });
}

TEST(Lint, WhatNobodyUsesOrHears) {
  expect_all({
      {{{"facts:\n",
         "recommendations: [{service: shop, when: facts.breach, say: x}]\nfacts:\n"
         "  breach: false\n"}},
       {}},
      {{{"P2: {resolve: 4h, notify: ops}", "P2: {resolve: 4h}"}}, {"no-route 3:3"}},
      {{{"  ops: {slack", "  page: {webhook: {url: \"https://p/\"}}\n  ops: {slack"}},
       {"unused-receiver 7:3"}},
      {{{"facts:\n", "escalations: {up: {tiers: [{notify: ops}]}}\nfacts:\n"}},
       {"unused-escalation 4:15"}},
      {{{"P2: {resolve: 4h, notify: ops}", "P2: {resolve: 4h, escalation: up}"},
        {"facts:\n", "escalations: {up: {tiers: [{notify: page}]}}\nfacts:\n"},
        {"  ops: {slack", "  page: {webhook: {url: \"https://p/\"}}\n  ops: {slack"}},
       {}},
      {{{"facts:\n", "facts:\n  breach: false\n"}}, {"unused-fact 5:3"}},
      {{{"facts:\n", "facts:\n  breach: false\n"}, {kCheck, "[{expect: \"!facts.breach\"}]"}}, {}},
      {{{"actions:\n", "actions:\n  stop: {host: x}\n"}}, {"unused-action 20:3"}},
  });
}

TEST(Lint, AServiceThatIsHalfDescribed) {
  const std::string probes = "    probes:\n      ready: {redis: \"c:1\"}\n";
  expect_all({
      {{{"    agents: labels.role == 'edge'\n", ""}}, {"no-agents 9:3"}},
      {{{"checklists:\n  shop: [{probe: health}]\n", ""}}, {"no-checklist 9:3"}},
      {{{"services:\n", "services:\n  cache:\n    agents: 'true'\n" + probes},
        {"checklists:\n", "checklists:\n  cache: [{probe: ready}]\n"}},
       {"no-rules 9:3"}},
  });
}

TEST(Lint, TimeoutTooLong) {
  expect_all({
      {{{"timeout: 5s", "timeout: 10s"}}, {"timeout-too-long 12:57"}},
      {{{"timeout: 5s", "timeout: 9999ms"}}, {}},
      // The default is not the author's mistake.
      {{{"every: 10s, timeout: 5s", "every: 5s"}}, {}},
  });
}

TEST(Lint, AFactThatOnlyItsInitialValueMakesConstantIsFine) {
  expect_all(
      {{{{kP1, "!available('health') || facts.customers > 0 && facts.customers == 7"}}, {}}});
}

TEST(LintAllow, SilencesItsOwnLineOrTheNext) {
  const std::string p2 = "  P2: {resolve: 4h, notify: ops}";
  expect_all({
      {{{p2, "  P2: {resolve: 4h}  # lint: allow no-route nobody wants to hear"}}, {}},
      {{{p2, "  # lint: allow no-route\n\n  # Nobody wants to hear.\n  P2: {resolve: 4h}"}}, {}},
      // The line above speaks of itself when it holds more than a comment.
      {{{"P1: {resolve: 2h, notify: ops}",
         "P1: {resolve: 2h, notify: ops}  # lint: allow no-route"},
        {p2, "  P2: {resolve: 4h}"}},
       {"unused-allow 2:49", "no-route 3:3"}},
      // Of two codes one does nothing.
      {{{p2, "  P2: {resolve: 4h}  # lint: allow no-route, no-rules"}}, {"unused-allow 3:46"}},
      {{{p2, "  P2: {resolve: 4h}  # lint: allow no-rout"}}, {"no-route 3:3", "unused-allow 3:36"}},
      {{{p2, p2 + "  # lint: allow unused-allow"}}, {"unused-allow 3:49"}},
      // Behind the last line there is nothing to allow.
      {{{"  shop: [{probe: health}]\n", "  shop: [{probe: health}]\n# lint: allow no-rules"}},
       {"unused-allow 26:15"}},
      // Inside of a block there are no comments: the key's line stands for it.
      {{{"P2: \"value('queue') > 5.0\"",
         "P2: >-  # lint: allow short-window\n        value('queue') > 5.0 ||\n        "
         "avg_value('queue', 10s) > 9.0"}},
       {}},
  });
}

TEST(LintAllow, SuggestsTheCodeThatWasMeant) {
  const Loaded loaded = load_policy(
      {{"policy.yaml", with({{"P1: {resolve: 2h, notify: ops}",
                              "P1: {resolve: 2h, notify: ops}  # lint: allow unused-prob"}})}});
  ASSERT_EQ(loaded.findings.size(), 1U) << loaded.problems;
  EXPECT_EQ(loaded.findings[0].suggestion, "unused-probe");
  EXPECT_NE(loaded.problems.find("there is no lint 'unused-prob' [unused-allow]"),
            std::string::npos)
      << loaded.problems;
}

TEST(LintAllow, LooksIntoTheRightFile) {
  std::string text = kClean;
  const std::size_t at = text.find("  P2: {resolve: 4h, notify: ops}\n");
  text.replace(at, 33, "  P2: {resolve: 4h}\n");
  // The same line of another file.
  const Loaded loaded =
      load_policy({{"a.yaml", "# a\n\n# lint: allow no-route\n"}, {"policy.yaml", text}});
  EXPECT_EQ(loaded.warnings, 2U) << loaded.problems;
}

TEST(Lint, APolicyWithAnErrorIsNotLinted) {
  const Loaded loaded =
      load_policy({{"policy.yaml", with({{"customers > 1000", "custmers > 1"}})}});
  EXPECT_FALSE(loaded.policy);
  EXPECT_EQ(loaded.errors, 1U) << loaded.problems;
  EXPECT_EQ(loaded.warnings, 0U) << loaded.problems;
}

TEST(Lint, AHugeConditionIsLookedAtAsAWhole) {
  std::string huge = "value('queue') > 5.0";
  for (int i = 0; i < 80; ++i) huge += " || facts.customers == " + std::to_string(i);
  EXPECT_EQ(lints(with({{kP2, huge}})), std::vector<std::string>{});
  EXPECT_EQ(lints(with({{kP1, huge + " || !available('health')"}, {kP2, huge}})),
            std::vector<std::string>{});
  EXPECT_EQ(lints(with({{kP2, huge}, {kP1, huge}})),
            std::vector<std::string>{"covered-level 18:7"});
}

TEST(Lint, TheReferenceHasARowForEachCodeAndNoOther) {
  std::ifstream page(std::string(FIREBREAK_SOURCE_DIR) + "/docs/reference/policy.md");
  std::set<std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## Checks and lint";
    if (inside && line.starts_with("| `")) rows.insert(line.substr(3, line.find('`', 3) - 3));
  }
  EXPECT_EQ(rows, std::set<std::string>(lint_codes().begin(), lint_codes().end()));
}

}  // namespace
}  // namespace firebreak::policy
