// What a probe's definition says about any kind's result: limits on its values, and `invert`.
//
// Pure functions over a result, for Attempt::finish() alone.
#pragma once

#include "common/observation.h"
#include "common/probe_spec.h"

namespace firebreak::probes {

// Crossed limits make a result worse, never better: threshold, with all that was crossed as
// evidence. A limited value that a good result does not have makes it unknown/missing.
void judge_limits(const ProbeSpec& spec, Observation& seen);

// A failure becomes ok, with what it was as evidence; ok becomes critical/status. What the prober
// could not find out stays unknown.
void invert(Observation& seen);

}  // namespace firebreak::probes
