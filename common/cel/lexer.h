// Cuts an expression's text into tokens. Internal to common/cel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/cel/ast.h"

namespace firebreak::cel {

struct Token {
  enum class Kind : std::uint8_t { end, identifier, literal, symbol };
  Kind kind = Kind::end;
  Span span;
  std::string_view text;
  Value value;                   // of a literal
  bool is_number = false;        // an int or double literal, which a minus before it belongs to
  bool is_smallest_int = false;  // 9223372036854775808: an int only with a minus before it
  bool is_quoted = false;        // `a-b`: the name of a field, in text without its quotes
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // After a problem only `end` follows.
  Token next();
  const std::optional<Problem>& problem() const { return problem_; }

 private:
  void skip_blanks();
  Token number();
  Token decimal(Token token, std::string_view digits, bool is_unsigned);
  Token quoted_name();
  Token string(bool raw, bool bytes);
  bool escape(std::string& out, std::size_t& at, bool bytes);
  std::optional<std::uint32_t> digits(std::size_t& at, int base, std::size_t count) const;
  std::optional<std::uint32_t> code_unit(char name, std::size_t& at) const;
  Token symbol();
  Token fail(std::size_t begin, std::size_t end, std::string message);

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Problem> problem_;
};

}  // namespace firebreak::cel
