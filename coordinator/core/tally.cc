// Each change of a series is a change of its probe's counts; only time makes a recount necessary.
#include "coordinator/core/tally.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "common/assert.h"
#include "common/limits.h"
#include "coordinator/core/inputs.h"

namespace firebreak::core {

namespace {

ProbeTally* tally_of(State& state, const ProbeInputs* inputs) {
  const ProbeTally* tally = inputs == nullptr ? nullptr : find_tally(state, *inputs);
  return tally == nullptr ? nullptr : &state.tallies[inputs->number];
}

// Leaves failing_since to be sorted.
void add(ProbeTally& tally, const SeriesState& series) {
  ++tally.fresh;
  if (series.confirmed == Status::warning) ++tally.warnings;
  if (series.confirmed == Status::critical) tally.failing_since.push_back(series.confirmed_since);
}

void expect_stale(ProbeTally& tally, const SeriesState& series, const ProbeSpec& spec) {
  tally.next_stale = std::min(tally.next_stale, fresh_until(series, spec) + Duration{1});
}

void see(ProbeTally& tally, const AgentState& agent, SeriesState& series, const ProbeSpec& spec,
         Instant now) {
  tally.newest = std::max(tally.newest, series.observed);
  const bool fresh = is_fresh(agent, series, spec, now);
  if (fresh && !series.counted) add(tally, series);
  if (fresh) expect_stale(tally, series, spec);
  series.counted = fresh;
}

void sort(ProbeTally& tally) {
  std::sort(tally.failing_since.begin(), tally.failing_since.end());
}

// Of which all but the last are sorted.
void sort_last(ProbeTally& tally) {
  auto& times = tally.failing_since;
  if (times.empty()) return;
  const auto last = std::prev(times.end());
  std::rotate(std::upper_bound(times.begin(), last, *last), last, times.end());
}

// Nobody sees the probe any more: what was seen has left with the last who did.
void empty_window(State& state, const ProbeInputs& inputs) {
  if (inputs.number >= state.windows.size()) return;
  Window& window = state.windows[inputs.number];
  if (!window.is_empty()) window.clear();
}

}  // namespace

const Window* find_window(const State& state, const ProbeInputs* inputs) {
  if (inputs == nullptr || inputs->number >= state.windows.size()) return nullptr;
  return &state.windows[inputs->number];
}
Window* find_window(State& state, const ProbeInputs* inputs) {
  return const_cast<Window*>(find_window(std::as_const(state), inputs));
}

void carry_windows(State& state, const Inputs* old) {
  std::vector<Window> windows(state.inputs->probes.size());
  for (const auto& [key, inputs] : state.inputs->probes) {
    Window& window = windows[inputs.number];
    if (old != nullptr)
      if (const auto before = old->probes.find(key); before != old->probes.end())
        if (Window* gathered = find_window(state, &before->second)) window = std::move(*gathered);
    window.configure(inputs.windows);
  }
  state.windows = std::move(windows);
}

Instant fresh_until(const SeriesState& series, const ProbeSpec& spec) {
  return series.observed - series.ahead + 3 * spec.every + spec.timeout + limits::kDeliverySlack;
}

bool is_fresh(const AgentState& agent, const SeriesState& series, const ProbeSpec& spec,
              Instant now) {
  return agent.attached && series.live && series.confirmed != Status::unknown &&
         now <= fresh_until(series, spec);
}

void count(State& state, const AgentState& agent, SeriesState& series) {
  ProbeTally* tally = tally_of(state, series.inputs);
  if (tally == nullptr) return;
  const ProbeSpec& spec = series.inputs->probe->spec;
  if (series.counted && !is_fresh(agent, series, spec, state.now)) uncount(state, series);
  see(*tally, agent, series, spec, state.now);
  sort_last(*tally);
}

void uncount(State& state, SeriesState& series) {
  ProbeTally* tally = tally_of(state, series.inputs);
  if (tally == nullptr || !series.counted) return;
  series.counted = false;
  --tally->fresh;
  if (series.confirmed == Status::warning) --tally->warnings;
  if (series.confirmed != Status::critical) return;
  auto& failing = tally->failing_since;
  const auto one = std::lower_bound(failing.begin(), failing.end(), series.confirmed_since);
  FB_ASSERT(one != failing.end() && *one == series.confirmed_since);
  failing.erase(one);
}

void recount(State& state, const ProbeKey& key) {
  if (!state.inputs) return;
  const auto inputs = state.inputs->probes.find(key);
  if (inputs == state.inputs->probes.end()) return;
  ProbeTally* tally = tally_of(state, &inputs->second);
  if (tally == nullptr) return;
  *tally = {};
  bool is_seen = false;
  each_vantage(state, key, [&](const AgentState& agent, SeriesState& series) {
    is_seen = true;
    series.counted = false;
    see(*tally, agent, series, inputs->second.probe->spec, state.now);
  });
  sort(*tally);
  if (!is_seen) empty_window(state, inputs->second);
}

ProbeTally count_anew(const State& state, const ProbeKey& key, const ProbeSpec& spec, Instant now) {
  ProbeTally tally;
  each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
    tally.newest = std::max(tally.newest, series.observed);
    if (!is_fresh(agent, series, spec, now)) return;
    add(tally, series);
    expect_stale(tally, series, spec);
  });
  sort(tally);
  return tally;
}

void recount_when_stale(State& state, const ProbeKey& key, const ProbeInputs& inputs) {
  const ProbeTally* tally = find_tally(state, inputs);
  if (tally != nullptr && tally->next_stale <= state.now) recount(state, key);
}

void recount_all(State& state) {
  state.present.clear();
  for (auto& [name, agent] : state.agents) {
    agent.present = false;
    count_presence(state, agent);
  }
  state.tallies.clear();
  if (!state.inputs) return;
  state.tallies.resize(state.inputs->probes.size());
  std::vector<bool> is_seen(state.inputs->probes.size());
  for (auto& [name, agent] : state.agents) {
    for (auto& [key, series] : agent.series) {
      series.counted = false;
      ProbeTally* tally = tally_of(state, series.inputs);
      if (tally == nullptr) continue;
      see(*tally, agent, series, series.inputs->probe->spec, state.now);
      is_seen[series.inputs->number] = true;
    }
  }
  for (ProbeTally& tally : state.tallies) sort(tally);
  for (const auto& [key, inputs] : state.inputs->probes)
    if (!is_seen[inputs.number]) empty_window(state, inputs);
}

void set_next_stale(State& state, const ProbeKey& key, Instant at) {
  if (!state.inputs) return;
  const auto inputs = state.inputs->probes.find(key);
  if (inputs == state.inputs->probes.end()) return;
  if (ProbeTally* tally = tally_of(state, &inputs->second))
    tally->next_stale = std::min(tally->next_stale, at);
}

void count_presence(State& state, AgentState& agent) {
  const bool present = agent.attached || state.warm_up.away.contains(agent.name);
  if (present == agent.present) return;
  agent.present = present;
  for (const ServiceName& service : agent.services) state.present[service] += present ? 1 : -1;
}

void uncount_presence(State& state, AgentState& agent) {
  if (!agent.present) return;
  agent.present = false;
  for (const ServiceName& service : agent.services) --state.present[service];
}

const ProbeTally* find_tally(const State& state, const ProbeKey& key) {
  if (!state.inputs) return nullptr;
  const auto inputs = state.inputs->probes.find(key);
  return inputs == state.inputs->probes.end() ? nullptr : find_tally(state, inputs->second);
}

const ProbeTally* find_tally(const State& state, const ProbeInputs& inputs) {
  if (inputs.probe == nullptr || inputs.number >= state.tallies.size()) return nullptr;
  return &state.tallies[inputs.number];
}

}  // namespace firebreak::core
