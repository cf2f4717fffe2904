// What is different between two policies: thing by thing where a thing has a name, and as text.
//
// Compared is what the files say, not what the loader makes of it, so that a policy that does not
// load any more can be compared too. Pure.
#pragma once

#include <string>
#include <vector>

#include "coordinator/policy/policy.h"

namespace firebreak::policy {

enum class Change { added, removed, changed };
[[nodiscard]] const char* to_string(Change change);

// One value, by its path in the thing: "http", "stages[1].do[0]"; empty: it is not there.
struct Detail {
  std::string path;
  std::string before;
  std::string after;
};
struct Difference {
  Change change = Change::changed;
  std::string kind;  // severity, fact, receiver, service, probe, rule, action, playbook, checklist
  std::string name;
  std::vector<Detail> details;  // those that differ
};

struct PolicyDiff {
  bool same = true;                     // byte by byte
  std::vector<Difference> differences;  // none: only comments and layout differ
  std::string text;                     // unified, file by file; empty when `same`
};
[[nodiscard]] PolicyDiff diff(const std::vector<SourceFile>& before,
                              const std::vector<SourceFile>& after);

// Unified, with three lines of context; "" when they are the same. Beyond limits::kDiffEditsMax the
// part that differs is given as one block.
[[nodiscard]] std::string unified_diff(const std::string& name, const std::string& before,
                                       const std::string& after);

}  // namespace firebreak::policy
