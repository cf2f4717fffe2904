// Maintenance: planned work on services. While it lasts no incident is opened for them, no action
// is begun and nobody is told; probing, history and the end of open incidents go on. What is still
// wrong when it ends is an incident then.
#pragma once

#include <map>
#include <string>

#include "common/result.h"
#include "coordinator/core/turn.h"

namespace firebreak::core {

// The one that the service is in; null: none.
[[nodiscard]] const MaintenanceNow* maintenance_of(const State& state, const ServiceName& service);
// "mnt-3 (anna: upgrade) until 2026-11-22 04:00:00 UTC"
[[nodiscard]] std::string describe(const MaintenanceNow& maintenance);

[[nodiscard]] Result<> may_start_maintenance(const State& state, const StartMaintenance& wish);
[[nodiscard]] Result<> may_end_maintenance(const State& state, const EndMaintenance& wish);
void start_maintenance(Turn& turn, const StartMaintenance& wish, const std::string& by);
void end_maintenance(Turn& turn, const EndMaintenance& wish, const std::string& by);
// Of an earlier try of the same request; null: there was none.
[[nodiscard]] const Maintenance* find_maintenance(const State& state,
                                                  const std::string& request_id);

// Whether the playbook's time stands still: its stages count on where they stopped.
bool follow_pause(Turn& turn, Incident& incident);

// What State::now has: begun by people, and of the policy.
[[nodiscard]] std::map<ServiceName, MaintenanceNow> maintenance_in_force(const State& state);
// Brings Quieting::maintenance up to date, and does what its changes ask for.
void follow_maintenance(Turn& turn);

}  // namespace firebreak::core
