// Every expectation says what it found instead.
#include "tests/scenario/expect.h"

#include <algorithm>

#include "common/text.h"

namespace firebreak::scenario {

namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

class Check {
 public:
  Check(World& world, Problems& problems) : world_(world), problems_(problems) {}

  void all(const Node& expect);

 private:
  void incident(const Node& node);
  void incident_details(MapReader& reader, const core::Incident& incident);
  void validation(const Node& node);
  void counters(const Node& node);
  void list(const Node& node, const std::vector<std::string>& found);
  void text(const Node& node, const std::string& found);
  void contains(const Node& node, const std::vector<std::string>& texts);
  void flag(const Node& node, bool found);
  void number(const Node& node, std::size_t found);

  World& world_;
  Problems& problems_;
};

void Check::text(const Node& node, const std::string& found) {
  if (node && node.text() != found)
    problems_.error(node.place(),
                    "expected " + node.label() + " " + node.text() + ", found " + found);
}

void Check::flag(const Node& node, bool found) {
  if (const auto wanted = node.as_bool(problems_); wanted && *wanted != found)
    problems_.error(node.place(), node.label() + " is " + (found ? "true" : "false"));
}

void Check::number(const Node& node, std::size_t found) {
  if (const auto wanted = node.as_int(problems_, 0);
      wanted && static_cast<std::size_t>(*wanted) != found)
    problems_.error(node.place(), "expected " + node.label() + " " + node.text() + ", found " +
                                      std::to_string(found));
}

void Check::list(const Node& node, const std::vector<std::string>& found) {
  std::vector<std::string> wanted;
  for (const Node& item : node.as_list_or_one(problems_)) wanted.push_back(item.text());
  if (wanted == found) return;
  std::string seen;
  for (const std::string& one : found) seen += (seen.empty() ? "" : ", ") + one;
  problems_.error(node.name_place(), "expected other " + node.label() + ", found [" + seen + "]");
}

void Check::contains(const Node& node, const std::vector<std::string>& texts) {
  for (const Node& wanted : node.as_list_or_one(problems_))
    if (std::none_of(texts.begin(), texts.end(), [&](const std::string& one) {
          return one.find(wanted.text()) != std::string::npos;
        }))
      problems_.error(wanted.place(), "nothing says '" + wanted.text() + "'");
}

// The open incident of a service, or the one that was resolved last.
const core::Incident* newest(const core::State& state, const ServiceName& service) {
  const core::Incident* found = nullptr;
  for (const auto& [id, incident] : state.incidents)
    if (incident.service == service && (found == nullptr || incident.opened >= found->opened))
      found = &incident;
  return found;
}

void Check::incident(const Node& node) {
  MapReader reader(node, "an incident", problems_);
  const Node service = reader.required("service");
  const bool wanted = reader.optional("exists").as_bool(problems_).value_or(true);
  const core::Incident* found = newest(world_.state(), ServiceName(service.text()));
  if ((found != nullptr) != wanted) {
    problems_.error(node.place(), "service " + service.text() +
                                      (found == nullptr ? " never had an incident"
                                                        : " has incident " + found->id.str()));
    return reader.ignore_rest();
  }
  if (found != nullptr) incident_details(reader, *found);
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
  std::vector<std::string> said;
  for (const core::TimelineEntry& entry : incident.timeline)
    said.push_back(entry.kind + ": " + entry.text);
  contains(reader.optional("timeline"), said);
}

const core::Validation* newest_validation(const core::State& state, const ServiceName& service) {
  const core::Validation* found = nullptr;
  for (const auto& [id, validation] : state.validations)
    if (validation.service == service && (found == nullptr || validation.started >= found->started))
      found = &validation;
  return found;
}

void Check::validation(const Node& node) {
  MapReader reader(node, "a validation", problems_);
  const Node service = reader.required("service");
  const core::Validation* found = newest_validation(world_.state(), ServiceName(service.text()));
  if (found == nullptr) {
    problems_.error(node.place(), "service " + service.text() + " was never validated");
    return reader.ignore_rest();
  }
  const auto& checklist = found->policy->find_service(found->service)->checklist;
  text(reader.optional("verdict"), to_string(found->verdict));
  text(reader.optional("check"), checklist.at(found->current).name);
  contains(reader.optional("detail"), {found->checks.at(found->current).detail});
}

void Check::counters(const Node& node) {
  MapReader reader(node, "the counters", problems_);
  const core::Counters& counters = world_.state().counters;
  number(reader.optional("late"), counters.late);
  number(reader.optional("duplicates"), counters.duplicates);
  number(reader.optional("missing"), counters.missing);
}

void Check::all(const Node& expect) {
  MapReader reader(expect, "what is expected", problems_);
  const core::State& state = world_.state();
  for (const Node& node : reader.optional("incident").as_list_or_one(problems_)) incident(node);
  for (const Node& node : reader.optional("validation").as_list_or_one(problems_)) validation(node);
  if (const Node node = reader.optional("open_incidents")) {
    const auto open = std::count_if(state.incidents.begin(), state.incidents.end(),
                                    [](const auto& one) { return !one.second.resolved; });
    number(node, static_cast<std::size_t>(open));
  }
  if (const Node node = reader.optional("orders")) list(node, world_.take_orders());
  if (const Node node = reader.optional("notifications")) list(node, world_.take_notifications());
  for (const yaml::Entry& entry : reader.optional("services").as_map(problems_))
    text(entry.value, to_string(core::service_status(state, ServiceName(entry.key.text()))));
  if (const Node node = reader.optional("counters")) counters(node);
}

}  // namespace

void check(World& world, const Node& expect, Problems& problems) {
  Check(world, problems).all(expect);
}

}  // namespace firebreak::scenario
