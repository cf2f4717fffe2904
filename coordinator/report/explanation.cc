// Copies an explanation into its message, within the bounds of one message.
#include "coordinator/report/explanation.h"

#include <firebreak/v1/operator.pb.h>

#include <string>

#include "common/limits.h"
#include "common/text.h"
#include "proto/wire.h"

namespace firebreak::report {
namespace {

// The rules' share of a message; then come the probes, and last the incident.
constexpr std::size_t kRulesBytesMax = limits::kApiReplyBytesMax / 2;
constexpr std::size_t kMessageBytesMax = limits::kApiReplyBytesMax * 3 / 4;
constexpr std::size_t kPartBytesMax = 400;  // of a part's text, and of its value
constexpr std::size_t kDecisionBytesMax = 1000;

std::string shown(const std::string& raw, std::size_t bytes_max = kPartBytesMax) {
  return to_valid_utf8(raw, bytes_max);
}

std::int64_t us_or_zero(const std::optional<Instant>& at) {
  return at ? unix_us(*at) : 0;
}

const char* name_of(policy::Mode mode) {
  switch (mode) {
    case policy::Mode::observe:
      return "observe";
    case policy::Mode::advise:
      return "advise";
    case policy::Mode::enforce:
      break;
  }
  return "enforce";
}

void fill_rule(const core::RuleExplained& rule, v1::ExplainResponse::Rule& out) {
  out.set_name(shown(rule.name));
  out.set_for_us(rule.hold.count());
  out.set_keep_for_us(rule.keep.count());
  out.set_severity(shown(rule.severity));
  out.set_lower_since_unix_us(us_or_zero(rule.lower_since));
  for (const core::LevelExplained& level : rule.levels) {
    v1::ExplainResponse::Level& one = *out.add_levels();
    one.set_severity(shown(level.severity));
    one.set_true_since_unix_us(us_or_zero(level.true_since));
    for (const cel::Part& part : level.parts) {
      v1::ExplainResponse::Part& shown_part = *one.add_parts();
      shown_part.set_text(
          shown(part.text, part.depth == 0 ? limits::kExprBytesMax : kPartBytesMax));
      shown_part.set_depth(static_cast<std::uint32_t>(part.depth));
      shown_part.set_value(shown(cel::to_string(part.value)));
    }
  }
}

void fill_probe(const core::ProbeExplained& probe, v1::ExplainResponse::Probe& out) {
  out.set_service(probe.key.service.str());
  out.set_name(probe.key.probe.str());
  out.set_status(wire::to_proto(probe.view.status));
  out.set_vantages(static_cast<std::uint32_t>(probe.view.vantages));
  out.set_fresh(static_cast<std::uint32_t>(probe.view.fresh));
  out.set_failing(static_cast<std::uint32_t>(probe.view.failing));
  out.set_awaited(static_cast<std::uint32_t>(probe.view.missing));
  out.set_failing_since_unix_us(us_or_zero(probe.view.failing_since));
  out.set_newest_unix_us(us_or_zero(probe.view.newest));
}

void fill_playbook(const core::PlaybookExplained& playbook, v1::ExplainResponse::Playbook& out) {
  out.set_name(shown(playbook.name));
  out.set_mode(name_of(playbook.mode));
  out.set_since_unix_us(unix_us(playbook.since));
  out.set_waits(shown(playbook.waits));
  for (const core::Prospect& step : playbook.steps) {
    v1::ExplainResponse::Step& one = *out.add_steps();
    one.set_stage(static_cast<std::uint32_t>(step.stage + 1));
    one.set_begins_unix_us(unix_us(step.begins));
    one.set_action(step.action.str());
    one.set_target(shown(step.target));
    one.set_against(shown(step.against));
  }
}

void fill_incident(const core::Explanation& explanation, v1::ExplainResponse& out) {
  if (explanation.incident.empty()) return;
  out.set_incident(explanation.incident.str());
  out.set_title(shown(explanation.title));
  out.set_phase(core::to_string(explanation.phase));
  out.set_opened_unix_us(unix_us(explanation.opened));
  out.set_resolved_unix_us(us_or_zero(explanation.resolved));
  out.set_no_playbook(shown(explanation.no_playbook));
  if (explanation.playbook) fill_playbook(*explanation.playbook, *out.mutable_playbook());
  for (const core::TimelineEntry& entry : explanation.decisions) {
    v1::TimelineEntry& one = *out.add_decisions();
    one.set_at_unix_us(unix_us(entry.at));
    one.set_kind(entry.kind);
    one.set_actor(shown(entry.actor));
    one.set_text(shown(entry.text, kDecisionBytesMax));
    one.set_detail(shown(entry.detail, kDecisionBytesMax));
  }
}

}  // namespace

v1::ExplainResponse to_message(const core::Explanation& explanation) {
  v1::ExplainResponse out;
  out.set_service(explanation.service.str());
  out.set_at_unix_us(unix_us(explanation.at));
  out.set_severity(shown(explanation.severity));
  out.set_because(shown(explanation.because, limits::kExprBytesMax));
  out.set_blind(explanation.blind);
  out.set_dismissed(shown(explanation.dismissed));
  fill_incident(explanation, out);
  const std::size_t before = out.ByteSizeLong();
  std::size_t bytes = before;
  std::uint32_t left_out = 0;
  for (const core::RuleExplained& rule : explanation.rules) {
    v1::ExplainResponse::Rule filled;
    fill_rule(rule, filled);
    bytes += filled.ByteSizeLong();
    if (bytes - before > kRulesBytesMax)
      ++left_out;
    else
      *out.add_rules() = std::move(filled);
  }
  for (const core::ProbeExplained& probe : explanation.probes) {
    v1::ExplainResponse::Probe filled;
    fill_probe(probe, filled);
    bytes += filled.ByteSizeLong();
    if (bytes > kMessageBytesMax)
      ++left_out;
    else
      *out.add_probes() = std::move(filled);
  }
  out.set_left_out(left_out);
  return out;
}

}  // namespace firebreak::report
