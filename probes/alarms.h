// The deadlines of all running probes on one timer: setting one costs a tree node, not a kernel
// timer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/clock.h"

namespace firebreak::probes {

// One thing that may be woken; lives at one place and unschedules itself when it ends. All on the
// io_context's thread.
class Alarms {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  class Alarm {
   public:
    Alarm(Alarms& alarms, std::function<void()> ring) : alarms_(alarms), ring_(std::move(ring)) {}
    ~Alarm() { clear(); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    // Rings once at `at` or soon after; replaces an earlier time.
    void set(TimePoint at);
    void clear();

   private:
    friend class Alarms;
    Alarms& alarms_;
    std::function<void()> ring_;
    TimePoint at_ = TimePoint::max();
  };

  // `lingers`: the timer may stay armed for an alarm that is gone, which keeps io_context::run()
  // from returning, and spares two wake-ups each time that nothing is left.
  Alarms(boost::asio::io_context& io, const Clock& clock, bool lingers)
      : lingers_(lingers), clock_(clock), timer_(io) {}
  ~Alarms() = default;
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

 private:
  void arm();
  void ring_due();

  const bool lingers_;
  const Clock& clock_;
  boost::asio::steady_timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  std::set<std::pair<TimePoint, Alarm*>> set_;
  std::shared_ptr<Alarms*> self_ = std::make_shared<Alarms*>(this);  // ends with us
};

}  // namespace firebreak::probes
