// Policy files -> Policy: reads every section, then checks what one section says of another.
#include "coordinator/policy/loader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <utility>

#include <openssl/evp.h>

#include "common/file.h"
#include "common/limits.h"
#include "common/probe_yaml.h"
#include "common/text.h"
#include "common/yaml.h"
#include "coordinator/policy/lint.h"
#include "coordinator/policy/places.h"
#include "coordinator/policy/response.h"
#include "coordinator/policy/signals.h"

namespace firebreak::policy {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;
using Kind = cel::Type::Kind;

constexpr std::array<std::pair<std::string_view, Mode>, 3> kModes{
    {{"observe", Mode::observe}, {"advise", Mode::advise}, {"enforce", Mode::enforce}}};
constexpr std::array<std::pair<std::string_view, CheckFrom>, 2> kFrom{
    {{"one", CheckFrom::one}, {"all", CheckFrom::all}}};
constexpr std::array<std::pair<std::string_view, NoData>, 3> kNoData{
    {{"unknown", NoData::unknown}, {"alert", NoData::alert}, {"ok", NoData::ok}}};
constexpr std::array<std::pair<std::string_view, FactType>, 4> kFactTypes{
    {{"bool", FactType::boolean},
     {"int", FactType::integer},
     {"double", FactType::real},
     {"string", FactType::string}}};

const std::array<std::string, 16> kSections{
    "severities", "facts",        "receivers", "services",       "groups",      "rules",
    "actions",    "agents",       "playbooks", "checklists",     "escalations", "maintenance",
    "flapping",   "manual_steps", "schemes",   "recommendations"};

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (const auto& [name, value] : map) keys.push_back(name.str());
  return keys;
}

bool is_severity_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text.front() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == ' ';
         });
}

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !text.empty() && text.size() <= 63 && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Builds one policy; each read_ member is one section, in an order that later ones may rely on.
class Loader {
 public:
  // `whole`: every file could be read. What one of the others may define is not called missing
  // then.
  Loader(Problems& problems, bool whole) : problems_(problems), whole_(whole) {}

  void add_document(const yaml::Document& document);
  Policy finish();
  // Right when there was no error.
  [[nodiscard]] const Places& places() const { return places_; }

 private:
  struct Section {
    std::string name;
    Node node;
  };
  void each(std::string_view section, const std::function<void(const Node&)>& read);
  // Every entry of a section that is a map of names, a name used twice being an error. What is
  // wrong with an entry does not keep its name from being known: one mistake is reported once.
  void each_named(std::string_view section,
                  const std::function<void(const Node& key, const Node& value)>& read);

  void read_severity(const Node& key, const Node& value);
  void read_fact(const Node& key, const Node& value);
  void read_receiver(const Node& key, const Node& value);
  void read_service(const Node& key, const Node& value);
  void read_service_probe(Service& service, const Node& key, const Node& value);
  void read_dependency(Service& service, const Node& node);
  void read_group(const Node& key, const Node& value);
  void read_agent_watch();
  void read_rule(const Node& node);
  // Returns the severity that it names, if it does.
  std::optional<SeverityIndex> read_no_data(const Node& node, Rule& rule);
  void settle_no_data(const Service& service, const Node& samples, Rule& rule);
  void read_action(const Node& key, const Node& value);
  HostAction read_host_action(const Node& node);
  HttpAction read_http_action(const Node& node);
  void read_playbook(const Node& node);
  void read_stages(const Node& node, Playbook& playbook);
  void read_checklist(const Node& key, const Node& value);
  void read_escalation(const Node& key, const Node& value);
  void give_escalations();
  void give_allowed_actions();
  void read_manual_step(const Node& node);
  void read_scheme(const Node& key, const Node& value);
  void give_schemes();
  void read_recommendation(const Node& node);
  // Whether the policy has this escalation; `none` is none.
  std::optional<std::string> escalation_named(const Node& node);
  void read_maintenance(const Node& node);
  void read_flapping();
  // `service` is null when it is not known which one is meant.
  std::optional<Check> read_check(const Service* service, const Node& node);
  ProbeCheck read_probe_check(const Service* service, MapReader& reader, const Node& probe);
  SignalCheck read_signal_check(const Service* service, MapReader& reader, const Node& expect);

  void check_calls(const Service* service, const cel::Program& program, const Node& node);
  void check_other_call(const cel::Call& call, const Node& node);
  void check_hours(const cel::Call& call, const Node& node);
  void check_severity_circles();
  void note_severity_reads(const ServiceName& reader, const cel::Program& program,
                           const Node& node);
  void check_probe_name(const ProbeKey& key, const yaml::Place& place);
  void report_missing(const yaml::Place& place, std::string message, std::string_view name,
                      const std::vector<std::string>& known);
  void check_dependencies();
  void check_actions_of_playbooks();
  void add_default_checklists();
  cel::Declarations declarations() const;
  Service* service_named(const Node& node);
  std::optional<SeverityIndex> severity_named(const Node& node);

  Problems& problems_;
  bool whole_;
  std::set<FactName> broken_facts_;
  std::vector<Section> sections_;
  Policy policy_;
  Places places_;
  std::map<ActionName, std::pair<Node, std::vector<Node>>> action_verify_;
  std::vector<std::pair<Node, std::size_t>> severity_notify_;
  std::vector<Node> watch_notify_;
  std::map<ServiceName, std::vector<Node>> dependency_nodes_;
  std::vector<std::pair<Node, std::size_t>> severity_escalation_;
  std::map<ServiceName, Node> service_escalation_;
  // By severity_of(): who reads whom, and where.
  std::map<ServiceName, std::map<ServiceName, yaml::Place>> severity_reads_;
  std::vector<std::pair<Node, std::size_t>> severity_actions_;
  std::map<ReceiverName, Node> receiver_scheme_;
};

void Loader::add_document(const yaml::Document& document) {
  if (document.root().kind() == yaml::Kind::null) return;
  MapReader reader(document.root(), "a policy", problems_);
  if (const Node format = reader.optional("incident_id")) {
    const auto text = format.as_string(problems_, 64);
    const bool unique =
        text && (text->find("%S") != std::string::npos || text->find("%N") != std::string::npos);
    const bool fine =
        unique && text->find_first_not_of(
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%-_#") ==
                      std::string::npos;
    if (text && !fine)
      problems_.error(
          format.place(),
          "an incident's id is made of letters, digits, - and _ and must hold %S or %N, "
          "as in INC-%Y%m%d-%H%M%S");
    else if (text)
      policy_.incident_id_format = *text;
  }
  for (const std::string& name : kSections)
    if (const Node node = reader.optional(name)) sections_.push_back({name, node});
  // A section under a misspelt name: the names in it are not missing.
  for (const auto& entry : document.root().entries()) {
    const std::string& key = entry.key.text();
    if (std::ranges::find(kSections, key) == kSections.end() &&
        !did_you_mean(key, kSections).empty())
      whole_ = false;
  }
}

void Loader::each(std::string_view section, const std::function<void(const Node&)>& read) {
  for (const Section& found : sections_)
    if (found.name == section)
      for (const Node& item : found.node.as_list(problems_)) read(item);
}

void Loader::each_named(std::string_view section,
                        const std::function<void(const Node&, const Node&)>& read) {
  std::map<std::string, Node> seen;
  for (const Section& found : sections_) {
    if (found.name != section) continue;
    if (found.node.kind() != yaml::Kind::map) whole_ = false;
    for (const auto& entry : found.node.as_map(problems_)) {
      const auto [earlier, fresh] = seen.emplace(entry.key.text(), entry.key);
      if (!fresh) {
        const yaml::Place place = earlier->second.place();
        problems_.error(entry.key.place(), "'" + entry.key.text() + "' is defined already, at " +
                                               place.file + ":" + std::to_string(place.line) +
                                               "; keep one of the two");
      }
      read(entry.key, entry.value);
    }
  }
}

void Loader::read_severity(const Node& key, const Node& value) {
  if (!is_severity_name(key.text()))
    problems_.error(key.place(),
                    "a severity's name is letters, digits, - and _, as in P1 or SEV-1");
  Severity severity;
  severity.name = key.text();
  MapReader reader(value, "severity '" + severity.name + "'", problems_);
  severity.acknowledge =
      reader.optional("acknowledge").as_duration(problems_, std::chrono::seconds(1));
  severity.update = reader.optional("update").as_duration(problems_, std::chrono::seconds(1));
  severity.resolve = reader.optional("resolve").as_duration(problems_, std::chrono::seconds(1));
  if (const Node notify = reader.optional("notify"))
    for (const Node& name : notify.as_list_or_one(problems_))
      severity_notify_.emplace_back(name, policy_.severities.size());
  if (const Node escalation = reader.optional("escalation"))
    severity_escalation_.emplace_back(escalation, policy_.severities.size());
  if (const Node actions = reader.optional("actions"))
    severity_actions_.emplace_back(actions, policy_.severities.size());
  policy_.severities.push_back(std::move(severity));
  places_.severities.push_back(key);
}

void Loader::read_fact(const Node& key, const Node& value) {
  FactDecl fact;
  fact.name = FactName(key.text());
  if (!is_identifier(key.text()))
    problems_.error(
        key.place(),
        "a fact's name is lower-case letters, digits and _, so that a rule can write facts.NAME");
  const std::size_t errors_before = problems_.errors();
  Node initial = value;
  std::optional<FactType> type;
  if (value.kind() == yaml::Kind::map) {
    MapReader reader(value, "fact '" + key.text() + "'", problems_);
    initial = reader.required("default");
    type = reader.optional("type").as_enum(problems_, kFactTypes);
    if (const Node text = reader.optional("description"))
      fact.description = text.as_string(problems_).value_or("");
  }
  const std::string& text = initial.text();
  if (!type) {
    const bool number = !initial.quoted() && !text.empty() &&
                        text.find_first_not_of("-0123456789") == std::string::npos;
    type = initial.quoted()                                                 ? FactType::string
           : text == "true" || text == "false"                              ? FactType::boolean
           : number                                                         ? FactType::integer
           : text.find_first_not_of("-+.0123456789eE") == std::string::npos ? FactType::real
                                                                            : FactType::string;
  }
  fact.type = *type;
  switch (*type) {
    case FactType::boolean:
      fact.initial = cel::Value(initial.as_bool(problems_).value_or(false));
      break;
    case FactType::integer:
      fact.initial = cel::Value(initial.as_int(problems_).value_or(0));
      break;
    case FactType::real:
      fact.initial = cel::Value(initial.as_double(problems_).value_or(0));
      break;
    case FactType::string:
      fact.initial = cel::Value(initial.as_string(problems_).value_or(""));
      break;
  }
  if (problems_.errors() != errors_before) broken_facts_.insert(fact.name);
  places_.facts.emplace(fact.name, key);
  policy_.facts.emplace(fact.name, fact);
}

void Loader::read_receiver(const Node& key, const Node& value) {
  static const std::array<std::string, 2> kReceivers{"slack", "webhook"};
  const auto name = key.as_name(problems_);
  MapReader reader(value, "receiver '" + key.text() + "'", problems_);
  const auto kind = reader.exactly_one_of(kReceivers);
  if (const Node scheme = reader.optional("scheme"))
    receiver_scheme_[ReceiverName(key.text())] = scheme;
  Receiver receiver{ReceiverName(key.text()), SlackReceiver{}};
  if (!name || !kind) {
    policy_.receivers.emplace(receiver.name, receiver);
    if (!kind) return;
  }
  MapReader details(kind->value, kind->key.text() + " receiver '" + key.text() + "'", problems_);
  const Node url = details.optional("url");
  const std::string url_text = url ? url.as_string(problems_).value_or("") : "";
  if (url && url_text.rfind("https://", 0) != 0 && url_text.rfind("http://", 0) != 0)
    problems_.error(url.place(),
                    "a receiver's url begins with https:// (or http:// inside your own network)");
  if (kind->key.text() == "slack") {
    const Node file = details.optional("url_file");
    if (static_cast<bool>(url) == static_cast<bool>(file))
      problems_.error(
          kind->key.place(),
          "give 'url_file' (a file that holds the webhook's secret URL) or 'url', one of the two");
    receiver.how = SlackReceiver{file ? file.as_string(problems_).value_or("") : "", url_text};
  } else {
    WebhookReceiver webhook;
    details.required("url");
    webhook.url = url_text;
    if (const Node file = details.optional("secret_file"))
      webhook.secret_file = file.as_string(problems_).value_or("");
    if (const Node headers = details.optional("headers"))
      for (const auto& entry : headers.as_map(problems_))
        webhook.headers.emplace_back(entry.key.text(),
                                     entry.value.as_string(problems_).value_or(""));
    receiver.how = std::move(webhook);
  }
  places_.receivers.emplace(receiver.name, key);
  policy_.receivers.emplace(receiver.name, std::move(receiver));
}

void Loader::read_service_probe(Service& service, const Node& key, const Node& value) {
  const auto name = key.as_name(problems_);
  MapReader reader(value, "probe '" + key.text() + "'", problems_);
  const auto spec = read_probe(reader, problems_);
  Probe probe;
  if (const auto need = reader.optional("need").as_int(problems_, 1, 1000))
    probe.need = static_cast<int>(*need);
  probe.name = ProbeName(key.text());
  if (name && spec) probe.spec = *spec;
  places_.services[service.name].probes.emplace(probe.name, yaml::Entry{key, value});
  service.probes.push_back(std::move(probe));
}

// A service, or {any_of: [...]}: enough when one of them works.
void Loader::read_dependency(Service& service, const Node& node) {
  Dependency dependency;
  const auto add = [&](const Node& parent) {
    dependency_nodes_[service.name].push_back(parent);
    dependency.any_of.emplace_back(parent.text());
  };
  if (node.kind() == yaml::Kind::map) {
    MapReader reader(node, "a dependency", problems_);
    if (const Node any_of = reader.required("any_of"))
      for (const Node& parent : any_of.as_list_or_one(problems_)) add(parent);
  } else {
    add(node);
  }
  if (!dependency.any_of.empty()) service.depends_on.push_back(std::move(dependency));
}

void Loader::read_group(const Node& key, const Node& value) {
  static_cast<void>(key.as_name(problems_));
  MapReader reader(value, "group '" + key.text() + "'", problems_);
  auto& members = policy_.groups[key.text()];
  if (const Node services = reader.required("services"))
    for (const Node& node : services.as_list(problems_)) {
      Service* service = service_named(node);
      if (service == nullptr) continue;
      if (!service->group.empty()) {
        problems_.error(node.place(), "service '" + service->name.str() + "' is in group '" +
                                          service->group + "' already; a service has one");
        continue;
      }
      service->group = key.text();
      members.push_back(service->name);
    }
  std::sort(members.begin(), members.end());
}

// Silent agents are the trouble of a service that the policy has because of this section.
void Loader::read_agent_watch() {
  for (const Section& section : sections_) {
    if (section.name != "agents") continue;
    MapReader reader(section.node, "'agents'", problems_);
    AgentWatch watch;
    watch.silent_after =
        reader.required("silent_after")
            .as_duration(problems_, limits::kSilentAfterMin, std::chrono::hours(24))
            .value_or(limits::kSilentAfterMin);
    if (const Node severity = reader.required("severity"))
      watch.severity = severity_named(severity).value_or(0);
    if (const Node notify = reader.optional("notify"))
      for (const Node& name : notify.as_list_or_one(problems_)) watch_notify_.push_back(name);
    if (policy_.agent_watch) {
      problems_.error(section.node.place(), "'agents' is there already; keep one of the two");
      continue;
    }
    policy_.agent_watch = watch;
    Service service;
    service.name = ServiceName(kAgentsService);
    service.description = "agents that are silent";
    const auto mine = places_.services.find(service.name);
    if (!policy_.services.emplace(service.name, std::move(service)).second)
      problems_.error(mine->second.key.place(),
                      "with a section 'agents' there is a service of this name already: the one "
                      "of silent agents; give this one another name");
  }
}

void Loader::read_service(const Node& key, const Node& value) {
  static_cast<void>(key.as_name(problems_));
  MapReader reader(value, "service '" + key.text() + "'", problems_);
  Service service;
  service.name = ServiceName(key.text());
  places_.services[service.name].key = key;
  if (const Node text = reader.optional("description"))
    service.description = text.as_string(problems_).value_or("");
  if (const Node agents = reader.optional("agents"))
    service.agents = compile_node(agents, selector_declarations(), Kind::boolean, problems_);
  if (const Node parents = reader.optional("depends_on"))
    for (const Node& parent : parents.as_list_or_one(problems_)) read_dependency(service, parent);
  if (const Node escalation = reader.optional("escalation"))
    service_escalation_[ServiceName(key.text())] = escalation;
  if (const Node probes = reader.required("probes"))
    for (const auto& entry : probes.as_map(problems_))
      read_service_probe(service, entry.key, entry.value);
  policy_.services.emplace(service.name, std::move(service));
}

void Loader::report_missing(const yaml::Place& place, std::string message, std::string_view name,
                            const std::vector<std::string>& known) {
  if (!whole_) return;
  // As MapReader does: beyond what is shown, looking for the word that was meant only costs.
  const bool shown = problems_.errors() < limits::kPolicyErrorsShownMax;
  problems_.error(place, std::move(message), shown ? did_you_mean(name, known) : "");
}

Service* Loader::service_named(const Node& node) {
  const auto name = node.as_string(problems_);
  if (!name) return nullptr;
  const auto found = policy_.services.find(ServiceName(*name));
  if (found != policy_.services.end()) return &found->second;
  report_missing(node.place(), "there is no service '" + *name + "'", *name,
                 keys_of(policy_.services));
  return nullptr;
}

std::optional<SeverityIndex> Loader::severity_named(const Node& node) {
  const auto found = policy_.find_severity(node.text());
  if (found) return found;
  std::vector<std::string> names;
  for (const Severity& severity : policy_.severities) names.push_back(severity.name);
  report_missing(node.place(), "there is no severity '" + node.text() + "'", node.text(), names);
  return std::nullopt;
}

cel::Declarations Loader::declarations() const {
  cel::Type::Fields fields;
  for (const auto& [name, fact] : policy_.facts)
    fields.emplace(name.str(), broken_facts_.count(name) != 0   ? Kind::dyn
                               : fact.type == FactType::boolean ? Kind::boolean
                               : fact.type == FactType::integer ? Kind::integer
                               : fact.type == FactType::real    ? Kind::real
                                                                : Kind::string);
  cel::Declarations declarations = rule_declarations(fields);
  if (!whole_)
    declarations.variables.insert_or_assign("facts", cel::Type::map(cel::Type(Kind::dyn)));
  return declarations;
}

// The probes that signals name must exist, and their windows must be ones that can be kept.
bool is_window(Duration window) {
  return window >= std::chrono::seconds(1) && window <= std::chrono::hours(24);
}

void Loader::check_probe_name(const ProbeKey& key, const yaml::Place& place) {
  if (policy_.find_probe(key) != nullptr) return;
  const Service* owner = policy_.find_service(key.service);
  if (owner == nullptr)
    return report_missing(place, "there is no service '" + key.service.str() + "'",
                          key.service.str(), keys_of(policy_.services));
  std::vector<std::string> names;
  for (const Probe& probe : owner->probes) names.push_back(probe.name.str());
  report_missing(place,
                 "service '" + key.service.str() + "' has no probe '" + key.probe.str() + "'",
                 key.probe.str(), names);
}

const char* must_be_written_out(Signal signal) {
  if (signal == Signal::value) return "the value's name must be written out, as in 'length'";
  if (signal == Signal::failing_groups || signal == Signal::failing_groups_share)
    return "the label must be written out, as in 'region'";
  return "a window must be written out, as in 5m";
}

// Of severity_of(), service_status(), within().
void Loader::check_other_call(const cel::Call& call, const Node& node) {
  if (static_cast<Signal>(call.id) == Signal::within) return check_hours(call, node);
  if (call.arguments.empty()) return;
  const auto& where = call.arguments.front().where;
  const auto place = node.place_of_line(where.line, where.column, where.width);
  const auto name = service_of(call);
  if (!name)
    problems_.error(place,
                    "the service's name must be written out, as in " + call.name + "('database')");
  else if (policy_.find_service(*name) == nullptr)
    report_missing(place, "there is no service '" + name->str() + "'", name->str(),
                   keys_of(policy_.services));
}

void Loader::check_hours(const cel::Call& call, const Node& node) {
  for (const auto& argument : call.arguments)
    if (!argument.constant || !argument.constant->is(cel::Value::Kind::string))
      return problems_.error(
          node.place_of_line(argument.where.line, argument.where.column, argument.where.width),
          "times and time zone must be written out, as in within('Mon-Fri 09:00-17:00', "
          "'Europe/Berlin')");
  const std::string& times = call.arguments[0].constant->as_string();
  const std::string& zone = call.arguments[1].constant->as_string();
  auto read = Hours::parse(times, zone);
  if (auto* hours = std::get_if<Hours>(&read)) {
    policy_.hours.emplace(std::pair{times, zone}, std::move(*hours));
    return;
  }
  const auto& mistake = std::get<Hours::Mistake>(read);
  const auto& where = call.arguments[mistake.in_zone ? 1 : 0].where;
  const int offset = 1 + static_cast<int>(mistake.offset);  // behind the quote
  const int width =
      std::clamp(static_cast<int>(mistake.width), 1, std::max(where.width - offset, 1));
  problems_.error(node.place_of_line(where.line, where.column + offset, width), mistake.message);
}

// What a severity follows from must not follow from it.
void Loader::check_severity_circles() {
  for (const auto& [reader, reads] : severity_reads_) {
    std::vector<ServiceName> open{reader};
    std::set<ServiceName> seen;
    while (!open.empty()) {
      const ServiceName next = open.back();
      open.pop_back();
      const auto found = severity_reads_.find(next);
      if (found == severity_reads_.end()) continue;
      if (found->second.contains(reader)) {
        problems_.error(found->second.at(reader),
                        "the severity of '" + reader.str() + "' follows from itself, in a circle");
        break;
      }
      for (const auto& [other, place] : found->second)
        if (seen.insert(other).second) open.push_back(other);
    }
  }
}

void Loader::check_calls(const Service* service, const cel::Program& program, const Node& node) {
  for (const cel::Call& call : program.calls()) {
    if (!is_of_probe(static_cast<Signal>(call.id))) {
      check_other_call(call, node);
      continue;
    }
    if (call.arguments.empty()) continue;
    const auto& first = call.arguments.front();
    const auto place = node.place_of_line(first.where.line, first.where.column, first.where.width);
    const auto key = probe_of(call, service == nullptr ? ServiceName() : service->name);
    if (!key)
      problems_.error(place,
                      "the probe's name must be written out, as in " + call.name + "('health')");
    else if (!key->service.empty())
      check_probe_name(*key, place);
    for (std::size_t i = 1; i < call.arguments.size(); ++i) {
      const auto& argument = call.arguments[i];
      const auto where =
          node.place_of_line(argument.where.line, argument.where.column, argument.where.width);
      if (!argument.constant) {
        problems_.error(where, must_be_written_out(static_cast<Signal>(call.id)));
      } else if (argument.constant->is(cel::Value::Kind::duration) &&
                 !is_window(argument.constant->as_duration())) {
        problems_.error(where, "a window is between 1s and 24h");
      }
    }
  }
}

void Loader::note_severity_reads(const ServiceName& reader, const cel::Program& program,
                                 const Node& node) {
  for (const cel::Call& call : program.calls()) {
    const auto other = service_of(call);
    if (!other || static_cast<Signal>(call.id) != Signal::severity_of) continue;
    const auto& where = call.arguments.front().where;
    severity_reads_[reader].emplace(*other,
                                    node.place_of_line(where.line, where.column, where.width));
  }
}

std::optional<SeverityIndex> Loader::read_no_data(const Node& node, Rule& rule) {
  if (!node) return std::nullopt;
  if (node.kind() != yaml::Kind::map) {
    rule.no_data = node.as_enum(problems_, kNoData).value_or(NoData::unknown);
    return std::nullopt;
  }
  MapReader reader(node, "'no_data'", problems_);
  rule.no_data = NoData::alert;
  const Node severity = reader.required("alert");
  return severity ? severity_named(severity) : std::nullopt;
}

// What follows from the rule's levels: the time over which samples are counted, and how long data
// must be missing before that is news: until the slowest probe it reads would be stale.
void Loader::settle_no_data(const Service& service, const Node& samples, Rule& rule) {
  Duration longest{};
  Duration stale{};
  const auto read_probe_of_rule = [&](const Probe& probe) {
    stale = std::max(stale, 3 * probe.spec.every + probe.spec.timeout + limits::kDeliverySlack);
  };
  for (const Rule::Level& level : rule.levels)
    for (const cel::Call& call : level.when.calls()) {
      if (const auto key = probe_of(call, service.name))
        if (const Probe* probe = policy_.find_probe(*key)) read_probe_of_rule(*probe);
      if (const auto other = service_of(call);
          other && static_cast<Signal>(call.id) == Signal::service_status)
        if (const Service* read = policy_.find_service(*other))
          std::ranges::for_each(read->probes, read_probe_of_rule);
      if (call.arguments.size() > 1 && call.arguments[1].constant &&
          call.arguments[1].constant->is(cel::Value::Kind::duration))
        longest = std::max(longest, call.arguments[1].constant->as_duration());
    }
  rule.samples_within = longest > Duration{0} ? longest : rule.hold;
  if (rule.samples > 0 && rule.samples_within == Duration{0})
    problems_.error(samples.place(),
                    "nothing says over which time they are counted: give a signal of the rule a "
                    "window, or the rule a 'for'");
  rule.silence = std::max(rule.hold, stale);
  if (rule.samples > 0) rule.silence = std::max(rule.silence, rule.samples_within);
}

void Loader::read_rule(const Node& node) {
  MapReader reader(node, "a rule", problems_);
  const Node service_node = reader.required("service");
  Service* service = service_node ? service_named(service_node) : nullptr;
  Rule rule;
  if (const auto hold =
          reader.optional("for").as_duration(problems_, Duration{0}, std::chrono::hours(24)))
    rule.hold = *hold;
  if (const auto keep =
          reader.optional("keep_for").as_duration(problems_, Duration{0}, std::chrono::hours(24)))
    rule.keep = *keep;
  const Node samples = reader.optional("samples");
  if (const auto count = samples.as_int(problems_, 1, 1'000'000))
    rule.samples = static_cast<int>(*count);
  const auto no_data_severity = read_no_data(reader.optional("no_data"), rule);
  const Node name = reader.optional("name");
  const Node levels = reader.required("severity");
  std::vector<std::pair<Rule::Level, yaml::Entry>> read;
  for (const auto& entry : levels ? levels.as_map(problems_) : std::vector<yaml::Entry>{}) {
    const auto severity = severity_named(entry.key);
    auto program = compile_node(entry.value, declarations(), Kind::boolean, problems_);
    if (program) check_calls(service, *program, entry.value);
    if (program && service != nullptr) note_severity_reads(service->name, *program, entry.value);
    if (severity && program) read.push_back({{*severity, *std::move(program)}, entry});
  }
  std::sort(read.begin(), read.end(),
            [](const auto& a, const auto& b) { return a.first.severity < b.first.severity; });
  if (service == nullptr) return;
  RulePlaces places{node, {}};
  for (auto& [level, entry] : read) {
    rule.levels.push_back(std::move(level));
    places.levels.push_back(entry);
  }
  places_.services[service->name].rules.push_back(std::move(places));
  settle_no_data(*service, samples, rule);
  if (no_data_severity)
    rule.no_data_severity = *no_data_severity;
  else if (!rule.levels.empty())
    rule.no_data_severity = rule.levels.back().severity;
  rule.name = name ? name.as_string(problems_, 128).value_or("")
                   : service->name.str() + "/" + std::to_string(service->rules.size() + 1);
  service->rules.push_back(std::move(rule));
}

HostAction Loader::read_host_action(const Node& node) {
  HostAction action;
  if (node.kind() == yaml::Kind::scalar) {
    action.entry = node.as_name(problems_).value_or("");
    return action;
  }
  MapReader reader(node, "a host action", problems_);
  if (const Node entry = reader.required("entry"))
    action.entry = entry.as_name(problems_).value_or("");
  if (const Node on = reader.optional("on"))
    action.on = compile_node(on, selector_declarations(), Kind::boolean, problems_);
  if (const Node parameters = reader.optional("parameters"))
    for (const auto& entry : parameters.as_map(problems_))
      action.parameters[entry.key.text()] = entry.value.as_string(problems_, 256).value_or("");
  return action;
}

HttpAction Loader::read_http_action(const Node& node) {
  HttpAction action;
  const auto http = read_http(node, problems_);
  if (!http) return action;
  if (!http->expect.empty() || !http->header_files.empty() || !http->contains.empty() ||
      !http->basic_user.empty() || http->max_redirects != 0 || http->tls != TlsSpec() ||
      !http->unix_socket.empty())
    problems_.error(node.name_place(),
                    "an http action knows url, method, headers, body or json, expect_status and "
                    "bearer_token_file; let 'verify' probes judge what it did");
  action.url = http->url;
  action.method = http->method;
  action.headers = http->headers;
  action.body = http->body;
  action.bearer_token_file = http->bearer_token_file;
  action.expect_status = http->expect_status;
  return action;
}

void Loader::read_action(const Node& key, const Node& value) {
  static const std::array<std::string, 2> kHow{"host", "http"};
  static_cast<void>(key.as_name(problems_));
  MapReader reader(value, "action '" + key.text() + "'", problems_);
  const auto how = reader.exactly_one_of(kHow);
  Action action;
  if (const auto timeout = reader.optional("timeout").as_duration(
          problems_, std::chrono::seconds(1), limits::kActionTimeoutMax))
    action.timeout = *timeout;
  if (const auto cooldown = reader.optional("cooldown").as_duration(problems_))
    action.cooldown = *cooldown;
  std::vector<Node> verify;
  if (const Node probes = reader.optional("verify")) verify = probes.as_list_or_one(problems_);
  for (const Node& probe : verify) action.verify.emplace_back(probe.text());
  action.name = ActionName(key.text());
  if (how && how->key.text() == "host")
    action.how = read_host_action(how->value);
  else if (how)
    action.how = read_http_action(how->value);
  action_verify_.emplace(action.name, std::make_pair(key, std::move(verify)));
  places_.actions.emplace(action.name, yaml::Entry{key, value});
  policy_.actions.emplace(action.name, std::move(action));
}

void Loader::read_stages(const Node& node, Playbook& playbook) {
  for (const Node& item : node.as_list(problems_)) {
    MapReader reader(item, "a stage", problems_);
    Stage stage;
    if (const auto at = reader.optional("at").as_duration(problems_)) stage.at = *at;
    const Node actions = reader.required("do");
    for (const Node& action : actions ? actions.as_list_or_one(problems_) : std::vector<Node>{}) {
      const auto name = action.as_string(problems_);
      if (!name) continue;
      if (policy_.actions.count(ActionName(*name)) == 0)
        report_missing(action.place(), "there is no action '" + *name + "'", *name,
                       keys_of(policy_.actions));
      stage.actions.emplace_back(*name);
    }
    if (!playbook.stages.empty() && stage.at < playbook.stages.back().at)
      problems_.error(
          item.place(),
          "stages are written in the order of their times; this one is before the last");
    playbook.stages.push_back(std::move(stage));
  }
}

void Loader::read_playbook(const Node& node) {
  MapReader reader(node, "a playbook", problems_);
  Playbook playbook;
  Service* service = nullptr;
  if (const Node on = reader.required("on")) {
    MapReader match(on, "'on'", problems_);
    if (const Node name = match.required("service")) service = service_named(name);
    if (const Node severity = match.optional("severity"))
      playbook.severity = severity_named(severity);
  }
  if (const auto on_symptom = reader.optional("on_symptom").as_bool(problems_))
    playbook.on_symptom = *on_symptom;
  if (const auto mode = reader.optional("mode").as_enum(problems_, kModes)) playbook.mode = *mode;
  if (const Node stages = reader.required("stages")) read_stages(stages, playbook);
  if (const Node guard = reader.optional("guard")) {
    MapReader limits_reader(guard, "'guard'", problems_);
    playbook.cooldown = limits_reader.optional("cooldown").as_duration(problems_);
  }
  const Node name = reader.optional("name");
  if (service == nullptr) return;
  playbook.service = service->name;
  const std::string severity =
      playbook.severity ? policy_.severities[*playbook.severity].name : "any";
  playbook.name =
      name ? name.as_string(problems_, 128).value_or("") : service->name.str() + "/" + severity;
  for (const Playbook& other : policy_.playbooks)
    if (other.service == playbook.service && other.severity == playbook.severity)
      problems_.error(node.place(), "service '" + service->name.str() +
                                        "' has a playbook for severity " + severity +
                                        " already; join their stages");
  places_.playbooks.push_back(node);
  policy_.playbooks.push_back(std::move(playbook));
}

ProbeCheck Loader::read_probe_check(const Service* service, MapReader& reader, const Node& probe) {
  ProbeCheck check;
  if (probe) {
    const auto name = probe.as_string(problems_);
    if (name && service != nullptr) {
      check.key = {service->name, ProbeName(*name)};
      check_probe_name(check.key, probe.place());
      if (const Probe* known = policy_.find_probe(check.key)) check.spec = known->spec;
    }
  } else {
    check.from = CheckFrom::one;  // a functional test has effects: once is enough unless the policy
                                  // says otherwise
    if (auto kind = read_kind(reader, problems_)) check.spec.kind = *std::move(kind);
    if (auto* http = std::get_if<HttpSpec>(&check.spec.kind))
      if (const Node expect = reader.optional("expect")) {
        if (!http->expect.empty())
          problems_.error(expect.name_place(), "'expect' is given twice for this check");
        if (const auto program =
                compile_node(expect, http_expect_declarations(), Kind::boolean, problems_))
          http->expect = program->text();
      }
  }
  if (const auto timeout = reader.optional("timeout").as_duration(
          problems_, std::chrono::milliseconds(10), limits::kProbeTimeoutMax))
    check.spec.timeout = *timeout;
  if (const auto attempts = reader.optional("attempts").as_int(problems_, 1, 1000))
    check.attempts = static_cast<int>(*attempts);
  if (const auto every = reader.optional("every").as_duration(problems_)) check.every = *every;
  const Node passes = reader.optional("passes");
  if (const auto count = passes.as_int(problems_, 1, 1000)) check.passes = static_cast<int>(*count);
  if (check.passes > check.attempts) {
    if (passes && reader.optional("attempts"))
      problems_.error(passes.name_place(),
                      "can never pass: more passes are asked for than there are attempts");
    check.attempts = check.passes;
  }
  if (const auto from = reader.optional("from").as_enum(problems_, kFrom)) check.from = *from;
  if (const Node expect = reader.optional("expect");
      expect && std::get_if<HttpSpec>(&check.spec.kind) == nullptr)
    check.expect = compile_node(expect, observation_declarations(), Kind::boolean, problems_);
  else if (expect && probe)
    check.expect = compile_node(expect, observation_declarations(), Kind::boolean, problems_);
  return check;
}

SignalCheck Loader::read_signal_check(const Service* service, MapReader& reader,
                                      const Node& expect) {
  Duration hold{};
  int samples = 0;
  if (const auto value =
          reader.optional("hold").as_duration(problems_, Duration{0}, std::chrono::hours(24)))
    hold = *value;
  if (const auto value = reader.optional("samples").as_int(problems_, 0, 1000000))
    samples = static_cast<int>(*value);
  Duration within = hold * 2 + std::chrono::minutes(1);
  if (const Node node = reader.optional("within"))
    if (const auto value = node.as_duration(problems_)) {
      within = *value;
      if (within < hold)
        problems_.error(node.place(), "can never pass: gives up before the hold is over");
    }
  auto program = compile_node(expect, declarations(), Kind::boolean, problems_);
  if (program) check_calls(service, *program, expect);
  auto never = cel::compile(
      "false", {}, Kind::boolean);  // stands in after an error; such a policy is never used
  return {program ? *std::move(program) : std::get<cel::Program>(std::move(never)), hold, samples,
          within};
}

std::optional<Check> Loader::read_check(const Service* service, const Node& node) {
  MapReader reader(node, "a check", problems_);
  const Node name = reader.optional("name");
  const Node probe = reader.optional("probe");
  const auto kinds = kind_words();
  const bool inlined = std::any_of(kinds.begin(), kinds.end(), [&reader](const std::string& kind) {
    return static_cast<bool>(reader.optional(kind));
  });
  const Node expect = reader.optional("expect");
  Check check{"", ProbeCheck{}};
  if (probe && inlined)
    problems_.error(probe.name_place(),
                    "a check runs either a 'probe' of the service or one of its own, not both");
  if (!probe && !inlined && !expect) {
    problems_.error(node.place(), "a check needs 'probe', a kind such as 'http', or 'expect'");
    reader.ignore_rest();
    return std::nullopt;
  }
  if (probe || inlined) {
    ProbeCheck what = read_probe_check(service, reader, probe);
    check.name =
        probe ? probe.text()
              : std::string(kind_name(what.spec.kind)) + " " + describe_target(what.spec.kind);
    check.what = std::move(what);
  } else {
    check.what = read_signal_check(service, reader, expect);
    check.name = expect.text();
  }
  if (name) check.name = name.as_string(problems_, 128).value_or(check.name);
  return check;
}

void Loader::read_checklist(const Node& key, const Node& value) {
  Service* service = service_named(key);
  if (service != nullptr && policy_.is_agents_service(service->name))
    problems_.error(key.place(),
                    "silent agents have no checklist: it is over when they are attached again");
  const auto items = value.as_list(problems_);
  if (items.empty() && value.kind() == yaml::Kind::sequence)
    problems_.error(key.place(), "an empty checklist proves nothing; add a check or leave it out");
  for (const Node& item : items) {
    auto check = read_check(service, item);
    if (!check || service == nullptr) continue;
    places_.services[service->name].checks.push_back(item);
    service->checklist.push_back(*std::move(check));
  }
  if (service != nullptr) service->has_own_checklist = true;
}

void Loader::read_escalation(const Node& key, const Node& value) {
  static_cast<void>(key.as_name(problems_));
  places_.escalations.emplace(key.text(), key);
  policy_.escalations.emplace(
      key.text(), policy::read_escalation(key, value, problems_, [&](const Node& receiver) {
        if (policy_.receivers.count(ReceiverName(receiver.text())) == 0)
          report_missing(receiver.place(), "there is no receiver '" + receiver.text() + "'",
                         receiver.text(), keys_of(policy_.receivers));
      }));
}

std::optional<std::string> Loader::escalation_named(const Node& node) {
  auto name = node.as_string(problems_);
  if (!name || *name == "none") return std::nullopt;
  if (policy_.escalations.count(*name) != 0) return name;
  std::vector<std::string> names;
  for (const auto& [known, escalation] : policy_.escalations) names.push_back(known);
  report_missing(node.place(), "there is no escalation '" + *name + "'", *name, names);
  return std::nullopt;
}

// A service's own escalation takes the place of every severity's that has one, or of those it
// names.
void Loader::give_escalations() {
  for (const auto& [node, index] : severity_escalation_)
    policy_.severities[index].escalation = escalation_named(node).value_or("");
  for (const auto& [name, node] : service_escalation_) {
    auto& own = policy_.services.at(name).escalations;
    if (node.kind() != yaml::Kind::map) {
      const std::string wanted = escalation_named(node).value_or("");
      for (SeverityIndex i = 0; i < policy_.severities.size(); ++i)
        if (!policy_.severities[i].escalation.empty()) own[i] = wanted;
      continue;
    }
    for (const auto& entry : node.as_map(problems_))
      if (const auto severity = severity_named(entry.key))
        own[*severity] = escalation_named(entry.value).value_or("");
  }
}

void Loader::give_allowed_actions() {
  for (const auto& [node, index] : severity_actions_) {
    if (node.text() == "all") continue;
    auto& allowed = policy_.severities[index].actions.emplace();
    if (node.text() == "none") continue;
    for (const Node& action : node.as_list_or_one(problems_)) {
      const auto name = action.as_string(problems_);
      if (!name) continue;
      if (policy_.actions.count(ActionName(*name)) == 0)
        report_missing(
            action.place(),
            "there is no action '" + *name + "'; 'all' and 'none' are words of their own", *name,
            keys_of(policy_.actions));
      allowed.insert(ActionName(*name));
    }
  }
}

void Loader::read_manual_step(const Node& node) {
  MapReader reader(node, "a manual step", problems_);
  ManualStep step;
  if (const Node severity = reader.optional("severity"))
    for (const Node& name : severity.as_list_or_one(problems_))
      if (const auto index = severity_named(name)) step.severities.push_back(*index);
  if (const Node name = reader.optional("service"))
    if (const Service* service = service_named(name)) step.service = service->name;
  read_step(reader, step, problems_);
  for (const ManualStep& other : policy_.manual_steps)
    if (other.text == step.text && other.service == step.service)
      problems_.error(node.place(),
                      "this step is there already; give the other one both severities");
  if (policy_.manual_steps.size() == limits::kManualStepsMax)
    problems_.error(node.place(), "a policy has at most " +
                                      std::to_string(limits::kManualStepsMax) + " manual steps");
  if (policy_.manual_steps.size() < limits::kManualStepsMax)
    policy_.manual_steps.push_back(std::move(step));
}

void Loader::read_scheme(const Node& key, const Node& value) {
  static_cast<void>(key.as_name(problems_));
  std::vector<std::string> names(policy_.severities.size());
  const std::size_t errors_before = problems_.errors();
  for (const auto& entry : value.as_map(problems_)) {
    const auto severity = severity_named(entry.key);
    const auto name = entry.value.as_string(problems_, limits::kLabelBytesMax);
    if (name && !is_severity_name(*name))
      problems_.error(entry.value.place(),
                      "a severity's name is letters, digits, blanks, - and _, at most 32");
    if (severity && name) names[*severity] = *name;
  }
  for (SeverityIndex i = 0; i < names.size(); ++i)
    if (names[i].empty() && whole_ && problems_.errors() == errors_before)
      problems_.error(key.place(), "scheme '" + key.text() + "' has no name for severity " +
                                       policy_.severities[i].name);
  if (policy_.schemes.size() == limits::kSchemesMax)
    problems_.error(key.place(),
                    "a policy has at most " + std::to_string(limits::kSchemesMax) + " schemes");
  policy_.schemes.emplace(key.text(), std::move(names));
}

void Loader::give_schemes() {
  std::vector<std::string> known;
  for (const auto& [name, names] : policy_.schemes) known.push_back(name);
  for (const auto& [receiver, node] : receiver_scheme_) {
    const auto name = node.as_string(problems_);
    if (!name) continue;
    if (policy_.schemes.count(*name) == 0)
      report_missing(node.place(), "there is no scheme '" + *name + "'", *name, known);
    policy_.receivers.at(receiver).scheme = *name;
  }
}

void Loader::read_recommendation(const Node& node) {
  MapReader reader(node, "a recommendation", problems_);
  const Node service_node = reader.required("service");
  const Service* service = service_node ? service_named(service_node) : nullptr;
  const Node when = reader.required("when");
  auto program = when ? compile_node(when, declarations(), Kind::boolean, problems_) : std::nullopt;
  if (program) check_calls(service, *program, when);
  const Node say_node = reader.required("say");
  const auto say =
      say_node ? say_node.as_string(problems_, limits::kManualStepBytesMax) : std::nullopt;
  if (say && say->empty())
    problems_.error(say_node.place(), "a recommendation says what is recommended");
  if (policy_.recommendations.size() == limits::kRecommendationsMax)
    problems_.error(
        node.place(),
        "a policy has at most " + std::to_string(limits::kRecommendationsMax) + " recommendations");
  if (service == nullptr || !program || !say) return;
  for (const Recommendation& other : policy_.recommendations)
    if (other.service == service->name && other.say == *say)
      problems_.error(node.place(), "this is recommended already; join the conditions with ||");
  places_.recommendations.push_back(node);
  policy_.recommendations.push_back({service->name, *std::move(program), *say});
}

void Loader::check_dependencies() {
  for (auto& [name, service] : policy_.services) {
    for (const Node& parent : dependency_nodes_[name]) {
      const Service* known = service_named(parent);
      if (known != nullptr && policy_.is_agents_service(known->name))
        problems_.error(parent.place(), "no service depends on silent agents");
    }
    // Walk upwards; coming back to where we started is a circle.
    std::vector<ServiceName> open;
    const auto add_all = [&open](const Service& from) {
      for (const Dependency& dependency : from.depends_on)
        open.insert(open.end(), dependency.any_of.begin(), dependency.any_of.end());
    };
    add_all(service);
    std::set<ServiceName> seen;
    while (!open.empty()) {
      const ServiceName next = open.back();
      open.pop_back();
      if (next == name) {
        problems_.error(dependency_nodes_[name].front().place(),
                        "service '" + name.str() + "' depends on itself, in a circle");
        break;
      }
      if (!seen.insert(next).second) continue;
      if (const Service* parent = policy_.find_service(next)) add_all(*parent);
    }
  }
}

void Loader::read_maintenance(const Node& node) {
  MapReader reader(node, "maintenance", problems_);
  MaintenanceWindow window;
  const std::string number = std::to_string(policy_.maintenance.size() + 1);
  window.name = "maintenance/" + number;
  const Node name = reader.optional("name");
  if (const auto given = name.as_name(problems_)) window.name = *given;
  for (const MaintenanceWindow& other : policy_.maintenance)
    if (name && other.name == window.name)
      problems_.error(name.place(), "there is maintenance '" + window.name +
                                        "' already; give one of the two another name");
  for (const Node& service : reader.required("services").as_list_or_one(problems_))
    if (const Service* found = service_named(service)) window.services.push_back(found->name);
  const Node every = reader.required("every"), zone = reader.optional("time_zone");
  window.reason = reader.required("reason").as_string(problems_).value_or("");
  const auto text = every.as_string(problems_, limits::kLabelBytesMax);
  const auto where = zone.as_string(problems_, limits::kLabelBytesMax);
  if (!text) return;
  auto when = LocalWindow::parse(*text, where.value_or("UTC"));
  if (when)
    window.when = *std::move(when);
  else
    problems_.error((when.error().code == Errc::not_found && zone ? zone : every).place(),
                    when.error().message);
  if (policy_.maintenance.size() == limits::kMaintenanceWindowsMax)
    problems_.error(node.place(), "a policy has at most " +
                                      std::to_string(limits::kMaintenanceWindowsMax) +
                                      " windows of maintenance");
  policy_.maintenance.push_back(std::move(window));
}

void Loader::read_flapping() {
  using std::chrono::seconds;
  for (const Section& found : sections_) {
    if (found.name != "flapping") continue;
    if (policy_.flapping)
      problems_.error(found.node.name_place(), "'flapping' is defined already in another file");
    MapReader reader(found.node, "'flapping'", problems_);
    Flapping& flapping = policy_.flapping.emplace();
    if (const auto changes =
            reader.optional("changes").as_int(problems_, 2, limits::kFlapChangesMax))
      flapping.changes = static_cast<int>(*changes);
    if (const auto within =
            reader.optional("within").as_duration(problems_, seconds(1), limits::kFlapWithinMax))
      flapping.within = *within;
    if (const auto calm =
            reader.optional("calm").as_duration(problems_, seconds(1), limits::kFlapWithinMax))
      flapping.calm = *calm;
  }
}

// An action is verified by probes of the service whose playbook runs it.
void Loader::check_actions_of_playbooks() {
  std::set<std::pair<ActionName, std::string>> told;
  for (const Playbook& playbook : policy_.playbooks)
    for (const Stage& stage : playbook.stages)
      for (const ActionName& name : stage.actions) {
        const auto verify = action_verify_.find(name);
        if (verify == action_verify_.end()) continue;
        for (const Node& probe : verify->second.second) {
          if (policy_.find_probe({playbook.service, ProbeName(probe.text())}) != nullptr) continue;
          if (!told.emplace(name, probe.text()).second) continue;
          std::vector<std::string> names;
          if (const Service* service = policy_.find_service(playbook.service))
            for (const Probe& known : service->probes) names.push_back(known.name.str());
          report_missing(probe.place(),
                         "playbook '" + playbook.name + "' runs this action for service '" +
                             playbook.service.str() + "', which has no probe '" + probe.text() +
                             "'",
                         probe.text(), names);
        }
      }
}

void Loader::add_default_checklists() {
  for (auto& [name, service] : policy_.services) {
    if (!service.checklist.empty()) continue;
    for (const Probe& probe : service.probes) {
      ProbeCheck check;
      check.key = {name, probe.name};
      check.spec = probe.spec;
      check.attempts = check.passes = 3;
      check.every = std::chrono::seconds(2);
      service.checklist.push_back({probe.name.str(), std::move(check)});
    }
  }
}

Policy Loader::finish() {
  each_named("severities", [&](const Node& key, const Node& value) { read_severity(key, value); });
  each_named("facts", [&](const Node& key, const Node& value) { read_fact(key, value); });
  each_named("receivers", [&](const Node& key, const Node& value) { read_receiver(key, value); });
  each_named("services", [&](const Node& key, const Node& value) { read_service(key, value); });
  each_named("groups", [&](const Node& key, const Node& value) { read_group(key, value); });
  each("rules", [&](const Node& node) { read_rule(node); });
  each_named("actions", [&](const Node& key, const Node& value) { read_action(key, value); });
  read_agent_watch();
  each("playbooks", [&](const Node& node) { read_playbook(node); });
  each_named("checklists", [&](const Node& key, const Node& value) { read_checklist(key, value); });
  each("maintenance", [&](const Node& node) { read_maintenance(node); });
  read_flapping();
  const auto read_notify = [this](const Node& node, std::vector<ReceiverName>& to) {
    const auto name = node.as_string(problems_);
    if (!name) return;
    if (policy_.receivers.count(ReceiverName(*name)) == 0)
      report_missing(node.place(), "there is no receiver '" + *name + "'", *name,
                     keys_of(policy_.receivers));
    to.emplace_back(*name);
  };
  for (const auto& [node, index] : severity_notify_)
    read_notify(node, policy_.severities[index].notify);
  if (policy_.agent_watch)
    for (const Node& node : watch_notify_) read_notify(node, policy_.agent_watch->notify);
  each_named("escalations",
             [&](const Node& key, const Node& value) { read_escalation(key, value); });
  give_escalations();
  give_allowed_actions();
  each("manual_steps", [&](const Node& node) { read_manual_step(node); });
  each_named("schemes", [&](const Node& key, const Node& value) { read_scheme(key, value); });
  give_schemes();
  each("recommendations", [&](const Node& node) { read_recommendation(node); });
  check_dependencies();
  check_severity_circles();
  check_actions_of_playbooks();
  add_default_checklists();
  return std::move(policy_);
}

std::string digest_of(const std::vector<SourceFile>& files) {
  std::string all;
  for (const SourceFile& file : files)
    all += std::to_string(file.path.size()) + ":" + file.path + std::to_string(file.text.size()) +
           ":" + file.text;
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  EVP_Digest(all.data(), all.size(), hash.data(), &size, EVP_sha256(), nullptr);
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[hash[i] >> 4];
    text += kHex[hash[i] & 15];
  }
  return text;
}

}  // namespace

Loaded load_policy(std::vector<SourceFile> files, std::span<const HostEntries> hosts) {
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  Problems problems;
  std::vector<yaml::Document> documents;
  std::size_t bytes = 0;
  for (const SourceFile& file : files) {
    bytes += file.text.size();
    if (auto document = yaml::parse(file.path, file.text, problems))
      documents.push_back(*std::move(document));
  }
  if (bytes > limits::kPolicyBytesMax)
    problems.error(
        {}, "the policy is larger than " + std::to_string(limits::kPolicyBytesMax >> 10) + " KiB");
  Loaded loaded;
  // A file that is no YAML does not hide the mistakes of the others.
  if (bytes <= limits::kPolicyBytesMax) {
    Loader loader(problems, documents.size() == files.size());
    for (const yaml::Document& document : documents) loader.add_document(document);
    Policy policy = loader.finish();
    policy.files = std::move(files);
    policy.digest = digest_of(policy.files);
    if (problems.ok()) lint(policy, loader.places(), hosts, problems);
    if (problems.ok()) loaded.policy = std::make_shared<const Policy>(std::move(policy));
  }
  loaded.problems = problems.render();
  loaded.findings = problems.ordered();
  loaded.errors = problems.errors();
  loaded.warnings = problems.warnings();
  return loaded;
}

// Beside a policy's files, and no part of it.
constexpr const char* kTestsFolder = "tests";

Result<std::vector<SourceFile>> read_policy_directory(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::path root = fs::canonical(directory, failed);
  if (failed || !fs::is_directory(root))
    return make_error(Errc::not_found, directory + ": not a directory of policy files");
  std::vector<SourceFile> files;
  std::size_t bytes = 0;
  for (auto entry = fs::recursive_directory_iterator(root, failed);
       !failed && entry != fs::end(entry); entry.increment(failed)) {
    if (entry.depth() == 0 && entry->path().filename() == kTestsFolder) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->path().extension() != ".yaml" && entry->path().extension() != ".yml") continue;
    if (entry->path().filename().string().rfind('.', 0) == 0) continue;
    const fs::path real = fs::canonical(entry->path(), failed);
    if (failed ||
        std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first != root.end())
      return make_error(Errc::invalid_argument,
                        entry->path().string() + ": leads out of " + root.string());
    auto text = read_small_file(real.string(), limits::kYamlBytesMax);
    if (!text) return text.error();
    bytes += text->size();
    if (bytes > limits::kPolicyBytesMax)
      return make_error(Errc::resource_exhausted,
                        directory + ": more than " + std::to_string(limits::kPolicyBytesMax >> 10) +
                            " KiB of policy");
    files.push_back({fs::relative(entry->path(), root).string(), *std::move(text)});
  }
  if (failed) return make_error(Errc::unavailable, directory + ": " + failed.message());
  if (files.empty()) return make_error(Errc::not_found, directory + ": holds no .yaml file");
  return files;
}

}  // namespace firebreak::policy
