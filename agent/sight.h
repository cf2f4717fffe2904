// Whether this agent can see: decides whether a target's silence is to be believed, or whether the
// agent's own network is gone. Pure; not thread-safe.
//
// Anchors are hosts whose answer proves that the network works: the default gateway, the
// coordinators, those of agent.yaml. A failure that a lost network could explain is believed as
// soon as one anchor has answered after it (or just before it), and excused when none does. `now`
// is on the agent's time line.
//
// An agent whose anchors have never answered is not blind: it has none, as a host that talks to
// itself alone, and its failures are believed as they are. One whose anchors have answered once,
// and of which nothing is left (the route to the gateway went with the link), is blind. So a
// coordinator that is away blinds nobody who has another anchor; an agent that has none but the
// coordinator cannot tell one from the other, and is blind until it is back.
#pragma once

#include <optional>

#include "common/time.h"

namespace firebreak::agent {

enum class Verdict {
  believe,
  excuse,  // this agent is blind
  ask,     // ask the anchors; answered() or silent() then decides
};

// A failure that a lost network could explain.
struct Silence {
  Instant began;  // of the run
  Instant ended;
  bool is_known = false;  // the probe's verdict is so already: it decides nothing new
};

class Sight {
 public:
  // An anchor answered at `at`. True when the agent was blind until then.
  bool answered(Instant at);
  // All anchors were asked between `began` and `now`, and none has answered. True when the agent is
  // blind from now on.
  bool silent(Instant began, Instant now);

  [[nodiscard]] Verdict judge(const Silence& silence) const;

  // When the anchors should be asked although nothing fails: so that it is known which of them
  // answer, and that a blind agent soon sees again.
  [[nodiscard]] Instant next_look() const;

  // Since when; nullopt: the agent sees, or has nothing to see by.
  [[nodiscard]] std::optional<Instant> blind_since() const { return blind_since_; }
  [[nodiscard]] bool has_anchors() const { return answered_at_.has_value(); }

 private:
  std::optional<Instant> answered_at_;
  std::optional<Instant> blind_since_;
  std::optional<Instant> sees_again_;  // the first answer after the last blindness
  Instant looked_at_;                  // the last answer or silence
};

}  // namespace firebreak::agent
