// Writing, syncing and losing.
#include "tests/sim/disk.h"

#include <charconv>
#include <variant>

#include "common/broken.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/snapshot_codec.h"
#include "tests/sim/promise.h"

namespace firebreak::sim {
namespace {

std::string key_of(const core::Effect& effect) {
  if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
    return "action " + order->action.str();
  if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    return "action " + http->action.str();
  return "notification " + std::get<core::SendNotification>(effect).notification.str();
}

}  // namespace

std::optional<std::uint64_t> result_id(const std::string& evidence) {
  if (evidence.size() < 2 || evidence.front() != 'r') return std::nullopt;
  std::uint64_t id = 0;
  const char* end = evidence.data() + evidence.size();
  const auto read = std::from_chars(evidence.data() + 1, end, id);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return id;
}

std::uint64_t Disk::last_seq(const AgentName& agent, std::uint64_t incarnation) const {
  const auto found = counted_.find(agent);
  if (found == counted_.end()) return 0;
  if (found->second.incarnation == incarnation) return found->second.last_seq;
  const auto past = found->second.past.find(incarnation);
  return past == found->second.past.end() ? 0 : past->second;
}

bool Disk::sync(std::uint64_t ticket) {
  if (is_broken(Break::sync)) return true;
  if (faults.failing_syncs > 0) {
    --faults.failing_syncs;
    return false;
  }
  if (writing_ && ticket % 3 == 0) keep_snapshot();
  bool was_there = false;
  while (!written_.empty() && written_.front().ticket <= ticket) {
    was_there = was_there || written_.front().ticket == ticket;
    keep(std::move(written_.front()));
    written_.pop_front();
  }
  return was_there;
}

void Disk::lose_unsynced(Rng& rng) {
  const std::size_t kept = written_.empty() ? 0 : rng.below(written_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) keep(std::move(written_[i]));
  written_.clear();
  if (writing_ && rng.below(2) == 0) keep_snapshot();
  writing_.reset();
}

void Disk::keep_snapshot() {
  ++snapshots_made_;
  snapshots_.push_back(std::move(*writing_));
  writing_.reset();
  if (snapshots_.size() > 2) snapshots_.pop_front();
}

void Disk::keep(Written written) {
  ++commits_;
  position_ = written.row.position + written.row.count - 1;
  rows_.push_back(std::move(written.row));
  for (auto& [id, document] : written.incidents) incidents_[id] = std::move(document);
  for (auto& entry : written.outbox) outbox_.emplace(++last_outbox_, std::move(entry));
  for (const std::string& done : written.outbox_done)
    std::erase_if(outbox_, [&](const auto& entry) { return entry.second.first == done; });
  ordered_.insert(written.ordered.begin(), written.ordered.end());
  for (const Written::Batch& batch : written.results) count(batch);
}

void Disk::count(const Written::Batch& batch) {
  for (const std::uint64_t id : batch.ids) {
    if (id >= results_.size()) results_.resize(id + 1024);
    results_[id] = true;
  }
  Counted& agent = counted_[batch.agent];
  if (agent.past.contains(batch.incarnation)) return;
  if (agent.incarnation != batch.incarnation) {
    if (agent.incarnation != 0) agent.past[agent.incarnation] = agent.last_seq;
    agent.incarnation = batch.incarnation;
    agent.last_seq = 0;
  }
  const std::uint64_t last = batch.first_seq + batch.ids.size() - 1;
  if (batch.ids.empty() || last <= agent.last_seq) return;
  distinct_ += last - std::max(agent.last_seq, batch.first_seq - 1);
  agent.last_seq = last;
}

// --- DiskStore -----------------------------------------------------------------------------------

Result<std::uint64_t> DiskStore::take_leadership() {
  if (disk_.faults.is_full)
    return make_error(Errc::resource_exhausted, "the disk is full; make room and start again");
  // Whatever another one has begun either came before this or never happens.
  disk_.lose_unsynced(rng_);
  epoch_ = ++disk_.epoch_;
  return epoch_;
}

Result<> DiskStore::commit(const store::Transaction& transaction) {
  if (transaction.epoch != disk_.epoch_ && !is_broken(Break::epoch))
    return make_error(Errc::failed_precondition, "another coordinator has taken over");
  if (disk_.faults.is_full) return make_error(Errc::resource_exhausted, "the disk is full");
  Disk::Written written;
  written.ticket = ticket_ = ++disk_.last_ticket_;
  if (!transaction.journal.empty()) {
    const std::uint64_t before = disk_.written_.empty() ? disk_.position_
                                                        : disk_.written_.back().row.position +
                                                              disk_.written_.back().row.count - 1;
    promise(transaction.journal.front().position == before + 1, kJournal, [&] {
      return "a gap before position " + std::to_string(transaction.journal.front().position);
    });
    written.row = {transaction.journal.front().position, transaction.journal.size(),
                   store::encode_batch(transaction.journal)};
    last_position_ = transaction.journal.back().position;
    last_at_ = transaction.journal.back().at;
  }
  for (const store::JournalEntry& entry : transaction.journal) {
    if (const auto* attached = std::get_if<core::AgentAttached>(&entry.event))
      written.results.push_back({attached->agent, attached->incarnation, 1, {}});
    const auto* results = std::get_if<core::ResultsReceived>(&entry.event);
    if (results == nullptr) continue;
    auto& batch = written.results.emplace_back();
    batch.agent = results->agent;
    batch.incarnation = results->incarnation;
    batch.first_seq = results->first_seq;
    for (const core::ResultRow& row : results->rows)
      batch.ids.push_back(result_id(row.observation.evidence).value_or(0));
  }
  for (const core::Incident* incident : transaction.incidents)
    written.incidents.emplace_back(incident->id.str(), store::encode_incident(*incident));
  for (const core::Effect& effect : transaction.outbox) {
    written.outbox.emplace_back(key_of(effect), store::encode_effect(effect));
    if (const auto* order = std::get_if<core::OrderHostAction>(&effect))
      written.ordered.push_back(order->action);
    else if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
      written.ordered.push_back(http->action);
  }
  for (const ActionId& id : transaction.actions_done)
    written.outbox_done.push_back("action " + id.str());
  for (const NotificationId& id : transaction.notifications_done)
    written.outbox_done.push_back("notification " + id.str());
  disk_.written_.push_back(std::move(written));
  return {};
}

Result<> DiskStore::replay(std::uint64_t after,
                           const std::function<Result<>(store::JournalEntry)>& visit) {
  for (const Disk::Row& row : disk_.rows_) {
    if (row.position + row.count - 1 <= after) continue;
    auto entries = store::decode_batch(row.bytes, row.position, compile_);
    if (!entries) return entries.error();
    for (store::JournalEntry& entry : *entries) {
      if (entry.position <= after) continue;
      if (const auto visited = visit(std::move(entry)); !visited) return visited.error();
    }
  }
  return {};
}

Result<std::vector<store::OutboxEntry>> DiskStore::outbox() {
  std::vector<store::OutboxEntry> entries;
  for (const auto& [id, entry] : disk_.outbox_) {
    auto effect = store::decode_effect(entry.second);
    if (!effect) return effect.error();
    entries.push_back({id, std::move(*effect)});
  }
  return entries;
}

Result<std::vector<core::Incident>> DiskStore::past_incidents(std::size_t) {
  return std::vector<core::Incident>();
}

Result<std::optional<core::Incident>> DiskStore::find_incident(const IncidentId& id) {
  const auto found = disk_.incidents_.find(id.str());
  if (found == disk_.incidents_.end()) return std::optional<core::Incident>();
  auto incident = store::decode_incident(found->second);
  if (!incident) return incident.error();
  return std::optional<core::Incident>(std::move(*incident));
}

// Now and then the newest one cannot be read.
Result<std::optional<store::Snapshot>> DiskStore::newest_snapshot() {
  if (disk_.snapshots_.empty()) return std::optional<store::Snapshot>();
  const bool is_damaged = disk_.snapshots_.size() > 1 && rng_.below(20) == 0;
  const Disk::StoredSnapshot& stored =
      is_damaged ? disk_.snapshots_.front() : disk_.snapshots_.back();
  store::StateDecoder decoder(compile_);
  for (const std::string& record : stored.records)
    if (const auto added = decoder.add(record); !added) return added.error();
  auto state = decoder.finish();
  if (!state) return state.error();
  return std::optional<store::Snapshot>(
      {stored.position, stored.at, stored.directory_digest, std::move(*state)});
}

bool DiskStore::save_snapshot(const core::State& state, const std::string& directory_digest) {
  if (disk_.writing_) return false;
  promise(last_position_ <= disk_.position_, kJournal, "a snapshot is ahead of the journal");
  disk_.writing_ = {last_position_, last_at_, directory_digest, store::encode_state(state)};
  return true;
}

}  // namespace firebreak::sim
