// The rings of buckets behind a window.
#include "coordinator/core/window.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <type_traits>
#include <utility>

namespace firebreak::core {

namespace {

constexpr int kBinsPerDoublingLog2 = 6;
constexpr std::int64_t kBinsPerDoubling = 1 << kBinsPerDoublingLog2;

std::size_t bin_of(std::int64_t latency_us) {
  if (latency_us < kBinsPerDoubling)
    return static_cast<std::size_t>(std::max<std::int64_t>(latency_us, 0));
  const int shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(latency_us))) - 1 -
                    kBinsPerDoublingLog2;
  const std::int64_t bin = shift * kBinsPerDoubling + (latency_us >> shift);
  return std::min(static_cast<std::size_t>(bin), Window::kBins - 1);
}

// The greatest latency of a bin.
std::int64_t edge_of(std::size_t bin) {
  const auto number = static_cast<std::int64_t>(bin);
  if (number < kBinsPerDoubling) return number;
  const std::int64_t shift = number / kBinsPerDoubling - 1;
  return ((number % kBinsPerDoubling + kBinsPerDoubling + 1) << shift) - 1;
}

// How summaries and buckets take in values alike.
template <class Into>
void add_values(Into& into, std::uint32_t count, double sum, double least, double greatest) {
  if (count == 0) return;
  into.value_min = into.values == 0 ? least : std::min(into.value_min, least);
  into.value_max = into.values == 0 ? greatest : std::max(into.value_max, greatest);
  into.value_sum += sum;
  into.values += count;
}

Window::Bucket& place_of(Window::Ring& ring, std::int64_t number) {
  return ring.buckets[static_cast<std::size_t>(number) % ring.buckets.size()];
}

}  // namespace

void Window::Bucket::add_latency(std::int64_t latency_us, std::uint32_t count) {
  add_bin(bin_of(latency_us), count);
}

void Window::Bucket::add_bin(std::size_t bin, std::uint32_t count) {
  const auto wanted = static_cast<std::uint16_t>(std::min(bin, kBins - 1));
  const auto place =
      std::lower_bound(latencies.begin(), latencies.end(), wanted,
                       [](const Bin& one, std::uint16_t value) { return one.number < value; });
  if (place != latencies.end() && place->number == wanted) {
    place->count += count;
    return;
  }
  if (latencies.size() < limits::kSketchBinsMax) {
    latencies.insert(place, Bin{wanted, count});
    return;
  }
  // Full, so the lowest two become one, without room for one more in between.
  if (place == latencies.begin()) {
    place->count += count;
    return;
  }
  const std::uint32_t lowest = latencies.front().count;
  *std::move(std::next(latencies.begin()), place, latencies.begin()) = Bin{wanted, count};
  latencies.front().count += lowest;
}

std::optional<Duration> Window::Summary::quantile(double q) const {
  std::uint64_t total = 0;
  for (std::size_t i = first_bin; i <= last_bin; ++i) total += histogram[i];
  if (total == 0) return std::nullopt;

  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const auto rank = std::max(static_cast<std::uint64_t>(wanted), std::uint64_t{1});
  std::uint64_t seen = 0;
  for (std::size_t i = first_bin; i <= last_bin && i + 1 < kBins; ++i) {
    seen += histogram[i];
    if (seen >= rank) return std::min(Duration{edge_of(i)}, latency_max);
  }
  return latency_max;
}

void Window::configure(const std::set<Duration>& lengths) {
  const std::vector<Grain> grains = grains_of(lengths);
  if (std::equal(grains.begin(), grains.end(), rings_.begin(), rings_.end())) return;
  std::vector<Ring> old = std::exchange(rings_, {});
  rings_.reserve(grains.size());
  for (const Grain& grain : grains) {
    Ring& ring = rings_.emplace_back(Ring{grain, {}});
    if (old.empty()) continue;
    const Ring& from = serving(old, grain.span);
    if (from == grain)
      ring.buckets = from.buckets;
    else
      take_in(ring, from);
  }
}

bool Window::is_empty() const {
  return std::all_of(rings_.begin(), rings_.end(),
                     [](const Ring& ring) { return ring.buckets.empty(); });
}

void Window::clear() {
  newest_ = {};
  for (Ring& ring : rings_) ring.buckets = {};
}

void Window::merge(Window other) {
  if (rings_.empty() || other.rings_.empty()) return;
  if (is_empty() &&
      std::equal(rings_.begin(), rings_.end(), other.rings_.begin(), other.rings_.end())) {
    *this = std::move(other);
    return;
  }
  newest_ = std::max(newest_, other.newest_);
  for (Ring& ring : rings_) take_in(ring, serving(other.rings_, ring.span));
}

void Window::take_in(Ring& ring, const Ring& from) const {
  for (const Bucket& bucket : from.buckets) {
    if (bucket.number < 0) continue;
    // As late as its samples may have been: nothing falls out of a window too early.
    const Instant last{(bucket.number + 1) * from.width};
    Bucket* into = bucket_at(ring, std::min(last, newest_));
    if (into == nullptr) continue;
    into->samples += bucket.samples;
    into->failures += bucket.failures;
    into->latency_sum_us += bucket.latency_sum_us;
    into->latency_max_us = std::max(into->latency_max_us, bucket.latency_max_us);
    add_values(*into, bucket.values, bucket.value_sum, bucket.value_min, bucket.value_max);
    for (const Bucket::Bin& bin : bucket.latencies) into->add_bin(bin.number, bin.count);
  }
}

bool Window::restore(Instant newest, const std::vector<Ring>& filled) {
  *this = Window();
  newest_ = newest;
  Duration before{0};
  rings_.reserve(filled.size());
  for (const Ring& from : filled) {
    if (!is_grain(from) || from.span <= before) return false;
    before = from.span;
    Ring& ring = rings_.emplace_back(Ring{{from.span, from.width}, {}});
    if (from.buckets.empty()) continue;
    ring.buckets.resize(bucket_count(ring));
    for (const Bucket& bucket : from.buckets) {
      if (bucket.number < 0 || bucket.number > bucket_number(newest, from.width)) return false;
      Bucket& place = place_of(ring, bucket.number);
      if (place.number >= 0) return false;
      place = bucket;
    }
  }
  return true;
}

// The bucket of a time within the span, emptied when the ring has come round to it; null for an
// older time.
Window::Bucket* Window::bucket_at(Ring& ring, Instant at) const {
  if (at <= newest_ - ring.span || at <= Instant{}) return nullptr;
  if (ring.buckets.empty()) ring.buckets.resize(bucket_count(ring));
  const std::int64_t number = bucket_number(at, ring.width);
  Bucket& bucket = place_of(ring, number);
  if (bucket.number != number) {
    // What it has allocated is used again.
    std::vector<Bucket::Bin> latencies = std::move(bucket.latencies);
    latencies.clear();
    bucket = Bucket{};
    bucket.number = number;
    bucket.latencies = std::move(latencies);
  }
  return &bucket;
}

void Window::add(Instant at, const Sample& sample) {
  if (rings_.empty()) return;
  newest_ = std::max(newest_, at);
  const std::int64_t latency_us = std::max(sample.latency, Duration{0}).count();
  const std::size_t bin = bin_of(latency_us);
  const bool has_value = sample.value && std::isfinite(*sample.value);
  for (Ring& ring : rings_) {
    Bucket* bucket = bucket_at(ring, at);
    if (bucket == nullptr) continue;
    ++bucket->samples;
    if (sample.failed) ++bucket->failures;
    bucket->latency_sum_us += latency_us;
    bucket->latency_max_us = std::max(bucket->latency_max_us, latency_us);
    bucket->add_bin(bin, 1);
    if (has_value) add_values(*bucket, 1, *sample.value, *sample.value, *sample.value);
  }
}

std::optional<Instant> Window::next_change(Duration window, Instant now) const {
  if (rings_.empty() || window <= Duration{0} || now <= Instant{}) return std::nullopt;
  const Ring& ring = serving(rings_, window);
  const std::int64_t first = first_bucket(ring, window, now);
  std::optional<std::int64_t> oldest;
  for (const Bucket& bucket : ring.buckets)
    if (bucket.number >= first) oldest = std::min(oldest.value_or(bucket.number), bucket.number);
  if (!oldest) return std::nullopt;
  return Instant{(*oldest + 1) * ring.width} + std::min(window, ring.span);
}

template <class Sum>
Sum Window::sum_of(Duration window, Instant now) const {
  Sum sum;
  if (rings_.empty() || window <= Duration{0} || now <= Instant{}) return sum;
  const Ring& ring = serving(rings_, window);
  const std::int64_t first = first_bucket(ring, window, now);
  const std::int64_t last = bucket_number(now, ring.width);
  for (const Bucket& bucket : ring.buckets) {
    if (bucket.number < first || bucket.number > last) continue;
    sum.samples += bucket.samples;
    sum.failures += bucket.failures;
    sum.latency_sum += Duration{bucket.latency_sum_us};
    sum.latency_max = std::max(sum.latency_max, Duration{bucket.latency_max_us});
    add_values(sum, bucket.values, bucket.value_sum, bucket.value_min, bucket.value_max);
    if constexpr (std::is_same_v<Sum, Summary>) {
      if (bucket.latencies.empty()) continue;
      for (const Bucket::Bin& bin : bucket.latencies) sum.histogram[bin.number] += bin.count;
      sum.first_bin = std::min(sum.first_bin, std::size_t{bucket.latencies.front().number});
      sum.last_bin = std::max(sum.last_bin, std::size_t{bucket.latencies.back().number});
    }
  }
  return sum;
}

Window::Summary Window::over(Duration window, Instant now) const {
  return sum_of<Summary>(window, now);
}

Window::Counts Window::counts(Duration window, Instant now) const {
  return sum_of<Counts>(window, now);
}

}  // namespace firebreak::core
