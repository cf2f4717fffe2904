// What a probe's definition says about any kind's values: limits, and `invert`. For the probe
// itself, and for whoever plays one.
//
// Pure functions over a result.
#pragma once

#include <map>
#include <string>

#include "common/observation.h"
#include "common/probe_spec.h"

namespace firebreak {

// Crossed limits make a result worse, never better: threshold, with all that was crossed as
// evidence. A limited value that a good result does not have makes it unknown/missing.
void judge_limits(const ProbeSpec& spec, Observation& seen);

// A failure becomes ok, with what it was as evidence; ok becomes critical/status. What the prober
// could not find out stays unknown.
void invert(Observation& seen);

// By the thresholds of the probe: above one of them, not at it. `length` is finite.
[[nodiscard]] Status judge_queue(const QueueSpec& queue, double length);

// The limits that a kind has of its own, by the names of its values, as ranges.
[[nodiscard]] std::map<std::string, Limit> own_limits(const KindSpec& kind);

}  // namespace firebreak
