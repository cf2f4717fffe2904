// Maps the text of a scalar back to the file it was written in.
#include "common/yaml_tree.h"

#include <algorithm>

namespace firebreak::yaml {
namespace {

constexpr std::string_view kBlank = " \t\n";

// Size of the character whose first byte is `lead`, in valid UTF-8.
std::size_t char_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// Size of an escape such as \n, \x41 or \u00fc.
std::size_t escape_size(char kind) {
  return kind == 'x' ? 4 : kind == 'u' ? 6 : kind == 'U' ? 10 : 2;
}

// Plain and quoted scalars: a line break with the blanks around it is one space, n breaks are n-1
// newlines.
std::size_t flow_offset(std::string_view source, std::size_t at, char quote, std::string_view text,
                        std::size_t offset) {
  const auto continues = [&] { return quote == '"' && source.substr(at, 2) == "\\\n"; };
  std::size_t read = 0;
  while (at < source.size() && (read < offset || continues())) {
    const std::size_t word = std::min(source.find_first_not_of(kBlank, at), source.size());
    const auto breaks =
        static_cast<std::size_t>(std::ranges::count(source.substr(at, word - at), '\n'));
    if (continues()) {
      at = std::min(source.find_first_not_of(" \t", at + 2), source.size());
    } else if (breaks > 0) {
      read += breaks == 1 ? 1 : breaks - 1;
      at = word;
    } else if (quote == '"' && source[at] == '\\' && at + 1 < source.size()) {
      read += char_size(text[read]);
      at += escape_size(source[at + 1]);
    } else {
      at += quote == '\'' && source[at] == '\'' ? std::size_t{2} : std::size_t{1};
      ++read;
    }
  }
  return at;
}

// Block scalars: every line loses the block's indentation.
std::size_t block_offset(std::string_view source, std::size_t header, std::string_view text,
                         std::size_t offset) {
  std::size_t at = std::min(source.find('\n', header), source.size() - 1) + 1;
  const auto indentation = [](std::string_view lines) {
    const std::size_t word = std::min(lines.find_first_not_of(" \n"), lines.size());
    const std::size_t line = lines.substr(0, word).rfind('\n');
    return word - (line == std::string_view::npos ? 0 : line + 1);
  };
  const std::size_t outer = indentation(source.substr(at)), inner = indentation(text);
  const std::size_t indent = outer - std::min(outer, inner);
  const auto strip = [&] {
    for (std::size_t i = 0; i < indent && at < source.size() && source[at] == ' '; ++i) ++at;
  };
  strip();
  std::size_t read = 0;
  while (read < offset && at < source.size()) {
    if (source[at] == '\n') {
      ++at;
      strip();
      if (text[read] == '\n' || text[read] == ' ') ++read;
    } else {
      ++at;
      ++read;
    }
  }
  return at;
}

char opening(std::string_view source, const NodeData& scalar) {
  return scalar.quoted && scalar.offset < source.size() ? source[scalar.offset] : ' ';
}

}  // namespace

std::size_t source_offset(std::string_view source, const NodeData& scalar, std::size_t offset) {
  const char first = opening(source, scalar);
  const std::size_t bounded = std::min(offset, scalar.text.size());
  if (first == '|' || first == '>')
    return block_offset(source, scalar.offset, scalar.text, bounded);
  const std::size_t start = scalar.offset + (scalar.quoted ? 1 : 0);
  return flow_offset(source, start, first, scalar.text, bounded);
}

std::size_t source_end(std::string_view source, const NodeData& scalar) {
  const char quote = opening(source, scalar);
  if (quote != '\'' && quote != '"') return source_offset(source, scalar, scalar.text.size());
  for (std::size_t at = scalar.offset + 1; at < source.size(); ++at) {
    if (quote == '"' && source[at] == '\\') {
      ++at;
    } else if (source[at] == quote) {
      if (quote == '"' || at + 1 == source.size() || source[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return std::string_view::npos;
}

void index_lines(Tree& tree) {
  const std::string& source = *tree.source;
  tree.line_starts.assign(1, 0);
  for (std::size_t at = source.find('\n'); at != std::string::npos; at = source.find('\n', at + 1))
    tree.line_starts.push_back(static_cast<std::uint32_t>(at + 1));
}

Place place_at(const Tree& tree, std::size_t offset, std::size_t width) {
  const std::string_view source = *tree.source;
  const std::size_t at = std::min(offset, source.size());
  const auto next = std::ranges::upper_bound(tree.line_starts, at);
  const std::size_t line = static_cast<std::size_t>(next - tree.line_starts.begin());
  const std::size_t end =
      next == tree.line_starts.end() ? source.size() : std::max<std::size_t>(*next - 1, at);
  return {tree.file, static_cast<int>(line), static_cast<int>(at - tree.line_starts[line - 1]) + 1,
          static_cast<int>(std::clamp<std::size_t>(width, 1, std::max<std::size_t>(end - at, 1)))};
}

}  // namespace firebreak::yaml
