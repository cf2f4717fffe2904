// The words for statuses, reasons and phases.
#include "common/observation.h"

namespace firebreak {

const char* to_string(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::warning:
      return "warning";
    case Status::critical:
      return "critical";
    case Status::unknown:
      return "unknown";
  }
  return "unknown";
}

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::dns:
      return "dns";
    case Reason::refused:
      return "refused";
    case Reason::unreachable:
      return "unreachable";
    case Reason::timeout:
      return "timeout";
    case Reason::reset:
      return "reset";
    case Reason::tls:
      return "tls";
    case Reason::protocol:
      return "protocol";
    case Reason::status:
      return "status";
    case Reason::auth:
      return "auth";
    case Reason::body:
      return "body";
    case Reason::threshold:
      return "threshold";
    case Reason::missing:
      return "missing";
    case Reason::prober:
      return "prober";
    case Reason::config:
      return "config";
  }
  return "unknown";
}

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::none:
      return "none";
    case Phase::resolve:
      return "resolve";
    case Phase::connect:
      return "connect";
    case Phase::tls:
      return "tls";
    case Phase::send:
      return "send";
    case Phase::first_byte:
      return "first_byte";
    case Phase::transfer:
      return "transfer";
    case Phase::query:
      return "query";
  }
  return "unknown";
}

}  // namespace firebreak
