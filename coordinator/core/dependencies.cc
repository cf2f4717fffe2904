// Walks up from a service to what it needs, and down to what needs it.
#include "coordinator/core/dependencies.h"

#include <algorithm>
#include <tuple>

#include "common/limits.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/state.h"

namespace firebreak::core {
namespace {

using policy::Policy;
using policy::Service;

int depth_of(const Policy& policy, const ServiceName& name, int links,
             std::map<ServiceName, int>& known) {
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  const Service* service = policy.find_service(name);
  int depth = 0;
  if (service != nullptr && links < limits::kDependencyDepthMax)
    for (const policy::Dependency& dependency : service->depends_on)
      for (const ServiceName& parent : dependency.any_of)
        depth = std::max(depth, 1 + depth_of(policy, parent, links + 1, known));
  known[name] = depth;
  return depth;
}

// The open incident of a service while its rules hold; null: none.
const Incident* loud_incident(const State& state, const ServiceName& name) {
  const Incident* incident = open_incident_of(state, name);
  return incident != nullptr && is_loud(*incident) ? incident : nullptr;
}

const Incident* worse(const Incident* a, const Incident* b) {
  if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
  const auto order = [](const Incident& incident) {
    return std::tuple(incident.severity.value_or(incident.peak_rank), incident.opened, incident.id);
  };
  return order(*b) < order(*a) ? b : a;
}

class Causes {
 public:
  explicit Causes(const State& state) : state_(state) {}

  // Of what the service needs.
  const Incident* above(const ServiceName& name, int links) {
    const Service* service = state_.policy->find_service(name);
    if (service == nullptr || links >= limits::kDependencyDepthMax) return nullptr;
    const Incident* found = nullptr;
    for (const policy::Dependency& dependency : service->depends_on)
      found = worse(found, of_all(dependency, links + 1));
    return found;
  }

 private:
  // A group is down when all its members are.
  const Incident* of_all(const policy::Dependency& dependency, int links) {
    const Incident* found = nullptr;
    for (const ServiceName& member : dependency.any_of) {
      const Incident* cause = of_one(member, links);
      if (cause == nullptr) return nullptr;
      found = worse(found, cause);
    }
    return found;
  }
  const Incident* of_one(const ServiceName& name, int links) {
    const auto known = known_.find(name);
    if (known != known_.end()) return known->second;
    const Incident* cause = above(name, links);
    if (cause == nullptr) cause = loud_incident(state_, name);
    if (cause == nullptr) cause = attached_to(name);
    known_.emplace(name, cause);
    return cause;
  }
  // It fails as a member of its group.
  [[nodiscard]] const Incident* attached_to(const ServiceName& name) const {
    const auto service = state_.services.find(name);
    if (service == state_.services.end() || service->second.symptom_of.empty()) return nullptr;
    const auto incident = state_.incidents.find(service->second.symptom_of);
    if (incident == state_.incidents.end() || !is_loud(incident->second)) return nullptr;
    return &incident->second;
  }

  const State& state_;
  std::map<ServiceName, const Incident*> known_;
};

const Incident* of_group(const State& state, const ServiceName& name) {
  const Service* service = state.policy->find_service(name);
  if (service == nullptr || service->group.empty()) return nullptr;
  const Incident* found = nullptr;
  for (const ServiceName& member : state.policy->groups.at(service->group))
    if (member != name) found = worse(found, loud_incident(state, member));
  return found;
}

}  // namespace

Dependencies dependencies_of(const Policy& policy) {
  Dependencies all;
  std::map<ServiceName, int> depths;
  for (const auto& [name, service] : policy.services) {
    if (service.depends_on.empty()) continue;
    std::set<ServiceName> parents;
    for (const policy::Dependency& dependency : service.depends_on)
      parents.insert(dependency.any_of.begin(), dependency.any_of.end());
    for (const ServiceName& parent : parents) all.dependents[parent].push_back(name);
    all.depth[name] = depth_of(policy, name, 0, depths);
  }
  return all;
}

bool is_loud(const Incident& incident) {
  return !incident.resolved && !incident.quiet_since;
}

IncidentId find_cause(const State& state, const ServiceName& service) {
  if (!state.policy) return {};
  const Incident* cause = Causes(state).above(service, 0);
  if (cause == nullptr) cause = of_group(state, service);
  return cause == nullptr ? IncidentId() : cause->id;
}

std::set<ServiceName> dependents_of(const State& state, const ServiceName& service) {
  std::set<ServiceName> found;
  if (!state.inputs) return found;
  const auto& dependents = state.inputs->dependencies.dependents;
  std::vector<ServiceName> open{service};
  while (!open.empty()) {
    const auto next = dependents.find(open.back());
    open.pop_back();
    if (next == dependents.end()) continue;
    for (const ServiceName& one : next->second)
      if (found.insert(one).second) open.push_back(one);
  }
  return found;
}

std::vector<ServiceName> causes_first(const State& state, const std::set<ServiceName>& services) {
  std::vector<ServiceName> sorted(services.begin(), services.end());
  if (!state.inputs || state.inputs->dependencies.depth.empty()) return sorted;
  const auto& depth = state.inputs->dependencies.depth;
  const auto of = [&depth](const ServiceName& name) {
    const auto found = depth.find(name);
    return found == depth.end() ? 0 : found->second;
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&of](const ServiceName& a, const ServiceName& b) { return of(a) < of(b); });
  return sorted;
}

}  // namespace firebreak::core
