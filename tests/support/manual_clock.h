// A clock that stands still until a test moves it. Thread-safe.
#pragma once

#include <atomic>

#include "common/clock.h"

namespace firebreak::testing {

class ManualClock final : public Clock {
 public:
  // 2026-11-21 03:00:00 UTC
  explicit ManualClock(Instant start = instant_from_unix_us(1'795'230'000'000'000))
      : us_(unix_us(start)) {}
  void advance(Duration time) { us_ += time.count(); }

  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point{Duration{us_}};
  }
  [[nodiscard]] WallTime wall() const override { return WallTime{Duration{us_}}; }
  [[nodiscard]] Instant now() const override { return instant_from_unix_us(us_); }

 private:
  std::atomic<std::int64_t> us_;
};

}  // namespace firebreak::testing
