// What this host has been ordered to do: the fold of the journal's records. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/actuator/action.h"

namespace firebreak::actuator {

// The action is about to start.
struct Intent {
  ActionId id;
  std::string name;
  std::uint64_t epoch = 0;
  friend bool operator==(const Intent&, const Intent&) = default;
};
// How it ended, or that it was refused (then there was no intent).
struct Ended {
  Outcome outcome;
  friend bool operator==(const Ended&, const Ended&) = default;
};
// The coordinator has committed the outcome.
struct Acknowledged {
  ActionId id;
  friend bool operator==(const Acknowledged&, const Acknowledged&) = default;
};
struct EpochSeen {
  std::uint64_t epoch = 0;
  friend bool operator==(const EpochSeen&, const EpochSeen&) = default;
};
struct Record {
  Instant at;
  std::variant<Intent, Ended, Acknowledged, EpochSeen> what;
  friend bool operator==(const Record&, const Record&) = default;
};

class History {
 public:
  struct Entry {
    Instant at;                      // when it started, or was refused
    std::string name;                // empty when it was refused
    std::optional<Outcome> outcome;  // nothing: it runs
    bool acknowledged = false;       // then the outcome's output is no longer kept
    [[nodiscard]] bool started() const { return !name.empty(); }
  };
  using Entries = std::map<ActionId, Entry>;

  // Records that contradict what is known (a second intent or end of an id) change nothing: the
  // first one counts.
  void apply(const Record& record);
  // Drops what need not be remembered any more (limits::kActionIds*).
  void forget(Instant now);

  // nullptr when this id has never been seen.
  [[nodiscard]] const Entry* find(const ActionId& id) const;
  [[nodiscard]] const Entries& entries() const { return entries_; }
  // Ids of the actions that have no outcome yet.
  [[nodiscard]] std::vector<ActionId> running() const;
  [[nodiscard]] std::size_t started_count() const { return started_; }
  // When `name` was started, newest first, not before `since`.
  [[nodiscard]] std::vector<Instant> starts(const std::string& name, Instant since) const;
  // The highest epoch that was obeyed.
  [[nodiscard]] std::uint64_t epoch_seen() const { return epoch_seen_; }
  // The latest time in any record.
  [[nodiscard]] Instant latest() const { return latest_; }
  // The shortest list of records that folds to this history.
  [[nodiscard]] std::vector<Record> records() const;

 private:
  void begin(const Intent& intent, Instant at);
  void end(const Outcome& outcome, Instant at);

  Entries entries_;
  std::size_t started_ = 0;
  std::uint64_t epoch_seen_ = 0;
  Instant latest_{};
};

}  // namespace firebreak::actuator
