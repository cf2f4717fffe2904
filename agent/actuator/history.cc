// The fold of the journal's records.
#include "agent/actuator/history.h"

#include <algorithm>

#include "common/limits.h"

namespace firebreak::actuator {

const char* to_string(State state) {
  switch (state) {
    case State::started:
      return "started";
    case State::succeeded:
      return "succeeded";
    case State::failed:
      return "failed";
    case State::timed_out:
      return "timed out";
    case State::refused:
      return "refused";
    case State::unknown:
      return "unknown";
  }
  return "unknown";
}

void History::begin(const Intent& intent, Instant at) {
  epoch_seen_ = std::max(epoch_seen_, intent.epoch);
  const bool is_new = entries_.try_emplace(intent.id, Entry{at, intent.name, {}, false}).second;
  if (is_new) ++started_;
}

void History::end(const Outcome& outcome, Instant at) {
  Entry& entry = entries_.try_emplace(outcome.id, Entry{at, {}, {}, false}).first->second;
  if (!entry.outcome) entry.outcome = outcome;
}

void History::apply(const Record& record) {
  latest_ = std::max(latest_, record.at);
  if (const auto* intent = std::get_if<Intent>(&record.what)) {
    begin(*intent, record.at);
  } else if (const auto* ended = std::get_if<Ended>(&record.what)) {
    end(ended->outcome, record.at);
  } else if (const auto* epoch = std::get_if<EpochSeen>(&record.what)) {
    epoch_seen_ = std::max(epoch_seen_, epoch->epoch);
  } else if (const auto* acknowledged = std::get_if<Acknowledged>(&record.what)) {
    const auto found = entries_.find(acknowledged->id);
    if (found == entries_.end() || !found->second.outcome) return;
    found->second.acknowledged = true;
    found->second.outcome->output.clear();
  }
}

void History::forget(Instant now) {
  std::vector<Entries::iterator> oldest;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.outcome) oldest.push_back(entry);
  }
  std::sort(oldest.begin(), oldest.end(),
            [](auto a, auto b) { return a->second.at < b->second.at; });
  std::size_t started = started_;
  std::size_t refused = entries_.size() - started_;
  for (const auto& entry : oldest) {
    const auto age = now - entry->second.at;
    std::size_t& count = entry->second.started() ? started : refused;
    const bool may_go_early =
        !entry->second.started() || (entry->second.acknowledged && age > limits::kActionIdsAtLeast);
    if (age > limits::kActionIdsFor || (count >= limits::kActionIdsMax && may_go_early)) {
      --count;
      entries_.erase(entry);
    }
  }
  started_ = started;
}

const History::Entry* History::find(const ActionId& id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<ActionId> History::running() const {
  std::vector<ActionId> ids;
  for (const auto& [id, entry] : entries_) {
    if (!entry.outcome) ids.push_back(id);
  }
  return ids;
}

std::vector<Instant> History::starts(const std::string& name, Instant since) const {
  std::vector<Instant> times;
  for (const auto& [id, entry] : entries_) {
    if (entry.name == name && entry.at >= since) times.push_back(entry.at);
  }
  std::sort(times.rbegin(), times.rend());
  return times;
}

std::vector<Record> History::records() const {
  std::vector<Record> records;
  records.push_back({latest_, EpochSeen{epoch_seen_}});  // carries latest_, too
  for (const auto& [id, entry] : entries_) {
    if (entry.started()) records.push_back({entry.at, Intent{id, entry.name, 0}});
    if (entry.outcome) records.push_back({entry.at, Ended{*entry.outcome}});
    if (entry.acknowledged) records.push_back({entry.at, Acknowledged{id}});
  }
  return records;
}

}  // namespace firebreak::actuator
