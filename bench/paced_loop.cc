// The same steps as agent/agent.cc, with a note of when each run began.
#include "bench/paced_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bench/measure.h"

namespace firebreak::bench {
namespace {

Instant now() {
  return Instant{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

ProberOptions resident() {
  ProberOptions options;
  options.is_resident = true;
  return options;
}

}  // namespace

agent::AssignedProbe assigned(const std::string& service, int number, KindSpec kind,
                              Duration every) {
  ProbeSpec spec;
  spec.kind = std::move(kind);
  spec.every = every;
  return {{ServiceName{service}, ProbeName{"p" + std::to_string(number)}}, std::move(spec)};
}

PacedLoop::PacedLoop(std::vector<agent::AssignedProbe> probes, bool asks)
    : asks_(asks), timer_(io_), prober_(io_, resident()) {
  schedule_.replace(std::move(probes), now());
}

PacedLoop::Seen PacedLoop::run(Duration settling, Duration length) {
  wait();
  io_.run_for(settling);
  const std::uint64_t skipped = schedule_.skipped();
  const Nanoseconds cpu = own_cpu();
  counts_ = true;
  io_.run_for(length);
  const std::chrono::duration<double> used = own_cpu() - cpu;
  seen_.cores = used / std::chrono::duration<double>(length);
  seen_.skipped = schedule_.skipped() - skipped;
  return std::move(seen_);
}

void PacedLoop::wait() {
  const auto due = schedule_.next_due();
  if (due == due_at_) return;
  due_at_ = due;
  timer_.cancel();
  timer_.expires_after(std::max<Duration>(*due - now(), Duration::zero()));
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    due_at_.reset();
    start_due();
  });
}

void PacedLoop::start_due() {
  const std::vector<agent::DueRun> due = schedule_.take_due(now());
  wait();
  for (const agent::DueRun& run : due) {
    if (!asks_) {
      note(run, Status::ok, now());
      continue;
    }
    prober_.start(*run.spec, [this, run](const Observation& seen) {
      note(run, seen.status, now() - seen.latency);
      wait();
    });
  }
}

void PacedLoop::note(const agent::DueRun& run, Status status, Instant began) {
  (void)schedule_.finished(run.id, status, now());
  if (!counts_ || run.key.service.str() == "hung") return;
  seen_.late_ms.push_back(std::chrono::duration<double, std::milli>(began - run.due).count());
  if (status != Status::ok) ++seen_.failed;
}

}  // namespace firebreak::bench
