// Who is told next while nobody takes care of an incident: tiers of receivers at their times.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// The incident has reached its severity, and its receivers have just heard so: the tiers of that
// severity count from now.
void begin_escalation(Turn& turn, Incident& incident);
// It is less severe now: `why` says so on the timeline.
void stop_escalation(Turn& turn, Incident& incident, const std::string& why);
// After the policy changed: what runs goes on under its name, or the new one begins.
void carry_escalation(Turn& turn, Incident& incident);

// Tells the tiers that are due. No tier is due while no rule holds.
void escalate(Turn& turn, Incident& incident);
// Whether a tier that has had its time names the receiver.
[[nodiscard]] bool is_escalated_to(const State& state, const Incident& incident,
                                   const ReceiverName& receiver);
// "tier 2 of urgent", as the timeline names it; `tier` counts from 0.
[[nodiscard]] std::string tier_name(std::string_view escalation, std::size_t tier);
// When escalate() must run again if nothing happens before.
[[nodiscard]] std::optional<Instant> escalation_due(const State& state, const Incident& incident);

}  // namespace firebreak::core
