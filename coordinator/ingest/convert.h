// What the engine wants of an agent, as messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <firebreak/v1/agent.pb.h>

#include "common/ids.h"
#include "common/probe_spec.h"
#include "common/time.h"
#include "coordinator/core/effect.h"

namespace firebreak::ingest {

struct CutAssignment {
  v1::Assignment message;
  std::size_t left_out = 0;  // probes that do not fit into one message
};
CutAssignment to_proto(const std::vector<std::pair<ProbeKey, ProbeSpec>>& probes,
                       std::uint64_t generation);
v1::CoordinatorMessage to_proto(const core::SendProbeNow& request);
// For how long the order is valid counts from `now`.
v1::CoordinatorMessage to_proto(const core::OrderHostAction& order, std::uint64_t epoch,
                                Instant now);
v1::CoordinatorMessage to_proto(const core::ConfirmOutcome& outcome);

}  // namespace firebreak::ingest
