// Results from the probe until the coordinator has committed them, and what to do about them next:
// write to the spool, read back, send. Pure; not thread-safe.
//
// A result gets its sequence number when it is pushed. It waits in memory until the next flush,
// then the spool has it; only then is it sent. What waits longer than a moment is on disk only:
// while it is sent, it is read back in pieces. A number whose result was dropped is a hole:
// batches end before it, and the next one says how many are missing in front of it.
//
// Everything is sent in the order of the numbers, because acknowledgements are cumulative. A
// backlog is sent at a limited rate, so that ten thousand agents may come back at once; the rate
// rises so that nothing waits behind the backlog for longer than limits::kDrainWithin if
// kDrainPerSecondMax allows it, and to that maximum while fresh news waits.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/spool/entry.h"
#include "agent/spool_work.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/observation.h"
#include "common/result.h"
#include "common/time.h"
#include "proto/wire.h"

namespace firebreak::agent {

struct OutboxLimits {
  std::size_t pending_max = limits::kSpoolPendingMax;
  std::size_t ready_max = limits::kSpoolReadyMax;
  std::size_t batch_results_max = limits::kBatchResultsMax;
  std::size_t batch_bytes_max = limits::kMessageBytesMax / 2;
  std::size_t batches_in_flight_max = limits::kBatchesInFlightMax;
  std::size_t series_max = limits::kSeriesPerAgentMax;
  Duration flush_after = limits::kFlushInterval;
  double drain_per_second = limits::kDrainPerSecond;
  double drain_per_second_max = limits::kDrainPerSecondMax;
};

struct QueuedResult {
  ProbeKey key;
  bool confirmed = true;
  bool news = false;   // written and sent at once, dropped last
  Duration started{};  // on the agent's time line
  Observation observation;
};

class Outbox {
 public:
  explicit Outbox(OutboxLimits limits = {}, const SpoolStart& start = {});

  // Keeps the result. While the disk takes none, the oldest of those in memory go at the bound:
  // healthy ones first, then repeated faults, then news. resource_exhausted when its series would
  // be one too many for an incarnation; the result counts as dropped then.
  Result<> push(QueuedResult result, Instant now);

  // --- To the spool: one turn at a time ---

  // When take_work() should be called; nullopt: one is under way, or there is nothing to do.
  [[nodiscard]] std::optional<Instant> work_due() const;
  SpoolWork take_work();
  void work_done(SpoolDone done, Instant now);
  // What is there is to be written as soon as possible: the agent is stopping.
  void hurry() { is_hurried_ = true; }
  [[nodiscard]] bool has_work_under_way() const { return is_working_; }

  // --- To the coordinator ---

  // When take_batch() should be called; nullopt: nothing to send, or the window is full.
  [[nodiscard]] std::optional<Instant> flush_due() const;
  [[nodiscard]] bool can_send() const;
  // The next batch of this stream; can_send() must hold.
  wire::Batch take_batch(Instant now);

  // Everything up to `seq` is committed. invalid_argument when that was never sent.
  Result<> ack(std::uint64_t seq, Instant now);
  // A new stream: what is unacknowledged is sent again, and series are defined again.
  void restart_stream();
  // There is none: nothing is read ahead.
  void end_stream();
  // The coordinator knows numbers of this incarnation that were never given here: the state folder
  // is a copy of an older one. What was kept is dropped, because nobody can say what of it the
  // coordinator has; what comes is counted from 1 under another incarnation.
  void start_over();

  [[nodiscard]] std::uint64_t first_unacked_seq() const { return acked_ + 1; }
  // Everything that was given a number is acknowledged.
  [[nodiscard]] bool is_empty() const { return acked_ >= last_seq_; }
  // Not acknowledged; at most.
  [[nodiscard]] std::uint64_t size() const;
  // Not sent on this stream; at most.
  [[nodiscard]] std::uint64_t unsent() const;
  [[nodiscard]] std::size_t pending() const;
  [[nodiscard]] std::size_t batches_in_flight() const { return in_flight_.size(); }
  // Lost in memory. The spool counts what it drops.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  using Entry = spool::Entry;
  std::optional<std::uint32_t> ref_of(const ProbeKey& key);
  void drop_one();
  void take_back(std::vector<Entry> entries);
  void written(std::vector<Entry> entries);
  void number_anew();
  [[nodiscard]] bool wants_reading() const;
  [[nodiscard]] bool has_fresh_news(Instant now) const;
  [[nodiscard]] Duration pause_after(std::size_t results, Instant now) const;
  [[nodiscard]] std::size_t bytes_of(const Entry& entry) const;
  void append(wire::Batch& batch, const Entry& entry);

  OutboxLimits limits_;
  std::array<std::deque<Entry>, spool::kLanes.size()> pending_;  // not on disk; each in order
  std::deque<Entry> ready_;                                      // on disk, next to be sent
  std::deque<std::uint64_t> in_flight_;  // last sequence number of each batch of this stream
  std::vector<std::shared_ptr<const ProbeKey>> keys_;  // by ref; null: free
  std::unordered_map<ProbeKey, std::uint32_t> refs_;
  std::vector<bool> defined_;  // by ref, on this stream

  // acked_ <= sent_ <= loaded_ <= durable_ <= last_seq_
  std::uint64_t acked_ = 0;
  std::uint64_t sent_ = 0;     // on this stream
  std::uint64_t loaded_ = 0;   // to ready_
  std::uint64_t durable_ = 0;  // no entry up to here is in memory only
  std::uint64_t last_seq_ = 0;

  std::uint64_t kept_ = 0;  // on disk, as the spool said last
  std::uint64_t dropped_ = 0;
  std::uint64_t acked_in_spool_ = 0;
  std::uint64_t last_news_seq_ = 0;
  Instant last_news_at_{};
  Instant pending_since_{};
  Instant acked_since_{};
  Instant retry_at_{};  // after the disk has refused
  Instant send_at_{};   // not before: the drain's rate
  std::uint64_t stream_ = 0;
  bool has_stream_ = false;
  bool is_working_ = false;
  bool is_hurried_ = false;
  bool starts_over_ = false;
  bool has_refused_ = false;  // the disk, the last time
};

}  // namespace firebreak::agent
