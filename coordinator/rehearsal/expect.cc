// Every expectation says what it found instead.
#include "coordinator/rehearsal/expect.h"

#include <algorithm>
#include <initializer_list>

#include "common/text.h"
#include "coordinator/core/silences.h"
#include "coordinator/core/symptoms.h"

namespace firebreak::rehearsal {

namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

class Check {
 public:
  Check(World& world, std::vector<Refusal>& refused, const Findings& findings)
      : world_(world),
        refused_(refused),
        mistakes_(findings.mistakes),
        differences_(findings.differences) {}

  void all(const Node& expect);

 private:
  void since_last_asked(MapReader& reader);
  void nothing(const Node& node);
  void incident(const Node& node);
  void incident_details(MapReader& reader, const core::Incident& incident);
  void scope(MapReader& reader, const core::Incident& incident);
  void validation(const Node& node);
  void severity(const yaml::Entry& entry);
  void action(const yaml::Entry& entry);
  void counters(const Node& node);
  void quiet(MapReader& reader);
  void list(const Node& node, const std::vector<std::string>& found);
  void starts(const Node& node, const std::vector<std::string>& found);
  void text(const Node& node, const std::string& found);
  void contains(const Node& node, const std::vector<std::string>& texts);
  void lacks(const Node& node, const std::vector<std::string>& texts);
  void flag(const Node& node, bool found);
  void number(const Node& node, std::size_t found);
  // A name that nobody knows would be absent for ever.
  std::optional<ServiceName> service_of(const Node& node);
  [[nodiscard]] std::size_t open_incidents() const;

  World& world_;
  std::vector<Refusal>& refused_;
  Problems& mistakes_;
  Problems& differences_;
};

void Check::text(const Node& node, const std::string& found) {
  if (node && node.text() != found)
    differences_.error(node.place(),
                       "expected " + node.label() + " " + node.text() + ", found " + found);
}

void Check::flag(const Node& node, bool found) {
  if (const auto wanted = node.as_bool(mistakes_); wanted && *wanted != found)
    differences_.error(node.place(), node.label() + " is " + (found ? "true" : "false"));
}

void Check::number(const Node& node, std::size_t found) {
  if (const auto wanted = node.as_int(mistakes_, 0);
      wanted && static_cast<std::size_t>(*wanted) != found)
    differences_.error(node.place(), "expected " + node.label() + " " + node.text() + ", found " +
                                         std::to_string(found));
}

std::string in_brackets(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& one : texts) all += (all.empty() ? "" : ", ") + one;
  return "[" + all + "]";
}

void Check::list(const Node& node, const std::vector<std::string>& found) {
  const std::vector<std::string> wanted = node.as_strings(mistakes_);
  if (wanted != found)
    differences_.error(node.name_place(), "expected " + node.label() + " " + in_brackets(wanted) +
                                              ", found " + in_brackets(found));
}

// As list(), but each found text only begins with what is wanted.
void Check::starts(const Node& node, const std::vector<std::string>& found) {
  const std::vector<std::string> wanted = node.as_strings(mistakes_);
  if (!std::equal(wanted.begin(), wanted.end(), found.begin(), found.end(),
                  [](const auto& begin, const auto& whole) { return whole.starts_with(begin); }))
    differences_.error(node.name_place(), "expected " + node.label() + " " + in_brackets(wanted) +
                                              ", found " + in_brackets(found));
}

bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& one) { return one.find(part) != std::string::npos; });
}

void Check::contains(const Node& node, const std::vector<std::string>& texts) {
  for (const Node& wanted : node.as_list_or_one(mistakes_))
    if (!any_contains(texts, wanted.text()))
      differences_.error(wanted.place(), "nothing says '" + wanted.text() + "'");
}

void Check::lacks(const Node& node, const std::vector<std::string>& texts) {
  for (const Node& unwanted : node.as_list_or_one(mistakes_))
    if (any_contains(texts, unwanted.text()))
      differences_.error(unwanted.place(), "something says '" + unwanted.text() + "'");
}

std::optional<ServiceName> Check::service_of(const Node& node) {
  if (!node) return std::nullopt;
  const ServiceName name(node.text());
  const core::State& state = world_.state();
  const bool known = state.policy->find_service(name) != nullptr ||
                     std::any_of(state.incidents.begin(), state.incidents.end(),
                                 [&](const auto& one) { return one.second.service == name; });
  if (known) return name;
  std::vector<std::string> names;
  for (const auto& [service, rest] : state.policy->services) names.push_back(service.str());
  mistakes_.error(node.place(), "the policy has no service " + node.text(),
                  did_you_mean(node.text(), names));
  return std::nullopt;
}

// What there is nothing to compare with may be there; any other key is still a mistake.
void leave(MapReader& reader, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) reader.optional(key);
}

void Check::incident(const Node& node) {
  MapReader reader(node, "an incident", mistakes_);
  const Node service = reader.required("service");
  const bool wanted = reader.optional("exists").as_bool(mistakes_).value_or(true);
  const auto name = service_of(service);
  if (!name) return reader.ignore_rest();
  const core::Incident* found = newest_incident(world_.state(), *name);
  if ((found != nullptr) != wanted) {
    differences_.error(
        service.place(),
        "service " + service.text() +
            (found == nullptr ? " never had an incident" : " has incident " + found->id.str()));
  }
  if (found != nullptr && wanted) return incident_details(reader, *found);
  leave(reader, {"id", "severity", "peak", "phase", "open", "acknowledged", "acknowledge_overdue",
                 "validations", "timeline", "timeline_lacks", "affected", "hosts", "causes",
                 "override", "to_do", "done", "recommended"});
}

// What the outage takes along: services that are affected now, hosts that ever were, and the
// services whose incidents may be its cause.
void Check::scope(MapReader& reader, const core::Incident& incident) {
  if (const Node node = reader.optional("affected")) {
    std::vector<std::string> names;
    for (const ServiceName& name : core::symptoms_of(world_.state(), incident))
      names.push_back(name.str());
    list(node, names);
  }
  if (const Node node = reader.optional("hosts")) {
    std::vector<std::string> names;
    for (const AgentName& host : incident.hosts) names.push_back(host.str());
    list(node, names);
  }
  if (const Node node = reader.optional("causes")) {
    std::vector<std::string> names;
    for (const IncidentId& id : incident.causes) {
      const auto cause = world_.state().incidents.find(id);
      names.push_back(cause == world_.state().incidents.end() ? id.str()
                                                              : cause->second.service.str());
    }
    list(node, names);
  }
}

// What a person says against the rules; none: nothing.
std::string override_of(const core::State& state, const core::Incident& incident) {
  if (!incident.severity_override) return "none";
  return state.policy->severities[incident.severity_override->severity].name;
}

// "1 call legal": the manual steps that are done, or are to be done now.
std::vector<std::string> steps_of(const core::Incident& incident, bool done) {
  std::vector<std::string> steps;
  for (const core::ManualStep& step : incident.steps)
    if (step.done.has_value() == done && (done || step.shown))
      steps.push_back(std::to_string(step.number) + " " + step.text);
  return steps;
}

std::vector<std::string> recommended_of(const core::Incident& incident) {
  std::vector<std::string> said;
  for (const core::Recommended& one : incident.recommended)
    if (one.holds) said.push_back(one.say);
  return said;
}

void Check::incident_details(MapReader& reader, const core::Incident& incident) {
  text(reader.optional("id"), incident.id.str());
  text(reader.optional("severity"), incident.severity_name);
  text(reader.optional("peak"), incident.peak_severity);
  text(reader.optional("phase"), to_string(incident.phase));
  flag(reader.optional("open"), !incident.resolved);
  flag(reader.optional("acknowledged"), incident.acknowledged.has_value());
  flag(reader.optional("acknowledge_overdue"), incident.acknowledge_overdue);
  number(reader.optional("validations"), static_cast<std::size_t>(incident.validations));
  scope(reader, incident);
  text(reader.optional("override"), override_of(world_.state(), incident));
  if (const Node steps = reader.optional("to_do")) list(steps, steps_of(incident, false));
  if (const Node steps = reader.optional("done")) list(steps, steps_of(incident, true));
  if (const Node texts = reader.optional("recommended")) list(texts, recommended_of(incident));
  std::vector<std::string> said;
  for (const core::TimelineEntry& entry : incident.timeline)
    said.push_back(entry.kind + ": " + entry.text);
  contains(reader.optional("timeline"), said);
  lacks(reader.optional("timeline_lacks"), said);
}

const core::Validation* newest_validation(const core::State& state, const ServiceName& service) {
  const core::Validation* found = nullptr;
  for (const auto& [id, validation] : state.validations)
    if (validation.service == service && (found == nullptr || validation.started >= found->started))
      found = &validation;
  return found;
}

void Check::validation(const Node& node) {
  MapReader reader(node, "a validation", mistakes_);
  const Node service = reader.required("service");
  const bool wanted = reader.optional("exists").as_bool(mistakes_).value_or(true);
  const auto name = service_of(service);
  if (!name) return reader.ignore_rest();
  const core::Validation* found = newest_validation(world_.state(), *name);
  if ((found != nullptr) != wanted)
    differences_.error(service.place(),
                       "service " + service.text() +
                           (found == nullptr ? " was never validated" : " was validated"));
  if (found == nullptr || !wanted) return leave(reader, {"verdict", "check", "detail"});
  const auto& checklist = found->policy->find_service(found->service)->checklist;
  text(reader.optional("verdict"), to_string(found->verdict));
  text(reader.optional("check"), checklist.at(found->current).name);
  contains(reader.optional("detail"), {found->checks.at(found->current).detail});
}

void Check::counters(const Node& node) {
  MapReader reader(node, "the counters", mistakes_);
  const core::Counters& counters = world_.state().counters;
  number(reader.optional("late"), counters.late);
  number(reader.optional("duplicates"), counters.duplicates);
  number(reader.optional("missing"), counters.missing);
}

// What the service's rules say now; none: nothing.
void Check::severity(const yaml::Entry& entry) {
  const auto name = service_of(entry.key);
  if (!name) return;
  const core::State& state = world_.state();
  const std::string& wanted = entry.value.text();
  if (wanted != "none" && !state.policy->find_severity(wanted))
    return mistakes_.error(entry.value.place(),
                           "the policy has no severity '" + wanted + "'; 'none' is no severity");
  const auto service = state.services.find(*name);
  std::string found = "none";
  if (service != state.services.end() && service->second.severity)
    found = state.policy->severities[*service->second.severity].name;
  text(entry.value, found);
}

// How the newest order of ACTION@TARGET stands; none: it was never ordered.
void Check::action(const yaml::Entry& entry) {
  const core::ActionRun* newest = nullptr;
  for (const auto& [id, incident] : world_.state().incidents)
    for (const core::ActionRun& run : incident.actions)
      if (run.name.str() + "@" + run.target == entry.key.text() &&
          (newest == nullptr || run.ordered >= newest->ordered))
        newest = &run;
  const std::string name = entry.key.text().substr(0, entry.key.text().find('@'));
  if (newest == nullptr && !world_.state().policy->actions.contains(ActionName(name)))
    return mistakes_.error(entry.key.place(), "the policy has no action " + name);
  text(entry.value, newest == nullptr ? "none" : to_string(newest->state));
}

std::size_t Check::open_incidents() const {
  const auto& incidents = world_.state().incidents;
  return static_cast<std::size_t>(std::count_if(
      incidents.begin(), incidents.end(), [](const auto& one) { return !one.second.resolved; }));
}

// Services, by name: whose open incident is silenced, in maintenance, flapping.
void Check::quiet(MapReader& reader) {
  const core::State& state = world_.state();
  const auto services = [&](const auto& is) {
    std::vector<std::string> names;
    for (const auto& [name, service] : state.services)
      if (is(name, service)) names.push_back(name.str());
    return names;
  };
  if (const Node node = reader.optional("silenced"))
    list(node, services([&](const auto&, const core::ServiceState& service) {
           const auto incident = state.incidents.find(service.open_incident);
           return incident != state.incidents.end() &&
                  !core::silences_of(state, incident->second).empty();
         }));
  if (const Node node = reader.optional("maintenance")) {
    std::vector<std::string> names;
    for (const auto& [name, maintenance] : state.quieting.maintenance) names.push_back(name.str());
    list(node, names);
  }
  if (const Node node = reader.optional("flapping"))
    list(node, services([](const auto&, const core::ServiceState& service) {
           return service.flaps.since.has_value();
         }));
}

void Check::nothing(const Node& node) {
  if (!node.as_bool(mistakes_).value_or(false)) return;
  const auto none = [&](const char* what, const std::vector<std::string>& found) {
    if (!found.empty())
      differences_.error(node.place(),
                         std::string("expected nothing, found ") + what + " " + in_brackets(found));
  };
  none("orders", world_.take_orders());
  none("notifications", world_.take_notifications());
  none("skipped", world_.take_skipped());
  std::vector<std::string> open;
  for (const auto& [id, incident] : world_.state().incidents)
    if (!incident.resolved) open.push_back(incident.severity_name + " " + incident.service.str());
  none("open incidents", open);
}

void Check::since_last_asked(MapReader& reader) {
  if (const Node node = reader.optional("orders")) list(node, world_.take_orders());
  if (const Node node = reader.optional("notifications")) list(node, world_.take_notifications());
  if (const Node node = reader.optional("skipped")) starts(node, world_.take_skipped());
  const Node node = reader.optional("refused");
  if (!node) return;
  std::vector<std::string> reasons;
  for (const Refusal& refusal : refused_) reasons.push_back(refusal.reason);
  refused_.clear();
  starts(node, reasons);
}

void Check::all(const Node& expect) {
  MapReader reader(expect, "what is expected", mistakes_);
  const core::State& state = world_.state();
  if (const Node node = reader.optional("nothing")) nothing(node);
  for (const Node& node : reader.optional("incident").as_list_or_one(mistakes_)) incident(node);
  for (const Node& node : reader.optional("validation").as_list_or_one(mistakes_)) validation(node);
  if (const Node node = reader.optional("open_incidents")) number(node, open_incidents());
  for (const yaml::Entry& entry : reader.optional("severity").as_map(mistakes_)) severity(entry);
  for (const yaml::Entry& entry : reader.optional("services").as_map(mistakes_))
    if (const auto name = service_of(entry.key))
      text(entry.value, to_string(core::service_status(state, *name)));
  for (const yaml::Entry& entry : reader.optional("actions").as_map(mistakes_)) action(entry);
  quiet(reader);
  since_last_asked(reader);
  if (const Node node = reader.optional("counters")) counters(node);
}

}  // namespace

void check(World& world, std::vector<Refusal>& refused, const Node& expect,
           const Findings& findings) {
  Check(world, refused, findings).all(expect);
}

}  // namespace firebreak::rehearsal
