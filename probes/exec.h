// A monitoring plugin on the agent's host: its exit code is the verdict, its first line the
// evidence, its performance data the values.
//
// Exit codes as https://www.monitoring-plugins.org/doc/guidelines.html has them.
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/check_keeper.h"

namespace firebreak::probes {

Awaitable<void> probe_exec(Attempt& attempt, const ExecSpec& spec);

// The verdict over a check that has ended.
void judge_report(Attempt& attempt, const CheckReport& report);

}  // namespace firebreak::probes
