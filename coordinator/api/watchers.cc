// Fans entries and validations out to those who watch.
#include "coordinator/api/watchers.h"

#include <utility>

namespace firebreak::api {

void Subscription::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  wake_();
}

bool Subscription::is_closed() {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

void WatchQueue::push(std::shared_ptr<const Watched> watched) {
  {
    const std::lock_guard lock(mutex_);
    std::uint64_t missed = 0;
    if (items_.size() >= limits::kWatchQueueMax) {
      missed = items_.front().missed + 1;
      items_.pop_front();
    }
    items_.push_back({std::move(watched), 0});
    items_.front().missed += missed;
  }
  wake_();
}

std::optional<WatchQueue::Item> WatchQueue::take() {
  const std::lock_guard lock(mutex_);
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void ProgressSlot::push(std::shared_ptr<const Progress> progress) {
  {
    const std::lock_guard lock(mutex_);
    newest_ = std::move(progress);
  }
  wake_();
}

std::shared_ptr<const Progress> ProgressSlot::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(newest_, nullptr);
}

void Watchers::close() {
  std::vector<Watcher> watchers;
  std::multimap<ValidationId, std::weak_ptr<ProgressSlot>> followers;
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    watchers.swap(watchers_);
    followers.swap(followers_);
  }
  for (const Watcher& watcher : watchers)
    if (const auto queue = watcher.queue.lock()) queue->close();
  for (const auto& [validation, follower] : followers)
    if (const auto slot = follower.lock()) slot->close();
}

Result<> Watchers::make_room() {
  if (is_closed_) return make_error(Errc::unavailable, "the coordinator is stopping");
  std::erase_if(watchers_, [](const Watcher& watcher) { return watcher.queue.expired(); });
  std::erase_if(followers_, [](const auto& follower) { return follower.second.expired(); });
  if (watchers_.size() + followers_.size() < limits::kWatchersMax) return {};
  return make_error(Errc::resource_exhausted, std::to_string(limits::kWatchersMax) +
                                                  " clients watch already; end one of them");
}

Result<> Watchers::watch(const IncidentId& only, const std::shared_ptr<WatchQueue>& queue) {
  const std::lock_guard lock(mutex_);
  if (const auto room = make_room(); !room) return room.error();
  watchers_.push_back({only, queue});
  return {};
}

Result<> Watchers::follow(const ValidationId& validation,
                          const std::shared_ptr<ProgressSlot>& slot) {
  const std::lock_guard lock(mutex_);
  if (const auto room = make_room(); !room) return room.error();
  followers_.emplace(validation, slot);
  return {};
}

void Watchers::publish(const core::PublishEntry& entry) {
  std::vector<std::shared_ptr<WatchQueue>> queues;
  {
    const std::lock_guard lock(mutex_);
    for (const Watcher& watcher : watchers_)
      if (watcher.only.empty() || watcher.only == entry.incident)
        if (auto queue = watcher.queue.lock()) queues.push_back(std::move(queue));
  }
  if (queues.empty()) return;
  const auto watched =
      std::make_shared<const Watched>(Watched{entry.incident, entry.service, entry.entry});
  for (const auto& queue : queues) queue->push(watched);
}

void Watchers::publish(const core::PublishValidation& validation, const core::State& state) {
  std::vector<std::shared_ptr<ProgressSlot>> slots;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = followers_.equal_range(validation.validation);
    for (auto it = first; it != last; ++it)
      if (auto slot = it->second.lock()) slots.push_back(std::move(slot));
  }
  const auto found = state.validations.find(validation.validation);
  if (slots.empty() || found == state.validations.end()) return;
  const auto progress = std::make_shared<const Progress>(Progress{found->second, state.now});
  for (const auto& slot : slots) slot->push(progress);
}

}  // namespace firebreak::api
