// A whole policy as typed values: what the core decides by. Immutable once built; share it by
// shared_ptr<const Policy>.
//
// load_policy() (loader.h) is the only way from YAML to here; it has checked every name, type and
// expression.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/cel/program.h"
#include "common/ids.h"
#include "common/probe_spec.h"
#include "common/time.h"
#include "coordinator/policy/hours.h"
#include "coordinator/policy/local_window.h"

namespace firebreak::policy {

// An index into Policy::severities: 0 is the most severe. No severity at all is an empty optional.
using SeverityIndex = std::size_t;

struct Severity {
  std::string name;                     // "P1", "SEV-2": any scheme
  std::optional<Duration> acknowledge;  // within
  std::optional<Duration> update;       // every
  std::optional<Duration> resolve;      // within
  std::vector<ReceiverName> notify;
  std::string escalation;                       // of Policy::escalations; empty: none
  std::optional<std::set<ActionName>> actions;  // that may be run; empty: all
};

// What keeps a tier of an escalation from telling anybody.
enum class Unless { acknowledged, updated, never };
struct EscalationTier {
  Duration after{};  // since the incident reached its severity; `updated`: without an update
  std::vector<ReceiverName> notify;
  Unless unless = Unless::acknowledged;
};
// Who is told next while nobody takes care.
struct Escalation {
  std::string name;
  std::vector<EscalationTier> tiers;  // in the order of their times, never empty
  std::optional<Duration> repeat;     // from the first tier again, so long after the last one
};

// What somebody must do, for no software does it.
struct ManualStep {
  std::vector<SeverityIndex> severities;  // empty: of every severity
  ServiceName service;                    // empty: of every service
  Duration at{};                          // after the incident reached the severity
  std::string text;
  bool required = false;  // done before the incident is over
};

// What people are told to do while a condition is true; nothing follows from it.
struct Recommendation {
  ServiceName service;
  cel::Program when;
  std::string say;
};

enum class FactType { boolean, integer, real, string };
struct FactDecl {
  FactName name;
  FactType type = FactType::boolean;
  cel::Value initial;  // what it is until a person says otherwise
  std::string description;
};

// Which agents: a CEL condition over `name` (string) and `labels` (map of strings). No selector
// selects nothing.
using AgentSelector = std::optional<cel::Program>;

struct Probe {
  ProbeName name;
  ProbeSpec spec;
  // How many vantage points with a confirmed verdict must fail for the probe to fail; 0: more than
  // half of them.
  int need = 0;
};

// What a rule means that cannot be decided.
enum class NoData {
  unknown,  // it neither raises nor lowers a severity
  alert,    // it holds at Rule::no_data_severity, and nothing but telling people is done about it
  ok,       // its undecided levels are false
};

// expression -> severity. The first level (most severe first) that is true is the rule's severity.
struct Rule {
  struct Level {
    SeverityIndex severity = 0;
    cel::Program when;
  };
  std::string name;  // unique; "emergency-api/1" unless the policy names it
  std::vector<Level> levels;
  Duration hold{};  // `for`: must be true that long
  Duration keep{};  // `keep_for`: a lower or absent severity must last that long before it counts
  // A level with fewer results of a probe that it reads is not decided. They are counted over the
  // signal's own window, or else over samples_within: the rule's longest window, or `for`.
  int samples = 0;
  Duration samples_within{};
  NoData no_data = NoData::unknown;
  SeverityIndex no_data_severity = 0;  // of NoData::alert
  Duration silence{};                  // not decided for so long, before NoData::alert counts
};

enum class CheckFrom { one, all };  // one agent of the service, or all that are attached
// One item of a recovery validation.
struct ProbeCheck {  // run a probe, up to `attempts` times, `every` apart, until `passes` in a row
                     // are good
  ProbeKey key;      // set when it is a probe of the service
  ProbeSpec spec;
  int attempts = 1;
  Duration every = std::chrono::seconds(5);
  int passes = 1;
  CheckFrom from = CheckFrom::all;
  // Over status (string), latency (duration), value (double, the observation's first), values (map
  // of double); bool.
  std::optional<cel::Program> expect;
};
struct SignalCheck {  // a condition over the service's signals that must hold
  cel::Program expect;
  Duration hold{};
  int samples = 0;    // at least so many results of the probes it reads within the hold
  Duration within{};  // gives up after it: failed when it was false at the end, else inconclusive
};
struct Check {
  std::string name;
  std::variant<ProbeCheck, SignalCheck> what;
};

enum class Mode { observe, advise, enforce };  // record only; also notify; also act

struct HostAction {  // an entry of the host's own actions file, by name
  std::string entry;
  std::map<std::string, std::string> parameters;
  AgentSelector on;  // empty: the agents whose probes of the service fail now
};
struct HttpAction {  // sent by the coordinator
  std::string url;
  std::string method = "POST";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string bearer_token_file;  // on the coordinator's host
  std::vector<std::string> expect_status = {"2xx"};
};
struct Action {
  ActionName name;
  std::variant<HostAction, HttpAction> how;
  Duration timeout = std::chrono::seconds(60);
  Duration cooldown = std::chrono::minutes(10);  // per action and target, across incidents
  std::vector<ProbeName>
      verify;  // of the incident's service, probed at once when the action has ended
};

struct Stage {
  Duration at{};  // after the incident reached the playbook's severity; runs only if it still has
                  // not recovered
  std::vector<ActionName> actions;
};
struct Playbook {
  std::string name;
  ServiceName service;
  std::optional<SeverityIndex> severity;  // empty: any
  Mode mode = Mode::enforce;
  std::vector<Stage> stages;
  std::optional<Duration> cooldown;  // overrides the actions' own when longer
  bool on_symptom = false;           // also when what the service depends on is down
};

struct SlackReceiver {
  std::string url_file;
  std::string url;
};  // an incoming webhook; exactly one of the two
struct WebhookReceiver {
  std::string url;
  std::string secret_file;  // HMAC-SHA256 of the body in X-Firebreak-Signature
  std::vector<std::pair<std::string, std::string>> headers;
};
struct Receiver {
  ReceiverName name;
  std::variant<SlackReceiver, WebhookReceiver> how;
  std::string
      scheme{};  // of Policy::schemes, by which it reads severities; empty: the policy's own
};

// What a service needs: it is down when all of these are.
struct Dependency {
  std::vector<ServiceName> any_of;
};

struct Service {
  ServiceName name;
  std::string description;
  AgentSelector agents;
  std::vector<Dependency> depends_on;
  std::string group;  // whose services share one incident; empty: none
  std::vector<Probe> probes;
  std::vector<Rule> rules;
  std::vector<Check>
      checklist;  // never empty: without one, every probe must pass three times in a row
  bool has_own_checklist = false;
  std::map<SeverityIndex, std::string> escalations;  // instead of the severity's own
};

// Agents that were attached and are not any more are a problem of their own: of the service
// kAgentsService, which has no probes and no rules.
struct AgentWatch {
  Duration silent_after{};
  SeverityIndex severity = 0;
  std::vector<ReceiverName> notify;  // beside those of the severity
};
inline constexpr const char* kAgentsService = "agents";
// Planned work that comes back: nothing is opened, begun or told of these services meanwhile.
struct MaintenanceWindow {
  std::string name;  // unique; "maintenance/1" unless the policy names it
  std::vector<ServiceName> services;
  LocalWindow when;
  std::string reason;
};

// A service whose severity changes so often within that time flaps, until none has changed for
// `calm`.
struct Flapping {
  int changes = 6;
  Duration within = std::chrono::minutes(30);
  Duration calm = std::chrono::minutes(10);
};

struct SourceFile {
  std::string path;  // relative to the policy's directory
  std::string text;
};

// Of within(times, zone), by what is written.
struct HoursLess {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return a.first < b.first || (a.first == b.first && a.second < b.second);
  }
};
using HoursByText = std::map<std::pair<std::string, std::string>, Hours, HoursLess>;

struct Policy {
  std::string digest;  // hex SHA-256 over paths and texts
  std::vector<SourceFile> files;
  std::string incident_id_format =
      "INC-%Y%m%d-%H%M%S";           // strftime, UTC; %N: the day's number, three digits
  std::vector<Severity> severities;  // most severe first
  std::map<FactName, FactDecl> facts;
  std::map<ServiceName, Service> services;
  std::map<ActionName, Action> actions;
  std::vector<Playbook> playbooks;
  std::map<ReceiverName, Receiver> receivers;
  std::map<std::string, Escalation> escalations;
  HoursByText hours;  // that any rule or check reads
  std::map<std::string, std::vector<ServiceName>> groups;
  std::optional<AgentWatch> agent_watch;  // empty: nobody asks
  std::vector<MaintenanceWindow> maintenance;
  std::optional<Flapping> flapping;  // empty: nobody looks for it
  std::vector<ManualStep> manual_steps;
  std::vector<Recommendation> recommendations;
  std::map<std::string, std::vector<std::string>> schemes;  // names for severities, by their index

  // Whether it is the service of silent agents.
  [[nodiscard]] bool is_agents_service(const ServiceName& name) const;
  // Of this severity, otherwise the service's for any; null: none.
  [[nodiscard]] const Playbook* find_playbook(const ServiceName& service,
                                              const std::optional<SeverityIndex>& severity) const;
  [[nodiscard]] const Service* find_service(const ServiceName& name) const;
  [[nodiscard]] const Probe* find_probe(const ProbeKey& key) const;
  [[nodiscard]] std::optional<SeverityIndex> find_severity(std::string_view name) const;
  // Its name in the scheme; in no or an unknown scheme, and without an index, `own`.
  [[nodiscard]] std::string severity_in(const std::string& scheme,
                                        const std::optional<SeverityIndex>& severity,
                                        const std::string& own) const;
  // For incidents of this service and severity; null: there is none.
  [[nodiscard]] const Escalation* find_escalation(const ServiceName& service,
                                                  SeverityIndex severity) const;
};

}  // namespace firebreak::policy
