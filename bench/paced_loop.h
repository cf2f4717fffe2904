// Probes as an agent runs them all day: its schedule, its prober and one timer, without the link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/schedule.h"
#include "probes/run.h"

namespace firebreak::bench {

// The probe `number` of a service, each with a phase of its own.
agent::AssignedProbe assigned(const std::string& service, int number, KindSpec kind,
                              Duration every = std::chrono::seconds(1));

class PacedLoop {
 public:
  struct Seen {
    std::vector<double> late_ms;  // from when it was due to when it began, of each run
    std::uint64_t failed = 0;
    std::uint64_t skipped = 0;
    double cores = 0;  // CPU time of this process, of the time that passed
  };

  // Without `asks` nothing is probed: what the schedule alone costs.
  explicit PacedLoop(std::vector<agent::AssignedProbe> probes, bool asks = true);

  // Once, after a while in which nothing counts. Runs of the service "hung" never count.
  Seen run(Duration settling, Duration length);

 private:
  void wait();
  void start_due();
  void note(const agent::DueRun& run, Status status, Instant began);

  const bool asks_;
  agent::Schedule schedule_{"bench"};
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_;
  Prober prober_;
  std::optional<Instant> due_at_;
  bool counts_ = false;
  Seen seen_;
};

}  // namespace firebreak::bench
