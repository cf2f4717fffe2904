// A severity said by a person, and manual steps.
#include "cli/response_commands.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "cli/request_options.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"

namespace firebreak::cli {
namespace {

std::string state_of(const v1::ManualStep& step, std::int64_t now) {
  if (step.done_unix_us() != 0)
    return "done " + clock_time(step.done_unix_us(), now) + " by " + step.done_by();
  if (!step.is_due()) return "at " + clock_time(step.due_unix_us(), now);
  return "to do";
}

Table steps_table(const v1::Incident& incident) {
  Table table({"STEP", "STATE", "REQUIRED", "WHAT", "NOTE"});
  const std::int64_t now = now_unix_us();
  for (const auto& step : incident.steps()) {
    const bool open = step.done_unix_us() == 0 && step.is_due();
    table.row({{std::to_string(step.number()), Paint::bold},
               {state_of(step, now), open ? Paint::warn : Paint::plain},
               {step.required() ? "yes" : "-"},
               {step.text()},
               {step.note(), Paint::dim}});
  }
  return table;
}

void list_steps(Context& context, const std::string& id) {
  v1::GetIncidentRequest request;
  request.set_id(id);
  v1::Incident reply;
  if (!call(context, &v1::OperatorService::Stub::GetIncident, request, reply)) return;
  if (context.output == Output::json) {
    v1::Incident steps;
    steps.set_id(reply.id());
    *steps.mutable_steps() = reply.steps();
    return print_json(steps);
  }
  if (reply.steps().empty())
    std::cout << "Incident " << escape_line(reply.id()) << " has no manual steps.\n";
  else
    std::cout << steps_table(reply).render();
}

void change_severity(Context& context, const v1::OverrideSeverityRequest& request) {
  v1::Incident reply;
  if (!call(context, &v1::OperatorService::Stub::OverrideSeverity, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  std::cout << paint(Paint::bold, reply.id()) << " is " << paint(Paint::bad, reply.severity());
  if (reply.has_severity_override())
    std::cout << " until " << clock_time(reply.severity_override().until_unix_us(), now_unix_us())
              << " UTC";
  else
    std::cout << ", as the rules say";
  std::cout << "\n";
}

void add_severity(CLI::App& incident, Context& context) {
  auto* command =
      incident.add_subcommand("severity", "say how severe it is, whatever the rules say");
  const auto asked = std::make_shared<v1::OverrideSeverityRequest>();
  const auto lift = std::make_shared<bool>(false);
  command
      ->add_option_function<std::string>("ID",
                                         [asked](const std::string& id) { asked->set_id(id); })
      ->required();
  auto* severity = command->add_option_function<std::string>(
      "SEVERITY", [asked](const std::string& name) { asked->set_severity(name); },
      "as the policy names it");
  add_reason(*command, asked);
  add_duration(*command, asked, "then the rules decide again (30m, 2h; default 4h, at most 7d)");
  command->add_flag("--lift", *lift, "the rules decide again, now")->excludes(severity);
  command->callback([&context, asked, lift] {
    if (asked->severity().empty() != *lift) throw CLI::RequiredError("a SEVERITY, or --lift");
    change_severity(context, *asked);
  });
}

void add_steps(CLI::App& app, CLI::App& incident, Context& context) {
  auto* steps = incident.add_subcommand("steps", "what is to be done by hand, and what is done");
  const auto id = std::make_shared<std::string>();
  steps->add_option("ID", *id)->required();
  steps->callback([&context, id] { list_steps(context, *id); });

  auto* done = app.add_subcommand("done", "tick a manual step off");
  const auto asked = std::make_shared<v1::CompleteStepRequest>();
  done->add_option_function<std::string>("INCIDENT",
                                         [asked](const std::string& text) { asked->set_id(text); })
      ->required();
  done->add_option_function<std::uint32_t>(
          "STEP", [asked](std::uint32_t number) { asked->set_step(number); }, "its number")
      ->required();
  done->add_option_function<std::string>(
      "--note", [asked](const std::string& text) { asked->set_note(text); },
      "what came of it; on the record");
  done->callback([&context, asked] {
    v1::Incident reply;
    if (!call(context, &v1::OperatorService::Stub::CompleteStep, *asked, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    std::cout << paint(Paint::bold, reply.id()) << " step " << asked->step() << " done\n";
  });
}

}  // namespace

void add_response_commands(CLI::App& app, CLI::App& incident, Context& context) {
  add_severity(incident, context);
  add_steps(app, incident, context);
}

void show_response(const v1::Incident& incident) {
  if (incident.has_severity_override()) {
    const auto& said = incident.severity_override();
    std::cout << "override      " << escape_line(said.severity()) << " by "
              << escape_line(said.by()) << " until "
              << format_utc(instant_from_unix_us(said.until_unix_us()))
              << " UTC: " << escape_line(said.reason())
              << (said.rules_say().empty() ? std::string()
                                           : "; the rules say " + escape_line(said.rules_say()))
              << "\n";
  }
  for (const auto& other : incident.schemes())
    std::cout << "in " << escape_line(other.scheme()) << ": " << escape_line(other.severity())
              << "\n";
  for (const auto& one : incident.recommendations())
    if (one.holds())
      std::cout << "recommended   " << escape_line(one.text()) << " (since "
                << clock_time(one.since_unix_us(), now_unix_us()) << " UTC)\n";
  if (!incident.steps().empty()) std::cout << "\n" << steps_table(incident).render();
}

}  // namespace firebreak::cli
