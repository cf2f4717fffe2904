// What is wrong with a coordinator's store, and what can be saved of it. Never changes what it
// looks at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/finding.h"
#include "common/result.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

using firebreak::Examination;
using firebreak::Finding;
using firebreak::Health;

// A coordinator's folder, its database, or one snapshot. A running coordinator may go on meanwhile.
Examination examine(const std::string& path, const PolicyCompiler& compile);

struct Salvage {
  std::uint64_t snapshot = 0;  // position; 0: none was needed or to be had
  std::uint64_t last = 0;      // position up to which the journal was saved
  std::uint64_t incidents = 0;
  std::uint64_t effects = 0;
  std::vector<std::string> lost;  // one line each
};

// Writes into the folder `into`, which must be missing or empty, a store that a coordinator starts
// from: the snapshot and the journal after it that lead furthest without a gap, every incident and
// every effect that can be read.
Result<Salvage> salvage(const std::string& path, const std::string& into,
                        const PolicyCompiler& compile);

}  // namespace firebreak::store
