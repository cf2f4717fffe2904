// A scenario's entries in order: let time pass, do what the entry says, compare what it expects.
#include "tests/scenario/scenario.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "common/text.h"
#include "common/yaml.h"
#include "coordinator/policy/loader.h"
#include "tests/scenario/expect.h"
#include "tests/scenario/world.h"

namespace firebreak::scenario {

namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

// 2026-11-21T03:14:07Z: ids and reports show it.
constexpr Instant kStart = instant_from_unix_us(1'795'230'847'000'000);

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

class Player {
 public:
  Player(std::string path, Problems& problems)
      : path_(std::move(path)), problems_(problems), world_(kStart) {}

  void play(const Node& root);
  [[nodiscard]] const World& world() const { return world_; }
  [[nodiscard]] const std::string& policy_problems() const { return policy_problems_; }

 private:
  void read_agents(const Node& node);
  void read_policy(const Node& node);
  void play_entry(const Node& node);
  void do_to_agents(MapReader& entry);
  void do_as_people(MapReader& entry);
  std::optional<Sight> read_sight(const Node& node);
  void read_what(MapReader& reader, Sight& sight);
  Observation read_observation(MapReader& reader);
  void read_late(const Node& node);
  void read_ending(const yaml::Entry& entry);
  void read_facts(const Node& node);
  std::vector<AgentName> agents_of(const Node& node);
  std::optional<ProbeKey> key_of(const Node& node);
  // The open incident of the service that the node names.
  std::optional<IncidentId> incident_of(const Node& node);
  void ask(const Node& node, decltype(core::OperatorAsked::what) what);

  std::string path_;
  Problems& problems_;
  World world_;
  std::string policy_problems_;
  int validations_ = 0;
};

void Player::play(const Node& root) {
  MapReader reader(root, "a scenario", problems_);
  reader.required("scenario").as_string(problems_);
  read_agents(reader.required("agents"));
  const Node policy = reader.required("policy");
  if (policy) read_policy(policy);
  if (!problems_.ok() || !world_.state().policy) return reader.ignore_rest();
  for (const yaml::Entry& entry : reader.optional("actions").as_map(problems_)) read_ending(entry);
  const Node timeline = reader.required("timeline");
  for (const Node& entry : timeline ? timeline.as_list(problems_) : std::vector<Node>{}) {
    play_entry(entry);
    if (!problems_.ok()) return reader.ignore_rest();
  }
  if (!world_.replays())
    problems_.error(root.place(), "the same events gave a fresh core other effects");
  if (const std::string fault = world_.snapshot_fault(); !fault.empty())
    problems_.error(root.place(),
                    "a core that was written down and read back went on with " + fault);
}

void Player::read_agents(const Node& node) {
  if (!node) return;
  for (const yaml::Entry& entry : node.as_map(problems_)) {
    std::map<std::string, std::string> labels;
    for (const yaml::Entry& label : entry.value.as_map(problems_))
      labels[label.key.text()] = label.value.as_string(problems_).value_or("");
    const AgentName name(entry.key.as_name(problems_).value_or(""));
    world_.add_agent(name, std::move(labels));
    world_.attach(name);
  }
}

// A block of text is the policy itself, a plain scalar the path of a folder or file beside this
// one.
void Player::read_policy(const Node& node) {
  const std::string text = node.as_string(problems_, limits::kPolicyBytesMax).value_or("");
  std::vector<policy::SourceFile> files;
  if (text.find('\n') != std::string::npos) {
    files.push_back({"policy.yaml", text});
  } else {
    const std::filesystem::path path = std::filesystem::path(path_).parent_path() / text;
    auto found = policy::read_policy_directory(path.string());
    if (!found) return problems_.error(node.place(), found.error().message);
    files = *std::move(found);
  }
  const policy::Loaded loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) {
    policy_problems_ += loaded.problems;
    return problems_.error(node.place(), "wrong policy, see below");
  }
  world_.use(loaded.policy);
}

void Player::play_entry(const Node& node) {
  MapReader entry(node, "an entry of the time line", problems_);
  const Node at = entry.required("at");
  const auto time = at.as_duration(problems_);
  if (!time) return entry.ignore_rest();
  if (kStart + *time < world_.now())
    return problems_.error(at.place(), "is before the entry above; put it where it belongs");
  world_.run_until(kStart + *time);
  do_to_agents(entry);
  do_as_people(entry);
  world_.run_until(world_.now());
  if (const Node expect = entry.optional("expect")) check(world_, expect, problems_);
}

void Player::do_to_agents(MapReader& entry) {
  for (const AgentName& name : agents_of(entry.optional("detach"))) world_.detach(name);
  for (const AgentName& name : agents_of(entry.optional("attach"))) world_.attach(name);
  for (const Node& node : entry.optional("results").as_list_or_one(problems_))
    if (auto sight = read_sight(node)) world_.see(*std::move(sight));
  for (const Node& node : entry.optional("late").as_list_or_one(problems_)) read_late(node);
  for (const yaml::Entry& ending : entry.optional("actions").as_map(problems_)) read_ending(ending);
  if (const Node restart = entry.optional("restart"))
    if (restart.as_bool(problems_).value_or(false)) world_.restart();
  if (const Node policy = entry.optional("policy")) read_policy(policy);
}

void Player::do_as_people(MapReader& entry) {
  if (const Node facts = entry.optional("facts")) read_facts(facts);
  if (const Node service = entry.optional("acknowledge"))
    if (const auto incident = incident_of(service))
      ask(service, core::AcknowledgeIncident{*incident, ""});
  if (const Node note = entry.optional("note")) {
    MapReader reader(note, "a note", problems_);
    const auto incident = incident_of(reader.required("service"));
    const auto text = reader.required("text").as_string(problems_);
    const auto phase = reader.optional("phase").as_string(problems_);
    if (incident && text) ask(note, core::AddNote{*incident, *text, phase.value_or("")});
  }
  if (const Node resolve = entry.optional("resolve"))
    if (const auto incident = incident_of(resolve))
      ask(resolve, core::ResolveIncident{*incident, "the scenario says so"});
  if (const Node declare = entry.optional("declare")) {
    MapReader reader(declare, "a declaration", problems_);
    const auto service = reader.required("service").as_string(problems_);
    const Node severity = reader.required("severity");
    const auto rank = world_.state().policy->find_severity(severity.text());
    if (!rank) problems_.error(severity.place(), "the policy has no severity " + severity.text());
    if (service && rank)
      ask(declare, core::DeclareIncident{ServiceName(*service), *rank, "declared", "request-1"});
  }
  if (const Node service = entry.optional("validate"))
    ask(service, core::StartValidation{ValidationId("asked-" + std::to_string(++validations_)),
                                       ServiceName(service.text())});
}

void Player::ask(const Node& node, decltype(core::OperatorAsked::what) what) {
  const core::OperatorAsked asked{"scenario", what};
  if (const auto may = core::admissible(world_.state(), asked); !may)
    return problems_.error(node.place(), "refused: " + may.error().message);
  world_.ask(std::move(what));
}

std::vector<AgentName> Player::agents_of(const Node& node) {
  std::vector<AgentName> names;
  if (!node) return names;
  for (const Node& item : node.as_list_or_one(problems_)) {
    names.emplace_back(item.text());
    if (!world_.has_agent(names.back())) {
      problems_.error(item.place(), "there is no agent " + item.text());
      names.pop_back();
    }
  }
  return names;
}

std::optional<ProbeKey> Player::key_of(const Node& node) {
  const std::string& text = node.text();
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    problems_.error(node.place(), "a probe is written service/probe");
    return std::nullopt;
  }
  const ProbeKey key{ServiceName(text.substr(0, slash)), ProbeName(text.substr(slash + 1))};
  const bool any = text.find('*') != std::string::npos;
  if (!any && world_.state().policy->find_probe(key) == nullptr) {
    problems_.error(node.place(), "the policy has no probe " + text);
    return std::nullopt;
  }
  return key;
}

Observation Player::read_observation(MapReader& reader) {
  Observation seen;
  seen.latency = reader.optional("latency").as_duration(problems_).value_or(
      Duration{std::chrono::milliseconds(20)});
  if (const auto value = reader.optional("value").as_double(problems_))
    seen.values.push_back({"", *value});
  for (const yaml::Entry& value : reader.optional("values").as_map(problems_))
    seen.values.push_back({value.key.text(), value.value.as_double(problems_).value_or(0)});
  seen.evidence = reader.optional("evidence").as_string(problems_).value_or("");
  return seen;
}

void Player::read_what(MapReader& reader, Sight& sight) {
  const Node probe = reader.optional("probe");
  const Node target = reader.optional("target");
  if (static_cast<bool>(probe) == static_cast<bool>(target))
    problems_.error(reader.node().place(),
                    "say which: 'probe: service/probe' (either may be *) or the 'target' of a "
                    "checklist's own probe");
  if (target) {
    sight.target = target.text();
    const std::vector<std::string> targets = targets_of(*world_.state().policy);
    if (std::find(targets.begin(), targets.end(), sight.target) == targets.end())
      problems_.error(target.place(), "no checklist has a probe of its own with this target",
                      did_you_mean(sight.target, targets));
  } else if (const auto key = probe ? key_of(probe) : std::nullopt) {
    sight.service = key->service.str();
    sight.probe = key->probe.str();
  }
}

std::optional<Sight> Player::read_sight(const Node& node) {
  MapReader reader(node, "results", problems_);
  Sight sight;
  sight.agents = agents_of(reader.optional("agent"));
  read_what(reader, sight);
  const Node status = reader.required("status");
  sight.seen = read_observation(reader);
  sight.silent = status && status.text() == "silent";
  if (!sight.silent)
    sight.seen.status = status.as_enum(problems_, kStatuses).value_or(Status::unknown);
  if (sight.seen.status != Status::ok)
    sight.seen.reason = sight.seen.status == Status::unknown ? Reason::prober : Reason::status;
  sight.every = reader.optional("every").as_duration(problems_, std::chrono::milliseconds(100));
  if (const auto time = reader.optional("for").as_duration(problems_))
    sight.until = world_.now() + *time;
  sight.confirmed = reader.optional("confirmed").as_bool(problems_).value_or(true);
  if (!problems_.ok()) return std::nullopt;
  return sight;
}

void Player::read_late(const Node& node) {
  MapReader reader(node, "late results", problems_);
  const Node agent = reader.required("agent");
  const auto agents = agents_of(agent);
  const auto key = key_of(reader.required("probe"));
  Observation seen = read_observation(reader);
  seen.status = reader.required("status").as_enum(problems_, kStatuses).value_or(Status::unknown);
  if (seen.status != Status::ok) seen.reason = Reason::status;
  const auto age = reader.required("age").as_duration(problems_);
  const auto count = reader.optional("count").as_int(problems_, 1, 1000).value_or(1);
  if (!problems_.ok() || !key || !age) return;
  for (const AgentName& name : agents)
    world_.replay(name, *key, seen, *age, static_cast<std::size_t>(count));
}

void Player::read_ending(const yaml::Entry& entry) {
  const ActionName name(entry.key.text());
  if (!world_.state().policy->actions.contains(name))
    problems_.error(entry.key.place(), "the policy has no action " + name.str());
  MapReader reader(entry.value, "how an action ends", problems_);
  Ending ending;
  ending.state = reader.required("outcome").as_enum(problems_, kEndings).value_or(ending.state);
  ending.after = reader.optional("after").as_duration(problems_).value_or(ending.after);
  ending.exit_code =
      static_cast<int>(reader.optional("exit_code").as_int(problems_, 0, 599).value_or(0));
  ending.output = reader.optional("output").as_string(problems_).value_or("");
  for (const Node& node : reader.optional("then").as_list_or_one(problems_))
    if (auto sight = read_sight(node)) ending.then.push_back(*std::move(sight));
  world_.end_action(name, std::move(ending));
}

void Player::read_facts(const Node& node) {
  for (const yaml::Entry& entry : node.as_map(problems_)) {
    const FactName name(entry.key.text());
    const auto declared = world_.state().policy->facts.find(name);
    if (declared == world_.state().policy->facts.end()) {
      problems_.error(entry.key.place(), "the policy has no fact " + name.str());
      continue;
    }
    cel::Value value;
    if (entry.value.kind() == yaml::Kind::null) {
      ask(entry.key, core::ClearFact{name, ServiceName()});
      continue;
    }
    switch (declared->second.type) {
      case policy::FactType::boolean:
        value = entry.value.as_bool(problems_).value_or(false);
        break;
      case policy::FactType::integer:
        value = entry.value.as_int(problems_).value_or(0);
        break;
      case policy::FactType::real:
        value = entry.value.as_double(problems_).value_or(0);
        break;
      case policy::FactType::string:
        value = entry.value.as_string(problems_).value_or("");
        break;
    }
    ask(entry.key, core::SetFact{name, ServiceName(), value});
  }
}

std::optional<IncidentId> Player::incident_of(const Node& node) {
  const auto service = world_.state().services.find(ServiceName(node.text()));
  if (service == world_.state().services.end() || service->second.open_incident.empty()) {
    problems_.error(node.place(), "service " + node.text() + " has no open incident");
    return std::nullopt;
  }
  return service->second.open_incident;
}

std::string timelines(const World& world) {
  std::string text;
  for (const auto& [id, incident] : world.state().incidents) {
    text += "  " + id.str() + " " + incident.service.str() + "\n";
    for (const core::TimelineEntry& entry : incident.timeline)
      text += "    " + format_duration(entry.at - kStart) + " " + entry.kind + " " + entry.actor +
              ": " + escape_line(entry.text, 300) + "\n";
  }
  return text;
}

}  // namespace

std::string play(const std::string& path) {
  Problems problems;
  const auto document = yaml::load(path, problems);
  if (!document) return problems.render();
  Player player(path, problems);
  player.play(document->root());
  if (problems.ok()) return "";
  return problems.render() + player.policy_problems() + timelines(player.world());
}

}  // namespace firebreak::scenario
