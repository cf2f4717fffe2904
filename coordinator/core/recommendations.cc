// Conditions are looked at when the incident is, when a fact that they read changes, and again
// after a while.
#include "coordinator/core/recommendations.h"

#include <algorithm>

#include "coordinator/core/signal_values.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

using policy::Recommendation;

constexpr Duration kRecommendEvery = std::chrono::seconds(10);  // people read it, nobody acts on it

Recommended* find_said(Incident& incident, const Recommendation& recommendation) {
  const auto found =
      std::find_if(incident.recommended.begin(), incident.recommended.end(),
                   [&](const Recommended& one) { return one.say == recommendation.say; });
  return found == incident.recommended.end() ? nullptr : &*found;
}

bool is_known(const policy::Policy& policy, const Incident& incident, const std::string& say) {
  return std::any_of(
      policy.recommendations.begin(), policy.recommendations.end(),
      [&](const Recommendation& one) { return one.service == incident.service && one.say == say; });
}

}  // namespace

void recommend(Turn& turn, Incident& incident) {
  const policy::Policy& policy = *turn.state.policy;
  if (policy.recommendations.empty() && incident.recommended.empty()) return;
  std::erase_if(incident.recommended,
                [&](const Recommended& one) { return !is_known(policy, incident, one.say); });
  const ServiceSignals signals(turn.state, incident.service, turn.now);
  for (const Recommendation& recommendation : policy.recommendations) {
    if (recommendation.service != incident.service) continue;
    const bool holds = !incident.quiet_since && recommendation.when.evaluate(signals).is_true();
    Recommended* said = find_said(incident, recommendation);
    if (said != nullptr) {
      if (holds && !said->holds) said->since = turn.now;
      said->holds = holds;
      continue;
    }
    if (!holds) continue;
    incident.recommended.push_back({recommendation.say, turn.now, true});
    add_entry(turn, incident, "recommendation", kEngine, recommendation.say,
              "because " + recommendation.when.text());
  }
}

std::optional<Instant> recommendations_due(const State& state, const Incident& incident) {
  if (incident.quiet_since) return std::nullopt;
  const auto& all = state.policy->recommendations;
  const bool any = std::any_of(all.begin(), all.end(), [&](const Recommendation& one) {
    return one.service == incident.service;
  });
  if (!any) return std::nullopt;
  return state.now + kRecommendEvery;
}

}  // namespace firebreak::core
