// One running probe: what it has found out so far, when it must end, and how to make it end.
//
// A kind's coroutine gets a reference; the frame that run.cc spawned keeps the Attempt alive. Every
// step that can fail returns false after it has called fail(), so a coroutine reads as a list of
// steps.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "common/clock.h"
#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/secret.h"
#include "probes/alarms.h"
#include "probes/disk_reader.h"
#include "probes/pulse.h"
#include "probes/resolver.h"
#include "probes/run.h"
#include "probes/tls.h"

namespace firebreak::probes {

using Executor = boost::asio::io_context::executor_type;
template <class T>
using Awaitable = boost::asio::awaitable<T, Executor>;
using TimePoint = std::chrono::steady_clock::time_point;

// When the processors' times were read.
struct CpuLook {
  CpuTimes times;
  TimePoint at;
};

// What all probes of one Prober share.
struct Toolbox {
  Toolbox(boost::asio::io_context& context, const ProberOptions& options)
      : io(context),
        clock(options.clock ? options.clock : std::make_shared<const SystemClock>()),
        resolver(context, options),
        alarms(context, *clock, options.is_resident),
        pulse(alarms, *clock),
        checks(options.checks),
        heartbeats(options.heartbeats),
        disks(context, ask_disk),
        proc(options.proc),
        system_bus(options.system_bus) {}

  boost::asio::io_context& io;
  const std::shared_ptr<const Clock> clock;
  Resolver resolver;
  Alarms alarms;
  Pulse pulse;
  TlsContexts tls;
  const std::shared_ptr<Checks> checks;
  const FindHeartbeat heartbeats;
  DiskReader disks;
  const std::string proc;
  const std::string system_bus;
  std::optional<CpuLook> cpu;  // the last one of a host probe
};

class Attempt {
 public:
  // Its clock starts here.
  Attempt(std::shared_ptr<Toolbox> tools, ProbeSpec spec, ProbeTrace trace);

  [[nodiscard]] Toolbox& tools() const { return *tools_; }
  [[nodiscard]] const ProbeSpec& spec() const { return spec_; }
  [[nodiscard]] TimePoint now() const { return tools_->clock->steady(); }
  [[nodiscard]] TimePoint deadline() const { return deadline_; }
  // Since the start, without the time in which the prober itself did not run.
  [[nodiscard]] Duration elapsed() const { return watch_->ran(); }

  // What follows is this phase: of the timings, of a failure and of the trace.
  void enter(Phase phase);
  [[nodiscard]] Phase phase() const { return phase_; }

  [[nodiscard]] bool tracing() const { return static_cast<bool>(trace_); }
  void trace(std::string_view text) const;

  // Ends well, with what is worth saying (mostly nothing).
  void succeed(std::string_view note = {});
  // Ends badly. Returns false, so that a step can `return attempt.fail(...)`.
  bool fail(Status status, Reason reason, std::string_view evidence);
  // The target's fault, and ours: what we could not even try.
  bool critical(Reason reason, std::string_view evidence) {
    return fail(Status::critical, reason, evidence);
  }
  bool unknown(Reason reason, std::string_view evidence) {
    return fail(Status::unknown, reason, evidence);
  }
  // The prober did not run for so long meanwhile that what is missing is not the target's fault.
  [[nodiscard]] bool has_stalled() const;
  // The deadline passed, or the prober has stalled.
  bool fail_timeout(std::string_view what);
  void add_value(std::string name, double value);
  // Before the others: the value that a rule means when it names none.
  void add_first_value(std::string name, double value);

  // Never to appear in evidence or a trace, whatever the target echoes.
  void keep_secret(std::string value);

  // True after the deadline or after cancel(): the step that waits must fail.
  [[nodiscard]] bool is_over() const { return over_; }
  void cancel();
  // cancel(), and nobody listens to the trace any more.
  void abandon();
  // For one step (a connection to one of several addresses): at `at` the abort hook is called, but
  // the attempt goes on. Until end_step().
  void begin_step(TimePoint at);
  void end_step();

  // Takes the result: with the latency and the last phase's timing. A failure that may come from a
  // stall of the prober is unknown/prober by then. Nothing is called after it.
  Observation finish();

  // The target was found by this name: should the probe fail, it is looked up anew next time.
  void rests_on(const std::string& name);

  // While it lives, `abort` ends whatever is being waited for.
  class AbortScope {
   public:
    AbortScope(Attempt& attempt, std::function<void()> abort)
        : attempt_(attempt), previous_(std::exchange(attempt.abort_, std::move(abort))) {}
    ~AbortScope() { attempt_.abort_ = std::move(previous_); }
    AbortScope(const AbortScope&) = delete;
    AbortScope& operator=(const AbortScope&) = delete;

   private:
    Attempt& attempt_;
    std::function<void()> previous_;
  };

 private:
  void ring();
  void close_phase();
  bool blame_stall();
  [[nodiscard]] std::string scrub(std::string_view text) const;

  std::shared_ptr<Toolbox> tools_;
  ProbeSpec spec_;
  ProbeTrace trace_;
  Observation observation_;
  std::vector<std::string> secrets_;
  std::vector<std::string> names_;
  std::optional<Pulse::Watch> watch_;  // until finish()
  TimePoint deadline_;
  Duration phase_begun_{};  // as elapsed()
  Phase phase_ = Phase::none;
  bool over_ = false;
  std::function<void()> abort_;
  Alarms::Alarm alarm_;
};

}  // namespace firebreak::probes
