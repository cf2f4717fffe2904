// SystemClock: the one place that asks the machine for the time.
#include "common/clock.h"

#include <time.h>

#include <algorithm>

namespace firebreak {

SystemClock::SystemClock(Instant not_before)
    : steady_origin_(std::chrono::steady_clock::now()),
      origin_(std::max(Instant{wall().time_since_epoch()}, not_before + Duration{1})) {}

std::chrono::steady_clock::time_point SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

Duration SystemClock::since_boot() const {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(time.tv_sec) +
                                              std::chrono::nanoseconds(time.tv_nsec));
}

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

Instant SystemClock::now() const {
  return origin_ + std::chrono::duration_cast<Duration>(steady() - steady_origin_);
}

}  // namespace firebreak
