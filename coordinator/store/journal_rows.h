// The journal's rows, read and checked one by one. Internal to this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "coordinator/store/sqlite_parts.h"
#include "coordinator/store/store.h"

namespace firebreak::store {

// corrupt: says what is wrong, and who can help.
[[nodiscard]] Error damaged_store(const std::string& path, const std::string& what);

// Every entry after position `after`, of at most `rows_max` rows (-1: of all), in one look at the
// database; nothing may be missing between. Gives the last position that was read; `after` when
// there is none. Stops after the entry for which `visit` says false, and at its first error.
Result<std::uint64_t> replay_rows(sqlite3* db, const std::string& path,
                                  const PolicyCompiler& compile, std::uint64_t after,
                                  std::int64_t rows_max,
                                  const std::function<Result<bool>(JournalEntry)>& visit);

}  // namespace firebreak::store
