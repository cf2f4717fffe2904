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

bool Policy::is_agents_service(const ServiceName& name) const {
  return agent_watch && name.str() == kAgentsService;
}

const Playbook* Policy::find_playbook(const ServiceName& service,
                                      const std::optional<SeverityIndex>& severity) const {
  const Playbook* any = nullptr;
  for (const Playbook& playbook : playbooks) {
    if (playbook.service != service) continue;
    if (playbook.severity == severity) return &playbook;
    if (!playbook.severity && any == nullptr) any = &playbook;
  }
  return any;
}

std::optional<SeverityIndex> Policy::find_severity(std::string_view name) const {
  for (SeverityIndex i = 0; i < severities.size(); ++i)
    if (severities[i].name == name) return i;
  return std::nullopt;
}

std::string Policy::severity_in(const std::string& scheme,
                                const std::optional<SeverityIndex>& severity,
                                const std::string& own) const {
  const auto found = schemes.find(scheme);
  if (found == schemes.end() || !severity || *severity >= found->second.size()) return own;
  return found->second[*severity];
}

const Escalation* Policy::find_escalation(const ServiceName& service,
                                          SeverityIndex severity) const {
  if (severity >= severities.size()) return nullptr;
  std::string name = severities[severity].escalation;
  if (const Service* known = find_service(service)) {
    const auto own = known->escalations.find(severity);
    if (own != known->escalations.end()) name = own->second;
  }
  const auto found = escalations.find(name);
  return found == escalations.end() ? nullptr : &found->second;
}

}  // namespace firebreak::policy
