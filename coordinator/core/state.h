// The coordinator's whole memory: a plain value that step() alone changes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/observation.h"
#include "coordinator/core/event.h"
#include "coordinator/core/window.h"
#include "coordinator/policy/policy.h"

namespace firebreak::core {

// What one agent sees of one probe.
struct SeriesState {
  ProbeKey key;
  Status confirmed = Status::unknown;  // the last confirmed verdict
  Instant confirmed_since{};           // of that verdict
  Instant observed{};                  // newest result, confirmed or not; epoch: none yet
  Observation last;
  Window window;
};

struct AgentState {
  AgentName name;
  bool attached = false;
  std::uint64_t incarnation = 0;
  std::uint64_t last_seq = 0;                 // highest committed of this incarnation
  std::set<std::uint64_t> past_incarnations;  // bounded; results of these are duplicates
  std::string version;
  std::map<std::string, std::string> labels;
  std::vector<std::string> actions;
  Duration clock_skew{};
  Instant last_seen{};
  std::uint64_t dropped_results = 0;
  std::vector<std::optional<ProbeKey>> refs;  // of this incarnation
  std::map<ProbeKey, SeriesState> series;
};

enum class Phase { investigating, identified, monitoring, resolved };
[[nodiscard]] const char* to_string(Phase phase);

struct TimelineEntry {
  Instant at;
  std::string kind;   // opened severity action notification fact note acknowledged phase validation
                      // resolved clock
  std::string actor;  // engine, operator:NAME, agent:NAME
  std::string text;
  std::string detail;
};

struct ActionRun {
  ActionId id;
  ActionName name;
  IncidentId incident;
  std::string target;  // agent's name, or "coordinator"
  std::size_t stage = 0;
  ActionState state = ActionState::ordered;
  Instant ordered;
  Instant expires;  // no answer by then: unknown
  std::optional<Instant> finished;
  int exit_code = 0;
  std::string output;
  std::string detail;
};

struct PlaybookRun {
  std::size_t playbook = 0;  // index into the policy's
  std::string name;
  Instant since;  // stages count from here
  std::size_t next_stage = 0;
};

struct Incident {
  IncidentId id;
  ServiceName service;
  std::string title;
  Phase phase = Phase::investigating;
  std::optional<policy::SeverityIndex>
      severity;  // of the policy in force; names are kept too, policies change
  std::string severity_name;
  std::string peak_severity;
  std::size_t peak_rank = 0;
  bool declared = false;
  Instant detected;
  Instant opened;
  std::optional<Instant> acknowledged;
  std::string acknowledged_by;
  std::optional<Instant> quiet_since;  // no rule holds since
  std::optional<Instant> resolved;
  std::string resolved_by;
  std::vector<TimelineEntry> timeline;
  std::uint64_t timeline_dropped = 0;
  std::vector<ActionRun> actions;
  std::optional<PlaybookRun> playbook;
  ValidationId validation;             // the one that runs or ran last
  std::optional<Instant> validate_at;  // when to try again
  int validations = 0;
  Instant last_update;  // for the update clock
  bool acknowledge_overdue = false;
  bool resolve_overdue = false;
};

enum class Verdict { running, passed, failed, inconclusive };
[[nodiscard]] const char* to_string(Verdict verdict);

struct CheckState {
  Verdict verdict = Verdict::running;
  bool started = false;
  Instant started_at{};
  int attempt = 0;
  int passes = 0;
  std::size_t samples = 0;
  std::optional<Instant> true_since;
  std::optional<Instant> next_attempt;
  std::map<RequestId, AgentName> waiting;  // probe-nows of this attempt without an answer
  std::optional<Instant> waiting_until;
  std::vector<std::pair<AgentName, Verdict>> answers;  // of this attempt
  std::string detail;
};
struct Validation {
  ValidationId id;
  ServiceName service;
  IncidentId incident;  // empty: asked for by a person alone
  std::string asked_by;
  Instant started;
  Instant deadline;  // hard; inconclusive when it passes
  std::optional<Instant> finished;
  std::shared_ptr<const policy::Policy> policy;  // the checklist as it was when this began
  std::size_t current = 0;
  std::vector<CheckState> checks;
  Verdict verdict = Verdict::running;
};

struct RuleState {
  std::vector<std::optional<Instant>> true_since;  // per level
  std::optional<policy::SeverityIndex> severity;   // what it contributes now
  std::optional<Instant> lower_since;              // a lower severity lasts since
  bool undecided = false;                          // a level could not be evaluated
};
struct ServiceState {
  std::vector<RuleState> rules;
  std::optional<policy::SeverityIndex> severity;
  std::string because;  // the rule and level that decided
  IncidentId open_incident;
  bool dirty = false;
};

struct FactState {
  cel::Value value;
  std::string set_by;
  Instant set_at;
};

struct Counters {
  std::uint64_t results = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;
  std::uint64_t unknown_probe = 0;
  std::uint64_t dropped_by_agents = 0;
};

struct State {
  std::shared_ptr<const policy::Policy> policy;
  std::string policy_by;
  Instant policy_at{};
  Instant now{};
  std::uint64_t epoch = 0;
  std::uint64_t next_id = 1;  // for actions, requests, notifications
  std::map<AgentName, AgentState> agents;
  std::map<ServiceName, ServiceState> services;
  std::map<std::pair<FactName, ServiceName>, FactState> facts;  // empty service: all
  std::map<IncidentId, Incident> incidents;                     // open, and the newest resolved
  std::deque<IncidentId> resolved_order;                        // oldest first, bounded
  std::map<ValidationId, Validation> validations;               // running, and the newest finished
  std::map<RequestId, ValidationId> requests;  // probe-nows that a validation waits for
  std::map<ActionId, IncidentId> actions_running;
  std::map<std::pair<ActionName, std::string>, Instant>
      action_last;  // per action and target: last order
  std::set<NotificationId> notifications_pending;
  std::set<IncidentId> changed;  // by the step that just ran: what the store writes beside the
                                 // journal; cleared by step()
  Counters counters;
};

}  // namespace firebreak::core
