// Runs probes: what an agent does all day, and `firebreak probe` once.
//
// Belongs to the one thread that runs the given io_context. Never throws, never blocks, and calls
// `done` exactly once for each start(), never from inside start(). Everything that goes wrong is an
// Observation with a reason and evidence.
//
// Times: a probe's deadline is spec.timeout over all its phases, name look-up included, counted
// from when it gets one of the in_flight_max slots, of which per_target_max may be about one
// server; until then it waits in order, which is not counted as the target's latency. A probe that
// waits for a slot for two timeouts ends unknown/prober, so `done` comes at the latest three
// timeouts after start().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/limits.h"
#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace firebreak {

namespace probes {
class Checks;
struct Heartbeat;
}  // namespace probes

// What is known of a name; why nothing is, as a result of the probe.
using FindHeartbeat = std::function<Result<probes::Heartbeat>(const std::string& name)>;

// The numeric addresses of a name, in the order in which they should be tried. Called on threads of
// the resolver, several at once; may block.
using LookUp = std::function<Result<std::vector<std::string>>(const std::string& host)>;

struct ProberOptions {
  std::size_t in_flight_max = limits::kProbesInFlightMax;
  std::size_t per_target_max =
      limits::kProbesPerTargetMax;  // as probes/reach.h tells servers apart
  std::size_t resolver_threads_max = limits::kResolverThreadsMax;
  std::size_t resolver_queue_max = limits::kResolverQueueMax;
  LookUp look_up;                          // empty: the system's getaddrinfo
  std::shared_ptr<probes::Checks> checks;  // what exec probes may run; empty: nothing
  FindHeartbeat heartbeats;                // empty: nobody listens to jobs
  std::string proc = "/proc";              // where host probes read
  std::string system_bus;                  // D-Bus address of systemd; empty: the system's own
  std::shared_ptr<const Clock> clock;      // of the deadlines; empty: the system's
  bool is_resident = false;  // probes for ever: io_context::run() need not return in between
};

using ProbeDone = std::function<void(Observation)>;
// What a probe is doing, for `firebreak probe --verbose`: hostile text without secrets.
using ProbeTrace = std::function<void(Phase phase, std::string_view text)>;

class Prober {
 public:
  // `io` must outlive the Prober.
  explicit Prober(boost::asio::io_context& io, const ProberOptions& options = {});
  // Cancels everything; no `done` and no trace is called any more.
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void start(const ProbeSpec& spec, ProbeDone done, ProbeTrace trace = {});

  [[nodiscard]] std::size_t running() const;
  [[nodiscard]] std::size_t waiting() const;
  // How long the io_context's thread did not run while probes were running, all together: want of
  // CPU, a stopped process, a suspended host.
  [[nodiscard]] Duration lost() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace firebreak
