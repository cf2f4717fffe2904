// The only conversion between what travels (firebreak.v1) and our own types.
//
// from_proto() is where the outside enters: it refuses what is out of bounds, unknown or malformed
// with Errc::invalid_argument and a message that names the field, and what it returns needs no
// further check. to_proto() never fails: it cuts and mends what the receiver would refuse. All
// functions are pure and thread-safe; the generated headers stay out of this one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/result.h"
#include "common/time.h"

namespace firebreak::v1 {
class Observation;
class ProbeKey;
class ProbeSpec;
class ResultBatch;
enum Status : int;
}  // namespace firebreak::v1

namespace firebreak::wire {

// A series as a stream defines it: from here on `ref` stands for `key`.
struct SeriesDefinition {
  std::uint32_t ref = 0;
  ProbeKey key;
  friend bool operator==(const SeriesDefinition&, const SeriesDefinition&) = default;
};

// One result of a batch; phase timings do not travel in batches.
struct BatchedResult {
  std::uint32_t ref = 0;
  bool confirmed = true;  // false: a verdict that differs and is being probed again
  Duration started{};     // on the agent's steady clock, never after Batch::sent
  Observation observation;
  friend bool operator==(const BatchedResult&, const BatchedResult&) = default;
};

// Results with consecutive sequence numbers: results[i] has first_seq + i.
struct Batch {
  std::uint64_t first_seq = 1;
  Duration sent{};  // on the agent's steady clock, when this batch was sent (again)
  std::vector<SeriesDefinition> series;
  std::vector<BatchedResult> results;
  std::uint64_t dropped_before = 0;
  friend bool operator==(const Batch&, const Batch&) = default;
};

v1::Status to_proto(Status status);
v1::ProbeKey to_proto(const ProbeKey& key);
v1::ProbeSpec to_proto(const ProbeSpec& spec);
v1::Observation to_proto(const Observation& observation);
v1::ResultBatch to_proto(const Batch& batch);

Result<Status> from_proto(v1::Status status);
Result<Reason> reason_from_proto(std::uint32_t number);
Result<Phase> phase_from_proto(std::uint32_t number);
Result<ProbeKey> from_proto(const v1::ProbeKey& key);
Result<ProbeSpec> from_proto(const v1::ProbeSpec& spec);
Result<Observation> from_proto(const v1::Observation& observation);
// Checks everything that a batch says about itself. Whether its refs are defined is a matter of
// the stream: SeriesTable.
Result<Batch> from_proto(const v1::ResultBatch& batch);

// The series of one stream, as the receiver knows them. Not thread-safe.
class SeriesTable {
 public:
  // Takes the batch's definitions in and checks that each of its refs is defined. Refused: a ref
  // with a second meaning, an undefined ref. After a refusal the stream is over.
  Result<> apply(const Batch& batch);
  // nullptr when not defined; valid until the next apply().
  [[nodiscard]] const ProbeKey* find(std::uint32_t ref) const;

 private:
  std::vector<ProbeKey> keys_;  // by ref; an empty key is not defined
};

}  // namespace firebreak::wire
