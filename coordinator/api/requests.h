// What an operator may ask: requests checked field by field and turned into events.
//
// Pure; thread-safe. Every refusal is invalid_argument or not_found with a message that names the
// field, what is wrong with it and what would be right. `by` is the operator's name from the
// certificate. Whether the moment is right (an incident already resolved) is core::admissible()'s.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/api/convert.h"
#include "coordinator/core/event.h"
#include "coordinator/policy/policy.h"

namespace firebreak::v1 {
class AcknowledgeIncidentRequest;
class AddNoteRequest;
class ApplyPolicyRequest;
class ClearFactRequest;
class CompleteStepRequest;
class DeclareIncidentRequest;
class ForgetAgentRequest;
class ListAgentsRequest;
class ListIncidentsRequest;
class ListServicesRequest;
class OverrideSeverityRequest;
class ResolveIncidentRequest;
class SetFactRequest;
}  // namespace firebreak::v1

namespace firebreak::api {

// Required, unless `is_optional`.
Result<IncidentId> check_incident_id(const std::string& id, bool is_optional = false);
Result<ServiceName> check_service_name(const std::string& name, bool is_optional = false);
// 100 when the request does not say; at most limits::kListedMax.
Result<std::size_t> check_limit(const v1::ListIncidentsRequest& request);
Result<Page<ServiceName>> check_page(const v1::ListServicesRequest& request);
Result<Page<AgentName>> check_page(const v1::ListAgentsRequest& request);

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::AcknowledgeIncidentRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by, const v1::AddNoteRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::ResolveIncidentRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by, const v1::ClearFactRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by, const v1::ForgetAgentRequest& request);
Result<core::OperatorAsked> to_event(const std::string& by, const v1::CompleteStepRequest& request);
// These need the policy in force: severities by name, facts by their declared type.
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::DeclareIncidentRequest& request,
                                     const policy::Policy& policy);
Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::OverrideSeverityRequest& request,
                                     const policy::Policy& policy);
Result<core::OperatorAsked> to_event(const std::string& by, const v1::SetFactRequest& request,
                                     const policy::Policy& policy);

// Relative paths to .yaml files below a policy directory, no two alike, of bounded size.
Result<std::vector<policy::SourceFile>> policy_files(const v1::ApplyPolicyRequest& request);

}  // namespace firebreak::api
