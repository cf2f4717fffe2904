// Every look at the pulse is a beat, so that nobody reads an old one just after the process woke.
#include "probes/pulse.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::probes {

Pulse::Pulse(Alarms& alarms, const Clock& clock)
    : clock_(clock), alarm_(alarms, [this] {
        look();
        alarm_.set(seen_ + limits::kPulseBeat);
      }) {}

void Pulse::look() {
  const TimePoint now = clock_.steady();
  const Duration in_boot = clock_.since_boot();
  if (watches_ > 0) {
    const auto steady = std::chrono::duration_cast<Duration>(now - seen_);
    const auto late = [](Duration gap) {
      const Duration lateness = gap - Duration(limits::kPulseBeat);
      return lateness > Duration(limits::kPulseSlack) ? lateness : Duration::zero();
    };
    stalled_ += late(steady);
    lost_ += late(std::max(steady, in_boot - seen_in_boot_));
  }
  seen_ = now;
  seen_in_boot_ = in_boot;
}

Duration Pulse::lost() {
  look();
  return lost_;
}

Pulse::Watch::Watch(Pulse& pulse) : pulse_(pulse) {
  pulse.look();
  if (pulse.watches_++ == 0) pulse.alarm_.set(pulse.seen_ + limits::kPulseBeat);
  lost_before_ = pulse.lost_;
  stalled_before_ = pulse.stalled_;
  begun_ = pulse.seen_;
}

Pulse::Watch::~Watch() {
  pulse_.look();
  if (--pulse_.watches_ == 0) pulse_.alarm_.clear();
}

Duration Pulse::Watch::lost() const {
  return pulse_.lost() - lost_before_;
}

Duration Pulse::Watch::ran() const {
  pulse_.look();
  return std::chrono::duration_cast<Duration>(pulse_.seen_ - begun_) -
         (pulse_.stalled_ - stalled_before_);
}

}  // namespace firebreak::probes
