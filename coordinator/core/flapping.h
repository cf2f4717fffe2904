// Services whose severity goes up and down: their incident stays one, and is told of once.
//
// Changes are counted for each service, whether they open and resolve incidents or move one. So
// many within a time: it flaps, until its severity has not changed for a while. Meanwhile nobody is
// told of changes of severity, and recovery is not validated. Changes in maintenance do not count.
#pragma once

#include <optional>
#include <string>

#include "coordinator/core/turn.h"

namespace firebreak::core {

enum class FlapNews { none, begun, calm };
// The decision alone: `changed`: its severity has, now.
[[nodiscard]] FlapNews judge_flapping(const policy::Flapping& policy, FlapState& state,
                                      bool changed, Instant now);

[[nodiscard]] bool is_flapping(const State& state, const ServiceName& service);

// To be called whenever the service is judged; `next` is when it must be again.
void follow_flapping(Turn& turn, const ServiceName& service, bool changed,
                     std::optional<Instant>& next);
// Of an incident that opens: says it on its timeline, and what to add for those who are told.
[[nodiscard]] std::string open_flapping(Turn& turn, Incident& incident);

}  // namespace firebreak::core
