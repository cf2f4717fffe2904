// What holds of every story whatever it expects: a replay of it, and a state read back in the
// middle of it, do the same.
#pragma once

#include <string>
#include <vector>

#include "coordinator/rehearsal/world.h"

namespace firebreak::scenario {

class Proof {
 public:
  // Keeps every step of a story.
  [[nodiscard]] rehearsal::Observer recorder();

  // Whether the same events give a fresh core the same effects.
  [[nodiscard]] bool replays() const;
  // Plays it all again in two cores, of which one is written down and read back again and again:
  // empty when both go alike, else where they first differ.
  [[nodiscard]] std::string snapshot_fault() const;

 private:
  struct Step {
    Instant at;
    core::Event event;
    std::vector<std::string> effects;
  };

  std::vector<Step> history_;
};

}  // namespace firebreak::scenario
