// Reading: records to the state. What follows from the rest (inputs, vantage points, which inputs a
// series has) is found again, as the core finds it.
#include <firebreak/v1/snapshot.pb.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "coordinator/core/baseline.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/silences.h"
#include "coordinator/core/tally.h"
#include "coordinator/store/codec_parts.h"
#include "coordinator/store/snapshot_codec.h"

namespace firebreak::store {
namespace {

using PolicyPtr = std::shared_ptr<const policy::Policy>;

core::Verdict get(pb::SnapshotVerdict from, Reader& reader) {
  return reader.enumerator(from, core::Verdict::inconclusive, "verdict");
}

// Earlier versions had 80 bins, a factor of 2^(1/4) apart from 100 us on; the last was open above.
constexpr std::uint32_t kOldBins = 80;
std::int64_t old_edge_us(std::uint32_t bin, std::int64_t latency_max_us) {
  if (bin + 1 >= kOldBins) return latency_max_us;
  return std::min(static_cast<std::int64_t>(100 * std::exp2((bin + 1) / 4.0)), latency_max_us);
}

core::Window::Bucket get(const pb::SnapshotSeries::Bucket& from, Reader& reader) {
  core::Window::Bucket to;
  to.number = from.number();
  to.samples = from.samples();
  to.failures = from.failures();
  to.values = from.values();
  to.latency_sum_us = from.latency_sum_us();
  to.latency_max_us = from.latency_max_us();
  to.value_sum = from.value_sum();
  to.value_min = from.value_min();
  to.value_max = from.value_max();
  if (from.bin_size() != from.count_size() || from.sketch_bin_size() != from.sketch_count_size()) {
    reader.fail("window: columns of different lengths");
    return to;
  }
  for (int i = 0; i < from.bin_size(); ++i) {
    if (from.bin(i) >= kOldBins) reader.fail("window: a bin that cannot be");
    to.add_latency(old_edge_us(from.bin(i), to.latency_max_us), from.count(i));
  }
  for (int i = 0; i < from.sketch_bin_size(); ++i) {
    if (from.sketch_bin(i) >= core::Window::kBins) reader.fail("window: a bin that cannot be");
    to.add_bin(from.sketch_bin(i), from.sketch_count(i));
  }
  return to;
}

template <class From>
core::Window::Ring get_ring(const From& from, Duration width, Reader& reader) {
  core::Window::Ring to{{Duration{from.span_us()}, width}, {}};
  to.buckets.reserve(static_cast<std::size_t>(from.buckets_size()));
  for (const auto& bucket : from.buckets()) to.buckets.push_back(get(bucket, reader));
  return to;
}

// Earlier versions had one ring, of the longest window: the shorter ones are made of it, as exact
// as it was, until its results are past.
core::Window get(const pb::SnapshotSeries::Window& from, Reader& reader) {
  std::vector<core::Window::Ring> rings;
  rings.reserve(static_cast<std::size_t>(from.rings_size()) + 1);
  if (from.rings().empty() && (from.span_us() != 0 || !from.buckets().empty()))
    rings.push_back(get_ring(from, core::bucket_width(Duration{from.span_us()}), reader));
  for (const auto& ring : from.rings())
    rings.push_back(get_ring(ring, Duration{ring.width_us()}, reader));
  core::Window to;
  if (!to.restore(instant(from.newest_us()), rings)) reader.fail("window: buckets that cannot be");
  return to;
}

core::CheckState get(const pb::SnapshotValidation::Check& from, Reader& reader) {
  core::CheckState to;
  to.verdict = get(from.verdict(), reader);
  to.started = from.started();
  to.started_at = instant(from.started_at_us());
  to.attempt = count(from.attempt());
  to.passes = count(from.passes());
  to.failures = count(from.failures());
  if (from.has_next_attempt_us()) to.next_attempt = instant(from.next_attempt_us());
  for (const auto& waiting : from.waiting())
    to.waiting.emplace(RequestId(waiting.request()), AgentName(waiting.agent()));
  if (from.has_waiting_until_us()) to.waiting_until = instant(from.waiting_until_us());
  for (const auto& answer : from.answers())
    to.answers.emplace_back(AgentName(answer.agent()), get(answer.verdict(), reader));
  to.last = from.last();
  to.samples = from.samples();
  if (from.has_true_since_us()) to.true_since = instant(from.true_since_us());
  to.detail = from.detail();
  return to;
}

core::RuleState get(const pb::SnapshotService::Rule& from) {
  core::RuleState to;
  for (const auto& level : from.levels()) {
    to.true_since.emplace_back();
    if (level.has_true_since_us()) to.true_since.back() = instant(level.true_since_us());
  }
  if (from.has_severity()) to.severity = from.severity();
  if (from.has_lower_since_us()) to.lower_since = instant(from.lower_since_us());
  to.undecided = from.undecided();
  if (from.has_undecided_since_us()) to.undecided_since = instant(from.undecided_since_us());
  to.no_data = from.no_data();
  return to;
}

// Whether every reference leads somewhere: the core takes that for granted.
class Consistency {
 public:
  explicit Consistency(const core::State& state) : state_(state) {}

  [[nodiscard]] std::string fault() const {
    if (std::string found = fault_of_services(); !found.empty()) return found;
    if (std::string found = fault_of_incidents(); !found.empty()) return found;
    return fault_of_validations();
  }

 private:
  [[nodiscard]] bool is_severity(const std::optional<policy::SeverityIndex>& severity) const {
    return !severity || (state_.policy && *severity < state_.policy->severities.size());
  }
  [[nodiscard]] std::string fault_of_services() const {
    for (const auto& [name, service] : state_.services) {
      if (!service.open_incident.empty() && !state_.incidents.contains(service.open_incident))
        return "service " + name.str() + ": its open incident is missing";
      if (!is_severity(service.severity) || !is_severity(service.dismissed))
        return "service " + name.str() + ": a severity that the policy does not have";
      if (service.flaps.since && service.flaps.changes.empty())
        return "service " + name.str() + ": it flaps and has not changed";
      for (const core::RuleState& rule : service.rules)
        if (!is_severity(rule.severity))
          return "service " + name.str() + ": a severity that the policy does not have";
    }
    return {};
  }
  [[nodiscard]] std::string fault_of_incidents() const {
    for (const auto& [id, incident] : state_.incidents) {
      if (!incident.resolved &&
          (!is_severity(incident.severity) || !is_severity(incident.declared_severity)))
        return "incident " + id.str() + ": a severity that the policy does not have";
      if (const auto& said = incident.severity_override;
          said && !incident.resolved && (!is_severity(said->severity) || !is_severity(said->rules)))
        return "incident " + id.str() + ": an overriding severity that the policy does not have";
      if (incident.playbook &&
          (!state_.policy || incident.playbook->playbook >= state_.policy->playbooks.size()))
        return "incident " + id.str() + ": a playbook that the policy does not have";
    }
    for (const AgentName& name : state_.silent)
      if (!state_.agents.contains(name)) return "agent " + name.str() + ": silent, and not known";
    if (state_.resolved_order.size() > state_.incidents.size())
      return "more resolved incidents than incidents";
    return {};
  }
  [[nodiscard]] std::string fault_of_validations() const {
    for (const auto& [id, validation] : state_.validations) {
      const policy::Service* service =
          validation.policy ? validation.policy->find_service(validation.service) : nullptr;
      const std::size_t checks = service == nullptr ? 0 : service->checklist.size();
      if (validation.checks.size() != checks ||
          (validation.verdict == core::Verdict::running && validation.current >= checks))
        return "validation " + id.str() + ": not the checks of its checklist";
    }
    if (state_.finished_order.size() > state_.validations.size())
      return "more finished validations than validations";
    return {};
  }

  const core::State& state_;
};

}  // namespace

class StateDecoder::Parts {
 public:
  explicit Parts(PolicyCompiler compile) : compile_(std::move(compile)) {}

  Result<> add(std::string_view bytes);
  Result<core::State> finish();

 private:
  void take(const pb::SnapshotBase& from);
  void take(const pb::SnapshotPolicy& from);
  void take(const pb::SnapshotPolicyVersion& from);
  void take(const pb::SnapshotAgent& from);
  void take(const pb::SnapshotSeries& from);
  void take_windows(const pb::SnapshotSeries& from, const std::vector<core::SeriesState*>& added);
  void take(const pb::SnapshotTrail& from);
  void take(const pb::SnapshotService& from);
  void take(const pb::SnapshotFact& from);
  void take(const pb::Incident& from);
  void take(const pb::SnapshotValidation& from);
  void take(const pb::SnapshotLinks& from);
  void take(const pb::SnapshotNotification& from);
  void take(const pb::SnapshotSilence& from);
  void take(const pb::SnapshotMaintenance& from);
  void take_link(pb::SnapshotLinks::Kind kind, const std::string& key, const std::string& value,
                 Instant at);

  template <class Keys>
  void learn(const Keys& keys);
  [[nodiscard]] Instant from_ago(std::int64_t ago) const {
    if (ago == 0) return {};
    return state_.now - Duration{ago > 0 ? ago - 1 : ago};
  }
  const PolicyCompiler compile_;
  Reader reader_;
  core::State state_;
  bool has_base_ = false;
  std::uint32_t policy_ = 0;  // of the base
  std::vector<PolicyPtr> policies_;
  struct Key {
    ProbeKey key;
    const core::ProbeInputs* inputs = nullptr;
  };
  std::vector<Key> keys_;
  std::vector<std::pair<ProbeKey, Instant>> stale_;
  core::AgentState* agent_ = nullptr;  // the one whose series come
  pb::SnapshotRecord record_;
};

Result<> StateDecoder::Parts::add(std::string_view bytes) {
  if (!parse(record_, bytes)) return make_error(Errc::corrupt, "not a record of a snapshot");
  using Record = pb::SnapshotRecord;
  if (!has_base_ && record_.record_case() != Record::kBase)
    return make_error(Errc::corrupt, "the first record is not the base");
  switch (record_.record_case()) {
    case Record::kBase:
      take(record_.base());
      break;
    case Record::kPolicy:
      take(record_.policy());
      break;
    case Record::kAgent:
      take(record_.agent());
      break;
    case Record::kSeries:
      take(record_.series());
      break;
    case Record::kTrail:
      take(record_.trail());
      break;
    case Record::kService:
      take(record_.service());
      break;
    case Record::kFact:
      take(record_.fact());
      break;
    case Record::kIncident:
      take(record_.incident());
      break;
    case Record::kValidation:
      take(record_.validation());
      break;
    case Record::kLinks:
      take(record_.links());
      break;
    case Record::kNotification:
      take(record_.notification());
      break;
    case Record::kSilence:
      take(record_.silence());
      break;
    case Record::kMaintenance:
      take(record_.maintenance());
      break;
    case Record::kPolicyVersion:
      take(record_.policy_version());
      break;
    case Record::RECORD_NOT_SET:
      reader_.fail("a record of a kind that this version does not know");
  }
  if (reader_.error()) return *reader_.error();
  return {};
}

Result<core::State> StateDecoder::Parts::finish() {
  if (!has_base_) return make_error(Errc::corrupt, "no record at all");
  if (policy_ > policies_.size()) return make_error(Errc::corrupt, "a policy is missing");
  const std::string fault = Consistency(state_).fault();
  if (!fault.empty()) return make_error(Errc::corrupt, fault);
  core::recount_all(state_);
  // An earlier version's snapshot knows the one in force only.
  if (state_.policy && state_.policy_history.empty())
    core::remember_policy(state_.policy_history, *state_.policy, state_.policy_by,
                          state_.policy_at);
  for (const auto& [key, at] : stale_) core::set_next_stale(state_, key, at);
  core::recount_quieting(state_);
  return std::move(state_);
}

void StateDecoder::Parts::take(const pb::SnapshotBase& from) {
  if (has_base_) return reader_.fail("a second base");
  has_base_ = true;
  policy_ = from.policy();
  state_.policy_by = from.policy_by();
  state_.policy_at = instant(from.policy_at_us());
  state_.now = instant(from.now_us());
  state_.epoch = from.epoch();
  state_.started_at = instant(from.started_at_us());
  state_.next_id = from.next_id();
  state_.last_incident_id = from.last_incident_id();
  state_.same_incident_id = from.same_incident_id();
  state_.incident_day = from.incident_day();
  state_.incidents_today = from.incidents_today();
  for (const std::string& away : from.warm_up_away()) state_.warm_up.away.insert(AgentName(away));
  state_.warm_up.awaited = from.warm_up_awaited();
  state_.warm_up.until = instant(from.warm_up_until_us());
  state_.counters.results = from.counters().results();
  state_.counters.duplicates = from.counters().duplicates();
  state_.counters.late = from.counters().late();
  state_.counters.unknown_probe = from.counters().unknown_probe();
  state_.counters.dropped_by_agents = from.counters().dropped_by_agents();
  state_.counters.missing = from.counters().missing();
}

void StateDecoder::Parts::take(const pb::SnapshotPolicy& from) {
  std::vector<policy::SourceFile> files;
  for (const auto& file : from.files()) files.push_back({file.path(), file.text()});
  auto compiled = compile_(std::move(files));
  if (!compiled) return reader_.fail(compiled.error());
  if ((*compiled)->digest != from.digest())
    return reader_.fail("a policy's files do not match its digest");
  policies_.push_back(std::move(*compiled));
  if (policies_.size() != policy_) return;
  state_.policy = policies_.back();
  state_.inputs = core::inputs_of(*state_.policy);
  core::carry_windows(state_, nullptr);
}

void StateDecoder::Parts::take(const pb::SnapshotPolicyVersion& from) {
  core::PolicyVersion version{from.digest(), from.by(), instant(from.at_us()), nullptr};
  if (from.kept() && from.files().empty()) {
    const auto same = std::find_if(
        state_.policy_history.rbegin(), state_.policy_history.rend(),
        [&](const core::PolicyVersion& known) { return known.digest == version.digest; });
    if (same == state_.policy_history.rend() || same->files == nullptr)
      return reader_.fail("an earlier policy without its files");
    version.files = same->files;
  } else if (from.kept()) {
    std::vector<policy::SourceFile> files;
    for (const auto& file : from.files()) files.push_back({file.path(), file.text()});
    version.files = std::make_shared<const std::vector<policy::SourceFile>>(std::move(files));
  }
  state_.policy_history.push_back(std::move(version));
  core::keep_bounded(state_.policy_history);
}

template <class Keys>
void StateDecoder::Parts::learn(const Keys& keys) {
  for (const auto& from : keys) {
    Key& key = keys_.emplace_back();
    key.key = get_key(from, reader_);
    if (!state_.inputs) continue;
    const auto inputs = state_.inputs->probes.find(key.key);
    if (inputs != state_.inputs->probes.end()) key.inputs = &inputs->second;
  }
}

void StateDecoder::Parts::take(const pb::SnapshotAgent& from) {
  const auto name = reader_.name<AgentName>(from.name(), "agent");
  agent_ = &state_.agents.emplace_hint(state_.agents.end(), name, core::AgentState{})->second;
  core::AgentState& to = *agent_;
  to.name = name;
  to.attached = from.attached();
  to.incarnation = from.incarnation();
  to.last_seq = from.last_seq();
  to.past_incarnations = {from.past_incarnations().begin(), from.past_incarnations().end()};
  to.version = from.version();
  for (const auto& label : from.labels()) to.labels.insert_or_assign(label.name(), label.value());
  to.actions = {from.actions().begin(), from.actions().end()};
  for (const auto& service : from.services()) {
    to.services.insert(ServiceName(service));
    state_.vantages[ServiceName(service)].insert(name);
  }
  to.clock_skew = Duration{from.clock_skew_us()};
  to.last_seen = instant(from.last_seen_us());
  to.dropped_results = from.dropped_results();
  if (from.detached_us() != 0) to.detached = instant(from.detached_us());
  learn(from.new_keys());
  to.refs.reserve(static_cast<std::size_t>(from.refs_size()));
  for (const std::uint32_t number : from.refs()) {
    to.refs.emplace_back();
    if (number == 0) continue;
    if (number > keys_.size()) return reader_.fail("agent: a reference to no key");
    to.refs.back() = core::SeriesRef(keys_[number - 1].key);
  }
}

void StateDecoder::Parts::take(const pb::SnapshotSeries& from) {
  if (agent_ == nullptr) return reader_.fail("series of no agent");
  const int rows = from.key_size();
  for (const int size : {from.live_size(), from.confirmed_size(), from.confirmed_since_size(),
                         from.confirmed_at_size(), from.suspected_size(),
                         from.suspected_since_size(), from.observed_size()})
    if (size != rows) return reader_.fail("series: columns of different lengths");
  if (from.ahead_us_size() != 0 && from.ahead_us_size() != rows)
    return reader_.fail("series: columns of different lengths");
  learn(from.new_keys());
  auto observations = get_observations(from.confirmed_by(), rows, reader_);
  if (reader_.error()) return;
  std::vector<core::SeriesState*> added;
  added.reserve(observations.size());
  for (int row = 0; row < rows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    if (from.key(row) == 0 || from.key(row) > keys_.size())
      return reader_.fail("series: a probe that is no key");
    if (from.confirmed(row) > static_cast<std::uint32_t>(Status::unknown) ||
        from.suspected(row) > static_cast<std::uint32_t>(Status::unknown))
      return reader_.fail("series: an unknown status");
    const Key& key = keys_[from.key(row) - 1];
    // Sorted when they were written, so each belongs to the end.
    core::SeriesState& to =
        agent_->series.emplace_hint(agent_->series.end(), key.key, core::SeriesState{})->second;
    to.inputs = key.inputs;
    to.live = from.live(row);
    to.confirmed = static_cast<Status>(from.confirmed(row));
    to.confirmed_since = from_ago(from.confirmed_since(row));
    to.confirmed_at = from_ago(from.confirmed_at(row));
    to.confirmed_by = std::move(observations[at]);
    to.suspected = static_cast<Status>(from.suspected(row));
    to.suspected_since = from_ago(from.suspected_since(row));
    to.observed = from_ago(from.observed(row));
    if (from.ahead_us_size() != 0) to.ahead = std::max(Duration{from.ahead_us(row)}, Duration{0});
    added.push_back(&to);
  }
  take_windows(from, added);
}

void StateDecoder::Parts::take_windows(const pb::SnapshotSeries& from,
                                       const std::vector<core::SeriesState*>& added) {
  for (const auto& window : from.windows()) {
    if (window.row() >= added.size()) return reader_.fail("window: of no series");
    core::Window read = get(window, reader_);
    if (reader_.error()) return;
    // Of every series, or of the probe's first alone: earlier versions kept one for each.
    core::Window* to = core::find_window(state_, added[window.row()]->inputs);
    if (to == nullptr) continue;
    to->merge(std::move(read));
  }
}

void StateDecoder::Parts::take(const pb::SnapshotTrail& from) {
  if (agent_ == nullptr) return reader_.fail("a trail of no agent");
  if (from.value_size() != from.at_size() || from.risen_size() != from.at_size())
    return reader_.fail("trail: columns of different lengths");
  const ProbeKey key = get_key(from.probe(), reader_);
  if (reader_.error() || !state_.inputs) return;
  const auto inputs = state_.inputs->probes.find(key);
  if (inputs == state_.inputs->probes.end() || inputs->second.trails.empty()) return;
  std::vector<core::Trail::Point> points;
  points.reserve(static_cast<std::size_t>(from.at_size()));
  for (int i = 0; i < from.at_size(); ++i)
    points.push_back({from_ago(from.at(i)), from.value(i), from.risen(i)});
  core::Trail& to = state_.trails[key][agent_->name];
  to.configure(inputs->second.trails);
  if (!points.empty() && points.back().at > state_.now) reader_.fail("a trail of the future");
  if (!to.restore(points)) reader_.fail("trail: values that cannot be");
}

void StateDecoder::Parts::take(const pb::SnapshotService& from) {
  core::ServiceState& to = state_.services[reader_.name<ServiceName>(from.name(), "service")];
  for (const auto& rule : from.rules()) to.rules.push_back(get(rule));
  if (from.has_severity()) to.severity = from.severity();
  to.because = from.because();
  to.shown = instant(from.shown_us());
  to.blind = from.blind();
  to.no_data = from.no_data();
  to.open_incident = IncidentId(from.open_incident());
  if (from.has_dismissed()) to.dismissed = from.dismissed();
  to.evaluated = instant(from.evaluated_us());
  to.symptom_of = IncidentId(from.symptom_of());
  if (from.has_released_us()) to.released = instant(from.released_us());
  to.hosts_noted = from.hosts_noted();
  for (const auto& held : from.baselines()) {
    const auto signal = core::baseline_named(held.signal());
    if (!signal) return reader_.fail("a baseline of a signal that this version does not know");
    constexpr double kMost = 1e18;  // 30,000 years in microseconds
    if (!(held.value() >= 0 && held.value() <= kMost))
      return reader_.fail("a baseline that cannot be");
    to.baselines.push_back(
        {*signal, get_key(held.probe(), reader_), Duration{held.window_us()}, held.value()});
  }
  if (from.has_baselines_at_us()) to.held_at = instant(from.baselines_at_us());
  for (const auto& stale : from.stale())
    stale_.emplace_back(ProbeKey{ServiceName(from.name()), ProbeName(stale.probe())},
                        instant(stale.at_us()));
  for (const std::int64_t at_us : from.changes_us()) to.flaps.changes.push_back(instant(at_us));
  if (from.has_flapping_since_us()) to.flaps.since = instant(from.flapping_since_us());
}

void StateDecoder::Parts::take(const pb::SnapshotFact& from) {
  const auto name = reader_.name<FactName>(from.fact(), "fact");
  core::FactState& to = state_.facts[{name, ServiceName(from.service())}];
  to.value = get_value(from.value(), reader_);
  to.set_by = from.set_by();
  to.set_at = instant(from.set_at_us());
}

void StateDecoder::Parts::take(const pb::Incident& from) {
  core::Incident incident = get_incident(from, reader_);
  const IncidentId id = incident.id;
  state_.incidents.insert_or_assign(id, std::move(incident));
}

void StateDecoder::Parts::take(const pb::SnapshotValidation& from) {
  const auto id = reader_.name<ValidationId>(from.id(), "validation");
  core::Validation& to = state_.validations[id];
  to.id = id;
  to.service = ServiceName(from.service());
  to.incident = IncidentId(from.incident());
  to.asked_by = from.asked_by();
  to.started = instant(from.started_us());
  to.deadline = instant(from.deadline_us());
  if (from.has_finished_us()) to.finished = instant(from.finished_us());
  if (from.policy() > policies_.size()) return reader_.fail("validation: no such policy");
  if (from.policy() > 0) to.policy = policies_[from.policy() - 1];
  to.current = from.current();
  for (const auto& check : from.checks()) to.checks.push_back(get(check, reader_));
  to.verdict = get(from.verdict(), reader_);
}

void StateDecoder::Parts::take(const pb::SnapshotNotification& from) {
  const auto id = reader_.name<NotificationId>(from.id(), "notification");
  state_.notifications_pending[id] = {IncidentId(from.incident()), ReceiverName(from.receiver()),
                                      from.what()};
}

void StateDecoder::Parts::take(const pb::SnapshotSilence& from) {
  const auto id = reader_.name<SilenceId>(from.id(), "silence");
  core::Silence& to = state_.quieting.silences[id];
  to.id = id;
  for (const std::string& text : from.matchers()) {
    auto matcher = core::parse_matcher(text);
    if (!matcher) return reader_.fail(matcher.error());
    to.matchers.push_back(*std::move(matcher));
  }
  to.author = from.author();
  to.reason = from.reason();
  to.request_id = from.request_id();
  to.begins = instant(from.begins_us());
  to.ends = instant(from.ends_us());
  to.ended_by = from.ended_by();
}

void StateDecoder::Parts::take(const pb::SnapshotMaintenance& from) {
  const auto id = reader_.name<MaintenanceId>(from.id(), "maintenance");
  core::Maintenance& to = state_.quieting.by_people[id];
  to.id = id;
  for (const std::string& service : from.services()) to.services.emplace_back(service);
  to.author = from.author();
  to.reason = from.reason();
  to.request_id = from.request_id();
  to.begins = instant(from.begins_us());
  to.ends = instant(from.ends_us());
  to.ended_by = from.ended_by();
}

void StateDecoder::Parts::take(const pb::SnapshotLinks& from) {
  const int keys = from.key_size();
  if ((from.value_size() != 0 && from.value_size() != keys) ||
      (from.at_us_size() != 0 && from.at_us_size() != keys))
    return reader_.fail("links: columns of different lengths");
  static const std::string kNone;
  for (int i = 0; i < keys; ++i)
    take_link(from.kind(), from.key(i), from.value_size() == 0 ? kNone : from.value(i),
              instant(from.at_us_size() == 0 ? 0 : from.at_us(i)));
}

void StateDecoder::Parts::take_link(pb::SnapshotLinks::Kind kind, const std::string& key,
                                    const std::string& value, Instant at) {
  using Links = pb::SnapshotLinks;
  switch (kind) {
    case Links::KIND_RESOLVED:
      state_.resolved_order.emplace_back(key);
      return;
    case Links::KIND_FINISHED:
      state_.finished_order.emplace_back(key);
      return;
    case Links::KIND_REQUEST:
      state_.requests[RequestId(key)] = ValidationId(value);
      return;
    case Links::KIND_VERIFICATION:
      state_.verifications[RequestId(key)] = IncidentId(value);
      return;
    case Links::KIND_ACTION_RUNNING:
      state_.actions_running[ActionId(key)] = IncidentId(value);
      return;
    case Links::KIND_ACTION_LAST:
      state_.action_last[{ActionName(key), value}] = at;
      return;
    case Links::KIND_DIRTY:
      state_.dirty.insert(ServiceName(key));
      return;
    case Links::KIND_SERVICE_ALARM:
      state_.service_alarms.set(ServiceName(key), at);
      return;
    case Links::KIND_INCIDENT_ALARM:
      state_.incident_alarms.set(IncidentId(key), at);
      return;
    case Links::KIND_VALIDATION_ALARM:
      state_.validation_alarms.set(ValidationId(key), at);
      return;
    case Links::KIND_SILENT:
      state_.silent.insert(AgentName(key));
      return;
    case Links::KIND_AGENT_ALARM:
      state_.agent_alarms.set(AgentName(key), at);
      return;
    default:
      reader_.fail("links of a kind that this version does not know");
  }
}

StateDecoder::StateDecoder(PolicyCompiler compile)
    : parts_(std::make_unique<Parts>(std::move(compile))) {}
StateDecoder::~StateDecoder() = default;
Result<> StateDecoder::add(std::string_view record) {
  return parts_->add(record);
}
Result<core::State> StateDecoder::finish() {
  return parts_->finish();
}

}  // namespace firebreak::store
