// What a person says goes before what the rules say, and never without an end.
#include "coordinator/core/severity_override.h"

#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

using policy::SeverityIndex;

const std::string& name_of(const State& state, SeverityIndex severity) {
  return state.policy->severities[severity].name;
}

}  // namespace

Result<> may_override(const State& state, const OverrideSeverity& wish) {
  const Incident& incident = state.incidents.at(wish.incident);
  if (wish.reason.empty())
    return make_error(Errc::invalid_argument,
                      "say why the severity is not what the rules say: "
                      "give a reason");
  if (!wish.severity) {
    if (incident.severity_override) return {};
    return make_error(Errc::failed_precondition, "the rules decide the severity of incident " +
                                                     wish.incident.str() +
                                                     " already: nobody has overridden it");
  }
  if (!state.policy || *wish.severity >= state.policy->severities.size())
    return make_error(Errc::invalid_argument, "the policy has no such severity");
  if (state.policy->find_service(incident.service) == nullptr)
    return make_error(Errc::failed_precondition, "the policy has no service \"" +
                                                     incident.service.str() +
                                                     "\" any more; resolve the incident instead");
  if (wish.lasts < Duration{1} || wish.lasts > limits::kSeverityOverrideMax)
    return make_error(Errc::invalid_argument, "a severity is overridden for at most " +
                                                  format_duration(limits::kSeverityOverrideMax) +
                                                  ", not " + format_duration(wish.lasts) +
                                                  "; it can be said again");
  return {};
}

void override_severity(Turn& turn, const OverrideSeverity& wish, const std::string& by) {
  Incident& incident = turn.state.incidents.at(wish.incident);
  incident.last_update = turn.now;
  turn.attend.insert(incident.id);
  if (!wish.severity) {
    incident.severity_override.reset();
    add_entry(turn, incident, "severity", "operator:" + by, "the rules decide again", wish.reason);
    return;
  }
  SeverityOverride said;
  said.severity = *wish.severity;
  said.by = by;
  said.reason = wish.reason;
  said.until = turn.now + wish.lasts;
  add_entry(turn, incident, "severity", "operator:" + by,
            name_of(turn.state, said.severity) + " until " + format_utc(said.until) +
                " UTC, whatever the rules say",
            wish.reason);
  incident.severity_override = std::move(said);
}

void expire_override(Turn& turn, Incident& incident) {
  if (!incident.severity_override || incident.severity_override->until > turn.now) return;
  add_entry(turn, incident, "severity", kEngine,
            name_of(turn.state, incident.severity_override->severity) + " by " +
                incident.severity_override->by + " has expired: the rules decide again");
  incident.severity_override.reset();
}

SeverityIndex follow_override(Turn& turn, Incident& incident, SeverityIndex rules) {
  if (!incident.severity_override) return rules;
  SeverityOverride& said = *incident.severity_override;
  if (said.rules != rules) {
    said.rules = rules;
    add_entry(turn, incident, "severity", kEngine,
              "the rules say " + name_of(turn.state, rules) + ", " + said.by + " says " +
                  name_of(turn.state, said.severity));
  }
  return said.severity;
}

}  // namespace firebreak::core
