// Writing: the state to records, part by part. The series, of which there may be a million, go in
// columns.
#include <firebreak/v1/snapshot.pb.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include <openssl/evp.h>

#include "common/assert.h"
#include "coordinator/core/baseline.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/tally.h"
#include "coordinator/store/codec_parts.h"
#include "coordinator/store/digest.h"
#include "coordinator/store/snapshot_codec.h"

namespace firebreak::store {
namespace {

constexpr int kSeriesPerRecord = 2000;  // some 60 KB; with all the evidence they may have, 4 MB
// And one window more, of a few MB at most: a record stays far below kSnapshotRecordBytesMax.
constexpr std::size_t kWindowBytesPerRecord = 4u << 20;
constexpr int kLinksPerRecord = 10000;

struct HashKey {
  std::size_t operator()(const ProbeKey& key) const {
    return std::hash<std::string>{}(key.service.str()) * 31 +
           std::hash<std::string>{}(key.probe.str());
  }
};

// Numbers probes' keys in the order in which they first appear.
class KeyNumbers {
 public:
  // Adds the key to `new_keys` when it is new.
  template <class Keys>
  std::uint32_t number_of(const ProbeKey& key, Keys& new_keys) {
    // Agents list the same probes in the same order: the next one is often the one after the last.
    if (last_ < keys_.size() && *keys_[last_] == key) return ++last_;
    const auto [found, is_new] =
        numbers_.try_emplace(key, static_cast<std::uint32_t>(keys_.size() + 1));
    if (is_new) {
      keys_.push_back(&found->first);
      put_key(key, *new_keys.Add());
    }
    return last_ = found->second;
  }

 private:
  std::unordered_map<ProbeKey, std::uint32_t, HashKey> numbers_;
  std::vector<const ProbeKey*> keys_;
  std::uint32_t last_ = 0;
};

// The policies of the state, each once, numbered from 1.
class PolicyNumbers {
 public:
  explicit PolicyNumbers(const core::State& state) {
    add(state.policy);
    for (const auto& [id, validation] : state.validations) add(validation.policy);
  }
  [[nodiscard]] std::uint32_t number_of(const std::shared_ptr<const policy::Policy>& policy) const {
    return policy ? numbers_.at(policy->digest) : 0;
  }
  [[nodiscard]] const std::vector<const policy::Policy*>& all() const { return all_; }

 private:
  void add(const std::shared_ptr<const policy::Policy>& policy) {
    if (!policy) return;
    if (numbers_.try_emplace(policy->digest, static_cast<std::uint32_t>(all_.size() + 1)).second)
      all_.push_back(policy.get());
  }

  std::map<std::string, std::uint32_t> numbers_;
  std::vector<const policy::Policy*> all_;
};

class Encoder {
 public:
  explicit Encoder(const core::State& state) : state_(state), policies_(state) {}

  std::vector<std::string> run() {
    add_base();
    for (const policy::Policy* policy : policies_.all()) add_policy(*policy);
    add_policy_history();
    for (const auto& [name, agent] : state_.agents) add_agent(agent);
    for (const auto& [name, service] : state_.services) add_service(name, service);
    for (const auto& [key, fact] : state_.facts) add_fact(key.first, key.second, fact);
    for (const auto& [id, incident] : state_.incidents) {
      put_incident(incident, *fresh().mutable_incident());
      flush();
    }
    for (const auto& [id, validation] : state_.validations) add_validation(validation);
    for (const auto& [id, notification] : state_.notifications_pending) {
      auto& to = *fresh().mutable_notification();
      to.set_id(id.str());
      to.set_incident(notification.incident.str());
      to.set_receiver(notification.receiver.str());
      to.set_what(notification.what);
      flush();
    }
    for (const auto& [id, silence] : state_.quieting.silences) add_silence(silence);
    for (const auto& [id, maintenance] : state_.quieting.by_people) add_maintenance(maintenance);
    add_all_links();
    return std::move(records_);
  }

 private:
  pb::SnapshotRecord& fresh() {
    record_.Clear();
    return record_;
  }
  void flush() { records_.push_back(record_.SerializeAsString()); }
  [[nodiscard]] std::int64_t ago(Instant at) const {
    if (at == Instant{}) return 0;
    const std::int64_t ago = us(state_.now - at);
    return ago >= 0 ? ago + 1 : ago;
  }

  void add_base();
  void add_policy(const policy::Policy& policy);
  void add_policy_history();
  void add_agent(const core::AgentState& agent);
  void add_series(const core::AgentState& agent);
  void add_trails(const AgentName& agent);
  const core::Window* unwritten_window(const core::SeriesState& series);
  void add_service(const ServiceName& name, const core::ServiceState& service);
  void add_stale(const ServiceName& name, pb::SnapshotService& to);
  void add_fact(const FactName& name, const ServiceName& service, const core::FactState& fact);
  void add_validation(const core::Validation& validation);
  void add_silence(const core::Silence& silence);
  void add_maintenance(const core::Maintenance& maintenance);
  void add_all_links();
  // `write(link, links)` adds one entry's columns.
  template <class Range, class Write>
  void add_links(pb::SnapshotLinks::Kind kind, const Range& range, const Write& write);

  const core::State& state_;
  const PolicyNumbers policies_;
  KeyNumbers keys_;
  std::vector<bool> windows_written_;  // by ProbeInputs::number
  pb::SnapshotRecord record_;
  std::vector<std::string> records_;
};

void Encoder::add_base() {
  auto& to = *fresh().mutable_base();
  to.set_policy(policies_.number_of(state_.policy));
  to.set_policy_by(state_.policy_by);
  to.set_policy_at_us(unix_us(state_.policy_at));
  to.set_now_us(unix_us(state_.now));
  to.set_epoch(state_.epoch);
  to.set_started_at_us(unix_us(state_.started_at));
  to.set_next_id(state_.next_id);
  to.set_last_incident_id(state_.last_incident_id);
  to.set_same_incident_id(state_.same_incident_id);
  to.set_incident_day(state_.incident_day);
  to.set_incidents_today(state_.incidents_today);
  for (const AgentName& away : state_.warm_up.away) to.add_warm_up_away(away.str());
  to.set_warm_up_awaited(state_.warm_up.awaited);
  to.set_warm_up_until_us(unix_us(state_.warm_up.until));
  auto& counters = *to.mutable_counters();
  counters.set_results(state_.counters.results);
  counters.set_duplicates(state_.counters.duplicates);
  counters.set_late(state_.counters.late);
  counters.set_unknown_probe(state_.counters.unknown_probe);
  counters.set_dropped_by_agents(state_.counters.dropped_by_agents);
  counters.set_missing(state_.counters.missing);
  flush();
}

void Encoder::add_policy(const policy::Policy& policy) {
  auto& to = *fresh().mutable_policy();
  to.set_digest(policy.digest);
  for (const policy::SourceFile& file : policy.files) {
    auto& added = *to.add_files();
    added.set_path(file.path);
    added.set_text(file.text);
  }
  flush();
}

void Encoder::add_policy_history() {
  std::set<std::string> written;
  for (const core::PolicyVersion& version : state_.policy_history) {
    auto& to = *fresh().mutable_policy_version();
    to.set_digest(version.digest);
    to.set_by(version.by);
    to.set_at_us(unix_us(version.at));
    to.set_kept(version.files != nullptr);
    if (version.files != nullptr && written.insert(version.digest).second) {
      for (const policy::SourceFile& file : *version.files) {
        auto& added = *to.add_files();
        added.set_path(file.path);
        added.set_text(file.text);
      }
    }
    flush();
  }
}

void Encoder::add_agent(const core::AgentState& agent) {
  auto& to = *fresh().mutable_agent();
  to.set_name(agent.name.str());
  to.set_attached(agent.attached);
  to.set_incarnation(agent.incarnation);
  to.set_last_seq(agent.last_seq);
  for (const std::uint64_t past : agent.past_incarnations) to.add_past_incarnations(past);
  to.set_version(agent.version);
  for (const auto& [name, value] : agent.labels) {
    auto& label = *to.add_labels();
    label.set_name(name);
    label.set_value(value);
  }
  for (const std::string& action : agent.actions) to.add_actions(action);
  for (const ServiceName& service : agent.services) to.add_services(service.str());
  to.set_clock_skew_us(us(agent.clock_skew));
  to.set_last_seen_us(unix_us(agent.last_seen));
  to.set_dropped_results(agent.dropped_results);
  if (agent.detached != Instant{}) to.set_detached_us(unix_us(agent.detached));
  for (const core::SeriesRef& ref : agent.refs)
    to.add_refs(ref.key() ? keys_.number_of(*ref.key(), *to.mutable_new_keys()) : 0);
  flush();
  if (!agent.series.empty()) add_series(agent);
  add_trails(agent.name);
}

void Encoder::add_trails(const AgentName& agent) {
  for (const auto& [key, trails] : state_.trails) {
    const auto trail = trails.find(agent);
    if (trail == trails.end()) continue;
    auto& to = *fresh().mutable_trail();
    put_key(key, *to.mutable_probe());
    for (const core::Trail::Point& point : trail->second.points()) {
      to.add_at(ago(point.at));
      to.add_value(point.value);
      to.add_risen(point.risen);
    }
    flush();
  }
}

void put(const core::Window::Bucket& from, pb::SnapshotSeries::Bucket& to) {
  to.set_number(from.number);
  to.set_samples(from.samples);
  to.set_failures(from.failures);
  to.set_values(from.values);
  to.set_latency_sum_us(from.latency_sum_us);
  to.set_latency_max_us(from.latency_max_us);
  to.set_value_sum(from.value_sum);
  to.set_value_min(from.value_min);
  to.set_value_max(from.value_max);
  for (const core::Window::Bucket::Bin& bin : from.latencies) {
    to.add_sketch_bin(bin.number);
    to.add_sketch_count(bin.count);
  }
}

void put(const core::Window& from, pb::SnapshotSeries::Window& to) {
  to.set_newest_us(unix_us(from.newest()));
  for (const core::Window::Ring& ring : from.rings()) {
    auto& added = *to.add_rings();
    added.set_span_us(us(ring.span));
    added.set_width_us(us(ring.width));
    for (const core::Window::Bucket& bucket : ring.buckets)
      if (bucket.number >= 0) put(bucket, *added.add_buckets());
  }
}

// A probe's window goes with the first series of it, for it was every series' own once.
const core::Window* Encoder::unwritten_window(const core::SeriesState& series) {
  const core::Window* window = core::find_window(state_, series.inputs);
  if (window == nullptr || window->span() == Duration{0}) return nullptr;
  windows_written_.resize(state_.windows.size());
  if (windows_written_[series.inputs->number]) return nullptr;
  windows_written_[series.inputs->number] = true;
  return window;
}

void Encoder::add_series(const core::AgentState& agent) {
  for (auto one = agent.series.begin(); one != agent.series.end();) {
    auto& to = *fresh().mutable_series();
    ObservationWriter observations(*to.mutable_confirmed_by());
    std::size_t window_bytes = 0;
    for (int row = 0; row < kSeriesPerRecord && window_bytes < kWindowBytesPerRecord &&
                      one != agent.series.end();
         ++row, ++one) {
      const core::SeriesState& series = one->second;
      to.add_key(keys_.number_of(one->first, *to.mutable_new_keys()));
      to.add_live(series.live);
      to.add_confirmed(static_cast<std::uint32_t>(series.confirmed));
      to.add_confirmed_since(ago(series.confirmed_since));
      to.add_confirmed_at(ago(series.confirmed_at));
      to.add_suspected(static_cast<std::uint32_t>(series.suspected));
      to.add_suspected_since(ago(series.suspected_since));
      to.add_observed(ago(series.observed));
      to.add_ahead_us(series.ahead.count());
      observations.add(series.confirmed_by);
      const core::Window* window = unwritten_window(series);
      if (window == nullptr) continue;
      auto& added = *to.add_windows();
      added.set_row(static_cast<std::uint32_t>(row));
      put(*window, added);
      window_bytes += added.ByteSizeLong();
    }
    if (std::all_of(to.ahead_us().begin(), to.ahead_us().end(), [](auto us) { return us == 0; }))
      to.clear_ahead_us();
    flush();
  }
}

void Encoder::add_service(const ServiceName& name, const core::ServiceState& service) {
  auto& to = *fresh().mutable_service();
  to.set_name(name.str());
  for (const core::RuleState& rule : service.rules) {
    auto& added = *to.add_rules();
    for (const auto& since : rule.true_since) {
      auto& level = *added.add_levels();
      if (since) level.set_true_since_us(unix_us(*since));
    }
    if (rule.severity) added.set_severity(*rule.severity);
    if (rule.lower_since) added.set_lower_since_us(unix_us(*rule.lower_since));
    added.set_undecided(rule.undecided);
    if (rule.undecided_since) added.set_undecided_since_us(unix_us(*rule.undecided_since));
    added.set_no_data(rule.no_data);
  }
  if (service.severity) to.set_severity(*service.severity);
  to.set_because(service.because);
  to.set_shown_us(unix_us(service.shown));
  to.set_blind(service.blind);
  to.set_no_data(service.no_data);
  to.set_open_incident(service.open_incident.str());
  if (service.dismissed) to.set_dismissed(*service.dismissed);
  to.set_evaluated_us(unix_us(service.evaluated));
  to.set_symptom_of(service.symptom_of.str());
  if (service.released) to.set_released_us(unix_us(*service.released));
  to.set_hosts_noted(service.hosts_noted);
  for (const core::Baseline& held : service.baselines) {
    auto& added = *to.add_baselines();
    added.set_signal(core::name_of_baseline(held.signal));
    put_key(held.probe, *added.mutable_probe());
    added.set_window_us(us(held.window));
    added.set_value(held.value);
  }
  if (service.held_at) to.set_baselines_at_us(unix_us(*service.held_at));
  if (state_.policy) add_stale(name, to);
  for (const Instant at : service.flaps.changes) to.add_changes_us(unix_us(at));
  if (service.flaps.since) to.set_flapping_since_us(unix_us(*service.flaps.since));
  flush();
}

void Encoder::add_stale(const ServiceName& name, pb::SnapshotService& to) {
  const policy::Service* service = state_.policy->find_service(name);
  if (service == nullptr) return;
  for (const policy::Probe& probe : service->probes) {
    const core::ProbeTally* tally = core::find_tally(state_, {name, probe.name});
    if (tally == nullptr || tally->next_stale == core::kNever) continue;
    auto& stale = *to.add_stale();
    stale.set_probe(probe.name.str());
    stale.set_at_us(unix_us(tally->next_stale));
  }
}

void Encoder::add_fact(const FactName& name, const ServiceName& service,
                       const core::FactState& fact) {
  auto& to = *fresh().mutable_fact();
  to.set_fact(name.str());
  to.set_service(service.str());
  put_value(fact.value, *to.mutable_value());
  to.set_set_by(fact.set_by);
  to.set_set_at_us(unix_us(fact.set_at));
  flush();
}

void put(const core::CheckState& from, pb::SnapshotValidation::Check& to) {
  to.set_verdict(enum_to_proto<pb::SnapshotVerdict>(from.verdict));
  to.set_started(from.started);
  to.set_started_at_us(unix_us(from.started_at));
  to.set_attempt(from.attempt);
  to.set_passes(from.passes);
  to.set_failures(from.failures);
  if (from.next_attempt) to.set_next_attempt_us(unix_us(*from.next_attempt));
  for (const auto& [request, agent] : from.waiting) {
    auto& waiting = *to.add_waiting();
    waiting.set_request(request.str());
    waiting.set_agent(agent.str());
  }
  if (from.waiting_until) to.set_waiting_until_us(unix_us(*from.waiting_until));
  for (const auto& [agent, verdict] : from.answers) {
    auto& answer = *to.add_answers();
    answer.set_agent(agent.str());
    answer.set_verdict(enum_to_proto<pb::SnapshotVerdict>(verdict));
  }
  to.set_last(from.last);
  to.set_samples(from.samples);
  if (from.true_since) to.set_true_since_us(unix_us(*from.true_since));
  to.set_detail(from.detail);
}

void Encoder::add_validation(const core::Validation& validation) {
  auto& to = *fresh().mutable_validation();
  to.set_id(validation.id.str());
  to.set_service(validation.service.str());
  to.set_incident(validation.incident.str());
  to.set_asked_by(validation.asked_by);
  to.set_started_us(unix_us(validation.started));
  to.set_deadline_us(unix_us(validation.deadline));
  if (validation.finished) to.set_finished_us(unix_us(*validation.finished));
  to.set_policy(policies_.number_of(validation.policy));
  to.set_current(validation.current);
  for (const core::CheckState& check : validation.checks) put(check, *to.add_checks());
  to.set_verdict(enum_to_proto<pb::SnapshotVerdict>(validation.verdict));
  flush();
}

void Encoder::add_silence(const core::Silence& silence) {
  auto& to = *fresh().mutable_silence();
  to.set_id(silence.id.str());
  for (const core::Matcher& matcher : silence.matchers) to.add_matchers(matcher.text);
  to.set_author(silence.author);
  to.set_reason(silence.reason);
  to.set_request_id(silence.request_id);
  to.set_begins_us(unix_us(silence.begins));
  to.set_ends_us(unix_us(silence.ends));
  to.set_ended_by(silence.ended_by);
  flush();
}

void Encoder::add_maintenance(const core::Maintenance& maintenance) {
  auto& to = *fresh().mutable_maintenance();
  to.set_id(maintenance.id.str());
  for (const ServiceName& service : maintenance.services) to.add_services(service.str());
  to.set_author(maintenance.author);
  to.set_reason(maintenance.reason);
  to.set_request_id(maintenance.request_id);
  to.set_begins_us(unix_us(maintenance.begins));
  to.set_ends_us(unix_us(maintenance.ends));
  to.set_ended_by(maintenance.ended_by);
  flush();
}

template <class Range, class Write>
void Encoder::add_links(pb::SnapshotLinks::Kind kind, const Range& range, const Write& write) {
  for (auto one = range.begin(); one != range.end();) {
    auto& to = *fresh().mutable_links();
    to.set_kind(kind);
    for (int i = 0; i < kLinksPerRecord && one != range.end(); ++i, ++one) write(*one, to);
    flush();
  }
}

void Encoder::add_all_links() {
  using Links = pb::SnapshotLinks;
  const auto id = [](const auto& one, Links& to) { to.add_key(one.str()); };
  const auto pair = [](const auto& one, Links& to) {
    to.add_key(one.first.str());
    to.add_value(one.second.str());
  };
  const auto alarm = [](const auto& one, Links& to) {
    to.add_key(one.first.str());
    to.add_at_us(unix_us(one.second));
  };
  add_links(Links::KIND_RESOLVED, state_.resolved_order, id);
  add_links(Links::KIND_FINISHED, state_.finished_order, id);
  add_links(Links::KIND_REQUEST, state_.requests, pair);
  add_links(Links::KIND_VERIFICATION, state_.verifications, pair);
  add_links(Links::KIND_ACTION_RUNNING, state_.actions_running, pair);
  add_links(Links::KIND_ACTION_LAST, state_.action_last, [](const auto& one, Links& to) {
    to.add_key(one.first.first.str());
    to.add_value(one.first.second);
    to.add_at_us(unix_us(one.second));
  });
  add_links(Links::KIND_DIRTY, state_.dirty, id);
  add_links(Links::KIND_SERVICE_ALARM, state_.service_alarms.all(), alarm);
  add_links(Links::KIND_INCIDENT_ALARM, state_.incident_alarms.all(), alarm);
  add_links(Links::KIND_VALIDATION_ALARM, state_.validation_alarms.all(), alarm);
  add_links(Links::KIND_SILENT, state_.silent, id);
  add_links(Links::KIND_AGENT_ALARM, state_.agent_alarms.all(), alarm);
}

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

std::vector<std::string> encode_state(const core::State& state) {
  return Encoder(state).run();
}

std::string digest(const core::State& state) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  FB_ASSERT(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  for (const std::string& record : encode_state(state)) {
    const std::string size = std::to_string(record.size()) + ":";
    EVP_DigestUpdate(context.get(), size.data(), size.size());
    EVP_DigestUpdate(context.get(), record.data(), record.size());
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  FB_ASSERT(EVP_DigestFinal_ex(context.get(), hash.data(), &size) == 1);
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[hash.at(i) >> 4];
    text += kHex[hash.at(i) & 15];
  }
  return text;
}

}  // namespace firebreak::store
