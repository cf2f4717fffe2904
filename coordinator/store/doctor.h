// What is wrong with a coordinator's store, and what can be saved of it. Never changes what it
// looks at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

// In this order: the worst finding is the verdict.
enum class Health {
  sound,
  damaged,  // but everything that a start needs can be had
  lost,     // something that was committed cannot be had any more
};
[[nodiscard]] const char* to_string(Health health);

struct Finding {
  Health health = Health::sound;
  std::string file;
  std::string what;  // was checked, or is wrong with it
};

struct Examination {
  std::vector<Finding> findings;
  [[nodiscard]] Health verdict() const;
};

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
