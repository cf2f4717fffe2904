// What a policy's expressions read, found once per policy, so that a result or a fact wakes only
// the rules it may change.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/dependencies.h"
#include "coordinator/policy/policy.h"
#include "coordinator/policy/signals.h"

namespace firebreak::core {

// A call of a signal with its constant arguments.
struct SignalCall {
  policy::Signal signal = policy::Signal::available;
  ProbeKey probe;
  Duration window{};       // of the windowed signals
  std::string value_name;  // of value(probe, name)
  std::string label;       // of failing_groups(probe, label)
};
// From the evaluated arguments; empty when they are not what the signals of probes take.
[[nodiscard]] std::optional<SignalCall> signal_call(int id, std::span<const cel::Value> arguments,
                                                    const ServiceName& own);
// From the constants of a compiled call.
[[nodiscard]] std::optional<SignalCall> signal_call(const cel::Call& call, const ServiceName& own);

// The time over which a rule with `samples` counts the results behind a signal.
[[nodiscard]] Duration samples_within(const policy::Rule& rule, const SignalCall& signal);

// How a service's rules read a probe.
struct Reading {
  bool verdict = false;   // what the vantage points say together
  bool newest = false;    // numbers of the newest result: every result matters
  bool windowed = false;  // numbers over a window: looked at once a second while results come
};
struct ProbeInputs {
  std::size_t number = 0;                // from 0, in the order of their keys
  const policy::Probe* probe = nullptr;  // in the policy; null: a rule names what is not there
  std::set<Duration> windows;            // lengths that rules and checks ask for
  std::set<Duration> trails;             // likewise of delta() and rate()
  std::map<ServiceName, Reading> readers;
};
struct ServiceInputs {
  std::map<ProbeKey, const ProbeInputs*> probes;  // into Inputs::probes
  bool ages = false;                              // age(): changes with time alone, for ever
  bool grows = false;                             // failing_for(): changes with time while it fails
  std::set<std::pair<ProbeKey, Duration>> windows;
  std::set<std::pair<ProbeKey, Duration>> trails;  // windows of delta() and rate()
  std::set<FactName> facts;
  std::vector<const policy::Hours*> hours;
  std::vector<SignalCall> baselines;  // each once
  bool clock = false;  // now(): changes with time alone, whether or not there is data
  int depth = 0;       // 0: reads no other service's severity; else one more than those it reads
};
struct Inputs {
  std::map<ProbeKey, ProbeInputs> probes;
  std::map<ServiceName, ServiceInputs> services;
  std::map<FactName, std::set<ServiceName>>
      facts;  // fact -> services whose rules or recommendations read it
  std::map<ServiceName, std::set<ServiceName>> severities;  // likewise, of severity_of()
  int depth = 0;                                            // the greatest
  Dependencies dependencies;
};

// Holds pointers into the policy, which must live as long.
[[nodiscard]] std::shared_ptr<const Inputs> inputs_of(const policy::Policy& policy);

}  // namespace firebreak::core
