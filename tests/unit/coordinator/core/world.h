// A coordinator's core in a test's hands: a policy as text, a clock that stands still until told,
// agents that attach and send, and whatever the last step asked of the world.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/step.h"
#include "coordinator/policy/loader.h"
#include "tests/support/tally_check.h"

namespace firebreak::core {

using namespace std::chrono_literals;

inline Observation observation(Status status, Duration latency = std::chrono::milliseconds(10)) {
  Observation seen;
  seen.status = status;
  seen.reason = status == Status::ok ? Reason::none : Reason::refused;
  seen.latency = latency;
  return seen;
}
inline Observation with_value(Status status, const char* name, double value) {
  Observation seen = observation(status);
  seen.values.push_back({name, value});
  return seen;
}
inline ProbeKey key(const char* service, const char* probe) {
  return {ServiceName(service), ProbeName(probe)};
}

class World {
 public:
  explicit World(const std::string& policy = {}) {
    if (!policy.empty()) use(policy);
  }

  void use(const std::string& text) { step(PolicyChanged{load(text), "test"}); }
  static std::shared_ptr<const policy::Policy> load(const std::string& text) {
    auto loaded = policy::load_policy({{"policy.yaml", text}});
    EXPECT_TRUE(loaded.policy) << loaded.problems;
    return loaded.policy;
  }

  std::vector<Effect> step(Event event) {
    history.emplace_back(now, event);
    effects = core::step(state, event, now);
    EXPECT_EQ(tally_fault(state), "");
    all.insert(all.end(), effects.begin(), effects.end());
    return effects;
  }
  // Lets time pass, with a tick whenever the core asked for one.
  void pass(Duration time) {
    const Instant until = now + time;
    for (auto next = next_wake(state); next && *next <= until; next = next_wake(state)) {
      now = std::max(now, *next);
      step(Tick{});
    }
    now = until;
    step(Tick{});
  }

  void attach(const std::string& name, std::map<std::string, std::string> labels = {},
              std::uint64_t incarnation = 1) {
    sequence_[name] = {incarnation, 0, {}};
    step(AgentAttached{AgentName(name), incarnation, "1.0", std::move(labels), {}, {}});
  }
  void detach(const std::string& name) {
    step(AgentDetached{AgentName(name), sequence_[name].incarnation, "gone"});
  }
  // One result, started now.
  void result(const std::string& agent, const ProbeKey& probe, Observation seen,
              bool confirmed = true) {
    step(batch(agent, probe, std::move(seen), now, confirmed));
  }
  void result(const std::string& agent, const ProbeKey& probe, Status status) {
    result(agent, probe, observation(status));
  }
  ResultsReceived batch(const std::string& agent, const ProbeKey& probe, Observation seen,
                        Instant at, bool confirmed = true) {
    Sender& sender = sequence_[agent];
    ResultsReceived event;
    event.agent = AgentName(agent);
    event.incarnation = sender.incarnation;
    event.first_seq = ++sender.seq;
    auto found = std::find(sender.series.begin(), sender.series.end(), probe);
    const auto ref = static_cast<std::uint32_t>(found - sender.series.begin());
    if (found == sender.series.end()) {
      sender.series.push_back(probe);
      event.series.push_back({ref, probe});
    }
    event.rows.push_back({ref, at, confirmed, std::move(seen)});
    return event;
  }
  // The same verdict again and again, as a probe with this interval gives it.
  void keep(const std::string& agent, const ProbeKey& probe, Status status, Duration time,
            Duration every = std::chrono::seconds(5)) {
    for (Duration passed{}; passed < time; passed += every) {
      result(agent, probe, status);
      pass(every);
    }
  }

  // As pass(), while each agent answers each probe-now at once with this verdict.
  void pass_answering(Duration time, Status status) {
    const Instant until = now + time;
    answer(status);
    for (auto next = next_wake(state); next && *next <= until; next = next_wake(state)) {
      now = std::max(now, *next);
      step(Tick{});
      answer(status);
    }
    now = until;
  }
  // Answers the probe-nows of the last step, and those that the answers lead to.
  void answer(Status status) {
    for (auto open = asked<SendProbeNow>(); !open.empty();) {
      std::vector<SendProbeNow> more;
      for (const SendProbeNow& one : open) {
        step(ProbeNowFinished{one.agent, one.request, observation(status)});
        const auto next = asked<SendProbeNow>();
        more.insert(more.end(), next.begin(), next.end());
      }
      open = std::move(more);
    }
  }

  void ask(decltype(OperatorAsked::what) what) { step(OperatorAsked{"mia", std::move(what)}); }
  Result<> may(decltype(OperatorAsked::what) what) const {
    return admissible(state, OperatorAsked{"mia", std::move(what)});
  }
  void set_fact(const char* name, cel::Value value, const char* service = "") {
    ask(SetFact{FactName(name), ServiceName(service), std::move(value)});
  }

  // Of the last step, or of all.
  template <class Wanted>
  std::vector<Wanted> asked() const {
    return only<Wanted>(effects);
  }
  template <class Wanted>
  std::vector<Wanted> asked_ever() const {
    return only<Wanted>(all);
  }
  std::vector<SendNotification> told_ever(NotificationKind kind) const {
    auto sent = asked_ever<SendNotification>();
    std::erase_if(sent, [&](const SendNotification& one) { return one.kind != kind; });
    return sent;
  }

  // The only incident; there must be exactly one.
  Incident& incident() {
    EXPECT_EQ(state.incidents.size(), 1U);
    if (state.incidents.empty()) std::abort();
    return state.incidents.begin()->second;
  }
  Incident& incident_of(const char* service) {
    return state.incidents.at(state.services.at(ServiceName(service)).open_incident);
  }
  // Texts of the timeline entries of this kind.
  static std::vector<std::string> entries(const Incident& incident, const std::string& kind) {
    std::vector<std::string> texts;
    for (const TimelineEntry& entry : incident.timeline)
      if (entry.kind == kind) texts.push_back(entry.text);
    return texts;
  }
  std::string severity(const char* service) const {
    const auto found = state.services.find(ServiceName(service));
    if (found == state.services.end() || !found->second.severity) return "none";
    return state.policy->severities[*found->second.severity].name;
  }

  State state;
  Instant now = instant_from_unix_us(1'795'230'000'000'000);  // 2026-11-21 03:00:00 UTC
  std::vector<Effect> effects;
  std::vector<Effect> all;
  std::vector<std::pair<Instant, Event>> history;

 private:
  struct Sender {
    std::uint64_t incarnation = 1;
    std::uint64_t seq = 0;
    std::vector<ProbeKey> series;
  };
  template <class Wanted>
  static std::vector<Wanted> only(const std::vector<Effect>& from) {
    std::vector<Wanted> found;
    for (const Effect& effect : from)
      if (const auto* one = std::get_if<Wanted>(&effect)) found.push_back(*one);
    return found;
  }
  std::map<std::string, Sender> sequence_;
};

}  // namespace firebreak::core
