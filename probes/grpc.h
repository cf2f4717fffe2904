// Asks a gRPC server for its health, grpc.health.v1: over TCP or TLS, a new connection each time.
//
// Yields "serving" (1 or 0) when the server has said so and, over TLS, "certificate_days".
#pragma once

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

Awaitable<void> probe_grpc(Attempt& attempt, const GrpcSpec& spec);

}  // namespace firebreak::probes
