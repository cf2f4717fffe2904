// Sliding windows over the results of one probe, in buckets: counts, failures, latency and value
// summaries, without allocation per result.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "common/limits.h"
#include "common/time.h"
#include "coordinator/core/grain.h"

namespace firebreak::core {

// Latency quantiles come from a sketch: bins of whole microseconds up to 64 us, above it 64 for
// each doubling. A quantile is never below the true one, at most 1/64 (1.6 %) above it, and never
// above the window's greatest. Only bins that hold something take memory; of a bucket with more
// than limits::kSketchBinsMax of them the lowest become one, whose quantiles are too high. Sketches
// are added bin by bin, in any order.
class Window {
 public:
  static constexpr std::size_t kBins = 2048;  // up to 38 hours; the last one is open above
  struct Sample {
    bool failed = false;
    Duration latency{};
    std::optional<double> value;
  };
  struct Counts {
    std::uint64_t samples = 0;
    std::uint64_t failures = 0;
    Duration latency_sum{};
    Duration latency_max{};
    std::uint64_t values = 0;
    double value_sum = 0, value_min = 0, value_max = 0;
  };
  struct Summary : Counts {
    std::array<std::uint32_t, kBins> histogram{};
    std::size_t first_bin = kBins, last_bin = 0;                     // of those that hold something
    [[nodiscard]] std::optional<Duration> quantile(double q) const;  // empty without samples
  };

  // Nothing is kept before this is called. `lengths`: of the windows that anybody asks for; none:
  // nobody does. What is there is kept over a change, as far as the new lengths reach; one that was
  // not asked for before is as exact as what it is made of, until that is past.
  void configure(const std::set<Duration>& lengths);
  // The greatest of the lengths.
  [[nodiscard]] Duration span() const { return rings_.empty() ? Duration{0} : rings_.back().span; }
  [[nodiscard]] bool is_empty() const;
  // Forgets every sample.
  void clear();
  // Takes in what another one has gathered: as it is when this one is empty and of the same
  // lengths.
  void merge(Window other);
  // Samples may come in any order; those older than the span at the newest sample are dropped.
  // Costs the same for each ring, of which grains_of() says how many there may be.
  void add(Instant at, const Sample& sample);
  // Over (now - window, now]; never shorter than asked, and exact to one bucket of its ring: for
  // each of the lengths 1/kWindowBuckets of it, or 1 s if that is more.
  [[nodiscard]] Summary over(Duration window, Instant now) const;
  // The same without quantiles, which cost most.
  [[nodiscard]] Counts counts(Duration window, Instant now) const;

  // When the first of the results in that window leaves it; empty: there is none.
  [[nodiscard]] std::optional<Instant> next_change(Duration window, Instant now) const;

  // What it remembers, for whoever writes it down: the ring as it is, empty buckets among them.
  struct Bucket {
    std::int64_t number = -1;  // time / width; -1: empty
    std::uint32_t samples = 0, failures = 0, values = 0;
    std::int64_t latency_sum_us = 0, latency_max_us = 0;
    double value_sum = 0, value_min = 0, value_max = 0;
    struct Bin {
      std::uint16_t number = 0;
      std::uint32_t count = 0;
      friend bool operator==(const Bin&, const Bin&) = default;
    };
    std::vector<Bin> latencies;  // those that hold something, in order
    void add_latency(std::int64_t latency_us, std::uint32_t count);
    void add_bin(std::size_t bin, std::uint32_t count);  // below kBins
  };
  struct Ring : Grain {
    std::vector<Bucket> buckets;  // by number modulo size; allocated by the first sample
  };
  [[nodiscard]] const std::vector<Ring>& rings() const { return rings_; }  // shortest first
  [[nodiscard]] Instant newest() const { return newest_; }
  // From what was written down, in buckets that hold something. False: no window can have been so.
  [[nodiscard]] bool restore(Instant newest, const std::vector<Ring>& filled);

 private:
  template <class Sum>
  [[nodiscard]] Sum sum_of(Duration window, Instant now) const;
  void take_in(Ring& ring, const Ring& from) const;
  [[nodiscard]] Bucket* bucket_at(Ring& ring, Instant at) const;
  Instant newest_{};         // of the samples
  std::vector<Ring> rings_;  // every one has every sample
};

}  // namespace firebreak::core
