// incidents, incident, ack, note, declare, resolve, report, and facts: what people do during one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/request_options.h"
#include "cli/response_commands.h"
#include "cli/terminal.h"
#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"

namespace firebreak::cli {
namespace {

std::string state_word(const v1::ActionRun& run) {
  if (run.pending()) return "running";
  switch (run.state()) {
    case v1::ACTION_STATE_STARTED:
      return "running";
    case v1::ACTION_STATE_SUCCEEDED:
      return "succeeded";
    case v1::ACTION_STATE_FAILED:
      return "failed";
    case v1::ACTION_STATE_TIMED_OUT:
      return "timed_out";
    case v1::ACTION_STATE_REFUSED:
      return "refused";
    default:
      return "unknown";
  }
}

std::int64_t end_of(const v1::Incident& incident) {
  return incident.resolved_unix_us() != 0 ? incident.resolved_unix_us() : now_unix_us();
}

std::string names_of(const google::protobuf::RepeatedPtrField<std::string>& names, bool more) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + escape_line(name);
  return text + (more ? " and more" : "");
}

// What one outage takes along.
void show_scope(const v1::Incident& incident) {
  if (!incident.causes().empty())
    std::cout << "cause         " << names_of(incident.causes(), false) << "\n";
  for (const auto& affected : incident.affected()) {
    std::cout << "affected      " << escape_line(affected.service()) << " ("
              << escape_line(affected.severity()) << ") for "
              << took(
                     (affected.until_unix_us() != 0 ? affected.until_unix_us() : end_of(incident)) -
                     affected.since_unix_us());
    if (!affected.incident().empty())
      std::cout << ", then " << escape_line(affected.incident());
    else if (affected.until_unix_us() != 0)
      std::cout << ", has recovered";
    std::cout << "\n";
  }
  if (!incident.hosts().empty())
    std::cout << "hosts         " << names_of(incident.hosts(), incident.hosts_more()) << "\n";
  if (!incident.symptoms().empty())
    std::cout << "symptoms      " << names_of(incident.symptoms(), false) << "\n";
}

// "api, and 3 more": whose incident it is, and what else is affected.
std::string services_of(const v1::Incident& incident) {
  if (incident.affected().empty()) return incident.service();
  return incident.service() + " and " + std::to_string(incident.affected_size()) + " more";
}

// "silenced by sil-3, in maintenance mnt-4; not told: ops"; nothing: nothing is kept quiet.
std::string quiet_of(const v1::Incident& incident) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  for (const std::string& silence : incident.silenced_by()) add("silenced by " + silence);
  if (!incident.maintenance().empty()) add("in maintenance " + incident.maintenance());
  std::string receivers;
  for (const std::string& name : incident.not_told())
    receivers += (receivers.empty() ? "" : ", ") + name;
  if (!text.empty() && !receivers.empty()) text += "; not told: " + receivers;
  return text;
}

void list(Context& context, bool all, std::uint32_t limit) {
  v1::ListIncidentsRequest request;
  request.set_include_resolved(all);
  request.set_limit(limit);
  v1::ListIncidentsResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ListIncidents, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  if (reply.incidents().empty()) {
    std::cout << (all ? "No incidents.\n" : "No open incidents; --all shows resolved ones.\n");
    return;
  }
  Table table(
      {"INCIDENT", "SEVERITY", "PHASE", "SERVICE", "OPENED", "LASTED", "ACKNOWLEDGED", "TITLE"});
  const std::int64_t now = now_unix_us();
  for (const auto& incident : reply.incidents())
    table.row({{incident.id(), Paint::bold},
               {incident.severity(), Paint::bad},
               {incident.phase() + (quiet_of(incident).empty() ? "" : ", quiet"),
                status_paint(incident.phase())},
               {services_of(incident)},
               {clock_time(incident.opened_unix_us(), now)},
               {took(end_of(incident) - incident.opened_unix_us())},
               {incident.acknowledged_by().empty() ? "-" : incident.acknowledged_by()},
               {incident.title()}});
  std::cout << table.render();
  if (reply.left_out() > 0)
    std::cout << "(" << reply.left_out() << " more; --limit shows up to " << limits::kListedMax
              << ")\n";
}

void show(Context& context, const v1::Incident& incident) {
  if (context.output == Output::json) return print_json(incident);
  std::cout << paint(Paint::bold, incident.id()) << "  " << paint(Paint::bad, incident.severity())
            << "  " << paint_status(incident.phase()) << "  " << escape_line(incident.service())
            << "\n"
            << escape_line(incident.title()) << "\n\n"
            << "detected      " << format_utc(instant_from_unix_us(incident.detected_unix_us()))
            << " UTC\n"
            << "opened        " << format_utc(instant_from_unix_us(incident.opened_unix_us()))
            << " UTC, " << took(incident.opened_unix_us() - incident.detected_unix_us())
            << " after the first failing result\n";
  if (incident.acknowledged_unix_us() != 0)
    std::cout << "acknowledged  after "
              << took(incident.acknowledged_unix_us() - incident.opened_unix_us()) << " by "
              << escape_line(incident.acknowledged_by()) << "\n";
  if (incident.resolved_unix_us() != 0)
    std::cout << "resolved      after "
              << took(incident.resolved_unix_us() - incident.opened_unix_us()) << " by "
              << escape_line(incident.resolved_by()) << "\n";
  if (!quiet_of(incident).empty())
    std::cout << "quiet         " << paint(Paint::warn, quiet_of(incident)) << "\n";
  std::cout << "peak severity " << escape_line(incident.peak_severity()) << "\n";
  show_scope(incident);
  show_response(incident);
  std::cout << "\n";
  if (!incident.actions().empty()) {
    Table actions({"ACTION", "TARGET", "STATE", "EXIT", "ID", "DETAIL"});
    for (const auto& run : incident.actions())
      actions.row({{run.name(), Paint::bold},
                   {run.target()},
                   {state_word(run), status_paint(state_word(run))},
                   {run.pending() ? "-" : std::to_string(run.exit_code())},
                   {run.id(), Paint::dim},
                   {run.detail()}});
    std::cout << actions.render() << "\n";
  }
  // Of an incident that goes back beyond midnight every line has its date.
  const std::int64_t now = now_unix_us();
  const auto& timeline = incident.timeline();
  const bool began_today =
      timeline.empty() || clock_time(timeline[0].at_unix_us(), now).size() == kClockTimeWidth;
  for (const auto& entry : timeline) {
    std::cout << clock_time(entry.at_unix_us(), began_today ? now : 0) << "  "
              << paint(Paint::dim, entry.kind())
              << std::string(entry.kind().size() < 13 ? 13 - entry.kind().size() : 1, ' ')
              << escape_line(entry.text()) << "  " << paint(Paint::dim, entry.actor()) << "\n";
    if (!entry.detail().empty())
      std::cout << "          " << paint(Paint::dim, to_valid_utf8(entry.detail(), 400)) << "\n";
  }
  if (incident.timeline_dropped() > 0)
    std::cout << "(" << incident.timeline_dropped() << " entries were cut out of the middle)\n";
}

template <class Request>
void act(Context& context,
         grpc::Status (v1::OperatorService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           v1::Incident*),
         const Request& request, const char* done) {
  v1::Incident reply;
  if (!call(context, method, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  std::cout << paint(Paint::bold, reply.id()) << " " << done << " ("
            << escape_line(reply.severity()) << ", " << paint_status(reply.phase()) << ")\n";
}

std::string text_of(const v1::FactValue& value) {
  switch (value.value_case()) {
    case v1::FactValue::kBoolValue:
      return value.bool_value() ? "true" : "false";
    case v1::FactValue::kIntValue:
      return std::to_string(value.int_value());
    case v1::FactValue::kDoubleValue:
      return std::to_string(value.double_value());
    case v1::FactValue::kStringValue:
      return value.string_value();
    default:
      return "-";
  }
}

void show_fact(Context& context, const v1::Fact& fact) {
  if (context.output == Output::json) return print_json(fact);
  std::cout << escape_line(fact.name())
            << (fact.service().empty() ? "" : " (" + escape_line(fact.service()) + ")") << " = "
            << escape_line(text_of(fact.value()))
            << (fact.is_default() ? " (the policy's default)" : "") << "\n";
}

void facts(Context& context) {
  v1::ListFactsResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ListFacts, v1::ListFactsRequest(), reply)) return;
  if (context.output == Output::json) return print_json(reply);
  Table table({"FACT", "SERVICE", "VALUE", "SET BY", "SET AT"});
  const std::int64_t now = now_unix_us();
  for (const auto& fact : reply.facts())
    table.row({{fact.name(), Paint::bold},
               {fact.service().empty() ? "all" : fact.service()},
               {text_of(fact.value())},
               {fact.is_default() ? "default" : fact.set_by(),
                fact.is_default() ? Paint::dim : Paint::plain},
               {clock_time(fact.set_unix_us(), now)}});
  std::cout << (table.empty() ? "The policy declares no facts.\n" : table.render());
}

void add_lists(CLI::App& app, Context& context) {
  auto* incidents = app.add_subcommand("incidents", "open incidents, most severe first");
  const auto all = std::make_shared<bool>(false);
  const auto limit = std::make_shared<std::uint32_t>(50);
  incidents->add_flag("--all", *all, "resolved ones too");
  incidents->add_option("--limit", *limit, "at most so many")
      ->check(CLI::Range(1U, limits::kListedMax));
  incidents->callback([&context, all, limit] { list(context, *all, *limit); });

  auto* one = app.add_subcommand(
      "incident", "one incident: times, actions, timeline; its severity and its manual steps");
  const auto shown = std::make_shared<v1::GetIncidentRequest>();
  one->add_option_function<std::string>("ID",
                                        [shown](const std::string& id) { shown->set_id(id); });
  add_response_commands(app, *one, context);
  one->callback([&context, one, shown] {
    if (!one->get_subcommands().empty()) return;
    if (shown->id().empty()) throw CLI::RequiredError("ID");
    v1::Incident reply;
    if (call(context, &v1::OperatorService::Stub::GetIncident, *shown, reply)) show(context, reply);
  });

  auto* report = app.add_subcommand("report", "the incident's log as Markdown");
  const auto reported = std::make_shared<v1::GetReportRequest>();
  report
      ->add_option_function<std::string>(
          "INCIDENT", [reported](const std::string& id) { reported->set_incident(id); })
      ->required();
  report->callback([&context, reported] {
    v1::GetReportResponse reply;
    if (!call(context, &v1::OperatorService::Stub::GetReport, *reported, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    // Its hostile parts are escaped as Markdown; but for the coordinator's word nothing says so.
    std::cout << escape_controls(reply.markdown(), limits::kApiReplyBytesMax);
  });
}

void add_actions(CLI::App& app, Context& context) {
  auto* ack = app.add_subcommand("ack", "say that you are on it");
  const auto acknowledged = std::make_shared<v1::AcknowledgeIncidentRequest>();
  ack->add_option_function<std::string>(
         "INCIDENT", [acknowledged](const std::string& id) { acknowledged->set_id(id); })
      ->required();
  ack->add_option_function<std::string>(
      "--note", [acknowledged](const std::string& text) { acknowledged->set_note(text); },
      "what you know or do");
  ack->callback([&context, acknowledged] {
    act(context, &v1::OperatorService::Stub::AcknowledgeIncident, *acknowledged, "acknowledged");
  });

  auto* note = app.add_subcommand("note", "add to the timeline; counts as a progress update");
  const auto noted = std::make_shared<v1::AddNoteRequest>();
  note->add_option_function<std::string>("INCIDENT",
                                         [noted](const std::string& id) { noted->set_id(id); })
      ->required();
  note->add_option_function<std::string>(
          "TEXT", [noted](const std::string& text) { noted->set_text(text); })
      ->required();
  note->add_option_function<std::string>(
          "--phase", [noted](const std::string& phase) { noted->set_phase(phase); },
          "move to this phase")
      ->check(CLI::IsMember({"investigating", "identified", "monitoring"}));
  note->callback(
      [&context, noted] { act(context, &v1::OperatorService::Stub::AddNote, *noted, "noted"); });

  auto* declare = app.add_subcommand("declare", "open an incident by hand");
  const auto declared = std::make_shared<v1::DeclareIncidentRequest>();
  declare
      ->add_option_function<std::string>(
          "SERVICE", [declared](const std::string& name) { declared->set_service(name); })
      ->required();
  declare
      ->add_option_function<std::string>(
          "SEVERITY", [declared](const std::string& name) { declared->set_severity(name); })
      ->required();
  declare
      ->add_option_function<std::string>(
          "TITLE", [declared](const std::string& title) { declared->set_title(title); })
      ->required();
  declare->callback([&context, declared] {
    declared->set_request_id(new_request_id());
    act(context, &v1::OperatorService::Stub::DeclareIncident, *declared, "declared");
  });

  auto* resolve =
      app.add_subcommand("resolve", "close an incident on your word, without a validation");
  const auto resolved = std::make_shared<v1::ResolveIncidentRequest>();
  resolve
      ->add_option_function<std::string>(
          "INCIDENT", [resolved](const std::string& id) { resolved->set_id(id); })
      ->required();
  add_reason(*resolve, resolved, "why it is over; on the record");
  resolve->callback([&context, resolved] {
    act(context, &v1::OperatorService::Stub::ResolveIncident, *resolved, "resolved");
  });
}

}  // namespace

void add_incident_commands(CLI::App& app, Context& context) {
  add_lists(app, context);
  add_actions(app, context);
}

void add_fact_commands(CLI::App& app, Context& context) {
  auto* fact = app.add_subcommand("fact", "what only a person knows: customers affected, a breach");
  fact->require_subcommand(1);
  const auto changed = std::make_shared<v1::SetFactRequest>();
  auto* set = fact->add_subcommand("set", "set a fact that the policy declares");
  set->add_option_function<std::string>(
         "NAME", [changed](const std::string& name) { changed->set_name(name); })
      ->required();
  set->add_option_function<std::string>(
         "VALUE", [changed](const std::string& text) { changed->set_text(text); })
      ->required();
  set->add_option_function<std::string>(
      "--service", [changed](const std::string& name) { changed->set_service(name); },
      "for this service only");
  set->callback([&context, changed] {
    v1::Fact reply;
    if (call(context, &v1::OperatorService::Stub::SetFact, *changed, reply))
      show_fact(context, reply);
  });
  const auto cleared = std::make_shared<v1::ClearFactRequest>();
  auto* clear = fact->add_subcommand("clear", "back to the policy's default");
  clear
      ->add_option_function<std::string>(
          "NAME", [cleared](const std::string& name) { cleared->set_name(name); })
      ->required();
  clear->add_option_function<std::string>(
      "--service", [cleared](const std::string& name) { cleared->set_service(name); },
      "for this service only");
  clear->callback([&context, cleared] {
    v1::Fact reply;
    if (call(context, &v1::OperatorService::Stub::ClearFact, *cleared, reply))
      show_fact(context, reply);
  });
  fact->add_subcommand("list", "every fact and its value")->callback([&context] {
    facts(context);
  });
}

}  // namespace firebreak::cli
