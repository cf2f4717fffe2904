// The file that makes an action run at most once: every intent is durable in it before the action
// starts.
//
// The file is a magic line, then records: length, CRC of the length, payload (an ActuatorRecord),
// CRC of the payload; integers are 32 bits, big-endian. Every CRC (CRC-32C) goes on from the one
// before it, so a record that is missing or moved is as visible as one that has changed. A file
// that merely ends in the middle of a record was cut off by a crash during an append: nothing was
// done on behalf of that record, and it is cut away. Anything else is damage. A damaged journal is
// left as it is, what stands before the damage can still be read, and nothing may run until a
// person has looked.
//
// Not thread-safe. One process at a time holds the file (flock).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/actuator/history.h"
#include "common/fd.h"
#include "common/result.h"

namespace firebreak::actuator {

// What a journal's bytes say.
struct JournalContent {
  std::vector<Record> records;
  std::size_t good_bytes = 0;  // up to the end of the last whole record; 0: not even the magic line
  std::uint32_t crc = 0;       // where the next record's CRC goes on
  std::string damage;          // what is wrong and where; empty: nothing
};
[[nodiscard]] JournalContent read_journal(std::string_view bytes);
[[nodiscard]] std::string journal_bytes(const std::vector<Record>& records);

class Journal {
 public:
  // Opens or creates DIRECTORY/journal. The directory is created with mode 0700 when it is missing;
  // it and the file have to belong to us and to be writable by nobody else. Fails when another
  // process holds the journal or it cannot be read.
  static Result<Journal> open(const std::string& directory);

  // Why nothing may run: the file is damaged, or an fsync failed. Empty when all is well. A failed
  // fsync is never tried again, because the kernel may have dropped the pages and say yes.
  [[nodiscard]] const std::string& damage() const { return damage_; }
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] std::size_t size_bytes() const { return size_; }

  // Appends, waits until it is durable, applies it to the history. After an error nothing has been
  // applied and nothing may be done on behalf of the record.
  Result<void> append(const Record& record);
  // Forgets what need not be remembered and rewrites the file when it has grown to twice its last
  // compact size. An error leaves the old file in use.
  Result<void> compact_if_large(Instant now);
  Result<void> compact(Instant now);

 private:
  Journal(Fd directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}
  Result<void> load();
  Result<void> start_file();

  Fd directory_;
  Fd file_;
  std::string path_;
  History history_;
  std::size_t size_ = 0;
  std::size_t compact_size_ = 0;
  std::uint32_t crc_ = 0;
  std::string damage_;
};

}  // namespace firebreak::actuator
