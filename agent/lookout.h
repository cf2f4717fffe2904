// Asks the anchors when there is a reason, and keeps a silent target's result until it is known
// whether this agent can see (agent/sight.h decides).
//
// Belongs to the thread that runs the given io_context.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/config.h"
#include "common/clock.h"
#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/time.h"

namespace boost::asio {
class io_context;
}

namespace firebreak::agent {

struct LookoutSettings {
  std::vector<Anchor> anchors;
  std::vector<std::string> coordinators;  // "host:port"; those on this host prove nothing
  // As Uplink::heard().
  std::function<std::optional<std::pair<std::size_t, Instant>>()> heard;
};

class Lookout {
 public:
  // `io` and `clock` must outlive the Lookout, which calls nobody after its end.
  Lookout(boost::asio::io_context& io, const Clock& clock, LookoutSettings settings);
  ~Lookout();
  Lookout(const Lookout&) = delete;
  Lookout& operator=(const Lookout&) = delete;

  struct Run {
    const ProbeSpec& spec;
    Instant began;
    bool is_known = false;  // it has the status that was believed before
  };
  // Calls `done` once, with the observation or with what is to be said instead of it: at once, or
  // when an anchor has answered or all of them have been silent, kAnchorPatience later at
  // most, or later by the time in which this agent itself did not run.
  void judge(const Run& run, Observation observation, std::function<void(Observation)> done);

  // The coordinator's link is up: looks at `heard`.
  void note_link();

  // nullopt: the agent sees, or has nothing to see by.
  [[nodiscard]] std::optional<Instant> blind_since() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
