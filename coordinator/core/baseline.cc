// One number per call of a baseline in the service's rules.
#include "coordinator/core/baseline.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "coordinator/core/signal_values.h"

namespace firebreak::core {

namespace {

using policy::Signal;

struct Row {
  const char* name;
  Signal baseline;
  Signal live;
};
constexpr std::array<Row, 5> kRows{{
    {"baseline_mean", Signal::baseline_mean, Signal::mean},
    {"baseline_p50", Signal::baseline_p50, Signal::p50},
    {"baseline_p95", Signal::baseline_p95, Signal::p95},
    {"baseline_p99", Signal::baseline_p99, Signal::p99},
    {"baseline_error_rate", Signal::baseline_error_rate, Signal::error_rate},
}};

const Row* row_of(Signal signal) {
  const auto row = std::ranges::find(kRows, signal, &Row::baseline);
  return row == kRows.end() ? nullptr : &*row;
}

bool is_well(const ServiceState& service) {
  const auto is_true = [](const std::optional<Instant>& since) { return since.has_value(); };
  return !service.severity && service.open_incident.empty() &&
         std::ranges::none_of(service.rules, [&](const RuleState& rule) {
           return std::ranges::any_of(rule.true_since, is_true);
         });
}

}  // namespace

std::optional<Signal> live_signal(Signal signal) {
  const Row* row = row_of(signal);
  return row == nullptr ? std::nullopt : std::optional(row->live);
}

const char* name_of_baseline(Signal signal) {
  const Row* row = row_of(signal);
  return row == nullptr ? "" : row->name;
}

std::optional<Signal> baseline_named(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row.baseline;
  return std::nullopt;
}

cel::Value held_value(const ServiceState& service, const SignalCall& call) {
  for (const Baseline& held : service.baselines) {
    if (held.signal != call.signal || held.window != call.window || held.probe != call.probe)
      continue;
    if (call.signal == Signal::baseline_error_rate) return held.value;
    return Duration{static_cast<Duration::rep>(held.value)};
  }
  return cel::Unknown{{call.probe.service.str() + "/" + call.probe.probe.str() +
                       ": no results from before it began"}};
}

void hold_baselines(State& state, const ServiceName& name, ServiceState& service,
                    const ServiceInputs& inputs, Instant now) {
  if (inputs.baselines.empty() || is_well(service)) {
    service.baselines.clear();
    service.held_at.reset();
    return;
  }
  if (service.held_at) return;
  const ServiceSignals signals(state, name, now);
  for (const SignalCall& call : inputs.baselines) {
    const std::string probe = call.probe.service.str() + "/" + call.probe.probe.str();
    const std::vector<cel::Value> arguments{cel::Value(probe), cel::Value(call.window)};
    const cel::Value value = signals.call(static_cast<int>(call.signal), arguments);
    if (value.is(cel::Value::Kind::duration))
      service.baselines.push_back(
          {call.signal, call.probe, call.window, static_cast<double>(value.as_duration().count())});
    else if (value.is(cel::Value::Kind::real))
      service.baselines.push_back({call.signal, call.probe, call.window, value.as_double()});
  }
  service.held_at = now;
}

}  // namespace firebreak::core
