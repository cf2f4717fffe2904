// Which orders this host's actuator has been given, remembered beyond a restart.
//
// Only of an order that was never handed over may the agent say that it was refused: of the others
// the actuator alone knows what became of them, even while it is off. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "common/ids.h"
#include "common/result.h"

namespace firebreak::agent {

class HandedOver {
 public:
  // Reads `folder`; `corrupt` when somebody else wrote the file.
  static Result<HandedOver> open(std::string folder);

  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  [[nodiscard]] bool contains(const ActionId& id) const;
  // Before the order goes out. Once this returns, contains(id); after an error only for this life
  // of the agent. The oldest is forgotten above limits::kOrdersRememberedMax. `id` has no control
  // characters (see has_usable_id() in agent/inbound.h).
  Result<> add(const ActionId& id);

 private:
  explicit HandedOver(std::string folder) : folder_(std::move(folder)) {}

  std::string folder_;
  std::deque<ActionId> ids_;  // oldest first
};

}  // namespace firebreak::agent
