// Everything the core can ask of the world. Runs only after the transaction that decided it is
// committed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "common/ids.h"
#include "common/probe_spec.h"
#include "common/time.h"
#include "coordinator/core/timeline_entry.h"
#include "coordinator/policy/policy.h"

namespace firebreak::core {

// The agent's whole assignment changed (policy, labels, attach): send State's
// assignment_for(agent). Not durable.
struct SendAssignment {
  AgentName agent;
};
// Not durable: a request that gets no answer by its deadline counts as unknown.
struct SendProbeNow {
  AgentName agent;
  RequestId request;
  ProbeKey key;
  ProbeSpec spec;
};

// Durable (outbox): an order is sent, and sent again after a reconnect or restart, until an outcome
// is committed or it expires; the host runs an id at most once. It expires before the results it
// stands on are stale: how long the commit and the way took, nobody can know beforehand.
struct OrderHostAction {
  ActionId action;
  AgentName agent;
  std::string entry;
  std::map<std::string, std::string> parameters;
  Instant expires;
  IncidentId incident;
  std::string reason;
};
// Durable: tried at most once, and not begun after it expires; a restart in the middle makes it
// unknown.
struct RunHttpAction {
  ActionId action;
  policy::HttpAction http;
  Duration timeout{};
  IncidentId incident;
  Instant expires{};
};
enum class NotificationKind {
  opened,
  severity_changed,
  acknowledged,
  action,
  update_due,
  acknowledge_overdue,
  resolve_overdue,
  validation_failed,
  resolved,
  escalated,
  flapping
};
// Durable: delivered at least once under one dedup key (the incident's id).
struct SendNotification {
  NotificationId notification;
  ReceiverName receiver;
  policy::Receiver how;  // as the policy said when it was decided
  NotificationKind kind = NotificationKind::opened;
  IncidentId incident;
  std::string severity;
  ServiceName service;
  std::string title;  // plain text, hostile parts not yet escaped
  std::string text;
  Instant at;
};
// The outcome of this action is committed: its host may forget it. Not durable (the host asks
// again).
struct ConfirmOutcome {
  AgentName agent;
  ActionId action;
};
// For watchers. Not durable. The entry itself: its place on the timeline may change before it is
// published, when the middle of a long one is cut.
struct PublishEntry {
  IncidentId incident;
  ServiceName service;
  TimelineEntry entry;
};
struct PublishValidation {
  ValidationId validation;
};

using Effect = std::variant<SendAssignment, SendProbeNow, OrderHostAction, RunHttpAction,
                            SendNotification, ConfirmOutcome, PublishEntry, PublishValidation>;

[[nodiscard]] const char* to_string(NotificationKind kind);

}  // namespace firebreak::core
