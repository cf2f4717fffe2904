// grpc.health.v1.Health/Check: its question as protobuf, and what its answer means.
//
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md; statuses as in
// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/observation.h"
#include "probes/grpc_call.h"

namespace firebreak::probes {

inline constexpr std::string_view kHealthCheckPath = "/grpc.health.v1.Health/Check";

// HealthCheckRequest{service}
[[nodiscard]] std::string health_request(std::string_view service);

struct HealthVerdict {
  Status status = Status::critical;
  Reason reason = Reason::protocol;  // none: it serves
  std::string evidence;
};
[[nodiscard]] HealthVerdict judge_health(const GrpcReply& reply);

}  // namespace firebreak::probes
