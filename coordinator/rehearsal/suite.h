// A file of tests over one policy: docs/reference/policy-test.md.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/rehearsal/coverage.h"
#include "coordinator/rehearsal/player.h"

namespace firebreak::rehearsal {

enum class Outcome { passed, failed, wrong };  // wrong: the test itself has a mistake
[[nodiscard]] const char* to_string(Outcome outcome);

struct TestResult {
  std::string name;
  yaml::Place place;
  Outcome outcome = Outcome::passed;
  std::vector<yaml::Problem> problems;  // mistakes, or else differences
  // For people: the problems with their lines, what is wrong with a policy, and the timelines of
  // all incidents when something differs. Safe to print.
  std::string text;
  Duration played{};  // of the test's own time
};

class Suite {
 public:
  // Reads the file and compiles its policy.
  explicit Suite(const std::string& path);

  // Whether its tests can be played at all.
  [[nodiscard]] bool ok() const { return problems_.ok(); }
  [[nodiscard]] const std::vector<yaml::Problem>& problems() const { return problems_.kept(); }
  [[nodiscard]] std::string text() const { return problems_.render() + policy_problems_; }
  [[nodiscard]] const std::shared_ptr<const policy::Policy>& policy() const {
    return setting_.policy;
  }

  [[nodiscard]] std::size_t size() const { return tests_.size(); }
  [[nodiscard]] const std::string& name(std::size_t test) const { return tests_.at(test).name; }
  // From the beginning, on a clock of its own; the same every time.
  [[nodiscard]] TestResult play(std::size_t test, Observer observer = {}) const;

 private:
  struct Test {
    std::string name;
    yaml::Node node;
    Setting setting;
    yaml::Node timeline;
  };

  void read(const yaml::Node& root);
  void read_test(const yaml::Node& node);

  yaml::Problems problems_;
  std::string policy_problems_;
  std::shared_ptr<const std::string> source_;
  Setting setting_;
  std::vector<Test> tests_;
};

}  // namespace firebreak::rehearsal
