// A small policy and a failing service, for tests of what surrounds the core.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/core/event.h"
#include "coordinator/policy/loader.h"

namespace firebreak::testing {

// Service api, probe health, P1 when it fails: one host action, one http action, one notification.
inline constexpr const char* kFaultPolicy = R"yaml(
severities: {P1: {notify: ops}}
facts: {customers: 0}
receivers: {ops: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s, need: 1}
rules:
  - service: api
    severity: {P1: "!available('health') || facts.customers > 100"}
actions:
  restart: {host: {entry: restart-web, parameters: {unit: web}}, timeout: 10s}
  warm: {http: {post: "http://api/warm"}}
playbooks:
  - {on: {service: api, severity: P1}, stages: [{at: 0m, do: [restart]}, {at: 5m, do: [warm]}]}
)yaml";

inline std::shared_ptr<const policy::Policy> compiled(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) throw std::runtime_error(loaded.problems);
  return loaded.policy;
}
inline std::shared_ptr<const policy::Policy> fault_policy() {
  return compiled({{"policy.yaml", kFaultPolicy}});
}

// Result number `seq` of an agent whose only series is api/health.
inline core::ResultsReceived result_of(const std::string& agent, std::uint64_t seq, Status status,
                                       Instant at) {
  core::ResultsReceived event;
  event.agent = AgentName(agent);
  event.incarnation = 1;
  event.first_seq = seq;
  if (seq == 1) event.series.push_back({0, {ServiceName("api"), ProbeName("health")}});
  core::ResultRow row;
  row.observed = at;
  row.observation.status = status;
  row.observation.reason = status == Status::ok ? Reason::none : Reason::refused;
  row.observation.latency = std::chrono::milliseconds(10);
  event.rows.push_back(row);
  return event;
}
inline core::AgentAttached attached(const std::string& agent) {
  core::AgentAttached event;
  event.agent = AgentName(agent);
  event.incarnation = 1;
  event.version = "1.0";
  return event;
}

}  // namespace firebreak::testing
