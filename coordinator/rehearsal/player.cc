// A test's entries in order: let time pass, do what the entry says, compare what it expects.
#include "coordinator/rehearsal/player.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "common/file.h"
#include "common/limits.h"
#include "common/text.h"
#include "coordinator/policy/loader.h"

namespace firebreak::rehearsal {

namespace {

using yaml::Entry;
using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

constexpr std::array<std::pair<std::string_view, Status>, 4> kStatuses{
    {{"ok", Status::ok},
     {"warning", Status::warning},
     {"critical", Status::critical},
     {"unknown", Status::unknown}}};
constexpr std::array<std::pair<std::string_view, core::ActionState>, 6> kEndings{
    {{"succeeded", core::ActionState::succeeded},
     {"failed", core::ActionState::failed},
     {"timed_out", core::ActionState::timed_out},
     {"refused", core::ActionState::refused},
     {"unknown", core::ActionState::unknown},
     {"silent", core::ActionState::ordered}}};

// Of the probes that only checklists have.
std::vector<std::string> targets_of(const policy::Policy& policy) {
  std::vector<std::string> targets;
  for (const auto& [name, service] : policy.services)
    for (const policy::Check& check : service.checklist)
      if (const auto* probe = std::get_if<policy::ProbeCheck>(&check.what);
          probe != nullptr && probe->key.probe.empty())
        targets.push_back(describe_target(probe->spec.kind));
  return targets;
}

// Folder or file; the folder of the test itself is where paths begin.
bool read_path(const Node& node, std::vector<policy::SourceFile>& files, Problems& mistakes) {
  namespace fs = std::filesystem;
  const fs::path path = fs::path(node.place().file).parent_path() / node.text();
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    auto found = policy::read_policy_directory(path.string());
    if (found) files.insert(files.end(), found->begin(), found->end());
    if (!found) mistakes.error(node.place(), found.error().message);
    return static_cast<bool>(found);
  }
  auto text = read_small_file(path.string(), limits::kYamlBytesMax);
  if (!text) {
    mistakes.error(node.place(), text.error().message);
    return false;
  }
  files.push_back({path.filename().string(), *std::move(text)});
  return true;
}

}  // namespace

std::shared_ptr<const policy::Policy> read_policy(const Node& node, Problems& mistakes,
                                                  std::string& details) {
  std::vector<policy::SourceFile> files;
  if (node.kind() == yaml::Kind::scalar && node.text().find('\n') != std::string::npos) {
    if (node.text().size() > limits::kPolicyBytesMax) {
      mistakes.error(node.place(), "a policy is at most " +
                                       std::to_string(limits::kPolicyBytesMax >> 10) + " KiB");
      return nullptr;
    }
    files.push_back({"policy.yaml", node.text()});
  } else {
    for (const Node& path : node.as_list_or_one(mistakes))
      if (!read_path(path, files, mistakes)) return nullptr;
  }
  policy::Loaded loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) {
    details += loaded.problems;
    mistakes.error(node.place(), "wrong policy, see below");
  }
  return loaded.policy;
}

void Player::play(const Setting& setting, const Node& timeline) {
  begin(setting);
  bool differs = false;
  for (const Node& entry : timeline ? timeline.as_list(mistakes_) : std::vector<Node>{}) {
    Problems found;
    play_entry(entry, found);
    if (differs) continue;
    for (const yaml::Problem& problem : found.kept()) differences_.add(problem);
    differs = !found.ok();
  }
}

void Player::begin(const Setting& setting) {
  read_agents(setting.agents);
  world_.use(setting.policy);
  for (const Node& node : setting.actions)
    for (const Entry& entry : node.as_map(mistakes_)) read_ending(entry);
  for (const Node& node : setting.results)
    for (const Node& one : node.as_list_or_one(mistakes_))
      if (auto sight = read_sight(one)) world_.see(*std::move(sight));
}

void Player::read_agents(const Node& node) {
  for (const Entry& entry : node.as_map(mistakes_)) {
    std::map<std::string, std::string> labels;
    for (const Entry& label : entry.value.as_map(mistakes_))
      labels[label.key.text()] = label.value.as_string(mistakes_).value_or("");
    const AgentName name(entry.key.as_name(mistakes_).value_or(""));
    world_.add_agent(name, std::move(labels));
    world_.attach(name);
  }
}

void Player::play_entry(const Node& node, Problems& differences) {
  MapReader entry(node, "an entry of the timeline", mistakes_);
  const Node at = entry.required("at");
  const auto time = at.as_duration(mistakes_, Duration{0}, limits::kRehearsalTimeMax);
  if (!time) return entry.ignore_rest();
  if (kStart + *time < world_.now())
    mistakes_.error(at.place(), "is before the entry above; put it where it belongs");
  world_.run_until(std::max(world_.now(), kStart + *time));
  refused_.clear();
  do_to_agents(entry);
  do_as_people(entry);
  world_.run_until(world_.now());
  if (const Node expect = entry.optional("expect"))
    check(world_, refused_, expect, {mistakes_, differences});
  for (const Refusal& refusal : refused_)
    differences.error(refusal.place, "refused: " + refusal.reason);
}

void Player::do_to_agents(MapReader& entry) {
  for (const AgentName& name : agents_of(entry.optional("detach"))) world_.detach(name);
  for (const AgentName& name : agents_of(entry.optional("attach"))) world_.attach(name);
  for (const Node& node : entry.optional("results").as_list_or_one(mistakes_))
    if (auto sight = read_sight(node)) world_.see(*std::move(sight));
  for (const Node& node : entry.optional("late").as_list_or_one(mistakes_)) read_late(node);
  for (const Entry& ending : entry.optional("actions").as_map(mistakes_)) read_ending(ending);
  if (const Node restart = entry.optional("restart"))
    if (restart.as_bool(mistakes_).value_or(false)) world_.restart();
  if (const Node node = entry.optional("policy"))
    if (auto policy = read_policy(node, mistakes_, policy_problems_)) world_.use(std::move(policy));
}

void Player::do_as_people(MapReader& entry) {
  if (const Node facts = entry.optional("facts")) read_facts(facts);
  if (const Node service = entry.optional("acknowledge"))
    if (const auto incident = incident_of(service))
      ask(service, core::AcknowledgeIncident{*incident, ""});
  if (const Node note = entry.optional("note")) {
    MapReader reader(note, "a note", mistakes_);
    const Node service = reader.required("service");
    const auto text = reader.required("text").as_string(mistakes_);
    const auto phase = reader.optional("phase").as_string(mistakes_);
    if (service && text)
      if (const auto incident = incident_of(service))
        ask(note, core::AddNote{*incident, *text, phase.value_or("")});
  }
  if (const Node resolve = entry.optional("resolve"))
    if (const auto incident = incident_of(resolve))
      ask(resolve, core::ResolveIncident{*incident, "the test says so"});
  if (const Node node = entry.optional("declare")) declare(node);
  for (const Node& node : entry.optional("forget").as_list_or_one(mistakes_))
    ask(node, core::ForgetAgent{AgentName(node.text())});
  do_for_quiet(entry);
  if (const Node node = entry.optional("override")) override_severity(node);
  for (const Node& node : entry.optional("done").as_list_or_one(mistakes_)) do_step(node);
  if (const Node service = entry.optional("validate"))
    ask(service, core::StartValidation{ValidationId("asked-" + std::to_string(++validations_)),
                                       ServiceName(service.text())});
}

// Silences and maintenance, begun and ended.
void Player::do_for_quiet(MapReader& entry) {
  const auto lasts = [&](MapReader& reader) {
    return reader.required("for")
        .as_duration(mistakes_, std::chrono::seconds(1))
        .value_or(Duration{});
  };
  const auto reason = [&](MapReader& reader) {
    return reader.optional("reason").as_string(mistakes_).value_or("the test says so");
  };
  if (const Node node = entry.optional("silence")) {
    MapReader reader(node, "a silence", mistakes_);
    auto matchers = reader.required("match").as_strings(mistakes_);
    ask(node, core::AddSilence{std::move(matchers), lasts(reader), reason(reader), ""});
  }
  if (const Node node = entry.optional("end_silence")) end_silence(node);
  if (const Node node = entry.optional("maintenance")) {
    MapReader reader(node, "maintenance", mistakes_);
    core::StartMaintenance wish;
    for (const std::string& name : reader.required("services").as_strings(mistakes_))
      wish.services.emplace_back(name);
    wish.lasts = lasts(reader);
    wish.reason = reason(reader);
    ask(node, std::move(wish));
  }
  if (const Node node = entry.optional("end_maintenance")) end_maintenance(node);
}

// Ids are the coordinator's; a test names a silence by one of its matchers ...
void Player::end_silence(const Node& node) {
  for (const auto& [id, silence] : world_.state().quieting.silences)
    for (const core::Matcher& matcher : silence.matchers)
      if (!silence.is_over && matcher.text == node.text())
        return ask(node, core::ExpireSilence{id});
  refused_.push_back({node.place(), "no silence in force has the matcher " + node.text()});
}

// ... and maintenance by one of its services.
void Player::end_maintenance(const Node& node) {
  const auto found = world_.state().quieting.maintenance.find(ServiceName(node.text()));
  if (found == world_.state().quieting.maintenance.end())
    refused_.push_back({node.place(), "service " + node.text() + " is in no maintenance"});
  else
    ask(node, core::EndMaintenance{MaintenanceId(found->second.id)});
}

void Player::declare(const Node& node) {
  MapReader reader(node, "a declaration", mistakes_);
  const auto service = reader.required("service").as_string(mistakes_);
  const Node severity = reader.required("severity");
  const auto rank = world_.state().policy->find_severity(severity.text());
  if (severity && !rank)
    mistakes_.error(severity.place(), "the policy has no severity " + severity.text());
  if (service && rank)
    ask(node, core::DeclareIncident{ServiceName(*service), *rank, "declared",
                                    "request-" + std::to_string(++declarations_)});
}

void Player::override_severity(const Node& node) {
  MapReader reader(node, "a severity that a person says", mistakes_);
  const Node service = reader.required("service");
  const Node severity = reader.required("severity");
  core::OverrideSeverity wish;
  wish.reason = reader.optional("reason").as_string(mistakes_).value_or("the test says so");
  wish.lasts = reader.optional("for").as_duration(mistakes_).value_or(limits::kSeverityOverride);
  if (!service || !severity) return;
  if (severity.text() != "none") {
    wish.severity = world_.state().policy->find_severity(severity.text());
    if (!wish.severity)
      return mistakes_.error(severity.place(), "the policy has no severity " + severity.text() +
                                                   "; 'none' lets the rules decide again");
  }
  if (const auto incident = incident_of(service)) {
    wish.incident = *incident;
    ask(node, std::move(wish));
  }
}

// Also of an incident that is over.
void Player::do_step(const Node& node) {
  MapReader reader(node, "a manual step that is done", mistakes_);
  const Node service = reader.required("service");
  const auto step = reader.required("step").as_int(mistakes_, 1, 1000);
  const auto note = reader.optional("note").as_string(mistakes_);
  if (!service || !step) return;
  const core::Incident* incident = newest_incident(world_.state(), ServiceName(service.text()));
  if (incident == nullptr) {
    refused_.push_back({node.place(), "service " + service.text() + " never had an incident"});
    return;
  }
  ask(node, core::StepDone{incident->id, static_cast<std::uint32_t>(*step), note.value_or("")});
}

void Player::ask(const Node& node, decltype(core::OperatorAsked::what) what) {
  std::string refusal = world_.ask(std::move(what));
  if (!refusal.empty()) refused_.push_back({node.place(), std::move(refusal)});
}

std::vector<AgentName> Player::agents_of(const Node& node) {
  std::vector<AgentName> names;
  if (!node) return names;
  for (const Node& item : node.as_list_or_one(mistakes_)) {
    names.emplace_back(item.text());
    if (!world_.has_agent(names.back())) {
      mistakes_.error(item.place(), "there is no agent " + item.text());
      names.pop_back();
    }
  }
  return names;
}

std::optional<ProbeKey> Player::key_of(const Node& node) {
  const std::string& text = node.text();
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    mistakes_.error(node.place(), "a probe is written service/probe");
    return std::nullopt;
  }
  const ProbeKey key{ServiceName(text.substr(0, slash)), ProbeName(text.substr(slash + 1))};
  const bool any = text.find('*') != std::string::npos;
  if (!any && world_.state().policy->find_probe(key) == nullptr) {
    std::vector<std::string> known;
    for (const auto& [name, service] : world_.state().policy->services)
      for (const policy::Probe& probe : service.probes)
        known.push_back(name.str() + "/" + probe.name.str());
    mistakes_.error(node.place(), "the policy has no probe " + text, did_you_mean(text, known));
    return std::nullopt;
  }
  return key;
}

void Player::read_what(MapReader& reader, Sight& sight) {
  const Node probe = reader.optional("probe");
  const Node target = reader.optional("target");
  if (static_cast<bool>(probe) == static_cast<bool>(target))
    mistakes_.error(reader.node().place(),
                    "say which: 'probe: service/probe' (either may be *) or the 'target' of a "
                    "checklist's own probe");
  if (target) {
    sight.target = target.text();
    const std::vector<std::string> targets = targets_of(*world_.state().policy);
    if (std::find(targets.begin(), targets.end(), sight.target) == targets.end())
      mistakes_.error(target.place(), "no checklist has a probe of its own with this target",
                      did_you_mean(sight.target, targets));
  } else if (const auto key = probe ? key_of(probe) : std::nullopt) {
    sight.service = key->service.str();
    sight.probe = key->probe.str();
  }
}

void Player::read_seen(MapReader& reader, Sight& sight) {
  sight.latency = read_latencies(reader.optional("latency"), mistakes_)
                      .value_or(Series<Duration>(Duration{std::chrono::milliseconds(20)}));
  if (auto value = read_numbers(reader.optional("value"), mistakes_))
    sight.values.emplace_back("", *std::move(value));
  for (const Entry& value : reader.optional("values").as_map(mistakes_))
    if (auto numbers = read_numbers(value.value, mistakes_))
      sight.values.emplace_back(value.key.text(), *std::move(numbers));
  sight.evidence = reader.optional("evidence").as_string(mistakes_).value_or("");
  // Values alone are judged as the agent would, by the probe's limits.
  const bool judged = !sight.values.empty();
  sight.looks =
      read_looks(judged ? reader.optional("status") : reader.required("status"), mistakes_);
}

std::optional<Sight> Player::read_sight(const Node& node) {
  const std::size_t before = mistakes_.errors();
  MapReader reader(node, "results", mistakes_);
  Sight sight;
  sight.agents = agents_of(reader.optional("agent"));
  read_what(reader, sight);
  read_seen(reader, sight);
  sight.every = reader.optional("every").as_duration(mistakes_, limits::kProbeIntervalMin,
                                                     limits::kProbeIntervalMax);
  sight.lasts = reader.optional("for").as_duration(mistakes_, std::chrono::microseconds(1),
                                                   limits::kRehearsalTimeMax);
  sight.confirmed = reader.optional("confirmed").as_bool(mistakes_).value_or(true);
  if (mistakes_.errors() > before) return std::nullopt;
  return sight;
}

void Player::read_late(const Node& node) {
  const std::size_t before = mistakes_.errors();
  MapReader reader(node, "late results", mistakes_);
  const auto agents = agents_of(reader.required("agent"));
  const Node probe = reader.required("probe");
  const auto key = probe ? key_of(probe) : std::nullopt;
  Observation seen;
  seen.status = reader.required("status").as_enum(mistakes_, kStatuses).value_or(Status::unknown);
  if (seen.status != Status::ok) seen.reason = Reason::status;
  seen.latency = std::chrono::milliseconds(20);
  if (const auto value = reader.optional("value").as_double(mistakes_))
    seen.values.push_back({"", *value});
  const auto age =
      reader.required("age").as_duration(mistakes_, Duration{0}, limits::kRehearsalTimeMax);
  const auto count = reader.optional("count").as_int(mistakes_, 1, 1000).value_or(1);
  if (mistakes_.errors() > before || !key || !age) return;
  for (const AgentName& name : agents)
    world_.replay(name, *key, seen, *age, static_cast<std::size_t>(count));
}

void Player::read_ending(const Entry& entry) {
  const ActionName name(entry.key.text());
  if (!world_.state().policy->actions.contains(name)) {
    std::vector<std::string> names;
    for (const auto& [action, how] : world_.state().policy->actions) names.push_back(action.str());
    mistakes_.error(entry.key.place(), "the policy has no action " + name.str(),
                    did_you_mean(name.str(), names));
  }
  MapReader reader(entry.value, "how an action ends", mistakes_);
  Ending ending;
  ending.state = reader.required("outcome").as_enum(mistakes_, kEndings).value_or(ending.state);
  ending.after = reader.optional("after").as_duration(mistakes_).value_or(ending.after);
  ending.exit_code =
      static_cast<int>(reader.optional("exit_code").as_int(mistakes_, 0, 599).value_or(0));
  ending.output = reader.optional("output").as_string(mistakes_).value_or("");
  ending.detail = reader.optional("detail").as_string(mistakes_).value_or("");
  for (const Node& node : reader.optional("then").as_list_or_one(mistakes_))
    if (auto sight = read_sight(node)) ending.then.push_back(*std::move(sight));
  world_.end_action(name, std::move(ending));
}

void Player::read_facts(const Node& node) {
  for (const Entry& entry : node.as_map(mistakes_)) {
    const FactName name(entry.key.text());
    const auto declared = world_.state().policy->facts.find(name);
    if (declared == world_.state().policy->facts.end()) {
      mistakes_.error(entry.key.place(), "the policy has no fact " + name.str());
      continue;
    }
    cel::Value value;
    if (entry.value.kind() == yaml::Kind::null) {
      ask(entry.key, core::ClearFact{name, ServiceName()});
      continue;
    }
    switch (declared->second.type) {
      case policy::FactType::boolean:
        value = entry.value.as_bool(mistakes_).value_or(false);
        break;
      case policy::FactType::integer:
        value = entry.value.as_int(mistakes_).value_or(0);
        break;
      case policy::FactType::real:
        value = entry.value.as_double(mistakes_).value_or(0);
        break;
      case policy::FactType::string:
        value = entry.value.as_string(mistakes_).value_or("");
        break;
    }
    ask(entry.key, core::SetFact{name, ServiceName(), value});
  }
}

std::optional<IncidentId> Player::incident_of(const Node& node) {
  const auto service = world_.state().services.find(ServiceName(node.text()));
  if (service != world_.state().services.end() && !service->second.open_incident.empty())
    return service->second.open_incident;
  refused_.push_back({node.place(), "service " + node.text() + " has no open incident"});
  return std::nullopt;
}

}  // namespace firebreak::rehearsal
