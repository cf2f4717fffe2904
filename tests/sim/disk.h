// The coordinator's disk and the store on it: what is durable and what is only written are two
// things, and everything goes through the real codec.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/rng.h"
#include "coordinator/store/store.h"

namespace firebreak::sim {

struct DiskFaults {
  bool is_full = false;
  int failing_syncs = 0;  // the next ones report an error
};

class Disk {
 public:
  struct Row {
    std::uint64_t position = 0;
    std::size_t count = 0;
    std::string bytes;
  };

  DiskFaults faults;

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  // Of the results of honest agents that are durable, by what their evidence says.
  [[nodiscard]] bool has_result(std::uint64_t id) const {
    return id < results_.size() && results_[id];
  }
  [[nodiscard]] std::uint64_t last_seq(const AgentName& agent, std::uint64_t incarnation) const;
  // What the protocol lets count: no sequence number of an incarnation twice.
  [[nodiscard]] std::uint64_t distinct_results() const { return distinct_; }
  // Was ever durable.
  [[nodiscard]] bool has_ordered(const ActionId& action) const { return ordered_.contains(action); }
  [[nodiscard]] std::uint64_t snapshots() const { return snapshots_made_; }
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  [[nodiscard]] std::size_t outbox_size() const { return outbox_.size(); }

  // The written part becomes durable up to this ticket. False: it is not on the disk any more,
  // somebody else took over or the disk failed.
  bool sync(std::uint64_t ticket);
  // Power is cut: of what was not synced, the disk keeps a beginning, perhaps none of it.
  void lose_unsynced(Rng& rng);

 private:
  friend class DiskStore;
  // Everything of one transaction, encoded.
  struct Written {
    std::uint64_t ticket = 0;
    Row row;
    std::vector<std::pair<std::string, std::string>> incidents;
    std::vector<std::pair<std::string, std::string>> outbox;  // key, effect
    std::vector<std::string> outbox_done;
    std::vector<ActionId> ordered;
    struct Batch {
      AgentName agent;
      std::uint64_t incarnation = 0;
      std::uint64_t first_seq = 0;
      std::vector<std::uint64_t> ids;
    };
    std::vector<Batch> results;
  };
  // Written by a thread of its own, and found whole or not at all.
  struct StoredSnapshot {
    std::uint64_t position = 0;
    Instant at{};
    std::string directory_digest;
    std::vector<std::string> records;
  };
  void keep(Written written);
  void keep_snapshot();
  void count(const Written::Batch& batch);

  std::uint64_t epoch_ = 0;
  std::vector<Row> rows_;
  std::uint64_t position_ = 0;  // of the last durable entry
  std::map<std::string, std::string> incidents_;
  std::map<std::uint64_t, std::pair<std::string, std::string>> outbox_;  // by id: key, effect
  std::uint64_t last_outbox_ = 0;
  std::deque<Written> written_;
  std::deque<StoredSnapshot> snapshots_;  // the newest two
  std::optional<StoredSnapshot> writing_;
  std::uint64_t snapshots_made_ = 0;
  std::uint64_t last_ticket_ = 0;
  std::uint64_t commits_ = 0;
  // What the checks ask.
  struct Counted {
    std::uint64_t incarnation = 0;
    std::uint64_t last_seq = 0;
    std::map<std::uint64_t, std::uint64_t> past;  // incarnation -> last_seq
  };
  std::map<AgentName, Counted> counted_;
  std::vector<bool> results_;
  std::uint64_t distinct_ = 0;
  std::set<ActionId> ordered_;
};

class DiskStore final : public store::Store {
 public:
  DiskStore(Disk& disk, Rng& rng, store::PolicyCompiler compile)
      : disk_(disk), rng_(rng), compile_(std::move(compile)) {}

  Result<std::uint64_t> take_leadership() override;
  Result<> commit(const store::Transaction& transaction) override;
  Result<> replay(std::uint64_t after,
                  const std::function<Result<>(store::JournalEntry)>& visit) override;
  Result<std::vector<store::OutboxEntry>> outbox() override;
  Result<std::vector<core::Incident>> past_incidents(std::size_t limit) override;
  Result<std::optional<core::Incident>> find_incident(const IncidentId& id) override;
  Result<std::optional<store::Snapshot>> newest_snapshot() override;
  bool save_snapshot(const core::State& state, const std::string& directory_digest) override;

  // Of the last commit(); it is durable once Disk::sync() has said so.
  [[nodiscard]] std::uint64_t ticket() const { return ticket_; }

 private:
  Disk& disk_;
  Rng& rng_;
  store::PolicyCompiler compile_;
  std::uint64_t epoch_ = 0;
  std::uint64_t ticket_ = 0;
  std::uint64_t last_position_ = 0;  // of the last commit
  Instant last_at_{};
};

// "r17" -> 17; what every honest agent writes into a result's evidence.
[[nodiscard]] std::optional<std::uint64_t> result_id(const std::string& evidence);

}  // namespace firebreak::sim
