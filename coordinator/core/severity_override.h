// A person's word on how severe an incident is, for a while. The rules go on being evaluated and
// shown; when it is over they decide again.
#pragma once

#include <string>

#include "common/result.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {

// The incident is open.
[[nodiscard]] Result<> may_override(const State& state, const OverrideSeverity& wish);
void override_severity(Turn& turn, const OverrideSeverity& wish, const std::string& by);

// Ends it when its time is over.
void expire_override(Turn& turn, Incident& incident);
// The severity that counts where the rules say `rules`; shows a change of what they say.
[[nodiscard]] policy::SeverityIndex follow_override(Turn& turn, Incident& incident,
                                                    policy::SeverityIndex rules);

}  // namespace firebreak::core
