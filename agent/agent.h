// The agent: runs the probes that its coordinator assigns and reports what they see.
//
// Everything happens on the one thread that runs the given io_context, but waiting for the disk. An
// Instant here is a point on the agent's time line (agent/time_line.h), never a time of day.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/config.h"
#include "agent/spool_thread.h"
#include "agent/state/handed_over.h"
#include "agent/uplink_fsm.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::probes {
class Checks;
}

namespace firebreak::agent {

struct AgentSettings {
  Config config;
  AgentName name;  // from the certificate
  OpenedSpool spool;
  UplinkOptions uplink;                      // `epoch_seen` from the state folder
  HandedOver handed_over;                    // likewise
  std::shared_ptr<probes::Checks> checks{};  // what exec probes may run; empty: nothing
};

// Reads what the configuration names: certificate (of an agent), key, authority, state folder.
// Warns in the log when the certificate is about to expire.
Result<AgentSettings> prepare(Config config, const Clock& clock);

class Agent {
 public:
  // `io` and `clock` must outlive the agent. `stopped` is called once, from the loop, after stop().
  Agent(boost::asio::io_context& io, const Clock& clock, AgentSettings settings,
        std::function<void()> stopped);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // From the loop's thread, or before it runs.
  void start();
  // Probes no more, sends what is there and waits for its acknowledgement, two seconds at most.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
