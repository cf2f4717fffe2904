// Order, bounds, resending, and the rate of a drain.
#include "agent/outbox.h"

#include <algorithm>
#include <utility>

#include "common/assert.h"
#include "common/broken.h"

namespace firebreak::agent {

using spool::Lane;

Outbox::Outbox(OutboxLimits limits, const SpoolStart& start) : limits_(limits), kept_(start.kept) {
  for (const auto& [ref, key] : start.series) {
    if (ref >= limits_.series_max) continue;
    if (keys_.size() <= ref) keys_.resize(ref + 1);
    refs_.emplace(*key, ref);
    keys_[ref] = key;
  }
  defined_.resize(keys_.size());
  acked_ = acked_in_spool_ = sent_ = loaded_ = start.acked;
  durable_ = last_seq_ = std::max(start.next_seq - 1, start.acked);
}

Result<> Outbox::push(QueuedResult result, Instant now) {
  const auto ref = ref_of(result.key);
  if (!ref) {
    ++dropped_;
    return make_error(Errc::resource_exhausted,
                      "service '" + result.key.service.str() + "', probe '" +
                          result.key.probe.str() + "': this agent has reported " +
                          std::to_string(limits_.series_max) +
                          " different probes since it started and keeps no more; restart it");
  }
  if (pending() >= limits_.pending_max && !is_broken(Break::cap)) drop_one();
  if (pending() == 0) pending_since_ = now;
  Entry entry;
  entry.seq = ++last_seq_;
  entry.lane = result.news                               ? Lane::news
               : result.observation.status == Status::ok ? Lane::healthy
                                                         : Lane::fault;
  if (result.news) {
    last_news_seq_ = entry.seq;
    last_news_at_ = now;
  }
  entry.ref = *ref;
  entry.key = keys_[*ref];
  entry.confirmed = result.confirmed;
  entry.started = result.started;
  entry.observation = std::move(result.observation);
  entry.observation.phases.clear();
  pending_.at(static_cast<std::size_t>(entry.lane)).push_back(std::move(entry));
  return {};
}

// Refs are never given to another series while a batch that uses them may be under way.
std::optional<std::uint32_t> Outbox::ref_of(const ProbeKey& key) {
  const auto known = refs_.find(key);
  if (known != refs_.end()) return known->second;
  if (refs_.size() >= limits_.series_max) return std::nullopt;
  auto free = std::find(keys_.begin(), keys_.end(), nullptr);
  if (free == keys_.end()) {
    keys_.emplace_back();
    defined_.push_back(false);
    free = std::prev(keys_.end());
  }
  *free = std::make_shared<const ProbeKey>(key);
  const auto ref = static_cast<std::uint32_t>(free - keys_.begin());
  refs_.emplace(key, ref);
  return ref;
}

void Outbox::drop_one() {
  for (std::deque<Entry>& lane : pending_) {
    if (lane.empty()) continue;
    lane.pop_front();
    ++dropped_;
    return;
  }
}

std::size_t Outbox::pending() const {
  std::size_t count = 0;
  for (const std::deque<Entry>& lane : pending_) count += lane.size();
  return count;
}

std::uint64_t Outbox::size() const {
  return pending() + std::min(kept_, last_seq_ - std::min(last_seq_, acked_));
}

std::uint64_t Outbox::unsent() const {
  return ready_.size() + (durable_ - loaded_) + pending();
}

// --- To the spool --------------------------------------------------------------------------------

bool Outbox::wants_reading() const {
  return has_stream_ && !starts_over_ && loaded_ < durable_ &&
         ready_.size() <= limits_.ready_max / 2;
}

std::optional<Instant> Outbox::work_due() const {
  if (is_working_) return std::nullopt;
  if (starts_over_) return Instant{};
  std::optional<Instant> due;
  const auto not_later = [&due](Instant at) { due = due ? std::min(*due, at) : at; };
  if (pending() > 0) {
    const bool at_once = is_hurried_ || pending() >= limits_.batch_results_max ||
                         !pending_.at(static_cast<std::size_t>(Lane::news)).empty();
    not_later(std::max(at_once ? pending_since_ : pending_since_ + limits_.flush_after, retry_at_));
  }
  if (wants_reading()) not_later(retry_at_);
  if (acked_ > acked_in_spool_) not_later(acked_since_ + limits_.flush_after);
  return due;
}

SpoolWork Outbox::take_work() {
  FB_ASSERT(!is_working_);
  is_working_ = true;
  SpoolWork work;
  if (starts_over_) number_anew();
  work.starts_over = std::exchange(starts_over_, false);
  work.acked = acked_in_spool_ = acked_;
  work.make_room = has_refused_ && pending() >= limits_.pending_max / 2;
  work.entries.reserve(pending());
  for (std::deque<Entry>& lane : pending_) {
    std::move(lane.begin(), lane.end(), std::back_inserter(work.entries));
    lane.clear();
  }
  std::sort(work.entries.begin(), work.entries.end(),
            [](const Entry& a, const Entry& b) { return a.seq < b.seq; });
  if (wants_reading()) {
    work.read_from = loaded_ + 1;
    work.read_count = limits_.ready_max - ready_.size();
    work.stream = stream_;
  }
  return work;
}

void Outbox::work_done(SpoolDone done, Instant now) {
  is_working_ = false;
  kept_ = done.counts.kept;
  has_refused_ = !done.is_written || !done.is_read;
  if (has_refused_) retry_at_ = now + limits_.flush_after;
  const bool is_of_stream = has_stream_ && done.work.stream == stream_ && done.work.read_from > 0;
  if (is_of_stream && done.is_read) {
    // Not those of a flush that failed half-way: they are in memory, and come again.
    for (Entry& entry : done.read)
      if (entry.seq > loaded_ && entry.seq <= durable_ && entry.ref < defined_.size())
        ready_.push_back(std::move(entry));
    loaded_ = std::max(loaded_, std::min(done.read_up_to, durable_));
  }
  if (starts_over_ || !done.is_written) return take_back(std::move(done.work.entries));
  written(std::move(done.work.entries));
}

void Outbox::written(std::vector<Entry> entries) {
  if (entries.empty()) return;
  const std::uint64_t last = entries.back().seq;
  // Fresh results go on from memory, unless older ones are still to be read.
  const bool is_next =
      has_stream_ && loaded_ == durable_ && ready_.size() + entries.size() <= limits_.ready_max;
  durable_ = std::max(durable_, last);
  if (!is_next) return;
  loaded_ = durable_;
  std::move(entries.begin(), entries.end(), std::back_inserter(ready_));
}

void Outbox::take_back(std::vector<Entry> entries) {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
    pending_.at(static_cast<std::size_t>(entry->lane)).push_front(std::move(*entry));
  while (pending() > limits_.pending_max) drop_one();
}

void Outbox::start_over() {
  starts_over_ = true;
  end_stream();
}

// Nobody has seen the numbers of what is pending.
void Outbox::number_anew() {
  std::vector<Entry*> all;
  for (std::deque<Entry>& lane : pending_)
    for (Entry& entry : lane) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->seq < b->seq; });
  acked_ = acked_in_spool_ = sent_ = loaded_ = durable_ = last_seq_ = last_news_seq_ = 0;
  for (Entry* entry : all) {
    entry->seq = ++last_seq_;
    if (entry->lane == Lane::news) last_news_seq_ = entry->seq;
  }
}

// --- To the coordinator --------------------------------------------------------------------------

bool Outbox::can_send() const {
  return has_stream_ && !ready_.empty() && in_flight_.size() < limits_.batches_in_flight_max;
}

std::optional<Instant> Outbox::flush_due() const {
  if (!can_send()) return std::nullopt;
  return send_at_;
}

bool Outbox::has_fresh_news(Instant now) const {
  return last_news_seq_ > sent_ && now - last_news_at_ < limits::kLateAfter;
}

Duration Outbox::pause_after(std::size_t results, Instant now) const {
  const std::uint64_t behind = unsent();
  if (behind <= limits_.batch_results_max) return {};
  const auto within = std::chrono::duration<double>(limits::kDrainWithin).count();
  double rate = std::clamp(static_cast<double>(behind) / within, limits_.drain_per_second,
                           limits_.drain_per_second_max);
  if (has_fresh_news(now)) rate = limits_.drain_per_second_max;
  const std::chrono::duration<double> pause(static_cast<double>(results) / rate);
  return std::chrono::duration_cast<Duration>(pause);
}

std::size_t Outbox::bytes_of(const Entry& entry) const {
  constexpr std::size_t kColumns = 40;   // every column at its widest usual encoding
  constexpr std::size_t kPerValue = 80;  // row, index, number, and its name once
  std::size_t bytes =
      kColumns + entry.observation.evidence.size() + kPerValue * entry.observation.values.size();
  if (!defined_[entry.ref]) bytes += kColumns + 2 * 63;
  return bytes;
}

void Outbox::append(wire::Batch& batch, const Entry& entry) {
  if (!defined_[entry.ref]) {
    batch.series.push_back({entry.ref, *entry.key});
    defined_[entry.ref] = true;
  }
  batch.results.push_back({entry.ref, entry.confirmed, entry.started, entry.observation});
}

wire::Batch Outbox::take_batch(Instant now) {
  FB_ASSERT(can_send());
  wire::Batch batch;
  batch.first_seq = ready_.front().seq;
  batch.dropped_before = batch.first_seq - sent_ - 1;
  batch.sent = now.time_since_epoch();
  std::size_t bytes = 0;
  std::uint64_t next = batch.first_seq;
  while (!ready_.empty() && ready_.front().seq == next &&
         batch.results.size() < limits_.batch_results_max) {
    bytes += bytes_of(ready_.front());
    if (!batch.results.empty() && bytes > limits_.batch_bytes_max) break;
    append(batch, ready_.front());
    ready_.pop_front();
    sent_ = next++;
  }
  in_flight_.push_back(sent_);
  send_at_ = std::max(send_at_, now) + pause_after(batch.results.size(), now);
  return batch;
}

Result<> Outbox::ack(std::uint64_t seq, Instant now) {
  if (seq > durable_) {
    return make_error(Errc::invalid_argument, "the coordinator acknowledged result " +
                                                  std::to_string(seq) + ", but only " +
                                                  std::to_string(durable_) + " were ever sent");
  }
  if (seq <= acked_) return {};
  if (acked_ == acked_in_spool_) acked_since_ = now;
  acked_ = seq;
  sent_ = std::max(sent_, seq);
  loaded_ = std::max(loaded_, seq);
  while (!ready_.empty() && ready_.front().seq <= seq) ready_.pop_front();
  while (!in_flight_.empty() && in_flight_.front() <= seq) in_flight_.pop_front();
  return {};
}

void Outbox::restart_stream() {
  end_stream();
  has_stream_ = true;
  ++stream_;
}

void Outbox::end_stream() {
  has_stream_ = false;
  ready_.clear();
  in_flight_.clear();
  sent_ = loaded_ = acked_;
  send_at_ = {};
  std::fill(defined_.begin(), defined_.end(), false);
}

}  // namespace firebreak::agent
