// The coordinator's memory as the operator API shows it.
//
// Pure; the engine's owner thread calls these, so they only copy. Text that is not valid UTF-8 is
// mended, and what would not fit into one message is left out and counted.
#pragma once

#include <cstddef>
#include <string>

#include "common/result.h"
#include "coordinator/core/state.h"

namespace firebreak::v1 {
class Agent;
class Fact;
class GetStatusResponse;
class Incident;
class ListAgentsResponse;
class ListFactsResponse;
class ListIncidentsResponse;
class ListServicesResponse;
class Service;
class TimelineEntry;
class ValidationProgress;
}  // namespace firebreak::v1

namespace firebreak::api {

// What one message shows of a long list.
template <class Name>
struct Page {
  std::size_t limit = 0;  // 0: everything, or resource_exhausted when that is too much
  Name after;             // the last one that the caller has; empty: from the beginning
};

enum class Detail {
  summary,  // no timeline, no output of actions; of a service: evidence only where it is not ok
  full,
};

// As a string of protobuf: UTF-8, bounded.
[[nodiscard]] std::string shown_text(const std::string& raw);
[[nodiscard]] v1::TimelineEntry to_proto(const core::TimelineEntry& entry);
[[nodiscard]] v1::Incident to_proto(const core::Incident& incident, Detail detail);
// What people are asked to do about it and have said of it, in the words of the policy in force.
void add_response(const core::State& state, const core::Incident& incident, v1::Incident& out);
[[nodiscard]] v1::Service to_proto(const core::State& state, const policy::Service& service,
                                   Detail detail);
[[nodiscard]] v1::Agent to_proto(const core::State& state, const core::AgentState& agent);
// The value for one service, or for all when `service` is empty.
[[nodiscard]] v1::Fact to_proto(const core::State& state, const policy::FactDecl& fact,
                                const ServiceName& service);
[[nodiscard]] v1::ValidationProgress to_proto(const core::Validation& validation, Instant now);

// What the state knows; the version is the caller's to fill in.
void fill_status(const core::State& state, Instant now, v1::GetStatusResponse& out);
// One service in full.
Result<> fill_service(const core::State& state, const ServiceName& name,
                      v1::ListServicesResponse& out);
// In the order of their names, in summary.
Result<> fill_services(const core::State& state, const Page<ServiceName>& page,
                       v1::ListServicesResponse& out);
Result<> fill_agents(const core::State& state, const Page<AgentName>& page,
                     v1::ListAgentsResponse& out);
// Every declared fact, then the values that single services have of their own.
void fill_facts(const core::State& state, v1::ListFactsResponse& out);
// Open ones first, of these the most severe first, then the newest; as many as fit.
void fill_incidents(const core::State& state, bool include_resolved, std::size_t limit,
                    v1::ListIncidentsResponse& out);

}  // namespace firebreak::api
