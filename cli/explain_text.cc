// The lines of an explanation.
#include <firebreak/v1/operator.pb.h>

#include <algorithm>

#include "cli/explain_text.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "common/text.h"
#include "common/time.h"

namespace firebreak::cli {
namespace {

using v1::ExplainResponse;

constexpr std::size_t kPartShown = 160;  // of a part's text in one line

std::string utc(std::int64_t unix_us) {
  return format_utc(instant_from_unix_us(unix_us)) + " UTC";
}

Paint paint_of(const std::string& value) {
  if (value == "true") return Paint::bad;
  if (value == "false") return Paint::good;
  return value.rfind("unknown", 0) == 0 || value.rfind("error", 0) == 0 ? Paint::warn : Paint::bold;
}

// "true for 12 s of 30 s"
std::string progress(const ExplainResponse::Level& level, const ExplainResponse::Rule& rule,
                     std::int64_t now_us) {
  if (level.true_since_unix_us() == 0) return {};
  const std::int64_t held = now_us - level.true_since_unix_us();
  std::string text = "true for " + took(held);
  if (rule.for_us() > 0)
    text += " of " + format_duration(Duration{rule.for_us()}) +
            (held < rule.for_us() ? ", not long enough yet" : "");
  return text;
}

std::string level_text(const ExplainResponse::Level& level, const ExplainResponse::Rule& rule,
                       std::int64_t now_us) {
  std::string out = "    " + paint(Paint::bold, level.severity());
  const std::string held = progress(level, rule, now_us);
  if (!held.empty()) out += "  " + paint(Paint::dim, held);
  out += "\n";
  for (const auto& part : level.parts()) {
    const std::size_t depth = std::min<std::size_t>(part.depth(), 20);
    out += "      " + std::string(2 * depth, ' ') + escape_line(part.text(), kPartShown) + "  " +
           paint(Paint::dim, "=") + " " + paint(paint_of(part.value()), part.value()) + "\n";
  }
  return out;
}

std::string rule_text(const ExplainResponse::Rule& rule, std::int64_t now_us) {
  std::string out = "  rule " + paint(Paint::bold, rule.name());
  if (rule.for_us() > 0) out += ", for " + format_duration(Duration{rule.for_us()});
  if (rule.keep_for_us() > 0) out += ", keep_for " + format_duration(Duration{rule.keep_for_us()});
  out += ": " + (rule.severity().empty() ? paint(Paint::good, "does not hold")
                                         : paint(Paint::bad, rule.severity()));
  if (rule.lower_since_unix_us() != 0)
    out += ", lower for " + took(now_us - rule.lower_since_unix_us()) + " of " +
           format_duration(Duration{rule.keep_for_us()});
  out += "\n";
  for (const auto& level : rule.levels()) out += level_text(level, rule, now_us);
  return out;
}

std::string probes_text(const ExplainResponse& why) {
  Table table({"PROBE", "STATUS", "FAILING", "FRESH", "AGENTS", "FAILS FOR", "NEWEST RESULT"});
  for (const auto& probe : why.probes()) {
    const std::string word = status_word(probe.status());
    table.row(
        {{probe.service() == why.service() ? probe.name() : probe.service() + "/" + probe.name()},
         {word, status_paint(word)},
         {std::to_string(probe.failing())},
         {std::to_string(probe.fresh())},
         {std::to_string(probe.vantages())},
         {probe.failing_since_unix_us() == 0
              ? "-"
              : took(why.at_unix_us() - probe.failing_since_unix_us())},
         {ago(probe.newest_unix_us(), why.at_unix_us())}});
  }
  return table.empty() ? std::string() : "\nprobes that the rules read\n" + table.render();
}

std::string playbook_text(const ExplainResponse& why) {
  if (!why.has_playbook())
    return "\nplaybook      " + paint(Paint::warn, "none runs: " + why.no_playbook()) + "\n";
  const auto& playbook = why.playbook();
  std::string out = "\nplaybook      " + paint(Paint::bold, playbook.name()) + " (" +
                    escape_line(playbook.mode()) + "), since " + utc(playbook.since_unix_us()) +
                    "\n";
  if (!playbook.waits().empty())
    out += "waits         " + paint(Paint::warn, playbook.waits()) + "\n";
  Table table({"STAGE", "BEGINS", "ACTION", "TARGET", "NOW"});
  for (const auto& step : playbook.steps())
    table.row({{std::to_string(step.stage())},
               {clock_time(step.begins_unix_us(), why.at_unix_us())},
               {step.action(), Paint::bold},
               {step.target().empty() ? "-" : step.target()},
               {step.against().empty() ? "nothing is against it" : "refused: " + step.against(),
                step.against().empty() ? Paint::good : Paint::warn}});
  return table.empty() ? out : out + table.render();
}

std::string incident_text(const ExplainResponse& why) {
  if (why.incident().empty()) return {};
  std::string out = "\nincident      " + paint(Paint::bold, why.incident()) + "  " +
                    paint_status(why.phase()) + "  " + escape_line(why.title()) +
                    "\nopened        " + utc(why.opened_unix_us()) + "\n";
  if (why.resolved_unix_us() != 0)
    out += "resolved      " + utc(why.resolved_unix_us()) + "\n";
  else
    out += playbook_text(why);
  if (why.decisions().empty()) return out;
  out += "\nwhat the coordinator decided\n";
  for (const auto& entry : why.decisions()) {
    out += "  " + clock_time(entry.at_unix_us(), why.at_unix_us()) + "  " +
           paint(Paint::dim, entry.kind()) + "  " + escape_line(entry.text()) + "\n";
    if (!entry.detail().empty())
      out += "            " + paint(Paint::dim, to_valid_utf8(entry.detail(), 400)) + "\n";
  }
  return out;
}

}  // namespace

std::string render(const ExplainResponse& why) {
  std::string out = paint(Paint::bold, why.service()) + " at " + utc(why.at_unix_us()) + ": " +
                    (why.severity().empty() ? paint(Paint::good, "no rule holds")
                                            : paint(Paint::bad, why.severity())) +
                    "\n";
  if (!why.because().empty()) out += "because       " + escape_line(why.because()) + "\n";
  if (why.blind())
    out +=
        paint(Paint::warn,
              "it stands on missing data or keep_for: no rule says so now, and nothing is done") +
        "\n";
  if (!why.dismissed().empty())
    out += paint(Paint::warn, "a person resolved the incident at " + why.dismissed() +
                                  ": only a worse severity opens another one") +
           "\n";
  if (!why.rules().empty()) out += "\n";
  for (const auto& rule : why.rules()) out += rule_text(rule, why.at_unix_us());
  if (why.rules().empty()) out += "no rule looks at it\n";
  out += probes_text(why);
  if (why.left_out() > 0)
    out += paint(Paint::dim, "(" + std::to_string(why.left_out()) +
                                 " more rules and probes; ask for one rule)") +
           "\n";
  return out + incident_text(why);
}

}  // namespace firebreak::cli
