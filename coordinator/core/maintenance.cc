// Which services are in maintenance now, and what its beginning and its end do to incidents.
#include "coordinator/core/maintenance.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {
namespace {

using InForce = std::map<ServiceName, MaintenanceNow>;

// Of several the one that ends last; of those that end together the first.
void add(InForce& all, const ServiceName& service, const MaintenanceNow& one) {
  const auto [found, is_new] = all.try_emplace(service, one);
  if (!is_new && one.ends > found->second.ends) found->second = one;
}

std::string actor_of(const MaintenanceNow& maintenance) {
  return maintenance.author.empty() ? kEngine : "operator:" + maintenance.author;
}

void begun(Turn& turn, const ServiceName& service, const MaintenanceNow& maintenance) {
  Incident* incident = open_incident_of(turn.state, service);
  if (incident == nullptr) return;
  add_entry(turn, *incident, "maintenance", actor_of(maintenance),
            "in maintenance " + describe(maintenance) + ": nobody is told, no action begins");
  turn.attend.insert(incident->id);
}

// A fault that is still there gets its incident now.
void ended(Turn& turn, const ServiceName& service, const MaintenanceNow& maintenance) {
  State& state = turn.state;
  if (Incident* incident = open_incident_of(state, service)) {
    add_entry(turn, *incident, "maintenance", kEngine,
              "maintenance " + maintenance.id + " is over");
    turn.attend.insert(incident->id);
    return;
  }
  if (!state.policy || state.policy->find_service(service) == nullptr) return;
  service_judged(turn, service);
  if (Incident* incident = open_incident_of(state, service))
    add_entry(turn, *incident, "maintenance", actor_of(maintenance),
              "not opened before: in maintenance " + describe(maintenance));
}

Result<> fits(const StartMaintenance& wish) {
  if (wish.services.empty() || wish.services.size() > limits::kMaintenanceServicesMax)
    return make_error(Errc::invalid_argument, "name 1 to " +
                                                  std::to_string(limits::kMaintenanceServicesMax) +
                                                  " services that are worked on");
  if (wish.reason.empty())
    return make_error(Errc::invalid_argument, "say why: maintenance needs a reason");
  if (wish.reason.size() > limits::kTextBytesMax)
    return make_error(Errc::invalid_argument,
                      "the reason has " + std::to_string(wish.reason.size()) + " bytes; at most " +
                          std::to_string(limits::kTextBytesMax) + " are kept");
  if (wish.lasts < limits::kMaintenanceTimeMin || wish.lasts > limits::kMaintenanceTimeMax)
    return make_error(Errc::invalid_argument,
                      "maintenance lasts " + format_duration(limits::kMaintenanceTimeMin) + " to " +
                          format_duration(limits::kMaintenanceTimeMax) + ", not " +
                          format_duration(wish.lasts));
  return {};
}

}  // namespace

const MaintenanceNow* maintenance_of(const State& state, const ServiceName& service) {
  const auto found = state.quieting.maintenance.find(service);
  return found == state.quieting.maintenance.end() ? nullptr : &found->second;
}

std::string describe(const MaintenanceNow& maintenance) {
  return maintenance.id + " (" + (maintenance.author.empty() ? "the policy" : maintenance.author) +
         ": " + maintenance.reason + ") until " + format_utc(maintenance.ends) + " UTC";
}

const Maintenance* find_maintenance(const State& state, const std::string& request_id) {
  if (request_id.empty()) return nullptr;
  for (const auto& [id, maintenance] : state.quieting.by_people)
    if (maintenance.request_id == request_id) return &maintenance;
  return nullptr;
}

Result<> may_start_maintenance(const State& state, const StartMaintenance& wish) {
  if (find_maintenance(state, wish.request_id) != nullptr) return {};
  for (const ServiceName& service : wish.services)
    if (!state.policy || state.policy->find_service(service) == nullptr)
      return make_error(Errc::not_found, "the policy has no service \"" + service.str() +
                                             "\"; `firebreak services` lists them");
  if (const auto fine = fits(wish); !fine) return fine.error();
  const auto& all = state.quieting.by_people;
  const auto in_force = std::count_if(all.begin(), all.end(),
                                      [&](const auto& one) { return one.second.ends > state.now; });
  if (static_cast<std::size_t>(in_force) < limits::kMaintenancesMax) return {};
  return make_error(Errc::resource_exhausted,
                    "maintenance was begun " + std::to_string(limits::kMaintenancesMax) +
                        " times and is not over; end some of it first (`firebreak maintenance "
                        "list`)");
}

Result<> may_end_maintenance(const State& state, const EndMaintenance& wish) {
  const auto found = state.quieting.by_people.find(wish.maintenance);
  if (found != state.quieting.by_people.end()) {
    if (found->second.ends > state.now) return {};
    return make_error(Errc::failed_precondition, "maintenance " + wish.maintenance.str() +
                                                     " was over at " +
                                                     format_utc(found->second.ends) + " UTC");
  }
  if (state.policy)
    for (const policy::MaintenanceWindow& window : state.policy->maintenance)
      if (window.name == wish.maintenance.str())
        return make_error(
            Errc::failed_precondition,
            "\"" + window.name + "\" is a window of the policy; change the policy to end it");
  return make_error(Errc::not_found, "there is no maintenance \"" + wish.maintenance.str() +
                                         "\"; `firebreak maintenance list` lists it");
}

void start_maintenance(Turn& turn, const StartMaintenance& wish, const std::string& by) {
  if (find_maintenance(turn.state, wish.request_id) != nullptr) return;
  const MaintenanceId id(turn.next_id("mnt"));
  turn.state.quieting.by_people[id] = {
      id, wish.services, by, wish.reason, wish.request_id, turn.now, turn.now + wish.lasts, {}};
  follow_quieting(turn);
}

void end_maintenance(Turn& turn, const EndMaintenance& wish, const std::string& by) {
  Maintenance& maintenance = turn.state.quieting.by_people.at(wish.maintenance);
  maintenance.ends = turn.now;
  maintenance.ended_by = by;
  follow_quieting(turn);
}

bool follow_pause(Turn& turn, Incident& incident) {
  PlaybookRun& playbook = *incident.playbook;
  const bool pauses = maintenance_of(turn.state, incident.service) != nullptr;
  if (pauses && !playbook.paused) playbook.paused = turn.now;
  if (!pauses && playbook.paused) {
    playbook.since += turn.now - *playbook.paused;
    playbook.paused.reset();
  }
  return pauses;
}

InForce maintenance_in_force(const State& state) {
  InForce all;
  for (const auto& [id, one] : state.quieting.by_people)
    if (one.ends > state.now)
      for (const ServiceName& service : one.services)
        add(all, service, {id.str(), one.author, one.reason, one.begins, one.ends});
  if (!state.policy) return all;
  for (const policy::MaintenanceWindow& window : state.policy->maintenance)
    if (const auto span = window.when.at(state.now))
      for (const ServiceName& service : window.services)
        add(all, service, {window.name, {}, window.reason, span->begins, span->ends});
  return all;
}

void follow_maintenance(Turn& turn) {
  // What it was is needed still, for what has ended.
  const InForce before =
      std::exchange(turn.state.quieting.maintenance, maintenance_in_force(turn.state));
  const InForce now = turn.state.quieting.maintenance;
  for (const auto& [service, maintenance] : now)
    if (!before.contains(service)) begun(turn, service, maintenance);
  for (const auto& [service, maintenance] : before)
    if (!now.contains(service)) ended(turn, service, maintenance);
}

}  // namespace firebreak::core
