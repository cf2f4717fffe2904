// What a coordinator asks of the agent, checked: the coordinator may be of another version, or
// hostile. Pure, thread-safe; the generated headers stay out of this one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/schedule.h"
#include "common/ids.h"
#include "common/probe_spec.h"
#include "common/result.h"

namespace firebreak::v1 {
class ActionOrder;
class Assignment;
class ProbeNow;
}  // namespace firebreak::v1

namespace firebreak::agent {

// A probe that this agent cannot run as it was sent. The others of its assignment run.
struct RefusedProbe {
  std::optional<ProbeKey> key;  // none: not even that was right
  std::string reason;
};
struct Assignment {
  std::uint64_t generation = 0;
  std::vector<AssignedProbe> probes;  // no key twice
  std::vector<RefusedProbe> refused;
};
// resource_exhausted when it holds more than limits::kProbesPerAgentMax probes.
Result<Assignment> from_proto(const v1::Assignment& message);

struct ProbeNow {
  RequestId request;
  std::optional<ProbeKey> key;           // none: the result counts in no series
  Result<ProbeSpec> spec = ProbeSpec{};  // an error is the answer to the request
};
// invalid_argument when not even an answer is possible.
Result<ProbeNow> from_proto(const v1::ProbeNow& message);

// invalid_argument when the order must not be handed to the actuator. What may run, and with which
// parameters, is the actuator's to say.
Result<> check(const v1::ActionOrder& order);
// What an outcome of this order can be sent under.
[[nodiscard]] bool has_usable_id(const v1::ActionOrder& order);

}  // namespace firebreak::agent
