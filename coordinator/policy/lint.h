// Warnings about what a policy may say and its author probably does not mean: each with a stable
// code, its place in the YAML and advice. Pure.
//
// A comment `# lint: allow CODE` on the line of the warning, or alone on the line above, silences
// it; one that silences nothing is a warning itself (lint_allow.h).
#pragma once

#include <span>
#include <string>

#include "common/yaml.h"
#include "coordinator/policy/host_entries.h"
#include "coordinator/policy/places.h"
#include "coordinator/policy/policy.h"

namespace firebreak::policy {

// Of a policy without errors. docs/reference/policy.md has a row for every code. What hosts allow
// is judged when it is known: `hosts` is not empty, and an action is fine that one of them takes.
void lint(const Policy& policy, const Places& places, std::span<const HostEntries> hosts,
          yaml::Problems& problems);

[[nodiscard]] std::span<const std::string> lint_codes();

}  // namespace firebreak::policy
