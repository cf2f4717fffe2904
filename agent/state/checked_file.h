// Small files whose first line holds the checksum of the rest, replaced as a whole: a name in which
// a bit has changed is still a name. Blocks on the disk.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/result.h"

namespace firebreak::agent {

// The CRC-32C of `text` as eight hexadecimal digits.
[[nodiscard]] std::string checksum_of(std::string_view text);
// What replace_checked_file() wrote, at most `bytes_max`; corrupt when it has changed. A file of a
// version that wrote no checksum is taken as it is; it holds no space.
[[nodiscard]] Result<std::string> read_checked_file(const std::string& path, std::size_t bytes_max);
// Durable when it returns; after a failure or a crash the file is the old one or the new one.
Result<> replace_checked_file(const std::string& folder, const std::string& name,
                              std::string_view text);

}  // namespace firebreak::agent
