// A job that reports by itself: what the agent knows of it, read at once.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

Awaitable<void> probe_heartbeat(Attempt& attempt, const HeartbeatSpec& spec);

}  // namespace firebreak::probes
