// One letter each.
#include "tests/fuzz/operator_requests.h"

#include <firebreak/v1/operator.pb.h>

namespace firebreak::fuzz {

const google::protobuf::Message* request_prototype(char kind) {
  switch (kind) {
    case 'k':
      return &v1::AcknowledgeIncidentRequest::default_instance();
    case 'n':
      return &v1::AddNoteRequest::default_instance();
    case 'v':
      return &v1::ResolveIncidentRequest::default_instance();
    case 'd':
      return &v1::DeclareIncidentRequest::default_instance();
    case 'f':
      return &v1::SetFactRequest::default_instance();
    case 'c':
      return &v1::ClearFactRequest::default_instance();
    case 'i':
      return &v1::AddSilenceRequest::default_instance();
    case 'I':
      return &v1::ExpireSilenceRequest::default_instance();
    case 'm':
      return &v1::StartMaintenanceRequest::default_instance();
    case 'M':
      return &v1::EndMaintenanceRequest::default_instance();
    default:
      return nullptr;
  }
}

}  // namespace firebreak::fuzz
