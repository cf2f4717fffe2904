// The whole state <-> records of bytes (firebreak/v1/snapshot.proto).
//
// Encoding is deterministic: equal states give equal records, in this process and any other.
// Decoding trusts nothing, as the journal's does not. What a record holds of is small; nothing is
// copied twice. Pure but for `compile`; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "coordinator/core/state.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

// In the order in which they must be read again.
[[nodiscard]] std::vector<std::string> encode_state(const core::State& state);

// Takes the records one by one; after an error, nothing more may be asked of it.
class StateDecoder {
 public:
  explicit StateDecoder(PolicyCompiler compile);
  ~StateDecoder();
  StateDecoder(const StateDecoder&) = delete;
  StateDecoder& operator=(const StateDecoder&) = delete;

  Result<> add(std::string_view record);
  // After the last record: what was encoded, or corrupt when it does not add up.
  Result<core::State> finish();

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::store
