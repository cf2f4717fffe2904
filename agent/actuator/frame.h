// How messages stand behind one another on the actuator's socket: a 4-byte big-endian length, then
// the message. Both ends have it from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace firebreak::actuator {

inline constexpr std::size_t kFrameHeaderBytes = 4;

// Four bytes, the highest first.
[[nodiscard]] std::string frame_header(std::uint32_t length);
// The length that a frame's header announces; `header` has at least kFrameHeaderBytes.
[[nodiscard]] std::uint32_t frame_length(std::string_view header);
[[nodiscard]] std::string framed(std::string_view message);

}  // namespace firebreak::actuator
