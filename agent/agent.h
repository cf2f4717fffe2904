// The agent: runs the probes that its coordinator assigns and reports what they see.
//
// Everything happens on the one thread that runs the given io_context. The agent's time line is
// its steady clock: an Instant here is microseconds on it, never a time of day.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/config.h"
#include "agent/handed_over.h"
#include "agent/uplink_fsm.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::agent {

struct AgentSettings {
  Config config;
  AgentName name;                 // from the certificate
  std::uint64_t incarnation = 0;  // random, not 0; also the seed of jitter
  UplinkOptions uplink;           // `epoch_seen` from the state folder
  HandedOver handed_over;         // likewise
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
