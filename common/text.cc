// Escaping for each place where text is shown, suggestions, and carets.
#include "common/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <numeric>

namespace firebreak {
namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t size = 1;
  bool valid = false;
};

// One character of UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {lead, 1, false};
  char32_t point = lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
    point = (point << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool valid =
      point >= kSmallest[size] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  return {valid ? point : lead, valid ? size : 1, valid};
}

// Characters that move the cursor, start an escape sequence, or reorder what a person reads (Trojan
// Source, CVE-2021-42574).
bool is_deceptive(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff;
}

std::string hex(const char* format, unsigned value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

// What stays as it is although it could be escaped.
struct Keep {
  bool lines = false;  // newlines and tabs
  bool backslash = false;
};

std::string escaped_char(const Decoded& c, std::string_view raw, Keep keep) {
  if (!c.valid) return hex("\\x%02x", static_cast<unsigned>(c.point));
  if (c.point == '\n') return keep.lines ? "\n" : "\\n";
  if (c.point == '\t') return keep.lines ? "\t" : "\\t";
  if (c.point == '\r') return "\\r";
  if (c.point == '\\') return keep.backslash ? "\\" : "\\\\";
  if (!is_deceptive(c.point)) return std::string(raw);
  return c.point < 0x100 ? hex("\\x%02x", static_cast<unsigned>(c.point))
                         : hex("\\u{%04x}", static_cast<unsigned>(c.point));
}

std::string escape(std::string_view text, std::size_t max_bytes, Keep keep) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Decoded c = decode(text.substr(i));
    const std::string piece = escaped_char(c, text.substr(i, c.size), keep);
    if (out.size() + piece.size() > max_bytes) return out + "…";
    out += piece;
    i += c.size;
  }
  return out;
}

// How much room a text takes on a screen: one column a character.
std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, previous(b.size() + 1), current(b.size() + 1);
  std::iota(previous.begin(), previous.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      current[j] =
          std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before[j - 2] + 1);
    }
    before = previous;
    previous = current;
  }
  return previous[b.size()];
}

}  // namespace

std::string escape_line(std::string_view text, std::size_t max_bytes) {
  return escape(text, max_bytes, {});
}

std::string escape_block(std::string_view text, std::size_t max_bytes) {
  return escape(text, max_bytes, {.lines = true});
}

std::string escape_controls(std::string_view text, std::size_t max_bytes) {
  return escape(text, max_bytes, {.lines = true, .backslash = true});
}

std::string escape_markdown(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : escape_line(text, max_bytes)) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (std::string_view("`*_[]()#|~!").find(c) != std::string_view::npos)
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

std::string to_valid_utf8(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const Decoded c = decode(text.substr(i));
    const std::string_view piece =
        c.valid ? text.substr(i, c.size) : std::string_view("\xef\xbf\xbd");
    if (out.size() + piece.size() > max_bytes) break;
    out += piece;
    i += c.size;
  }
  return out;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = 2 + word.size() / 4;
  if (word.size() > 64) return best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 64) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string join_words(const std::vector<std::string>& words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    out += words[i];
  }
  return out;
}

std::string caret_excerpt(std::string_view source, int line, int column, int width) {
  std::string_view rest = source;
  for (int i = 1; i < line && !rest.empty(); ++i)
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  const std::string_view text = rest.substr(0, std::min(rest.find('\n'), std::size_t{200}));
  const std::string number = std::to_string(line);
  const auto before = static_cast<std::size_t>(std::max(column - 1, 0));
  const std::string marks(columns_of(escape_line(text.substr(0, before), 400)), ' ');
  const auto room = text.size() > before ? text.size() - before : std::size_t{1};
  const auto marked = std::min(static_cast<std::size_t>(std::max(width, 1)), room);
  const std::size_t at = std::min(before, text.size());
  const std::size_t tail =
      std::max(columns_of(escape_line(text.substr(at, marked), 400)), std::size_t{1}) - 1;
  return "  " + number + " | " + escape_line(text, 400) + "\n  " + std::string(number.size(), ' ') +
         " | " + marks + "^" + std::string(tail, '~');
}

}  // namespace firebreak
