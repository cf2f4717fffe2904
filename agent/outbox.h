// Results until the coordinator has committed them. Pure; not thread-safe.
//
// A result gets its sequence number when it first goes into a batch, once and for ever; what is
// dropped at the bound never had one, so sequence numbers have no holes. The gap is counted in the
// batch that follows it. Series get their refs the same way, stable for this Outbox's life, which
// is one incarnation.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/ids.h"
#include "common/limits.h"
#include "common/observation.h"
#include "common/result.h"
#include "common/time.h"
#include "proto/wire.h"

namespace firebreak::agent {

struct OutboxLimits {
  std::size_t results_max = limits::kUnackedResultsMax;  // above window * batch
  std::size_t batch_results_max = limits::kBatchResultsMax;
  std::size_t batch_bytes_max = limits::kMessageBytesMax / 2;
  std::size_t batches_in_flight_max = limits::kBatchesInFlightMax;
  std::size_t series_max = limits::kSeriesPerAgentMax;
  Duration flush_after = limits::kFlushInterval;
};

struct QueuedResult {
  ProbeKey key;
  bool confirmed = true;
  bool news = false;   // sent at once, dropped last
  Duration started{};  // on the agent's steady clock
  Observation observation;
};

class Outbox {
 public:
  explicit Outbox(OutboxLimits limits = {}) : limits_(limits) {}

  // Keeps the result. At the bound the oldest unsent one goes: healthy ones first, then repeated
  // faults, then news. resource_exhausted when its series would be one too many for an
  // incarnation; the result counts as dropped then.
  Result<> push(QueuedResult result, Instant now);

  // When take_batch() should be called: at once for a full batch, news or resending, otherwise
  // `flush_after` after the oldest. nullopt: nothing to send, or the window is full.
  [[nodiscard]] std::optional<Instant> flush_due() const;
  [[nodiscard]] bool can_send() const;
  // The next batch of this stream; can_send() must hold.
  wire::Batch take_batch(Instant now);

  // Everything up to `seq` is committed. invalid_argument when that was never sent.
  Result<> ack(std::uint64_t seq);
  // A new stream: what is unacknowledged is sent again, and series are defined again.
  void restart_stream();

  [[nodiscard]] std::uint64_t first_unacked_seq() const { return acked_ + 1; }
  [[nodiscard]] std::size_t size() const { return numbered_.size() + unsent(); }
  [[nodiscard]] std::size_t unsent() const;
  [[nodiscard]] std::size_t batches_in_flight() const { return in_flight_.size(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  enum Weight : std::size_t { healthy, fault, news, kWeights };
  struct Entry {
    std::uint64_t order = 0;  // counts pushes: a hole is what was dropped
    std::uint64_t gap = 0;    // dropped just before this one; set with its sequence number
    std::uint32_t ref = 0;
    bool confirmed = true;
    Duration started{};
    Observation observation;
  };

  std::optional<std::uint32_t> ref_of(const ProbeKey& key);
  void drop_one();
  // The queue that holds the oldest unsent result; nullptr when there is none.
  std::deque<Entry>* oldest_unsent();
  void number_next(Entry entry);
  [[nodiscard]] std::size_t bytes_of(const Entry& entry) const;
  void append(wire::Batch& batch, const Entry& entry);

  OutboxLimits limits_;
  std::array<std::deque<Entry>, kWeights> unsent_;  // each in order
  std::deque<Entry> numbered_;  // the first has sequence number acked_ + 1, the next one more
  std::size_t sent_ = 0;        // of numbered_, on this stream
  std::deque<std::uint64_t> in_flight_;  // last sequence number of each batch of this stream
  std::vector<ProbeKey> keys_;           // by ref
  std::unordered_map<ProbeKey, std::uint32_t> refs_;
  std::vector<bool> defined_;  // by ref, on this stream
  std::uint64_t acked_ = 0;
  std::uint64_t pushed_ = 0;
  std::uint64_t last_order_ = 0;       // of what has a sequence number
  std::uint64_t last_news_order_ = 0;  // of what was pushed
  std::uint64_t dropped_ = 0;
  Instant unsent_since_{};
};

}  // namespace firebreak::agent
