// Which incident explains a service's failure: of what it depends on, or of its group.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "common/ids.h"

namespace firebreak::policy {
struct Policy;
}  // namespace firebreak::policy

namespace firebreak::core {

struct State;
struct Incident;

// What follows from a policy's `depends_on`; both are empty when nothing depends on anything.
struct Dependencies {
  std::map<ServiceName, std::vector<ServiceName>> dependents;  // straight ones
  std::map<ServiceName, int> depth;  // of those that depend on something: links to the farthest
};
[[nodiscard]] Dependencies dependencies_of(const policy::Policy& policy);

// Open, and its rules hold: what depends on its service fails because of it.
[[nodiscard]] bool is_loud(const Incident& incident);

// The incident whose symptom a failure of the service would be; empty: there is none. The farthest
// cause goes before nearer ones, a cause before the group's incident; of several the most severe,
// then the oldest.
[[nodiscard]] IncidentId find_cause(const State& state, const ServiceName& service);

// Those that depend on the service, however far away, in the order of their names.
[[nodiscard]] std::set<ServiceName> dependents_of(const State& state, const ServiceName& service);

// Causes before what depends on them, so that one step opens one incident for both.
[[nodiscard]] std::vector<ServiceName> causes_first(const State& state,
                                                    const std::set<ServiceName>& services);

}  // namespace firebreak::core
