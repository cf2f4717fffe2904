// SQLite as the store and its doctor use it. Private to this folder: it shows sqlite3.h.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"

namespace firebreak::store {

inline constexpr int kApplicationId = 0x46425244;  // "FBRD", shown by file(1)
inline constexpr int kSchemaVersion = 2;

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// Whether what just failed wants nothing but room on the disk: nothing was written, and it may be
// tried again. A failed sync is never that, whatever the reason.
[[nodiscard]] bool is_out_of_room(sqlite3* db);
[[nodiscard]] Error sqlite_error(sqlite3* db, const std::string& path, const std::string& doing);

// A prepared statement; bind in order, step, read columns, reset.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  }
  Statement(Statement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  [[nodiscard]] bool is_valid() const { return statement_ != nullptr; }
  Statement& bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& bind_unsigned(std::uint64_t value) { return bind(static_cast<std::int64_t>(value)); }
  Statement& bind_null() {
    sqlite3_bind_null(statement_, ++bound_);
    return *this;
  }
  // The bytes must live until the step.
  Statement& bind_text(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Statement& bind_blob(std::string_view bytes) {
    sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
  }
  int step() { return sqlite3_step(statement_); }
  void reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    bound_ = 0;
  }
  // One row at most is expected and not read.
  bool run() {
    const int code = step();
    reset();
    return code == SQLITE_DONE || code == SQLITE_ROW;
  }
  [[nodiscard]] std::int64_t integer(int column) {
    return sqlite3_column_int64(statement_, column);
  }
  // Also of a number.
  [[nodiscard]] std::string_view text(int column) {
    const unsigned char* bytes = sqlite3_column_text(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return {bytes == nullptr ? "" : reinterpret_cast<const char*>(bytes), size};
  }
  // Of whatever type; valid until the next step.
  [[nodiscard]] const sqlite3_value* value(int column) {
    return sqlite3_column_value(statement_, column);
  }
  Statement& bind_value(const sqlite3_value* value) {
    sqlite3_bind_value(statement_, ++bound_, value);
    return *this;
  }
  [[nodiscard]] std::string_view blob(int column) {
    const void* bytes = sqlite3_column_blob(statement_, column);
    return {static_cast<const char*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// Resets when the reader leaves, whichever way.
class Rows {
 public:
  explicit Rows(Statement& statement) : statement_(statement) {}
  ~Rows() { statement_.reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

 private:
  Statement& statement_;
};

// `how`: a path, or a URI when `flags` say so.
Result<Database> open_database(const std::string& path, const std::string& how, int flags);
Result<> execute(sqlite3* db, const std::string& path, const char* sql, const char* doing);
// The first column of the only row.
Result<std::string> query_text(sqlite3* db, const std::string& path, const char* sql);
// The same of a position or an epoch; corrupt: it is no such number.
Result<std::uint64_t> query_number(sqlite3* db, const std::string& path, const char* sql);

// Checksums of what a row holds; a row of the journal with where it belongs.
[[nodiscard]] std::uint32_t checksum(std::string_view bytes);
[[nodiscard]] std::uint32_t checksum(std::uint64_t position, std::uint64_t count,
                                     std::int64_t at_us, std::string_view batch);

// Creates the schema in an empty file, brings an older one to ours in one transaction; refuses what
// is not ours, is newer, or does not match its checksums.
Result<> check_or_create_schema(sqlite3* db, const std::string& path);

}  // namespace firebreak::store
