// Time passes over silences and maintenance.
#include "coordinator/core/quieting.h"

#include <algorithm>

#include "common/limits.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/silences.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {
namespace {

Instant next_change(const State& state) {
  Instant next = Instant::max();
  const auto at = [&](Instant when) {
    if (when > state.now) next = std::min(next, when);
  };
  for (const auto& [id, silence] : state.quieting.silences) at(silence.ends);
  for (const auto& [id, maintenance] : state.quieting.by_people) at(maintenance.ends);
  if (!state.policy) return next;
  for (const policy::MaintenanceWindow& window : state.policy->maintenance) {
    if (const auto now = window.when.at(state.now)) at(now->ends);
    if (const auto begins = window.when.next_begin(state.now)) at(*begins);
  }
  return next;
}

// Those that are over: for so long, and so many.
template <class Id, class One>
void drop_oldest(std::map<Id, One>& all, Instant now) {
  std::vector<std::pair<Instant, Id>> over;
  for (const auto& [id, one] : all)
    if (one.ends <= now) over.emplace_back(one.ends, id);
  std::sort(over.begin(), over.end());
  const std::size_t excess =
      over.size() > limits::kQuietingsKept ? over.size() - limits::kQuietingsKept : 0;
  for (std::size_t i = 0; i < over.size(); ++i)
    if (i < excess || over[i].first + limits::kQuietingsKeptFor <= now) all.erase(over[i].second);
}

}  // namespace

void follow_quieting(Turn& turn) {
  end_silences(turn);
  follow_maintenance(turn);
  drop_oldest(turn.state.quieting.silences, turn.now);
  drop_oldest(turn.state.quieting.by_people, turn.now);
  turn.state.quieting.next = next_change(turn.state);
}

void recount_quieting(State& state) {
  for (auto& [id, silence] : state.quieting.silences) silence.is_over = silence.ends <= state.now;
  state.quieting.maintenance = maintenance_in_force(state);
  state.quieting.next = next_change(state);
}

}  // namespace firebreak::core
