// What the length of a queue means, for the probe itself and for whoever plays one.
#pragma once

#include "common/observation.h"
#include "common/probe_spec.h"

namespace firebreak {

// By the thresholds of the probe: above one of them, not at it. `length` is finite.
[[nodiscard]] inline Status judge_queue(const QueueSpec& queue, double length) {
  if (queue.critical && length > *queue.critical) return Status::critical;
  if (queue.warning && length > *queue.warning) return Status::warning;
  return Status::ok;
}

}  // namespace firebreak
