// Snapshot and journal -> the state of an instant.
#include "cli/past.h"

#include <utility>

#include "coordinator/core/step.h"
#include "coordinator/policy/loader.h"

namespace firebreak::cli {

Result<std::shared_ptr<const policy::Policy>> compile_recorded(
    std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy)
    return make_error(Errc::failed_precondition,
                      "a policy that this version refuses: " + loaded.problems);
  return std::move(loaded.policy);
}

Result<core::State> state_at(store::Recording& recording, Instant at) {
  auto start = recording.start_before(at);
  if (!start) return start.error();
  core::State state = std::move(start->state);
  const auto visit = [&](const store::JournalEntry& entry) -> Result<bool> {
    if (entry.at > at) return false;
    if (entry.at < state.now)
      return make_error(Errc::corrupt,
                        "the journal goes back in time; `firebreak doctor` says what can be saved");
    core::step(state, entry.event, entry.at);
    return true;
  };
  if (const auto replayed = recording.replay(start->position, visit); !replayed)
    return replayed.error();
  return state;
}

}  // namespace firebreak::cli
