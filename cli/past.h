// A coordinator's store, played again on this machine: nobody is asked, nothing is changed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/policy/policy.h"
#include "coordinator/store/recording.h"

namespace firebreak::cli {

// Where a coordinator that is installed from its package has it.
inline constexpr const char* kStateFolder = "/var/lib/firebreak/coordinator";

// A policy as the store has it, or the reason why this version refuses it.
[[nodiscard]] Result<std::shared_ptr<const policy::Policy>> compile_recorded(
    std::vector<policy::SourceFile> files);

// The state as it was at that instant.
[[nodiscard]] Result<core::State> state_at(store::Recording& recording, Instant at);

}  // namespace firebreak::cli
