// Where effects go once they are committed: the world's edge, seen from the engine.
//
// Every method is called on the engine's owner thread and must return at once: it queues the work
// and does it elsewhere. What the world answers comes back as an event, by Engine::submit().
#pragma once

#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/probe_spec.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"

namespace firebreak::engine {

// The agents that are attached now, and the orders that wait for those that are not.
class AgentSink {
 public:
  virtual ~AgentSink() = default;
  // Everything that the agent is to run; sorted by key.
  virtual void assign(const AgentName& agent,
                      std::vector<std::pair<ProbeKey, ProbeSpec>> probes) = 0;
  // Nothing happens when the agent is not attached: the request's deadline answers.
  virtual void probe_now(core::SendProbeNow request) = 0;
  // Sent now or when the agent attaches, and after every reconnect, until order_ended() or it
  // expires. After a restart of the coordinator it comes again.
  virtual void order(core::OrderHostAction order) = 0;
  virtual void order_ended(const ActionId& action) = 0;
  // The agent may forget the action: its outcome is committed.
  virtual void confirm(core::ConfirmOutcome outcome) = 0;
};

// What the coordinator itself sends by HTTP.
class Sender {
 public:
  virtual ~Sender() = default;
  // Tried again until it is delivered or given up for good, then exactly one NotificationFinished
  // is submitted. After a restart of the coordinator it comes again: at least once.
  virtual void send(core::SendNotification notification) = 0;
  // Tried once, then exactly one ActionReported (reporter "engine") is submitted: succeeded, failed
  // (exit_code: the HTTP status), timed_out or unknown. Never comes twice for one action.
  virtual void run(core::RunHttpAction action) = 0;
};

// Who watches incidents and validations live. `state` is valid during the call only.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void publish(const core::PublishEntry& entry) = 0;
  virtual void publish(const core::PublishValidation& validation, const core::State& state) = 0;
};

// They outlive the engine's run.
struct Sinks {
  AgentSink* agents = nullptr;
  Sender* sender = nullptr;
  WatchSink* watchers = nullptr;
};

}  // namespace firebreak::engine
