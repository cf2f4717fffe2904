// The coordinator's whole memory: a plain value that step() alone changes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/observation.h"
#include "coordinator/core/alarms.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/event.h"
#include "coordinator/core/policy_history.h"
#include "coordinator/core/quieting.h"
#include "coordinator/core/timeline_entry.h"
#include "coordinator/core/trail.h"
#include "coordinator/core/window.h"
#include "coordinator/policy/policy.h"
#include "coordinator/policy/signals.h"

namespace firebreak::core {

struct Inputs;  // what a policy's expressions read (inputs.h)
struct ProbeInputs;

// What one agent sees of one probe. Late results are not in here: they never count.
struct SeriesState {
  const ProbeInputs* inputs = nullptr;  // into State::inputs; null: no probe of the policy
  bool counted = false;                 // in its probe's tally
  bool live = false;  // a result has come since the agent attached; until then it tells nothing
  Status confirmed = Status::unknown;  // the last confirmed verdict
  Instant confirmed_since{};           // the first result in a row that showed it
  Instant confirmed_at{};              // the newest result that confirmed it; epoch: none yet
  Observation confirmed_by;            // that result
  Status suspected = Status::unknown;  // of the newest result, while it differs from the confirmed
  Instant suspected_since{};           // epoch: nothing is suspected
  Instant observed{};                  // newest result, confirmed or not; epoch: none yet
  // How much earlier that result was made than `observed`, which is never before that of an earlier
  // number: a line of time that went on after an outage of unknown length places old results too
  // late.
  Duration ahead{};
};

// A number that an agent gave a series.
class SeriesRef {
 public:
  SeriesRef() = default;
  explicit SeriesRef(ProbeKey key) : key_(std::move(key)) {}
  // A copy finds its own agent's series anew.
  SeriesRef(const SeriesRef& other) : key_(other.key_) {}
  SeriesRef(SeriesRef&& other) noexcept = default;
  SeriesRef& operator=(const SeriesRef& other) { return *this = SeriesRef(other); }
  SeriesRef& operator=(SeriesRef&& other) noexcept = default;
  ~SeriesRef() = default;

  [[nodiscard]] const std::optional<ProbeKey>& key() const { return key_; }
  // Null until it was looked up. In AgentState::series, whose nodes stay where they are.
  [[nodiscard]] SeriesState* found() const { return found_; }
  void remember(SeriesState* series) { found_ = series; }

 private:
  std::optional<ProbeKey> key_;
  SeriesState* found_ = nullptr;
};

struct AgentState {
  AgentName name;
  bool attached = false;
  std::uint64_t incarnation = 0;
  std::uint64_t last_seq = 0;                   // highest committed of this incarnation
  std::deque<std::uint64_t> past_incarnations;  // oldest first, bounded; their results are repeats
  std::string version;
  std::map<std::string, std::string> labels;
  std::vector<std::string> actions;
  std::set<ServiceName> services;  // whose selector chooses this agent
  Duration clock_skew{};
  Instant last_seen{};
  std::uint64_t dropped_results = 0;
  std::vector<SeriesRef> refs;             // of this incarnation
  std::map<ProbeKey, SeriesState> series;  // whoever erases one makes the refs forget()
  void forget() {
    for (SeriesRef& ref : refs) ref.remember(nullptr);
  }
  bool present = false;  // counted in State::present
  Instant detached{};    // the last time; epoch: never
};

// What a probe's vantage points say together (tally.h); follows from their series.
struct ProbeTally {
  int fresh = 0;
  int warnings = 0;                    // of the fresh
  std::vector<Instant> failing_since;  // of the fresh that are critical: since when, sorted
  Instant newest{};                    // result of any, fresh or not; epoch: none
  // None of the fresh becomes stale before this, and it may be earlier than need be. At this
  // instant services are looked at again, so it is kept in snapshots.
  Instant next_stale = Instant::max();
};

enum class Phase { investigating, identified, monitoring, resolved };
[[nodiscard]] const char* to_string(Phase phase);

struct ActionRun {
  ActionId id;
  ActionName name;
  IncidentId incident;
  std::string target;   // agent's name, or "coordinator"
  bool on_host = true;  // by an agent; else an http action of the coordinator
  std::size_t stage = 0;
  ActionState state = ActionState::ordered;
  Instant ordered;
  Instant expires;  // no answer by then: unknown, and never repeated
  std::optional<Instant> finished;
  int exit_code = 0;
  std::string output;
  std::string detail;
};

// A probe that was asked for to see what an action changed.
struct Verification {
  ActionId action;
  AgentName agent;
  ProbeKey key;
  Instant until;  // no answer by then: said on the timeline
};

struct PlaybookRun {
  struct Step {
    std::size_t stage = 0;
    ActionName action;
    std::string target;  // empty: not chosen yet, it is when the step's turn comes
  };
  std::size_t playbook = 0;  // index into the policy's
  std::string name;
  Instant since;  // stages count from here
  std::size_t next_stage = 0;
  std::deque<Step> due;               // of the stages that have begun; one at a time, in order
  bool verify_failed = false;         // a probe after the last action was not good
  std::optional<Instant> wait_until;  // the last action seems to have helped: no further one before
  std::optional<Instant> paused;      // its service is in maintenance since; its time stands still
};

// What a receiver was not told: it will be when nothing holds it back any more.
struct HeldNotification {
  NotificationKind kind = NotificationKind::opened;
  std::string by;  // the silence, the maintenance; "flapping"
};

// The escalation of the severity that the incident has reached last.
struct EscalationRun {
  std::string name;              // of the policy's
  Instant since;                 // tiers count from here
  std::set<std::size_t> passed;  // tiers that have told somebody, or will tell nobody
  std::uint64_t round = 0;       // how often it began again
  bool stopped = false;          // the incident is less severe now
};

// A service that fails because of another one's incident.
struct Affected {
  Instant since;
  std::optional<Instant> until;  // it has recovered, or stands for itself since
  std::string severity;          // its name, the last one
  IncidentId own;                // the incident that it has since
};

struct SeverityOverride {
  policy::SeverityIndex severity = 0;
  std::string by;
  std::string reason;
  Instant until;
  std::optional<policy::SeverityIndex> rules;  // what they said last
};

// A manual step of the policy that came to the incident.
struct ManualStep {
  std::uint32_t number = 0;  // from 1
  std::string text;
  Instant due;
  bool required = false;  // the incident is not resolved by the engine before it is done
  bool shown = false;     // it is due, and the timeline says so
  std::optional<Instant> done;
  std::string done_by;
  std::string note;
};

// A recommendation of the policy that was true once.
struct Recommended {
  std::string say;
  Instant since;
  bool holds = true;  // it is true now
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
  std::map<RequestId, Verification> verifications;
  ValidationId validation;             // the one that runs or ran last
  std::optional<Instant> validate_at;  // when to try again
  int validations = 0;
  int validations_failed = 0;  // in a row, since it became quiet
  std::string failing_check;   // of the last validation, and how it ended
  Instant raised;              // the acknowledge and resolve clocks run from here
  Instant last_update;         // the update clock: when people last said something ...
  Instant last_reminder;       // ... or were last asked to
  bool acknowledge_overdue = false;
  bool resolve_overdue = false;
  std::optional<policy::SeverityIndex> declared_severity;  // rules raise it, never lower it
  std::string request_id;                                  // of the declaration
  std::set<ReceiverName> told;                             // who must hear that it is over
  std::optional<EscalationRun> escalation;
  std::map<ServiceName, Affected> affected;  // beside its own; symptoms.h
  std::set<AgentName> hosts;                 // that have seen it fail, bounded
  bool hosts_more = false;                   // than those
  std::set<IncidentId> causes;               // what it may be a symptom of
  std::set<IncidentId> symptoms;             // the other way round
  std::map<ReceiverName, HeldNotification> held;
  std::optional<SeverityOverride> severity_override;
  std::vector<ManualStep> steps;
  std::uint32_t last_step = 0;   // number
  bool waits_for_steps = false;  // it is proven that it is over, required steps are to be done
  std::vector<Recommended> recommended;
};

enum class Verdict { running, passed, failed, inconclusive };
[[nodiscard]] const char* to_string(Verdict verdict);

// One check of a validation; not started: `running` while the validation runs, and for ever when it
// ended before this check's turn.
struct CheckState {
  Verdict verdict = Verdict::running;
  bool started = false;
  Instant started_at{};
  // Of a probe check.
  int attempt = 0;
  int passes = 0;    // in a row
  int failures = 0;  // attempts that failed, not those without an answer
  std::optional<Instant> next_attempt;
  std::map<RequestId, AgentName> waiting;  // probe-nows of this attempt without an answer
  std::optional<Instant> waiting_until;    // set while an attempt runs
  std::vector<std::pair<AgentName, Verdict>> answers;  // of this attempt
  std::string last;  // what the worst answer of this attempt said, raw
  // Of a signal check.
  std::size_t samples = 0;
  std::optional<Instant> true_since;

  std::string detail;  // one line for people, raw and hostile: escape where shown
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

// A number that stands still (baseline.h): of a duration its microseconds.
struct Baseline {
  policy::Signal signal = policy::Signal::baseline_p95;
  ProbeKey probe;
  Duration window{};
  double value = 0;
};

struct RuleState {
  std::vector<std::optional<Instant>> true_since;  // per level
  std::optional<policy::SeverityIndex> severity;   // what it contributes now
  std::optional<Instant> lower_since;              // a lower severity lasts since
  bool undecided = false;                          // a level could not be evaluated
  // Of a rule with no_data: alert.
  std::optional<Instant> undecided_since;  // that alone is no news: a probe may be late
  bool no_data = false;  // the severity was raised because data is missing, not by a level
};
struct ServiceState {
  std::vector<RuleState> rules;
  std::optional<policy::SeverityIndex> severity;
  std::string because;  // the rule and level that decided
  Instant shown{};      // the first result that showed what the rule says
  bool blind = false;   // the severity stands though no rule says so now (data is missing, or
                        // keep_for): nothing is done
  // The severity was raised because data is missing: blind, but people are told.
  bool no_data = false;
  IncidentId open_incident;
  // A person resolved the incident while its rules held: another one is opened only for worse.
  std::optional<policy::SeverityIndex> dismissed;
  Instant evaluated{};
  IncidentId symptom_of;            // the incident that affects it, instead of one of its own
  std::optional<Instant> released;  // when that ceased to explain it: what is newer counts
  std::size_t hosts_noted = 0;      // failing ones of one probe, when Incident::hosts was filled
  FlapState flaps;
  std::optional<Instant> held_at;   // the baselines stand still since
  std::vector<Baseline> baselines;  // then; at most one per call in the service's rules
};

struct FactState {
  cel::Value value;
  std::string set_by;
  Instant set_at;
};

// A notification on its way.
struct PendingNotification {
  IncidentId incident;
  ReceiverName receiver;
  std::string what;  // to_string(NotificationKind)
};

// After a start (warm_up.h).
struct WarmUp {
  std::set<AgentName> away;   // awaited, and not back yet
  std::uint64_t awaited = 0;  // at the start
  Instant until{};            // nobody is awaited any longer
};

struct Counters {
  std::uint64_t results = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t late = 0;
  std::uint64_t unknown_probe = 0;
  std::uint64_t dropped_by_agents = 0;
  std::uint64_t missing = 0;  // sequence numbers that no batch has brought
};

struct State {
  std::shared_ptr<const policy::Policy> policy;
  std::shared_ptr<const Inputs> inputs;  // of that policy
  std::string policy_by;
  Instant policy_at{};
  PolicyHistory policy_history;  // the one in force last
  Instant now{};
  std::uint64_t epoch = 0;
  Instant started_at{};  // the last Started
  WarmUp warm_up;
  std::uint64_t next_id = 1;  // for actions, requests, notifications
  std::map<AgentName, AgentState> agents;
  std::map<ServiceName, std::set<AgentName>> vantages;  // AgentState::services, the other way round
  std::vector<ProbeTally> tallies;                      // by ProbeInputs::number
  std::vector<Window> windows;  // likewise, of all vantage points; no span: nobody asks
  std::map<ProbeKey, std::map<AgentName, Trail>> trails;  // of probes with ProbeInputs::trails
  std::map<ServiceName, int> present;  // of its vantages: attached, or awaited after a start
  std::map<ServiceName, ServiceState> services;
  std::map<std::pair<FactName, ServiceName>, FactState> facts;  // empty service: all
  std::map<IncidentId, Incident> incidents;                     // open, and the newest resolved
  std::deque<IncidentId> resolved_order;                        // oldest first, bounded
  std::map<ValidationId, Validation> validations;               // running, and the newest finished
  std::deque<ValidationId> finished_order;                      // oldest first, bounded
  std::map<RequestId, ValidationId> requests;     // probe-nows that a validation waits for
  std::map<RequestId, IncidentId> verifications;  // probe-nows that an incident waits for
  std::map<ActionId, IncidentId> actions_running;
  std::map<std::pair<ActionName, std::string>, Instant>
      action_last;  // per action and target: last order
  std::map<NotificationId, PendingNotification> notifications_pending;
  Quieting quieting;
  std::string last_incident_id;        // as its format gave it, before a suffix
  std::uint64_t same_incident_id = 0;  // how often in a row
  std::int64_t incident_day = 0;       // days since 1970, and the incidents opened on it
  std::uint64_t incidents_today = 0;
  std::set<ServiceName> dirty;         // an input of their rules changed
  Alarms<ServiceName> service_alarms;  // what time alone will change
  Alarms<IncidentId> incident_alarms;
  Alarms<ValidationId> validation_alarms;
  Alarms<AgentName> agent_alarms;  // when one that is away counts as silent
  std::set<AgentName> silent;      // those that do
  std::set<IncidentId> changed;    // by the step that just ran: what the store writes beside the
                                   // journal; cleared by step()
  Counters counters;
};

}  // namespace firebreak::core
