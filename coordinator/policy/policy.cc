// Look-ups in a policy.
#include "coordinator/policy/policy.h"

namespace firebreak::policy {

const Service* Policy::find_service(const ServiceName& name) const {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : &found->second;
}

const Probe* Policy::find_probe(const ProbeKey& key) const {
  const Service* service = find_service(key.service);
  if (service == nullptr) return nullptr;
  for (const Probe& probe : service->probes)
    if (probe.name == key.probe) return &probe;
  return nullptr;
}

std::optional<SeverityIndex> Policy::find_severity(std::string_view name) const {
  for (SeverityIndex i = 0; i < severities.size(); ++i)
    if (severities[i].name == name) return i;
  return std::nullopt;
}

}  // namespace firebreak::policy
