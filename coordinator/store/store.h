// What the coordinator remembers durably: the journal, the incidents as documents, and the outbox
// of effects.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

// One thread uses it. Every method that writes returns only after the data is on stable storage;
// after an error of the disk nothing more is written (the process must exit and recover).
class Store {
 public:
  virtual ~Store() = default;
  // Takes the next epoch; whoever held the one before can write no more.
  virtual Result<std::uint64_t> take_leadership() = 0;
  virtual Result<> commit(const Transaction& transaction) = 0;
  // In order, from the first entry after `after`. Stops at the first error that `visit` returns.
  virtual Result<> replay(std::uint64_t after,
                          const std::function<Result<>(JournalEntry)>& visit) = 0;
  virtual Result<std::vector<OutboxEntry>> outbox() = 0;
  // Resolved incidents, newest first; those that the state still holds among them.
  virtual Result<std::vector<core::Incident>> past_incidents(std::size_t limit) = 0;
  virtual Result<std::optional<core::Incident>> find_incident(const IncidentId& id) = 0;
};

// SQLite (https://sqlite.org/wal.html): one file, WAL, synchronous=FULL. Creates it when it is
// missing; refuses a file that is not ours, is newer than we know, or is damaged. The file is
// locked: a second coordinator on it is refused.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::string& path,
                                                         PolicyCompiler compile);

}  // namespace firebreak::store
