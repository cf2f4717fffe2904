// Problems, and typed reading of the tree.
#include "common/yaml.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/ids.h"
#include "common/text.h"
#include "common/yaml_tree.h"

namespace firebreak::yaml {
namespace {

// Text from the file inside a message: bounded here, escaped where it is shown.
std::string quote(std::string_view text) {
  constexpr std::size_t kShown = 64;
  const std::string shown = to_valid_utf8(text, kShown);
  return "'" + shown + (shown.size() < text.size() ? "…'" : "'");
}

std::string with_place(const Problem& problem) {
  std::string place = escape_line(problem.file);
  if (problem.line > 0)
    place += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  return place.empty() ? place : place + ": ";
}

std::string counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " more " + std::string(noun) + (count == 1 ? "" : "s");
}

// "between 1 and 10", "at least 1": only the bounds that say something.
template <class T>
std::string bounds(T min, T max, const std::string& min_text, const std::string& max_text) {
  const bool low = min > std::numeric_limits<T>::lowest();
  const bool high = max < std::numeric_limits<T>::max();
  if (low && high) return " between " + min_text + " and " + max_text;
  if (low) return " of at least " + min_text;
  return high ? " of at most " + max_text : "";
}

std::string printed(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

}  // namespace

void Problems::error(const Place& place, std::string message, std::string suggestion) {
  add({place.file, place.line, place.column, place.width, std::move(message), std::move(suggestion),
       Severity::error});
}

void Problems::warning(const Place& place, std::string message, std::string suggestion) {
  add({place.file, place.line, place.column, place.width, std::move(message), std::move(suggestion),
       Severity::warning});
}

void Problems::add(Problem problem) {
  std::size_t& count = problem.severity == Severity::error ? errors_ : warnings_;
  if (++count <= limits::kPolicyErrorsShownMax) kept_.push_back(std::move(problem));
}

void Problems::remember_source(const std::string& file, std::shared_ptr<const std::string> text) {
  sources_[file] = std::move(text);
}

std::vector<Problem> Problems::ordered() const {
  std::vector<Problem> ordered = kept_;
  std::ranges::stable_sort(ordered, [](const Problem& a, const Problem& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  return ordered;
}

std::string Problems::render() const {
  std::string out;
  for (const Problem& problem : ordered()) {
    out += with_place(problem);
    out += problem.severity == Severity::error ? "error: " : "warning: ";
    out += escape_line(problem.message);
    out += problem.code.empty() ? "\n" : " [" + problem.code + "]\n";
    const auto source = sources_.find(problem.file);
    if (problem.line > 0 && source != sources_.end())
      out += caret_excerpt(*source->second, problem.line, problem.column, problem.width) + "\n";
    if (!problem.suggestion.empty())
      out += "  did you mean '" + escape_line(problem.suggestion, 256) + "'?\n";
    if (!problem.advice.empty()) out += "  " + escape_line(problem.advice) + "\n";
  }
  constexpr std::size_t kShown = limits::kPolicyErrorsShownMax;
  if (errors_ > kShown) out += "and " + counted(errors_ - kShown, "error") + "\n";
  if (warnings_ > kShown) out += "and " + counted(warnings_ - kShown, "warning") + "\n";
  return out;
}

std::string Problems::summary() const {
  for (const Problem& problem : kept_) {
    if (problem.severity != Severity::error) continue;
    std::string out = with_place(problem) + escape_line(problem.message);
    if (!problem.suggestion.empty())
      out += "; did you mean '" + escape_line(problem.suggestion, 256) + "'?";
    if (errors_ > 1) out += " (and " + counted(errors_ - 1, "error") + ")";
    return out;
  }
  return "";
}

Node::Node(std::shared_ptr<const Tree> tree, std::size_t index)
    : tree_(std::move(tree)), index_(index) {}

Kind Node::kind() const {
  return tree_ ? tree_->nodes[index_].kind : Kind::missing;
}

Place Node::place() const {
  if (!tree_) return {};
  const NodeData& data = tree_->nodes[index_];
  return {tree_->file, data.line, data.column, data.width};
}

Place Node::name_place() const {
  if (!tree_) return {};
  const NodeData& data = tree_->nodes[index_];
  const NodeData& parent = tree_->nodes[data.parent];
  if (index_ == 0 || data.is_key || parent.kind != Kind::map) return place();
  return Node(tree_, parent.children[data.ordinal - 1]).place();
}

std::string Node::label() const {
  if (!tree_ || index_ == 0) return "the document";
  const NodeData& data = tree_->nodes[index_];
  const NodeData& parent = tree_->nodes[data.parent];
  if (data.is_key) return "the key " + quote(data.text);
  if (parent.kind == Kind::map) return quote(tree_->nodes[parent.children[data.ordinal - 1]].text);
  return "item " + std::to_string(data.ordinal + 1) + " of " + Node(tree_, data.parent).label();
}

const std::string& Node::text() const {
  static const std::string kEmpty;
  return tree_ ? tree_->nodes[index_].text : kEmpty;
}

bool Node::quoted() const {
  return tree_ && tree_->nodes[index_].quoted;
}

Place Node::place_of(std::size_t offset, int width) const {
  if (kind() != Kind::scalar) return place();
  const NodeData& data = tree_->nodes[index_];
  return place_at(*tree_, source_offset(*tree_->source, data, offset),
                  static_cast<std::size_t>(std::max(width, 1)));
}

Place Node::place_of_line(int line, int column, int width) const {
  const std::string& scalar = text();
  std::size_t offset = 0;
  for (int i = 1; i < line; ++i) {
    const std::size_t end = scalar.find('\n', offset);
    if (end == std::string::npos) break;
    offset = end + 1;
  }
  return place_of(offset + static_cast<std::size_t>(std::max(column, 1)) - 1, width);
}

std::vector<Node> Node::items() const {
  std::vector<Node> out;
  if (kind() != Kind::sequence) return out;
  for (const std::size_t child : tree_->nodes[index_].children) out.emplace_back(tree_, child);
  return out;
}

std::vector<Entry> Node::entries() const {
  std::vector<Entry> out;
  if (kind() != Kind::map) return out;
  const std::vector<std::size_t>& children = tree_->nodes[index_].children;
  for (std::size_t i = 0; i + 1 < children.size(); i += 2)
    out.push_back({Node(tree_, children[i]), Node(tree_, children[i + 1])});
  return out;
}

void Node::report_type(Problems& problems, std::string_view wanted, std::string suggestion) const {
  std::string found;
  switch (kind()) {
    case Kind::missing:
      return;
    case Kind::null:
      found = "empty";
      break;
    case Kind::scalar:
      found = quote(text());
      break;
    case Kind::sequence:
      found = "a list";
      break;
    case Kind::map:
      found = "a map";
      break;
  }
  problems.error(place(), label() + " must be " + std::string(wanted) + ", not " + found,
                 std::move(suggestion));
}

std::optional<std::string> Node::as_string(Problems& problems, std::size_t max_bytes) const {
  if (kind() != Kind::scalar) {
    report_type(problems, "text");
    return std::nullopt;
  }
  if (text().size() <= max_bytes) return text();
  problems.error(place(), label() + " is longer than " + std::to_string(max_bytes) + " bytes");
  return std::nullopt;
}

std::optional<bool> Node::as_bool(Problems& problems) const {
  if (!quoted() && text() == "true") return true;
  if (!quoted() && text() == "false") return false;
  if (quoted() && (text() == "true" || text() == "false")) {
    problems.error(place(), label() + " must be true or false without quotes", text());
    return std::nullopt;
  }
  std::string lower = text().substr(0, 8);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const bool yes = lower == "yes" || lower == "on" || lower == "true" || lower == "1";
  const bool no = lower == "no" || lower == "off" || lower == "false" || lower == "0";
  report_type(problems, "true or false", yes ? "true" : no ? "false" : "");
  return std::nullopt;
}

std::optional<std::int64_t> Node::as_int(Problems& problems, std::int64_t min,
                                         std::int64_t max) const {
  std::int64_t value = 0;
  const std::string& digits = text();
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole =
      !digits.empty() && read.ec == std::errc{} && read.ptr == digits.data() + digits.size();
  if (whole && !quoted() && value >= min && value <= max) return value;
  const std::string wanted =
      "a whole number" + bounds(min, max, std::to_string(min), std::to_string(max));
  report_type(problems, wanted + (whole && quoted() ? " without quotes" : ""),
              whole && quoted() ? digits : "");
  return std::nullopt;
}

std::optional<double> Node::as_double(Problems& problems, double min, double max) const {
  double value = 0;
  const std::string& digits = text();
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = !digits.empty() && read.ec == std::errc{} &&
                     read.ptr == digits.data() + digits.size() && std::isfinite(value);
  if (whole && !quoted() && value >= min && value <= max) return value;
  const std::string wanted = "a number" + bounds(min, max, printed(min), printed(max));
  report_type(problems, wanted + (whole && quoted() ? " without quotes" : ""),
              whole && quoted() ? digits : "");
  return std::nullopt;
}

std::optional<Duration> Node::as_duration(Problems& problems, Duration min, Duration max) const {
  if (kind() == Kind::scalar) {
    const Result<Duration> value = parse_duration(text());
    if (value && *value >= min && *value <= max) return *value;
    if (value) {
      const std::int64_t low =
          min.count() > 0 ? min.count() : std::numeric_limits<std::int64_t>::min();
      report_type(problems, "a duration" + bounds(low, max.count(), format_duration(min),
                                                  format_duration(max)));
      return std::nullopt;
    }
  }
  const bool bare = !text().empty() && text().size() < 10 &&
                    text().find_first_not_of("0123456789") == std::string::npos;
  report_type(problems, "a duration such as 2s", bare ? text() + "s" : "");
  return std::nullopt;
}

std::optional<std::string> Node::as_name(Problems& problems) const {
  if (kind() == Kind::scalar && is_valid_name(text())) return text();
  std::string fixed;
  for (const char c : text()) {
    if (c >= 'A' && c <= 'Z')
      fixed += static_cast<char>(c - 'A' + 'a');
    else
      fixed += c == ' ' ? '-' : c;
  }
  report_type(problems,
              "a name (lower case letters, digits, '.', '_' and '-', first a letter or digit, at "
              "most 63)",
              is_valid_name(fixed) ? fixed : "");
  return std::nullopt;
}

std::optional<std::size_t> Node::as_word(Problems& problems,
                                         std::span<const std::string> words) const {
  if (kind() == Kind::scalar) {
    const auto found = std::ranges::find(words, text());
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  report_type(problems, join_words({words.begin(), words.end()}, "or"),
              kind() == Kind::scalar ? did_you_mean(text(), words) : "");
  return std::nullopt;
}

std::vector<Node> Node::as_list(Problems& problems) const {
  if (kind() != Kind::sequence) report_type(problems, "a list");
  return items();
}

std::vector<Node> Node::as_list_or_one(Problems& problems) const {
  if (kind() == Kind::scalar || kind() == Kind::map) return {*this};
  return as_list(problems);
}

std::vector<std::string> Node::as_strings(Problems& problems) const {
  std::vector<std::string> out;
  for (const Node& item : as_list_or_one(problems))
    if (auto value = item.as_string(problems)) out.push_back(std::move(*value));
  return out;
}

std::vector<Entry> Node::as_map(Problems& problems) const {
  if (kind() != Kind::map) report_type(problems, "a map");
  return entries();
}

const std::string& Document::file() const {
  return tree_->file;
}

const std::string& Document::text() const {
  return *tree_->source;
}

MapReader::MapReader(Node node, std::string what, Problems& problems)
    : node_(std::move(node)), what_(std::move(what)), problems_(problems) {
  is_map_ = node_.kind() == Kind::map;
  for (Entry& entry : node_.entries()) slots_.push_back({std::move(entry), false});
  if (is_map_ || !node_) return;
  const bool empty = node_.kind() == Kind::null;
  problems_.error(node_.place(), what_ + " must be a map, not " +
                                     (empty                            ? "empty"
                                      : node_.kind() == Kind::sequence ? "a list"
                                                                       : quote(node_.text())));
}

MapReader::Slot* MapReader::find(std::string_view key) {
  known_.emplace_back(key);
  const auto slot =
      std::ranges::find_if(slots_, [&](const Slot& s) { return s.entry.key.text() == key; });
  if (slot == slots_.end()) return nullptr;
  slot->asked = true;
  return &*slot;
}

Node MapReader::required(std::string_view key) {
  if (Slot* slot = find(key)) return slot->entry.value;
  if (is_map_) problems_.error(node_.name_place(), what_ + " needs " + quote(key));
  return {};
}

Node MapReader::optional(std::string_view key) {
  Slot* slot = find(key);
  return slot ? slot->entry.value : Node();
}

std::optional<Entry> MapReader::exactly_one_of(std::span<const std::string> keys) {
  std::optional<Entry> found;
  bool several = false;
  for (const std::string& key : keys) {
    const Slot* slot = find(key);
    if (!slot) continue;
    if (found) {
      problems_.error(slot->entry.key.place(), what_ + " has both " + quote(found->key.text()) +
                                                   " and " + quote(key) + "; keep one");
      several = true;
    } else {
      found = slot->entry;
    }
  }
  if (several) return std::nullopt;
  if (found || !is_map_) return found;
  const std::string wanted =
      what_ + " needs one of " + join_words({keys.begin(), keys.end()}, "or");
  for (Slot& slot : slots_) {
    const std::string meant = did_you_mean(slot.entry.key.text(), keys);
    if (slot.asked || meant.empty()) continue;
    slot.asked = true;
    problems_.error(slot.entry.key.place(), wanted + ", not " + quote(slot.entry.key.text()),
                    meant);
    return std::nullopt;
  }
  problems_.error(node_.name_place(), wanted);
  return std::nullopt;
}

void MapReader::report_unknown(const Entry& entry) const {
  // Beyond what is shown only the count matters, and looking for the word that was meant is what
  // would make a hostile file with 100,000 wrong keys expensive.
  if (problems_.errors() >= limits::kPolicyErrorsShownMax)
    return problems_.error(entry.key.place(), "unknown key");
  const std::string& key = entry.key.text();
  std::string message = "unknown key " + quote(key) + " in " + what_;
  const std::size_t colon = key.find(':');
  const std::string name = key.substr(0, colon);
  std::string suggestion;
  if (colon != std::string::npos && std::ranges::find(known_, name) != known_.end())
    suggestion = name + ": " + key.substr(colon + 1);  // the blank after the colon was forgotten
  else
    suggestion = did_you_mean(key, known_);
  if (suggestion.empty() && !known_.empty()) message += "; the keys are " + join_words(known_);
  problems_.error(entry.key.place(), std::move(message), std::move(suggestion));
}

void MapReader::finish() {
  if (finished_) return;
  finished_ = true;
  for (const Slot& slot : slots_)
    if (!slot.asked) report_unknown(slot.entry);
}

}  // namespace firebreak::yaml
