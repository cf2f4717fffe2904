// Silences and maintenance in the operator API: requests to events, state to messages. Pure, as
// requests.h and convert.h.
#pragma once

#include <string>

#include "common/result.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"

namespace firebreak::v1 {
class AddSilenceRequest;
class EndMaintenanceRequest;
class ExpireSilenceRequest;
class GetStatusResponse;
class Incident;
class ListMaintenanceResponse;
class ListSilencesResponse;
class Maintenance;
class Service;
class Silence;
class StartMaintenanceRequest;
}  // namespace firebreak::v1

namespace firebreak::api {

Result<core::OperatorAsked> to_event(const std::string& by, const v1::AddSilenceRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::ExpireSilenceRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::StartMaintenanceRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::EndMaintenanceRequest& request);

// The one that this request has begun, or the one of this id.
Result<> fill_silence(const core::State& state, const std::string& request_id, const SilenceId& id,
                      v1::Silence& out);
Result<> fill_maintenance(const core::State& state, const std::string& request_id,
                          const MaintenanceId& id, v1::Maintenance& out);
// Those in force, or also those that are over: newest first, as many as fit.
void fill_silences(const core::State& state, bool all, v1::ListSilencesResponse& out);
// Of the policy's windows those in force, or all with the time at which they begin next.
void fill_maintenances(const core::State& state, bool all, v1::ListMaintenanceResponse& out);

// What keeps them quiet now.
void add_quieting(const core::State& state, const core::Incident& incident, v1::Incident& out);
void add_quieting(const core::State& state, const ServiceName& service, v1::Service& out);
void add_quieting(const core::State& state, v1::GetStatusResponse& out);

}  // namespace firebreak::api
