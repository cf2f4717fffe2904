// The agent's way to anything privileged: hands orders to the host's actuator, and outcomes back.
//
// Belongs to the thread that runs the given io_context; reconnects by itself. What happened to an
// action is in the actuator's journal and only there: when the socket breaks, nothing is made up.
// Orders without an answer are handed over again after a reconnect, with what is left of their
// time, because the actuator runs an id at most once; and it is asked for every outcome that no
// coordinator has acknowledged. Refused here is only what this host's agent has never handed over,
// in this life or before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/state/handed_over.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/rng.h"

namespace boost::asio {
class io_context;
}
namespace firebreak::v1 {
class ActionOrder;
class ActionOutcome;
}  // namespace firebreak::v1

namespace firebreak::agent {

struct ActuatorHandlers {
  // What this host allows, whenever that is learned; empty when nobody listens.
  std::function<void(std::vector<std::string> names)> actions;
  std::function<void(const v1::ActionOutcome&)> outcome;
};

// An order that is not run, and why.
[[nodiscard]] v1::ActionOutcome refusal_of(const v1::ActionOrder& order, std::string reason);

class ActuatorClient {
 public:
  // `path` is the actuator's socket. `io` and `clock` must outlive the client. Handlers are called
  // from the loop, never from inside the constructor.
  ActuatorClient(boost::asio::io_context& io, const Clock& clock, Rng rng, std::string path,
                 HandedOver handed_over, ActuatorHandlers handlers);
  // Disconnects; no handler is called any more.
  ~ActuatorClient();
  ActuatorClient(const ActuatorClient&) = delete;
  ActuatorClient& operator=(const ActuatorClient&) = delete;

  // `order` has passed check() of agent/inbound.h.
  void order(const v1::ActionOrder& order);
  // The coordinator has committed the outcome. Lost without a connection: it is then owed again.
  void acknowledge(const ActionId& action);
  // Asks for what is owed and what is allowed; a new link to a coordinator needs both. `epoch`: of
  // that coordinator; what an earlier one ordered and nobody has run yet is not handed over any
  // more, for whoever leads now orders it again if it is still wanted.
  void refresh(std::uint64_t epoch);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
