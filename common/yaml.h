// Reads YAML that people write: policies, configuration, the host's actions files.
//
// A text becomes an immutable tree whose every node knows its line and column, and what is wrong
// with it is collected in Problems, so that one look at the output shows every mistake with its
// place. Only the plain part of YAML is accepted: no anchors, aliases, tags, merge keys, directives
// or second documents, no duplicate keys; size, nodes and depth are bounded by common/limits.h.
// Scalars are text as written until a reader asks for a type, so `no` is never silently false.
//
// A Document and its Nodes may be shared between threads; Problems and MapReader may not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/result.h"
#include "common/time.h"

namespace firebreak::yaml {

// Where something is written. Lines and columns count from 1, columns and width in bytes; line 0
// means the file as a whole.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  int width = 1;
  friend bool operator==(const Place&, const Place&) = default;
};

enum class Severity { error, warning };

// One mistake. `message`, `suggestion` and `advice` may hold text from the file: render() escapes
// them.
struct Problem {
  std::string file;
  int line = 0;
  int column = 0;
  int width = 1;
  std::string message;     // what is wrong and what to do
  std::string suggestion;  // what was probably meant, or empty
  Severity severity = Severity::error;
  std::string code{};    // of a warning that can be allowed, stable; or empty
  std::string advice{};  // what to do, when it is not in the message
};

// Collects problems instead of failing at the first. Of each severity the first
// kPolicyErrorsShownMax are kept, the rest are counted.
class Problems {
 public:
  void error(const Place& place, std::string message, std::string suggestion = "");
  void warning(const Place& place, std::string message, std::string suggestion = "");
  void add(Problem problem);

  // No errors; there may be warnings.
  [[nodiscard]] bool ok() const { return errors_ == 0; }
  // These count the problems that were not kept, too.
  [[nodiscard]] std::size_t errors() const { return errors_; }
  [[nodiscard]] std::size_t warnings() const { return warnings_; }
  // In the order they were found.
  [[nodiscard]] const std::vector<Problem>& kept() const { return kept_; }
  // By file, line and column.
  [[nodiscard]] std::vector<Problem> ordered() const;

  // The text of a file, for excerpts; parse() calls it.
  void remember_source(const std::string& file, std::shared_ptr<const std::string> text);

  // Every kept problem, ordered by file and line, safe to print:
  //   policy.yaml:12:10: error: unknown key 'htp' in probe 'health'
  //     12 | health: {htp: x}
  //        |          ^~~
  //     did you mean 'http'?
  // A code stands in brackets behind the message, advice on a line of its own.
  [[nodiscard]] std::string render() const;
  // "policy.yaml:12:10: unknown key 'htp' in probe 'health' (and 2 more errors)", or empty when
  // there is no error: for one line of log or an Error's message.
  [[nodiscard]] std::string summary() const;

 private:
  std::vector<Problem> kept_;
  std::map<std::string, std::shared_ptr<const std::string>> sources_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

// `missing` is an optional key that is not there; `null` is a key without a value, or ~.
enum class Kind : std::uint8_t { missing, null, scalar, sequence, map };

struct Tree;
struct Entry;

// One node; cheap to copy, keeps its document alive. The as_ readers report what does not fit into
// Problems and return nothing; on a missing node they return nothing and report nothing, because
// MapReader::required() has reported it already.
class Node {
 public:
  Node() = default;  // missing
  Node(std::shared_ptr<const Tree> tree, std::size_t index);

  [[nodiscard]] explicit operator bool() const { return tree_ != nullptr; }
  [[nodiscard]] Kind kind() const;
  [[nodiscard]] int line() const { return place().line; }
  [[nodiscard]] int column() const { return place().column; }
  [[nodiscard]] Place place() const;
  // Where the node gets its name: the key of a map value, otherwise place().
  [[nodiscard]] Place name_place() const;
  // How a message names the node: "'timeout'", "item 2 of 'stages'", "the document".
  [[nodiscard]] std::string label() const;

  // The scalar as written, quotes and escapes resolved; empty for every other kind.
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] bool quoted() const;  // 'x', "x" or a block: certainly meant as text
  // The file's place of a byte of text(): exact for plain, quoted and literal (|) scalars, the line
  // for folded (>) ones. For errors inside an expression.
  [[nodiscard]] Place place_of(std::size_t offset, int width = 1) const;
  // The same for a line and column within text(), both from 1.
  [[nodiscard]] Place place_of_line(int line, int column, int width = 1) const;

  // Children without a check: items of a sequence, entries of a map in the file's order; empty for
  // other kinds.
  [[nodiscard]] std::vector<Node> items() const;
  [[nodiscard]] std::vector<Entry> entries() const;

  // Text: any scalar, as written.
  std::optional<std::string> as_string(Problems& problems,
                                       std::size_t max_bytes = limits::kTextBytesMax) const;
  // true or false without quotes, nothing else.
  std::optional<bool> as_bool(Problems& problems) const;
  // Decimal, without quotes, min <= value <= max.
  std::optional<std::int64_t> as_int(
      Problems& problems, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
      std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  std::optional<double> as_double(Problems& problems,
                                  double min = std::numeric_limits<double>::lowest(),
                                  double max = std::numeric_limits<double>::max()) const;
  // As parse_duration.
  std::optional<Duration> as_duration(Problems& problems, Duration min = Duration{0},
                                      Duration max = Duration::max()) const;
  // As is_valid_name.
  std::optional<std::string> as_name(Problems& problems) const;
  // One of a table of names such as std::array<std::pair<std::string_view, Mode>, 3>.
  template <class Table>
  auto as_enum(Problems& problems, const Table& table) const
      -> std::optional<typename Table::value_type::second_type>;
  // One of `words`; the result is its index.
  std::optional<std::size_t> as_word(Problems& problems, std::span<const std::string> words) const;

  // The items of a sequence; anything else is reported and gives none.
  std::vector<Node> as_list(Problems& problems) const;
  // As as_list, but a single scalar or map stands for a list of one.
  std::vector<Node> as_list_or_one(Problems& problems) const;
  // as_list_or_one of text.
  std::vector<std::string> as_strings(Problems& problems) const;
  // The entries of a map whose keys are the author's own names.
  std::vector<Entry> as_map(Problems& problems) const;

  // Reports that this node had to be `wanted` ("a duration such as 2s") and says what it is
  // instead.
  void report_type(Problems& problems, std::string_view wanted, std::string suggestion = "") const;

 private:
  std::shared_ptr<const Tree> tree_;
  std::size_t index_ = 0;
};

// A key (always a scalar; it has a place, and as_name() checks it) and its value.
struct Entry {
  Node key;
  Node value;
};

class Document {
 public:
  explicit Document(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  [[nodiscard]] Node root() const { return {tree_, 0}; }
  [[nodiscard]] const std::string& file() const;
  // As parsed: without byte order mark, lines end in \n.
  [[nodiscard]] const std::string& text() const;

 private:
  std::shared_ptr<const Tree> tree_;
};

// The tree of a text, or an error whose message is problems.summary(). An empty text is a document
// whose root is null. `file_name` is only used in messages.
Result<Document> parse(std::string file_name, std::string text, Problems& problems);
// read_small_file (at most kYamlBytesMax), then parse; a file that cannot be read is a problem too.
Result<Document> load(const std::string& path, Problems& problems);

// Reads a map with known keys; what nobody asked for is reported at the end.
class MapReader {
 public:
  // `what` names the map in messages, with its article or name: "the agent's configuration",
  // "probe 'health'". A node that is not a map is reported; a missing one is not.
  MapReader(Node node, std::string what, Problems& problems);
  ~MapReader() { finish(); }
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;

  [[nodiscard]] const Node& node() const { return node_; }
  // The value of `key`; when it is not there, that is reported and the node is missing.
  Node required(std::string_view key);
  // The value of `key`, or a missing node.
  Node optional(std::string_view key);
  // The one of `keys` that is there, with its value; none or several are reported. For variants
  // such as the kind of a probe.
  std::optional<Entry> exactly_one_of(std::span<const std::string> keys);
  // Unknown keys are not reported: another error makes them meaningless.
  void ignore_rest() { finished_ = true; }
  // Reports the keys that nobody asked for, once; the destructor calls it.
  void finish();

 private:
  struct Slot {
    Entry entry;
    bool asked = false;
  };
  Slot* find(std::string_view key);
  void report_unknown(const Entry& entry) const;

  Node node_;
  std::string what_;
  Problems& problems_;
  std::vector<Slot> slots_;
  std::vector<std::string> known_;
  bool is_map_ = false;
  bool finished_ = false;
};

template <class Table>
auto Node::as_enum(Problems& problems, const Table& table) const
    -> std::optional<typename Table::value_type::second_type> {
  std::vector<std::string> words;
  words.reserve(std::size(table));
  for (const auto& row : table) words.emplace_back(row.first);
  const auto index = as_word(problems, words);
  if (!index) return std::nullopt;
  return std::next(std::begin(table), static_cast<std::ptrdiff_t>(*index))->second;
}

}  // namespace firebreak::yaml
