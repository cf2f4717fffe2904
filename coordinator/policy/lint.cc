// One function per thing that is looked at; each says what is odd there.
#include "coordinator/policy/lint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"
#include "coordinator/policy/condition.h"
#include "coordinator/policy/lint_allow.h"
#include "coordinator/policy/signals.h"

namespace firebreak::policy {
namespace {

using yaml::Node;

const std::array<std::string, 23> kCodes{"covered-level",
                                         "forbidden-action",
                                         "latency-over-timeout",
                                         "never-fires",
                                         "no-agents",
                                         "no-checklist",
                                         "no-effect",
                                         "no-route",
                                         "no-rules",
                                         "refused-action",
                                         "short-action-timeout",
                                         "short-window",
                                         "stage-too-late",
                                         "timeout-too-long",
                                         "too-few-samples",
                                         "unknown-host-action",
                                         "unreachable-playbook",
                                         "unused-action",
                                         "unused-allow",
                                         "unused-escalation",
                                         "unused-fact",
                                         "unused-probe",
                                         "unused-receiver"};

constexpr int kIntervalsMin = 3;
constexpr const char* kFewSamples = "ask for fewer, or wait longer; more agents make more results";

std::string format_count(double count) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), count).ptr};
}

Node child(const Node& map, std::string_view key) {
  for (const auto& entry : map.entries())
    if (entry.key.text() == key) return entry.value;
  return {};
}

// The most results that one agent has of a probe within a time, the two ends included.
std::int64_t most_results(const Probe& probe, Duration within) {
  return within / std::max(probe.spec.every, Duration{1}) + 1;
}

bool is_status(const cel::Call& call) {
  return call.id == static_cast<int>(Signal::service_status);
}

bool is_latency(Signal signal) {
  switch (signal) {
    case Signal::latency:
    case Signal::mean:
    case Signal::max:
    case Signal::p50:
    case Signal::p95:
    case Signal::p99:
      return true;
    default:
      return false;
  }
}

struct Level {
  Condition condition;
  Constant constant = Constant::depends;
};

// What an incident of any severity may take; nothing when one of them may take for ever.
std::optional<Duration> longest_resolve(const Policy& policy) {
  Duration longest{};
  for (const Severity& severity : policy.severities) {
    if (!severity.resolve) return std::nullopt;
    longest = std::max(longest, *severity.resolve);
  }
  return longest;
}

class Linter {
 public:
  Linter(const Policy& policy, const Places& places, std::span<const HostEntries> hosts)
      : policy_(policy),
        places_(places),
        hosts_(hosts),
        longest_resolve_(longest_resolve(policy)) {}

  std::vector<LintFinding> run();

 private:
  void say(const char* code, const yaml::Place& place, int owner_line, std::string message,
           std::string advice);
  void say(const char* code, const Node& node, std::string message, std::string advice) {
    say(code, node.place(), node.name_place().line, std::move(message), std::move(advice));
  }

  void look_at_service(const Service& service, const ServicePlaces& places);
  void look_at_rule(const Service& service, const Rule& rule, const RulePlaces& places);
  void look_at_level(const Service& service, const Rule& rule, const std::vector<Level>& levels,
                     const Node& key);
  void look_at_condition(const Service& service, const cel::Program& program, const Node& node);
  void look_at_thresholds(const Service& service, const Condition& condition, const Node& node);
  void look_at_sample_count(const Probe& probe, const cel::Call& call, const Atom& atom,
                            const Node& node);
  void look_at_latency(const Probe& probe, const Atom& atom, const Node& node);
  void look_at_samples(const Service& service, const Rule& rule, const Node& node);
  void look_at_check(const Service& service, const Check& check, const Node& node);
  void look_at_probe(const Service& service, const Probe& probe, const yaml::Entry& entry);
  void look_at_playbook(const Playbook& playbook, const Node& node);
  void look_at_stages(const Playbook& playbook, const Node& stages);
  void look_at_allowed_actions(const Playbook& playbook, const Node& stages);
  void look_at_hosts();
  void look_at_host_action(const Action& action, const HostAction& how, const Node& value);
  void look_at_the_unused();
  // Says what is unused of them, and adds whom the others tell.
  void look_at_escalations(std::set<ReceiverName>& told);

  const Policy& policy_;
  const Places& places_;
  const std::span<const HostEntries> hosts_;
  std::optional<Duration> longest_resolve_;
  std::vector<LintFinding> findings_;
  std::set<ProbeKey> probes_;                               // that something looks at
  std::set<std::string> facts_;                             // "facts.customers"
  std::set<ActionName> actions_;                            // that a playbook runs
  std::map<ServiceName, std::set<SeverityIndex>> reached_;  // by a rule
  std::vector<std::pair<ProbeKey, Node>> unused_;           // probes, as far as has been looked
};

void Linter::say(const char* code, const yaml::Place& place, int owner_line, std::string message,
                 std::string advice) {
  yaml::Problem problem{place.file,         place.line, place.column,           place.width,
                        std::move(message), "",         yaml::Severity::warning};
  problem.code = code;
  problem.advice = std::move(advice);
  findings_.push_back({std::move(problem), owner_line});
}

void Linter::look_at_service(const Service& service, const ServicePlaces& places) {
  const std::string name = "service '" + service.name.str() + "'";
  if (!service.agents)
    say("no-agents", places.key,
        "no agent probes " + name +
            ": it has no 'agents' selector, and an empty selector selects nothing",
        "say who probes it, as in agents: labels.role == 'edge'");
  if (service.rules.empty())
    say("no-rules", places.key, "no rule is about " + name + ": it can be sick and nobody is told",
        "add a rule, or take the service away");
  if (!service.has_own_checklist)
    say("no-checklist", places.key,
        name + " has no checklist: its incidents are over when each probe is good three times",
        "write under 'checklists' what proves that it works again");
  for (std::size_t i = 0; i < service.rules.size(); ++i)
    look_at_rule(service, service.rules[i], places.rules[i]);
  for (std::size_t i = 0; i < places.checks.size(); ++i)
    look_at_check(service, service.checklist[i], places.checks[i]);
  for (const Probe& probe : service.probes)
    look_at_probe(service, probe, places.probes.at(probe.name));
}

void Linter::look_at_rule(const Service& service, const Rule& rule, const RulePlaces& places) {
  if (rule.levels.empty())
    say("never-fires", places.rule, "this rule never fires: it has no severity",
        "add a condition, or take the rule away");
  std::vector<Level> levels;
  for (std::size_t i = 0; i < rule.levels.size(); ++i) {
    const Node& node = places.levels[i].value;
    Condition condition(rule.levels[i].when);
    const Constant constant = condition.constant(service.name);
    levels.push_back({std::move(condition), constant});
    look_at_level(service, rule, levels, places.levels[i].key);
    look_at_condition(service, rule.levels[i].when, node);
    look_at_thresholds(service, levels.back().condition, node);
  }
  look_at_samples(service, rule, places.rule);
}

// The last of `levels`; the others are more severe.
void Linter::look_at_level(const Service& service, const Rule& rule,
                           const std::vector<Level>& levels, const Node& key) {
  const Level& mine = levels.back();
  const std::size_t last = levels.size() - 1;
  if (mine.constant == Constant::never)
    return say("never-fires", key, "this condition is never true",
               "correct it, or take the level away");
  const std::size_t first = last > limits::kLintLevelsMax ? last - limits::kLintLevelsMax : 0;
  for (std::size_t i = first; i < last; ++i) {
    const std::string higher = policy_.severities[rule.levels[i].severity].name;
    const bool always = levels[i].constant == Constant::always;
    if (!always && !mine.condition.implies(levels[i].condition)) continue;
    return say("covered-level", key,
               always ? "never decides: " + higher + " above it is always true"
                      : "never decides: whenever it is true, so is " + higher + " above it",
               "the most severe level counts; are the conditions swapped?");
  }
  reached_[service.name].insert(rule.levels[last].severity);
}

// What it reads, and over which windows.
void Linter::look_at_condition(const Service& service, const cel::Program& program,
                               const Node& node) {
  for (const cel::Read& read : program.reads()) facts_.insert(read.path);
  for (const cel::Call& call : program.calls()) {
    if (const auto other = service_of(call); other && is_status(call))
      for (const Probe& probe : policy_.services.at(*other).probes)
        probes_.insert({*other, probe.name});
    const auto key = probe_of(call, service.name);
    if (!key) continue;
    probes_.insert(*key);
    const Probe* probe = policy_.find_probe(*key);
    if (probe == nullptr || call.arguments.size() < 2) continue;
    const auto& window = call.arguments[1];
    if (!window.constant || !window.constant->is(cel::Value::Kind::duration)) continue;
    if (window.constant->as_duration() >= kIntervalsMin * probe->spec.every) continue;
    say("short-window",
        node.place_of_line(window.where.line, window.where.column, window.where.width),
        node.name_place().line,
        "a window of " + format_duration(window.constant->as_duration()) +
            " over a probe that runs every " + format_duration(probe->spec.every) +
            ": one result more or less decides",
        "make it " + format_duration(kIntervalsMin * probe->spec.every) +
            " or longer, or probe more often");
  }
}

// samples('health', 1m) >= 20, p95('health', 5m) > 10s
void Linter::look_at_thresholds(const Service& service, const Condition& condition,
                                const Node& node) {
  for (const std::vector<Atom>& all : condition.alternatives())
    for (const Atom& atom : all) {
      if (!atom.threshold) continue;
      const bool over = atom.threshold->order == Atom::Order::greater;
      if (!over && atom.threshold->order != Atom::Order::greater_equal) continue;
      const auto type =
          atom.threshold->duration ? cel::Type::Kind::duration : cel::Type::Kind::integer;
      const auto compiled = cel::compile(atom.call, rule_declarations({}), cel::Type(type));
      const auto* program = std::get_if<cel::Program>(&compiled);
      if (program == nullptr || program->calls().size() != 1) continue;
      const cel::Call& call = program->calls().front();
      const auto key = probe_of(call, service.name);
      const Probe* probe = key ? policy_.find_probe(*key) : nullptr;
      if (probe == nullptr) continue;
      if (call.id == static_cast<int>(Signal::samples))
        look_at_sample_count(*probe, call, atom, node);
      if (is_latency(static_cast<Signal>(call.id))) look_at_latency(*probe, atom, node);
    }
}

void Linter::look_at_sample_count(const Probe& probe, const cel::Call& call, const Atom& atom,
                                  const Node& node) {
  if (call.arguments.size() < 2 || !call.arguments[1].constant) return;
  const std::int64_t most = most_results(probe, call.arguments[1].constant->as_duration());
  const double wanted = atom.threshold->limit;
  const bool over = atom.threshold->order == Atom::Order::greater;
  if (over ? wanted < static_cast<double>(most) : wanted <= static_cast<double>(most)) return;
  say("too-few-samples", node,
      "one agent makes at most " + std::to_string(most) + " results of '" + probe.name.str() +
          "' in that window, and " + (over ? "more than " : "") + format_count(wanted) +
          " are asked for",
      kFewSamples);
}

// What has not ended by its timeout is ended then.
void Linter::look_at_latency(const Probe& probe, const Atom& atom, const Node& node) {
  const std::chrono::duration<double> limit(atom.threshold->limit);
  const Duration timeout = probe.spec.timeout;
  const bool over = atom.threshold->order == Atom::Order::greater;
  if (over ? limit < timeout : limit <= timeout) return;
  say("latency-over-timeout", node,
      "'" + probe.name.str() + "' ends after " + format_duration(timeout) +
          " at the latest: it never takes that long",
      "lower the limit, or give the probe a longer 'timeout'");
}

// samples: 20
void Linter::look_at_samples(const Service& service, const Rule& rule, const Node& node) {
  if (rule.samples == 0) return;
  std::set<ProbeKey> told;
  for (const Rule::Level& level : rule.levels)
    for (const cel::Call& call : level.when.calls()) {
      const auto key = probe_of(call, service.name);
      const Probe* probe = key ? policy_.find_probe(*key) : nullptr;
      if (probe == nullptr) continue;
      Duration within = rule.samples_within;
      if (call.arguments.size() > 1 && call.arguments[1].constant &&
          call.arguments[1].constant->is(cel::Value::Kind::duration))
        within = call.arguments[1].constant->as_duration();
      const std::int64_t most = most_results(*probe, within);
      if (rule.samples <= most || !told.insert(*key).second) continue;
      say("too-few-samples", child(node, "samples"),
          "one agent makes at most " + std::to_string(most) + " results of '" + key->probe.str() +
              "' within " + format_duration(within) + ", and " + std::to_string(rule.samples) +
              " are asked for",
          kFewSamples);
    }
}

void Linter::look_at_check(const Service& service, const Check& check, const Node& node) {
  if (const auto* run = std::get_if<ProbeCheck>(&check.what)) {
    if (!run->key.probe.empty()) probes_.insert(run->key);
    return;
  }
  const auto& signals = std::get<SignalCheck>(check.what);
  look_at_condition(service, signals.expect, child(node, "expect"));
  std::set<ProbeKey> told;
  for (const cel::Call& call : signals.expect.calls()) {
    const auto key = probe_of(call, service.name);
    const Probe* probe = key ? policy_.find_probe(*key) : nullptr;
    if (probe == nullptr) continue;
    const std::int64_t most = most_results(*probe, signals.within);
    if (signals.samples <= most || !told.insert(*key).second) continue;
    say("too-few-samples", child(node, "samples"),
        "one agent makes at most " + std::to_string(most) + " results of '" + key->probe.str() +
            "' within " + format_duration(signals.within) + ", and " +
            std::to_string(signals.samples) + " are asked for",
        kFewSamples);
  }
}

void Linter::look_at_probe(const Service& service, const Probe& probe, const yaml::Entry& entry) {
  // The default is right for whatever interval.
  if (const Node timeout = child(entry.value, "timeout");
      timeout && probe.spec.timeout >= probe.spec.every)
    say("timeout-too-long", timeout,
        "'timeout' is not shorter than the interval of " + format_duration(probe.spec.every),
        "a probe that hangs delays the next one; make it shorter, or the interval longer");
  if (const Node family = child(entry.value, "family"); family && !takes_family(probe.spec.kind))
    say("no-effect", family, "this probe asks over no network", "leave it out");
  if (const Node source = child(entry.value, "source"); source && !takes_source(probe.spec))
    say("no-effect", source, "this probe cannot choose the address that it asks from",
        "leave it out");
  if (probes_.count({service.name, probe.name}) == 0)
    unused_.emplace_back(ProbeKey{service.name, probe.name}, entry.key);
}

void Linter::look_at_playbook(const Playbook& playbook, const Node& node) {
  for (const Stage& stage : playbook.stages)
    for (const ActionName& name : stage.actions) {
      actions_.insert(name);
      for (const ProbeName& probe : policy_.actions.at(name).verify)
        probes_.insert({playbook.service, probe});
    }
  look_at_stages(playbook, child(node, "stages"));
  look_at_allowed_actions(playbook, child(node, "stages"));
  const auto reached = reached_.find(playbook.service);
  if (reached != reached_.end() &&
      (!playbook.severity || reached->second.count(*playbook.severity) != 0))
    return;
  const Node on = child(node, "on");
  const std::string severity = playbook.severity
                                   ? " severity " + policy_.severities[*playbook.severity].name
                                   : " a severity";
  say("unreachable-playbook", playbook.severity ? child(on, "severity") : on,
      "no rule gives service '" + playbook.service.str() + "'" + severity +
          ": this playbook runs only when a person declares an incident",
      "add the level to a rule, or take the playbook away");
}

// Its stages wait while the incident is less severe than the playbook, and run when it is more so.
void Linter::look_at_allowed_actions(const Playbook& playbook, const Node& stages) {
  const std::vector<Node> items = stages.items();
  const SeverityIndex last = playbook.severity.value_or(policy_.severities.size() - 1);
  for (std::size_t i = 0; i < items.size(); ++i)
    for (const ActionName& action : playbook.stages[i].actions) {
      const auto forbids = [&](const Severity& severity) {
        return severity.actions && severity.actions->count(action) == 0;
      };
      const auto end = policy_.severities.begin() + static_cast<std::ptrdiff_t>(last) + 1;
      if (!std::all_of(policy_.severities.begin(), end, forbids)) continue;
      say("forbidden-action", child(items[i], "do"),
          "no severity at which this stage runs allows action '" + action.str() + "'",
          "name it in the severity's 'actions', or take it away");
    }
}

void Linter::look_at_stages(const Playbook& playbook, const Node& stages) {
  const auto resolve =
      playbook.severity ? policy_.severities[*playbook.severity].resolve : longest_resolve_;
  if (!resolve) return;
  const std::vector<Node> items = stages.items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (playbook.stages[i].at <= *resolve) continue;
    say("stage-too-late", child(items[i], "at"),
        "this stage begins after the incident should have been resolved, which is " +
            format_duration(*resolve) + " after its start",
        "begin earlier, or give the severity a later 'resolve'");
  }
}

void Linter::look_at_hosts() {
  if (hosts_.empty()) return;
  for (const auto& [name, entry] : places_.actions)
    if (const auto* how = std::get_if<HostAction>(&policy_.actions.at(name).how))
      look_at_host_action(policy_.actions.at(name), *how, entry.value);
}

// One kind of host that takes the action is enough: which hosts are meant is not known here.
void Linter::look_at_host_action(const Action& action, const HostAction& how, const Node& value) {
  const Node host = child(value, "host");
  const Node entry = child(host, "entry");
  std::vector<std::string> known;
  std::optional<std::string> refusal;
  std::optional<Duration> shortest;
  for (const HostEntries& entries : hosts_) {
    for (const auto& [name, one] : entries) known.push_back(name);
    const auto found = entries.find(how.entry);
    if (found == entries.end()) continue;
    if (auto problem = found->second.problem_of(how.parameters))
      refusal = std::move(problem);
    else
      shortest = std::min(shortest.value_or(Duration::max()), found->second.timeout);
  }
  if (shortest && *shortest > action.timeout)
    say("short-action-timeout", value,
        "the host gives '" + how.entry + "' " + format_duration(*shortest) + ", and action '" +
            action.name.str() + "' is given up after " + format_duration(action.timeout),
        "make 'timeout' as long as the host's");
  if (shortest) return;
  if (refusal)
    return say("refused-action", entry ? entry : host, "the host refuses it: " + *refusal,
               "correct 'parameters', or the host's actions.d");
  const std::string meant = did_you_mean(how.entry, known);
  say("unknown-host-action", entry ? entry : host, "no host allows '" + how.entry + "'",
      meant.empty() ? "add it to actions.d of the hosts, or take the action away"
                    : "did you mean '" + meant + "'?");
}

// Last: by now it is known what is used.
void Linter::look_at_the_unused() {
  for (const auto& [key, node] : unused_)
    if (probes_.count(key) == 0)
      say("unused-probe", node,
          "nothing looks at probe '" + key.probe.str() + "': no rule, no checklist, no 'verify'",
          "use it, or take it away");
  for (const auto& [name, node] : places_.facts)
    if (facts_.count("facts." + name.str()) == 0 && facts_.count("facts") == 0)
      say("unused-fact", node, "no rule and no check reads fact '" + name.str() + "'",
          "read it as facts." + name.str() + ", or take it away");
  for (const auto& [name, entry] : places_.actions)
    if (actions_.count(name) == 0)
      say("unused-action", entry.key, "no playbook uses action '" + name.str() + "'",
          "name it in a stage, or take it away");
  std::set<ReceiverName> told;
  for (std::size_t i = 0; i < policy_.severities.size(); ++i) {
    const Severity& severity = policy_.severities[i];
    told.insert(severity.notify.begin(), severity.notify.end());
    if (severity.notify.empty() && severity.escalation.empty())
      say("no-route", places_.severities[i],
          "nobody is told of incidents of severity " + severity.name, "give it 'notify'");
  }
  look_at_escalations(told);
  if (policy_.agent_watch)
    told.insert(policy_.agent_watch->notify.begin(), policy_.agent_watch->notify.end());
  for (const auto& [name, node] : places_.receivers)
    if (told.count(name) == 0)
      say("unused-receiver", node,
          "no severity and no escalation notifies receiver '" + name.str() + "'",
          "name it in a severity's 'notify', or take it away");
}

void Linter::look_at_escalations(std::set<ReceiverName>& told) {
  std::set<std::string> used;
  for (const Severity& severity : policy_.severities) used.insert(severity.escalation);
  for (const auto& [name, service] : policy_.services)
    for (const auto& [severity, escalation] : service.escalations) used.insert(escalation);
  for (const auto& [name, escalation] : policy_.escalations) {
    for (const EscalationTier& tier : escalation.tiers)
      told.insert(tier.notify.begin(), tier.notify.end());
    if (used.count(name) == 0)
      say("unused-escalation", places_.escalations.at(name),
          "no severity and no service uses escalation '" + name + "'",
          "name it in a severity's 'escalation', or take it away");
  }
}

std::vector<LintFinding> Linter::run() {
  for (const auto& [name, service] : policy_.services)
    if (!policy_.is_agents_service(name)) look_at_service(service, places_.services.at(name));
  if (policy_.agent_watch)
    reached_[ServiceName(kAgentsService)].insert(policy_.agent_watch->severity);
  for (std::size_t i = 0; i < policy_.playbooks.size(); ++i)
    look_at_playbook(policy_.playbooks[i], places_.playbooks[i]);
  for (std::size_t i = 0; i < policy_.recommendations.size(); ++i)
    look_at_condition(*policy_.find_service(policy_.recommendations[i].service),
                      policy_.recommendations[i].when, child(places_.recommendations[i], "when"));
  look_at_hosts();
  look_at_the_unused();
  apply_allowances(policy_.files, kCodes, findings_);
  return std::move(findings_);
}

}  // namespace

void lint(const Policy& policy, const Places& places, std::span<const HostEntries> hosts,
          yaml::Problems& problems) {
  for (LintFinding& finding : Linter(policy, places, hosts).run())
    problems.add(std::move(finding.problem));
}

std::span<const std::string> lint_codes() {
  return kCodes;
}

}  // namespace firebreak::policy
