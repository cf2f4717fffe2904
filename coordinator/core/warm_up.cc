// Who is awaited, and until when.
#include "coordinator/core/warm_up.h"

#include <algorithm>

#include "common/limits.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {
namespace {

std::uint64_t back(const WarmUp& warm_up) {
  return warm_up.awaited - std::min<std::uint64_t>(warm_up.away.size(), warm_up.awaited);
}

bool are_enough_back(const WarmUp& warm_up) {
  return back(warm_up) * 100 >= warm_up.awaited * limits::kWarmEnoughPercent;
}

// Incidents that are open, with what has changed for them.
void tell_open_incidents(Turn& turn, const std::string& text) {
  for (auto& [id, incident] : turn.state.incidents) {
    if (incident.resolved) continue;
    add_entry(turn, incident, "warm-up", "engine", text);
    turn.attend.insert(id);
  }
}

}  // namespace

void begin_warm_up(Turn& turn) {
  State& state = turn.state;
  Instant newest{};
  for (const auto& [name, agent] : state.agents) newest = std::max(newest, agent.last_seen);
  const bool goes_on = newest < state.warm_up.until;  // the last life did not see its end
  WarmUp next;
  for (const auto& [name, agent] : state.agents)
    if (agent.attached || (goes_on && state.warm_up.away.contains(name)) ||
        agent.last_seen + limits::kAwaitedWhenSeen >= newest)
      next.away.insert(name);
  next.awaited = next.away.size();
  next.until = turn.now + limits::kWarmUp;
  state.warm_up = std::move(next);
  for (auto& [name, agent] : state.agents) count_presence(state, agent);
  if (frozen_until(state, turn.now))
    tell_open_incidents(turn,
                        "the coordinator has started again: nothing is done until enough "
                        "agents are back; " +
                            describe_warm_up(state));
}

void agent_is_back(Turn& turn, const AgentName& agent) {
  State& state = turn.state;
  const bool was_frozen = frozen_until(state, turn.now).has_value();
  if (state.warm_up.away.erase(agent) == 0 || !was_frozen || frozen_until(state, turn.now)) return;
  tell_open_incidents(turn, "enough agents are back to go on; " + describe_warm_up(state));
}

bool is_warming_up(const State& state, Instant now) {
  return !state.warm_up.away.empty() && now < state.warm_up.until;
}

std::optional<Instant> frozen_until(const State& state, Instant now) {
  if (!is_warming_up(state, now) || are_enough_back(state.warm_up)) return std::nullopt;
  return state.warm_up.until;
}

std::string describe_warm_up(const State& state) {
  return std::to_string(back(state.warm_up)) + " of " + std::to_string(state.warm_up.awaited) +
         " agents are back";
}

}  // namespace firebreak::core
