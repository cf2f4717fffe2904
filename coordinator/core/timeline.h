// What is said about an incident: on its timeline, and to those who must hear it.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "coordinator/core/turn.h"

namespace firebreak::core {

// Who acts when no person and no agent did.
inline constexpr const char* kEngine = "engine";

// Appends and publishes; cuts the middle of a timeline that is too long, counted.
void add_entry(Turn& turn, Incident& incident, const char* kind, std::string actor,
               std::string text, std::string detail = {});

// Those of the incident's severity, and of all that is about agents.
[[nodiscard]] std::set<ReceiverName> receivers_of(const policy::Policy& policy,
                                                  const Incident& incident);

// To those receivers, who are from now on told; the end, to all who were
// told. `what` is one line: what happened. Who must not be told now is later (held.h).
void notify(Turn& turn, Incident& incident, NotificationKind kind, const std::string& what);

// To these receivers, unless something holds it back. There is a policy.
void tell(Turn& turn, Incident& incident, NotificationKind kind, const std::string& what,
          std::set<ReceiverName> receivers);
// To one, whatever would hold it back; a receiver that the policy does not have is passed over.
void tell(Turn& turn, Incident& incident, const ReceiverName& name, NotificationKind kind,
          const std::string& what);

void notification_finished(Turn& turn, const NotificationFinished& event);

}  // namespace firebreak::core
