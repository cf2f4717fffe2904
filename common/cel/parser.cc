// Recursive descent over CEL's grammar, bounded in bytes, depth and nodes.
#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "common/cel/ast.h"
#include "common/cel/lexer.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

struct Operator {
  std::string_view symbol;
  Op op;
};
using Level = std::span<const Operator>;
constexpr std::array<Operator, 7> kRelations{{{"<", Op::less},
                                              {"<=", Op::less_equal},
                                              {">", Op::greater},
                                              {">=", Op::greater_equal},
                                              {"==", Op::equal},
                                              {"!=", Op::not_equal},
                                              {"in", Op::in}}};
constexpr std::array<Operator, 2> kSums{{{"+", Op::add}, {"-", Op::subtract}}};
constexpr std::array<Operator, 3> kProducts{
    {{"*", Op::multiply}, {"/", Op::divide}, {"%", Op::remainder}}};
constexpr std::array<Level, 3> kLevels{kRelations, kSums, kProducts};  // loosest first

struct Macro {
  std::string_view name;
  Op op;
};
constexpr std::array<Macro, 5> kMacros{{{"all", Op::all},
                                        {"exists", Op::exists},
                                        {"exists_one", Op::exists_one},
                                        {"filter", Op::filter},
                                        {"map", Op::map_macro}}};

// Words of the grammar: not even a field is called so without backquotes.
constexpr std::array<std::string_view, 4> kKeywords{"in", "true", "false", "null"};

// CEL keeps these words for languages around it; a field may still be called so.
constexpr std::array<std::string_view, 17> kReserved{
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

class Parser {
 public:
  Parser(std::string_view text, Code& code) : lexer_(text), code_(code) { advance(); }

  std::optional<Problem> run() {
    code_.root = expression();
    if (!problem_ && token_.kind != Token::Kind::end) {
      if (token_.kind == Token::Kind::symbol)
        unexpected("an operator or the end");
      else
        unexpected("an operator such as && before it");
    }
    return std::move(problem_);
  }

 private:
  void advance() {
    previous_end_ = token_.span.end;
    token_ = lexer_.next();
    if (lexer_.problem() && !problem_) problem_ = lexer_.problem();
    if (problem_) token_ = {};
  }

  bool is_symbol(std::string_view symbol) const {
    return token_.kind == Token::Kind::symbol && token_.text == symbol;
  }
  bool is_word(std::string_view word) const {
    return token_.kind == Token::Kind::identifier && token_.text == word && !token_.is_quoted;
  }
  bool take(std::string_view symbol) {
    if (!is_symbol(symbol)) return false;
    advance();
    return true;
  }
  void expect(std::string_view symbol, std::string_view why) {
    if (!take(symbol)) unexpected("'" + std::string(symbol) + "' " + std::string(why));
  }

  // Always -1; from here on every token is the end, which unwinds the descent.
  int fail(Span span, std::string message) {
    if (!problem_) problem_ = make_problem(code_.text, span, std::move(message));
    token_ = {};
    return -1;
  }
  int unexpected(const std::string& wanted) {
    if (problem_) return -1;
    const auto size = static_cast<std::uint32_t>(code_.text.size());
    if (token_.kind == Token::Kind::end)
      return fail({size, size}, "the expression ends too early; expected " + wanted);
    return fail(token_.span, "expected " + wanted + ", not '" + escape_line(token_.text, 64) + "'");
  }

  int add(Op op, Span whole, Span at, std::string text, std::vector<int> operands) {
    if (problem_) return -1;
    Node node;
    node.op = op;
    node.whole = whole;
    node.at = at;
    node.text = std::move(text);
    for (const int operand : operands)
      node.depth = std::max(node.depth, this->node(operand).depth + 1);
    node.operands = std::move(operands);
    if (node.depth > limits::kExprDepthMax) return too_deep(at);
    if (code_.nodes.size() >= limits::kExprNodesMax)
      return fail(at, "the expression has more than " + std::to_string(limits::kExprNodesMax) +
                          " parts; split it into several rules");
    code_.nodes.push_back(std::move(node));
    return static_cast<int>(code_.nodes.size()) - 1;
  }
  int too_deep(Span span) {
    return fail(span, "the expression nests deeper than " + std::to_string(limits::kExprDepthMax) +
                          " levels; split it into several rules");
  }
  const Node& node(int index) const { return code_.nodes[static_cast<std::size_t>(index)]; }
  std::uint32_t begin_of(int index) const { return index < 0 ? 0 : node(index).whole.begin; }
  Span from(std::uint32_t begin) const { return {begin, previous_end_}; }

  int expression() {
    if (depth_ >= limits::kExprDepthMax) return too_deep(token_.span);
    ++depth_;
    const int result = conditional();
    --depth_;
    return result;
  }

  int conditional() {
    const int condition = chain("||", Op::logical_or);
    if (!is_symbol("?")) return condition;
    const Span at = token_.span;
    advance();
    const int yes = chain("||", Op::logical_or);
    expect(":", "of the ?: operator");
    const int no = expression();
    return add(Op::conditional, from(begin_of(condition)), at, "?:", {condition, yes, no});
  }

  // a && b && c is one node, so that a long list of conditions is not a deep one.
  int chain(std::string_view symbol, Op op) {
    const auto part = [&] {
      return op == Op::logical_or ? chain("&&", Op::logical_and) : binary(0);
    };
    std::vector<int> operands{part()};
    const Span at = token_.span;
    while (take(symbol)) operands.push_back(part());
    if (operands.size() == 1) return operands[0];
    const std::uint32_t begin = begin_of(operands[0]);
    return add(op, from(begin), at, std::string(symbol), std::move(operands));
  }

  int binary(std::size_t level) {
    if (level == kLevels.size()) return unary();
    int left = binary(level + 1);
    for (;;) {
      const auto found = std::find_if(
          kLevels[level].begin(), kLevels[level].end(),
          [&](const Operator& o) { return o.op == Op::in ? is_word("in") : is_symbol(o.symbol); });
      if (found == kLevels[level].end()) return left;
      const Span at = token_.span;
      advance();
      const int right = binary(level + 1);
      left = add(found->op, from(begin_of(left)), at, std::string(found->symbol), {left, right});
      if (left < 0) return left;
    }
  }

  int unary() {
    const Span at = token_.span;
    if (!is_symbol("!") && !is_symbol("-")) return member();
    const Op op = is_symbol("!") ? Op::logical_not : Op::negate;
    advance();
    if (op == Op::negate && token_.is_number && token_.kind == Token::Kind::literal) {
      const Value value = token_.value;
      const bool whole = value.is(Value::Kind::integer);
      token_.value =
          whole ? Value(static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(value.as_int())))
                : Value(-value.as_double());
      token_.span.begin = at.begin;
      token_.is_smallest_int = false;
      return member();
    }
    if (depth_ >= limits::kExprDepthMax) return too_deep(at);
    ++depth_;
    const int operand = unary();
    --depth_;
    return add(op, from(at.begin), at, op == Op::negate ? "-" : "!", {operand});
  }

  int member() {
    int left = primary();
    while (left >= 0) {
      if (take("."))
        left = selection(left);
      else if (is_symbol("["))
        left = indexing(left);
      else
        break;
    }
    return left;
  }

  int selection(int left) {
    if (token_.kind != Token::Kind::identifier) return unexpected("the name of a field or method");
    const Span at = token_.span;
    const std::string name(token_.text);
    const bool is_quoted = token_.is_quoted;
    if (!is_quoted && std::find(kKeywords.begin(), kKeywords.end(), name) != kKeywords.end())
      return fail(at,
                  "'" + name + "' is a keyword; write ['" + name + "'] for a field of that name");
    advance();
    if (is_quoted || !is_symbol("("))
      return add(Op::select, from(begin_of(left)), at, name, {left});
    std::vector<int> operands = arguments({left});
    const Span whole = from(begin_of(left));
    for (const Macro& macro : kMacros)
      if (macro.name == name) return macro_call(macro.op, whole, at, std::move(operands));
    return add(Op::method, whole, at, name, std::move(operands));
  }

  int indexing(int left) {
    const Span at = token_.span;
    advance();
    const int index = expression();
    expect("]", "after the index");
    return add(Op::index, from(begin_of(left)), at, "[]", {left, index});
  }

  // At "(".
  std::vector<int> arguments(std::vector<int> operands) {
    const Span opening = token_.span;
    advance();
    const auto closes_nothing = operands.size() + limits::kExprArgumentsMax;
    while (!problem_ && !is_symbol(")")) {
      if (operands.size() >= closes_nothing)
        fail(token_.span,
             "a call takes at most " + std::to_string(limits::kExprArgumentsMax) + " arguments");
      operands.push_back(expression());
      if (!take(",")) break;
      if (is_symbol(")")) unexpected("another argument after ','");
    }
    if (!problem_ && token_.kind == Token::Kind::end)
      fail(opening, "this '(' is not closed");
    else
      expect(")", "or ',' after the argument");
    return operands;
  }

  int macro_call(Op op, Span whole, Span at, std::vector<int> operands) {
    if (problem_) return -1;
    const std::string name = code_.text.substr(at.begin, at.end - at.begin);
    const bool filters_too = op == Op::map_macro && operands.size() == 4;
    if (operands.size() != 3 && !filters_too)
      return fail(at, name + " is written list." + name + "(x, " +
                          (op == Op::map_macro ? "what becomes of x)" : "condition on x)"));
    const Node& variable = node(operands[1]);
    if (variable.op != Op::identifier || variable.id == kGlobal)
      return fail(variable.whole,
                  "the first argument of " + name + " is a new name for each element");
    std::string local = variable.text;
    operands.erase(operands.begin() + 1);
    return add(op, whole, at, std::move(local), std::move(operands));
  }

  int primary() {
    const Span at = token_.span;
    if (token_.kind == Token::Kind::literal) return literal();
    if (token_.kind == Token::Kind::identifier && token_.text != "in") return name(0);
    if (is_symbol(".")) return global();
    if (is_symbol("[")) return list();
    if (is_symbol("{")) return map();
    if (!is_symbol("(")) return unexpected("a value");
    advance();
    const int inner = expression();
    if (!problem_ && token_.kind == Token::Kind::end) return fail(at, "this '(' is not closed");
    expect(")", "or an operator");
    return inner;
  }

  int literal() {
    if (token_.is_smallest_int)
      return fail(token_.span, "'" + std::string(token_.text) + "' does not fit in 64 bits");
    Value value = std::move(token_.value);
    const Span at = token_.span;
    advance();
    return constant(at, std::move(value));
  }
  int constant(Span at, Value value) {
    const int index = add(Op::constant, at, at, {}, {});
    if (index >= 0) code_.nodes.back().value = std::move(value);
    return index;
  }

  // .name: a variable of the host, even where a macro has one of this name.
  int global() {
    advance();
    const bool is_name =
        token_.kind == Token::Kind::identifier &&
        std::find(kKeywords.begin(), kKeywords.end(), token_.text) == kKeywords.end();
    return is_name ? name(kGlobal) : unexpected("a name after '.'");
  }

  int name(int id) {
    if (token_.is_quoted)
      return fail(token_.span, "only a field is written in backquotes, as in map.`a-b`");
    const Span at = token_.span;
    const std::string word(token_.text);
    advance();
    if (word == "true" || word == "false") return constant(at, Value(word == "true"));
    if (word == "null") return constant(at, Value());
    if (std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end())
      return fail(at, "'" + word + "' is a reserved word");
    if (!is_symbol("(")) {
      const int index = add(Op::identifier, at, at, word, {});
      if (index >= 0) code_.nodes.back().id = id;
      return index;
    }
    std::vector<int> operands = arguments({});
    if (word != "has") return add(Op::call, from(at.begin), at, word, std::move(operands));
    if (problem_) return -1;
    if (operands.size() != 1 || node(operands[0]).op != Op::select)
      return fail(at, "has takes one field, as in has(body.field)");
    const Node& field = node(operands[0]);
    return add(Op::has, from(at.begin), field.at, std::string(field.text),
               std::vector<int>(field.operands));
  }

  int list() {
    const Span opening = token_.span;
    advance();
    std::vector<int> operands;
    while (!problem_ && !is_symbol("]")) {
      operands.push_back(expression());
      if (!take(",")) break;
    }
    if (!problem_ && token_.kind == Token::Kind::end)
      return fail(opening, "this '[' is not closed");
    expect("]", "or ',' after the element");
    return add(Op::list, from(opening.begin), opening, "[]", std::move(operands));
  }

  int map() {
    const Span opening = token_.span;
    advance();
    std::vector<int> operands;
    while (!problem_ && !is_symbol("}")) {
      operands.push_back(expression());
      expect(":", "between key and value");
      operands.push_back(expression());
      if (!take(",")) break;
    }
    if (!problem_ && token_.kind == Token::Kind::end)
      return fail(opening, "this '{' is not closed");
    expect("}", "or ',' after the value");
    return add(Op::map, from(opening.begin), opening, "{}", std::move(operands));
  }

  Lexer lexer_;
  Code& code_;
  Token token_;
  std::uint32_t previous_end_ = 0;
  int depth_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace

Position locate(std::string_view text, Span span) {
  Position at;
  const std::string_view before = text.substr(0, span.begin);
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  at.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  at.column = 1 + static_cast<int>(span.begin - line_begin);
  const std::size_t line_end = std::min(text.find('\n', span.begin), text.size());
  const std::size_t end = std::min<std::size_t>(span.end, line_end);
  at.width = end > span.begin ? static_cast<int>(end - span.begin) : 1;
  return at;
}

Problem make_problem(std::string_view text, Span span, std::string message,
                     std::string suggestion) {
  const Position at = locate(text, span);
  return {std::move(message), at.line, at.column, at.width, std::move(suggestion)};
}

std::optional<Problem> parse(std::string_view text, Code& code) {
  if (text.size() > limits::kExprBytesMax)
    return make_problem({}, {},
                        "the expression is longer than " + std::to_string(limits::kExprBytesMax) +
                            " bytes; split it into several rules");
  const std::string valid = to_valid_utf8(text, text.size());
  if (valid != text) {
    const auto bad = static_cast<std::uint32_t>(
        std::mismatch(valid.begin(), valid.end(), text.begin(), text.end()).second - text.begin());
    return make_problem(text, {bad, bad + 1}, "this byte is not valid UTF-8");
  }
  code.text = text;
  return Parser(code.text, code).run();
}

}  // namespace firebreak::cel
