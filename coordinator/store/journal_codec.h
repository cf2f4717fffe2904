// Events, durable effects and incidents <-> the bytes that a store keeps
// (firebreak/v1/journal.proto).
//
// Decoding trusts nothing: damaged or foreign bytes give Errc::corrupt and say which field. Fields
// of a later version are ignored. Pure but for `compile`; thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

// One row of the journal: entries whose positions follow one another.
std::string encode_batch(const std::vector<JournalEntry>& entries);
// `first_position`: that of the first entry.
Result<std::vector<JournalEntry>> decode_batch(std::string_view bytes, std::uint64_t first_position,
                                               const PolicyCompiler& compile);

// Whether the effect must survive a restart: these alone can be encoded.
[[nodiscard]] bool is_durable(const core::Effect& effect);
std::string encode_effect(const core::Effect& effect);
Result<core::Effect> decode_effect(std::string_view bytes);

std::string encode_incident(const core::Incident& incident);
Result<core::Incident> decode_incident(std::string_view bytes);

}  // namespace firebreak::store
