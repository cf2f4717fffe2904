// Steps, one transaction, then the effects: see ledger.h.
#include "coordinator/engine/ledger.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/assert.h"
#include "common/broken.h"
#include "common/limits.h"
#include "coordinator/core/step.h"
#include "coordinator/engine/engine.h"
#include "coordinator/store/journal_codec.h"

namespace firebreak::engine {

Ledger::Ledger(std::unique_ptr<store::Store> store) : store_(std::move(store)) {
  FB_ASSERT(store_ != nullptr);
}

Result<Ledger::Recovery> Ledger::recover() {
  const auto epoch = store_->take_leadership();
  if (!epoch) return epoch.error();
  Recovery recovery;
  recovery.epoch = *epoch;
  transaction_.epoch = *epoch;
  auto snapshot = store_->newest_snapshot();
  if (!snapshot) return snapshot.error();
  if (*snapshot) {
    recovery.snapshot = position_ = (*snapshot)->position;
    last_ = snapshot_at_ = (*snapshot)->at;
    directory_digest_ = std::move((*snapshot)->directory_digest);
    state_ = std::move((*snapshot)->state);
  }
  const auto visit = [&](const store::JournalEntry& entry) -> Result<> {
    if (entry.at < last_)
      return make_error(Errc::corrupt, "the journal goes back in time at position " +
                                           std::to_string(entry.position) +
                                           "; restore a backup of the store");
    core::step(state_, entry.event, entry.at);
    position_ = entry.position;
    last_ = entry.at;
    ++recovery.entries;
    count(entry.event);
    return {};
  };
  if (const auto replayed = store_->replay(position_, visit); !replayed) return replayed.error();
  if (*epoch <= state_.epoch)
    return make_error(Errc::corrupt, "the store gives epoch " + std::to_string(*epoch) +
                                         ", but its journal has seen epoch " +
                                         std::to_string(state_.epoch) +
                                         "; `firebreak doctor` says what can be saved");
  if (snapshot_at_ == Instant{}) snapshot_at_ = last_;
  recovery.last = last_;
  recovery.directory_digest = directory_digest_;
  return recovery;
}

Result<Ledger::Committed> Ledger::begin(Instant now) {
  auto outbox = store_->outbox();
  if (!outbox) return outbox.error();
  for (const store::OutboxEntry& entry : *outbox) keep(entry.effect);
  add(core::Started{transaction_.epoch}, now);
  std::vector<core::Effect> resumed;
  for (store::OutboxEntry& entry : *outbox)
    if (is_awaited(entry.effect)) resumed.push_back(std::move(entry.effect));
  auto committed = commit();
  if (!committed) return committed.error();
  committed->effects.insert(committed->effects.begin(), std::make_move_iterator(resumed.begin()),
                            std::make_move_iterator(resumed.end()));
  return committed;
}

void Ledger::count(const core::Event& event) {
  ++entries_;
  if (const auto* results = std::get_if<core::ResultsReceived>(&event))
    results_ += results->rows.size();
  if (const auto* changed = std::get_if<core::PolicyChanged>(&event);
      changed != nullptr && changed->by == kPolicyDirectory)
    directory_digest_ = changed->policy->digest;
}

void Ledger::add(core::Event event, Instant now) {
  FB_ASSERT(now >= last_ && !is_sealed_);
  last_ = now;
  count(event);
  transaction_.journal.push_back({++position_, now, std::move(event)});
  auto effects = core::step(state_, transaction_.journal.back().event, now);
  for (core::Effect& effect : effects) {
    if (store::is_durable(effect)) {
      keep(effect);
      transaction_.outbox.push_back(effect);
    }
    effects_.push_back(std::move(effect));
  }
  remember_changes();
}

void Ledger::remember_changes() {
  for (const IncidentId& id : state_.changed) {
    changed_.insert(id);
    const auto found = state_.incidents.find(id);
    if (found == state_.incidents.end()) continue;
    if (found->second.resolved)
      resolved_.insert_or_assign(id, found->second);
    else
      resolved_.erase(id);
  }
}

// What the batch comes to is gathered once, however often it must be written.
void Ledger::seal() {
  is_sealed_ = true;
  for (const IncidentId& id : changed_) {
    const auto copy = resolved_.find(id);
    const auto live = state_.incidents.find(id);
    if (copy != resolved_.end())
      transaction_.incidents.push_back(&copy->second);
    else if (live != state_.incidents.end())
      transaction_.incidents.push_back(&live->second);
  }
  note_ends();
  if (is_broken(Break::intent)) transaction_.outbox.clear();
}

Result<Ledger::Committed> Ledger::commit() {
  if (!is_sealed_) seal();
  if (const auto written = store_->commit(transaction_); !written) return written.error();
  is_sealed_ = false;
  Committed committed;
  committed.effects = std::exchange(effects_, {});
  committed.actions_ended = std::move(transaction_.actions_done);
  const std::uint64_t epoch = transaction_.epoch;
  transaction_ = {};
  transaction_.epoch = epoch;
  changed_.clear();
  resolved_.clear();
  return committed;
}

bool Ledger::is_snapshot_due(Instant now) const {
  const Duration passed = now - snapshot_at_;
  if (passed < limits::kSnapshotIntervalMin) return false;
  return results_ >= limits::kSnapshotResults || entries_ >= limits::kSnapshotEntries ||
         (entries_ > 0 && passed >= limits::kSnapshotInterval);
}

void Ledger::snapshot(Instant now, bool always) {
  if (is_sealed_ || !(is_snapshot_due(now) || (always && entries_ > 0))) return;
  if (!store_->save_snapshot(state_, directory_digest_)) return;
  entries_ = results_ = 0;
  snapshot_at_ = now;
}

// What the core waits for no more, by an answer or by the passing of time, leaves the outbox. An
// effect that ended in the batch that made it never reaches the world.
void Ledger::note_ends() {
  for (const ActionId& id : actions_)
    if (!state_.actions_running.contains(id)) transaction_.actions_done.push_back(id);
  for (const NotificationId& id : notifications_)
    if (!state_.notifications_pending.contains(id)) transaction_.notifications_done.push_back(id);
  for (const ActionId& id : transaction_.actions_done) actions_.erase(id);
  for (const NotificationId& id : transaction_.notifications_done) notifications_.erase(id);
  std::erase_if(effects_, [this](const core::Effect& effect) {
    return store::is_durable(effect) && !is_awaited(effect);
  });
}

bool Ledger::is_awaited(const core::Effect& effect) const {
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
    return state_.actions_running.contains(order->action);
  if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    return state_.actions_running.contains(http->action);
  const auto* notification = std::get_if<core::SendNotification>(&effect);
  FB_ASSERT(notification != nullptr);
  return state_.notifications_pending.contains(notification->notification);
}

void Ledger::keep(const core::Effect& effect) {
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
    actions_.insert(order->action);
  else if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    actions_.insert(http->action);
  else if (const auto* notification = std::get_if<core::SendNotification>(&effect))
    notifications_.insert(notification->notification);
}

}  // namespace firebreak::engine
