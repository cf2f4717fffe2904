// From what every agent sees to what a rule reads.
#include "coordinator/core/signal_values.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {

namespace {

using policy::Signal;

Instant fresh_until(const SeriesState& series, const ProbeSpec& spec) {
  return series.observed + 3 * spec.every + spec.timeout + limits::kDeliverySlack;
}

cel::Value missing(const ProbeKey& key, const char* what) {
  return cel::Unknown{{key.service.str() + "/" + key.probe.str() + ": " + what}};
}

// Calls `visit` with every vantage point that has ever sent a result of the probe.
template <class Visit>
void each_vantage(const State& state, const ProbeKey& key, Visit visit) {
  const auto vantages = state.vantages.find(key.service);
  if (vantages == state.vantages.end()) return;
  for (const AgentName& name : vantages->second) {
    const auto agent = state.agents.find(name);
    if (agent == state.agents.end()) continue;
    const auto series = agent->second.series.find(key);
    if (series != agent->second.series.end()) visit(agent->second, series->second);
  }
}

const policy::Probe* find_probe(const State& state, const ProbeKey& key) {
  return state.policy ? state.policy->find_probe(key) : nullptr;
}

void merge(Window::Summary& into, const Window::Summary& from) {
  into.samples += from.samples;
  into.failures += from.failures;
  into.latency_sum += from.latency_sum;
  into.latency_max = std::max(into.latency_max, from.latency_max);
  if (from.values > 0) {
    into.value_min = into.values == 0 ? from.value_min : std::min(into.value_min, from.value_min);
    into.value_max = into.values == 0 ? from.value_max : std::max(into.value_max, from.value_max);
    into.value_sum += from.value_sum;
    into.values += from.values;
  }
  for (std::size_t i = 0; i < into.histogram.size(); ++i) into.histogram[i] += from.histogram[i];
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
  const auto vantages = state.vantages.find(key.service);
  if (vantages == state.vantages.end()) return 0;
  const auto expected =
      std::count_if(vantages->second.begin(), vantages->second.end(), [&](const AgentName& name) {
        const auto agent = state.agents.find(name);
        return state.warm_up.away.contains(name) ||
               (agent != state.agents.end() && agent->second.attached);
      });
  return std::max(static_cast<int>(expected) - fresh, 0);
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

cel::Value quantile(const Window::Summary& summary, double q, const ProbeKey& key) {
  const auto found = summary.quantile(q);
  if (!found) return missing(key, "no samples");
  return *found;
}

// Of a probe that has a fresh vantage point.
cel::Value windowed(const Window::Summary& summary, const SignalCall& call) {
  if (call.signal == Signal::samples) return static_cast<std::int64_t>(summary.samples);
  if (summary.samples == 0) return missing(call.probe, "no samples");
  const auto samples = static_cast<double>(summary.samples);
  switch (call.signal) {
    case Signal::error_rate:
      return static_cast<double>(summary.failures) / samples;
    case Signal::mean:
      return summary.latency_sum / static_cast<std::int64_t>(summary.samples);
    case Signal::max:
      return summary.latency_max;
    case Signal::p50:
      return quantile(summary, 0.50, call.probe);
    case Signal::p95:
      return quantile(summary, 0.95, call.probe);
    case Signal::p99:
      return quantile(summary, 0.99, call.probe);
    default:
      break;
  }
  if (summary.values == 0) return missing(call.probe, "no values");
  if (call.signal == Signal::min_value) return summary.value_min;
  if (call.signal == Signal::max_value) return summary.value_max;
  return summary.value_sum / static_cast<double>(summary.values);
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

bool is_fresh(const AgentState& agent, const SeriesState& series, const ProbeSpec& spec,
              Instant now) {
  return agent.attached && series.live && series.confirmed != Status::unknown &&
         now <= fresh_until(series, spec);
}

ProbeView view_probe(const State& state, const ProbeKey& key, Instant now) {
  ProbeView view;
  const policy::Probe* probe = find_probe(state, key);
  if (probe == nullptr) return view;
  int warnings = 0;
  std::vector<Instant> failing;
  each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
    if (series.observed != Instant{})
      view.newest = view.newest ? std::max(*view.newest, series.observed) : series.observed;
    if (!is_fresh(agent, series, probe->spec, now)) return;
    ++view.fresh;
    const Instant stale = fresh_until(series, probe->spec) + Duration{1};
    view.next_stale = view.next_stale ? std::min(*view.next_stale, stale) : stale;
    if (series.confirmed == Status::warning) ++warnings;
    if (series.confirmed == Status::critical) failing.push_back(series.confirmed_since);
  });
  const auto vantages = state.vantages.find(key.service);
  if (vantages != state.vantages.end()) view.vantages = static_cast<int>(vantages->second.size());
  view.failing = static_cast<int>(failing.size());
  view.missing = missing_vantages(state, key, view.fresh, now);
  view.status = judge(view, warnings, probe->need);
  if (!failing.empty()) {
    std::sort(failing.begin(), failing.end());
    const int need = probe->need > 0 ? probe->need : view.fresh / 2 + 1;
    view.failing_since = failing[static_cast<std::size_t>(std::min(need, view.failing) - 1)];
  }
  return view;
}

std::optional<Window::Summary> summary_over(const State& state, const ProbeKey& key,
                                            Duration window, Instant now) {
  const policy::Probe* probe = find_probe(state, key);
  if (probe == nullptr) return std::nullopt;
  bool any_fresh = false;
  Window::Summary sum;
  each_vantage(state, key, [&](const AgentState& agent, const SeriesState& series) {
    any_fresh = any_fresh || is_fresh(agent, series, probe->spec, now);
    merge(sum, series.window.over(window, now));
  });
  if (!any_fresh) return std::nullopt;
  return sum;
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

cel::Value ServiceSignals::call(int id, std::span<const cel::Value> arguments) const {
  const auto call = signal_call(id, arguments, service_);
  if (!call) return cel::Error{"a signal takes the name of a probe and, some, a window or value"};
  const policy::Probe* probe = find_probe(state_, call->probe);
  if (probe == nullptr) return missing(call->probe, "no such probe");
  switch (call->signal) {
    case Signal::available:
    case Signal::status:
    case Signal::failing_for:
    case Signal::failing_agents:
    case Signal::failing_share:
      return verdict_signal(view_probe(state_, call->probe, now_), *call, now_);
    case Signal::age: {
      const ProbeView view = view_probe(state_, call->probe, now_);
      if (!view.newest) return missing(call->probe, "no result");
      return now_ - *view.newest;
    }
    case Signal::value:
      return newest_value(state_, *call, probe->spec, now_);
    case Signal::latency:
      return newest_latency(state_, *call, probe->spec, now_);
    default:
      break;
  }
  const auto summary = summary_over(state_, call->probe, call->window, now_);
  if (!summary) return missing(call->probe, "no fresh result");
  return windowed(*summary, *call);
}

}  // namespace firebreak::core
