// Of an incident: what a person says its severity is, and what is to be done by hand.
#include <firebreak/v1/operator.pb.h>

#include <optional>
#include <string>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/api/convert.h"

namespace firebreak::api {
namespace {

std::string severity_name(const core::State& state,
                          const std::optional<policy::SeverityIndex>& severity) {
  if (!severity || !state.policy || *severity >= state.policy->severities.size()) return {};
  return shown_text(state.policy->severities[*severity].name);
}

void add_step(const core::ManualStep& step, v1::Incident& out) {
  v1::ManualStep& shown = *out.add_steps();
  shown.set_number(step.number);
  shown.set_text(shown_text(step.text));
  shown.set_due_unix_us(unix_us(step.due));
  shown.set_required(step.required);
  shown.set_is_due(step.shown);
  if (step.done) shown.set_done_unix_us(unix_us(*step.done));
  shown.set_done_by(shown_text(step.done_by));
  shown.set_note(shown_text(step.note));
}

}  // namespace

void add_response(const core::State& state, const core::Incident& incident, v1::Incident& out) {
  if (const auto& said = incident.severity_override) {
    v1::SeverityOverride& shown = *out.mutable_severity_override();
    shown.set_severity(severity_name(state, said->severity));
    shown.set_by(shown_text(said->by));
    shown.set_reason(shown_text(said->reason));
    shown.set_until_unix_us(unix_us(said->until));
    shown.set_rules_say(severity_name(state, said->rules));
  }
  for (const core::ManualStep& step : incident.steps) add_step(step, out);
  for (const core::Recommended& one : incident.recommended) {
    v1::Recommendation& shown = *out.add_recommendations();
    shown.set_text(shown_text(one.say));
    shown.set_since_unix_us(unix_us(one.since));
    shown.set_holds(one.holds);
  }
  if (!state.policy || !incident.severity) return;
  for (const auto& [scheme, names] : state.policy->schemes) {
    v1::SchemeSeverity& shown = *out.add_schemes();
    shown.set_scheme(scheme);
    shown.set_severity(
        shown_text(state.policy->severity_in(scheme, incident.severity, incident.severity_name)));
  }
}

}  // namespace firebreak::api
