// An agent that is silent is a problem of its own, not its targets': with `agents` in the policy,
// those that were attached and have not been for a while are the trouble of the service
// policy::kAgentsService, which has one incident for all of them.
//
// After a start nobody counts as silent before the agents have had their time to come back
// (warm_up.h) and that while has passed besides; those that did before go on counting.
#pragma once

#include <string>
#include <vector>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// It was attached until now.
void agent_lost(Turn& turn, AgentState& agent);
// It is attached.
void agent_heard(Turn& turn, const AgentName& agent);
// Their time is up: alarms of State::agent_alarms.
void agents_silent(Turn& turn, const std::vector<AgentName>& agents);
// After a start, or with another policy: when each one that is away will count as silent.
void watch_agents(Turn& turn);
// As judge_service() does for the others.
void judge_agents(Turn& turn);
// It is not attached: everything about it goes, and nobody waits for it.
void forget_agent(Turn& turn, const AgentName& agent, const std::string& by);

}  // namespace firebreak::core
