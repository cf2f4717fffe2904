// Files that people write, as the YAML reader sees them: the tree, every reader of a node, and what
// is said about mistakes.
#include "common/yaml.h"

#include <algorithm>

#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

void check_place(const yaml::Place& place, const std::string& text) {
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  expect(place.line >= 0 && place.line <= lines, "a place is a line of the file");
  expect(place.column >= 0 && place.width >= 1, "a place has a column and a width");
}

void read(const yaml::Node& node, const std::string& text, int depth);

void read_children(const yaml::Node& node, const std::string& text, int depth) {
  for (const yaml::Node& item : node.items()) read(item, text, depth + 1);
  for (const yaml::Entry& entry : node.entries()) {
    expect(entry.key.kind() == yaml::Kind::scalar, "a key is a scalar");
    read(entry.key, text, depth + 1);
    read(entry.value, text, depth + 1);
  }
}

// With problems of its own, so that none is dropped at the bound.
void read_all(const yaml::Node& node) {
  yaml::Problems problems;
  (void)node.as_string(problems);
  (void)node.as_bool(problems);
  (void)node.as_int(problems, -5, 5);
  (void)node.as_double(problems);
  (void)node.as_duration(problems);
  (void)node.as_name(problems);
  (void)node.as_list(problems);
  (void)node.as_strings(problems);
  (void)node.as_map(problems);
  {
    yaml::MapReader reader(node, "the thing", problems);
    (void)reader.required("name");
    (void)reader.optional("every");
    (void)reader.exactly_one_of(std::vector<std::string>{"http", "redis"});
  }
  expect_safe(problems.render(), true, "what is said of a file");
}

void read(const yaml::Node& node, const std::string& text, int depth) {
  expect(depth <= 2 * limits::kYamlDepthMax + 2, "a tree is not deeper than its bound");
  check_place(node.place(), text);
  check_place(node.name_place(), text);
  expect(!node.label().empty(), "a node has a name in messages");
  const std::size_t size = node.text().size();
  for (const std::size_t offset : {std::size_t{0}, size / 2, size})
    check_place(node.place_of(offset, 3), text);
  check_place(node.place_of_line(2, 2), text);
  if (depth < 8) read_all(node);
  read_children(node, text, depth);
}

}  // namespace

void run(std::string_view input) {
  yaml::Problems problems;
  const auto document = yaml::parse("fuzz.yaml", std::string(input), problems);
  expect(document.has_value() == problems.ok(), "a document has no errors, or is none");
  const std::string said = problems.render();
  expect_safe(said, true, "what is said of a file");
  expect(problems.ok() == problems.summary().empty(), "an error has a summary");
  if (document) read(document->root(), document->text(), 0);
}

}  // namespace firebreak::fuzz
