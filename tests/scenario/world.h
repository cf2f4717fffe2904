// The world around one coordinator's core, on a clock of its own: agents that report what a script
// says, answer one-shot probes and run actions; receivers that take every notification. Nothing
// here waits: time passes only in run_until().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/step.h"

namespace firebreak::scenario {

// What some agents see of some probes from a time on; the last one that applies counts.
struct Sight {
  std::vector<AgentName> agents;  // empty: every agent
  std::string service, probe;     // "*": every one
  std::string target;  // instead of both: of a probe that only a checklist has, its target
  bool silent = false;
  bool confirmed = true;
  Observation seen;
  std::optional<Duration> every;  // empty: the probe's own interval
  Instant from;
  std::optional<Instant> until;
};

// How an action ends, wherever it runs.
struct Ending {
  core::ActionState state = core::ActionState::succeeded;  // ordered: its host never says anything
  Duration after = std::chrono::seconds(1);
  int exit_code = 0;
  std::string output;
  std::vector<Sight> then;  // what is seen once it has ended
};

class World {
 public:
  explicit World(Instant start) : now_(start) {}

  void use(std::shared_ptr<const policy::Policy> policy);
  void add_agent(const AgentName& name, std::map<std::string, std::string> labels);
  void attach(const AgentName& name);
  void detach(const AgentName& name);
  void see(Sight sight);
  // Results that were seen `age` ago and arrive only now.
  void replay(const AgentName& agent, const ProbeKey& probe, Observation seen, Duration age,
              std::size_t count);
  void end_action(const ActionName& name, Ending ending);
  void ask(decltype(core::OperatorAsked::what) what);
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
  // Whether the same events give a fresh core the same effects.
  [[nodiscard]] bool replays() const;
  // Plays it all again in two cores, of which one is written down and read back again and again:
  // empty when both go alike, else where they first differ.
  [[nodiscard]] std::string snapshot_fault() const;

 private:
  struct Agent {
    std::map<std::string, std::string> labels;
    bool attached = false;
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
    std::map<ProbeKey, std::uint32_t> refs;
    std::vector<std::pair<ProbeKey, ProbeSpec>> assignment;
    std::map<ProbeKey, Instant> due;
    std::vector<core::OrderHostAction> undelivered;
  };
  struct Step {
    Instant at;
    core::Event event;
    std::vector<std::string> effects;
  };

  void step(core::Event event);
  void perform(const core::Effect& effect);
  void answer(const core::SendProbeNow& request);
  void order(const core::OrderHostAction& action);
  void end(const ActionId& action, const ActionName& name, std::string reporter);
  void later(Instant at, core::Event event) { pending_.emplace(at, std::move(event)); }
  [[nodiscard]] const Sight* sight_of(const AgentName& agent, const ProbeKey& key,
                                      const ProbeSpec& spec, Instant at) const;
  [[nodiscard]] ActionName name_of(const ActionId& action, const IncidentId& incident) const;
  [[nodiscard]] std::optional<Instant> next_due() const;
  void send_results();
  void send(const AgentName& name, Agent& agent,
            const std::vector<std::pair<ProbeKey, core::ResultRow>>& rows);
  void deliver_pending();

  core::State state_;
  Instant now_;
  std::map<AgentName, Agent> agents_;
  std::vector<Sight> sights_;
  std::map<ActionName, Ending> endings_;
  std::multimap<Instant, core::Event> pending_;  // of one time in the order they were added
  std::map<ActionId, std::vector<Sight>> then_;  // seen when this action has ended
  std::vector<std::string> orders_;
  std::vector<std::string> notifications_;
  std::vector<Step> history_;
};

}  // namespace firebreak::scenario
