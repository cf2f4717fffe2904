// The store in one SQLite file: WAL, synchronous=FULL, one transaction per commit. A second thread
// moves pages from the WAL to the file, so that the owner thread pays for one fsync per commit
// only.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "common/assert.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/journal_rows.h"
#include "coordinator/store/log_check.h"
#include "coordinator/store/snapshot_codec.h"
#include "coordinator/store/snapshot_writer.h"
#include "coordinator/store/sqlite_parts.h"
#include "coordinator/store/store.h"

namespace firebreak::store {
namespace {

constexpr int kCheckpointPages = 1000;   // 4 MB: then the second thread is woken
constexpr int kWalPagesMax = 16 * 1024;  // 64 MB: then the commit itself checkpoints
constexpr const char* kLastPosition =
    "SELECT max((SELECT position FROM trimmed), coalesce((SELECT position + count - 1 FROM journal "
    "ORDER BY position DESC LIMIT 1), 0))";
constexpr int kTrimRows = 4;  // with each commit: four times what it adds, and no wait to speak of

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
      // Without room the log stays as it is, and commits say what is the matter.
      if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED &&
          !is_out_of_room(db_.get()))
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

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
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
              PolicyCompiler compile, SqliteOptions options)
      : path_(std::move(path)),
        folder_(folder_of(path_)),
        options_(std::move(options)),
        lock_(std::move(lock)),
        db_(std::move(db)),
        compile_(std::move(compile)),
        checkpointer_(path_, std::move(checkpoint_db)),
        snapshots_(folder_, [this](const Error& error) { options_.warn(error.message); }),
        begin_(db_.get(), "BEGIN IMMEDIATE"),
        end_(db_.get(), "COMMIT"),
        rollback_(db_.get(), "ROLLBACK"),
        read_epoch_(db_.get(), "SELECT epoch FROM lease WHERE id = 1"),
        bump_epoch_(db_.get(), "UPDATE lease SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch"),
        last_position_(db_.get(), kLastPosition),
        first_rows_(db_.get(),
                    "SELECT position + count - 1, at_us FROM journal ORDER BY position LIMIT ?"),
        used_bytes_(db_.get(),
                    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
                    "pragma_freelist_count, pragma_page_size"),
        trim_(db_.get(), "DELETE FROM journal WHERE position <= ?"),
        trimmed_(db_.get(), "UPDATE trimmed SET position = ? WHERE id = 1"),
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
         {&begin_, &end_, &rollback_, &read_epoch_, &bump_epoch_, &last_position_, &first_rows_,
          &used_bytes_, &trim_, &trimmed_, &add_journal_, &put_incident_, &add_outbox_,
          &drop_action_, &drop_notification_})
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
    if (!write(transaction) || !trim(transaction)) return fail("write");
    if (!end_.run()) return fail("commit");
    if (!transaction.journal.empty()) last_ = std::exchange(written_, {});
    epoch_ = transaction.epoch;
    return {};
  }

  Result<> replay(std::uint64_t after, const std::function<Result<>(JournalEntry)>& visit) override;
  Result<std::vector<OutboxEntry>> outbox() override;
  Result<std::vector<core::Incident>> past_incidents(std::size_t limit) override;
  Result<std::optional<core::Incident>> find_incident(const IncidentId& id) override;
  Result<std::optional<Snapshot>> newest_snapshot() override;
  bool save_snapshot(const core::State& state, const std::string& directory_digest) override;

 private:
  // The journal's last row.
  struct Row {
    std::uint64_t last = 0;  // position
    Instant at{};
    std::uint32_t crc = 0;
  };
  static int on_wal(void* self, sqlite3* db, const char*, int pages) {
    if (pages < kWalPagesMax) {
      if (pages >= kCheckpointPages) static_cast<SqliteStore*>(self)->checkpointer_.wanted();
      return SQLITE_OK;
    }
    const int code =
        sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    // The commit has happened: without room in the file, the log is where it stays.
    return (code & 0xff) == SQLITE_BUSY || is_out_of_room(db) ? SQLITE_OK : code;
  }

  // Without room, the transaction is taken back. Whatever else: from here on this object refuses to
  // write; what the file holds is known again after a restart.
  Error fail(const char* doing) {
    Error error = sqlite_error(db_.get(), path_, doing);
    if (error.code != Errc::resource_exhausted) failed_ = error;
    if (sqlite3_get_autocommit(db_.get()) == 0) rollback_.run();
    return error;
  }
  [[nodiscard]] Error damaged(const std::string& what) const { return damaged_store(path_, what); }
  [[nodiscard]] Result<std::uint64_t> trimmed_to() const;
  // Drops the oldest rows that nobody needs any more: a few, in the same transaction.
  bool trim(const Transaction& transaction);
  [[nodiscard]] bool is_over_size();
  // The checksum of the row that ends at this position; empty: there is none.
  Result<std::optional<std::uint32_t>> anchor_at(std::uint64_t position);
  Result<> is_of_this_journal(const std::string& path, std::uint64_t position);

  // Within the transaction: nobody else has taken over, and nothing is between us and the journal's
  // end.
  Result<> check_fence(const Transaction& transaction);
  bool write(const Transaction& transaction);

  const std::string path_;
  const std::string folder_;
  const SqliteOptions options_;
  const FileLock lock_;
  const Database db_;
  const PolicyCompiler compile_;
  Checkpointer checkpointer_;
  SnapshotWriter snapshots_;
  std::uint64_t epoch_ = 0;
  Row written_;  // in the transaction that runs
  Row last_;     // committed, by this object
  std::optional<Error> failed_;
  Statement begin_, end_, rollback_, read_epoch_, bump_epoch_, last_position_, first_rows_,
      used_bytes_, trim_, trimmed_, add_journal_, put_incident_, add_outbox_, drop_action_,
      drop_notification_;
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
    const std::size_t count = transaction.journal.size();
    written_ = {transaction.journal.back().position, transaction.journal.back().at,
                checksum(first.position, count, unix_us(first.at), batch)};
    add_journal_.bind_unsigned(first.position).bind_unsigned(count).bind(unix_us(first.at));
    if (!add_journal_.bind(written_.crc).bind_blob(batch).run()) return false;
  }
  for (const core::Incident* incident : transaction.incidents) {
    const std::string doc = encode_incident(*incident);
    put_incident_.bind_text(incident->id.str()).bind(unix_us(incident->opened));
    if (incident->resolved)
      put_incident_.bind(unix_us(*incident->resolved));
    else
      put_incident_.bind_null();
    if (!put_incident_.bind(checksum(doc)).bind_blob(doc).run()) return false;
  }
  for (const core::Effect& effect : transaction.outbox) {
    const std::string bytes = encode_effect(effect);
    const OutboxKey key = outbox_key(effect);
    add_outbox_.bind_text(key.kind).bind_text(key.key);
    if (!add_outbox_.bind(checksum(bytes)).bind_blob(bytes).run()) return false;
  }
  for (const ActionId& action : transaction.actions_done)
    if (!drop_action_.bind_text(action.str()).run()) return false;
  for (const NotificationId& notification : transaction.notifications_done)
    if (!drop_notification_.bind_text(notification.str()).run()) return false;
  return true;
}

bool SqliteStore::is_over_size() {
  const Rows rows(used_bytes_);
  return used_bytes_.step() == SQLITE_ROW &&
         static_cast<std::uint64_t>(used_bytes_.integer(0)) > options_.journal_bytes;
}

bool SqliteStore::trim(const Transaction& transaction) {
  const auto needed = snapshots_.older();
  if (!needed || transaction.journal.empty()) return true;
  const Instant too_old = transaction.journal.back().at - options_.journal_keep;
  const bool is_large = is_over_size();
  std::uint64_t up_to = 0;
  {
    const Rows rows(first_rows_);
    first_rows_.bind(kTrimRows);
    int code = first_rows_.step();
    for (; code == SQLITE_ROW; code = first_rows_.step()) {
      const auto last = static_cast<std::uint64_t>(first_rows_.integer(0));
      const bool goes = is_large || instant_from_unix_us(first_rows_.integer(1)) < too_old;
      if (!goes || last >= *needed) break;
      up_to = last;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) return false;
  }
  if (up_to == 0) return true;
  return trim_.bind_unsigned(up_to).run() && trimmed_.bind_unsigned(up_to).run();
}

Result<std::uint64_t> SqliteStore::trimmed_to() const {
  return query_number(db_.get(), path_, "SELECT position FROM trimmed");
}

Result<> SqliteStore::replay(std::uint64_t after,
                             const std::function<Result<>(JournalEntry)>& visit) {
  const auto trimmed = trimmed_to();
  if (!trimmed) return trimmed.error();
  if (after < *trimmed)
    return damaged("the journal begins after position " + std::to_string(*trimmed) +
                   ", and no snapshot reaches so far");
  const auto visit_all = [&visit](JournalEntry entry) -> Result<bool> {
    const auto visited = visit(std::move(entry));
    return visited ? Result<bool>(true) : visited.error();
  };
  const auto read = replay_rows(db_.get(), path_, compile_, after, -1, visit_all);
  return read ? Result<>() : read.error();
}

Result<std::optional<std::uint32_t>> SqliteStore::anchor_at(std::uint64_t position) {
  Statement rows(db_.get(),
                 "SELECT position, count, crc FROM journal WHERE position <= ? ORDER BY position "
                 "DESC LIMIT 1");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read the journal");
  rows.bind_unsigned(position);
  const int code = rows.step();
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    return sqlite_error(db_.get(), path_, "read the journal");
  if (code == SQLITE_DONE ||
      static_cast<std::uint64_t>(rows.integer(0) + rows.integer(1)) != position + 1)
    return std::optional<std::uint32_t>();
  return std::optional(static_cast<std::uint32_t>(rows.integer(2)));
}

Result<> SqliteStore::is_of_this_journal(const std::string& path, std::uint64_t position) {
  const auto header = read_snapshot_header(path);
  if (!header) return header.error();
  const auto anchor = anchor_at(position);
  if (!anchor) return anchor.error();
  if (header->position == position && *anchor == header->anchor) return {};
  // A salvaged store has no row there: its journal begins after the snapshot.
  const auto trimmed = trimmed_to();
  if (!trimmed) return trimmed.error();
  if (header->position == position && header->anchor == 0 && *trimmed == position) return {};
  return make_error(Errc::corrupt, path + ": it belongs to another journal than this one");
}

// One that cannot be used is put aside, so that it takes the place of no good one.
Result<std::optional<Snapshot>> SqliteStore::newest_snapshot() {
  std::optional<Snapshot> newest;
  const auto end = query_number(db_.get(), path_, kLastPosition);
  if (!end) return end.error();
  for (const std::uint64_t position : list_snapshots(folder_)) {
    const std::string path = folder_ + "/" + snapshot_name(position);
    if (position > *end)
      return make_error(Errc::corrupt,
                        path + " is ahead of the journal, which ends at position " +
                            std::to_string(*end) +
                            ": what was committed is missing there. If a backup was put back on "
                            "purpose, remove the snapshots; else see `firebreak doctor`");
    Result<> usable = is_of_this_journal(path, position);
    if (usable && !newest) {
      auto snapshot = load_snapshot(path, compile_);
      if (snapshot)
        newest = std::move(*snapshot);
      else
        usable = snapshot.error();
    }
    if (usable) continue;
    options_.warn("a snapshot is skipped: " + usable.error().message);
    if (usable.error().code == Errc::corrupt) ::rename(path.c_str(), (path + ".refused").c_str());
  }
  snapshots_.keep_newest();
  return newest;
}

bool SqliteStore::save_snapshot(const core::State& state, const std::string& directory_digest) {
  if (failed_ || last_.last == 0 || snapshots_.is_busy()) return false;
  snapshots_.write({last_.last, epoch_, last_.at, last_.crc, directory_digest},
                   encode_state(state));
  return true;
}

Result<std::vector<OutboxEntry>> SqliteStore::outbox() {
  Statement rows(db_.get(), "SELECT id, crc, effect FROM outbox ORDER BY id");
  if (!rows.is_valid()) return sqlite_error(db_.get(), path_, "read the outbox");
  std::vector<OutboxEntry> entries;
  int code = rows.step();
  for (; code == SQLITE_ROW; code = rows.step()) {
    const auto id = static_cast<std::uint64_t>(rows.integer(0));
    if (checksum(rows.blob(2)) != rows.integer(1))
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
    if (checksum(rows.blob(1)) != rows.integer(0))
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
  if (checksum(rows.blob(1)) != rows.integer(0))
    return damaged("incident " + id.str() + " does not match its checksum");
  auto incident = decode_incident(rows.blob(1));
  if (!incident) return Error{incident.error().code, path_ + ": " + incident.error().message};
  return std::optional<core::Incident>(std::move(*incident));
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path, PolicyCompiler compile,
                                           SqliteOptions options) {
  auto lock = take_lock(path);
  if (!lock) return lock.error();
  if (const auto created = create_if_missing(path); !created) return created.error();
  if (const auto whole = check_log(path + "-wal"); !whole) return whole.error();
  auto db = open_database(path, path, SQLITE_OPEN_READWRITE);
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
  // What the life before left in the log goes to the file and the disk before anything is built on
  // it: a sync that failed then may have left pages that only look written.
  if (const auto moved = execute(db->get(), path, "PRAGMA wal_checkpoint(TRUNCATE)",
                                 "move the log of the life before to the file");
      !moved)
    return moved.error();
  auto checkpoint_db = open_database(path, path, SQLITE_OPEN_READWRITE);
  if (!checkpoint_db) return checkpoint_db.error();
  auto store = std::make_unique<SqliteStore>(path, std::move(*lock), std::move(*db),
                                             std::move(*checkpoint_db), std::move(compile),
                                             std::move(options));
  if (const auto checked = store->check_statements(); !checked) return checked.error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace firebreak::store
