// The functions that a rule may call: numbers over the recent results of a service's probes.
//
// The ids are what Activation::call is asked for; the core answers them. The first argument is
// always the name of a probe of the rule's own service ('health') or 'service/probe', and must be a
// literal; windows are literals too. Missing data is Unknown.
#pragma once

#include <optional>

#include "common/cel/program.h"
#include "common/cel/type.h"
#include "common/ids.h"

namespace firebreak::policy {

enum class Signal : int {
  available,       // (probe) bool: fewer than `need` vantage points fail; Unknown without a fresh
                   // confirmed verdict
  status,          // (probe) string: ok, warning, critical
  failing_for,     // (probe) duration: since when it has not been available; 0s when it is
  failing_agents,  // (probe) int
  failing_share,   // (probe) double 0..1 of the vantage points with a fresh verdict
  age,             // (probe) duration since the newest result
  value,  // (probe[, name]) double: the newest; without a name the first value that the probe
          // yields; worst (greatest) over vantage points
  min_value,
  max_value,
  avg_value,  // (probe, window) double
  latency,    // (probe) duration: the newest, greatest over vantage points
  mean,
  max,
  p50,
  p95,
  p99,         // (probe, window) duration: latency
  error_rate,  // (probe, window) double 0..1: share of results that are critical
  samples,     // (probe, window) int: results with a verdict (not unknown)
};

// Which probe a call is about: of `service` itself unless the name is 'service/probe'. Nothing when
// it is not written out.
[[nodiscard]] std::optional<ProbeKey> probe_of(const cel::Call& call, const ServiceName& service);

// Variables: facts (record of the declared facts), service (string). Functions: the signals above.
[[nodiscard]] cel::Declarations rule_declarations(const cel::Type::Fields& facts);
// Variables of a selector: name, labels.
[[nodiscard]] cel::Declarations selector_declarations();
// Variables of a checklist's expect over one observation: status, latency, value, values.
[[nodiscard]] cel::Declarations observation_declarations();

}  // namespace firebreak::policy
