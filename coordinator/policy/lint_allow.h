// `# lint: allow CODE[, CODE] reason`: which warnings a policy's author has answered.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/yaml.h"
#include "coordinator/policy/policy.h"

namespace firebreak::policy {

struct LintFinding {
  yaml::Problem problem;
  int owner_line =
      0;  // of the key whose value holds the place: inside of a block there is no comment
};

// Takes away what a comment allows, and adds a finding for each allowance that allows nothing.
void apply_allowances(const std::vector<SourceFile>& files, std::span<const std::string> codes,
                      std::vector<LintFinding>& findings);

}  // namespace firebreak::policy
