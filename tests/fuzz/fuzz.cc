// Helpers of every fuzz target.
#include "tests/fuzz/fuzz.h"

#include <cstdio>
#include <cstdlib>

#include "common/text.h"

namespace firebreak::fuzz {

void broken(std::string_view promise, std::string_view detail) {
  const std::string text = "broken promise: " + escape_line(promise) +
                           (detail.empty() ? "" : "\n" + escape_block(detail)) + "\n";
  std::fputs(text.c_str(), stderr);
  std::abort();
}

void expect_utf8(std::string_view text, std::string_view what) {
  if (to_valid_utf8(text, text.size()) != text) broken(std::string(what) + " is UTF-8", text);
}

// Independent of the escaping that it judges.
void expect_safe(std::string_view text, bool lines_allowed, std::string_view what) {
  expect_utf8(text, what);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const auto third = i + 2 < text.size() ? static_cast<unsigned char>(text[i + 2]) : 0;
    const bool line = byte == '\n' || byte == '\t';
    const bool control = (byte < 0x20 && !(line && lines_allowed)) || byte == 0x7f;
    const bool c1 = byte == 0xc2 && next < 0xa0;
    // U+202A to U+202E and U+2066 to U+2069: what reorders a line.
    const bool reorders = byte == 0xe2 && ((next == 0x80 && third >= 0xaa && third <= 0xae) ||
                                           (next == 0x81 && third >= 0xa6 && third <= 0xa9));
    if (control || c1 || reorders) broken(std::string(what) + " holds no control character", text);
  }
}

std::uint8_t Numbers::byte() {
  if (input_.empty()) return 0;
  const auto first = static_cast<std::uint8_t>(input_.front());
  input_.remove_prefix(1);
  return first;
}

std::uint32_t Numbers::number(std::uint32_t below) {
  std::uint32_t number = 0;
  for (std::uint32_t left = below - 1; left > 0; left >>= 8) number = number << 8 | byte();
  return number % below;
}

std::vector<Part> split(std::string_view input, std::size_t most) {
  std::vector<Part> parts;
  while (!input.empty() && parts.size() < most) {
    const std::size_t end = input.find(kBetweenParts);
    const std::string_view part = input.substr(0, end);
    if (!part.empty()) parts.push_back({part.front(), part.substr(1)});
    if (end == std::string_view::npos) break;
    input.remove_prefix(end + kBetweenParts.size());
  }
  return parts;
}

std::string join(const std::vector<Part>& parts) {
  std::string input;
  for (const Part& part : parts) {
    if (!input.empty()) input += kBetweenParts;
    input += part.kind;
    input += part.bytes;
  }
  return input;
}

}  // namespace firebreak::fuzz
