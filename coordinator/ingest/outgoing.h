// What waits to be written to one agent: bounded, because only the newest of what replaces itself
// is kept.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include <firebreak/v1/agent.pb.h>

#include "common/limits.h"

namespace firebreak::ingest {

class Outgoing {
 public:
  void welcome(v1::Welcome welcome) { welcome_ = std::move(welcome); }
  void assign(v1::Assignment assignment) { assignment_ = std::move(assignment); }
  void acknowledge(std::uint64_t seq) { ack_ = seq; }
  void heartbeat() { heartbeat_ = true; }
  // Orders, requests and the like, in order. False: the agent does not read, too much waits.
  bool push(v1::CoordinatorMessage message) {
    if (rest_.size() >= limits::kOutgoingMessagesMax) return false;
    rest_.push_back(std::move(message));
    return true;
  }

  // Nothing comes before the welcome.
  std::optional<v1::CoordinatorMessage> next();

 private:
  bool is_welcomed_ = false;
  std::optional<v1::Welcome> welcome_;
  std::optional<v1::Assignment> assignment_;
  std::deque<v1::CoordinatorMessage> rest_;
  std::optional<std::uint64_t> ack_;
  bool heartbeat_ = false;
};

}  // namespace firebreak::ingest
