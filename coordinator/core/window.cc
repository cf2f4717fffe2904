// The ring of buckets behind a window.
#include "coordinator/core/window.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace firebreak::core {

namespace {

constexpr std::size_t kBins = 80;
constexpr double kFirstEdgeUs = 100;
constexpr double kBinsPerDoubling = 4;

// The greatest latency of each bin. Rounded down, so that an edge over the least whole microsecond
// above the edge before it is never more than the factor.
std::array<std::int64_t, kBins> make_edges() {
  std::array<std::int64_t, kBins> edges{};
  for (std::size_t i = 0; i < kBins; ++i)
    edges[i] = static_cast<std::int64_t>(kFirstEdgeUs *
                                         std::exp2(static_cast<double>(i + 1) / kBinsPerDoubling));
  return edges;
}

const std::array<std::int64_t, kBins>& edges() {
  static const std::array<std::int64_t, kBins> kEdges = make_edges();
  return kEdges;
}

std::size_t bin_of(std::int64_t latency_us) {
  const auto found = std::lower_bound(edges().begin(), edges().end(), latency_us);
  // The last bin is open above: its quantile is the greatest latency.
  return std::min(static_cast<std::size_t>(found - edges().begin()), kBins - 1);
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

std::optional<Duration> Window::Summary::quantile(double q) const {
  std::uint64_t total = 0;
  for (const std::uint32_t count : histogram) total += count;
  if (total == 0) return std::nullopt;

  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total));
  const auto rank = std::max(static_cast<std::uint64_t>(wanted), std::uint64_t{1});
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < histogram.size(); ++i) {
    seen += histogram[i];
    if (seen >= rank) return std::min(Duration{edges()[i]}, latency_max);
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
    for (std::size_t i = 0; i < kBins; ++i) into->histogram[i] += from.histogram[i];
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
    bucket = Bucket{};
    bucket.number = number;
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
  ++bucket->histogram[bin_of(latency_us)];
  if (sample.value && std::isfinite(*sample.value))
    add_values(*bucket, 1, *sample.value, *sample.value, *sample.value);
}

Window::Summary Window::over(Duration window, Instant now) const {
  Summary summary;
  if (buckets_.empty() || window <= Duration{0} || now <= Instant{}) return summary;
  const Instant after = std::max(now - std::min(window, span_), Instant{});
  const std::int64_t first = number_of(after + Duration{1}, width_);
  const std::int64_t last = number_of(now, width_);
  for (const Bucket& bucket : buckets_) {
    if (bucket.number < first || bucket.number > last) continue;
    summary.samples += bucket.samples;
    summary.failures += bucket.failures;
    summary.latency_sum += Duration{bucket.latency_sum_us};
    summary.latency_max = std::max(summary.latency_max, Duration{bucket.latency_max_us});
    add_values(summary, bucket.values, bucket.value_sum, bucket.value_min, bucket.value_max);
    for (std::size_t i = 0; i < kBins; ++i) summary.histogram[i] += bucket.histogram[i];
  }
  return summary;
}

}  // namespace firebreak::core
