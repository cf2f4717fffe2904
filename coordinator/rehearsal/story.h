// What became of each incident while a core was played, in the words that are compared. Pure.
#pragma once

#include <map>
#include <vector>

#include "coordinator/rehearsal/backtest.h"

namespace firebreak::rehearsal {

class Storyteller {
 public:
  // The incidents that are open now are part of the story.
  void begin(const core::State& state);
  // After a step: state.changed and what the step asked for.
  void note(const core::State& state, const std::vector<core::Effect>& effects, Instant at);
  [[nodiscard]] bool is_full() const { return stories_.size() > kBacktestIncidentsMax; }
  [[nodiscard]] const std::map<IncidentId, IncidentStory>& stories() const { return stories_; }

 private:
  void look(const core::Incident& incident, Instant at);

  bool begun_ = false;
  std::map<IncidentId, IncidentStory> stories_;
};

// Pairs incidents of one service that were open at the same time, in their order, and says what
// differs.
[[nodiscard]] std::vector<StoryPair> compare(const Storyteller& recorded,
                                             const Storyteller& replayed);

}  // namespace firebreak::rehearsal
