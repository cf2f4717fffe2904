// Walks the calls and reads of every rule and check.
#include "coordinator/core/inputs.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "coordinator/core/baseline.h"

namespace firebreak::core {

namespace {

using policy::Signal;

enum class Reads { verdict, newest, window };

Reads what_reads(Signal signal) {
  switch (signal) {
    case Signal::available:
    case Signal::status:
    case Signal::failing_for:
    case Signal::failing_agents:
    case Signal::failing_share:
    case Signal::failing_groups:
    case Signal::failing_groups_share:
      return Reads::verdict;
    case Signal::age:
    case Signal::value:
    case Signal::latency:
      return Reads::newest;
    case Signal::min_value:
    case Signal::max_value:
    case Signal::avg_value:
    case Signal::mean:
    case Signal::max:
    case Signal::p50:
    case Signal::p95:
    case Signal::p99:
    case Signal::error_rate:
    case Signal::samples:
    case Signal::delta:
    case Signal::rate:
    case Signal::baseline_mean:
    case Signal::baseline_p50:
    case Signal::baseline_p95:
    case Signal::baseline_p99:
    case Signal::baseline_error_rate:
    case Signal::severity_of:  // and those below are of no probe
    case Signal::service_status:
    case Signal::now:
    case Signal::within:
      break;
  }
  return Reads::window;
}

bool is_of_trail(const SignalCall& signal) {
  return signal.signal == Signal::delta || signal.signal == Signal::rate;
}

void note_baseline(const SignalCall& signal, ServiceInputs& mine) {
  if (!live_signal(signal.signal)) return;
  const bool known =
      std::any_of(mine.baselines.begin(), mine.baselines.end(), [&](const SignalCall& one) {
        return one.signal == signal.signal && one.probe == signal.probe &&
               one.window == signal.window;
      });
  if (!known) mine.baselines.push_back(signal);
}

void note_reading(const SignalCall& signal, Reading& reading, ServiceInputs& mine) {
  switch (what_reads(signal.signal)) {
    case Reads::verdict:
      reading.verdict = true;
      if (signal.signal == Signal::failing_for) mine.grows = true;
      break;
    case Reads::newest:
      reading.newest = true;
      if (signal.signal == Signal::age) mine.ages = true;
      break;
    case Reads::window:
      reading.windowed = true;
      note_baseline(signal, mine);
      (is_of_trail(signal) ? mine.trails : mine.windows).emplace(signal.probe, signal.window);
      break;
  }
}

// delta() and rate() need no window, but what each vantage point said.
void ask_for_window(const SignalCall& signal, ProbeInputs& probe) {
  if (signal.window == Duration{0}) return;
  (is_of_trail(signal) ? probe.trails : probe.windows).insert(signal.window);
}

const std::string* text_of(const cel::Call& call, std::size_t argument) {
  if (call.arguments.size() <= argument) return nullptr;
  const auto& constant = call.arguments[argument].constant;
  return constant && constant->is(cel::Value::Kind::string) ? &constant->as_string() : nullptr;
}

// Of a signal that is of no probe.
void read_other(const policy::Policy& policy, const cel::Call& call, const ServiceName& service,
                Inputs& inputs) {
  ServiceInputs& mine = inputs.services[service];
  const auto signal = static_cast<Signal>(call.id);
  if (signal == Signal::now) mine.clock = true;
  if (signal == Signal::within) {
    const std::string* times = text_of(call, 0);
    const std::string* zone = text_of(call, 1);
    if (times == nullptr || zone == nullptr) return;
    const auto hours =
        policy.hours.find(std::pair<std::string_view, std::string_view>(*times, *zone));
    if (hours != policy.hours.end()) mine.hours.push_back(&hours->second);
  }
  const auto other = policy::service_of(call);
  if (!other) return;
  if (signal == Signal::severity_of) {
    inputs.severities[*other].insert(service);
  } else if (const policy::Service* read = policy.find_service(*other)) {
    for (const policy::Probe& probe : read->probes) {
      const ProbeKey key{*other, probe.name};
      mine.probes[key] = nullptr;
      inputs.probes[key].readers[service].verdict = true;
    }
  }
}

// Who reads a severity is judged after it. There are no circles.
void measure_depth(Inputs& inputs) {
  for (std::size_t round = 0; round <= inputs.services.size(); ++round) {
    bool moved = false;
    for (const auto& [read, readers] : inputs.severities) {
      const auto found = inputs.services.find(read);
      const int depth = (found == inputs.services.end() ? 0 : found->second.depth) + 1;
      for (const ServiceName& reader : readers) {
        int& mine = inputs.services.at(reader).depth;
        if (mine >= depth) continue;
        mine = depth;
        inputs.depth = std::max(inputs.depth, depth);
        moved = true;
      }
    }
    if (!moved) return;
  }
}

void read_rule(const policy::Policy& policy, const policy::Rule& rule, const cel::Program& program,
               const ServiceName& service, Inputs& inputs) {
  ServiceInputs& mine = inputs.services[service];
  for (const cel::Call& call : program.calls()) {
    const auto signal = signal_call(call, service);
    if (!signal) {
      read_other(policy, call, service, inputs);
      continue;
    }
    mine.probes[signal->probe] = nullptr;  // known at the end
    ProbeInputs& probe = inputs.probes[signal->probe];
    ask_for_window(*signal, probe);
    note_reading(*signal, probe.readers[service], mine);
    if (rule.samples == 0) continue;
    const Duration within = samples_within(rule, *signal);
    probe.windows.insert(within);
    probe.readers[service].windowed = true;
    mine.windows.emplace(signal->probe, within);
  }
  for (const cel::Read& read : program.reads()) {
    constexpr std::string_view kFacts = "facts.";
    if (!read.path.starts_with(kFacts)) continue;
    const FactName fact(read.path.substr(kFacts.size()));
    mine.facts.insert(fact);
    inputs.facts[fact].insert(service);
  }
}

void read_check(const policy::Check& check, const ServiceName& service, Inputs& inputs) {
  const auto* signals = std::get_if<policy::SignalCheck>(&check.what);
  if (signals == nullptr) return;
  for (const cel::Call& call : signals->expect.calls()) {
    const auto signal = signal_call(call, service);
    if (!signal) continue;
    ProbeInputs& probe = inputs.probes[signal->probe];
    ask_for_window(*signal, probe);
    note_baseline(*signal, inputs.services[service]);
    if (signals->hold > Duration{0}) probe.windows.insert(signals->hold);
    if (signals->samples > 0) probe.windows.insert(signals->within);
  }
}

// Decides nothing, so it wakes no rule; a fact that it reads is one of the service's all the same.
void read_recommendation(const policy::Recommendation& recommendation, Inputs& inputs) {
  const ServiceName& service = recommendation.service;
  for (const cel::Call& call : recommendation.when.calls()) {
    const auto signal = signal_call(call, service);
    if (!signal) continue;
    ask_for_window(*signal, inputs.probes[signal->probe]);
    note_baseline(*signal, inputs.services[service]);
  }
  constexpr std::string_view kFacts = "facts.";
  for (const cel::Read& read : recommendation.when.reads())
    if (read.path.starts_with(kFacts))
      inputs.facts[FactName(read.path.substr(kFacts.size()))].insert(service);
}

}  // namespace

std::optional<SignalCall> signal_call(int id, std::span<const cel::Value> arguments,
                                      const ServiceName& own) {
  if (arguments.empty() || !arguments[0].is(cel::Value::Kind::string) ||
      !policy::is_of_probe(static_cast<Signal>(id)))
    return std::nullopt;
  SignalCall call;
  call.signal = static_cast<Signal>(id);
  const std::string& name = arguments[0].as_string();
  const auto slash = name.find('/');
  if (slash == std::string::npos)
    call.probe = {own, ProbeName(name)};
  else
    call.probe = {ServiceName(name.substr(0, slash)), ProbeName(name.substr(slash + 1))};
  if (arguments.size() > 1) {
    if (arguments[1].is(cel::Value::Kind::duration))
      call.window = arguments[1].as_duration();
    else if (arguments[1].is(cel::Value::Kind::string))
      (call.signal == Signal::value ? call.value_name : call.label) = arguments[1].as_string();
    else
      return std::nullopt;
  }
  return call;
}

std::optional<SignalCall> signal_call(const cel::Call& call, const ServiceName& own) {
  std::vector<cel::Value> constants;
  for (const cel::Call::Argument& argument : call.arguments) {
    if (!argument.constant) return std::nullopt;
    constants.push_back(*argument.constant);
  }
  return signal_call(call.id, constants, own);
}

Duration samples_within(const policy::Rule& rule, const SignalCall& signal) {
  return signal.window > Duration{0} ? signal.window : rule.samples_within;
}

std::shared_ptr<const Inputs> inputs_of(const policy::Policy& policy) {
  auto inputs = std::make_shared<Inputs>();
  for (const auto& [name, service] : policy.services) {
    for (const policy::Probe& probe : service.probes) inputs->probes[{name, probe.name}];
    for (const policy::Rule& rule : service.rules)
      for (const policy::Rule::Level& level : rule.levels)
        read_rule(policy, rule, level.when, name, *inputs);
    for (const policy::Check& check : service.checklist) read_check(check, name, *inputs);
  }
  inputs->dependencies = dependencies_of(policy);
  for (const policy::Recommendation& one : policy.recommendations)
    read_recommendation(one, *inputs);
  std::size_t number = 0;
  for (auto& [key, probe] : inputs->probes) {
    probe.number = number++;
    probe.probe = policy.find_probe(key);
  }
  for (auto& [name, service] : inputs->services)
    for (auto& [key, probe] : service.probes) probe = &inputs->probes.at(key);
  measure_depth(*inputs);
  return inputs;
}

}  // namespace firebreak::core
