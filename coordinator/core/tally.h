// How many of a probe's vantage points say what, counted as it changes, so that a verdict over
// 10,000 agents costs as much as one over three.
#pragma once

#include <type_traits>

#include "coordinator/core/state.h"

namespace firebreak::core {

// Nothing of it is looked at before this.
inline constexpr Instant kNever = Instant::max();

// Calls `visit` with every vantage point that has ever sent a result of the probe. `Memory` is
// State, constant or not.
template <class Memory, class Visit>
void each_vantage(Memory& state, const ProbeKey& key, Visit visit) {
  static_assert(std::is_same_v<std::remove_const_t<Memory>, State>);
  const auto vantages = state.vantages.find(key.service);
  if (vantages == state.vantages.end()) return;
  for (const AgentName& name : vantages->second) {
    const auto agent = state.agents.find(name);
    if (agent == state.agents.end()) continue;
    const auto series = agent->second.series.find(key);
    if (series != agent->second.series.end()) visit(agent->second, series->second);
  }
}

// Counts a series as it is at state.now: after anything changed that is_fresh() reads of it.
void count(State& state, const AgentState& agent, SeriesState& series);
// Before its verdict changes, or it goes.
void uncount(State& state, SeriesState& series);
// Counts a probe from nothing when time has made a counted series stale; costs a look at each.
void recount_when_stale(State& state, const ProbeKey& key, const ProbeInputs& inputs);
// Counts a probe from nothing: after a vantage point has gone.
void recount(State& state, const ProbeKey& key);
// Counts everything from nothing: after the policy changed, or the state was read back.
void recount_all(State& state);

// What a recount would give at `now`, without keeping it.
[[nodiscard]] ProbeTally count_anew(const State& state, const ProbeKey& key, const ProbeSpec& spec,
                                    Instant now);

// As a snapshot remembers it, after recount_all(): never later than what was counted then.
void set_next_stale(State& state, const ProbeKey& key, Instant at);

// The results of all vantage points of a probe within a while; null: the policy has no such probe.
[[nodiscard]] Window* find_window(State& state, const ProbeInputs* inputs);
[[nodiscard]] const Window* find_window(const State& state, const ProbeInputs* inputs);
// Windows as State::inputs ask for them, with what those of the `old` inputs have gathered.
void carry_windows(State& state, const Inputs* old);

// Counts the agent among those that are there or awaited: after it attached, went, or came back.
// `services`: before AgentState::services change, uncount_presence().
void count_presence(State& state, AgentState& agent);
void uncount_presence(State& state, AgentState& agent);

// Null: the policy has no such probe, or nothing was counted.
[[nodiscard]] const ProbeTally* find_tally(const State& state, const ProbeKey& key);
[[nodiscard]] const ProbeTally* find_tally(const State& state, const ProbeInputs& inputs);

// The last instant at which the series' newest result may be used.
[[nodiscard]] Instant fresh_until(const SeriesState& series, const ProbeSpec& spec);
// Whether the agent's confirmed verdict may be used now: attached, a result since then, the newest
// one no older than three intervals, a timeout and its way here, and the verdict not unknown.
[[nodiscard]] bool is_fresh(const AgentState& agent, const SeriesState& series,
                            const ProbeSpec& spec, Instant now);

}  // namespace firebreak::core
