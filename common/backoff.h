// Exponential back-off with full jitter (AWS Builders' Library, "Timeouts, retries and backoff with
// jitter"); pure.
#pragma once

#include <algorithm>

#include "common/rng.h"
#include "common/time.h"

namespace firebreak {

class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), ceiling_(first) {}
  // How long to wait before the next try: uniform over (0, ceiling], and the ceiling doubles up to
  // `longest`.
  Duration next(Rng& rng) {
    const auto wait = Duration{1 + static_cast<Duration::rep>(rng.below(static_cast<std::uint64_t>(
                                       std::max<Duration::rep>(ceiling_.count(), 1))))};
    ceiling_ = std::min(ceiling_ * 2, longest_);
    return wait;
  }
  void reset() { ceiling_ = first_; }

 private:
  Duration first_;
  Duration longest_;
  Duration ceiling_;
};

}  // namespace firebreak
