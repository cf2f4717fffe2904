// Each of them three-valued, as the signals of probes are.
#include "coordinator/core/service_signals.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "coordinator/core/signal_values.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

struct Group {
  int vantages = 0;
  int fresh = 0;
  int failing = 0;
  int missing = 0;
};

cel::Value missing(const ServiceName& service, const char* what) {
  return cel::Unknown{{service.str() + ": " + what}};
}

// As judge() in signal_values.cc has it.
bool fails(const Group& group, int wanted) {
  const int voters = group.fresh + group.missing;
  const int need = wanted > 0 ? std::min(wanted, std::max(group.vantages, 1)) : voters / 2 + 1;
  return group.fresh > 0 && group.failing >= need;
}

}  // namespace

Groups group_vantages(const State& state, const ProbeKey& key, const policy::Probe& probe,
                      const std::string& label, Instant now) {
  Groups sum;
  const auto vantages = state.vantages.find(key.service);
  if (vantages == state.vantages.end()) return sum;
  const bool is_awaiting = is_warming_up(state, now);
  std::map<std::string_view, Group> groups;
  for (const AgentName& name : vantages->second) {
    const AgentState& agent = state.agents.at(name);
    const auto value = agent.labels.find(label);
    if (value == agent.labels.end()) continue;
    Group& group = groups[value->second];
    ++group.vantages;
    const auto series = agent.series.find(key);
    if (series == agent.series.end() || !is_fresh(agent, series->second, probe.spec, now)) {
      if (is_awaiting && agent.present) ++group.missing;
      continue;
    }
    ++group.fresh;
    if (series->second.confirmed == Status::critical) ++group.failing;
  }
  for (const auto& [value, group] : groups) {
    if (group.fresh > 0) ++sum.judged;
    if (fails(group, probe.need)) ++sum.failing;
    if (group.missing > 0) sum.awaits = true;
  }
  return sum;
}

cel::Value severity_value(const State& state, const ServiceName& service) {
  const auto found = state.services.find(service);
  if (!state.policy || found == state.services.end()) return missing(service, "not judged yet");
  const ServiceState& mine = found->second;
  if (mine.severity) {
    if (mine.blind) return missing(service, "its severity stands without a rule that says so");
    return state.policy->severities[*mine.severity].name;
  }
  const bool is_undecided = std::any_of(mine.rules.begin(), mine.rules.end(),
                                        [](const RuleState& rule) { return rule.undecided; });
  if (is_undecided) return missing(service, "its rules cannot be decided");
  return "";
}

cel::Value status_value(const State& state, const ServiceName& name, Instant now) {
  const policy::Service* service = state.policy ? state.policy->find_service(name) : nullptr;
  if (service == nullptr) return missing(name, "no such service");
  Status worst = Status::ok;
  bool is_unknown = service->probes.empty();
  for (const policy::Probe& probe : service->probes) {
    const Status status = view_probe(state, {name, probe.name}, now).status;
    if (status == Status::unknown)
      is_unknown = true;
    else
      worst = std::max(worst, status);
  }
  // A warning that may be worse than that is none yet.
  if (is_unknown && worst != Status::critical) return missing(name, "too few fresh results");
  return to_string(worst);
}

}  // namespace firebreak::core
