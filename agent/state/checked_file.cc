// The first line is made anew from the rest and compared.
#include "agent/state/checked_file.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/crc32c.h"
#include "common/file.h"

namespace firebreak::agent {
namespace {

// Two spaces, so that one changed bit does not make it a line of a version without checksums.
constexpr std::string_view kMark = "# crc32c ";
constexpr std::size_t kDigits = 8;
constexpr std::size_t kLineBytes = kMark.size() + kDigits + 1;

std::string with_checksum(std::string_view text) {
  return std::string(kMark).append(checksum_of(text)).append("\n").append(text);
}

}  // namespace

std::string checksum_of(std::string_view text) {
  std::array<char, kDigits> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), crc32c(text), 16).ptr;
  const std::string_view hex(digits.data(), static_cast<std::size_t>(end - digits.begin()));
  return std::string(kDigits - hex.size(), '0').append(hex);
}

Result<std::string> read_checked_file(const std::string& path, std::size_t bytes_max) {
  auto bytes = read_small_file(path, bytes_max + kLineBytes);
  if (!bytes) return bytes.error();
  const std::string text = bytes->substr(std::min(bytes->size(), kLineBytes));
  if (*bytes == with_checksum(text)) return text;
  if (!bytes->empty() && bytes->find(' ') == std::string::npos) return *std::move(bytes);
  return make_error(Errc::corrupt, path + " does not match its checksum");
}

Result<> replace_checked_file(const std::string& folder, const std::string& name,
                              std::string_view text) {
  return replace_small_file(folder, name, with_checksum(text));
}

}  // namespace firebreak::agent
