// Numbers of Prometheus' world: the answer of an instant query, or samples of one metrics page.
//
// Yields "value" (the one series, or the sum of a page's samples), "status" (HTTP's), "results"
// (series or samples that are numbers) and, over TLS, "certificate_days".
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

Awaitable<void> probe_prometheus(Attempt& attempt, const PrometheusSpec& spec);

}  // namespace firebreak::probes
