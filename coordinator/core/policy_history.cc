// Remembering what was in force, and forgetting the oldest.
#include "coordinator/core/policy_history.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "common/limits.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

void remember_policy(PolicyHistory& history, const policy::Policy& policy, const std::string& by,
                     Instant at) {
  PolicyVersion version{policy.digest, by, at, nullptr};
  const auto same = std::find_if(history.rbegin(), history.rend(), [&](const PolicyVersion& known) {
    return known.digest == policy.digest && known.files != nullptr;
  });
  version.files = same != history.rend()
                      ? same->files
                      : std::make_shared<const std::vector<policy::SourceFile>>(policy.files);
  history.push_back(std::move(version));
  keep_bounded(history);
}

void keep_bounded(PolicyHistory& history) {
  while (history.size() > limits::kPolicyVersionsMax) history.pop_front();
  std::size_t bytes = 0;
  std::set<std::string> counted;
  for (auto version = history.rbegin(); version != history.rend(); ++version) {
    if (version->files == nullptr || counted.contains(version->digest)) continue;
    for (const policy::SourceFile& file : *version->files)
      bytes += file.path.size() + file.text.size();
    // The one in force is below the bound by itself.
    if (bytes > limits::kPolicyHistoryBytes)
      version->files = nullptr;
    else
      counted.insert(version->digest);
  }
}

Result<> still_replaces(const State& state, const std::string& digest) {
  if (digest.empty() || (state.policy && state.policy->digest == digest)) return {};
  return make_error(Errc::failed_precondition,
                    "another policy came into force meanwhile; look at 'firebreak policy history' "
                    "and try again");
}

}  // namespace firebreak::core
