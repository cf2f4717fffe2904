// The policies that were in force, so that one of them can be taken back. Part of the state: a fold
// over PolicyChanged, bounded in number and bytes.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/time.h"
#include "coordinator/policy/policy.h"

namespace firebreak::core {

// In force from `at` until the next one.
struct PolicyVersion {
  std::string digest;
  std::string by;
  Instant at{};
  // Null: too long ago, only that it was there is known. Versions with one digest share it.
  std::shared_ptr<const std::vector<policy::SourceFile>> files;
};
using PolicyHistory = std::deque<PolicyVersion>;  // oldest first

void remember_policy(PolicyHistory& history, const policy::Policy& policy, const std::string& by,
                     Instant at);
// What is beyond limits::kPolicyVersionsMax goes, and the oldest texts beyond
// limits::kPolicyHistoryBytes.
void keep_bounded(PolicyHistory& history);

struct State;
// Whether the policy of this digest, or any when it is empty, is still the one in force.
[[nodiscard]] Result<> still_replaces(const State& state, const std::string& digest);

}  // namespace firebreak::core
