// Takes a condition apart at its || and &&, and compares what is left.
#include "coordinator/policy/condition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

#include "common/limits.h"
#include "common/time.h"

namespace firebreak::policy {
namespace {

using Order = Atom::Order;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// The text with the insides of quotes and brackets blanked, so that operators can be looked for; of
// the same length. Nothing when it holds what only the real parser can tell apart.
std::optional<std::string> outline(std::string_view text) {
  for (const std::string_view hard : {"\\", "\"\"\"", "'''", "//", "?"})
    if (text.find(hard) != std::string_view::npos) return std::nullopt;
  std::string out(text);
  char quote = 0;
  int depth = 0;
  for (char& c : out) {
    const char was = c;
    if (quote != 0 || depth > 0) c = '_';
    if (quote != 0) {
      if (was == quote) quote = 0;
    } else if (was == '\'' || was == '"') {
      quote = was;
    } else if (was == '(' || was == '[' || was == '{') {
      ++depth;
    } else if (was == ')' || was == ']' || was == '}') {
      --depth;
    }
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string_view> split(std::string_view text, std::string_view at) {
  const auto flat = outline(text);
  if (!flat) return {trimmed(text)};
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t end = flat->find(at); end != std::string::npos; end = flat->find(at, begin)) {
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + at.size();
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

// Blanks outside of quotes go unless they part two words; either quote becomes the same.
std::string normal(std::string_view text) {
  std::string out;
  char quote = 0;
  bool blank = false;
  for (const char c : text) {
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      blank = true;
      continue;
    }
    if (blank && !out.empty() && is_word(out.back()) && is_word(c)) out += ' ';
    blank = false;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      out += '\x01';
    } else if (c == quote) {
      quote = 0;
      out += '\x01';
    } else {
      out += c;
    }
  }
  return out;
}

std::optional<Atom::Threshold> threshold_of(std::string_view limit, Order order) {
  Atom::Threshold threshold;
  threshold.order = order;
  // More digits than a double holds exactly are not compared.
  if (limit.empty() || limit.size() > 15) return std::nullopt;
  const auto read = std::from_chars(limit.data(), limit.data() + limit.size(), threshold.limit);
  if (read.ec == std::errc{} && read.ptr == limit.data() + limit.size()) return threshold;
  const auto duration = parse_duration(limit);
  if (!duration) return std::nullopt;
  threshold.limit = std::chrono::duration<double>(*duration).count();
  threshold.duration = true;
  return threshold;
}

Atom read_atom(std::string_view text) {
  Atom atom;
  atom.text = normal(text);
  const auto flat = outline(text);
  if (!flat) return atom;
  const std::size_t at = flat->find_first_of("<>");
  if (at == std::string::npos || flat->find_first_of("<>", at + 1) != std::string::npos ||
      flat->find_first_of("!", 1) != std::string::npos)
    return atom;
  const bool equal = flat->substr(at + 1, 1) == "=";
  if (flat->find('=', at + 2) != std::string::npos || flat->find("==") != std::string::npos)
    return atom;
  const bool greater = text[at] == '>';
  const Order order = greater ? (equal ? Order::greater_equal : Order::greater)
                              : (equal ? Order::less_equal : Order::less);
  atom.call = std::string(trimmed(text.substr(0, at)));
  atom.left = normal(atom.call);
  atom.threshold = threshold_of(trimmed(text.substr(at + (equal ? 2 : 1))), order);
  return atom;
}

bool is_upper(Order order) {
  return order == Order::greater || order == Order::greater_equal;
}

bool implies(const Atom& a, const Atom& b) {
  if (a.text == b.text) return true;
  if (!a.threshold || !b.threshold || a.left != b.left) return false;
  const Atom::Threshold& x = *a.threshold;
  const Atom::Threshold& y = *b.threshold;
  if (x.duration != y.duration || is_upper(x.order) != is_upper(y.order)) return false;
  const bool strict = x.order == Order::greater || x.order == Order::less;
  const bool wide = y.order == Order::greater_equal || y.order == Order::less_equal;
  if (x.limit == y.limit) return strict || wide;
  return is_upper(x.order) == (x.limit > y.limit);
}

// Shares are between 0 and 1; a percentage never is.
bool is_share(std::string_view left) {
  const auto flat = outline(left);
  if (!flat || flat->find('(') != flat->rfind('(')) return false;
  return left.ends_with(')') &&
         (left.starts_with("error_rate(") || left.starts_with("failing_share(") ||
          left.starts_with("failing_groups_share("));
}

bool is_impossible(const Atom& atom) {
  if (!atom.threshold || atom.threshold->duration || !is_share(atom.call)) return false;
  const double limit = atom.threshold->limit;
  switch (atom.threshold->order) {
    case Order::greater:
      return limit >= 1;
    case Order::greater_equal:
      return limit > 1;
    case Order::less:
      return limit <= 0;
    case Order::less_equal:
      return limit < 0;
  }
  return false;
}

// Knows nothing but the service's name.
class Nothing final : public cel::Activation {
 public:
  explicit Nothing(std::string service) : service_(std::move(service)) {}
  cel::Value variable(std::string_view path) const override {
    if (path == "service") return service_;
    return cel::Unknown{{std::string(path)}};
  }
  cel::Value call(int /*id*/, std::span<const cel::Value> /*arguments*/) const override {
    return cel::Unknown{{"a signal"}};
  }
  // There is no unknown answer to has(): whoever asks is not judged.
  bool has(std::string_view /*path*/) const override {
    asked_ = true;
    return false;
  }
  [[nodiscard]] bool asked() const { return asked_; }

 private:
  std::string service_;
  mutable bool asked_ = false;
};

}  // namespace

Condition::Condition(const cel::Program& program) : program_(program) {
  std::size_t atoms = 0;
  for (const std::string_view alternative : split(program.text(), "||")) {
    std::vector<Atom> all;
    for (const std::string_view part : split(alternative, "&&")) {
      all.push_back(read_atom(part));
      ++atoms;
    }
    any_.push_back(std::move(all));
  }
  if (atoms <= limits::kLintAtomsMax) return;
  // Compared as a whole: taken apart, it would cost the square of its parts.
  any_ = {{Atom{normal(program.text()), "", "", std::nullopt}}};
}

Constant Condition::constant(const ServiceName& service) const {
  const bool impossible = std::ranges::all_of(
      any_, [](const std::vector<Atom>& all) { return std::ranges::any_of(all, is_impossible); });
  if (impossible) return Constant::never;
  const Nothing nothing(service.str());
  const cel::Value value = program_.evaluate(nothing);
  if (nothing.asked()) return Constant::depends;
  if (value.is_true()) return Constant::always;
  return value.is_false() || value.is_error() ? Constant::never : Constant::depends;
}

bool Condition::implies(const Condition& other) const {
  return std::ranges::all_of(any_, [&](const std::vector<Atom>& mine) {
    return std::ranges::any_of(other.any_, [&](const std::vector<Atom>& theirs) {
      return std::ranges::all_of(theirs, [&](const Atom& wanted) {
        return std::ranges::any_of(mine,
                                   [&](const Atom& atom) { return policy::implies(atom, wanted); });
      });
    });
  });
}

}  // namespace firebreak::policy
