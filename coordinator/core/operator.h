// What people and programs ask for: incidents, facts, validations.
#pragma once

#include "common/result.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {

// Whether it may be done now; the reason otherwise.
[[nodiscard]] Result<> may_ask(const State& state, const OperatorAsked& event);
// Does nothing when it may not.
void operator_asked(Turn& turn, const OperatorAsked& event);

}  // namespace firebreak::core
