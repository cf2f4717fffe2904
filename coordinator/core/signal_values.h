// What the signals of a service are at one instant: agents' series -> probe -> number or Unknown.
//
// Missing, stale and detached data is Unknown, never health.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "common/cel/program.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

// A probe over its vantage points: the agents that its service's selector chooses.
struct ProbeView {
  Status status = Status::unknown;  // unknown: it cannot be said
  int vantages = 0;
  int fresh = 0;    // of them
  int failing = 0;  // of the fresh ones: critical
  int missing = 0;  // after a start: not fresh, but awaited
  // Of a probe that fails: since enough vantage points do. Also set, for as many as there are, when
  // too few do.
  std::optional<Instant> failing_since;
  std::optional<Instant> newest;      // result of any vantage point, fresh or not
  std::optional<Instant> next_stale;  // look again then: none of the fresh ones is stale before
};
[[nodiscard]] ProbeView view_probe(const State& state, const ProbeKey& key, Instant now);
// `inputs`: that probe's.
[[nodiscard]] ProbeView view_probe(const State& state, const ProbeKey& key,
                                   const ProbeInputs& inputs, Instant now);

// All vantage points' results; null when none of them is fresh.
[[nodiscard]] const Window* fresh_window(const State& state, const ProbeKey& key, Instant now);

// What the expressions of a service read: facts, service and the signals of policy/signals.h. Holds
// references: must not outlive `state`, which must not change meanwhile.
class ServiceSignals final : public cel::Activation {
 public:
  ServiceSignals(const State& state, const ServiceName& service, Instant now)
      : state_(state), service_(service), now_(now) {}
  cel::Value variable(std::string_view path) const override;
  cel::Value call(int id, std::span<const cel::Value> arguments) const override;

 private:
  [[nodiscard]] cel::Value other(int id, std::span<const cel::Value> arguments) const;
  const State& state_;
  const ServiceName& service_;
  Instant now_;
};

}  // namespace firebreak::core
