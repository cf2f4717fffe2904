// Which entries of a long list to keep when not all of them fit: its beginning and its end.
#pragma once

#include <cstddef>
#include <vector>

namespace firebreak {

// Entries [0, head) and [tail, size) are kept.
struct Ends {
  std::size_t head = 0;
  std::size_t tail = 0;
  [[nodiscard]] std::size_t left_out() const { return tail - head; }
  friend bool operator==(const Ends&, const Ends&) = default;
};

// Takes entries from both ends in turn while their sizes stay within `budget`; everything is kept
// when it fits.
[[nodiscard]] inline Ends fit_ends(const std::vector<std::size_t>& sizes, std::size_t budget) {
  Ends ends{0, sizes.size()};
  std::size_t used = 0;
  while (ends.head < ends.tail) {
    const bool take_head = ends.head <= sizes.size() - ends.tail;
    const std::size_t next = sizes[take_head ? ends.head : ends.tail - 1];
    if (used + next > budget) break;
    used += next;
    take_head ? ++ends.head : --ends.tail;
  }
  return ends;
}

}  // namespace firebreak
