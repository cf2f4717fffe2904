// What all tests of a file share is read once; each of them is played in a world of its own.
#include "coordinator/rehearsal/suite.h"

#include <algorithm>

#include "common/text.h"

namespace firebreak::rehearsal {

namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

std::string timelines(const World& world) {
  std::string text;
  for (const auto& [id, incident] : world.state().incidents) {
    text += "  " + id.str() + " " + incident.service.str() + "\n";
    for (const core::TimelineEntry& entry : incident.timeline)
      text += "    " + format_duration(entry.at - kStart) + " " + entry.kind + " " + entry.actor +
              ": " + escape_line(entry.text, limits::kRehearsalTextShownMax) + "\n";
  }
  return text.empty() ? "  no incident was opened\n" : text;
}

}  // namespace

const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::failed:
      return "failed";
    case Outcome::wrong:
      return "wrong";
  }
  return "?";
}

Suite::Suite(const std::string& path) {
  const auto document = yaml::load(path, problems_);
  if (!document) return;
  source_ = std::make_shared<const std::string>(document->text());
  read(document->root());
}

void Suite::read(const Node& root) {
  MapReader reader(root, "a file of policy tests", problems_);
  const Node policy = reader.required("policy");
  if (policy) setting_.policy = read_policy(policy, problems_, policy_problems_);
  setting_.agents = reader.optional("agents");
  if (const Node results = reader.optional("results")) setting_.results.push_back(results);
  if (const Node actions = reader.optional("actions")) setting_.actions.push_back(actions);
  const Node tests = reader.required("tests");
  if (!tests) return;
  for (const Node& node : tests.as_list(problems_)) read_test(node);
  if (tests_.empty() && problems_.ok()) problems_.error(tests.place(), "there is no test here");
}

void Suite::read_test(const Node& node) {
  MapReader reader(node, "a test", problems_);
  const Node name = reader.required("name");
  Test test{name.as_string(problems_).value_or(""), node, setting_, {}};
  if (name && std::any_of(tests_.begin(), tests_.end(),
                          [&](const Test& other) { return other.name == test.name; }))
    problems_.error(name.place(), "another test has this name");
  if (const Node agents = reader.optional("agents")) test.setting.agents = agents;
  if (!test.setting.agents)
    problems_.error(node.place(), "the test has no 'agents', and the file has none for all");
  if (const Node actions = reader.optional("actions")) test.setting.actions.push_back(actions);
  test.timeline = reader.required("timeline");
  tests_.push_back(std::move(test));
}

TestResult Suite::play(std::size_t index, Observer observer) const {
  const Test& test = tests_.at(index);
  Problems mistakes, differences;
  for (Problems* problems : {&mistakes, &differences})
    problems->remember_source(test.node.place().file, source_);
  Player player({mistakes, differences});
  player.watch(std::move(observer));
  player.play(test.setting, test.timeline);
  TestResult result;
  result.name = test.name;
  result.place = test.node.place();
  result.played = player.world().now() - kStart;
  if (!mistakes.ok()) {
    result.outcome = Outcome::wrong;
    result.problems = mistakes.kept();
    result.text = mistakes.render() + player.policy_problems();
  } else if (!differences.ok()) {
    result.outcome = Outcome::failed;
    result.problems = differences.kept();
    result.text = differences.render() + timelines(player.world());
  }
  return result;
}

}  // namespace firebreak::rehearsal
