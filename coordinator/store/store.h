// What the coordinator remembers durably: the journal, the incidents as documents, and the outbox
// of effects.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/result.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"

namespace firebreak::store {

struct JournalEntry {
  std::uint64_t position = 0;  // dense from 1
  Instant at;                  // the `now` that step() was given
  core::Event event;
};

// A durable effect that was committed and whose end is not.
struct OutboxEntry {
  std::uint64_t id = 0;
  core::Effect effect;
};

struct Transaction {
  std::uint64_t epoch = 0;                       // refused when a higher one has been taken
  std::vector<JournalEntry> journal;             // positions filled by the caller, contiguous
  std::vector<const core::Incident*> incidents;  // written whole
  std::vector<core::Effect> outbox;              // the durable ones only
  std::vector<ActionId> actions_done;            // outbox rows to drop
  std::vector<NotificationId> notifications_done;
};

// A journaled policy's files, compiled again when they are read back.
using PolicyCompiler =
    std::function<Result<std::shared_ptr<const policy::Policy>>(std::vector<policy::SourceFile>)>;

// The whole state as it was after one entry of the journal: a start begins here instead of at the
// journal's first entry.
struct Snapshot {
  std::uint64_t position = 0;  // of that entry
  Instant at{};                // of that entry
  // Of the newest policy until then that came from the coordinator's own directory.
  std::string directory_digest;
  core::State state;
};

// One thread uses it. Every method that writes returns only after the data is on stable storage;
// after an error of the disk nothing more is written (the process must exit and recover).
class Store {
 public:
  virtual ~Store() = default;
  // Takes the next epoch; whoever held the one before can write no more.
  virtual Result<std::uint64_t> take_leadership() = 0;
  // All of it or nothing. resource_exhausted: there is no room, nothing was written, and the same
  // transaction may be tried again; after any other error this store writes no more.
  virtual Result<> commit(const Transaction& transaction) = 0;
  // In order, from the first entry after `after`. Stops at the first error that `visit` returns.
  virtual Result<> replay(std::uint64_t after,
                          const std::function<Result<>(JournalEntry)>& visit) = 0;
  virtual Result<std::vector<OutboxEntry>> outbox() = 0;
  // Resolved incidents, newest first; those that the state still holds among them.
  virtual Result<std::vector<core::Incident>> past_incidents(std::size_t limit) = 0;
  virtual Result<std::optional<core::Incident>> find_incident(const IncidentId& id) = 0;
  // The newest that can be read, if any; those that cannot are said and put aside. A store without
  // snapshots is replayed whole.
  virtual Result<std::optional<Snapshot>> newest_snapshot() { return std::optional<Snapshot>(); }
  // `state` is that after the last commit. Encodes it at once, writes it elsewhere; nothing that
  // replay() may need is dropped before it is durable. False: not now, one is still being written.
  virtual bool save_snapshot(const core::State& /*state*/,
                             const std::string& /*directory_digest*/) {
    return false;
  }
};

struct SqliteOptions {
  // The journal's oldest entries go, once the older of two kept snapshots covers them and they are
  // older than this, or the file holds more than so many bytes.
  Duration journal_keep = limits::kJournalKeep;
  std::uint64_t journal_bytes = limits::kJournalBytes;
  // What the operator should read but need not act on; on any thread of the store's.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

// SQLite (https://sqlite.org/wal.html): one file, WAL, synchronous=FULL, and beside it the newest
// two snapshots. Creates it when it is missing, brings an older schema to today's; refuses a file
// that is not ours, is newer than we know, or is damaged. The file is locked: a second coordinator
// on it is refused.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::string& path,
                                                         PolicyCompiler compile,
                                                         SqliteOptions options = {});

}  // namespace firebreak::store
