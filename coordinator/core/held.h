// Who is not told now, and is later: silences, maintenance and flapping hold notifications back.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "coordinator/core/turn.h"

namespace firebreak::core {

struct Obstacle {
  const char* kind = "";  // of the timeline's entry; empty: nothing is said
  std::string by;         // "sil-3"
  std::string text;       // "silenced by sil-3 (anna: ...) until ..."
};

// What keeps anybody from being told this of the incident now; empty: nothing.
[[nodiscard]] std::optional<Obstacle> obstacle_to(const State& state, const Incident& incident,
                                                  NotificationKind kind);

// Takes out of `receivers` who is not told, says so, and remembers what they are owed. The end of
// an incident reaches whoever has heard of it.
void hold_back(Turn& turn, Incident& incident, NotificationKind kind,
               std::set<ReceiverName>& receivers, const Obstacle& obstacle);

// One message for each who is owed one and is held back no more.
void tell_held(Turn& turn, Incident& incident);

}  // namespace firebreak::core
