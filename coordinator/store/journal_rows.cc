// Row by row: place, checksum, events; the first that does not fit ends it.
#include "coordinator/store/journal_rows.h"

#include <utility>
#include <vector>

#include "coordinator/store/journal_codec.h"

namespace firebreak::store {

Error damaged_store(const std::string& path, const std::string& what) {
  return make_error(
      Errc::corrupt,
      path + ": " + what + "; the file is damaged: `firebreak doctor` says what can be saved");
}

Result<std::uint64_t> replay_rows(sqlite3* db, const std::string& path,
                                  const PolicyCompiler& compile, std::uint64_t after,
                                  std::int64_t rows_max,
                                  const std::function<Result<bool>(JournalEntry)>& visit) {
  Statement rows(db,
                 "SELECT position, count, at_us, crc, batch FROM journal WHERE position >= "
                 "coalesce((SELECT max(position) FROM journal WHERE position <= ?), 0) ORDER BY "
                 "position LIMIT ?");
  if (!rows.is_valid()) return sqlite_error(db, path, "read the journal");
  rows.bind_unsigned(after + 1);
  rows.bind(rows_max);
  std::uint64_t expected = 0;  // 0: the first row may start anywhere up to after + 1
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const auto position = static_cast<std::uint64_t>(rows.integer(0));
    const auto count = static_cast<std::uint64_t>(rows.integer(1));
    if (expected == 0 ? position > after + 1 : position != expected)
      return damaged_store(
          path, "the journal misses what comes before position " + std::to_string(position));
    const std::string_view bytes = rows.blob(4);
    if (checksum(position, count, rows.integer(2), bytes) != rows.integer(3))
      return damaged_store(path, "the journal's row at position " + std::to_string(position) +
                                     " does not match its checksum");
    expected = position + count;
    if (expected <= after + 1) continue;
    auto entries = decode_batch(bytes, position, compile);
    if (!entries) return Error{entries.error().code, path + ": " + entries.error().message};
    if (entries->size() != count)
      return damaged_store(path, "the journal's row at position " + std::to_string(position) +
                                     " holds " + std::to_string(entries->size()) +
                                     " events instead of " + std::to_string(count));
    for (JournalEntry& entry : *entries) {
      if (entry.position <= after) continue;
      const std::uint64_t at = entry.position;
      const auto more = visit(std::move(entry));
      if (!more) return more.error();
      if (!*more) return at;
    }
  }
  if (code != SQLITE_DONE) return sqlite_error(db, path, "read the journal");
  return expected <= after + 1 ? after : expected - 1;
}

}  // namespace firebreak::store
