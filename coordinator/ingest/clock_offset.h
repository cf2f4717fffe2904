// Where an agent's steady clock stands on the coordinator's time line.
//
// Pure; not thread-safe; one per stream. What a message waited on its way (a slow link, a reader
// that is throttled, a commit) only ever makes it look sent later than it was, so the least of
// recent differences between receipt and sending is nearest to the truth. It is forgotten after a
// while, because clocks drift, and at once when the agent's clock has stood still: then all
// differences have grown by the same.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "common/limits.h"
#include "common/time.h"

namespace firebreak::ingest {

class ClockOffset {
 public:
  // A message that was sent at `sent` on the agent's clock has been received. Neither clock's zero
  // means anything.
  void heard(Duration sent, Instant received) {
    const Duration difference = received.time_since_epoch() - sent;
    if (least_ && difference > *least() + limits::kClockJump) {
      take_jump(difference, received);
      return;
    }
    above_ = 0;
    if (!least_ || received - since_ >= limits::kClockWindow / 2) {
      before_ = least_;
      least_ = difference;
      since_ = received;
    }
    least_ = std::min(*least_, difference);
  }

  // The moment `at` of the agent's clock. heard() must have been called.
  [[nodiscard]] Instant place(Duration at) const { return Instant{*least() + at}; }

 private:
  // Over the window: its older and its newer half.
  [[nodiscard]] std::optional<Duration> least() const {
    return before_ && least_ ? std::min(*before_, *least_) : least_;
  }
  // A message that was held up is followed by one that was held up less; after a jump all agree,
  // and go on doing so at the pace at which they are sent.
  void take_jump(Duration difference, Instant received) {
    constexpr Duration kSpread = Duration(limits::kClockJump) / 10;
    const bool agrees =
        above_ > 0 && difference - jumped_ < kSpread && jumped_ - difference < kSpread;
    if (!agrees) jumped_at_ = received;
    above_ = agrees ? above_ + 1 : 1;
    jumped_ = agrees ? std::min(jumped_, difference) : difference;
    if (above_ < limits::kClockJumpMessages || received - jumped_at_ < limits::kClockJumpFor)
      return;
    before_.reset();
    least_ = jumped_;
    since_ = received;
    above_ = 0;
  }

  std::optional<Duration> before_;
  std::optional<Duration> least_;
  Instant since_{};
  Duration jumped_{};
  Instant jumped_at_{};
  std::size_t above_ = 0;
};

}  // namespace firebreak::ingest
