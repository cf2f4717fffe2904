// The world around one coordinator's core, on a clock of its own: agents that report what a script
// says, answer one-shot probes and run actions; receivers that take every notification. Nothing
// here waits: time passes only in run_until().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/step.h"
#include "coordinator/rehearsal/series.h"

namespace firebreak::rehearsal {

// What some agents see of some probes from a time on; the last one that applies counts.
struct Sight {
  std::vector<AgentName> agents;  // empty: every agent
  std::string service, probe;     // "*": every one
  std::string target;  // instead of both: of a probe that only a checklist has, its target
  std::optional<Series<Look>> looks;  // empty: a queue, by its thresholds
  Series<Duration> latency;
  std::vector<std::pair<std::string, Series<double>>> values;
  std::string evidence;
  bool confirmed = true;
  std::optional<Duration> every;  // empty: the probe's own interval
  std::optional<Duration> lasts;  // empty: as long as its series
  Instant from{};

  // When it gives way to what was said before, for a probe of this interval.
  [[nodiscard]] Instant ends(Duration interval) const;
};

// How an action ends, wherever it runs.
struct Ending {
  core::ActionState state = core::ActionState::succeeded;  // ordered: its host never says anything
  Duration after = std::chrono::seconds(1);
  int exit_code = 0;
  std::string output;
  std::string detail;
  std::vector<Sight> then;  // what is seen once it has ended
};

// One call of step(), seen from outside: after it the state is as given.
using Observer = std::function<void(const core::State& state, const core::Event& event,
                                    const std::vector<core::Effect>& effects, Instant now)>;

// The open incident of a service, or the one that was resolved last; null: it never had one.
[[nodiscard]] const core::Incident* newest_incident(const core::State& state,
                                                    const ServiceName& service);

class World {
 public:
  explicit World(Instant start) : now_(start) {}

  void watch(Observer observer) { observer_ = std::move(observer); }
  void use(std::shared_ptr<const policy::Policy> policy);
  void add_agent(const AgentName& name, std::map<std::string, std::string> labels);
  void attach(const AgentName& name);
  void detach(const AgentName& name);
  void see(Sight sight);
  // Results that were seen `age` ago and arrive only now.
  void replay(const AgentName& agent, const ProbeKey& probe, Observation seen, Duration age,
              std::size_t count);
  void end_action(const ActionName& name, Ending ending);
  // Empty: taken; else why the coordinator refuses it.
  [[nodiscard]] std::string ask(decltype(core::OperatorAsked::what) what);
  // The coordinator's process is killed and starts again; its agents come back by themselves.
  void restart();
  void run_until(Instant until);

  [[nodiscard]] const core::State& state() const { return state_; }
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] bool has_agent(const AgentName& name) const { return agents_.contains(name); }
  // "restart-web@web-1", "opened@ops", since the last time somebody took them.
  [[nodiscard]] std::vector<std::string> take_orders() { return std::exchange(orders_, {}); }
  [[nodiscard]] std::vector<std::string> take_notifications() {
    return std::exchange(notifications_, {});
  }
  // "restart-web@web-1: cooldown until ...": what a playbook wanted and did not do.
  [[nodiscard]] std::vector<std::string> take_skipped() { return std::exchange(skipped_, {}); }

 private:
  // A probe that an agent was assigned.
  struct Duty {
    ProbeKey key;
    ProbeSpec spec;
    Instant due;
    const Sight* sight = nullptr;  // what counted at the last look, until ...
    Instant sight_ends{};
    std::optional<std::uint32_t> ref;
  };
  struct Agent {
    std::map<std::string, std::string> labels;
    bool attached = false;
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
    std::map<ProbeKey, std::uint32_t> refs;
    std::vector<Duty> duties;
    std::vector<core::OrderHostAction> undelivered;
  };

  void step(const core::Event& event);
  void perform(const core::Effect& effect);
  void assign(Agent& agent, const AgentName& name);
  void answer(const core::SendProbeNow& request);
  void order(const core::OrderHostAction& action);
  void end(const ActionId& action, const ActionName& name, std::string reporter);
  void later(Instant at, core::Event event) { pending_.emplace(at, std::move(event)); }
  [[nodiscard]] const Sight* find_sight(const AgentName& agent, const ProbeKey& key,
                                        const ProbeSpec& spec, Instant at) const;
  [[nodiscard]] const Sight* sight_of(const AgentName& agent, Duty& duty, Instant at) const;
  [[nodiscard]] ActionName name_of(const ActionId& action, const IncidentId& incident) const;
  [[nodiscard]] std::optional<Instant> next_due();
  void send_results();
  void send(const AgentName& name, Agent& agent, core::ResultsReceived batch);
  static std::uint32_t ref_of(Agent& agent, const ProbeKey& key, core::ResultsReceived& batch);
  void deliver_pending();

  core::State state_;
  Instant now_;
  Observer observer_;
  std::map<AgentName, Agent> agents_;
  std::deque<Sight> sights_;  // those that are no more stay: duties point into it
  std::map<ActionName, Ending> endings_;
  std::multimap<Instant, core::Event> pending_;  // of one time in the order they were added
  std::map<ActionId, std::vector<Sight>> then_;  // seen when this action has ended
  std::vector<std::string> orders_;
  std::vector<std::string> notifications_;
  std::vector<std::string> skipped_;
};

}  // namespace firebreak::rehearsal
