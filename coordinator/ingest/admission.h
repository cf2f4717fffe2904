// Who may attach now when everybody wants to, and when the others shall come back.
//
// Pure; not thread-safe. Whoever finds no room gets a turn of its own: turns are given out a little
// slower than agents are let in, so that those who keep theirs find room, and are jittered, so that
// they do not come in step. Nothing is remembered of who has one: an agent that never comes back
// costs nobody anything.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "common/limits.h"
#include "common/rng.h"
#include "common/time.h"
#include "coordinator/ingest/token_bucket.h"

namespace firebreak::ingest {

class Admission {
 public:
  Admission(Rate rate, Rng rng)
      : bucket_(rate),
        between_turns_(std::chrono::nanoseconds(std::chrono::seconds(1)) * 5 / 4 /
                       static_cast<std::int64_t>(rate.per_second)),
        rng_(rng) {}

  // Empty: come in. Otherwise come back after so long, at most limits::kReconnectAfterMax.
  std::optional<Duration> ask(TokenBucket::Time now) {
    if (bucket_.try_take(1, now)) return std::nullopt;
    return turn(now);
  }
  // Nobody may come in: when to come back.
  Duration turn(TokenBucket::Time now) {
    const auto longest = std::chrono::nanoseconds(limits::kReconnectAfterMax);
    last_turn_ = std::min(std::max(last_turn_, now) + between_turns_, now + longest * 4 / 5);
    const double jitter = 1.0 + 0.25 * rng_.uniform();
    const auto wait = std::max<std::chrono::nanoseconds>(last_turn_ - now, kSoonest);
    return std::chrono::duration_cast<Duration>(wait * jitter);
  }

 private:
  static constexpr std::chrono::nanoseconds kSoonest = std::chrono::seconds(1);

  TokenBucket bucket_;
  std::chrono::nanoseconds between_turns_;
  TokenBucket::Time last_turn_{};
  Rng rng_;
};

}  // namespace firebreak::ingest
