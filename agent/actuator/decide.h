// Whether an order is carried out. Pure: the order, what this host allows, what it has done before
// and the time go in, the decision comes out.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/actuator/action.h"
#include "agent/actuator/history.h"

namespace firebreak::actuator {

struct Situation {
  const AllowList& allowed;
  const History& history;
  std::size_t files_refused = 0;  // of actions.d, because of mistakes
  std::string closed;             // why nothing at all may run: a damaged journal; empty: open
  Instant received;               // when the order's first byte arrived
  Instant now;
};

// Write the intent, then execute.
struct Start {
  const Action* action = nullptr;  // of Situation::allowed
  std::vector<std::string> argv;   // parameters filled in
};
struct Refuse {
  std::string reason;  // may quote the order: escape where shown
};
// The id has been seen before: answer with what is known, run nothing.
struct Known {
  Outcome outcome;
};
using Decision = std::variant<Start, Refuse, Known>;

[[nodiscard]] Decision decide(const Order& order, const Situation& situation);

// True once the order's validity is over; it is checked again after the intent has become durable,
// because a disk may take its time.
[[nodiscard]] bool is_expired(const Order& order, Instant received, Instant now);

}  // namespace firebreak::actuator
