// silence and maintenance: what people do so that nobody is called for what they know of.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/request_options.h"
#include "cli/terminal.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

template <class Texts>
std::string joined(const Texts& texts, const char* between = " ") {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : between) + std::string(text);
  return all;
}

void show(const v1::Silence& silence) {
  std::cout << paint(Paint::bold, silence.id()) << " silences "
            << escape_line(joined(silence.matchers())) << " until "
            << clock_time(silence.ends_unix_us(), now_unix_us()) << " UTC";
  if (!silence.incidents().empty())
    std::cout << ", now " << escape_line(joined(silence.incidents(), ", "));
  std::cout << "\n";
}

void list_silences(Context& context, bool all) {
  v1::ListSilencesRequest request;
  request.set_all(all);
  v1::ListSilencesResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ListSilences, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  Table table({"SILENCE", "STATE", "MATCHES", "BEGAN", "ENDS", "BY", "INCIDENTS", "REASON"});
  const std::int64_t now = now_unix_us();
  for (const auto& silence : reply.silences())
    table.row(
        {{silence.id(), Paint::bold},
         {silence.active() ? "in force" : "over", silence.active() ? Paint::warn : Paint::dim},
         {joined(silence.matchers())},
         {clock_time(silence.begins_unix_us(), now)},
         {clock_time(silence.ends_unix_us(), now)},
         {silence.author()},
         {silence.incidents().empty() ? "-" : joined(silence.incidents())},
         {silence.reason()}});
  std::cout << (table.empty()
                    ? (all ? "No silences.\n" : "No silence is in force; --all shows older ones.\n")
                    : table.render());
}

void add_silence_commands(CLI::App& app, Context& context) {
  auto* silence = app.add_subcommand("silence", "tell nobody of incidents that are known");
  silence->require_subcommand(1);
  const auto added = std::make_shared<v1::AddSilenceRequest>();
  auto* add = silence->add_subcommand(
      "add", "silence incidents that all MATCHERs match; they open, act and resolve as ever");
  add->add_option_function<std::vector<std::string>>(
         "MATCHER",
         [added](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) added->add_matchers(text);
         },
         "service=web, severity!=P1, service=~web-.*, incident!~.*-2")
      ->required();
  add_duration(*add, added, "how long, at most 30d")->required();
  add_reason(*add, added);
  add->callback([&context, added] {
    added->set_request_id(new_request_id());
    v1::Silence reply;
    if (!call(context, &v1::OperatorService::Stub::AddSilence, *added, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    show(reply);
  });

  const auto all = std::make_shared<bool>(false);
  auto* list = silence->add_subcommand("list", "silences in force");
  list->add_flag("--all", *all, "also those that are over, for a week");
  list->callback([&context, all] { list_silences(context, *all); });

  const auto expired = std::make_shared<v1::ExpireSilenceRequest>();
  auto* expire = silence->add_subcommand("expire", "end one; who was not told is told then");
  expire
      ->add_option_function<std::string>("SILENCE",
                                         [expired](const std::string& id) { expired->set_id(id); })
      ->required();
  expire->callback([&context, expired] {
    v1::Silence reply;
    if (!call(context, &v1::OperatorService::Stub::ExpireSilence, *expired, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    std::cout << paint(Paint::bold, reply.id()) << " is over\n";
  });
}

void list_maintenance(Context& context, bool all) {
  v1::ListMaintenanceRequest request;
  request.set_all(all);
  v1::ListMaintenanceResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ListMaintenance, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  Table table({"MAINTENANCE", "STATE", "SERVICES", "BEGINS", "ENDS", "EVERY", "BY", "REASON"});
  const std::int64_t now = now_unix_us();
  for (const auto& one : reply.maintenance()) {
    const bool is_over = !one.active() && one.ends_unix_us() <= now;
    table.row({{one.id(), Paint::bold},
               {one.active() ? "in force"
                : is_over    ? "over"
                             : "planned",
                one.active() ? Paint::warn : Paint::dim},
               {joined(one.services())},
               {clock_time(one.begins_unix_us(), now)},
               {clock_time(one.ends_unix_us(), now)},
               {one.every().empty() ? "-" : one.every()},
               {one.author()},
               {one.reason()}});
  }
  std::cout << (table.empty()
                    ? (all ? "No maintenance.\n"
                           : "Nothing is in maintenance; --all shows what was and will be.\n")
                    : table.render());
}

void add_maintenance_commands(CLI::App& app, Context& context) {
  auto* maintenance = app.add_subcommand("maintenance", "planned work on services");
  maintenance->require_subcommand(1);
  const auto started = std::make_shared<v1::StartMaintenanceRequest>();
  auto* start = maintenance->add_subcommand(
      "start", "open no incident, begin no action, tell nobody; probing goes on");
  start
      ->add_option_function<std::vector<std::string>>(
          "SERVICE",
          [started](const std::vector<std::string>& names) {
            for (const std::string& name : names) started->add_services(name);
          })
      ->required();
  add_duration(*start, started, "how long, at most 7d")->required();
  add_reason(*start, started);
  start->callback([&context, started] {
    started->set_request_id(new_request_id());
    v1::Maintenance reply;
    if (!call(context, &v1::OperatorService::Stub::StartMaintenance, *started, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    std::cout << paint(Paint::bold, reply.id()) << ": " << escape_line(joined(reply.services()))
              << " in maintenance until " << clock_time(reply.ends_unix_us(), now_unix_us())
              << " UTC\n";
  });

  const auto all = std::make_shared<bool>(false);
  auto* list = maintenance->add_subcommand("list", "what is in maintenance");
  list->add_flag("--all", *all, "also what is over, for a week, and the policy's coming windows");
  list->callback([&context, all] { list_maintenance(context, *all); });

  const auto ended = std::make_shared<v1::EndMaintenanceRequest>();
  auto* end = maintenance->add_subcommand("end", "end it; what is still wrong is an incident then");
  end->add_option_function<std::string>("MAINTENANCE",
                                        [ended](const std::string& id) { ended->set_id(id); })
      ->required();
  end->callback([&context, ended] {
    v1::Maintenance reply;
    if (!call(context, &v1::OperatorService::Stub::EndMaintenance, *ended, reply)) return;
    if (context.output == Output::json) return print_json(reply);
    std::cout << paint(Paint::bold, reply.id()) << " is over\n";
  });
}

}  // namespace

void add_quieting_commands(CLI::App& app, Context& context) {
  add_silence_commands(app, context);
  add_maintenance_commands(app, context);
}

}  // namespace firebreak::cli
