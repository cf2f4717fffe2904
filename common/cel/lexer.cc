// Tokens: CEL's, and durations written without quotes (1h30m).
#include "common/cel/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/text.h"

namespace firebreak::cel {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_word(char c) {
  return is_letter(c) || is_digit(c);
}
bool is_quote(char c) {
  return c == '\'' || c == '"';
}

// How many letters before a quote say what kind of string it is: r'', b'', br''.
std::size_t prefix_size(std::string_view text) {
  std::size_t size = 0;
  if (size < text.size() && (text[size] == 'b' || text[size] == 'B')) ++size;
  if (size < text.size() && (text[size] == 'r' || text[size] == 'R')) ++size;
  return size < text.size() && is_quote(text[size]) ? size : 0;
}

bool is_surrogate(std::uint32_t unit) {
  return unit >= 0xd800 && unit <= 0xdfff;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0u | (point >> 6));
  } else {
    if (point < 0x10000) {
      put(0xe0u | (point >> 12));
    } else {
      put(0xf0u | (point >> 18));
      put(0x80u | ((point >> 12) & 0x3fu));
    }
    put(0x80u | ((point >> 6) & 0x3fu));
  }
  put(0x80u | (point & 0x3fu));
}

}  // namespace

Token Lexer::fail(std::size_t begin, std::size_t end, std::string message) {
  const Span span{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  problem_ = make_problem(text_, span, std::move(message));
  at_ = text_.size();
  return {};
}

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    if (std::string_view(" \t\r\n\f").find(text_[at_]) != std::string_view::npos)
      ++at_;
    else if (text_.substr(at_, 2) == "//")
      at_ = std::min(text_.find('\n', at_), text_.size());
    else
      return;
  }
}

Token Lexer::next() {
  skip_blanks();
  const std::size_t begin = at_;
  const std::string_view rest = text_.substr(at_);
  Token token;
  if (rest.empty()) {
    token.kind = Token::Kind::end;
  } else if (const std::size_t prefix = prefix_size(rest); prefix > 0 || is_quote(rest[0])) {
    at_ += prefix;
    const std::string_view letters = rest.substr(0, prefix);
    token = string(letters.ends_with('r') || letters.ends_with('R'),
                   letters.starts_with('b') || letters.starts_with('B'));
  } else if (rest[0] == '`') {
    token = quoted_name();
  } else if (is_letter(rest[0])) {
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    token.kind = Token::Kind::identifier;
  } else if (is_digit(rest[0]) || (rest[0] == '.' && rest.size() > 1 && is_digit(rest[1]))) {
    token = number();
  } else {
    token = symbol();
  }
  if (problem_) return {};
  if (!token.is_quoted) token.text = text_.substr(begin, at_ - begin);
  token.span = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_)};
  return token;
}

// The longest run that could belong to a number or a duration; what it is, is decided on the whole.
Token Lexer::number() {
  const std::size_t begin = at_;
  const bool hex = text_.substr(at_, 2) == "0x" || text_.substr(at_, 2) == "0X";
  while (at_ < text_.size()) {
    const char c = text_[at_];
    const bool fraction = c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    const bool sign = (c == '+' || c == '-') && !hex && at_ > begin &&
                      (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
    if (!is_word(c) && !fraction && !sign) break;
    ++at_;
  }
  std::string_view digits = text_.substr(begin, at_ - begin);
  Token token;
  token.kind = Token::Kind::literal;
  if (const auto duration = parse_duration(digits); duration && digits != "0") {
    token.value = *duration;
    return token;
  }
  const bool is_unsigned = digits.back() == 'u' || digits.back() == 'U';
  if (is_unsigned) digits.remove_suffix(1);
  return decimal(std::move(token), digits, is_unsigned);
}

Token Lexer::decimal(Token token, std::string_view digits, bool is_unsigned) {
  const std::size_t begin = at_ - digits.size() - (is_unsigned ? 1 : 0);
  const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
  const std::string_view bare = digits.substr(hex ? 2 : 0);
  const char* const end = bare.data() + bare.size();
  std::uint64_t whole = 0;
  const auto read = std::from_chars(bare.data(), end, whole, hex ? 16 : 10);
  if (!bare.empty() && read.ptr == end) {
    constexpr auto kHalf = std::uint64_t{1} << 63;
    if (read.ec != std::errc{} || (!is_unsigned && whole > kHalf))
      return fail(begin, at_, "'" + std::string(digits) + "' does not fit in 64 bits");
    token.is_number = !is_unsigned;
    token.is_smallest_int = !is_unsigned && whole == kHalf;
    token.value = is_unsigned ? Value(whole) : Value(static_cast<std::int64_t>(whole));
    return token;
  }
  double real = 0;
  const auto real_read = std::from_chars(bare.data(), end, real);
  if (hex || is_unsigned || real_read.ptr != end || bare.empty()) {
    return fail(begin, at_,
                "'" + std::string(text_.substr(begin, at_ - begin)) +
                    "' is neither a number nor a duration; write a duration like 30s, 5m, 1h30m "
                    "or 250ms");
  }
  if (real_read.ec != std::errc{})
    return fail(begin, at_, "'" + std::string(digits) + "' does not fit in a double");
  token.is_number = true;
  token.value = real;
  return token;
}

// A field whose name is no word: headers.`content-type`.
Token Lexer::quoted_name() {
  const std::size_t begin = at_;
  const std::size_t end = text_.find('`', begin + 1);
  if (end == std::string_view::npos)
    return fail(begin, begin + 1, "this name is not closed; ` is missing at its end");
  Token token;
  token.kind = Token::Kind::identifier;
  token.is_quoted = true;
  token.text = text_.substr(begin + 1, end - begin - 1);
  const auto belongs = [](char c) {
    return is_word(c) || std::string_view("-./ ").find(c) != std::string_view::npos;
  };
  if (token.text.empty() || !std::all_of(token.text.begin(), token.text.end(), belongs))
    return fail(begin, end + 1,
                "between ` there are letters, digits, _, -, ., / and blanks; write ['...'] for "
                "another key");
  at_ = end + 1;
  return token;
}

Token Lexer::string(bool raw, bool bytes) {
  const std::size_t begin = at_;
  const char quote = text_[at_];
  const std::string three(3, quote);
  const bool is_long = text_.substr(at_, 3) == three;
  const std::string closing = is_long ? three : std::string(1, quote);
  std::size_t at = at_ + closing.size();
  std::string out;
  while (at < text_.size() && text_.substr(at, closing.size()) != closing) {
    if (!is_long && (text_[at] == '\n' || text_[at] == '\r')) break;
    if (text_[at] == '\\' && !raw) {
      if (!escape(out, at, bytes)) return {};
    } else {
      out += text_[at++];
    }
  }
  if (text_.substr(at, closing.size()) != closing)
    return fail(begin, begin + closing.size(),
                "this string is not closed; " + closing + " is missing at its end");
  at_ = at + closing.size();
  Token token;
  token.kind = Token::Kind::literal;
  token.value = bytes ? Value(Bytes{std::move(out)}) : Value(std::move(out));
  return token;
}

bool Lexer::escape(std::string& out, std::size_t& at, bool bytes) {
  constexpr std::string_view kNames = "abfnrtv\\?\"'`";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
  const std::size_t begin = at;
  const char name = at + 1 < text_.size() ? text_[at + 1] : '\0';
  at += 2;
  if (const auto found = kNames.find(name); name != '\0' && found != std::string_view::npos) {
    out += kMeanings[found];
    return true;
  }
  const auto unit = code_unit(name, at);
  if (unit && bytes && name != 'u' && name != 'U') {
    out += static_cast<char>(*unit);
    return true;
  }
  if (unit && !bytes && *unit <= 0x10ffff && !is_surrogate(*unit)) {
    append_utf8(out, *unit);
    return true;
  }
  fail(begin, std::min(begin + 2, text_.size()),
       unit && bytes
           ? "bytes have no \\u; write each byte, as in \\xc3\\xbf"
           : "this is not an escape sequence; write \\\\ for a backslash, or r'...' for a "
             "string without escapes");
  return false;
}

// The number of an escape; of two surrogates, the character that they stand for.
std::optional<std::uint32_t> Lexer::code_unit(char name, std::size_t& at) const {
  if (name == 'x' || name == 'X') return digits(at, 16, 2);
  if (name >= '0' && name <= '3') return digits(--at, 8, 3);
  if (name == 'U') return digits(at, 16, 8);
  if (name != 'u') return std::nullopt;
  const auto high = digits(at, 16, 4);
  if (!high || *high < 0xd800 || *high > 0xdbff || text_.substr(at, 2) != "\\u") return high;
  std::size_t next = at + 2;
  const auto low = digits(next, 16, 4);
  if (!low || *low < 0xdc00 || *low > 0xdfff) return high;
  at = next;
  return 0x10000 + ((*high - 0xd800) << 10) + (*low - 0xdc00);
}

std::optional<std::uint32_t> Lexer::digits(std::size_t& at, int base, std::size_t count) const {
  const std::string_view text = text_.substr(std::min(at, text_.size()), count);
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number, base);
  if (text.size() != count || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  at += count;
  return number;
}

Token Lexer::symbol() {
  constexpr std::array<std::string_view, 6> kPairs{"&&", "||", "==", "!=", "<=", ">="};
  constexpr std::string_view kSingles = "()[]{}.,:?+-*/%!<>";
  const std::string_view rest = text_.substr(at_);
  Token token;
  token.kind = Token::Kind::symbol;
  if (std::find(kPairs.begin(), kPairs.end(), rest.substr(0, 2)) != kPairs.end()) {
    at_ += 2;
    return token;
  }
  if (kSingles.find(rest[0]) != std::string_view::npos) {
    ++at_;
    return token;
  }
  const std::size_t begin = at_;
  if (rest[0] == '=') return fail(begin, begin + 1, "a comparison is written ==");
  if (rest[0] == '&') return fail(begin, begin + 1, "'and' is written &&");
  if (rest[0] == '|') return fail(begin, begin + 1, "'or' is written ||");
  std::size_t size = 1;  // a character may be several bytes
  while (size < rest.size() && (static_cast<unsigned char>(rest[size]) & 0xc0) == 0x80) ++size;
  return fail(begin, begin + size,
              "unexpected character '" + escape_line(rest.substr(0, size)) + "'");
}

}  // namespace firebreak::cel
