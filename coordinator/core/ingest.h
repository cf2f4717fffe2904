// Agents and their results -> what each agent sees of each probe, and which services' rules must
// be looked at because of it.
#pragma once

#include "coordinator/core/turn.h"

namespace firebreak::core {

void agent_attached(Turn& turn, const AgentAttached& event);
void agent_detached(Turn& turn, const AgentDetached& event);
// Duplicates and late results change no verdict; see State::counters for what became of each.
void results_received(Turn& turn, const ResultsReceived& event);

// What an agent says no longer counts until it has attached and sent anew.
void lose_agent(Turn& turn, AgentState& agent);
// What a selector's condition reads.
[[nodiscard]] cel::Bindings selector_bindings(const AgentState& agent);
// Finds the services whose selectors choose the agent, with the policy in force.
void select_services(State& state, AgentState& agent);

}  // namespace firebreak::core
