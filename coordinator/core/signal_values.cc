// From what every agent sees to what a rule reads.
#include "coordinator/core/signal_values.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "coordinator/core/baseline.h"
#include "coordinator/core/service_signals.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

using policy::Signal;

cel::Value missing(const ProbeKey& key, const char* what) {
  return cel::Unknown{{key.service.str() + "/" + key.probe.str() + ": " + what}};
}

// Who is missing just after a start may see a fault or none.
Status judge(const ProbeView& view, int warnings, int wanted) {
  if (view.fresh == 0) return Status::unknown;
  const int voters = view.fresh + view.missing;
  const int need = wanted > 0 ? std::min(wanted, std::max(view.vantages, 1)) : voters / 2 + 1;
  if (view.failing >= need) return Status::critical;
  if (view.missing > 0 && view.failing + view.missing >= need) return Status::unknown;
  if (view.failing > 0 && view.fresh < need) return Status::unknown;
  return view.failing + warnings >= need ? Status::warning : Status::ok;
}

// Vantage points that will be there again soon after a start: their agents are awaited, or are back
// and have not looked yet.
int missing_vantages(const State& state, const ProbeKey& key, int fresh, Instant now) {
  if (!is_warming_up(state, now)) return 0;
  const auto present = state.present.find(key.service);
  return present == state.present.end() ? 0 : std::max(present->second - fresh, 0);
}

ProbeView view_of(const State& state, const ProbeKey& key, const policy::Probe& probe,
                  const ProbeTally& tally, Instant now) {
  ProbeView view;
  view.fresh = tally.fresh;
  view.failing = static_cast<int>(tally.failing_since.size());
  if (tally.newest != Instant{}) view.newest = tally.newest;
  if (tally.next_stale != kNever) view.next_stale = tally.next_stale;
  const auto vantages = state.vantages.find(key.service);
  if (vantages != state.vantages.end()) view.vantages = static_cast<int>(vantages->second.size());
  view.missing = missing_vantages(state, key, view.fresh, now);
  view.status = judge(view, tally.warnings, probe.need);
  if (view.failing > 0) {
    const int need = probe.need > 0 ? probe.need : view.fresh / 2 + 1;
    view.failing_since =
        tally.failing_since[static_cast<std::size_t>(std::min(need, view.failing) - 1)];
  }
  return view;
}

cel::Value newest_value(const State& state, const SignalCall& call, const ProbeSpec& spec,
                        Instant now) {
  std::optional<double> worst;
  each_vantage(state, call.probe, [&](const AgentState& agent, const SeriesState& series) {
    if (!is_fresh(agent, series, spec, now)) return;
    for (const NamedValue& value : series.confirmed_by.values) {
      if (!call.value_name.empty() && value.name != call.value_name) continue;
      worst = worst ? std::max(*worst, value.value) : value.value;
      break;
    }
  });
  if (!worst) return missing(call.probe, "no value");
  return *worst;
}

cel::Value newest_latency(const State& state, const SignalCall& call, const ProbeSpec& spec,
                          Instant now) {
  std::optional<Duration> worst;
  each_vantage(state, call.probe, [&](const AgentState& agent, const SeriesState& series) {
    if (!is_fresh(agent, series, spec, now)) return;
    worst = worst ? std::max(*worst, series.confirmed_by.latency) : series.confirmed_by.latency;
  });
  if (!worst) return missing(call.probe, "no fresh result");
  return *worst;
}

// Of the vantage point where it changed most, or rose fastest.
cel::Value change_of_value(const State& state, const SignalCall& call, const ProbeSpec& spec,
                           Instant now) {
  std::optional<double> most;
  const auto trails = state.trails.find(call.probe);
  if (trails == state.trails.end()) return missing(call.probe, "no values");
  for (const auto& [name, trail] : trails->second) {
    const AgentState& agent = state.agents.at(name);
    const auto series = agent.series.find(call.probe);
    if (series == agent.series.end() || !is_fresh(agent, series->second, spec, now)) continue;
    const auto change = trail.over(call.window, now);
    if (!change) continue;
    const double seconds = std::chrono::duration<double>(change->over).count();
    const double mine = call.signal == Signal::delta ? change->delta : change->risen / seconds;
    if (!most || std::abs(mine) > std::abs(*most)) most = mine;
  }
  if (!most) return missing(call.probe, "fewer than two values");
  return *most;
}

cel::Value failing_groups(const State& state, const SignalCall& call, const policy::Probe& probe,
                          Instant now) {
  const Groups groups = group_vantages(state, call.probe, probe, call.label, now);
  if (groups.judged == 0)
    return missing(call.probe, "no fresh result of an agent that has the label");
  if (call.signal == Signal::failing_groups) return groups.failing;
  if (groups.awaits) return missing(call.probe, "agents are awaited after a start");
  return static_cast<double>(groups.failing) / static_cast<double>(groups.judged);
}

std::optional<double> quantile_of(Signal signal) {
  if (signal == Signal::p50) return 0.50;
  if (signal == Signal::p95) return 0.95;
  if (signal == Signal::p99) return 0.99;
  return std::nullopt;
}

// Of a probe that has a fresh vantage point.
cel::Value windowed(const Window& window, const SignalCall& call, Instant now) {
  if (const auto q = quantile_of(call.signal)) {
    const auto latency = window.over(call.window, now).quantile(*q);
    return latency ? cel::Value(*latency) : missing(call.probe, "no samples");
  }
  const Window::Counts counts = window.counts(call.window, now);
  if (call.signal == Signal::samples) return static_cast<std::int64_t>(counts.samples);
  if (counts.samples == 0) return missing(call.probe, "no samples");
  const auto samples = static_cast<double>(counts.samples);
  if (call.signal == Signal::error_rate) return static_cast<double>(counts.failures) / samples;
  if (call.signal == Signal::max) return counts.latency_max;
  if (call.signal == Signal::mean)
    return counts.latency_sum / static_cast<std::int64_t>(counts.samples);
  if (counts.values == 0) return missing(call.probe, "no values");
  if (call.signal == Signal::min_value) return counts.value_min;
  if (call.signal == Signal::max_value) return counts.value_max;
  return counts.value_sum / static_cast<double>(counts.values);
}

// Of the signals that are about verdicts. A probe nobody can judge has none of them.
cel::Value verdict_signal(const ProbeView& view, const SignalCall& call, Instant now) {
  if (view.fresh == 0) return missing(call.probe, "no fresh result");
  if (call.signal == Signal::failing_agents) return view.failing;
  if (call.signal == Signal::failing_share && view.missing > 0)
    return missing(call.probe, "agents are awaited after a start");
  if (call.signal == Signal::failing_share)
    return static_cast<double>(view.failing) / static_cast<double>(view.fresh);
  if (view.status == Status::unknown) return missing(call.probe, "too few fresh results");
  if (call.signal == Signal::available) return view.status != Status::critical;
  if (call.signal == Signal::status) return to_string(view.status);
  if (view.status != Status::critical || !view.failing_since) return Duration{0};
  return now - *view.failing_since;
}

}  // namespace

ProbeView view_probe(const State& state, const ProbeKey& key, const ProbeInputs& inputs,
                     Instant now) {
  if (inputs.probe == nullptr) return {};
  const ProbeTally* tally = find_tally(state, inputs);
  if (tally != nullptr && now < tally->next_stale)
    return view_of(state, key, *inputs.probe, *tally, now);
  return view_of(state, key, *inputs.probe, count_anew(state, key, inputs.probe->spec, now), now);
}

ProbeView view_probe(const State& state, const ProbeKey& key, Instant now) {
  if (!state.inputs) return {};
  const auto inputs = state.inputs->probes.find(key);
  if (inputs == state.inputs->probes.end()) return {};
  return view_probe(state, key, inputs->second, now);
}

const Window* fresh_window(const State& state, const ProbeKey& key, Instant now) {
  if (!state.inputs) return nullptr;
  const auto inputs = state.inputs->probes.find(key);
  if (inputs == state.inputs->probes.end() ||
      view_probe(state, key, inputs->second, now).fresh == 0)
    return nullptr;
  return find_window(state, &inputs->second);
}

cel::Value ServiceSignals::variable(std::string_view path) const {
  constexpr std::string_view kFacts = "facts.";
  if (path == "service") return service_.str();
  if (!path.starts_with(kFacts)) return cel::Unknown{{std::string(path)}};
  const FactName name(path.substr(kFacts.size()));
  for (const ServiceName& scope : {service_, ServiceName()}) {
    const auto found = state_.facts.find({name, scope});
    if (found != state_.facts.end()) return found->second.value;
  }
  if (!state_.policy) return cel::Unknown{{std::string(path)}};
  const auto declared = state_.policy->facts.find(name);
  if (declared == state_.policy->facts.end() || declared->second.initial.is(cel::Value::Kind::null))
    return cel::Unknown{{std::string(path)}};
  return declared->second.initial;
}

// Of a signal that is of no probe.
cel::Value ServiceSignals::other(int id, std::span<const cel::Value> arguments) const {
  const auto signal = static_cast<Signal>(id);
  if (signal == Signal::now) return now_;
  const bool named = !arguments.empty() && arguments[0].is(cel::Value::Kind::string);
  if (named && signal == Signal::severity_of)
    return severity_value(state_, ServiceName(arguments[0].as_string()));
  if (named && signal == Signal::service_status)
    return status_value(state_, ServiceName(arguments[0].as_string()), now_);
  if (!named || arguments.size() < 2 || !arguments[1].is(cel::Value::Kind::string))
    return cel::Error{"within() takes times and a time zone"};
  const std::pair<std::string_view, std::string_view> text(arguments[0].as_string(),
                                                           arguments[1].as_string());
  if (state_.policy)
    if (const auto hours = state_.policy->hours.find(text); hours != state_.policy->hours.end())
      return hours->second.contains(now_);
  // A checklist that began under a policy before this one.
  return cel::Unknown{{"within('" + std::string(text.first) + "')"}};
}

cel::Value ServiceSignals::call(int id, std::span<const cel::Value> arguments) const {
  if (!policy::is_of_probe(static_cast<Signal>(id))) return other(id, arguments);
  auto call = signal_call(id, arguments, service_);
  if (!call) return cel::Error{"a signal takes the name of a probe and, some, a window or value"};
  if (!state_.inputs) return missing(call->probe, "no policy");
  const auto inputs = state_.inputs->probes.find(call->probe);
  const bool known = inputs != state_.inputs->probes.end();
  const policy::Probe* probe = known ? inputs->second.probe : nullptr;
  if (probe == nullptr) return missing(call->probe, "no such probe");
  switch (call->signal) {
    case Signal::available:
    case Signal::status:
    case Signal::failing_for:
    case Signal::failing_agents:
    case Signal::failing_share:
      return verdict_signal(view_probe(state_, call->probe, inputs->second, now_), *call, now_);
    case Signal::age: {
      const ProbeView view = view_probe(state_, call->probe, inputs->second, now_);
      if (!view.newest) return missing(call->probe, "no result");
      return now_ - *view.newest;
    }
    case Signal::value:
      return newest_value(state_, *call, probe->spec, now_);
    case Signal::latency:
      return newest_latency(state_, *call, probe->spec, now_);
    case Signal::delta:
    case Signal::rate:
      return change_of_value(state_, *call, probe->spec, now_);
    case Signal::failing_groups:
    case Signal::failing_groups_share:
      return failing_groups(state_, *call, *probe, now_);
    default:
      break;
  }
  if (const auto live = live_signal(call->signal)) {
    const auto mine = state_.services.find(service_);
    if (mine != state_.services.end() && mine->second.held_at)
      return held_value(mine->second, *call);
    call->signal = *live;
  }
  const Window* window = fresh_window(state_, call->probe, now_);
  if (window == nullptr) return missing(call->probe, "no fresh result");
  return windowed(*window, *call, now_);
}

}  // namespace firebreak::core
