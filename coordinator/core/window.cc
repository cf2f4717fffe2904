// The ring of buckets behind a window.
#include "coordinator/core/window.h"

#include <algorithm>
#include <bit>
#include <cmath>
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

// Buckets are open below and closed above, as windows are: results at whole seconds are counted
// exactly. `at` is after the epoch.
std::int64_t number_of(Instant at, Duration width) {
  return (at.time_since_epoch() - Duration{1}) / width;
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
  latencies.insert(place, Bin{wanted, count});
  if (latencies.size() <= limits::kSketchBinsMax) return;
  latencies[1].count += latencies[0].count;
  latencies.erase(latencies.begin());
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

void Window::configure(Duration span) {
  if (span == span_) return;
  const Duration old_width = width_;
  const std::vector<Bucket> old = std::exchange(buckets_, {});

  span_ = std::max(span, Duration{0});
  const auto buckets = static_cast<Duration::rep>(limits::kWindowBuckets);
  width_ = std::max(Duration{std::chrono::seconds(1)}, (span_ + Duration{buckets - 1}) / buckets);
  if (span_ == Duration{0}) return;

  take_in(old, old_width);
}

void Window::merge(const Window& other) {
  if (span_ == Duration{0}) return;
  newest_ = std::max(newest_, other.newest_);
  take_in(other.buckets_, other.width_);
}

void Window::take_in(const std::vector<Bucket>& buckets, Duration width) {
  for (const Bucket& from : buckets) {
    if (from.number < 0) continue;
    // As late as its samples may have been: nothing falls out of a window too early.
    const Instant last{(from.number + 1) * width};
    Bucket* into = bucket_at(std::min(last, newest_));
    if (into == nullptr) continue;
    into->samples += from.samples;
    into->failures += from.failures;
    into->latency_sum_us += from.latency_sum_us;
    into->latency_max_us = std::max(into->latency_max_us, from.latency_max_us);
    add_values(*into, from.values, from.value_sum, from.value_min, from.value_max);
    for (const Bucket::Bin& bin : from.latencies) into->add_bin(bin.number, bin.count);
  }
}

void Window::allocate() {
  // One more than the span holds: a window begins and ends inside a bucket.
  buckets_.resize(static_cast<std::size_t>((span_ + width_ - Duration{1}) / width_) + 1);
}

bool Window::restore(Duration span, Instant newest, const std::vector<Bucket>& filled) {
  if (span < Duration{0} || span > Duration::max() / 2) return false;
  *this = Window();
  configure(span);
  newest_ = newest;
  if (filled.empty()) return true;
  if (span_ == Duration{0}) return false;
  allocate();
  for (const Bucket& bucket : filled) {
    if (bucket.number < 0) return false;
    Bucket& place = buckets_[static_cast<std::size_t>(bucket.number) % buckets_.size()];
    if (place.number >= 0) return false;
    place = bucket;
  }
  return true;
}

// The bucket of a time within the span, emptied when the ring has come round to it; null for an
// older time.
Window::Bucket* Window::bucket_at(Instant at) {
  if (at <= newest_ - span_ || at <= Instant{}) return nullptr;
  if (buckets_.empty()) allocate();
  const std::int64_t number = number_of(at, width_);
  Bucket& bucket = buckets_[static_cast<std::size_t>(number) % buckets_.size()];
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
  if (span_ == Duration{0}) return;
  newest_ = std::max(newest_, at);
  Bucket* bucket = bucket_at(at);
  if (bucket == nullptr) return;

  const std::int64_t latency_us = std::max(sample.latency, Duration{0}).count();
  ++bucket->samples;
  if (sample.failed) ++bucket->failures;
  bucket->latency_sum_us += latency_us;
  bucket->latency_max_us = std::max(bucket->latency_max_us, latency_us);
  bucket->add_latency(latency_us, 1);
  if (sample.value && std::isfinite(*sample.value))
    add_values(*bucket, 1, *sample.value, *sample.value, *sample.value);
}

std::int64_t Window::first_number(Duration window, Instant now) const {
  const Instant after = std::max(now - std::min(window, span_), Instant{});
  return number_of(after + Duration{1}, width_);
}

std::optional<Instant> Window::next_change(Duration window, Instant now) const {
  if (buckets_.empty() || window <= Duration{0} || now <= Instant{}) return std::nullopt;
  const std::int64_t first = first_number(window, now);
  std::optional<std::int64_t> oldest;
  for (const Bucket& bucket : buckets_)
    if (bucket.number >= first) oldest = std::min(oldest.value_or(bucket.number), bucket.number);
  if (!oldest) return std::nullopt;
  return Instant{(*oldest + 1) * width_} + std::min(window, span_);
}

Window::Summary Window::over(Duration window, Instant now, Latencies latencies) const {
  Summary summary;
  if (buckets_.empty() || window <= Duration{0} || now <= Instant{}) return summary;
  const std::int64_t first = first_number(window, now);
  const std::int64_t last = number_of(now, width_);
  for (const Bucket& bucket : buckets_) {
    if (bucket.number < first || bucket.number > last) continue;
    summary.samples += bucket.samples;
    summary.failures += bucket.failures;
    summary.latency_sum += Duration{bucket.latency_sum_us};
    summary.latency_max = std::max(summary.latency_max, Duration{bucket.latency_max_us});
    add_values(summary, bucket.values, bucket.value_sum, bucket.value_min, bucket.value_max);
    if (latencies == Latencies::none || bucket.latencies.empty()) continue;
    for (const Bucket::Bin& bin : bucket.latencies) summary.histogram[bin.number] += bin.count;
    summary.first_bin = std::min(summary.first_bin, std::size_t{bucket.latencies.front().number});
    summary.last_bin = std::max(summary.last_bin, std::size_t{bucket.latencies.back().number});
  }
  return summary;
}

}  // namespace firebreak::core
