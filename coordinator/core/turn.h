// One call of step(): what its parts share.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

struct Turn {
  State& state;
  Instant now;
  std::vector<Effect>& effects;
  std::set<IncidentId> attend;         // incidents to look at before the step ends
  std::vector<ValidationId> finished;  // validations that ended in this step

  void emit(Effect effect) { effects.push_back(std::move(effect)); }
  // "act-17": for ever unique, the same in a replay.
  std::string next_id(const char* prefix) {
    return std::string(prefix) + "-" + std::to_string(state.next_id++);
  }
};

}  // namespace firebreak::core
