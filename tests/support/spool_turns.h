// The spool of an outbox without a thread: a real log on a disk in memory.
#pragma once

#include <optional>
#include <stdexcept>
#include <utility>

#include "agent/outbox.h"
#include "agent/spool/log.h"
#include "agent/spool_work.h"
#include "agent/time_line.h"
#include "tests/support/fake_files.h"

namespace firebreak::testing {

class SpoolTurns {
 public:
  explicit SpoolTurns(spool::LogLimits limits = {}) : limits_(limits) { open(); }

  // As a new life of the agent finds it; what an outbox should be made with.
  agent::SpoolStart open() {
    log_.reset();
    auto log = spool::Log::open(files, limits_, {"boot", agent::kBooted, agent::kBooted, {}}, 77);
    if (!log) throw std::runtime_error(log.error().message);
    log_.emplace(*std::move(log));
    return agent::start_of(*log_);
  }
  // Every turn that is due.
  void run(agent::Outbox& outbox, Instant now) {
    for (auto due = outbox.work_due(); due && *due <= now; due = outbox.work_due())
      outbox.work_done(
          agent::perform(*log_, outbox.take_work(),
                         {"boot", agent::kBooted, now.time_since_epoch(), WallTime{}}, 78),
          now);
  }

  FakeFiles files;
  [[nodiscard]] spool::Log& log() { return *log_; }

 private:
  spool::LogLimits limits_;
  std::optional<spool::Log> log_;
};

}  // namespace firebreak::testing
