// Opening, errors, checksums, schema: see sqlite_parts.h.
#include "coordinator/store/sqlite_parts.h"

#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "common/crc32c.h"
#include "common/text.h"

namespace firebreak::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

constexpr const char* kSchema = R"(
CREATE TABLE journal(
  position INTEGER PRIMARY KEY,  -- of the first event; dense over all rows
  count INTEGER NOT NULL,        -- events in this row
  at_us INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  batch BLOB NOT NULL
) STRICT;
CREATE TABLE incidents(
  id TEXT PRIMARY KEY,
  opened_us INTEGER NOT NULL,
  resolved_us INTEGER,
  crc INTEGER NOT NULL,
  doc BLOB NOT NULL
) STRICT;
CREATE INDEX incidents_opened ON incidents(opened_us) WHERE resolved_us IS NOT NULL;
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK(kind IN ('host_action', 'http_action', 'notification')),
  key TEXT NOT NULL,
  crc INTEGER NOT NULL,
  effect BLOB NOT NULL,
  UNIQUE(kind, key)
) STRICT;
CREATE TABLE lease(id INTEGER PRIMARY KEY CHECK(id = 1), epoch INTEGER NOT NULL) STRICT;
INSERT INTO lease VALUES(1, 0);
CREATE TABLE trimmed(id INTEGER PRIMARY KEY CHECK(id = 1), position INTEGER NOT NULL) STRICT;
INSERT INTO trimmed VALUES(1, 0);
)";

// Version 1 had another checksum, over the content alone, and a mark that nobody set.
constexpr const char* kFrom1 = R"(
BEGIN IMMEDIATE;
UPDATE journal SET crc = renewed_crc(crc, batch, position, count, at_us);
UPDATE incidents SET crc = renewed_crc(crc, doc);
UPDATE outbox SET crc = renewed_crc(crc, effect);
ALTER TABLE outbox DROP COLUMN started;
CREATE TABLE trimmed(id INTEGER PRIMARY KEY CHECK(id = 1), position INTEGER NOT NULL) STRICT;
INSERT INTO trimmed VALUES(1, 0);
PRAGMA user_version=2;
COMMIT;
)";

std::int64_t checksum_of_1(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

// renewed_crc(old, bytes[, position, count, at_us]): the checksum of today, once the old one is
// right.
void renewed_crc(sqlite3_context* context, int count, sqlite3_value** values) {
  const void* raw = sqlite3_value_blob(values[1]);
  const std::string_view bytes(static_cast<const char*>(raw),
                               static_cast<std::size_t>(sqlite3_value_bytes(values[1])));
  if (checksum_of_1(bytes) != sqlite3_value_int64(values[0])) {
    sqlite3_result_error(context, "a row does not match its checksum", -1);
    return;
  }
  if (count < 5) {
    sqlite3_result_int64(context, checksum(bytes));
    return;
  }
  const auto number = [&](int i) { return sqlite3_value_int64(values[i]); };
  sqlite3_result_int64(context, checksum(static_cast<std::uint64_t>(number(2)),
                                         static_cast<std::uint64_t>(number(3)), number(4), bytes));
}

Result<> migrate_from_1(sqlite3* db, const std::string& path) {
  for (const int arguments : {2, 5})
    sqlite3_create_function_v2(db, "renewed_crc", arguments, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                               nullptr, renewed_crc, nullptr, nullptr, nullptr);
  if (const auto done = execute(db, path, kFrom1, "bring it to schema version 2"); !done) {
    const bool is_damaged = sqlite3_errcode(db) == SQLITE_ERROR;
    sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    if (!is_damaged) return done.error();
    return make_error(Errc::corrupt,
                      done.error().message + "; the file is damaged: restore a backup");
  }
  return {};
}

}  // namespace

bool is_out_of_room(sqlite3* db) {
  const int code = sqlite3_extended_errcode(db);
  if ((code & 0xff) == SQLITE_FULL) return true;
  const int system = sqlite3_system_errno(db);
  return (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE) &&
         (system == ENOSPC || system == EDQUOT);
}

Error sqlite_error(sqlite3* db, const std::string& path, const std::string& doing) {
  const int code = sqlite3_errcode(db) & 0xff;
  // It may quote a damaged file.
  const std::string said = path + ": cannot " + doing + ": " + escape_line(sqlite3_errmsg(db));
  if (is_out_of_room(db))
    return make_error(Errc::resource_exhausted, said + "; make room on the disk");
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make_error(Errc::corrupt, said +
                                           "; the file is damaged or not a firebreak store; "
                                           "`firebreak doctor` says what can be saved");
    case SQLITE_BUSY:
      return make_error(Errc::unavailable, said + "; another program holds the file");
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return make_error(Errc::permission_denied,
                        said + "; the file and its folder must be writable by this user");
    default:
      return make_error(Errc::internal, said);
  }
}

Result<Database> open_database(const std::string& path, const std::string& how, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(how.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (code != SQLITE_OK) return sqlite_error(db.get(), path, "open");
  sqlite3_extended_result_codes(db.get(), 1);
  sqlite3_busy_timeout(db.get(), kBusyTimeoutMs);
  sqlite3_db_config(db.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return db;
}

Result<> execute(sqlite3* db, const std::string& path, const char* sql, const char* doing) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(db, path, doing);
  return {};
}

// The first column of the only row.
Result<std::string> query_text(sqlite3* db, const std::string& path, const char* sql) {
  Statement statement(db, sql);
  if (!statement.is_valid() || statement.step() != SQLITE_ROW)
    return sqlite_error(db, path, "read");
  return std::string(statement.blob(0));
}

Result<std::uint64_t> query_number(sqlite3* db, const std::string& path, const char* sql) {
  const auto text = query_text(db, path, sql);
  if (!text) return text.error();
  std::uint64_t number = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, number);
  if (read.ec == std::errc{} && read.ptr == end) return number;
  return make_error(Errc::corrupt, path + ": \"" + escape_line(*text, 40) +
                                       "\" is where a number should be; `firebreak doctor` says "
                                       "what can be saved");
}

std::uint32_t checksum(std::string_view bytes) {
  return crc32c(bytes);
}

std::uint32_t checksum(std::uint64_t position, std::uint64_t count, std::int64_t at_us,
                       std::string_view batch) {
  const std::array<std::uint64_t, 3> place{position, count, static_cast<std::uint64_t>(at_us)};
  std::array<char, sizeof place> bytes{};
  std::memcpy(bytes.data(), place.data(), bytes.size());
  return crc32c(batch, crc32c({bytes.data(), bytes.size()}));
}

Result<> check_or_create_schema(sqlite3* db, const std::string& path) {
  const auto application = query_text(db, path, "PRAGMA application_id");
  if (!application) return application.error();
  const auto version = query_text(db, path, "PRAGMA user_version");
  if (!version) return version.error();
  const auto tables = query_text(db, path, "SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*application == "0" && *version == "0" && *tables == "0") {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(kSchema) +
                            "PRAGMA application_id=" + std::to_string(kApplicationId) +
                            "; PRAGMA user_version=" + std::to_string(kSchemaVersion) + "; COMMIT;";
    return execute(db, path, sql.c_str(), "create the store");
  }
  if (*application != std::to_string(kApplicationId))
    return make_error(
        Errc::failed_precondition,
        path + " is a SQLite file of another program; name another file as the store");
  if (*version == "1") return migrate_from_1(db, path);
  if (*version != std::to_string(kSchemaVersion))
    return make_error(Errc::failed_precondition,
                      path + " has schema version " + *version + ", this program knows version " +
                          std::to_string(kSchemaVersion) +
                          " and older; run the version of firebreak that wrote it, or a newer one");
  return {};
}

}  // namespace firebreak::store
