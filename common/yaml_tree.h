// Inside of the YAML reader: the tree, and how a scalar's text maps back to the file.
// Included by yaml.cc, yaml_parse.cc and yaml_tree.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/yaml.h"

namespace firebreak::yaml {

struct NodeData {
  Kind kind = Kind::null;
  bool quoted = false;
  bool is_key = false;
  int line = 1;
  int column = 1;
  int width = 1;
  std::size_t offset = 0;             // of its first byte in Tree::source
  std::size_t parent = 0;             // the root is its own parent
  std::size_t ordinal = 0;            // in the parent's children
  std::string text;                   // of a scalar
  std::vector<std::size_t> children;  // items, or key, value, key, value...
};

struct Tree {
  std::string file;
  std::shared_ptr<const std::string> source;
  std::vector<std::uint32_t> line_starts;  // offset of every line's first byte
  std::vector<NodeData> nodes;             // the root first, parents before children
};

// The offset in `source` of byte `offset` of the scalar's text.
std::size_t source_offset(std::string_view source, const NodeData& scalar, std::size_t offset);
// Past the last byte of a plain or quoted scalar; npos when its quote is never closed.
std::size_t source_end(std::string_view source, const NodeData& scalar);
void index_lines(Tree& tree);
// The place of an offset, its width cut at the end of its line. Needs index_lines.
Place place_at(const Tree& tree, std::size_t offset, std::size_t width);

}  // namespace firebreak::yaml
