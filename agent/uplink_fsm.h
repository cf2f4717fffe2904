// The life of the link to a coordinator, as a function of what happens and when. Pure; not
// thread-safe. uplink.cc and agent.cc perform what it says.
//
//   waiting -> attaching -> streaming -> (draining | stopping) -> waiting | stopped
//
// `now` is on the agent's time line and never goes back.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/outbox.h"
#include "common/backoff.h"
#include "common/limits.h"
#include "common/rng.h"
#include "common/time.h"

namespace firebreak::agent {

struct UplinkOptions {
  std::size_t coordinators = 1;  // addresses, tried in turn
  std::uint64_t epoch_seen = 0;
  Duration backoff_first = std::chrono::milliseconds(500);
  Duration backoff_longest = std::chrono::seconds(30);
  Duration steady_after = std::chrono::seconds(10);  // a link this old starts the back-off anew
  Duration drain_within = std::chrono::seconds(5);
  Duration stop_within = std::chrono::seconds(2);
  Duration reconnect_after_max = std::chrono::minutes(5);
};

namespace link {

// What happens.
struct Started {};
struct Welcomed {
  std::uint64_t epoch = 0;
};
struct Received {};  // any message but those that have an event of their own
struct Broken {      // the stream ended, or the coordinator broke the protocol
  std::string reason;
};
struct DrainAsked {
  Duration reconnect_after{};
};
struct StopAsked {};
struct Woken {};  // next_wake() has come, or the outbox changed
using Event = std::variant<Started, Welcomed, Received, Broken, DrainAsked, StopAsked, Woken>;

// What to do about it, in this order.
struct Open {  // a new stream, Hello first
  std::size_t coordinator = 0;
};
struct RememberEpoch {
  std::uint64_t epoch = 0;
};
struct Attached {};     // the link carries results from now on
struct SendResults {};  // one batch; resume with Woken afterwards
struct SendHeartbeat {};
struct Close {
  std::string reason;
};
struct Stopped {};
using Action =
    std::variant<Open, RememberEpoch, Attached, SendResults, SendHeartbeat, Close, Stopped>;

}  // namespace link

class UplinkFsm {
 public:
  enum class State { idle, waiting, attaching, streaming, draining, stopping, stopped };

  // `outbox` must outlive the machine; it only looks.
  UplinkFsm(UplinkOptions options, const Outbox& outbox, Rng rng);

  std::vector<link::Action> resume(const link::Event& event, Instant now);
  // When to resume with Woken; Instant::max() when there is nothing to wait for.
  [[nodiscard]] Instant next_wake() const;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t epoch_seen() const { return options_.epoch_seen; }
  // Which coordinator the link is to, or will be tried next.
  [[nodiscard]] std::size_t coordinator() const { return coordinator_; }
  // When the coordinator was last heard, while is_attached().
  [[nodiscard]] Instant heard_at() const { return heard_at_; }
  // The link carries messages both ways.
  [[nodiscard]] bool is_attached() const;

 private:
  using Actions = std::vector<link::Action>;
  void on(const link::Started& event, Instant now, Actions& actions);
  void on(const link::Welcomed& event, Instant now, Actions& actions);
  void on(const link::Received& event, Instant now, Actions& actions);
  void on(const link::Broken& event, Instant now, Actions& actions);
  void on(const link::DrainAsked& event, Instant now, Actions& actions);
  void on(const link::StopAsked& event, Instant now, Actions& actions);
  void on(const link::Woken& event, Instant now, Actions& actions);

  [[nodiscard]] bool has_stream() const;
  // The link is no good: close it and try the next coordinator after a while.
  void give_up(std::string reason, Instant now, Actions& actions);
  void wait(Duration at_least, Instant now);
  void stream(Instant now, Actions& actions);

  UplinkOptions options_;
  const Outbox& outbox_;
  Rng rng_;
  Backoff backoff_;
  State state_ = State::idle;
  std::size_t coordinator_ = 0;
  Instant reconnect_at_{};
  Instant attached_at_{};
  Instant heard_at_{};
  Instant heartbeat_at_{};
  Instant finish_by_{};         // of draining and stopping
  Duration reconnect_after_{};  // asked by the coordinator
};

}  // namespace firebreak::agent
