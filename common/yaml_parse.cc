// From bytes to the tree: yaml-cpp's events, with everything refused that a policy does not need.

#include <algorithm>
#include <array>
#include <exception>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "common/file.h"
#include "common/text.h"
#include "common/yaml.h"
#include "common/yaml_tree.h"

namespace firebreak::yaml {
namespace {

constexpr const char* kNoAnchors =
    "anchors (&name) are not supported; write the value out where it is needed, or quote it if it "
    "is text";
constexpr const char* kNoAliases =
    "aliases (*name) are not supported; write the value out, or quote it if it is text";
constexpr const char* kNoTags =
    "tags (!name) are not supported; remove the tag, or quote the value if it is text";

// Ends the parse; the problem has been reported.
struct Stop : std::exception {};

// Builds the tree from events. What is refused but leaves the structure intact is reported and
// parsing goes on, so that one look shows all of it.
class Builder final : public YAML::EventHandler {
 public:
  Builder(Tree& tree, Problems& problems) : tree_(tree), problems_(problems) {}

  // After the last document: what could only be judged then. True when nothing was refused.
  bool finish() {
    for (const std::size_t at : odd_keys_)
      refuse(at, 1, "a key must be text; quote it if it begins with { or [, or is ~ or null");
    return ok_;
  }
  // Where the newest node begins and ends: what went wrong lies behind.
  [[nodiscard]] std::size_t last_begin() const { return last_begin_; }
  [[nodiscard]] std::size_t last_end() const { return last_end_; }
  // The innermost [ or { that is still open, or null.
  [[nodiscard]] const NodeData* open_flow() const {
    if (frames_.empty() || !frames_.back().flow) return nullptr;
    return &tree_.nodes[frames_.back().node];
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!tree_.nodes.empty()) {
      const bool marked = source().substr(offset(mark), 3) == "---";
      refuse(offset(mark), marked ? 3 : 1,
             marked ? "a second document begins here; one file holds one document"
                    : "this does not belong to the document before it; check the indentation and "
                      "the quotes");
      throw Stop();
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    NodeData& node = add(mark, Kind::null);
    const std::string_view rest = source().substr(node.offset);
    if (rest.starts_with('~')) return;
    for (const std::string_view word : {"null", "Null", "NULL"}) {
      if (!rest.starts_with(word)) continue;
      node.width = 4;
      return;
    }
    place_empty(node);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    const NodeData& node = add(mark, Kind::null);
    refuse(node.offset, word_width(node.offset), kNoAliases);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    NodeData& node = add(mark, Kind::scalar);
    node.text = value;
    const char first = node.offset < source().size() ? source()[node.offset] : ' ';
    if (is_tagged(tag, mark)) {
      refuse(node.offset, word_width(node.offset), kNoTags);
      return;
    }
    if (first == '&') return;  // an anchor, refused by OnAnchor
    node.quoted = tag == "!";
    const std::size_t end = source_end(source(), node);
    if (end == std::string_view::npos) {
      refuse(node.offset, 1, "this quote is never closed");
      throw Stop();
    }
    last_end_ = end;
    const bool block = node.quoted && (first == '|' || first == '>');
    node.width = block ? 1 : place_at(tree_, node.offset, end - node.offset).width;
    if (node.is_key) check_key(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, Kind::sequence, style);
  }
  void OnSequenceEnd() override { frames_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, Kind::map, style);
  }
  void OnMapEnd() override { frames_.pop_back(); }

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    refuse(offset(mark), word_width(offset(mark)), kNoAnchors);
  }

 private:
  struct Frame {
    std::size_t node = 0;
    bool flow = false;
    std::map<std::string, std::size_t> keys{};  // text -> node
  };

  [[nodiscard]] std::string_view source() const { return *tree_.source; }
  [[nodiscard]] std::size_t offset(const YAML::Mark& mark) const {
    return std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), source().size());
  }
  [[nodiscard]] std::size_t word_width(std::size_t at) const {
    return std::min(source().find_first_of(" \t\n,]}", at), source().size()) - at;
  }
  [[nodiscard]] bool is_tagged(const std::string& tag, const YAML::Mark& mark) const {
    return tag != "?" && (tag != "!" || source().substr(offset(mark)).starts_with('!'));
  }

  void refuse(std::size_t at, std::size_t width, std::string message) {
    ok_ = false;
    problems_.error(place_at(tree_, at, width), std::move(message));
  }

  NodeData& add(const YAML::Mark& mark, Kind kind) {
    const std::size_t at = offset(mark);
    if (tree_.nodes.size() >= limits::kYamlNodesMax) {
      refuse(at, 1,
             "more than " + std::to_string(limits::kYamlNodesMax) +
                 " values in one file; split it into several files");
      throw Stop();
    }
    NodeData node;
    node.kind = kind;
    node.offset = at;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    const std::size_t index = tree_.nodes.size();
    if (!frames_.empty()) {
      node.parent = frames_.back().node;
      NodeData& parent = tree_.nodes[node.parent];
      node.ordinal = parent.children.size();
      node.is_key = parent.kind == Kind::map && node.ordinal % 2 == 0;
      parent.children.push_back(index);
    }
    last_begin_ = last_end_ = at;
    tree_.nodes.push_back(std::move(node));
    const NodeData& added = tree_.nodes.back();
    if (added.is_key && kind != Kind::scalar && !tree_.nodes[added.parent].is_key &&
        odd_keys_.size() < kOddKeysKept)
      odd_keys_.push_back(at);
    return tree_.nodes.back();
  }

  // A value that was left out stands where its key stands, an item at its dash.
  void place_empty(NodeData& node) const {
    if (frames_.empty() || node.is_key) return;
    const NodeData& parent = tree_.nodes[node.parent];
    if (parent.kind == Kind::map) {
      const NodeData& key = tree_.nodes[parent.children[node.ordinal - 1]];
      node.offset = key.offset;
      node.line = key.line;
      node.column = key.column;
      node.width = key.width;
    } else if (!frames_.back().flow) {
      std::size_t end = node.offset;
      while (end > 0) {
        const std::size_t start = source().substr(0, end - 1).rfind('\n') + 1;
        if (end <= parent.offset) return;
        const std::size_t dash = source().find_first_not_of(' ', start);
        if (dash < end && source()[dash] == '-' && dash < node.offset) {
          const Place place = place_at(tree_, dash, 1);
          node.offset = dash;
          node.line = place.line;
          node.column = place.column;
          return;
        }
        end = start;
      }
    }
  }

  void open(const YAML::Mark& mark, const std::string& tag, Kind kind,
            YAML::EmitterStyle::value style) {
    const NodeData& node = add(mark, kind);
    if (is_tagged(tag, mark)) refuse(node.offset, word_width(node.offset), kNoTags);
    frames_.push_back({tree_.nodes.size() - 1, style == YAML::EmitterStyle::Flow});
    if (frames_.size() > static_cast<std::size_t>(limits::kYamlDepthMax)) {
      refuse(node.offset, 1,
             "nested deeper than " + std::to_string(limits::kYamlDepthMax) + " levels");
      throw Stop();
    }
  }

  void check_key(const NodeData& node) {
    if (node.text == "<<" && !node.quoted)
      refuse(node.offset, 2, "merge keys (<<) are not supported; write the keys out");
    const auto [first, is_new] = frames_.back().keys.emplace(node.text, tree_.nodes.size() - 1);
    if (is_new) return;
    const NodeData& other = tree_.nodes[first->second];
    refuse(node.offset, static_cast<std::size_t>(node.width),
           "key '" + to_valid_utf8(node.text, 64) + "' is given twice in this map, first at " +
               tree_.file + ":" + std::to_string(other.line) + ":" + std::to_string(other.column) +
               "; keep one");
  }

  Tree& tree_;
  Problems& problems_;
  std::vector<Frame> frames_;
  // Keys that are not scalars. yaml-cpp also takes the content of a bracket that is never closed
  // for one, and says what is really wrong only later.
  static constexpr std::size_t kOddKeysKept = limits::kPolicyErrorsShownMax;
  std::vector<std::size_t> odd_keys_;
  std::size_t last_begin_ = 0;
  std::size_t last_end_ = 0;
  bool ok_ = true;
};

// What yaml-cpp says, and what an operator can use.
// Not constexpr: the constants of yaml-cpp are defined in its library.
const std::array<std::pair<std::string_view, std::string_view>, 24> kExplained{{
    {YAML::ErrorMsg::TAB_IN_INDENTATION, "a tab cannot indent YAML; use spaces"},
    {YAML::ErrorMsg::END_OF_MAP,
     "this does not belong to the map before it; check the indentation and the quotes"},
    {YAML::ErrorMsg::END_OF_SEQ,
     "this does not belong to the list before it; check the indentation and the quotes"},
    {YAML::ErrorMsg::FLOW_END, "this bracket closes nothing that is open"},
    {YAML::ErrorMsg::MAP_VALUE,
     "a ':' is not expected here; quote the text if the ':' belongs to it, or check the "
     "indentation"},
    {YAML::ErrorMsg::MAP_KEY, "a key is not expected here; check the indentation"},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a list item is not expected here; check the indentation"},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "text cannot begin with this character; quote it"},
    {YAML::ErrorMsg::CHAR_IN_SCALAR, "this character is not expected here; quote the text"},
    {YAML::ErrorMsg::DOC_IN_SCALAR, "the document ends inside a quoted text; close the quote"},
    {YAML::ErrorMsg::INVALID_HEX, "not a hexadecimal digit; write \\x41, \\u00fc or \\U0001f525"},
    {YAML::ErrorMsg::INVALID_UNICODE, "this escape is not a character of Unicode"},
    {YAML::ErrorMsg::INVALID_ESCAPE,
     "unknown escape; double the backslash, or use single quotes where it has no meaning"},
    {YAML::ErrorMsg::CHAR_IN_BLOCK, "after | or > the text begins on the next line"},
    {YAML::ErrorMsg::ZERO_INDENT_IN_BLOCK, "a block cannot have the indentation 0"},
    {YAML::ErrorMsg::UNKNOWN_ANCHOR, kNoAliases},
    {YAML::ErrorMsg::ALIAS_NOT_FOUND, kNoAliases},
    {YAML::ErrorMsg::CHAR_IN_ALIAS, kNoAliases},
    {YAML::ErrorMsg::ALIAS_CONTENT, kNoAliases},
    {YAML::ErrorMsg::ANCHOR_NOT_FOUND, kNoAnchors},
    {YAML::ErrorMsg::CHAR_IN_ANCHOR, kNoAnchors},
    {YAML::ErrorMsg::CHAR_IN_TAG_HANDLE, kNoTags},
    {YAML::ErrorMsg::TAG_WITH_NO_SUFFIX, kNoTags},
    {YAML::ErrorMsg::END_OF_VERBATIM_TAG, kNoTags},
}};

// The first tab that indents a line between the newest node and the error, or npos.
std::size_t indenting_tab(std::string_view source, std::size_t from, std::size_t to) {
  std::size_t start = source.substr(0, from).rfind('\n') + 1;
  while (start <= to && start < source.size()) {
    const std::size_t word = std::min(source.find_first_not_of(" \t", start), source.size());
    const std::size_t tab = source.substr(0, word).find('\t', start);
    if (tab != std::string_view::npos) return tab;
    start = std::min(source.find('\n', start), source.size() - 1) + 1;
  }
  return std::string_view::npos;
}

void report_exception(const YAML::Exception& error, const Builder& builder, const Tree& tree,
                      Problems& problems) {
  const std::string_view source = *tree.source;
  const auto report = [&](std::size_t at, std::string message) {
    problems.error(place_at(tree, at, 1), std::move(message));
  };
  const std::size_t at =
      error.mark.is_null() ? builder.last_end() : static_cast<std::size_t>(error.mark.pos);
  const std::size_t tab = indenting_tab(source, builder.last_begin(), at);
  if (tab != std::string_view::npos)
    return report(tab, std::string(YAML::ErrorMsg::TAB_IN_INDENTATION == error.msg ||
                                           builder.open_flow() == nullptr
                                       ? kExplained[0].second
                                       : "check the brackets before this tab"));
  if (error.msg == YAML::ErrorMsg::EOF_IN_SCALAR)
    return report(source.find_first_of("'\"", builder.last_end()), "this quote is never closed");
  const NodeData* flow = builder.open_flow();
  if (error.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW ||
      error.msg == YAML::ErrorMsg::END_OF_MAP_FLOW) {
    const bool list = error.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW;
    const std::string close = list ? "']'" : "'}'";
    if (flow != nullptr && source.find_first_not_of(" \t\n", at) == std::string_view::npos)
      return report(flow->offset, "this bracket is never closed; " + close + " is missing");
    return report(at, "',' or " + close + " is missing here");
  }
  for (const auto& [theirs, ours] : kExplained)
    if (std::string_view(error.msg).starts_with(theirs)) return report(at, std::string(ours));
  report(at, "not valid YAML: " + error.msg);
}

// Removes what Windows editors add: a byte order mark, carriage returns at line ends.
std::string normalized(std::string text) {
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  std::size_t to = 0;
  for (std::size_t from = 0; from < text.size(); ++from)
    if (text[from] != '\r' || from + 1 == text.size() || text[from + 1] != '\n')
      text[to++] = text[from];
  text.resize(to);
  return text;
}

// Controls that reorder what a reader of the file sees (CVE-2021-42574).
bool is_bidi_control(std::string_view rest) {
  if (rest.size() < 3 || rest[0] != '\xe2') return false;
  const auto last = static_cast<unsigned char>(rest[2]);
  return (rest[1] == '\x80' && last >= 0xaa && last <= 0xae) ||
         (rest[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
}

// What no YAML text may hold. yaml-cpp itself lets it pass, and takes byte 4 for the end of file.
bool check_characters(const Tree& tree, Problems& problems) {
  const std::string& source = *tree.source;
  const auto refuse = [&](std::size_t at, std::size_t width, const char* message) {
    problems.error(place_at(tree, at, width), message);
    return false;
  };
  const std::string valid = to_valid_utf8(source, source.size() * 3);
  const auto broken =
      static_cast<std::size_t>(std::ranges::mismatch(source, valid).in1 - source.begin());
  for (std::size_t at = 0; at < broken; ++at) {
    const auto byte = static_cast<unsigned char>(source[at]);
    if (byte == 0) return refuse(at, 1, "a NUL byte; this is not a text file");
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
      return refuse(at, 1, "a control character; remove it, or write it as \"\\x1b\" in quotes");
    if (is_bidi_control(std::string_view(source).substr(at, 3)))
      return refuse(at, 3,
                    "a character that reorders the text around it, so that it reads differently "
                    "than it works; remove it, or write it as \"\\u202e\" in quotes");
  }
  if (broken < source.size()) return refuse(broken, 1, "not valid UTF-8; save the file as UTF-8");
  return true;
}

bool check_directives(const Tree& tree, Problems& problems) {
  const std::string_view source = *tree.source;
  std::size_t start = 0;
  while (start < source.size()) {
    const std::size_t word = source.find_first_not_of(" \t\n", start);
    if (word == std::string_view::npos || (source[word] != '#' && source[word] != '%')) return true;
    const std::size_t end = std::min(source.find('\n', word), source.size());
    if (source[word] == '%') {
      problems.error(place_at(tree, word, end - word),
                     "directives (%YAML, %TAG) are not supported; remove this line");
      return false;
    }
    start = end;
  }
  return true;
}

bool build(Tree& tree, Problems& problems) {
  Builder builder(tree, problems);
  try {
    std::istringstream stream(*tree.source);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    if (tree.nodes.empty()) tree.nodes.emplace_back();
    return builder.finish();
  } catch (const Stop&) {
    return false;
  } catch (const YAML::Exception& error) {
    report_exception(error, builder, tree, problems);
  } catch (const std::exception& error) {
    problems.error({tree.file}, std::string("cannot be read as YAML: ") + error.what());
  }
  return false;
}

}  // namespace

Result<Document> parse(std::string file_name, std::string text, Problems& problems) {
  const auto failed = [&] { return make_error(Errc::invalid_argument, problems.summary()); };
  if (text.size() > limits::kYamlBytesMax) {
    problems.error({file_name}, "larger than " + std::to_string(limits::kYamlBytesMax >> 10) +
                                    " KiB; split it into several files");
    return failed();
  }
  auto tree = std::make_shared<Tree>();
  tree->file = std::move(file_name);
  tree->source = std::make_shared<const std::string>(normalized(std::move(text)));
  index_lines(*tree);
  problems.remember_source(tree->file, tree->source);
  if (!check_characters(*tree, problems) || !check_directives(*tree, problems) ||
      !build(*tree, problems))
    return failed();
  return Document(std::move(tree));
}

Result<Document> load(const std::string& path, Problems& problems) {
  auto text = read_small_file(path, limits::kYamlBytesMax);
  if (text) return parse(path, std::move(*text), problems);
  problems.error({path}, text.error().message);
  return text.error();
}

}  // namespace firebreak::yaml
