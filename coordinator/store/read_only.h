// A store's database that is only looked at, also while a coordinator uses it. Internal to this
// folder.
#pragma once

#include <string>

#include "coordinator/store/sqlite_parts.h"

namespace firebreak::store {

// What reading a write-ahead log needs beside the database is removed again at the end, unless a
// coordinator uses it.
class ReadOnly {
 public:
  static Result<ReadOnly> open(const std::string& path);
  ReadOnly(ReadOnly&& other) noexcept;
  ReadOnly& operator=(ReadOnly&&) = delete;
  ~ReadOnly();
  [[nodiscard]] sqlite3* get() const { return db_.get(); }

 private:
  ReadOnly() = default;
  Database db_;
  int lock_ = -1;
  std::string index_;  // to be removed
};

}  // namespace firebreak::store
