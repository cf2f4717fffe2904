// How much may come in how fast: a token bucket that may be overdrawn, in exact whole numbers.
//
// Pure; not thread-safe. Nobody knows how large a message is before it has been read, so it is paid
// for afterwards: whoever is in debt waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace firebreak::ingest {

struct Rate {
  std::uint64_t per_second = 1;  // 1 to 1,000,000
  std::uint64_t burst = 1;       // what may come at once after a quiet time
};

class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Wait = std::chrono::nanoseconds;

  // Full. `now` never goes back.
  explicit TokenBucket(Rate rate)
      : each_(Wait(std::chrono::seconds(1)) / static_cast<Wait::rep>(rate.per_second)),
        burst_(each_ * static_cast<Wait::rep>(rate.burst)) {}

  // How long until there is no debt.
  [[nodiscard]] Wait debt(Time now) const {
    return std::max<Wait>(full_at_ - now - burst_, Wait::zero());
  }
  // Pays, with what is not there if need be; gives the debt afterwards. One payment counts as at
  // most kTokensMax, so that nothing overflows.
  Wait take(std::uint64_t tokens, Time now) {
    constexpr std::uint64_t kTokensMax = 1'000'000'000;
    full_at_ =
        std::max(full_at_, now) + each_ * static_cast<Wait::rep>(std::min(tokens, kTokensMax));
    return debt(now);
  }
  // Pays only with what is there. False: that is not enough.
  bool try_take(std::uint64_t tokens, Time now) {
    TokenBucket after = *this;
    if (after.take(tokens, now) > Wait::zero()) return false;
    *this = after;
    return true;
  }

 private:
  Wait each_;   // what one token is worth
  Wait burst_;  // what a full bucket is worth
  Time full_at_{};
};

}  // namespace firebreak::ingest
