// How long the event loop did not run while probes were running: what is late then is not the
// target's fault.
//
// A beat on the loop's own timers: one that comes late was kept from running by want of CPU, a
// stopped process or a suspended host, and so was every probe. Belongs to the loop's thread.
#pragma once

#include <chrono>
#include <cstddef>

#include "common/clock.h"
#include "common/time.h"
#include "probes/alarms.h"

namespace firebreak::probes {

class Pulse {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Both must outlive the Pulse. It beats while there is a Watch.
  Pulse(Alarms& alarms, const Clock& clock);
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  // All that was lost while there was a Watch, a beat that is late at this moment included.
  [[nodiscard]] Duration lost() const { return missed().all; }

  struct Missed {
    Duration all{};
    Duration awake{};  // of it, while the steady clock went on
  };
  // One probe, while it runs. The Pulse must outlive it.
  class Watch {
   public:
    explicit Watch(Pulse& pulse);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // How long the loop did not run since this watch began.
    [[nodiscard]] Duration lost() const;
    // How long it did run; suspends do not count, as they do not on the steady clock.
    [[nodiscard]] Duration ran() const;

   private:
    Pulse& pulse_;
    Missed before_;
    TimePoint begun_;
  };

 private:
  [[nodiscard]] Missed missed() const;
  void beat();

  const Clock& clock_;
  std::size_t watches_ = 0;
  TimePoint beaten_;           // the last beat: when timers were last known to fire
  Duration beaten_in_boot_{};  // the same moment, suspends included
  Missed before_;              // until then
  Alarms::Alarm alarm_;
};

}  // namespace firebreak::probes
