// CRC-32C (Castagnoli, RFC 3720): finds what a disk or a copy has damaged; not what somebody has
// forged.
#pragma once

#include <cstdint>
#include <string_view>

namespace firebreak {

// Of `bytes`, or of what `before` is the checksum of and then `bytes`.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The same on a processor that has no instruction for it.
[[nodiscard]] std::uint32_t crc32c_by_tables(std::string_view bytes, std::uint32_t before = 0);

}  // namespace firebreak
