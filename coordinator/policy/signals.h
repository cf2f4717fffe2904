// The functions that a rule may call: numbers over the recent results of a service's probes.
//
// The ids are what Activation::call is asked for; the core answers them. The first argument is
// the name of a probe of the rule's own service ('health') or 'service/probe', unless is_of_probe()
// says otherwise; all arguments must be literals. Missing data is Unknown.
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
  delta,       // (probe, window) double: newest value - the oldest; of the vantage point where it
               // changed most
  rate,        // (probe, window) double: rises per second; greatest over vantage points
  failing_groups,        // (probe, label) int: of vantage points with the same value of that label
  failing_groups_share,  // (probe, label) double 0..1 of the groups with a fresh verdict
  severity_of,           // (service) string: what its rules say; empty: nothing
  service_status,        // (service) string: its worst probe's
  now,                   // () timestamp
  within,                // (times, zone) bool: hours.h
  baseline_mean,
  baseline_p50,
  baseline_p95,
  baseline_p99,         // (probe, window) duration: as before something was wrong with the service
  baseline_error_rate,  // (probe, window) double
};

// Whether the first argument is a probe.
[[nodiscard]] bool is_of_probe(Signal signal);
// Which service a call of severity_of() or service_status() names; empty: it is another call, or
// not written out.
[[nodiscard]] std::optional<ServiceName> service_of(const cel::Call& call);
// Which probe a call is about: of `service` itself unless the name is 'service/probe'. Nothing when
// it is about none, or it is not written out.
[[nodiscard]] std::optional<ProbeKey> probe_of(const cel::Call& call, const ServiceName& service);

// Variables: facts (record of the declared facts), service (string). Functions: the signals above.
[[nodiscard]] cel::Declarations rule_declarations(const cel::Type::Fields& facts);
// Variables of a selector: name, labels.
[[nodiscard]] cel::Declarations selector_declarations();
// Variables of a checklist's expect over one observation: status, latency, value, values.
[[nodiscard]] cel::Declarations observation_declarations();

}  // namespace firebreak::policy
