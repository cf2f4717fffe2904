// Who watches incidents and validations live: a bounded queue for each, filled by the engine's
// owner thread and emptied by whoever writes to the watcher.
//
// Thread-safe. A watcher that reads too slowly misses the oldest and is told how many; one that
// follows a validation always gets its newest state, since that holds what came before.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/limits.h"
#include "common/result.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/sinks.h"

namespace firebreak::api {

// A new entry on an incident's timeline.
struct Watched {
  IncidentId incident;
  ServiceName service;
  core::TimelineEntry entry;
};

// What all who watch have in common: being woken, and being told that it is over.
class Subscription {
 public:
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  void close();                    // nothing comes any more
  [[nodiscard]] bool is_closed();  // what was pushed before can still be taken

 protected:
  // `wake` is called after every push and close(), on the caller's thread and without a lock.
  explicit Subscription(std::function<void()> wake) : wake_(std::move(wake)) {}
  ~Subscription() = default;

  const std::function<void()> wake_;
  std::mutex mutex_;

 private:
  bool is_closed_ = false;
};

class WatchQueue final : public Subscription {
 public:
  struct Item {
    std::shared_ptr<const Watched> what;
    std::uint64_t missed = 0;  // just before this one
  };
  explicit WatchQueue(std::function<void()> wake) : Subscription(std::move(wake)) {}
  void push(std::shared_ptr<const Watched> watched);
  std::optional<Item> take();

 private:
  std::deque<Item> items_;
};

// A validation as it was at a moment.
struct Progress {
  core::Validation validation;
  Instant now;
};

class ProgressSlot final : public Subscription {
 public:
  explicit ProgressSlot(std::function<void()> wake) : Subscription(std::move(wake)) {}
  void push(std::shared_ptr<const Progress> progress);  // replaces what nobody has taken
  std::shared_ptr<const Progress> take();

 private:
  std::shared_ptr<const Progress> newest_;
};

class Watchers final : public engine::WatchSink {
 public:
  // A subscription lasts as long as its owner keeps the pointer. `only` may be empty: everything.
  // resource_exhausted beyond limits::kWatchersMax, unavailable after close().
  Result<> watch(const IncidentId& only, const std::shared_ptr<WatchQueue>& queue);
  Result<> follow(const ValidationId& validation, const std::shared_ptr<ProgressSlot>& slot);

  // Lets everybody go who watches, and whoever comes later: unavailable. Any thread.
  void close();

  // On the engine's owner thread.
  void publish(const core::PublishEntry& entry) override;
  void publish(const core::PublishValidation& validation, const core::State& state) override;

 private:
  struct Watcher {
    IncidentId only;
    std::weak_ptr<WatchQueue> queue;
  };
  Result<> make_room();  // under mutex_

  std::mutex mutex_;
  bool is_closed_ = false;
  std::vector<Watcher> watchers_;
  std::multimap<ValidationId, std::weak_ptr<ProgressSlot>> followers_;
};

}  // namespace firebreak::api
