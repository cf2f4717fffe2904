// The store in one SQLite file: WAL, synchronous=FULL, one transaction per commit. A second thread
// moves pages from the WAL to the file, so that the owner thread pays for one fsync per commit
// only.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <boost/crc.hpp>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "common/assert.h"
#include "common/text.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/log_check.h"
#include "coordinator/store/store.h"

namespace firebreak::store {
namespace {

constexpr int kApplicationId = 0x46425244;  // "FBRD", shown by file(1)
constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 5000;
constexpr int kCheckpointPages = 1000;   // 4 MB: then the second thread is woken
constexpr int kWalPagesMax = 16 * 1024;  // 64 MB: then the commit itself checkpoints

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
  started INTEGER NOT NULL DEFAULT 0,
  UNIQUE(kind, key)
) STRICT;
CREATE TABLE lease(id INTEGER PRIMARY KEY CHECK(id = 1), epoch INTEGER NOT NULL) STRICT;
INSERT INTO lease VALUES(1, 0);
)";

std::int64_t crc_of(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

Error sqlite_error(sqlite3* db, const std::string& path, const std::string& doing) {
  const int code = sqlite3_errcode(db) & 0xff;
  // It may quote a damaged file.
  const std::string said = path + ": cannot " + doing + ": " + escape_line(sqlite3_errmsg(db));
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make_error(Errc::corrupt,
                        said +
                            "; the file is damaged or not a firebreak store: move it "
                            "away and restore a backup");
    case SQLITE_FULL:
      return make_error(Errc::resource_exhausted, said + "; make room on the disk and start again");
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

Result<Database> open_database(const std::string& path) {
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
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

// Moves pages from the WAL to the file on a connection and thread of its own.
class Checkpointer {
 public:
  Checkpointer(std::string path, Database db) : path_(std::move(path)), db_(std::move(db)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Checkpointer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  void wanted() {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
    }
    wake_.notify_one();
  }
  // Set once the disk has refused a write or a sync: after that nothing on it can be trusted.
  [[nodiscard]] std::optional<Error> error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || wanted_; });
      if (stopping_ || error_) return;
      wanted_ = false;
      lock.unlock();
      const int code = sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                                 nullptr, nullptr);
      lock.lock();
      if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
        error_ = sqlite_error(db_.get(), path_, "checkpoint");
    }
  }

  const std::string path_;
  const Database db_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::optional<Error> error_;
  std::thread thread_;
};

class FileLock {
 public:
  explicit FileLock(int fd) : fd_(fd) {}
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);  // which gives up the lock
  }

 private:
  int fd_;
};

std::string last_system_error() {
  return std::system_category().message(errno);
}

Result<FileLock> take_lock(const std::string& path) {
  const std::string name = path + ".lock";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return make_error(Errc::permission_denied, name + ": cannot open: " + last_system_error() +
                                                   "; its folder must exist and be writable by "
                                                   "this user");
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    return make_error(Errc::failed_precondition,
                      errno == EWOULDBLOCK
                          ? path + " is in use by another coordinator; stop that one first"
                          : name + ": cannot lock: " + last_system_error());
  return lock;
}

// An empty file that only we may read: it holds what hosts said and what operators wrote.
Result<> create_if_missing(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return make_error(Errc::permission_denied, path + ": cannot open: " + last_system_error());
  ::close(fd);
  return {};
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
  if (*version != std::to_string(kSchemaVersion))
    return make_error(Errc::failed_precondition,
                      path + " has schema version " + *version + ", this program knows version " +
                          std::to_string(kSchemaVersion) +
                          " and older; run the version of firebreak that wrote it, or a newer one");
  return {};
}

// The outbox row of a durable effect.
struct OutboxKey {
  const char* kind;
  const std::string& key;
};
OutboxKey outbox_key(const core::Effect& effect) {
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
    return {"host_action", order->action.str()};
  if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    return {"http_action", http->action.str()};
  const auto* notification = std::get_if<core::SendNotification>(&effect);
  FB_ASSERT(notification != nullptr);
  return {"notification", notification->notification.str()};
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, FileLock lock, Database db, Database checkpoint_db,
              PolicyCompiler compile)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        db_(std::move(db)),
        compile_(std::move(compile)),
        checkpointer_(path_, std::move(checkpoint_db)),
        begin_(db_.get(), "BEGIN IMMEDIATE"),
        end_(db_.get(), "COMMIT"),
        rollback_(db_.get(), "ROLLBACK"),
        read_epoch_(db_.get(), "SELECT epoch FROM lease WHERE id = 1"),
        bump_epoch_(db_.get(), "UPDATE lease SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch"),
        last_position_(db_.get(),
                       "SELECT position + count - 1 FROM journal ORDER BY position DESC LIMIT 1"),
        add_journal_(db_.get(), "INSERT INTO journal VALUES(?, ?, ?, ?, ?)"),
        put_incident_(db_.get(), "INSERT OR REPLACE INTO incidents VALUES(?, ?, ?, ?, ?)"),
        add_outbox_(db_.get(), "INSERT INTO outbox(kind, key, crc, effect) VALUES(?, ?, ?, ?)"),
        drop_action_(db_.get(),
                     "DELETE FROM outbox WHERE key = ? AND kind IN ('host_action', 'http_action')"),
        drop_notification_(db_.get(),
                           "DELETE FROM outbox WHERE key = ? AND kind = 'notification'") {
    sqlite3_wal_hook(db_.get(), &SqliteStore::on_wal, this);
  }
  ~SqliteStore() override { sqlite3_wal_hook(db_.get(), nullptr, nullptr); }

  [[nodiscard]] Result<> check_statements() const {
    for (const Statement* statement :
         {&begin_, &end_, &rollback_, &read_epoch_, &bump_epoch_, &last_position_, &add_journal_,
          &put_incident_, &add_outbox_, &drop_action_, &drop_notification_})
      if (!statement->is_valid()) return sqlite_error(db_.get(), path_, "prepare");
    return {};
  }

  Result<std::uint64_t> take_leadership() override {
    if (failed_) return *failed_;
    const Rows rows(bump_epoch_);
    if (bump_epoch_.step() != SQLITE_ROW) return fail("take the leadership");
    const auto epoch = static_cast<std::uint64_t>(bump_epoch_.integer(0));
    if (bump_epoch_.step() != SQLITE_DONE) return fail("take the leadership");
    return epoch;
  }

  Result<> commit(const Transaction& transaction) override {
    if (!failed_) failed_ = checkpointer_.error();
    if (failed_) return *failed_;
    if (!begin_.run()) return fail("begin a transaction");
    if (const auto allowed = check_fence(transaction); !allowed) {
      rollback_.run();
      return allowed.error();
    }
    if (!write(transaction)) return fail("write");
    if (!end_.run()) return fail("commit");
    return {};
  }

  Result<> replay(std::uint64_t after, const std::function<Result<>(JournalEntry)>& visit) override;
  Result<std::vector<OutboxEntry>> outbox() override;
  Result<std::vector<core::Incident>> past_incidents(std::size_t limit) override;
  Result<std::optional<core::Incident>> find_incident(const IncidentId& id) override;

 private:
  static int on_wal(void* self, sqlite3* db, const char*, int pages) {
    if (pages < kWalPagesMax) {
      if (pages >= kCheckpointPages) static_cast<SqliteStore*>(self)->checkpointer_.wanted();
      return SQLITE_OK;
    }
    const int code =
        sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return (code & 0xff) == SQLITE_BUSY ? SQLITE_OK : code;
  }

  // From here on this object refuses to write: what the file holds is known again after a restart.
  Error fail(const char* doing) {
    failed_ = sqlite_error(db_.get(), path_, doing);
    return *failed_;
  }
  [[nodiscard]] Error damaged(const std::string& what) const {
    return make_error(
        Errc::corrupt,
        path_ + ": " + what + "; the file is damaged: move it away and restore a backup");
  }

  // Within the transaction: nobody else has taken over, and nothing is between us and the journal's
  // end.
  Result<> check_fence(const Transaction& transaction);
  bool write(const Transaction& transaction);

  const std::string path_;
  const FileLock lock_;
  const Database db_;
  const PolicyCompiler compile_;
  Checkpointer checkpointer_;
  std::optional<Error> failed_;
  Statement begin_, end_, rollback_, read_epoch_, bump_epoch_, last_position_, add_journal_,
      put_incident_, add_outbox_, drop_action_, drop_notification_;
};

Result<> SqliteStore::check_fence(const Transaction& transaction) {
  {
    const Rows rows(read_epoch_);
    if (read_epoch_.step() != SQLITE_ROW) return fail("read the lease");
    const auto held = static_cast<std::uint64_t>(read_epoch_.integer(0));
    if (held != transaction.epoch)
      return make_error(Errc::failed_precondition,
                        path_ + ": epoch " + std::to_string(held) + " leads, a write of epoch " +
                            std::to_string(transaction.epoch) + " is refused");
  }
  if (transaction.journal.empty()) return {};
  const Rows rows(last_position_);
  const int code = last_position_.step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return fail("read the journal's end");
  const std::uint64_t last =
      code == SQLITE_ROW ? static_cast<std::uint64_t>(last_position_.integer(0)) : 0;
  std::uint64_t next = last;
  for (const JournalEntry& entry : transaction.journal) FB_ASSERT(entry.position == ++next);
  return {};
}

bool SqliteStore::write(const Transaction& transaction) {
  if (!transaction.journal.empty()) {
    const JournalEntry& first = transaction.journal.front();
    const std::string batch = encode_batch(transaction.journal);
    add_journal_.bind_unsigned(first.position).bind_unsigned(transaction.journal.size());
    if (!add_journal_.bind(unix_us(first.at)).bind(crc_of(batch)).bind_blob(batch).run())
      return false;
  }
  for (const core::Incident* incident : transaction.incidents) {
    const std::string doc = encode_incident(*incident);
    put_incident_.bind_text(incident->id.str()).bind(unix_us(incident->opened));
    if (incident->resolved)
      put_incident_.bind(unix_us(*incident->resolved));
    else
      put_incident_.bind_null();
    if (!put_incident_.bind(crc_of(doc)).bind_blob(doc).run()) return false;
  }
  for (const core::Effect& effect : transaction.outbox) {
    const std::string bytes = encode_effect(effect);
    const OutboxKey key = outbox_key(effect);
    add_outbox_.bind_text(key.kind).bind_text(key.key);
    if (!add_outbox_.bind(crc_of(bytes)).bind_blob(bytes).run()) return false;
  }
  for (const ActionId& action : transaction.actions_done)
    if (!drop_action_.bind_text(action.str()).run()) return false;
  for (const NotificationId& notification : transaction.notifications_done)
    if (!drop_notification_.bind_text(notification.str()).run()) return false;
  return true;
}

Result<> SqliteStore::replay(std::uint64_t after,
                             const std::function<Result<>(JournalEntry)>& visit) {
  Statement rows(
      db_.get(),
      "SELECT position, count, crc, batch FROM journal WHERE position >= coalesce((SELECT "
      "max(position) FROM journal WHERE position <= ?), 0) ORDER BY position");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read the journal");
  rows.bind_unsigned(after + 1);
  std::uint64_t expected = 0;  // 0: the first row may start anywhere up to after + 1
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const auto position = static_cast<std::uint64_t>(rows.integer(0));
    const auto count = static_cast<std::uint64_t>(rows.integer(1));
    if (expected == 0 ? position > after + 1 : position != expected)
      return damaged("the journal misses what comes before position " + std::to_string(position));
    const std::string_view bytes = rows.blob(3);
    if (crc_of(bytes) != rows.integer(2))
      return damaged("the journal's row at position " + std::to_string(position) +
                     " does not match its checksum");
    auto entries = decode_batch(bytes, position, compile_);
    if (!entries) return Error{entries.error().code, path_ + ": " + entries.error().message};
    if (entries->size() != count)
      return damaged("the journal's row at position " + std::to_string(position) + " holds " +
                     std::to_string(entries->size()) + " events instead of " +
                     std::to_string(count));
    for (JournalEntry& entry : *entries)
      if (entry.position > after)
        if (const auto visited = visit(std::move(entry)); !visited) return visited.error();
    expected = position + count;
  }
  if (code != SQLITE_DONE) return sqlite_error(db_.get(), path_, "read the journal");
  return {};
}

Result<std::vector<OutboxEntry>> SqliteStore::outbox() {
  Statement rows(db_.get(), "SELECT id, crc, effect FROM outbox ORDER BY id");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read the outbox");
  std::vector<OutboxEntry> entries;
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const auto id = static_cast<std::uint64_t>(rows.integer(0));
    if (crc_of(rows.blob(2)) != rows.integer(1))
      return damaged("the outbox's row " + std::to_string(id) + " does not match its checksum");
    auto effect = decode_effect(rows.blob(2));
    if (!effect) return Error{effect.error().code, path_ + ": " + effect.error().message};
    entries.push_back({id, std::move(*effect)});
  }
  if (code != SQLITE_DONE) return sqlite_error(db_.get(), path_, "read the outbox");
  return entries;
}

Result<std::vector<core::Incident>> SqliteStore::past_incidents(std::size_t limit) {
  Statement rows(db_.get(),
                 "SELECT crc, doc FROM incidents WHERE resolved_us IS NOT NULL ORDER BY opened_us "
                 "DESC LIMIT ?");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read the incidents");
  rows.bind_unsigned(limit);
  std::vector<core::Incident> incidents;
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    if (crc_of(rows.blob(1)) != rows.integer(0))
      return damaged("an incident does not match its checksum");
    auto incident = decode_incident(rows.blob(1));
    if (!incident) return Error{incident.error().code, path_ + ": " + incident.error().message};
    incidents.push_back(std::move(*incident));
  }
  if (code != SQLITE_DONE) return sqlite_error(db_.get(), path_, "read the incidents");
  return incidents;
}

Result<std::optional<core::Incident>> SqliteStore::find_incident(const IncidentId& id) {
  Statement rows(db_.get(), "SELECT crc, doc FROM incidents WHERE id = ?");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read an incident");
  rows.bind_text(id.str());
  const int code = rows.step();
  if (code == SQLITE_DONE) return std::optional<core::Incident>();
  if (code != SQLITE_ROW) return sqlite_error(db_.get(), path_, "read an incident");
  if (crc_of(rows.blob(1)) != rows.integer(0))
    return damaged("incident " + id.str() + " does not match its checksum");
  auto incident = decode_incident(rows.blob(1));
  if (!incident) return Error{incident.error().code, path_ + ": " + incident.error().message};
  return std::optional<core::Incident>(std::move(*incident));
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, PolicyCompiler compile) {
  auto lock = take_lock(path);
  if (!lock) return lock.error();
  if (const auto created = create_if_missing(path); !created) return created.error();
  if (const auto whole = check_log(path + "-wal"); !whole) return whole.error();
  auto db = open_database(path);
  if (!db) return db.error();
  if (const auto checked = check_or_create_schema(db->get(), path); !checked)
    return checked.error();
  const auto mode = query_text(db->get(), path, "PRAGMA journal_mode=WAL");
  if (!mode) return mode.error();
  if (*mode != "wal")
    return make_error(Errc::failed_precondition,
                      path +
                          ": the file system does not allow a write-ahead log; the store must "
                          "be on a local disk");
  if (const auto set =
          execute(db->get(), path, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864",
                  "set up the file");
      !set)
    return set.error();
  auto checkpoint_db = open_database(path);
  if (!checkpoint_db) return checkpoint_db.error();
  auto store = std::make_unique<SqliteStore>(path, std::move(*lock), std::move(*db),
                                             std::move(*checkpoint_db), std::move(compile));
  if (const auto checked = store->check_statements(); !checked) return checked.error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace firebreak::store
