// Walks the calls and reads of every rule and check.
#include "coordinator/core/inputs.h"

#include <algorithm>
#include <vector>

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
      break;
  }
  return Reads::window;
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
      reading.windowed = mine.grows = true;
      mine.longest = std::max(mine.longest, signal.window);
      break;
  }
}

void read_rule(const cel::Program& program, const ServiceName& service, Inputs& inputs) {
  ServiceInputs& mine = inputs.services[service];
  for (const cel::Call& call : program.calls()) {
    const auto signal = signal_call(call, service);
    if (!signal) continue;
    mine.probes[signal->probe] = nullptr;  // known at the end
    ProbeInputs& probe = inputs.probes[signal->probe];
    probe.window = std::max(probe.window, signal->window);
    note_reading(*signal, probe.readers[service], mine);
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
    Duration& window = inputs.probes[signal->probe].window;
    window = std::max({window, signal->window, signals->hold});
    if (signals->samples > 0) window = std::max(window, signals->within);
  }
}

}  // namespace

std::optional<SignalCall> signal_call(int id, std::span<const cel::Value> arguments,
                                      const ServiceName& own) {
  if (arguments.empty() || !arguments[0].is(cel::Value::Kind::string)) return std::nullopt;
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
      call.value_name = arguments[1].as_string();
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

std::shared_ptr<const Inputs> inputs_of(const policy::Policy& policy) {
  auto inputs = std::make_shared<Inputs>();
  for (const auto& [name, service] : policy.services) {
    for (const policy::Probe& probe : service.probes) inputs->probes[{name, probe.name}];
    for (const policy::Rule& rule : service.rules)
      for (const policy::Rule::Level& level : rule.levels) read_rule(level.when, name, *inputs);
    for (const policy::Check& check : service.checklist) read_check(check, name, *inputs);
  }
  std::size_t number = 0;
  for (auto& [key, probe] : inputs->probes) {
    probe.number = number++;
    probe.probe = policy.find_probe(key);
  }
  for (auto& [name, service] : inputs->services)
    for (auto& [key, probe] : service.probes) probe = &inputs->probes.at(key);
  return inputs;
}

}  // namespace firebreak::core
