// Big-endian, four bytes.
#include "agent/actuator/frame.h"

#include "common/assert.h"

namespace firebreak::actuator {

std::string frame_header(std::uint32_t length) {
  return {static_cast<char>(length >> 24), static_cast<char>(length >> 16),
          static_cast<char>(length >> 8), static_cast<char>(length)};
}

std::uint32_t frame_length(std::string_view header) {
  FB_ASSERT(header.size() >= kFrameHeaderBytes);
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < kFrameHeaderBytes; ++i)
    length = length << 8 | static_cast<unsigned char>(header[i]);
  return length;
}

std::string framed(std::string_view message) {
  return frame_header(static_cast<std::uint32_t>(message.size())).append(message);
}

}  // namespace firebreak::actuator
