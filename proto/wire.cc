// Results and keys: what travels, checked and converted.
#include "proto/wire.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <firebreak/v1/agent.pb.h>
#include <firebreak/v1/probe.pb.h>

#include "common/assert.h"
#include "common/limits.h"
#include "common/text.h"
#include "proto/checker.h"

namespace firebreak::wire {
namespace {

constexpr auto kReasonMax = static_cast<std::uint32_t>(Reason::config);
constexpr auto kPhaseMax = static_cast<std::uint32_t>(Phase::query);
constexpr std::int64_t kMonotonicMaxUs = std::int64_t{1} << 61;  // sums of two still fit

bool is_known(v1::Status status) {
  return status > v1::STATUS_UNSPECIFIED && status <= v1::STATUS_UNKNOWN;
}

Status known_status(v1::Status status) {
  return static_cast<Status>(static_cast<int>(status) - 1);
}

bool is_evidence(const std::string& text) {
  return text.size() <= limits::kEvidenceBytesMax && is_valid_utf8(text);
}

std::string mended_evidence(const std::string& text) {
  return is_evidence(text) ? text : to_valid_utf8(text, limits::kEvidenceBytesMax);
}

// The values that may travel, at most as many as a result may hold.
template <class Send>
void for_each_sendable(const std::vector<NamedValue>& values, Send send) {
  std::size_t sent = 0;
  for (const NamedValue& value : values) {
    if (!std::isfinite(value.value) || !is_valid_name(value.name)) continue;
    if (++sent > limits::kValuesPerResultMax) return;
    send(value);
  }
}

std::int64_t clamped_latency(Duration latency) {
  return std::clamp(latency, Duration::zero(), Duration{limits::kLatencyMax}).count();
}

// A column that says which result each of its entries is about.
bool check_rows(Checker& check, const google::protobuf::RepeatedField<std::uint32_t>& rows,
                int results, std::string_view field) {
  std::uint32_t previous = 0;
  for (int i = 0; i < rows.size(); ++i) {
    const std::uint32_t row = rows[i];
    const auto index = static_cast<std::size_t>(i);
    if (!check.require(row < static_cast<std::uint32_t>(results), field, index,
                       "is not the index of a result of this batch") ||
        !check.require(row >= previous, field, index, "is below the entry before it")) {
      return false;
    }
    previous = row;
  }
  return true;
}

bool check_column_sizes(Checker& check, const v1::ResultBatch& batch) {
  constexpr std::string_view kUneven = "has not as many entries as ResultBatch.ref";
  const int results = batch.ref_size();
  return check.require(results > 0, "ResultBatch.ref", "is empty; a batch holds a result") &&
         check.count(static_cast<std::size_t>(results), limits::kBatchResultsMax,
                     "ResultBatch.ref") &&
         check.require(batch.status_size() == results, "ResultBatch.status", kUneven) &&
         check.require(batch.reason_size() == results, "ResultBatch.reason", kUneven) &&
         check.require(batch.phase_size() == results, "ResultBatch.phase", kUneven) &&
         check.require(batch.started_monotonic_us_size() == results,
                       "ResultBatch.started_monotonic_us", kUneven) &&
         check.require(batch.latency_us_size() == results, "ResultBatch.latency_us", kUneven) &&
         check.require(batch.confirmed_size() == results, "ResultBatch.confirmed", kUneven) &&
         check.require(batch.value_name_size() == batch.value_row_size(), "ResultBatch.value_name",
                       "has not as many entries as ResultBatch.value_row") &&
         check.require(batch.value_size() == batch.value_row_size(), "ResultBatch.value",
                       "has not as many entries as ResultBatch.value_row") &&
         check.require(batch.evidence_size() == batch.evidence_row_size(), "ResultBatch.evidence",
                       "has not as many entries as ResultBatch.evidence_row");
}

bool check_header(Checker& check, const v1::ResultBatch& batch) {
  constexpr std::uint64_t kSeqMax = std::uint64_t{1} << 62;
  return check.require(batch.first_seq() > 0 && batch.first_seq() < kSeqMax,
                       "ResultBatch.first_seq", "is not between 1 and 2^62") &&
         check.require(
             batch.sent_monotonic_us() >= 0 && batch.sent_monotonic_us() < kMonotonicMaxUs,
             "ResultBatch.sent_monotonic_us", "is not between 0 and 2^61") &&
         check.require(batch.dropped_before() < kSeqMax, "ResultBatch.dropped_before",
                       "is not below 2^62") &&
         check.count(static_cast<std::size_t>(batch.series_size()), limits::kBatchResultsMax,
                     "ResultBatch.series");
}

void convert_series(Checker& check, const v1::ResultBatch& message, Batch& batch) {
  batch.series.reserve(static_cast<std::size_t>(message.series_size()));
  for (const v1::ResultBatch::Series& series : message.series()) {
    check.require(series.ref() < limits::kSeriesPerAgentMax, "ResultBatch.series.ref",
                  "is beyond the series that one agent may have");
    auto key = from_proto(series.key());
    if (!key) {
      check.take(key.error(), "ResultBatch.series");
      return;
    }
    batch.series.push_back({series.ref(), std::move(*key)});
  }
}

void convert_results(Checker& check, const v1::ResultBatch& message, Batch& batch) {
  batch.results.resize(static_cast<std::size_t>(message.ref_size()));
  for (int i = 0; i < message.ref_size(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const auto status = static_cast<v1::Status>(message.status(i));
    const std::int64_t latency = message.latency_us(i);
    const std::int64_t started = message.started_monotonic_us(i);
    check.require(message.ref(i) < limits::kSeriesPerAgentMax, "ResultBatch.ref", index,
                  "is beyond the series that one agent may have");
    check.require(is_known(status), "ResultBatch.status", index, "is not a known status");
    check.require(message.reason(i) <= kReasonMax, "ResultBatch.reason", index,
                  "is not a known reason");
    check.require(message.phase(i) <= kPhaseMax, "ResultBatch.phase", index,
                  "is not a known phase");
    check.require(latency >= 0 && latency <= Duration{limits::kLatencyMax}.count(),
                  "ResultBatch.latency_us", index, "is not between 0 and 24 h");
    check.require(started >= 0 && started <= message.sent_monotonic_us(),
                  "ResultBatch.started_monotonic_us", index,
                  "is not between 0 and sent_monotonic_us");
    if (check.failed()) return;
    BatchedResult& result = batch.results[index];
    result.ref = message.ref(i);
    result.confirmed = message.confirmed(i);
    result.started = Duration{started};
    result.observation.status = known_status(status);
    result.observation.reason = static_cast<Reason>(message.reason(i));
    result.observation.phase = static_cast<Phase>(message.phase(i));
    result.observation.latency = Duration{latency};
  }
}

void convert_values(Checker& check, const v1::ResultBatch& message, Batch& batch) {
  if (!check.count(static_cast<std::size_t>(message.value_names_size()),
                   limits::kBatchResultsMax * limits::kValuesPerResultMax,
                   "ResultBatch.value_names")) {
    return;
  }
  for (const std::string& name : message.value_names()) {
    if (!check.name(name, "ResultBatch.value_names")) return;
  }
  if (!check_rows(check, message.value_row(), message.ref_size(), "ResultBatch.value_row")) return;
  for (int k = 0; k < message.value_row_size(); ++k) {
    const auto index = static_cast<std::size_t>(k);
    const std::uint32_t name = message.value_name(k);
    std::vector<NamedValue>& values = batch.results[message.value_row(k)].observation.values;
    check.require(name < static_cast<std::uint32_t>(message.value_names_size()),
                  "ResultBatch.value_name", index, "is not an index into value_names");
    check.require(std::isfinite(message.value(k)), "ResultBatch.value", index,
                  "is not a finite number");
    check.require(values.size() < limits::kValuesPerResultMax, "ResultBatch.value_row", index,
                  "gives one result more values than it may have");
    if (check.failed()) return;
    values.push_back({message.value_names(static_cast<int>(name)), message.value(k)});
  }
}

void convert_evidence(Checker& check, const v1::ResultBatch& message, Batch& batch) {
  const auto& rows = message.evidence_row();
  if (!check_rows(check, rows, message.ref_size(), "ResultBatch.evidence_row")) return;
  for (int k = 0; k < rows.size(); ++k) {
    const auto index = static_cast<std::size_t>(k);
    check.require(k == 0 || rows[k] != rows[k - 1], "ResultBatch.evidence_row", index,
                  "gives one result a second piece of evidence");
    check.require(is_evidence(message.evidence(k)), "ResultBatch.evidence", index,
                  "is too long or not valid UTF-8");
    if (check.failed()) return;
    batch.results[rows[k]].observation.evidence = message.evidence(k);
  }
}

}  // namespace

v1::Status to_proto(Status status) {
  return static_cast<v1::Status>(static_cast<int>(status) + 1);
}

v1::ProbeKey to_proto(const ProbeKey& key) {
  v1::ProbeKey message;
  message.set_service(key.service.str());
  message.set_probe(key.probe.str());
  return message;
}

v1::Observation to_proto(const Observation& observation) {
  v1::Observation message;
  message.set_status(to_proto(observation.status));
  message.set_reason(static_cast<std::uint32_t>(observation.reason));
  message.set_phase(static_cast<std::uint32_t>(observation.phase));
  message.set_latency_us(clamped_latency(observation.latency));
  for (std::size_t i = 0; i < std::min<std::size_t>(observation.phases.size(), kPhaseMax); ++i) {
    message.add_timing_phases(static_cast<std::uint32_t>(observation.phases[i].phase));
    message.add_timing_us(clamped_latency(observation.phases[i].took));
  }
  for_each_sendable(observation.values, [&](const NamedValue& value) {
    v1::NamedValue& sent = *message.add_values();
    sent.set_name(value.name);
    sent.set_value(value.value);
  });
  message.set_evidence(mended_evidence(observation.evidence));
  return message;
}

v1::ResultBatch to_proto(const Batch& batch) {
  FB_ASSERT(!batch.results.empty() && batch.results.size() <= limits::kBatchResultsMax);
  v1::ResultBatch message;
  message.set_first_seq(batch.first_seq);
  message.set_sent_monotonic_us(batch.sent.count());
  message.set_dropped_before(batch.dropped_before);
  for (const SeriesDefinition& definition : batch.series) {
    v1::ResultBatch::Series& series = *message.add_series();
    series.set_ref(definition.ref);
    *series.mutable_key() = to_proto(definition.key);
  }
  std::unordered_map<std::string, std::uint32_t> names;
  for (std::uint32_t row = 0; row < batch.results.size(); ++row) {
    const BatchedResult& result = batch.results[row];
    message.add_ref(result.ref);
    message.add_status(to_proto(result.observation.status));
    message.add_reason(static_cast<std::uint32_t>(result.observation.reason));
    message.add_phase(static_cast<std::uint32_t>(result.observation.phase));
    message.add_started_monotonic_us(std::min(result.started, batch.sent).count());
    message.add_latency_us(clamped_latency(result.observation.latency));
    message.add_confirmed(result.confirmed);
    for_each_sendable(result.observation.values, [&](const NamedValue& value) {
      const auto [name, is_new] =
          names.try_emplace(value.name, static_cast<std::uint32_t>(names.size()));
      if (is_new) message.add_value_names(value.name);
      message.add_value_row(row);
      message.add_value_name(name->second);
      message.add_value(value.value);
    });
    if (!result.observation.evidence.empty()) {
      message.add_evidence_row(row);
      message.add_evidence(mended_evidence(result.observation.evidence));
    }
  }
  return message;
}

Result<Status> from_proto(v1::Status status) {
  if (is_known(status)) return known_status(status);
  return make_error(Errc::invalid_argument,
                    "status: " + std::to_string(static_cast<int>(status)) + " is not known");
}

Result<Reason> reason_from_proto(std::uint32_t number) {
  if (number <= kReasonMax) return static_cast<Reason>(number);
  return make_error(Errc::invalid_argument, "reason: " + std::to_string(number) + " is not known");
}

Result<Phase> phase_from_proto(std::uint32_t number) {
  if (number <= kPhaseMax) return static_cast<Phase>(number);
  return make_error(Errc::invalid_argument, "phase: " + std::to_string(number) + " is not known");
}

Result<ProbeKey> from_proto(const v1::ProbeKey& key) {
  Checker check;
  check.name(key.service(), "ProbeKey.service");
  check.name(key.probe(), "ProbeKey.probe");
  if (check.failed()) return check.error();
  return ProbeKey{ServiceName{key.service()}, ProbeName{key.probe()}};
}

Result<Observation> from_proto(const v1::Observation& message) {
  Checker check;
  Observation observation;
  check.require(is_known(message.status()), "Observation.status", "is not a known status");
  check.require(message.reason() <= kReasonMax, "Observation.reason", "is not a known reason");
  check.require(message.phase() <= kPhaseMax, "Observation.phase", "is not a known phase");
  check.duration(message.latency_us(), Duration::zero(), limits::kLatencyMax,
                 "Observation.latency_us");
  check.count(static_cast<std::size_t>(message.timing_phases_size()), kPhaseMax,
              "Observation.timing_phases");
  check.require(message.timing_us_size() == message.timing_phases_size(), "Observation.timing_us",
                "has not as many entries as timing_phases");
  check.count(static_cast<std::size_t>(message.values_size()), limits::kValuesPerResultMax,
              "Observation.values");
  check.require(is_evidence(message.evidence()), "Observation.evidence",
                "is too long or not valid UTF-8");
  if (check.failed()) return check.error();
  for (int i = 0; i < message.timing_phases_size(); ++i) {
    check.require(message.timing_phases(i) <= kPhaseMax, "Observation.timing_phases",
                  "holds an unknown phase");
    check.duration(message.timing_us(i), Duration::zero(), limits::kLatencyMax,
                   "Observation.timing_us");
    observation.phases.push_back(
        {static_cast<Phase>(message.timing_phases(i)), Duration{message.timing_us(i)}});
  }
  for (const v1::NamedValue& value : message.values()) {
    check.name(value.name(), "Observation.values.name");
    check.finite(value.value(), "Observation.values.value");
    observation.values.push_back({value.name(), value.value()});
  }
  if (check.failed()) return check.error();
  observation.status = known_status(message.status());
  observation.reason = static_cast<Reason>(message.reason());
  observation.phase = static_cast<Phase>(message.phase());
  observation.latency = Duration{message.latency_us()};
  observation.evidence = message.evidence();
  return observation;
}

Result<Batch> from_proto(const v1::ResultBatch& message) {
  Checker check;
  if (!check_header(check, message) || !check_column_sizes(check, message)) return check.error();
  Batch batch;
  batch.first_seq = message.first_seq();
  batch.sent = Duration{message.sent_monotonic_us()};
  batch.dropped_before = message.dropped_before();
  convert_series(check, message, batch);
  if (!check.failed()) convert_results(check, message, batch);
  if (!check.failed()) convert_values(check, message, batch);
  if (!check.failed()) convert_evidence(check, message, batch);
  if (check.failed()) return check.error();
  return batch;
}

Result<> SeriesTable::apply(const Batch& batch) {
  for (const SeriesDefinition& definition : batch.series) {
    if (definition.ref >= keys_.size()) keys_.resize(std::size_t{definition.ref} + 1);
    ProbeKey& key = keys_[definition.ref];
    if (key == ProbeKey{}) key = definition.key;
    if (key != definition.key) {
      return make_error(Errc::invalid_argument,
                        "ResultBatch.series.ref: " + std::to_string(definition.ref) +
                            " has another meaning on this stream already");
    }
  }
  for (const BatchedResult& result : batch.results) {
    if (find(result.ref) == nullptr) {
      return make_error(Errc::invalid_argument, "ResultBatch.ref: " + std::to_string(result.ref) +
                                                    " was not defined on this stream");
    }
  }
  return {};
}

const ProbeKey* SeriesTable::find(std::uint32_t ref) const {
  return ref < keys_.size() && keys_[ref] != ProbeKey{} ? &keys_[ref] : nullptr;
}

}  // namespace firebreak::wire
