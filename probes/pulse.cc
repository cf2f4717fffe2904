// What is missing since the last beat counts at once, so that nobody reads an old pulse just after
// the process woke; but only the timer itself beats, for a loop that is busy with sockets is late,
// too.
#include "probes/pulse.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

Duration lateness(Duration since_beat) {
  return std::max(since_beat - Duration(limits::kPulseBeat) - Duration(limits::kPulseSlack),
                  Duration::zero());
}

}  // namespace

Pulse::Pulse(Alarms& alarms, const Clock& clock)
    : clock_(clock), alarm_(alarms, [this] {
        before_ = missed();
        beat();
      }) {}

void Pulse::beat() {
  beaten_ = clock_.steady();
  beaten_in_boot_ = clock_.since_boot();
  alarm_.set(beaten_ + limits::kPulseBeat);
}

Pulse::Missed Pulse::missed() const {
  if (watches_ == 0) return before_;
  const auto awake = std::chrono::duration_cast<Duration>(clock_.steady() - beaten_);
  const Duration asleep_too = clock_.since_boot() - beaten_in_boot_;
  return {before_.all + lateness(std::max(awake, asleep_too)), before_.awake + lateness(awake)};
}

Pulse::Watch::Watch(Pulse& pulse) : pulse_(pulse), begun_(pulse.clock_.steady()) {
  if (pulse.watches_++ == 0) pulse.beat();
  before_ = pulse.missed();
}

Pulse::Watch::~Watch() {
  if (pulse_.watches_ > 1) {
    --pulse_.watches_;
    return;
  }
  pulse_.before_ = pulse_.missed();
  pulse_.watches_ = 0;
  pulse_.alarm_.clear();
}

Duration Pulse::Watch::lost() const {
  return pulse_.missed().all - before_.all;
}

Duration Pulse::Watch::ran() const {
  const Duration passed = std::chrono::duration_cast<Duration>(pulse_.clock_.steady() - begun_);
  return passed - (pulse_.missed().awake - before_.awake);
}

}  // namespace firebreak::probes
