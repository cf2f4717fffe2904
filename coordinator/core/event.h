// Everything that can happen to the coordinator. Journaled in this form; state is a fold over it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/observation.h"
#include "common/time.h"
#include "coordinator/policy/policy.h"

namespace firebreak::core {

// Incarnations and sequence numbers make ingest idempotent: see ResultsReceived.
struct AgentAttached {
  AgentName agent;  // from the certificate
  std::uint64_t incarnation = 0;
  std::string version;
  std::map<std::string, std::string> labels;
  Duration clock_skew{};  // agent's wall minus ours, for showing
  std::vector<std::string> actions;
};
struct AgentDetached {
  AgentName agent;
  std::uint64_t incarnation = 0;
  std::string reason;
};

struct SeriesDefined {
  std::uint32_t ref = 0;
  ProbeKey key;
};
struct ResultRow {
  std::uint32_t ref = 0;  // a series that this incarnation has defined
  Instant observed;       // when the run started, on the coordinator's time line
  bool confirmed = true;
  Observation observation;
};
// Result i has sequence number first_seq + i; what is at or below the agent's last one is a
// duplicate and has no effect.
struct ResultsReceived {
  AgentName agent;
  std::uint64_t incarnation = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t dropped_before = 0;
  std::vector<SeriesDefined> series;
  std::vector<ResultRow> rows;
};

struct ProbeNowFinished {
  AgentName agent;
  RequestId request;
  Observation observation;
};

enum class ActionState { ordered, started, succeeded, failed, timed_out, refused, unknown };
[[nodiscard]] const char* to_string(ActionState state);
// Nothing comes after it, but what corrects `unknown`.
[[nodiscard]] bool is_final(ActionState state);
struct ActionReported {
  ActionId action;
  std::string reporter;  // agent:NAME or engine
  ActionState state = ActionState::unknown;
  int exit_code = 0;  // of a process; the HTTP status of an http action
  std::string output;
  std::uint64_t output_dropped_bytes = 0;
  Duration took{};
  std::string detail;
};

// When its commit was done the order's time or its reason was over: it was not sent, and never will
// be.
struct OrderLapsed {
  ActionId action;
};

struct NotificationFinished {
  NotificationId notification;
  bool delivered = false;  // false: given up for good
  int attempts = 0;
  std::string detail;
};

// What a person or program asked for; `by` is the operator's name from the certificate.
struct AcknowledgeIncident {
  IncidentId incident;
  std::string note;
};
struct AddNote {
  IncidentId incident;
  std::string text;
  std::string phase;
};
struct DeclareIncident {
  ServiceName service;
  policy::SeverityIndex severity = 0;
  std::string title;
  std::string request_id;
};
struct ResolveIncident {
  IncidentId incident;
  std::string reason;
};
// For a while the incident is as severe as a person says; no severity: the rules decide again.
struct OverrideSeverity {
  IncidentId incident;
  std::optional<policy::SeverityIndex> severity;
  std::string reason;
  Duration lasts{};
};
struct StepDone {
  IncidentId incident;
  std::uint32_t step = 0;  // its number
  std::string note;
};
struct SetFact {
  FactName fact;
  ServiceName service;
  cel::Value value;
};
struct ClearFact {
  FactName fact;
  ServiceName service;
};
struct StartValidation {
  ValidationId id;
  ServiceName service;
};  // id: given by the caller
struct CancelValidation {
  ValidationId id;
};  // the one who asked is gone
struct AddSilence {
  std::vector<std::string> matchers;  // as parse_matcher() (silences.h) reads them
  Duration lasts{};
  std::string reason;
  std::string request_id;
};
struct ExpireSilence {
  SilenceId silence;
};
struct StartMaintenance {
  std::vector<ServiceName> services;
  Duration lasts{};
  std::string reason;
  std::string request_id;
};
struct EndMaintenance {
  MaintenanceId maintenance;
};
// Of an agent that is not attached: nothing is known of it any more.
struct ForgetAgent {
  AgentName agent;
};
struct OperatorAsked {
  std::string by;
  std::variant<AcknowledgeIncident, AddNote, DeclareIncident, ResolveIncident, SetFact, ClearFact,
               StartValidation, CancelValidation, ForgetAgent, AddSilence, ExpireSilence,
               StartMaintenance, EndMaintenance, OverrideSeverity, StepDone>
      what;
};

struct PolicyChanged {
  std::shared_ptr<const policy::Policy> policy;  // journaled as its files
  std::string by;
  // The digest that must be in force, asked by admissible(); empty: any. Not journaled.
  std::string replaces{};
};

// The process (re)started with this epoch: agents are not attached any more, http actions that ran
// are unknown now.
struct Started {
  std::uint64_t epoch = 0;
};
// Time passed; sent when next_wake() says so.
struct Tick {};

using Event =
    std::variant<AgentAttached, AgentDetached, ResultsReceived, ProbeNowFinished, ActionReported,
                 NotificationFinished, OperatorAsked, PolicyChanged, Started, Tick, OrderLapsed>;

}  // namespace firebreak::core
