// The words for the core's enumerations: on timelines, in the API and in reports.
#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"

namespace firebreak::core {

const char* to_string(NotificationKind kind) {
  switch (kind) {
    case NotificationKind::opened:
      return "opened";
    case NotificationKind::severity_changed:
      return "severity_changed";
    case NotificationKind::acknowledged:
      return "acknowledged";
    case NotificationKind::action:
      return "action";
    case NotificationKind::update_due:
      return "update_due";
    case NotificationKind::acknowledge_overdue:
      return "acknowledge_overdue";
    case NotificationKind::resolve_overdue:
      return "resolve_overdue";
    case NotificationKind::validation_failed:
      return "validation_failed";
    case NotificationKind::resolved:
      return "resolved";
    case NotificationKind::escalated:
      return "escalated";
    case NotificationKind::flapping:
      return "flapping";
  }
  return "?";
}

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::investigating:
      return "investigating";
    case Phase::identified:
      return "identified";
    case Phase::monitoring:
      return "monitoring";
    case Phase::resolved:
      return "resolved";
  }
  return "?";
}

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::running:
      return "running";
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::inconclusive:
      return "inconclusive";
  }
  return "?";
}

bool is_final(ActionState state) {
  return state != ActionState::ordered && state != ActionState::started;
}

const char* to_string(ActionState state) {
  switch (state) {
    case ActionState::ordered:
      return "ordered";
    case ActionState::started:
      return "started";
    case ActionState::succeeded:
      return "succeeded";
    case ActionState::failed:
      return "failed";
    case ActionState::timed_out:
      return "timed_out";
    case ActionState::refused:
      return "refused";
    case ActionState::unknown:
      return "unknown";
  }
  return "?";
}

}  // namespace firebreak::core
