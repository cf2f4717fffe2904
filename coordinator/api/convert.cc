// Copies state into the operator API's messages.
#include "coordinator/api/convert.h"

#include <firebreak/v1/operator.pb.h>

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "common/fit.h"
#include "common/limits.h"
#include "common/text.h"
#include "coordinator/api/quieting.h"
#include "coordinator/core/step.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/warm_up.h"
#include "proto/wire.h"

namespace firebreak::api {
namespace {

// A message's share for each of its long parts.
constexpr std::size_t kTimelineBytesMax = limits::kApiReplyBytesMax * 2 / 3;
constexpr std::size_t kOutputsBytesMax = limits::kApiReplyBytesMax / 4;
constexpr std::size_t kEntryOverhead = 8;  // of one entry of a list
constexpr int kWorstServicesShown = 100;
constexpr std::size_t kEvidenceShown = 200;  // among many services

std::int64_t unix_us_or_zero(const std::optional<Instant>& at) {
  return at ? unix_us(*at) : 0;
}

v1::ActionState action_state(core::ActionState state) {
  switch (state) {
    case core::ActionState::ordered:
      return v1::ACTION_STATE_UNSPECIFIED;  // nothing is known of it; `pending` says so
    case core::ActionState::started:
      return v1::ACTION_STATE_STARTED;
    case core::ActionState::succeeded:
      return v1::ACTION_STATE_SUCCEEDED;
    case core::ActionState::failed:
      return v1::ACTION_STATE_FAILED;
    case core::ActionState::timed_out:
      return v1::ACTION_STATE_TIMED_OUT;
    case core::ActionState::refused:
      return v1::ACTION_STATE_REFUSED;
    case core::ActionState::unknown:
      break;
  }
  return v1::ACTION_STATE_UNKNOWN;
}

v1::Verdict verdict(core::Verdict verdict) {
  switch (verdict) {
    case core::Verdict::running:
      return v1::VERDICT_UNSPECIFIED;
    case core::Verdict::passed:
      return v1::VERDICT_PASSED;
    case core::Verdict::failed:
      return v1::VERDICT_FAILED;
    case core::Verdict::inconclusive:
      break;
  }
  return v1::VERDICT_INCONCLUSIVE;
}

v1::ActionRun action_to_proto(const core::ActionRun& run, Detail detail) {
  v1::ActionRun out;
  out.set_id(run.id.str());
  out.set_name(run.name.str());
  out.set_target(shown_text(run.target));
  out.set_state(action_state(run.state));
  out.set_pending(run.state == core::ActionState::ordered);
  out.set_exit_code(run.exit_code);
  if (detail == Detail::full) out.set_output(shown_text(run.output));
  out.set_ordered_unix_us(unix_us(run.ordered));
  out.set_finished_unix_us(unix_us_or_zero(run.finished));
  out.set_detail(shown_text(run.detail));
  return out;
}

void add_timeline(const core::Incident& incident, v1::Incident& out) {
  std::vector<std::size_t> sizes;
  for (const core::TimelineEntry& entry : incident.timeline)
    sizes.push_back(64 + std::min(entry.text.size(), limits::kTextBytesMax) +
                    std::min(entry.detail.size(), limits::kTextBytesMax));
  const Ends ends = fit_ends(sizes, kTimelineBytesMax);
  for (std::size_t i = 0; i < incident.timeline.size(); ++i)
    if (i < ends.head || i >= ends.tail) *out.add_timeline() = to_proto(incident.timeline[i]);
  out.set_timeline_dropped(incident.timeline_dropped + ends.left_out());
}

void add_scope(const core::Incident& incident, Detail detail, v1::Incident& out) {
  for (const auto& [service, affected] : incident.affected) {
    if (detail == Detail::summary && affected.until) continue;
    v1::Incident::Affected& shown = *out.add_affected();
    shown.set_service(service.str());
    shown.set_severity(shown_text(affected.severity));
    shown.set_since_unix_us(unix_us(affected.since));
    shown.set_until_unix_us(unix_us_or_zero(affected.until));
    shown.set_incident(affected.own.str());
  }
  for (const IncidentId& cause : incident.causes) out.add_causes(cause.str());
  out.set_hosts_more(incident.hosts_more);
  if (detail == Detail::summary) return;
  for (const AgentName& host : incident.hosts) out.add_hosts(host.str());
  for (const IncidentId& symptom : incident.symptoms) out.add_symptoms(symptom.str());
}

void add_vantage(const core::SeriesState& series, const AgentName& agent, Detail detail,
                 v1::Service::Probe& out) {
  const Observation& seen = series.confirmed_by;
  v1::Service::Vantage& vantage = *out.add_vantages();
  vantage.set_agent(agent.str());
  // An agent that has not been heard since it attached tells nothing.
  vantage.set_status(wire::to_proto(series.live ? series.confirmed : Status::unknown));
  vantage.set_reason(to_string(seen.reason));
  vantage.set_latency_us(seen.latency.count());
  vantage.set_observed_unix_us(unix_us(series.observed - series.ahead));
  const std::size_t evidence_max =
      detail == Detail::full ? limits::kEvidenceBytesMax : kEvidenceShown;
  if (detail == Detail::full || series.confirmed != Status::ok)
    vantage.set_evidence(to_valid_utf8(seen.evidence, evidence_max));
  for (const NamedValue& value : seen.values) {
    v1::NamedValue& named = *vantage.add_values();
    named.set_name(value.name);
    named.set_value(value.value);
  }
}

void add_probe(const core::State& state, const ProbeKey& key, const policy::Probe& probe,
               Detail detail, v1::Service& out) {
  v1::Service::Probe& shown = *out.add_probes();
  shown.set_name(probe.name.str());
  shown.set_kind(kind_name(probe.spec.kind));
  shown.set_target(shown_text(describe_target(probe.spec.kind)));
  shown.set_status(wire::to_proto(core::probe_status(state, key)));
  shown.set_every_us(probe.spec.every.count());
  core::each_vantage(state, key,
                     [&](const core::AgentState& agent, const core::SeriesState& series) {
                       add_vantage(series, agent.name, detail, shown);
                     });
}

void set_value(const cel::Value& value, v1::FactValue& out) {
  using Kind = cel::Value::Kind;
  // A fact has no other type.
  if (value.is(Kind::boolean))
    out.set_bool_value(value.as_bool());
  else if (value.is(Kind::integer))
    out.set_int_value(value.as_int());
  else if (value.is(Kind::real))
    out.set_double_value(value.as_double());
  else if (value.is(Kind::string))
    out.set_string_value(shown_text(value.as_string()));
}

const std::vector<policy::Check>* checklist_of(const core::Validation& validation) {
  if (!validation.policy) return nullptr;
  const policy::Service* service = validation.policy->find_service(validation.service);
  return service == nullptr ? nullptr : &service->checklist;
}

// What the policy says of a check: its name and its goals.
void describe_check(const policy::Check& check, v1::CheckProgress& out) {
  out.set_name(shown_text(check.name));
  if (const auto* probe = std::get_if<policy::ProbeCheck>(&check.what))
    out.set_attempts_max(static_cast<std::uint32_t>(std::max(probe->attempts, 0)));
  else
    out.set_hold_us(std::get<policy::SignalCheck>(check.what).hold.count());
}

Result<> check_size(std::size_t bytes, const std::string& advice) {
  if (bytes <= limits::kApiReplyBytesMax) return {};
  return make_error(Errc::resource_exhausted,
                    "the answer has " + std::to_string(bytes) + " bytes, at most " +
                        std::to_string(limits::kApiReplyBytesMax) + " travel; " + advice);
}

Error unknown_service(const core::State& state, const ServiceName& name) {
  std::vector<std::string> names;
  if (state.policy)
    for (const auto& [known, service] : state.policy->services) names.push_back(known.str());
  const std::string meant = did_you_mean(name.str(), names);
  return make_error(Errc::not_found, "the policy has no service '" + name.str() + "'" +
                                         (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

// Shows `all` from where the page begins until it or the message is full; true: there are more.
// `show` is told how many bytes there are already.
template <class Map, class Show, class Shown>
bool fill_page(const Map& all, const Page<typename Map::key_type>& page, const Show& show,
               google::protobuf::RepeatedPtrField<Shown>& out) {
  const std::size_t limit = page.limit == 0 ? all.size() : page.limit;
  std::size_t bytes = 0;
  auto next = all.upper_bound(page.after);
  for (; next != all.end() && static_cast<std::size_t>(out.size()) < limit; ++next) {
    Shown shown = show(next->second, bytes);
    bytes += shown.ByteSizeLong() + kEntryOverhead;
    if (bytes > limits::kApiReplyBytesMax && !out.empty()) return true;
    *out.Add() = std::move(shown);
  }
  return next != all.end();
}

template <class Name, class Response>
Result<> check_page(const Page<Name>& page, const Response& out, const std::string& advice) {
  if (page.limit == 0 && out.more())
    return make_error(Errc::resource_exhausted, "the list has more than the " +
                                                    std::to_string(limits::kApiReplyBytesMax) +
                                                    " bytes that travel in one answer; " + advice);
  return check_size(out.ByteSizeLong(), advice);
}

// The smaller, the sooner somebody must look; what is over comes last.
std::size_t urgency(const core::Incident& incident) {
  constexpr std::size_t kLast = std::numeric_limits<std::size_t>::max();
  if (incident.resolved) return kLast;
  return incident.severity.value_or(kLast - 1);
}

}  // namespace

std::string shown_text(const std::string& raw) {
  return to_valid_utf8(raw, limits::kTextBytesMax);
}

v1::TimelineEntry to_proto(const core::TimelineEntry& entry) {
  v1::TimelineEntry out;
  out.set_at_unix_us(unix_us(entry.at));
  out.set_kind(shown_text(entry.kind));
  out.set_actor(shown_text(entry.actor));
  out.set_text(shown_text(entry.text));
  out.set_detail(shown_text(entry.detail));
  return out;
}

v1::Incident to_proto(const core::Incident& incident, Detail detail) {
  v1::Incident out;
  out.set_id(incident.id.str());
  out.set_service(incident.service.str());
  out.set_title(shown_text(incident.title));
  out.set_phase(core::to_string(incident.phase));
  out.set_severity(shown_text(incident.severity_name));
  out.set_peak_severity(shown_text(incident.peak_severity));
  out.set_opened_unix_us(unix_us(incident.opened));
  out.set_acknowledged_unix_us(unix_us_or_zero(incident.acknowledged));
  out.set_acknowledged_by(shown_text(incident.acknowledged_by));
  out.set_resolved_unix_us(unix_us_or_zero(incident.resolved));
  out.set_resolved_by(shown_text(incident.resolved_by));
  out.set_declared(incident.declared);
  out.set_detected_unix_us(unix_us(incident.detected));
  std::size_t outputs = 0;
  for (const core::ActionRun& run : incident.actions) {
    outputs += run.output.size() + run.detail.size() + 128;
    const bool fits = outputs <= kOutputsBytesMax;
    *out.add_actions() = action_to_proto(run, fits ? detail : Detail::summary);
  }
  add_scope(incident, detail, out);
  if (detail == Detail::full) add_timeline(incident, out);
  return out;
}

v1::Service to_proto(const core::State& state, const policy::Service& service, Detail detail) {
  v1::Service out;
  out.set_name(service.name.str());
  out.set_status(wire::to_proto(core::service_status(state, service.name)));
  out.set_has_checklist(service.has_own_checklist);
  if (const auto found = state.services.find(service.name); found != state.services.end()) {
    const core::ServiceState& now = found->second;
    if (now.severity && *now.severity < state.policy->severities.size())
      out.set_severity(shown_text(state.policy->severities[*now.severity].name));
    out.set_incident(now.open_incident.str());
    out.set_symptom_of(now.symptom_of.str());
  }
  add_quieting(state, service.name, out);
  for (const policy::Probe& probe : service.probes)
    add_probe(state, ProbeKey{service.name, probe.name}, probe, detail, out);
  return out;
}

v1::Agent to_proto(const core::State& state, const core::AgentState& agent) {
  v1::Agent out;
  out.set_name(agent.name.str());
  out.set_attached(agent.attached);
  out.set_version(shown_text(agent.version));
  for (const auto& [name, value] : agent.labels)
    (*out.mutable_labels())[shown_text(name)] = shown_text(value);
  out.set_last_seen_unix_us(unix_us(agent.last_seen));
  out.set_clock_skew_us(agent.clock_skew.count());
  out.set_acked_seq(agent.last_seq);
  out.set_dropped_results(agent.dropped_results);
  std::size_t probes = 0;
  for (const ServiceName& name : agent.services)
    if (const policy::Service* service = state.policy ? state.policy->find_service(name) : nullptr)
      probes += service->probes.size();
  out.set_probes(static_cast<std::uint32_t>(probes));
  for (const std::string& action : agent.actions) out.add_actions(shown_text(action));
  return out;
}

v1::Fact to_proto(const core::State& state, const policy::FactDecl& fact,
                  const ServiceName& service) {
  v1::Fact out;
  out.set_name(fact.name.str());
  out.set_service(service.str());
  const auto found = state.facts.find({fact.name, service});
  out.set_is_default(found == state.facts.end());
  set_value(out.is_default() ? fact.initial : found->second.value, *out.mutable_value());
  if (out.is_default()) return out;
  out.set_set_by(shown_text(found->second.set_by));
  out.set_set_unix_us(unix_us(found->second.set_at));
  return out;
}

v1::ValidationProgress to_proto(const core::Validation& validation, Instant now) {
  v1::ValidationProgress out;
  out.set_id(validation.id.str());
  out.set_service(validation.service.str());
  out.set_verdict(verdict(validation.verdict));
  out.set_started_unix_us(unix_us(validation.started));
  out.set_now_unix_us(unix_us(now));
  const auto* checklist = checklist_of(validation);
  for (std::size_t i = 0; i < validation.checks.size(); ++i) {
    const core::CheckState& check = validation.checks[i];
    v1::CheckProgress& shown = *out.add_checks();
    shown.set_index(static_cast<std::uint32_t>(i));
    if (checklist != nullptr && i < checklist->size()) describe_check((*checklist)[i], shown);
    shown.set_verdict(verdict(check.verdict));
    shown.set_running(check.started && check.verdict == core::Verdict::running);
    shown.set_attempt(static_cast<std::uint32_t>(std::max(check.attempt, 0)));
    shown.set_samples(static_cast<std::uint32_t>(check.samples));
    if (check.true_since) shown.set_held_us((now - *check.true_since).count());
    shown.set_detail(shown_text(check.detail));
  }
  return out;
}

void fill_status(const core::State& state, Instant now, v1::GetStatusResponse& out) {
  out.set_now_unix_us(unix_us(now));
  out.set_started_unix_us(unix_us(state.started_at));
  out.set_epoch(state.epoch);
  if (core::is_warming_up(state, now)) {
    const auto away = state.warm_up.away.size();
    out.set_agents_awaited(static_cast<std::uint32_t>(state.warm_up.awaited));
    out.set_agents_back(static_cast<std::uint32_t>(state.warm_up.awaited - away));
    out.set_frozen_until_unix_us(unix_us_or_zero(core::frozen_until(state, now)));
  }
  const auto attached = std::count_if(state.agents.begin(), state.agents.end(),
                                      [](const auto& entry) { return entry.second.attached; });
  out.set_agents_attached(static_cast<std::uint32_t>(attached));
  out.set_agents_known(static_cast<std::uint32_t>(state.agents.size()));
  const auto open = std::count_if(state.incidents.begin(), state.incidents.end(),
                                  [](const auto& entry) { return !entry.second.resolved; });
  out.set_incidents_open(static_cast<std::uint32_t>(open));
  out.set_results_committed(state.counters.results);
  out.set_results_duplicate(state.counters.duplicates);
  out.set_results_dropped(state.counters.dropped_by_agents);
  out.set_notifications_pending(static_cast<std::uint32_t>(state.notifications_pending.size()));
  add_quieting(state, out);
  if (!state.policy) return;
  out.set_policy_digest(state.policy->digest);
  out.set_services(static_cast<std::uint32_t>(state.policy->services.size()));
  std::uint32_t good = 0;
  for (const auto& [name, service] : state.policy->services) {
    const bool is_ok = core::service_status(state, name) == Status::ok;
    good += is_ok ? 1u : 0u;
    if (is_ok || out.worst_size() >= kWorstServicesShown) continue;
    v1::Service shown = to_proto(state, service, Detail::summary);
    shown.clear_probes();
    *out.add_worst() = std::move(shown);
  }
  out.set_services_ok(good);
}

Result<> fill_service(const core::State& state, const ServiceName& name,
                      v1::ListServicesResponse& out) {
  const policy::Service* service = state.policy ? state.policy->find_service(name) : nullptr;
  if (service == nullptr) return unknown_service(state, name);
  *out.add_services() = to_proto(state, *service, Detail::full);
  return check_size(out.ByteSizeLong(), "the service has too many probes and agents to show");
}

Result<> fill_services(const core::State& state, const Page<ServiceName>& page,
                       v1::ListServicesResponse& out) {
  if (!state.policy) return {};
  const auto show = [&](const policy::Service& service, std::size_t bytes) {
    v1::Service shown = to_proto(state, service, Detail::summary);
    // Among very many, how each probe is must do; one service alone shows its vantage points.
    if (bytes + shown.ByteSizeLong() > limits::kApiReplyBytesMax / 2)
      for (auto& probe : *shown.mutable_probes()) probe.clear_vantages();
    return shown;
  };
  out.set_more(fill_page(state.policy->services, page, show, *out.mutable_services()));
  return check_page(page, out, "ask for a page of them, or for one service");
}

Result<> fill_agents(const core::State& state, const Page<AgentName>& page,
                     v1::ListAgentsResponse& out) {
  const auto show = [&](const core::AgentState& agent, std::size_t bytes) {
    v1::Agent shown = to_proto(state, agent);
    if (page.limit == 0 && bytes > limits::kApiReplyBytesMax / 2) {
      shown.clear_labels();
      shown.clear_actions();
    }
    return shown;
  };
  out.set_more(fill_page(state.agents, page, show, *out.mutable_agents()));
  return check_page(page, out, "ask for a page of them");
}

void fill_facts(const core::State& state, v1::ListFactsResponse& out) {
  if (!state.policy) return;
  for (const auto& [name, fact] : state.policy->facts) {
    *out.add_facts() = to_proto(state, fact, ServiceName());
    for (auto it = state.facts.upper_bound({name, ServiceName()});
         it != state.facts.end() && it->first.first == name; ++it)
      *out.add_facts() = to_proto(state, fact, it->first.second);
  }
}

void fill_incidents(const core::State& state, bool include_resolved, std::size_t limit,
                    v1::ListIncidentsResponse& out) {
  std::vector<const core::Incident*> chosen;
  for (const auto& [id, incident] : state.incidents)
    if (include_resolved || !incident.resolved) chosen.push_back(&incident);
  std::sort(chosen.begin(), chosen.end(), [](const auto* a, const auto* b) {
    if (urgency(*a) != urgency(*b)) return urgency(*a) < urgency(*b);
    return std::tie(a->opened, a->id) > std::tie(b->opened, b->id);
  });
  std::size_t bytes = 0;
  for (const core::Incident* incident : chosen) {
    if (static_cast<std::size_t>(out.incidents_size()) == limit) break;
    v1::Incident shown = to_proto(*incident, Detail::summary);
    add_quieting(state, *incident, shown);
    bytes += shown.ByteSizeLong() + kEntryOverhead;
    if (bytes > limits::kApiReplyBytesMax) break;
    *out.add_incidents() = std::move(shown);
  }
  out.set_left_out(static_cast<std::uint32_t>(chosen.size()) -
                   static_cast<std::uint32_t>(out.incidents_size()));
}

}  // namespace firebreak::api
