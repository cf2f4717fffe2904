// State and store, kept in step: events go in one by one, come out as one transaction, and only
// then are their effects given away.
//
// No thread and no clock: the engine's owner thread drives it, tests drive it step by step. After
// an error nothing may be done with it but destroy it.
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
    std::uint64_t entries = 0;     // of the journal
    Instant last{};                // of the journal; the time line must go on after it
    std::string directory_digest;  // of the newest policy that kPolicyDirectory gave
  };
  // What may happen in the world now.
  struct Committed {
    std::vector<core::Effect> effects;
    std::vector<ActionId> actions_ended;  // nobody waits for these any more
  };

  explicit Ledger(std::unique_ptr<store::Store> store);

  // First: takes the leadership and folds the journal into the state.
  Result<Recovery> recover();
  // Second, once: journals that this life has begun. Gives the effects of earlier lives that have
  // no end yet, too; http actions are not among them, the core knows those as unknown now.
  Result<Committed> begin(Instant now);

  // Then, as often as needed: any number of add(), one commit(). `now` never decreases.
  void add(core::Event event, Instant now);
  [[nodiscard]] bool is_empty() const { return transaction_.journal.empty(); }
  Result<Committed> commit();

  // Between commit() and add() this is what the store holds.
  [[nodiscard]] const core::State& state() const { return state_; }
  [[nodiscard]] store::Store& store() { return *store_; }

 private:
  void remember_changes();
  void note_ends();
  // Whether the core still waits for the end of a durable effect.
  [[nodiscard]] bool is_awaited(const core::Effect& effect) const;
  void keep(const core::Effect& effect);

  std::unique_ptr<store::Store> store_;
  core::State state_;
  std::uint64_t position_ = 0;  // the last one used
  Instant last_{};
  // What the outbox holds.
  std::set<ActionId> actions_;
  std::set<NotificationId> notifications_;
  // The batch that grows.
  store::Transaction transaction_;
  std::vector<core::Effect> effects_;
  std::set<IncidentId> changed_;
  std::map<IncidentId, core::Incident> resolved_;  // the state may drop these before the commit
};

}  // namespace firebreak::engine
