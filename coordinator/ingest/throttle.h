// How fast one agent's stream is read: so fast that no probe of an honest agent ever waits, and so
// slowly that a flood waits at its sender.
//
// Pure; not thread-safe. The debt of a message is waited for before the next one of the same stream
// is read; meanwhile HTTP/2's own window fills and the agent cannot send. A message costs what its
// results cost, and at least limits::kMessageCost: small ones cost a coordinator as much as large
// ones.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "common/limits.h"
#include "coordinator/ingest/token_bucket.h"

namespace firebreak::ingest {

class Throttle {
 public:
  explicit Throttle(Rate rate = {limits::kAgentResultsPerSecond, limits::kAgentResultsBurst})
      : bucket_(rate) {}

  // A message with so many results has come; zero: read on at once.
  TokenBucket::Wait charge(std::uint64_t results, TokenBucket::Time now) {
    const auto wait = bucket_.take(std::max<std::uint64_t>(results, limits::kMessageCost), now);
    if (wait > TokenBucket::Wait::zero()) {
      ++times_;
      held_ += wait;
    }
    return wait;
  }
  // How often, and for how long altogether.
  [[nodiscard]] std::uint64_t times() const { return times_; }
  [[nodiscard]] TokenBucket::Wait held() const { return held_; }

 private:
  TokenBucket bucket_;
  std::uint64_t times_ = 0;
  TokenBucket::Wait held_{};
};

}  // namespace firebreak::ingest
