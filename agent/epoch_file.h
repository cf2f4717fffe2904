// The highest coordinator epoch that this host has obeyed, in the agent's state folder: a
// coordinator that was replaced, or restored from a backup, must not be obeyed again after a
// restart. Not thread-safe; blocks on the disk.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace firebreak::agent {

// 0 when there is no file yet; corrupt when it is not what write_epoch() wrote.
Result<std::uint64_t> read_epoch(const std::string& folder);
// Durable when it returns; after a failure or a crash the file is the old one or the new one.
Result<> write_epoch(const std::string& folder, std::uint64_t epoch);

}  // namespace firebreak::agent
