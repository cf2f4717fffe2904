// How finely each length of time that a policy asks for is kept, in rings of buckets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "common/time.h"

namespace firebreak::core {

// Of one ring, which serves each length up to its span that no ring before it serves.
struct Grain {
  Duration span{};
  Duration width{};  // of a bucket: 1/limits::kWindowBuckets of the shortest length, at least 1 s
  friend bool operator==(const Grain&, const Grain&) = default;
};

// Of the buckets that a length is read with when it is the only one.
[[nodiscard]] Duration bucket_width(Duration length);
// Shortest first. Lengths share a ring up to twice its shortest one (two minutes at least), so a
// ring spans 2 * limits::kWindowBuckets buckets at most, and beside the one for two minutes there
// is one for each doubling above: whatever the policy, at most 11 up to a day.
[[nodiscard]] std::vector<Grain> grains_of(const std::set<Duration>& lengths);
// One more than the span holds: a window begins and ends inside a bucket.
[[nodiscard]] std::size_t bucket_count(const Grain& grain);
// Whether grains_of() can have given it.
[[nodiscard]] bool is_grain(const Grain& grain);

// Of at least one Grain, or what is made of it: the one that serves this length. The last one
// when none is as long.
template <class Ring>
[[nodiscard]] const Ring& serving(const std::vector<Ring>& rings, Duration length) {
  const auto found = std::find_if(rings.begin(), rings.end(),
                                  [&](const Grain& one) { return one.span >= length; });
  return found == rings.end() ? rings.back() : *found;
}

// Buckets are open below and closed above, as windows are: results at whole seconds are counted
// exactly. `at` is after the epoch.
[[nodiscard]] inline std::int64_t bucket_number(Instant at, Duration width) {
  return (at.time_since_epoch() - Duration{1}) / width;
}
// Of the first bucket that belongs to the last `length` before `now`.
[[nodiscard]] inline std::int64_t first_bucket(const Grain& grain, Duration length, Instant now) {
  const Instant after = std::max(now - std::min(length, grain.span), Instant{});
  return bucket_number(after + Duration{1}, grain.width);
}

}  // namespace firebreak::core
