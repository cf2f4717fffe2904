// What a recorded result says, from its number alone.
#pragma once

#include <cstdint>

#include "common/time.h"

namespace firebreak::faults {

inline Duration latency_of(std::uint64_t seq) {
  constexpr std::uint64_t kPrime = 9973;
  return Duration{static_cast<std::int64_t>(1000 + seq % kPrime)};
}

}  // namespace firebreak::faults
