// Lengths that are close to each other share a ring.
#include "coordinator/core/grain.h"

#include <chrono>

#include "common/limits.h"

namespace firebreak::core {

namespace {

constexpr auto kBuckets = static_cast<Duration::rep>(limits::kWindowBuckets);
constexpr Duration kWidthMin = std::chrono::seconds(1);

// Rounded up.
Duration part_of(Duration length, Duration::rep parts) {
  return length / parts + Duration{length.count() % parts == 0 ? 0 : 1};
}

}  // namespace

Duration bucket_width(Duration length) {
  return std::max(kWidthMin, part_of(length, kBuckets));
}

std::vector<Grain> grains_of(const std::set<Duration>& lengths) {
  std::vector<Grain> grains;
  for (const Duration length : lengths) {
    if (length <= Duration{0}) continue;
    if (!grains.empty() && is_grain({length, grains.back().width}))
      grains.back().span = length;
    else
      grains.push_back({length, bucket_width(length)});
  }
  return grains;
}

std::size_t bucket_count(const Grain& grain) {
  return static_cast<std::size_t>((grain.span + grain.width - Duration{1}) / grain.width) + 1;
}

bool is_grain(const Grain& grain) {
  return grain.span > Duration{0} && grain.span <= Duration::max() / 2 &&
         grain.width >= part_of(grain.span, 2 * kBuckets) && grain.width >= kWidthMin &&
         grain.width <= bucket_width(grain.span);
}

}  // namespace firebreak::core
