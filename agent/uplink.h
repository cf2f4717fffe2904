// The agent's link to its coordinators: keeps results until they are committed there, and hands
// what a coordinator asks to the agent.
//
// Belongs to the thread that runs the given io_context. What to do when is UplinkFsm's, what is
// kept where is Outbox's; this is where they meet the network and the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/outbox.h"
#include "agent/spool_thread.h"
#include "agent/uplink_fsm.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/observation.h"
#include "common/pki.h"
#include "common/rng.h"

namespace boost::asio {
class io_context;
}
namespace firebreak::v1 {
class ActionOrder;
class ActionOutcome;
class Assignment;
class ProbeNow;
}  // namespace firebreak::v1

namespace firebreak::agent {

struct UplinkSettings {
  std::vector<std::string> coordinators;  // "host:port", at least one
  pki::TlsFiles tls;
  std::map<std::string, std::string> labels;
  std::string version;
  std::string state;      // the folder that remembers the epoch
  OpenedSpool spool;      // its incarnation is the link's
  UplinkOptions options;  // `coordinators` is set from the above
};

// Each is called from the loop; none of them while the link is being stopped, but `stopped`.
struct UplinkHandlers {
  std::function<void()> attached;
  std::function<void(const v1::Assignment&)> assignment;
  std::function<void(const v1::ProbeNow&)> probe_now;
  std::function<void(const v1::ActionOrder&)> order;
  std::function<void(const ActionId&)> outcome_acknowledged;
  std::function<void()> stopped;  // once
};

class Uplink {
 public:
  // `io` and `clock` must outlive the Uplink.
  Uplink(boost::asio::io_context& io, const Clock& clock, Rng rng, UplinkSettings settings,
         UplinkHandlers handlers);
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  void start();
  // Sends what is there and waits for its acknowledgement, but not long; what is left is written to
  // the spool; then `stopped`.
  void stop();

  // The names that this host allows. A coordinator learns them when the link comes up, so a change
  // makes it come up anew.
  void set_actions(std::vector<std::string> names);

  void push(QueuedResult result);
  // These two are lost when there is no link: a one-shot probe is not answered late, and an
  // outcome is owed until it is acknowledged.
  void send_probe_now_result(const RequestId& request, const Observation& observation);
  void send_outcome(const v1::ActionOutcome& outcome);

  [[nodiscard]] bool is_attached() const;
  // Which coordinator the link is to, by its place in the settings, and when it was last heard;
  // nullopt while there is no link.
  [[nodiscard]] std::optional<std::pair<std::size_t, Instant>> heard() const;
  // The highest of a coordinator that this host has obeyed.
  [[nodiscard]] std::uint64_t epoch() const;
  [[nodiscard]] const Outbox& outbox() const;
  // Results lost at the bounds, in memory and on disk, in this life of the agent.
  [[nodiscard]] std::uint64_t dropped() const;
  // "attached to main.example:7443" or "no coordinator: ...", one line, escaped.
  [[nodiscard]] std::string describe() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::agent
