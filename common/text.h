// Text from outside made safe to show, and small helpers for messages.
//
// Whatever a target, an agent or an operator sends is hostile: it may hold control characters,
// terminal escapes, markup, invalid UTF-8 or forged log lines. It is kept as it is and escaped
// where it is shown, for the place where it is shown.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak {

// For terminals, logs and one-line fields: C0/C1 controls, DEL, bidirectional overrides and invalid
// UTF-8 become \xNN or \u{NNNN}, newline "\n", tab "\t"; a backslash is doubled, so the result is
// unambiguous. At most `max_bytes`, then "…".
std::string escape_line(std::string_view text, std::size_t max_bytes = 4096);
// As escape_line but newlines and tabs stay: for blocks such as action output.
std::string escape_block(std::string_view text, std::size_t max_bytes = 65536);
// For what is Markdown already: as escape_block, but a backslash stays what it is. What
// escape_markdown made comes out as it went in.
std::string escape_controls(std::string_view text, std::size_t max_bytes);
// For Markdown: escape_line, and the characters that Markdown or HTML would interpret get a
// backslash or an entity.
std::string escape_markdown(std::string_view text, std::size_t max_bytes = 4096);
// Valid UTF-8 with invalid bytes replaced by U+FFFD, cut at a character's edge: what a protobuf
// string or JSON may hold.
std::string to_valid_utf8(std::string_view text, std::size_t max_bytes);

// The candidate that `word` most likely meant, or empty when none is near (Damerau-Levenshtein
// distance <= 1 + size/4).
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);
// "a, b and c"
std::string join_words(const std::vector<std::string>& words, std::string_view last = "and");
// One line of source and a caret under column (1-based, in bytes): "  12 | health: {htp: x}\n     |
// ^~~".
std::string caret_excerpt(std::string_view source, int line, int column, int width = 1);

}  // namespace firebreak
