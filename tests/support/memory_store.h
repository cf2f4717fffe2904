// A store whose disk is a value: it survives the store, and it fails or waits when a test says so.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "coordinator/store/store.h"

namespace firebreak::testing {

struct Disk {
  std::uint64_t epoch = 0;
  std::uint64_t commits = 0;
  std::vector<store::JournalEntry> journal;
  std::vector<std::size_t> batches;  // entries of each commit
  std::map<IncidentId, core::Incident> incidents;
  std::vector<store::OutboxEntry> outbox;
};

class MemoryStore final : public store::Store {
 public:
  // Runs in commit(), before or after the data is on the disk; an error of it is commit()'s.
  struct Hooks {
    std::function<Result<>()> before = [] { return Result<>(); };
    std::function<Result<>()> after = [] { return Result<>(); };
  };
  explicit MemoryStore(Disk& disk) : MemoryStore(disk, Hooks()) {}
  MemoryStore(Disk& disk, Hooks hooks) : disk_(disk), hooks_(std::move(hooks)) {}

  Result<std::uint64_t> take_leadership() override { return ++disk_.epoch; }
  Result<> commit(const store::Transaction& transaction) override {
    if (const auto allowed = hooks_.before(); !allowed) return allowed.error();
    ++disk_.commits;
    disk_.batches.push_back(transaction.journal.size());
    for (const store::JournalEntry& entry : transaction.journal) {
      if (entry.position != disk_.journal.size() + 1)
        return make_error(Errc::internal, "the journal has a gap");
      disk_.journal.push_back(entry);
    }
    for (const core::Incident* incident : transaction.incidents)
      disk_.incidents.insert_or_assign(incident->id, *incident);
    for (const core::Effect& effect : transaction.outbox) disk_.outbox.push_back({++next_, effect});
    for (const ActionId& id : transaction.actions_done)
      std::erase_if(disk_.outbox, [&](const auto& entry) { return action_of(entry.effect) == id; });
    for (const NotificationId& id : transaction.notifications_done)
      std::erase_if(disk_.outbox, [&](const auto& entry) {
        const auto* sent = std::get_if<core::SendNotification>(&entry.effect);
        return sent != nullptr && sent->notification == id;
      });
    return hooks_.after();
  }
  Result<> replay(std::uint64_t after,
                  const std::function<Result<>(store::JournalEntry)>& visit) override {
    for (std::size_t i = after; i < disk_.journal.size(); ++i)
      if (const auto visited = visit(disk_.journal[i]); !visited) return visited.error();
    return {};
  }
  Result<std::vector<store::OutboxEntry>> outbox() override { return disk_.outbox; }
  Result<std::vector<core::Incident>> past_incidents(std::size_t) override {
    return std::vector<core::Incident>();
  }
  Result<std::optional<core::Incident>> find_incident(const IncidentId& id) override {
    const auto found = disk_.incidents.find(id);
    if (found == disk_.incidents.end()) return std::optional<core::Incident>();
    return std::optional<core::Incident>(found->second);
  }

 private:
  static ActionId action_of(const core::Effect& effect) {
    if (const auto* order = std::get_if<core::OrderHostAction>(&effect)) return order->action;
    if (const auto* http = std::get_if<core::RunHttpAction>(&effect)) return http->action;
    return {};
  }

  Disk& disk_;
  const Hooks hooks_;
  std::uint64_t next_ = 0;
};

}  // namespace firebreak::testing
