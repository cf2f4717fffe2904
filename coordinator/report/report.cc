// Renders an incident: header, durations, actions, validation, timeline.
#include "coordinator/report/report.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/fit.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::report {
namespace {

using core::ActionRun;
using core::Incident;
using core::TimelineEntry;

constexpr std::size_t kCellBytesMax = 600;
constexpr std::size_t kOutputBytesMax = 16u << 10;  // escaping may make an output longer
// Each of the long parts gets a share; the rest is for the header.
constexpr std::size_t kTimelineBytesMax = limits::kReportBytesMax / 2;
constexpr std::size_t kActionsBytesMax = limits::kReportBytesMax / 3;

std::string cell(std::string_view text) {
  return escape_markdown(text, kCellBytesMax);
}

void add_row(std::string& out, const std::string& name, const std::string& value) {
  out += "| " + name + " | " + value + " |\n";
}

std::string after(Instant from, Instant to) {
  if (from == to) return "+0 s";
  return to < from ? "-" + humanize_duration(from - to) : "+" + humanize_duration(to - from);
}

std::string who(const std::string& actor) {
  return actor.empty() ? "" : " by " + cell(actor);
}

template <class Names>
std::string names(const Names& all) {
  std::string text;
  for (const auto& name : all) text += (text.empty() ? "" : ", ") + name.str();
  return cell(text);
}

// What the outage took along, and what it may have come from.
void add_scope(std::string& out, const Incident& incident) {
  if (!incident.causes.empty()) add_row(out, "May be a symptom of", names(incident.causes));
  std::string services;
  std::size_t left_out = 0;
  for (const auto& [service, affected] : incident.affected) {
    if (services.size() > kCellBytesMax * 4) {
      ++left_out;
      continue;
    }
    services += (services.empty() ? "" : "; ") + cell(service.str()) + " at " +
                cell(affected.severity) + " from " + format_utc(affected.since);
    if (affected.until) services += " to " + format_utc(*affected.until);
    if (!affected.own.empty()) services += ", then " + cell(affected.own.str());
  }
  if (left_out > 0) services += "; and " + std::to_string(left_out) + " more";
  if (!services.empty()) add_row(out, "Also affected", services);
  if (!incident.hosts.empty())
    add_row(out, "Hosts", names(incident.hosts) + (incident.hosts_more ? " and more" : ""));
  if (!incident.symptoms.empty())
    add_row(out, "Incidents of what depends on it", names(incident.symptoms));
}

std::string header(const Incident& incident) {
  std::string out = "# Incident " + cell(incident.id.str()) + ": " + cell(incident.title) + "\n\n";
  out += "| | |\n|---|---|\n";
  add_row(out, "Service", cell(incident.service.str()));
  const std::string now = incident.severity_name.empty() ? "none" : cell(incident.severity_name);
  add_row(out, "Severity", now + ", at its peak " + cell(incident.peak_severity));
  add_row(out, "Phase", core::to_string(incident.phase));
  add_row(out, "First sign", format_utc(incident.detected) + " UTC");
  add_row(
      out, "Opened",
      format_utc(incident.opened) + " UTC" + (incident.declared ? ", declared by a person" : ""));
  add_row(out, "Acknowledged",
          incident.acknowledged
              ? format_utc(*incident.acknowledged) + " UTC" + who(incident.acknowledged_by)
              : "not yet");
  add_row(out, "Resolved",
          incident.resolved ? format_utc(*incident.resolved) + " UTC" + who(incident.resolved_by)
                            : "not yet");
  add_scope(out, incident);
  return out;
}

std::optional<Instant> first_success(const Incident& incident) {
  std::optional<Instant> first;
  for (const ActionRun& run : incident.actions)
    if (run.state == core::ActionState::succeeded && run.finished &&
        (!first || *run.finished < *first))
      first = run.finished;
  return first;
}

std::string durations(const Incident& incident, Instant now) {
  const auto took = [&](const std::optional<Instant>& end) {
    return end ? humanize_duration(*end - incident.detected) : std::string("-");
  };
  std::string out = "\n## How long it took\n\n| From the first sign until | |\n|---|---|\n";
  add_row(out, "detected: the incident was opened", took(incident.opened));
  add_row(out, "acknowledged by a person", took(incident.acknowledged));
  add_row(out, "contained: the first action had succeeded", took(first_success(incident)));
  add_row(out, "recovered: no rule held any more", took(incident.quiet_since));
  add_row(out, "resolved", incident.resolved ? took(incident.resolved) : "open for " + took(now));
  return out;
}

std::string exit_text(const ActionRun& run) {
  if (run.target == "coordinator")
    return run.exit_code > 0 ? ", HTTP status " + std::to_string(run.exit_code) : "";
  const bool has_code =
      run.state == core::ActionState::succeeded || run.state == core::ActionState::failed;
  return has_code ? ", exit code " + std::to_string(run.exit_code) : "";
}

std::string action(const ActionRun& run, const Incident& incident) {
  std::string state = core::to_string(run.state);
  std::replace(state.begin(), state.end(), '_', ' ');
  std::string out =
      "\n### " + cell(run.name.str()) + " on " + cell(run.target) + ": " + state + "\n\n";
  out +=
      "Ordered " + format_utc(run.ordered) + " UTC (" + after(incident.detected, run.ordered) + ")";
  if (run.finished) out += ", took " + humanize_duration(*run.finished - run.ordered);
  out += exit_text(run) + ". Id " + cell(run.id.str()) + ".\n";
  if (!run.detail.empty()) out += "\nDetail: " + cell(run.detail) + "\n";
  if (!run.output.empty()) out += "\n" + fenced_block(run.output, kOutputBytesMax);
  return out;
}

std::string actions(const Incident& incident) {
  std::string out = "\n## Actions\n";
  if (incident.actions.empty()) return out + "\nNone.\n";
  for (std::size_t i = 0; i < incident.actions.size(); ++i) {
    const std::string next = action(incident.actions[i], incident);
    if (out.size() + next.size() > kActionsBytesMax)
      return out + "\n" + std::to_string(incident.actions.size() - i) +
             " more actions are left out here; the timeline has them.\n";
    out += next;
  }
  return out;
}

std::string manual_steps(const Incident& incident) {
  if (incident.steps.empty()) return {};
  std::string out = "\n## By hand\n\n";
  for (const core::ManualStep& step : incident.steps) {
    out += std::string("- [") + (step.done ? "x" : " ") + "] " + cell(step.text);
    if (step.required) out += " (required)";
    if (step.done)
      out += ": " + format_utc(*step.done) + " UTC" + who("operator:" + step.done_by);
    else if (!step.shown)
      out += ": was to be done at " + format_utc(step.due) + " UTC";
    if (!step.note.empty()) out += ". " + cell(step.note);
    out += "\n";
  }
  return out;
}

std::string timeline_row(const TimelineEntry& entry, const Incident& incident) {
  std::string what = cell(entry.text);
  if (!entry.detail.empty()) what += (what.empty() ? "" : " · ") + cell(entry.detail);
  return "| " + format_utc(entry.at) + " | " + after(incident.detected, entry.at) + " | " +
         cell(entry.actor) + " | " + cell(entry.kind) + " | " + what + " |\n";
}

constexpr const char* kTimelineHead =
    "| Time (UTC) | After | Who | Kind | What |\n|---|---|---|---|---|\n";

std::string validation(const Incident& incident) {
  std::string rows;
  for (const TimelineEntry& entry : incident.timeline) {
    if (entry.kind != "validation") continue;
    if (rows.size() > kTimelineBytesMax / 4) break;  // the timeline has them all
    rows += timeline_row(entry, incident);
  }
  const std::string title = "\n## Recovery validation\n\n";
  return rows.empty() ? title + "None ran.\n" : title + kTimelineHead + rows;
}

std::string gap_row(std::uint64_t left_out) {
  return "| | | | | " + std::to_string(left_out) + " entries are left out here |\n";
}

// The beginning and the end of a long timeline: how it came, and how it ended.
std::string timeline(const Incident& incident) {
  std::vector<std::string> rows;
  std::vector<std::size_t> sizes;
  for (const TimelineEntry& entry : incident.timeline) {
    rows.push_back(timeline_row(entry, incident));
    sizes.push_back(rows.back().size());
  }
  const Ends ends = fit_ends(sizes, kTimelineBytesMax);
  std::string out = "\n## Timeline\n\n";
  if (incident.timeline_dropped > 0)
    out += std::to_string(incident.timeline_dropped) +
           " entries of its middle were not kept: there were too many.\n\n";
  out += kTimelineHead;
  for (std::size_t i = 0; i < ends.head; ++i) out += rows[i];
  if (ends.left_out() > 0) out += gap_row(ends.left_out());
  for (std::size_t i = ends.tail; i < rows.size(); ++i) out += rows[i];
  return out;
}

}  // namespace

std::string fenced_block(std::string_view text, std::size_t max_bytes) {
  std::string shown = escape_block(text, max_bytes);
  std::size_t longest = 0, run = 0;
  for (const char c : shown) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  if (shown.empty() || shown.back() != '\n') shown += '\n';
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "text\n" + shown + fence + "\n";
}

std::string render_report(const Incident& incident, Instant now) {
  return header(incident) + durations(incident, now) + actions(incident) + manual_steps(incident) +
         validation(incident) + timeline(incident);
}

}  // namespace firebreak::report
