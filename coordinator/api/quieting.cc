// What is asked is judged by the core; here only what could not be journaled is refused.
#include "coordinator/api/quieting.h"

#include <firebreak/v1/operator.pb.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/text.h"
#include "coordinator/api/convert.h"
#include "coordinator/core/maintenance.h"
#include "coordinator/core/silences.h"
#include "proto/checker.h"

namespace firebreak::api {
namespace {

using wire::Checker;

constexpr std::size_t kIdBytesMax = 128;
constexpr int kMaintenanceInStatusMax = 100;
constexpr int kServicesShown = 20;  // of one, in the status
// Matchings for one list, which the owner thread waits for: some tens of milliseconds.
constexpr std::size_t kMatchingsMax = 200'000;

void check_begin(Checker& check, const std::string& reason, const std::string& request_id,
                 std::int64_t lasts_us, Duration most) {
  if (check.require(!reason.empty(), "reason", "is missing; say why"))
    check.text(reason, limits::kTextBytesMax, "reason");
  check.line(request_id, kIdBytesMax, "request_id");
  check.require(!request_id.empty(), "request_id",
                "is missing; send a new random one, and the same when trying again");
  check.duration(lasts_us, std::chrono::seconds(1), most, "lasts_us");
}

void check_quieting_id(Checker& check, const std::string& id) {
  if (check.require(!id.empty(), "id", "is missing")) check.line(id, kIdBytesMax, "id");
}

v1::Silence silence_to_proto(const core::State& state, const core::Silence& silence,
                             bool with_incidents = true) {
  v1::Silence out;
  out.set_id(silence.id.str());
  for (const core::Matcher& matcher : silence.matchers) out.add_matchers(shown_text(matcher.text));
  out.set_author(shown_text(silence.author));
  out.set_reason(shown_text(silence.reason));
  out.set_begins_unix_us(unix_us(silence.begins));
  out.set_ends_unix_us(unix_us(silence.ends));
  out.set_ended_by(shown_text(silence.ended_by));
  out.set_active(!silence.is_over);
  if (silence.is_over || !with_incidents) return out;
  for (const auto& [id, incident] : state.incidents)
    if (!incident.resolved && out.incidents_size() < static_cast<int>(limits::kListedMax) &&
        core::matches(silence, incident))
      out.add_incidents(id.str());
  return out;
}

v1::Maintenance maintenance_to_proto(const core::State& state,
                                     const core::Maintenance& maintenance) {
  v1::Maintenance out;
  out.set_id(maintenance.id.str());
  for (const ServiceName& service : maintenance.services) out.add_services(service.str());
  out.set_author(shown_text(maintenance.author));
  out.set_reason(shown_text(maintenance.reason));
  out.set_begins_unix_us(unix_us(maintenance.begins));
  out.set_ends_unix_us(unix_us(maintenance.ends));
  out.set_ended_by(shown_text(maintenance.ended_by));
  out.set_active(maintenance.ends > state.now);
  return out;
}

// As it is now, or as it will be next; without times when it does not happen any more.
v1::Maintenance window_to_proto(const core::State& state, const policy::MaintenanceWindow& window) {
  v1::Maintenance out;
  out.set_id(window.name);
  for (const ServiceName& service : window.services) out.add_services(service.str());
  out.set_author("policy");
  out.set_reason(shown_text(window.reason));
  out.set_every(shown_text(window.when.text()));
  auto span = window.when.at(state.now);
  out.set_active(span.has_value());
  if (!span)
    if (const auto next = window.when.next_begin(state.now)) span = window.when.at(*next);
  if (!span) return out;
  out.set_begins_unix_us(unix_us(span->begins));
  out.set_ends_unix_us(unix_us(span->ends));
  return out;
}

template <class Shown>
void sort_newest_first(Shown& shown) {
  std::stable_sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) {
    return a.begins_unix_us() > b.begins_unix_us();
  });
}

// What does not fit into one message is left out at the end.
template <class Reply, class Shown>
void keep_what_fits(const Reply& reply, Shown& shown) {
  while (!shown.empty() && reply.ByteSizeLong() > limits::kApiReplyBytesMax) shown.RemoveLast();
}

}  // namespace

Result<core::OperatorAsked> to_event(const std::string& by, const v1::AddSilenceRequest& request) {
  Checker check;
  check.count(static_cast<std::size_t>(request.matchers_size()), limits::kSilenceMatchersMax,
              "matchers");
  for (const std::string& matcher : request.matchers())
    check.line(matcher, limits::kMatcherBytesMax, "matchers");
  check_begin(check, request.reason(), request.request_id(), request.lasts_us(),
              limits::kSilenceTimeMax);
  if (check.failed()) return check.error();
  return core::OperatorAsked{
      by, core::AddSilence{{request.matchers().begin(), request.matchers().end()},
                           Duration{request.lasts_us()},
                           request.reason(),
                           request.request_id()}};
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::ExpireSilenceRequest& request) {
  Checker check;
  check_quieting_id(check, request.id());
  if (check.failed()) return check.error();
  return core::OperatorAsked{by, core::ExpireSilence{SilenceId(request.id())}};
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::StartMaintenanceRequest& request) {
  Checker check;
  check.count(static_cast<std::size_t>(request.services_size()), limits::kMaintenanceServicesMax,
              "services");
  core::StartMaintenance wish;
  for (const std::string& service : request.services()) {
    check.name(service, "services");
    wish.services.emplace_back(service);
  }
  check_begin(check, request.reason(), request.request_id(), request.lasts_us(),
              limits::kMaintenanceTimeMax);
  if (check.failed()) return check.error();
  wish.lasts = Duration{request.lasts_us()};
  wish.reason = request.reason();
  wish.request_id = request.request_id();
  return core::OperatorAsked{by, std::move(wish)};
}

Result<core::OperatorAsked> to_event(const std::string& by,
                                     const v1::EndMaintenanceRequest& request) {
  Checker check;
  check_quieting_id(check, request.id());
  if (check.failed()) return check.error();
  return core::OperatorAsked{by, core::EndMaintenance{MaintenanceId(request.id())}};
}

Result<> fill_silence(const core::State& state, const std::string& request_id, const SilenceId& id,
                      v1::Silence& out) {
  const core::Silence* found = core::find_silence(state, request_id);
  if (const auto named = state.quieting.silences.find(id);
      found == nullptr && named != state.quieting.silences.end())
    found = &named->second;
  if (found == nullptr)
    return make_error(Errc::internal, "this is committed, and the silence is gone already");
  out = silence_to_proto(state, *found);
  return {};
}

Result<> fill_maintenance(const core::State& state, const std::string& request_id,
                          const MaintenanceId& id, v1::Maintenance& out) {
  const core::Maintenance* found = core::find_maintenance(state, request_id);
  if (const auto named = state.quieting.by_people.find(id);
      found == nullptr && named != state.quieting.by_people.end())
    found = &named->second;
  if (found == nullptr)
    return make_error(Errc::internal, "this is committed, and the maintenance is gone already");
  out = maintenance_to_proto(state, *found);
  return {};
}

void fill_silences(const core::State& state, bool all, v1::ListSilencesResponse& out) {
  const auto& silences = state.quieting.silences;
  const bool with_incidents = silences.size() * state.incidents.size() <= kMatchingsMax;
  for (const auto& [id, silence] : silences)
    if (all || !silence.is_over)
      *out.add_silences() = silence_to_proto(state, silence, with_incidents);
  sort_newest_first(*out.mutable_silences());
  keep_what_fits(out, *out.mutable_silences());
}

void fill_maintenances(const core::State& state, bool all, v1::ListMaintenanceResponse& out) {
  for (const auto& [id, maintenance] : state.quieting.by_people)
    if (all || maintenance.ends > state.now)
      *out.add_maintenance() = maintenance_to_proto(state, maintenance);
  if (state.policy)
    for (const policy::MaintenanceWindow& window : state.policy->maintenance)
      if (all || window.when.at(state.now)) *out.add_maintenance() = window_to_proto(state, window);
  sort_newest_first(*out.mutable_maintenance());
  keep_what_fits(out, *out.mutable_maintenance());
}

void add_quieting(const core::State& state, const core::Incident& incident, v1::Incident& out) {
  if (incident.resolved) return;
  for (const core::Silence* silence : core::silences_of(state, incident))
    out.add_silenced_by(silence->id.str());
  if (const auto* maintenance = core::maintenance_of(state, incident.service))
    out.set_maintenance(maintenance->id);
  for (const auto& [receiver, held] : incident.held) out.add_not_told(receiver.str());
}

void add_quieting(const core::State& state, const ServiceName& service, v1::Service& out) {
  if (const auto* now = core::maintenance_of(state, service)) {
    v1::Maintenance& maintenance = *out.mutable_maintenance();
    maintenance.set_id(now->id);
    maintenance.set_author(now->author.empty() ? "policy" : shown_text(now->author));
    maintenance.set_reason(shown_text(now->reason));
    maintenance.set_begins_unix_us(unix_us(now->begins));
    maintenance.set_ends_unix_us(unix_us(now->ends));
    maintenance.set_active(true);
  }
  const auto found = state.services.find(service);
  if (found != state.services.end() && found->second.flaps.since)
    out.set_flapping_since_unix_us(unix_us(*found->second.flaps.since));
}

void add_quieting(const core::State& state, v1::GetStatusResponse& out) {
  const auto& silences = state.quieting.silences;
  out.set_silences(static_cast<std::uint32_t>(std::count_if(
      silences.begin(), silences.end(), [](const auto& one) { return !one.second.is_over; })));
  out.set_services_flapping(static_cast<std::uint32_t>(
      std::count_if(state.services.begin(), state.services.end(),
                    [](const auto& one) { return one.second.flaps.since.has_value(); })));
  v1::ListMaintenanceResponse all;
  fill_maintenances(state, false, all);
  for (v1::Maintenance& one : *all.mutable_maintenance()) {
    if (out.maintenance_size() == kMaintenanceInStatusMax) break;
    while (one.services_size() > kServicesShown) one.mutable_services()->RemoveLast();
    *out.add_maintenance() = std::move(one);
  }
}

}  // namespace firebreak::api
