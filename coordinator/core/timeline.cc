// Timelines are bounded; notifications hold all that their text needs, for they may be sent much
// later.
#include "coordinator/core/timeline.h"

#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/held.h"
#include "coordinator/core/manual_steps.h"
#include "coordinator/core/symptoms.h"

namespace firebreak::core {

namespace {

// Only before the first entry of a step: what was published in it keeps its index.
void cut_middle(Incident& incident) {
  std::vector<TimelineEntry>& timeline = incident.timeline;
  if (timeline.size() <= limits::kTimelineEntriesMax) return;
  const std::size_t excess = timeline.size() - limits::kTimelineEntriesMax;
  const auto middle =
      timeline.begin() + static_cast<std::ptrdiff_t>(limits::kTimelineEntriesMax / 2);
  timeline.erase(middle, middle + static_cast<std::ptrdiff_t>(excess));
  incident.timeline_dropped += excess;
}

std::string title_of(const Incident& incident, const std::string& severity, NotificationKind kind,
                     const std::string& what) {
  const std::string subject = severity + " " + incident.service.str() + ": ";
  switch (kind) {
    case NotificationKind::opened:
      return subject + incident.title;
    case NotificationKind::update_due:
      return subject + "an update is due";
    case NotificationKind::acknowledge_overdue:
      return subject + "nobody has acknowledged";
    case NotificationKind::resolve_overdue:
      return subject + "not resolved in time";
    case NotificationKind::validation_failed:
      return subject + "recovery is not proven";
    case NotificationKind::resolved:
      return subject + "resolved";
    case NotificationKind::severity_changed:
    case NotificationKind::acknowledged:
    case NotificationKind::action:
    case NotificationKind::escalated:
    case NotificationKind::flapping:
      break;
  }
  return subject + what;
}

std::string text_of(const Incident& incident, const std::string& what, Instant now) {
  std::string text = what + "\n" + incident.id.str() + ": " + incident.title + "\n";
  text += "Opened " + format_utc(incident.opened) + " UTC, " +
          humanize_duration(now - incident.opened) + " ago; " + to_string(incident.phase);
  text += incident.acknowledged ? ", acknowledged by " + incident.acknowledged_by
                                : std::string(", not acknowledged");
  if (!incident.causes.empty()) {
    text += "\nMay be a symptom of " + incident.causes.begin()->str();
    if (incident.causes.size() > 1)
      text += " and " + std::to_string(incident.causes.size() - 1) + " more";
  }
  if (const std::string affected = describe_affected(incident); !affected.empty())
    text += "\nAlso affected: " + affected;
  if (const std::string hosts = describe_hosts(incident); !hosts.empty())
    text += "\nHosts: " + hosts;
  const std::string steps = incident.resolved ? std::string() : to_do(incident);
  if (!steps.empty()) text += "\nTo do: " + steps;
  return text;
}

}  // namespace

void add_entry(Turn& turn, Incident& incident, const char* kind, std::string actor,
               std::string text, std::string detail) {
  if (turn.state.changed.insert(incident.id).second) cut_middle(incident);
  incident.timeline.push_back(
      {turn.now, kind, std::move(actor), std::move(text), std::move(detail)});
  turn.emit(PublishEntry{incident.id, incident.service, incident.timeline.back()});
}

std::set<ReceiverName> receivers_of(const policy::Policy& policy, const Incident& incident) {
  std::set<ReceiverName> receivers;
  if (incident.severity && *incident.severity < policy.severities.size()) {
    const auto& wanted = policy.severities[*incident.severity].notify;
    receivers.insert(wanted.begin(), wanted.end());
  }
  if (policy.is_agents_service(incident.service))
    receivers.insert(policy.agent_watch->notify.begin(), policy.agent_watch->notify.end());
  return receivers;
}

void notify(Turn& turn, Incident& incident, NotificationKind kind, const std::string& what) {
  if (!turn.state.policy) return;
  std::set<ReceiverName> receivers = receivers_of(*turn.state.policy, incident);
  if (kind == NotificationKind::resolved || kind == NotificationKind::severity_changed)
    receivers.insert(incident.told.begin(), incident.told.end());
  tell(turn, incident, kind, what, std::move(receivers));
}

void tell(Turn& turn, Incident& incident, NotificationKind kind, const std::string& what,
          std::set<ReceiverName> receivers) {
  const auto& known = turn.state.policy->receivers;
  std::erase_if(receivers, [&](const ReceiverName& name) { return !known.contains(name); });
  if (const auto obstacle = obstacle_to(turn.state, incident, kind))
    hold_back(turn, incident, kind, receivers, *obstacle);
  for (const ReceiverName& name : receivers) tell(turn, incident, name, kind, what);
  turn.state.changed.insert(incident.id);
}

void tell(Turn& turn, Incident& incident, const ReceiverName& name, NotificationKind kind,
          const std::string& what) {
  const auto& known = turn.state.policy->receivers;
  const auto receiver = known.find(name);
  if (receiver == known.end()) return;
  incident.told.insert(name);
  if (kind == NotificationKind::opened || kind == NotificationKind::severity_changed)
    incident.held.erase(name);  // who hears how it is now is owed nothing
  SendNotification send;
  send.notification = NotificationId(turn.next_id("ntf"));
  send.receiver = name;
  send.how = receiver->second;
  send.kind = kind;
  send.incident = incident.id;
  send.severity = turn.state.policy->severity_in(receiver->second.scheme, incident.severity,
                                                 incident.severity_name);
  send.service = incident.service;
  send.title = title_of(incident, send.severity, kind, what);
  send.text = text_of(incident, what, turn.now);
  send.at = turn.now;
  turn.state.notifications_pending[send.notification] = {incident.id, name, to_string(kind)};
  turn.emit(std::move(send));
}

void notification_finished(Turn& turn, const NotificationFinished& event) {
  State& state = turn.state;
  const auto pending = state.notifications_pending.find(event.notification);
  if (pending == state.notifications_pending.end()) return;
  const PendingNotification notification = pending->second;
  state.notifications_pending.erase(pending);
  const auto incident = state.incidents.find(notification.incident);
  if (incident == state.incidents.end()) return;
  const std::string tries =
      event.attempts > 1 ? " after " + std::to_string(event.attempts) + " attempts" : "";
  const std::string about = notification.receiver.str() + " of \"" + notification.what + "\"";
  add_entry(turn, incident->second, "notification", kEngine,
            event.delivered ? "told " + about + tries : "could not tell " + about + tries,
            to_valid_utf8(event.detail, limits::kTextBytesMax));
}

}  // namespace firebreak::core
