// status, services, agents, watch: what is going on.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

std::string values_of(const v1::Service::Vantage& vantage) {
  std::string text;
  for (const auto& value : vantage.values()) {
    char number[32];
    std::snprintf(number, sizeof number, "%g", value.value());
    text += (text.empty() ? "" : " ") + value.name() + "=" + number;
  }
  return text;
}

// "in maintenance mnt-3 until 04:00:00 UTC (mia: upgrade)", "flaps since 03:10:00 UTC".
std::string quiet_of(const v1::Service& service) {
  const std::int64_t now = now_unix_us();
  std::string text;
  if (service.has_maintenance())
    text = "in maintenance " + service.maintenance().id() + " until " +
           clock_time(service.maintenance().ends_unix_us(), now) + " UTC (" +
           service.maintenance().author() + ": " + service.maintenance().reason() + ")";
  if (service.flapping_since_unix_us() != 0)
    text += (text.empty() ? "" : "; ") + std::string("flaps since ") +
            clock_time(service.flapping_since_unix_us(), now) + " UTC";
  return text;
}

void show_services(const google::protobuf::RepeatedPtrField<v1::Service>& services) {
  Table table({"SERVICE", "PROBE", "STATUS", "AGENT", "SEES", "LATENCY", "WHEN", "DETAIL"});
  for (const auto& service : services) {
    table.row(
        {{service.name(), Paint::bold},
         {service.symptom_of().empty() ? service.incident() : "part of " + service.symptom_of(),
          Paint::bad},
         {status_word(service.status()), status_paint(status_word(service.status()))},
         {service.severity()},
         {quiet_of(service), Paint::warn}});
    for (const auto& probe : service.probes()) {
      const std::string word = status_word(probe.status());
      if (probe.vantages().empty())
        table.row({{""},
                   {probe.name()},
                   {word, status_paint(word)},
                   {"-", Paint::dim},
                   {"no result yet", Paint::dim}});
      for (const auto& vantage : probe.vantages()) {
        const std::string seen = status_word(vantage.status());
        const bool fine = vantage.status() == v1::STATUS_OK;
        table.row(
            {{""},
             {probe.name()},
             {word, status_paint(word)},
             {vantage.agent()},
             {fine ? seen : seen + "/" + vantage.reason(), status_paint(seen)},
             {took(vantage.latency_us())},
             {ago(vantage.observed_unix_us(), now_unix_us())},
             {fine ? values_of(vantage) : to_valid_utf8(vantage.evidence(), 80), Paint::dim}});
      }
    }
  }
  std::cout << table.render();
}

// What people or the policy keep quiet, each on a line of its own; nothing: nothing.
std::string quiet_of(const v1::GetStatusResponse& reply) {
  std::string text;
  if (reply.silences() > 0)
    text += "\nsilences      " +
            paint(Paint::warn, std::to_string(reply.silences()) +
                                   " in force; 'firebreak silence list' shows them");
  if (reply.services_flapping() > 0)
    text += "\nflapping      " +
            paint(Paint::warn, std::to_string(reply.services_flapping()) + " services");
  for (const auto& one : reply.maintenance()) {
    std::string services;
    for (const std::string& service : one.services())
      services += (services.empty() ? "" : ", ") + service;
    text += "\nmaintenance   " +
            paint(Paint::warn, services + " until " +
                                   clock_time(one.ends_unix_us(), now_unix_us()) + " UTC, " +
                                   one.id() + " (" + one.author() + ": " + one.reason() + ")");
  }
  return text;
}

std::string warm_up_of(const v1::GetStatusResponse& reply) {
  if (reply.agents_awaited() == 0) return "";
  std::string text = "; warming up: " + std::to_string(reply.agents_back()) + " of " +
                     std::to_string(reply.agents_awaited()) + " agents back";
  if (reply.frozen_until_unix_us() != 0)
    text += ", nothing is done until enough are, or until " +
            clock_time(reply.frozen_until_unix_us(), now_unix_us()) + " UTC";
  return text;
}

void status(Context& context) {
  v1::GetStatusResponse reply;
  if (!call(context, &v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest(), reply)) return;
  if (context.output == Output::json) return print_json(reply);
  const bool calm = reply.incidents_open() == 0 && reply.services_ok() == reply.services();
  std::cout << paint(calm ? Paint::good : Paint::bad,
                     std::to_string(reply.services_ok()) + " of " +
                         std::to_string(reply.services()) + " services ok, " +
                         std::to_string(reply.incidents_open()) + " open incidents")
            << (reply.store_trouble().empty()
                    ? std::string()
                    : "\n" +
                          paint(Paint::bad, "THE DISK IS FULL, the newest of this is not stored: " +
                                                escape_line(reply.store_trouble())))
            << "\nagents        " << reply.agents_attached() << " attached of "
            << reply.agents_known() << " known" << warm_up_of(reply) << "\nresults       "
            << reply.results_committed() << " committed, " << reply.results_duplicate()
            << " duplicates, " << reply.results_dropped() << " dropped by agents"
            << "\nnotifications " << reply.notifications_pending() << " pending" << quiet_of(reply)
            << "\npolicy        " << escape_line(reply.policy_digest().substr(0, 12))
            << "\ncoordinator   " << escape_line(reply.version()) << ", epoch " << reply.epoch()
            << ", up " << took(reply.now_unix_us() - reply.started_unix_us()) << "\n";
  if (!reply.worst().empty()) {
    std::cout << "\n";
    show_services(reply.worst());
  }
}

// All pages of a list into `all`; `entries` gives a reply's. False: said why.
template <class Request, class Reply, class Entries>
bool every_page(Context& context,
                grpc::Status (v1::OperatorService::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Reply*),
                Request request, Reply& all, Entries entries) {
  request.set_limit(limits::kListedMax);
  for (;;) {
    Reply page;
    if (!call(context, method, request, page)) return false;
    entries(all)->MergeFrom(*entries(page));
    // Names go up, so that this ends whatever the coordinator says.
    if (!page.more() || entries(page)->empty() ||
        entries(page)->rbegin()->name() <= request.after())
      return true;
    request.set_after(entries(page)->rbegin()->name());
  }
}

void services(Context& context, const std::string& name) {
  v1::ListServicesRequest request;
  request.set_service(name);
  v1::ListServicesResponse reply;
  if (!every_page(context, &v1::OperatorService::Stub::ListServices, request, reply,
                  [](v1::ListServicesResponse& page) { return page.mutable_services(); }))
    return;
  if (context.output == Output::json) return print_json(reply);
  if (reply.services().empty())
    std::cout << "The policy in force has no services.\n";
  else
    show_services(reply.services());
}

void agents(Context& context) {
  v1::ListAgentsResponse reply;
  if (!every_page(context, &v1::OperatorService::Stub::ListAgents, v1::ListAgentsRequest(), reply,
                  [](v1::ListAgentsResponse& page) { return page.mutable_agents(); }))
    return;
  if (context.output == Output::json) return print_json(reply);
  if (reply.agents().empty()) {
    std::cout
        << "No agent has ever attached. Make it a certificate with 'firebreak pki agent NAME'.\n";
    return;
  }
  Table table({"AGENT", "STATE", "LAST SEEN", "PROBES", "ACTIONS", "DROPPED", "THROTTLED", "CLOCK",
               "VERSION", "LABELS"});
  for (const auto& agent : reply.agents()) {
    std::string labels;
    for (const auto& [key, value] :
         std::map<std::string, std::string>(agent.labels().begin(), agent.labels().end()))
      labels.append(labels.empty() ? "" : " ").append(key).append("=").append(value);
    table.row(
        {{agent.name(), Paint::bold},
         {agent.attached() ? "attached" : "away", agent.attached() ? Paint::good : Paint::bad},
         {ago(agent.last_seen_unix_us(), now_unix_us())},
         {std::to_string(agent.probes())},
         {std::to_string(agent.actions().size())},
         {std::to_string(agent.dropped_results())},
         {agent.throttled() == 0 ? "-" : took(agent.throttled_us()),
          agent.throttled() == 0 ? Paint::dim : Paint::warn},
         {took(agent.clock_skew_us())},
         {agent.version()},
         {labels, Paint::dim}});
  }
  std::cout << table.render();
}

void watch(Context& context, const std::string& incident) {
  const auto stub = connect(context);
  if (!stub) return;
  grpc::ClientContext client;
  v1::WatchRequest request;
  request.set_incident(incident);
  const auto stream = stub->Watch(&client, request);
  v1::WatchEvent event;
  while (stream->Read(&event)) {
    if (context.output == Output::json) {
      print_json(event);
      continue;
    }
    if (event.missed() > 0)
      std::cout << paint(Paint::warn,
                         std::to_string(event.missed()) + " events missed: this reader is too slow")
                << "\n";
    const auto& entry = event.entry();
    std::cout << clock_time(entry.at_unix_us(), now_unix_us()) << "  "
              << paint(Paint::bold, event.incident()) << "  " << paint(Paint::dim, entry.kind())
              << "  " << escape_line(entry.text()) << "  " << paint(Paint::dim, entry.actor())
              << std::endl;
  }
  const grpc::Status status = stream->Finish();
  succeeded(context, client, status);
}

void forget(Context& context, const v1::ForgetAgentRequest& request) {
  v1::ForgetAgentResponse reply;
  if (!call(context, &v1::OperatorService::Stub::ForgetAgent, request, reply)) return;
  if (context.output == Output::json) return print_json(reply);
  std::cout << paint(Paint::bold, request.name()) << " is forgotten\n";
}

}  // namespace

void add_view_commands(CLI::App& app, Context& context) {
  app.add_subcommand("status", "one look at everything")->callback([&context] { status(context); });

  auto* list = app.add_subcommand("services", "services, their probes, and what each agent sees");
  const auto name = std::make_shared<std::string>();
  list->add_option("SERVICE", *name, "only this one");
  list->callback([&context, name] { services(context, *name); });

  app.add_subcommand("agents", "agents: attached or away, labels, what they may do")
      ->callback([&context] { agents(context); });

  auto* agent = app.add_subcommand("agent", "one agent");
  agent->require_subcommand(1);
  auto* forgotten = agent->add_subcommand(
      "forget", "an agent that will not come back: nobody waits for it any more");
  const auto request = std::make_shared<v1::ForgetAgentRequest>();
  forgotten
      ->add_option_function<std::string>(
          "NAME", [request](const std::string& text) { request->set_name(text); })
      ->required();
  forgotten->callback([&context, request] { forget(context, *request); });

  auto* follow = app.add_subcommand("watch", "every event as it happens, until interrupted");
  const auto incident = std::make_shared<std::string>();
  follow->add_option("INCIDENT", *incident, "only this one");
  follow->callback([&context, incident] { watch(context, *incident); });
}

}  // namespace firebreak::cli
