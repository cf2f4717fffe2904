// Two thresholds: so many changes begin it, a calm ends it.
#include "coordinator/core/flapping.h"

#include "coordinator/core/alarms.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {
namespace {

std::string describe(const policy::Flapping& policy, const FlapState& flaps) {
  return "it flaps: its severity changed " + std::to_string(flaps.changes.size()) +
         " times within " + format_duration(policy.within);
}

void say_begun(Turn& turn, const ServiceName& service, const FlapState& flaps) {
  Incident* incident = open_incident_of(turn.state, service);
  if (incident == nullptr) return;
  const policy::Flapping& policy = *turn.state.policy->flapping;
  const std::string text = describe(policy, flaps);
  add_entry(turn, *incident, "flapping", kEngine,
            text + "; changes are not told until it is calm for " + format_duration(policy.calm));
  notify(turn, *incident, NotificationKind::flapping, text);
}

void say_calm(Turn& turn, const ServiceName& service) {
  Incident* incident = open_incident_of(turn.state, service);
  if (incident == nullptr) return;
  add_entry(turn, *incident, "flapping", kEngine,
            "calm for " + format_duration(turn.state.policy->flapping->calm) +
                ": it does not flap any more");
  turn.attend.insert(incident->id);
}

}  // namespace

FlapNews judge_flapping(const policy::Flapping& policy, FlapState& state, bool changed,
                        Instant now) {
  if (changed) state.changes.push_back(now);
  while (state.changes.size() > static_cast<std::size_t>(policy.changes)) state.changes.pop_front();
  // While it flaps the newest tells when it is calm.
  if (state.since && now - state.changes.back() >= policy.calm) {
    state = {};
    return FlapNews::calm;
  }
  while (!state.since && !state.changes.empty() && now - state.changes.front() >= policy.within)
    state.changes.pop_front();
  if (state.since || state.changes.size() < static_cast<std::size_t>(policy.changes))
    return FlapNews::none;
  state.since = now;
  return FlapNews::begun;
}

bool is_flapping(const State& state, const ServiceName& service) {
  const auto found = state.services.find(service);
  return found != state.services.end() && found->second.flaps.since.has_value();
}

void follow_flapping(Turn& turn, const ServiceName& service, bool changed,
                     std::optional<Instant>& next) {
  State& state = turn.state;
  ServiceState& mine = state.services[service];
  const bool was_flapping = mine.flaps.since.has_value();
  if (!state.policy->flapping) {
    mine.flaps = {};
    if (Incident* incident = was_flapping ? open_incident_of(state, service) : nullptr)
      turn.attend.insert(incident->id);
    return;
  }
  if (!changed && mine.flaps.changes.empty()) return;
  const bool counts = changed && maintenance_of(state, service) == nullptr;
  const FlapNews news = judge_flapping(*state.policy->flapping, mine.flaps, counts, turn.now);
  if (news == FlapNews::begun) say_begun(turn, service, mine.flaps);
  if (news == FlapNews::calm) say_calm(turn, service);
  if (mine.flaps.since) at_first(next, mine.flaps.changes.back() + state.policy->flapping->calm);
}

std::string open_flapping(Turn& turn, Incident& incident) {
  const ServiceState& mine = turn.state.services[incident.service];
  if (!mine.flaps.since) return {};
  const std::string text = describe(*turn.state.policy->flapping, mine.flaps);
  add_entry(turn, incident, "flapping", kEngine, text);
  return "; " + text;
}

}  // namespace firebreak::core
