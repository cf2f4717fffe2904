// State and store, kept in step: events go in one by one, come out as one transaction, and only
// then are their effects given away.
//
// No thread and no clock: the engine's owner thread drives it, tests drive it step by step. After
// an error nothing may be done with it but destroy it, except where commit() says otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "coordinator/core/effect.h"
#include "coordinator/core/event.h"
#include "coordinator/core/state.h"
#include "coordinator/store/store.h"

namespace firebreak::engine {

class Ledger {
 public:
  struct Recovery {
    std::uint64_t epoch = 0;
    std::uint64_t snapshot = 0;    // the position where it began; 0: at the first entry
    std::uint64_t entries = 0;     // of the journal, after that
    Instant last{};                // of the journal; the time line must go on after it
    std::string directory_digest;  // of the newest policy that kPolicyDirectory gave
  };
  // What may happen in the world now.
  struct Committed {
    std::vector<core::Effect> effects;
    std::vector<ActionId> actions_ended;  // nobody waits for these any more
  };

  explicit Ledger(std::unique_ptr<store::Store> store);

  // First: takes the leadership, reads the newest snapshot and folds the journal after it into the
  // state.
  Result<Recovery> recover();
  // Second, once: journals that this life has begun. Gives the effects of earlier lives that have
  // no end yet, too; http actions are not among them, the core knows those as unknown now.
  Result<Committed> begin(Instant now);

  // Then, as often as needed: any number of add(), one commit(). `now` never decreases.
  void add(core::Event event, Instant now);
  [[nodiscard]] bool is_empty() const { return transaction_.journal.empty(); }
  // resource_exhausted: the disk is full; nothing of the batch is written or given away, and it is
  // kept. commit() may be called again, add() may not.
  Result<Committed> commit();
  // Whether a batch waits for room on the disk: then state() is ahead of the store by that batch.
  [[nodiscard]] bool is_held() const { return is_sealed_; }

  // Between commit() and add(): lets the store write a snapshot when one is due. `always`: also
  // when little has happened since the last one.
  void snapshot(Instant now, bool always = false);

  // Between commit() and add() this is what the store holds.
  [[nodiscard]] const core::State& state() const { return state_; }
  [[nodiscard]] store::Store& store() { return *store_; }

 private:
  void seal();
  void count(const core::Event& event);
  [[nodiscard]] bool is_snapshot_due(Instant now) const;
  void remember_changes();
  void note_ends();
  // Whether the core still waits for the end of a durable effect.
  [[nodiscard]] bool is_awaited(const core::Effect& effect) const;
  void keep(const core::Effect& effect);

  std::unique_ptr<store::Store> store_;
  core::State state_;
  std::uint64_t position_ = 0;  // the last one used
  Instant last_{};
  std::string directory_digest_;
  // Since the last snapshot.
  std::uint64_t entries_ = 0;
  std::uint64_t results_ = 0;
  Instant snapshot_at_{};
  // What the outbox holds.
  std::set<ActionId> actions_;
  std::set<NotificationId> notifications_;
  // The batch that grows.
  store::Transaction transaction_;
  bool is_sealed_ = false;  // complete: it only waits to be written
  std::vector<core::Effect> effects_;
  std::set<IncidentId> changed_;
  std::map<IncidentId, core::Incident> resolved_;  // the state may drop these before the commit
};

}  // namespace firebreak::engine
