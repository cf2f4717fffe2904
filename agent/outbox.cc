// Order, bounds and resending.
#include "agent/outbox.h"

#include <algorithm>
#include <utility>

#include "common/assert.h"

namespace firebreak::agent {

Result<> Outbox::push(QueuedResult result, Instant now) {
  const std::uint64_t order = ++pushed_;
  const auto ref = ref_of(result.key);
  if (!ref) {
    ++dropped_;
    return make_error(Errc::resource_exhausted,
                      "service '" + result.key.service.str() + "', probe '" +
                          result.key.probe.str() + "': this agent has reported " +
                          std::to_string(limits_.series_max) +
                          " different probes since it started and keeps no more; restart it");
  }
  if (size() >= limits_.results_max) drop_one();
  if (unsent() == 0) unsent_since_ = now;
  const Weight weight = result.news                               ? Weight::news
                        : result.observation.status == Status::ok ? Weight::healthy
                                                                  : Weight::fault;
  if (result.news) last_news_order_ = order;
  result.observation.phases.clear();  // they do not travel in batches
  unsent_[weight].push_back(
      {order, 0, *ref, result.confirmed, result.started, std::move(result.observation)});
  return {};
}

std::optional<std::uint32_t> Outbox::ref_of(const ProbeKey& key) {
  const auto known = refs_.find(key);
  if (known != refs_.end()) return known->second;
  if (keys_.size() >= limits_.series_max) return std::nullopt;
  const auto ref = static_cast<std::uint32_t>(keys_.size());
  refs_.emplace(key, ref);
  keys_.push_back(key);
  defined_.push_back(false);
  return ref;
}

void Outbox::drop_one() {
  FB_ASSERT(unsent() > 0);  // results_max is above what the window can hold
  for (std::deque<Entry>& queue : unsent_) {
    if (queue.empty()) continue;
    queue.pop_front();
    ++dropped_;
    return;
  }
}

std::size_t Outbox::unsent() const {
  std::size_t count = 0;
  for (const std::deque<Entry>& queue : unsent_) count += queue.size();
  return count;
}

std::deque<Outbox::Entry>* Outbox::oldest_unsent() {
  std::deque<Entry>* oldest = nullptr;
  for (std::deque<Entry>& queue : unsent_) {
    if (queue.empty()) continue;
    if (oldest == nullptr || queue.front().order < oldest->front().order) oldest = &queue;
  }
  return oldest;
}

bool Outbox::can_send() const {
  return in_flight_.size() < limits_.batches_in_flight_max &&
         (sent_ < numbered_.size() || unsent() > 0);
}

std::optional<Instant> Outbox::flush_due() const {
  if (!can_send()) return std::nullopt;
  const bool at_once = sent_ < numbered_.size() || unsent() >= limits_.batch_results_max ||
                       last_news_order_ > last_order_;
  return at_once ? unsent_since_ : unsent_since_ + limits_.flush_after;
}

std::size_t Outbox::bytes_of(const Entry& entry) const {
  constexpr std::size_t kColumns = 40;   // every column at its widest usual encoding
  constexpr std::size_t kPerValue = 80;  // row, index, number, and its name once
  std::size_t bytes =
      kColumns + entry.observation.evidence.size() + kPerValue * entry.observation.values.size();
  if (!defined_[entry.ref]) bytes += kColumns + 2 * 63;
  return bytes;
}

void Outbox::number_next(Entry entry) {
  entry.gap = entry.order - last_order_ - 1;
  last_order_ = entry.order;
  numbered_.push_back(std::move(entry));
}

void Outbox::append(wire::Batch& batch, const Entry& entry) {
  if (!defined_[entry.ref]) {
    batch.series.push_back({entry.ref, keys_[entry.ref]});
    defined_[entry.ref] = true;
  }
  batch.dropped_before += entry.gap;
  batch.results.push_back({entry.ref, entry.confirmed, entry.started, entry.observation});
}

wire::Batch Outbox::take_batch(Instant now) {
  FB_ASSERT(can_send());
  wire::Batch batch;
  batch.first_seq = acked_ + 1 + sent_;
  batch.sent = now.time_since_epoch();
  std::size_t bytes = 0;
  while (batch.results.size() < limits_.batch_results_max) {
    if (sent_ == numbered_.size()) {
      std::deque<Entry>* queue = oldest_unsent();
      if (queue == nullptr) break;
      if (!batch.results.empty() && bytes + bytes_of(queue->front()) > limits_.batch_bytes_max) {
        break;
      }
      number_next(std::move(queue->front()));
      queue->pop_front();
    }
    bytes += bytes_of(numbered_[sent_]);
    if (!batch.results.empty() && bytes > limits_.batch_bytes_max) break;
    append(batch, numbered_[sent_++]);
  }
  in_flight_.push_back(acked_ + sent_);
  unsent_since_ = now;
  return batch;
}

Result<> Outbox::ack(std::uint64_t seq) {
  const std::uint64_t last_numbered = acked_ + numbered_.size();
  if (seq > last_numbered) {
    return make_error(Errc::invalid_argument,
                      "the coordinator acknowledged result " + std::to_string(seq) + ", but only " +
                          std::to_string(last_numbered) + " were ever sent");
  }
  if (seq <= acked_) return {};
  const auto count = static_cast<std::size_t>(seq - acked_);
  numbered_.erase(numbered_.begin(), numbered_.begin() + static_cast<std::ptrdiff_t>(count));
  sent_ -= std::min(sent_, count);
  acked_ = seq;
  while (!in_flight_.empty() && in_flight_.front() <= seq) in_flight_.pop_front();
  return {};
}

void Outbox::restart_stream() {
  sent_ = 0;
  in_flight_.clear();
  std::fill(defined_.begin(), defined_.end(), false);
}

}  // namespace firebreak::agent
