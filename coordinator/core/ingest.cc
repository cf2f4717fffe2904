// The hot path: a result of a healthy probe changes two fields and a window, and wakes nobody.
#include "coordinator/core/ingest.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "common/broken.h"
#include "common/limits.h"
#include "coordinator/core/agent_watch.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/rules.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

// A probe's readers after one result; `changed`: the verdict, or that there is one at all.
void wake_readers(State& state, const ProbeInputs& inputs, bool changed, Instant now) {
  for (const auto& [service, reading] : inputs.readers) {
    if (reading.newest || (changed && reading.verdict)) {
      state.dirty.insert(service);
    } else if (changed || reading.windowed) {
      const auto found = state.services.find(service);
      const Instant evaluated = found == state.services.end() ? now : found->second.evaluated;
      state.service_alarms.set_earlier(service, std::max(now, evaluated + kLookEvery));
    }
  }
}

// Of numbers that an agent says: two of them must not make a small one.
void add_claim(std::uint64_t& counter, std::uint64_t more) {
  counter += std::min(more, std::numeric_limits<std::uint64_t>::max() - counter);
}

bool is_past(const AgentState& agent, std::uint64_t incarnation) {
  const auto& past = agent.past_incarnations;
  return std::find(past.begin(), past.end(), incarnation) != past.end();
}

void begin_incarnation(AgentState& agent, std::uint64_t incarnation) {
  if (agent.incarnation == incarnation) return;
  if (agent.incarnation != 0) agent.past_incarnations.push_back(agent.incarnation);
  if (agent.past_incarnations.size() > limits::kPastIncarnationsMax)
    agent.past_incarnations.pop_front();
  agent.incarnation = incarnation;
  agent.last_seq = 0;
  agent.refs.clear();
}

void define_series(AgentState& agent, const std::vector<SeriesDefined>& series) {
  for (const SeriesDefined& defined : series) {
    if (defined.ref >= limits::kSeriesPerAgentMax) continue;
    if (agent.refs.size() <= defined.ref) agent.refs.resize(defined.ref + 1);
    agent.refs[defined.ref] = SeriesRef(defined.key);
  }
}

// The series of a probe that this agent is to run; null: another one.
SeriesState* find_series(const State& state, AgentState& agent, std::uint32_t ref) {
  if (ref >= agent.refs.size() || !agent.refs[ref].key()) return nullptr;
  if (SeriesState* series = agent.refs[ref].found()) return series;
  const ProbeKey& key = *agent.refs[ref].key();
  const auto found = agent.series.find(key);
  if (found != agent.series.end()) {
    agent.refs[ref].remember(&found->second);
    return &found->second;
  }
  if (!state.inputs || !agent.services.contains(key.service)) return nullptr;
  const auto inputs = state.inputs->probes.find(key);
  if (inputs == state.inputs->probes.end()) return nullptr;
  SeriesState& series = agent.series[key];
  series.inputs = &inputs->second;
  agent.refs[ref].remember(&series);
  return &series;
}

// Whether the verdict that counts changed.
bool take_verdict(State& state, SeriesState& series, const ResultRow& row, Instant observed) {
  const Status status = row.observation.status;
  const bool agrees = status == series.confirmed && series.confirmed_at != Instant{};
  if (!row.confirmed && !agrees) {
    if (series.suspected_since == Instant{} || series.suspected != status)
      series.suspected_since = observed;
    series.suspected = status;
    return false;
  }
  if (!agrees) {
    uncount(state, series);
    const bool suspected = series.suspected_since != Instant{} && series.suspected == status;
    series.confirmed_since = suspected ? series.suspected_since : observed;
    series.confirmed = status;
  }
  series.suspected_since = {};
  series.confirmed_at = observed;
  series.confirmed_by = row.observation;
  return !agrees;
}

void take_row(State& state, AgentState& agent, const ResultRow& row) {
  ++state.counters.results;
  SeriesState* series = find_series(state, agent, row.ref);
  if (series == nullptr) {
    ++state.counters.unknown_probe;
    return;
  }
  const Observation& seen = row.observation;
  Instant observed = std::min(row.observed, state.now);
  if (state.now - observed > limits::kLateAfter + seen.latency) {
    ++state.counters.late;
    return;
  }
  // In the order of the sequence numbers, whatever the clocks say: but that makes it no fresher.
  series->ahead = std::max(series->observed - observed, Duration{0});
  observed += series->ahead;
  bool changed = take_verdict(state, *series, row, observed);
  // Not by a result that is yet to be confirmed: the verdict before it may be of another day.
  if (agent.attached && !series->live && series->confirmed_at == observed)
    changed = series->live = true;
  series->observed = observed;
  const bool was_counted = series->counted;
  count(state, agent, *series);
  if (series->counted != was_counted) changed = true;  // silent for long, and back
  Window* window = find_window(state, series->inputs);
  if (seen.status != Status::unknown && window != nullptr) {
    Window::Sample sample{seen.status == Status::critical, seen.latency, {}};
    if (!seen.values.empty()) sample.value = seen.values.front().value;
    window->add(observed, sample);
  }
  if (series->inputs != nullptr && !series->inputs->trails.empty() &&
      seen.status != Status::unknown && !seen.values.empty())
    follow(state, *agent.refs[row.ref].key(), *series->inputs, agent.name, observed,
           seen.values.front().value);
  if (series->inputs != nullptr) wake_readers(state, *series->inputs, changed, state.now);
}

}  // namespace

cel::Bindings selector_bindings(const AgentState& agent) {
  cel::Map labels;
  for (const auto& [name, value] : agent.labels) labels.emplace(name, value);
  cel::Bindings bindings;
  bindings.set("name", agent.name.str());
  bindings.set("labels", cel::Value(std::move(labels)));
  return bindings;
}

void select_services(State& state, AgentState& agent) {
  uncount_presence(state, agent);
  for (const ServiceName& service : agent.services) state.vantages[service].erase(agent.name);
  agent.services.clear();
  if (!state.policy) return;
  const cel::Bindings bindings = selector_bindings(agent);
  for (const auto& [name, service] : state.policy->services) {
    if (!service.agents || !service.agents->evaluate(bindings).is_true()) continue;
    agent.services.insert(name);
    state.vantages[name].insert(agent.name);
  }
  count_presence(state, agent);
  std::vector<ProbeKey> gone;
  std::erase_if(agent.series, [&](const auto& entry) {
    if (agent.services.contains(entry.first.service)) return false;
    gone.push_back(entry.first);
    return true;
  });
  if (!gone.empty()) agent.forget();
  for (const ProbeKey& key : gone) {
    forget_trail(state, key, agent.name);
    recount(state, key);
  }
}

void lose_agent(Turn& turn, AgentState& agent) {
  if (agent.attached) agent_lost(turn, agent);
  agent.attached = false;
  count_presence(turn.state, agent);
  // After a start the others' verdict waits for it no longer, whatever it has said.
  const bool is_awaited = is_warming_up(turn.state, turn.now);
  for (auto& [key, series] : agent.series) {
    const bool matters = series.live || is_awaited;
    series.live = false;
    uncount(turn.state, series);
    if (matters && series.inputs != nullptr)
      wake_readers(turn.state, *series.inputs, true, turn.now);
  }
}

void agent_attached(Turn& turn, const AgentAttached& event) {
  State& state = turn.state;
  AgentState& agent = state.agents[event.agent];
  agent.name = event.agent;
  lose_agent(turn, agent);
  // An earlier life, on a connection that was held up, or another host under the same name: were it
  // taken for the agent again, the results of the life that goes on would count as repeats.
  if (is_past(agent, event.incarnation)) return;
  begin_incarnation(agent, event.incarnation);
  agent.attached = true;
  agent.version = event.version;
  agent.labels = event.labels;
  agent.actions = event.actions;
  agent.clock_skew = event.clock_skew;
  agent.last_seen = turn.now;
  agent_heard(turn, event.agent);
  select_services(state, agent);
  if (agent.services.empty()) agent_is_back(turn, event.agent);  // it will have nothing to say
  turn.emit(SendAssignment{event.agent});
}

void agent_detached(Turn& turn, const AgentDetached& event) {
  const auto found = turn.state.agents.find(event.agent);
  if (found == turn.state.agents.end() || found->second.incarnation != event.incarnation) return;
  lose_agent(turn, found->second);
}

void results_received(Turn& turn, const ResultsReceived& event) {
  State& state = turn.state;
  AgentState& agent = state.agents[event.agent];
  agent.name = event.agent;
  if (is_past(agent, event.incarnation)) {
    state.counters.duplicates += event.rows.size();
    return;
  }
  begin_incarnation(agent, event.incarnation);
  agent.last_seen = turn.now;
  define_series(agent, event.series);
  if (event.rows.empty()) return;
  const std::uint64_t next = agent.last_seq + 1;
  if (event.first_seq > next) {
    const std::uint64_t gap = event.first_seq - next;
    const std::uint64_t dropped = std::min(gap, event.dropped_before);
    add_claim(agent.dropped_results, dropped);
    add_claim(state.counters.dropped_by_agents, dropped);
    // What an incarnation sent before this coordinator knew it is not missing here.
    if (agent.last_seq != 0) add_claim(state.counters.missing, gap - dropped);
  }
  const std::uint64_t skip = event.first_seq >= next || is_broken(Break::dedup)
                                 ? 0
                                 : std::min(next - event.first_seq, event.rows.size());
  state.counters.duplicates += skip;
  for (std::size_t i = skip; i < event.rows.size(); ++i) take_row(state, agent, event.rows[i]);
  agent.last_seq = std::max(agent.last_seq, event.first_seq + event.rows.size() - 1);
  // What came before is no news of the agent's present.
  if (agent.attached && skip < event.rows.size()) agent_is_back(turn, event.agent);
}

}  // namespace firebreak::core
