// YAML files -> Policy, or every problem at once with file:line:column, caret and suggestion. Pure:
// no file system.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "common/yaml.h"
#include "coordinator/policy/host_entries.h"
#include "coordinator/policy/policy.h"

namespace firebreak::policy {

struct Loaded {
  std::shared_ptr<const Policy> policy;  // null when there are errors
  std::string problems;  // rendered for a terminal; may hold warnings beside a policy
  // The same as values, by file and line. Of each severity the first kPolicyErrorsShownMax.
  std::vector<yaml::Problem> findings;
  std::size_t errors = 0;
  std::size_t warnings = 0;
};

// A policy without an error is linted too (lint.h; `hosts`: what they allow, as far as it is
// known). `files` in any order; sections of several files are joined, a name defined twice is an
// error.
[[nodiscard]] Loaded load_policy(std::vector<SourceFile> files,
                                 std::span<const HostEntries> hosts = {});

// Reads DIR/**/*.yaml (sorted, no symbolic links out of DIR, at most kPolicyBytesMax in all); not
// DIR/tests, where the policy's tests are.
[[nodiscard]] Result<std::vector<SourceFile>> read_policy_directory(const std::string& directory);

}  // namespace firebreak::policy
