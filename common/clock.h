// The clock that shells read; pure code is given an Instant instead.
#pragma once

#include "common/time.h"

namespace firebreak {

// Thread-safe. Implemented by SystemClock (the only caller of now()) and by a manual clock in
// tests/support.
class Clock {
 public:
  virtual ~Clock() = default;
  // For intervals; starts anywhere, never goes back.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
  // For intervals that count the time in which the host slept, too.
  [[nodiscard]] virtual Duration since_boot() const {
    return std::chrono::duration_cast<Duration>(steady().time_since_epoch());
  }
  // For people.
  [[nodiscard]] virtual WallTime wall() const = 0;
  // The process's time line (see common/time.h): never before an Instant that it returned earlier.
  [[nodiscard]] virtual Instant now() const = 0;
};

class SystemClock final : public Clock {
 public:
  // `not_before`: the last Instant of an earlier life of this process; the time line goes on after
  // it even when the wall clock was set back meanwhile.
  explicit SystemClock(Instant not_before = Instant{});
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override;
  [[nodiscard]] Duration since_boot() const override;
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] Instant now() const override;

 private:
  std::chrono::steady_clock::time_point steady_origin_;
  Instant origin_;
};

}  // namespace firebreak
