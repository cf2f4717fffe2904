// Levels, holds and keeps of one service's rules, and when they must be looked at again.
#include "coordinator/core/rules.h"

#include <algorithm>
#include <limits>

#include "coordinator/core/agent_watch.h"
#include "coordinator/core/baseline.h"
#include "coordinator/core/containment.h"
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
  std::string missing;                         // what a level could not be decided for
};

// What the rules of a service are judged by.
struct Judge {
  const State& state;
  const ServiceName& service;
  const ServiceSignals& signals;
  Instant now;
};

// Whether there are as many results of each probe that the level reads as the rule wants.
bool has_samples(const Judge& judge, const policy::Rule& rule, const policy::Rule::Level& level) {
  for (const cel::Call& call : level.when.calls()) {
    const auto signal = signal_call(call, judge.service);
    if (!signal) continue;
    const Window* window = fresh_window(judge.state, signal->probe, judge.now);
    if (window == nullptr) return false;
    const Window::Counts counts = window->counts(samples_within(rule, *signal), judge.now);
    if (counts.samples < static_cast<std::uint64_t>(rule.samples)) return false;
  }
  return true;
}

cel::Value evaluate(const Judge& judge, const policy::Rule& rule,
                    const policy::Rule::Level& level) {
  cel::Value value = level.when.evaluate(judge.signals);
  if (rule.samples == 0 || value.is_unknown() || has_samples(judge, rule, level)) return value;
  return cel::Unknown{{"fewer than " + std::to_string(rule.samples) + " results"}};
}

// Whether data has been missing for so long that `no_data: alert` makes it the rule's severity. Not
// while a level says what is wrong, nor while agents are awaited after a start.
bool is_news(const Judge& judge, const policy::Rule& rule, RuleState& state, Outcome& outcome) {
  if (rule.no_data != policy::NoData::alert || !state.undecided || outcome.level != nullptr ||
      is_warming_up(judge.state, judge.now)) {
    state.undecided_since.reset();
    return false;
  }
  if (!state.undecided_since) state.undecided_since = judge.now;
  const Instant due = *state.undecided_since + rule.silence;
  if (due <= judge.now) return true;
  at_first(outcome.next, due);
  return false;
}

std::string what_is_missing(const cel::Value& value) {
  if (!value.is_unknown()) return "it cannot be evaluated";
  const auto& missing = value.as_unknown().missing;
  return missing.empty() ? std::string("nothing is known") : *missing.begin();
}

Outcome judge_rule(const Judge& judge, const policy::Rule& rule, RuleState& state) {
  const Instant now = judge.now;
  Outcome outcome;
  state.true_since.resize(rule.levels.size());
  state.undecided = false;
  if (rule.no_data != policy::NoData::alert) state.no_data = false;
  // As far as the severity may sink: a level that is not decided, or true but not for long enough,
  // does not raise it but holds it up.
  std::optional<SeverityIndex> floor;
  const policy::Rule::Level* standing = nullptr;
  for (std::size_t i = 0; i < rule.levels.size(); ++i) {
    const policy::Rule::Level& level = rule.levels[i];
    std::optional<Instant>& since = state.true_since[i];
    const cel::Value value = evaluate(judge, rule, level);
    if (value.is_false() || (!value.is_true() && rule.no_data == policy::NoData::ok)) {
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
      // A severity that stands needs no second hold: data came back and says the same. One that
      // was raised because there was none has had no first one.
      if (standing == nullptr && state.severity && !state.no_data &&
          level.severity <= *state.severity)
        standing = &level;
    } else {
      since.reset();
      if (!state.undecided && rule.no_data == policy::NoData::alert)
        outcome.missing = what_is_missing(value);
      state.undecided = true;
    }
    if (!state.severity) continue;
    const SeverityIndex up_to = std::max(level.severity, *state.severity);
    floor = floor ? std::min(*floor, up_to) : up_to;
  }
  const bool news = is_news(judge, rule, state, outcome);
  if (news) floor = floor ? std::min(*floor, rule.no_data_severity) : rule.no_data_severity;
  std::optional<SeverityIndex> wanted = floor;
  if (outcome.level != nullptr && !is_worse(floor, outcome.level->severity))
    wanted = outcome.level->severity;
  else
    outcome.level = standing;
  const auto before = state.severity;
  move_to(wanted, rule, state, now);
  if (state.lower_since) at_first(outcome.next, *state.lower_since + rule.keep);
  if (state.severity != wanted) outcome.level = nullptr;
  if (news && is_worse(state.severity, before))
    state.no_data = true;
  else if (!state.severity || outcome.level != nullptr)
    state.no_data = false;
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
    if (view.newest && (inputs.ages || (inputs.grows && view.failing > 0)))
      at_first(next, now + kLookEvery);
  }
  // Until results come, a window changes when a bucket leaves it.
  const auto changes = [&](std::optional<Instant> at) {
    if (at) at_first(next, std::max(*at, now + kLookEvery));
  };
  for (const auto& [key, window] : inputs.windows)
    if (const Window* gathered = find_window(state, inputs.probes.at(key)))
      changes(gathered->next_change(window, now));
  for (const auto& [key, window] : inputs.trails) changes(next_change(state, key, window, now));
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
  const bool was_no_data = mine.no_data;
  const Judge judge{state, name, signals, turn.now};
  std::optional<Instant> next;
  const policy::Rule::Level* decided = nullptr;
  const RuleState* silent = nullptr;  // raises the severity because data is missing
  std::string because;
  mine.rules.resize(service->rules.size());
  mine.severity.reset();
  for (std::size_t i = 0; i < service->rules.size(); ++i) {
    const policy::Rule& rule = service->rules[i];
    const Outcome outcome = judge_rule(judge, rule, mine.rules[i]);
    if (outcome.next) at_first(next, *outcome.next);
    if (is_worse(mine.rules[i].severity, mine.severity)) {
      mine.severity = mine.rules[i].severity;
      decided = nullptr;
      silent = nullptr;
    }
    if (silent == nullptr && mine.rules[i].no_data && mine.rules[i].severity == mine.severity) {
      silent = &mine.rules[i];
      if (decided == nullptr) because = rule.name + ": no data (" + outcome.missing + ")";
    }
    if (decided == nullptr && outcome.level != nullptr && mine.rules[i].severity == mine.severity) {
      decided = outcome.level;
      because = rule.name + ": " + outcome.level->when.text();
    }
  }
  mine.blind = mine.severity && decided == nullptr;
  mine.no_data = mine.blind && silent != nullptr;
  const bool worse = is_worse(mine.severity, before);
  const bool decides_anew = decided != nullptr && (worse || was_blind);
  const bool misses_anew = mine.no_data && (worse || !was_no_data);
  if (decides_anew) mine.shown = shown_since(state, *decided, name, turn.now);
  if (misses_anew) mine.shown = silent->undecided_since.value_or(turn.now);
  if (decides_anew || misses_anew) mine.because = std::move(because);
  mine.evaluated = turn.now;
  if (inputs != state.inputs->services.end())
    hold_baselines(state, name, mine, inputs->second, turn.now);
  if (inputs != state.inputs->services.end()) look_again(state, inputs->second, turn.now, next);
  follow_flapping(turn, name, mine.severity != before, next);
  if (was_no_data && mine.severity && !mine.blind) begin_stages_anew(turn, mine.open_incident);
  if (mine.severity != before || mine.blind != was_blind || mine.no_data != was_no_data ||
      awaits_news(mine))
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
