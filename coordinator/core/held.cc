// A receiver is owed one message at most: that the incident is open, or the last news it missed.
#include "coordinator/core/held.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/text.h"
#include "coordinator/core/escalation.h"
#include "coordinator/core/flapping.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/silences.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {
namespace {

// Worth a message of its own later. Reminders and what people did are on the timeline.
bool is_news(NotificationKind kind) {
  return kind == NotificationKind::severity_changed ||
         kind == NotificationKind::acknowledge_overdue ||
         kind == NotificationKind::resolve_overdue || kind == NotificationKind::escalated ||
         kind == NotificationKind::flapping;
}

void owe(Incident& incident, const ReceiverName& name, NotificationKind kind,
         const std::string& by) {
  if (!incident.told.contains(name))
    incident.held[name] = {NotificationKind::opened, by};
  else if (is_news(kind))
    incident.held[name] = {kind, by};
}

// Of the incident as it is now: those of another severity need not hear of it any more.
bool is_concerned(const State& state, const Incident& incident, const ReceiverName& name) {
  if (incident.told.contains(name)) return true;
  if (is_escalated_to(state, incident, name)) return true;
  return receivers_of(*state.policy, incident).contains(name);
}

}  // namespace

std::optional<Obstacle> obstacle_to(const State& state, const Incident& incident,
                                    NotificationKind kind) {
  if (const MaintenanceNow* maintenance = maintenance_of(state, incident.service))
    return Obstacle{"maintenance", maintenance->id, "in maintenance " + describe(*maintenance)};
  if (const auto silences = silences_of(state, incident); !silences.empty())
    return Obstacle{"silence", silences.front()->id.str(),
                    "silenced by " + describe(*silences.front())};
  if (kind == NotificationKind::severity_changed && is_flapping(state, incident.service))
    return Obstacle{"", "flapping", ""};
  return std::nullopt;
}

void hold_back(Turn& turn, Incident& incident, NotificationKind kind,
               std::set<ReceiverName>& receivers, const Obstacle& obstacle) {
  const bool is_end = kind == NotificationKind::resolved;
  std::vector<std::string> names;
  std::erase_if(receivers, [&](const ReceiverName& name) {
    if (is_end && incident.told.contains(name)) return false;
    names.push_back(name.str());
    if (!is_end) owe(incident, name, kind, obstacle.by);
    return true;
  });
  if (names.empty() || *obstacle.kind == '\0') return;
  add_entry(
      turn, incident, obstacle.kind, kEngine,
      "did not tell " + join_words(names) + " of \"" + to_string(kind) + "\": " + obstacle.text);
}

void tell_held(Turn& turn, Incident& incident) {
  if (incident.held.empty()) return;
  const auto held = std::exchange(incident.held, {});
  for (const auto& [name, one] : held) {
    // That its severity has changed is news again when it is back, if it is.
    const bool waits = incident.quiet_since && one.kind == NotificationKind::severity_changed;
    if (waits || obstacle_to(turn.state, incident, one.kind)) {
      incident.held.emplace(name, one);
      continue;
    }
    if (!is_concerned(turn.state, incident, name)) continue;
    tell(turn, incident, name, one.kind,
         "held back until now (" + one.by + "); still open at " + incident.severity_name);
  }
  turn.state.changed.insert(incident.id);
}

}  // namespace firebreak::core
