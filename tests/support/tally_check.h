// Whether what was counted as it changed is what counting everything gives.
#pragma once

#include <string>

#include "coordinator/core/inputs.h"
#include "coordinator/core/signal_values.h"
#include "coordinator/core/tally.h"

namespace firebreak::core {

// Empty: all is well.
inline std::string tally_fault(const State& state) {
  if (!state.inputs) return {};
  State counted_anew = state;
  recount_all(counted_anew);
  for (const auto& [service, agents] : state.vantages) {
    const auto now = state.present.find(service);
    if ((now == state.present.end() ? 0 : now->second) != counted_anew.present[service])
      return service.str() + ": present agents";
  }
  for (const auto& [key, inputs] : state.inputs->probes) {
    const ProbeView view = view_probe(state, key, state.now);
    const ProbeView wanted = view_probe(counted_anew, key, state.now);
    const std::string name = key.service.str() + "/" + key.probe.str();
    if (view.status != wanted.status || view.fresh != wanted.fresh ||
        view.failing != wanted.failing || view.missing != wanted.missing)
      return name + ": " + std::to_string(view.failing) + " failing of " +
             std::to_string(view.fresh) + " instead of " + std::to_string(wanted.failing) + " of " +
             std::to_string(wanted.fresh);
    if (view.failing_since != wanted.failing_since) return name + ": failing since";
    if (view.newest != wanted.newest) return name + ": newest";
    if (wanted.next_stale && (!view.next_stale || *view.next_stale > *wanted.next_stale))
      return name + ": next stale";
  }
  return {};
}

}  // namespace firebreak::core
