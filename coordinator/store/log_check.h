// Whether SQLite's write-ahead log is whole. SQLite itself takes a log up to the first frame that
// does not fit and forgets the rest without a word, because the end of a log that a crash
// interrupted looks the same.
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "common/result.h"

namespace firebreak::store {

// What is wrong with the log, none when a crash alone may have left it like this. Damage is certain
// when transactions follow it: with synchronous=FULL a transaction is begun after the one before it
// is on the disk. So damage of the last one or two transactions is not told from a crash.
[[nodiscard]] std::optional<std::string> log_damage(std::istream& log);

// The same for a file that may be missing: corrupt, with a message for the operator.
Result<> check_log(const std::string& path);

}  // namespace firebreak::store
