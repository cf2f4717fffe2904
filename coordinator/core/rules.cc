// Levels, holds and keeps of one service's rules, and when they must be looked at again.
#include "coordinator/core/rules.h"

#include <algorithm>
#include <limits>

#include "coordinator/core/agent_watch.h"
#include "coordinator/core/flapping.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/service_signals.h"
#include "coordinator/core/signal_values.h"
#include "coordinator/core/symptoms.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

using policy::SeverityIndex;

std::size_t rank(const std::optional<SeverityIndex>& severity) {
  return severity.value_or(std::numeric_limits<std::size_t>::max());
}
bool is_worse(const std::optional<SeverityIndex>& a, const std::optional<SeverityIndex>& b) {
  return rank(a) < rank(b);
}

// Takes on what the levels say, at once when it is worse, after `keep` when it is better.
void move_to(const std::optional<SeverityIndex>& wanted, const policy::Rule& rule, RuleState& state,
             Instant now) {
  if (!is_worse(state.severity, wanted)) {
    state.severity = wanted;
    state.lower_since.reset();
    return;
  }
  if (!state.lower_since) state.lower_since = now;
  if (now - *state.lower_since < rule.keep) return;
  state.severity = wanted;
  state.lower_since.reset();
}

struct Outcome {
  const policy::Rule::Level* level = nullptr;  // what decides the rule's severity now
  std::optional<Instant> next;                 // when time alone may change this
};

Outcome judge_rule(const policy::Rule& rule, RuleState& state, const cel::Activation& signals,
                   Instant now) {
  Outcome outcome;
  state.true_since.resize(rule.levels.size());
  state.undecided = false;
  // As far as the severity may sink: a level that is not decided, or true but not for long enough,
  // does not raise it but holds it up.
  std::optional<SeverityIndex> floor;
  const policy::Rule::Level* standing = nullptr;
  for (std::size_t i = 0; i < rule.levels.size(); ++i) {
    const policy::Rule::Level& level = rule.levels[i];
    std::optional<Instant>& since = state.true_since[i];
    const cel::Value value = level.when.evaluate(signals);
    if (value.is_false()) {
      since.reset();
      continue;
    }
    if (value.is_true()) {
      if (!since) since = now;
      if (now - *since >= rule.hold) {
        if (outcome.level == nullptr) outcome.level = &level;
        continue;
      }
      at_first(outcome.next, *since + rule.hold);
      // A severity that stands needs no second hold: data came back and says the same.
      if (standing == nullptr && state.severity && level.severity <= *state.severity)
        standing = &level;
    } else {
      since.reset();
      state.undecided = true;
    }
    if (!state.severity) continue;
    const SeverityIndex up_to = std::max(level.severity, *state.severity);
    floor = floor ? std::min(*floor, up_to) : up_to;
  }
  std::optional<SeverityIndex> wanted = floor;
  if (outcome.level != nullptr && !is_worse(floor, outcome.level->severity))
    wanted = outcome.level->severity;
  else
    outcome.level = standing;
  move_to(wanted, rule, state, now);
  if (state.lower_since) at_first(outcome.next, *state.lower_since + rule.keep);
  if (state.severity != wanted) outcome.level = nullptr;
  return outcome;
}

// The first result that showed what the level says; a fact or a number: now.
Instant shown_since(const State& state, const policy::Rule::Level& level,
                    const ServiceName& service, Instant now) {
  std::optional<Instant> first;
  for (const cel::Call& call : level.when.calls()) {
    const auto signal = signal_call(call, service);
    if (!signal) continue;
    const ProbeView view = view_probe(state, signal->probe, now);
    if (view.status == Status::critical && view.failing_since) at_first(first, *view.failing_since);
  }
  return first.value_or(now);
}

// When time alone may change what the service's rules read.
void look_again(const State& state, const ServiceInputs& inputs, Instant now,
                std::optional<Instant>& next) {
  for (const auto& [key, probe] : inputs.probes) {
    const ProbeView view = view_probe(state, key, *probe, now);
    if (view.next_stale) at_first(next, *view.next_stale);
    if (!view.newest) continue;
    const bool moves = *view.newest + inputs.longest > now || view.failing > 0;
    if (inputs.ages || (inputs.grows && moves)) at_first(next, now + kLookEvery);
  }
  for (const policy::Hours* hours : inputs.hours) at_first(next, hours->look_again(now));
  if (inputs.clock) at_first(next, now + kLookEvery);
  if (!inputs.probes.empty() && is_warming_up(state, now)) at_first(next, state.warm_up.until);
}

}  // namespace

void judge_service(Turn& turn, const ServiceName& name) {
  State& state = turn.state;
  const policy::Service* service = state.policy ? state.policy->find_service(name) : nullptr;
  if (service == nullptr) return;
  if (state.policy->is_agents_service(name)) return judge_agents(turn);
  ServiceState& mine = state.services[name];
  const auto inputs = state.inputs->services.find(name);
  if (inputs != state.inputs->services.end())
    for (const auto& [key, probe] : inputs->second.probes) recount_when_stale(state, key, *probe);
  const ServiceSignals signals(state, name, turn.now);
  const auto before = mine.severity;
  const bool is_read = state.inputs->severities.contains(name);
  const cel::Value told = is_read ? severity_value(state, name) : cel::Value();
  const bool was_blind = mine.blind;
  std::optional<Instant> next;
  const policy::Rule::Level* decided = nullptr;
  std::string because;
  mine.rules.resize(service->rules.size());
  mine.severity.reset();
  for (std::size_t i = 0; i < service->rules.size(); ++i) {
    const policy::Rule& rule = service->rules[i];
    const Outcome outcome = judge_rule(rule, mine.rules[i], signals, turn.now);
    if (outcome.next) at_first(next, *outcome.next);
    if (is_worse(mine.rules[i].severity, mine.severity)) {
      mine.severity = mine.rules[i].severity;
      decided = nullptr;
    }
    if (decided == nullptr && outcome.level != nullptr && mine.rules[i].severity == mine.severity) {
      decided = outcome.level;
      because = rule.name + ": " + outcome.level->when.text();
    }
  }
  mine.blind = mine.severity && decided == nullptr;
  if (decided != nullptr && (is_worse(mine.severity, before) || was_blind)) {
    mine.because = std::move(because);
    mine.shown = shown_since(state, *decided, name, turn.now);
  }
  mine.evaluated = turn.now;
  if (inputs != state.inputs->services.end()) look_again(state, inputs->second, turn.now, next);
  follow_flapping(turn, name, mine.severity != before, next);
  if (mine.severity != before || mine.blind != was_blind || awaits_news(mine))
    service_judged(turn, name);
  if (awaits_news(mine) && !mine.blind) at_first(next, turn.now + kLookEvery);
  state.service_alarms.set(name, next);
  if (is_read && severity_value(state, name) != told) {
    const auto& readers = state.inputs->severities.at(name);
    state.dirty.insert(readers.begin(), readers.end());
  }
  note_hosts(turn, name);
}

std::string describe_fault(const State& state, const ServiceName& service, Instant now) {
  const auto inputs = state.inputs->services.find(service);
  const auto mine = state.services.find(service);
  if (inputs != state.inputs->services.end()) {
    for (const auto& [key, probe] : inputs->second.probes) {
      const ProbeView view = view_probe(state, key, *probe, now);
      if (view.status != Status::critical) continue;
      std::string text =
          key.service == service ? key.probe.str() : key.service.str() + "/" + key.probe.str();
      text += " is critical on " + std::to_string(view.failing) + " of " +
              std::to_string(view.fresh) + (view.fresh == 1 ? " agent" : " agents");
      for (const AgentName& name : state.vantages.at(key.service)) {
        const AgentState& agent = state.agents.at(name);
        const auto series = agent.series.find(key);
        if (series == agent.series.end() || series->second.confirmed != Status::critical) continue;
        const Observation& seen = series->second.confirmed_by;
        text += std::string(" (") + to_string(seen.reason);
        if (seen.phase != firebreak::Phase::none)
          text += std::string(" in ") + to_string(seen.phase);
        return text + ")";
      }
      return text;
    }
  }
  return mine == state.services.end() ? std::string() : mine->second.because;
}

}  // namespace firebreak::core
