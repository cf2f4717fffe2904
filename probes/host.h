// The agent's own host: processors, memory, load, pressure, open files, file systems.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/host_files.h"

namespace firebreak::probes {

Awaitable<void> probe_host(Attempt& attempt, const HostSpec& spec);

// The verdict over what was measured: a limit on a value that is not among them is unknown/missing.
void judge_host(Attempt& attempt, const HostSpec& spec, const HostValues& values);

}  // namespace firebreak::probes
