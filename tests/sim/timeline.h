// Simulated time: what happens when, in one order. Nothing here waits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "common/time.h"

namespace firebreak::sim {

class Timeline {
 public:
  explicit Timeline(Instant start) : now_(start) {}
  [[nodiscard]] Instant now() const { return now_; }
  // What is set for one moment happens in the order in which it was set.
  void at(Instant when, std::function<void()> what) {
    if (free_.empty()) {
      free_.push_back(things_.size());
      things_.emplace_back();
    }
    const std::size_t place = free_.back();
    free_.pop_back();
    things_[place] = std::move(what);
    queue_.push({std::max(when, now_), ++last_, place});
  }
  void after(Duration time, std::function<void()> what) { at(now_ + time, std::move(what)); }
  // The next thing up to `until`; false: there is none, and it is `until` now.
  bool step(Instant until) {
    if (queue_.empty() || queue_.top().at > until) {
      now_ = std::max(now_, until);
      return false;
    }
    const Entry next = queue_.top();
    queue_.pop();
    now_ = next.at;
    // Moved out before it runs, for it will add to what is to come.
    const auto what = std::exchange(things_[next.place], nullptr);
    free_.push_back(next.place);
    what();
    return true;
  }

 private:
  // Small, for the heap moves it about.
  struct Entry {
    Instant at;
    std::uint64_t order = 0;
    std::size_t place = 0;  // in things_
    bool operator<(const Entry& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  Instant now_;
  std::uint64_t last_ = 0;
  std::priority_queue<Entry> queue_;
  std::vector<std::function<void()>> things_;
  std::vector<std::size_t> free_;
};

// A host's clocks, a little fast or slow: the steady one (CLOCK_MONOTONIC) stands still while the
// host is suspended, the time since boot (CLOCK_BOOTTIME) and the wall clock do not; the wall clock
// is stepped besides.
class HostClock {
 public:
  HostClock(const Timeline& timeline, Duration uptime, Duration wall_error, int drift_ppm)
      : timeline_(timeline),
        anchor_(timeline.now()),
        steady_(Instant{uptime}),
        booted_(timeline.now()),
        uptime_(uptime),
        wall_error_(wall_error),
        ppm_(drift_ppm) {}

  [[nodiscard]] Instant steady() const {
    return is_suspended_ ? steady_ : steady_ + at_rate(timeline_.now() - anchor_);
  }
  [[nodiscard]] Duration since_boot() const { return uptime_ + at_rate(timeline_.now() - booted_); }
  [[nodiscard]] WallTime wall() const {
    return WallTime{timeline_.now().time_since_epoch() + wall_error_};
  }
  // The moment at which the clock shows at least this, if the host is not suspended meanwhile.
  [[nodiscard]] Instant when(Instant steady) const { return later(steady - this->steady()); }
  [[nodiscard]] Instant when(Duration since_boot) const {
    return later(since_boot - this->since_boot());
  }
  void step_wall(Duration by) { wall_error_ += by; }
  void suspend() {
    steady_ = steady();
    is_suspended_ = true;
  }
  void wake_up() {
    if (!is_suspended_) return;
    anchor_ = timeline_.now();
    is_suspended_ = false;
  }
  // The power was cut and is back.
  void reboot() {
    anchor_ = booted_ = timeline_.now();
    uptime_ = std::chrono::seconds(20);
    steady_ = Instant{uptime_};
    is_suspended_ = false;
  }

 private:
  [[nodiscard]] Duration at_rate(Duration passed) const {
    const Duration::rep us = passed.count();
    return Duration{us + us / 1'000'000 * ppm_ + us % 1'000'000 * ppm_ / 1'000'000};
  }
  [[nodiscard]] Instant later(Duration ahead) const {
    const Duration::rep us = ahead.count();
    if (us <= 0) return timeline_.now();
    return timeline_.now() + Duration{us - us / 1'000'000 * ppm_ + us / 1'000'000'000 + 2};
  }

  const Timeline& timeline_;
  Instant anchor_;
  Instant steady_;  // at the anchor
  Instant booted_;
  Duration uptime_;  // at booted_
  Duration wall_error_;
  int ppm_;
  bool is_suspended_ = false;
};

// A process: what was set for a life that is over never happens, and nothing happens while it is
// stopped (SIGSTOP, or its host is suspended); then it happens at once, in order.
class Process {
 public:
  explicit Process(Timeline& timeline) : timeline_(timeline) {}
  [[nodiscard]] bool is_alive() const { return is_alive_; }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  void begin_life() {
    ++life_;
    is_alive_ = true;
  }
  void end_life() {
    ++life_;
    is_alive_ = false;
    held_.clear();
  }
  void stop() { is_stopped_ = true; }
  void go_on() {
    is_stopped_ = false;
    auto held = std::exchange(held_, {});
    for (auto& what : held) after(Duration{0}, std::move(what));
  }
  void at(Instant when, std::function<void()> what) {
    timeline_.at(when, [this, life = life_, what = std::move(what)]() mutable {
      if (life == life_) run(std::move(what));
    });
  }
  void after(Duration time, std::function<void()> what) {
    at(timeline_.now() + time, std::move(what));
  }
  // Now, unless the process is stopped.
  void run(std::function<void()> what) {
    if (!is_alive_) return;
    if (is_stopped_)
      held_.push_back(std::move(what));
    else
      what();
  }

 private:
  Timeline& timeline_;
  std::uint64_t life_ = 0;
  bool is_alive_ = false;
  bool is_stopped_ = false;
  std::vector<std::function<void()>> held_;
};

}  // namespace firebreak::sim
