// What is said of two policies that are not the same.
#include "coordinator/policy/diff.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace firebreak::policy::differing {
namespace {

constexpr const char* kBefore = R"yaml(
severities: {P1: {notify: ops}, P2: {}}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s}
      queue: {http: "http://api/queue", every: 10s}
rules:
  - {service: api, severity: {P1: "!available('health')"}}
  - {service: api, name: slow, severity: {P2: "p95('health', 1m) > 500ms"}}
actions:
  restart: {host: {entry: restart-web}, cooldown: 5m}
playbooks:
  - {on: {service: api, severity: P1}, stages: [{at: 0m, do: [restart]}]}
)yaml";

PolicyDiff against(const std::string& after, const std::string& before = kBefore) {
  return diff({{"policy.yaml", before}}, {{"policy.yaml", after}});
}
std::string replaced(const std::string& what, const std::string& with) {
  std::string text = kBefore;
  text.replace(text.find(what), what.size(), with);
  return text;
}
std::vector<std::string> said(const PolicyDiff& diff) {
  std::vector<std::string> lines;
  for (const Difference& one : diff.differences) {
    std::string line = std::string(to_string(one.change)) + " " + one.kind + " " + one.name + ":";
    for (const Detail& detail : one.details)
      line += " " + detail.path + " [" + detail.before + "] [" + detail.after + "]";
    lines.push_back(line);
  }
  return lines;
}
using Said = std::vector<std::string>;

TEST(Diff, IsEmptyOfTheSame) {
  const PolicyDiff nothing = against(kBefore);
  EXPECT_TRUE(nothing.same);
  EXPECT_TRUE(nothing.differences.empty());
  EXPECT_EQ(nothing.text, "");
}

TEST(Diff, SaysWhatAThingWasAndIs) {
  EXPECT_EQ(said(against(replaced("every: 5s", "every: 7s"))),
            Said{"changed probe api/health: every [5s] [7s]"});
  EXPECT_EQ(said(against(replaced("500ms", "900ms"))),
            Said{"changed rule slow: severity.P2 [p95('health', 1m) > 500ms] "
                 "[p95('health', 1m) > 900ms]"});
  EXPECT_EQ(said(against(replaced("[{at: 0m", "[{at: 2m"))),
            Said{"changed playbook api P1: stages[1].at [0m] [2m]"});
  EXPECT_EQ(said(against(replaced("P1: {notify: ops}, P2: {}", "P2: {}, P1: {notify: ops}"))),
            Said{"changed order of severities :  [P1 > P2] [P2 > P1]"});
}

TEST(Diff, SaysWhatCameAndWent) {
  EXPECT_EQ(said(against(replaced("      queue: {http: \"http://api/queue\", every: 10s}\n", ""))),
            (Said{"removed probe api/queue: every [10s] [] http [http://api/queue] []"}));
  EXPECT_EQ(said(against(replaced("actions:\n", "actions:\n  flush: {host: {entry: flush}}\n"))),
            Said{"added action flush: host.entry [] [flush]"});
}

TEST(Diff, KnowsLayoutFromMeaning) {
  const PolicyDiff layout = against(replaced("severities:", "# who is called\nseverities:"));
  EXPECT_FALSE(layout.same);
  EXPECT_TRUE(layout.differences.empty());
  EXPECT_NE(layout.text.find("+# who is called\n"), std::string::npos);
}

TEST(Diff, TakesThingsForTheSameInWhateverFileTheyAre) {
  const PolicyDiff moved =
      diff({{"a.yaml", "facts: {x: 1}\nseverities: {P1: {}}\n"}},
           {{"a.yaml", "severities: {P1: {}}\n"}, {"b.yaml", "facts: {x: 1}\n"}});
  EXPECT_FALSE(moved.same);
  EXPECT_TRUE(moved.differences.empty());
  EXPECT_NE(moved.text.find("+++ b.yaml\n"), std::string::npos);
}

TEST(Diff, ComparesTheTextOfWhatIsNoYaml) {
  const PolicyDiff broken = against("severities: [");
  EXPECT_FALSE(broken.same);
  EXPECT_NE(broken.text.find("+severities: ["), std::string::npos);
}

TEST(UnifiedDiff, IsAsDiffWritesIt) {
  EXPECT_EQ(unified_diff("p", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\nten\n"),
            "--- p\n+++ p\n@@ -2,8 +2,9 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n+ten\n");
  EXPECT_EQ(unified_diff("p", "", "a\nb\n"), "--- p\n+++ p\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(unified_diff("p", "a\n", ""), "--- p\n+++ p\n@@ -1,1 +0,0 @@\n-a\n");
}

// Applies it, as patch does.
std::string patched(const std::string& before, const std::string& patch) {
  std::istringstream old(before), edits(patch);
  std::string line, edit, out;
  std::size_t at = 0;
  while (std::getline(edits, edit)) {
    if (edit.starts_with("--- ") || edit.starts_with("+++ ")) continue;
    if (edit.starts_with("@@ -")) {
      const std::size_t comma = edit.find(',');
      std::size_t first = std::stoul(edit.substr(4, comma - 4));
      if (std::stoul(edit.substr(comma + 1)) == 0) ++first;
      for (; at + 1 < first && std::getline(old, line); ++at) out += line + "\n";
      continue;
    }
    if (edit[0] != '+') {
      std::getline(old, line);
      ++at;
    }
    if (edit[0] != '-') out += edit.substr(1) + "\n";
  }
  while (std::getline(old, line)) out += line + "\n";
  return out;
}

TEST(UnifiedDiff, TurnsTheOneIntoTheOther) {
  std::mt19937 random(7);
  const auto some_text = [&] {
    std::string text;
    for (auto lines = random() % 30; lines > 0; --lines)
      text += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
    return text;
  };
  for (int i = 0; i < 500; ++i) {
    const std::string before = some_text(), after = some_text();
    ASSERT_EQ(patched(before, unified_diff("p", before, after)), after) << before << "->" << after;
  }
}

TEST(UnifiedDiff, OfTooManyEditsIsOneBlock) {
  std::string before, after;
  for (int i = 0; i < 2000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(patched(before, unified_diff("p", before, after)), after);
}

}  // namespace
}  // namespace firebreak::policy::differing
