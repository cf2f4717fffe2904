// The highest coordinator epoch that this host has obeyed, in the agent's state folder: a
// coordinator that was replaced, or restored from a backup, must not be obeyed again after a
// restart. Not thread-safe; blocks on the disk.
//
// One line for people: "42 crc32c=0123abcd". A digit that a disk flipped would shut a rightful
// coordinator out, or let one back in that was replaced; so it is noticed, and nobody is obeyed.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace firebreak::agent {

struct SeenEpoch {
  std::uint64_t epoch = 0;  // 0: there is no file yet
  bool is_checked = true;   // false: the number alone, as versions before this one wrote it
};

// `corrupt` when it is not what write_epoch() wrote, in this version or the one before.
Result<SeenEpoch> read_epoch(const std::string& folder);
// Durable when it returns; after a failure or a crash the file is the old one or the new one.
Result<> write_epoch(const std::string& folder, std::uint64_t epoch);

}  // namespace firebreak::agent
