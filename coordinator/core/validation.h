// Recovery validation: a service's checklist, run and judged.
//
// The checks run one after another, each before the next, by the policy as it was when the
// validation began; the first that does not pass ends it with that verdict, and so does the
// deadline (inconclusive). Nothing here waits: probes are asked for by SendProbeNow and their
// answers come back as events; State::validation_alarms says when to look again. Every change that
// a watcher can see is published; what has ended is added to Turn::finished.
#pragma once

#include <string>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// A service without a checklist in the policy in force, or one validation too many
// (limits::kValidationsRunningMax), ends at once, inconclusive. An id that exists is left alone.
void start_validation(Turn& turn, const ValidationId& id, const ServiceName& service,
                      const IncidentId& incident /* may be empty */, std::string asked_by);
// Ends it inconclusive; nothing when it has ended or is not known.
void cancel_validation(Turn& turn, const ValidationId& id);
// An answer that nobody waits for (any more), or from an agent that was not asked, has no effect.
void validation_answered(Turn& turn, const RequestId& request, const AgentName& agent,
                         const Observation& observation);
// To be called when its alarm is due; more often does no harm.
void advance_validation(Turn& turn, const ValidationId& id);

}  // namespace firebreak::core
