// The beginning and the end of what an action printed, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/limits.h"

namespace firebreak::actuator {

// Not thread-safe.
class Capture {
 public:
  explicit Capture(std::size_t max_bytes = limits::kActionOutputBytesMax) : max_(max_bytes) {}

  void add(std::string_view bytes);
  // Valid UTF-8 of at most max_bytes. Where bytes are missing it says so, in a line of its own.
  [[nodiscard]] std::string text() const;
  // Those that text() does not show.
  [[nodiscard]] std::uint64_t dropped_bytes() const;

 private:
  std::size_t max_;
  std::string head_;  // the first max_ bytes
  std::string tail_;  // the last ones after these, at most 2 * max_
  std::uint64_t total_ = 0;
};

}  // namespace firebreak::actuator
