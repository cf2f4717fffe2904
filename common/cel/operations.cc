// Arithmetic that never overflows silently, and comparisons across the types of numbers.
#include "common/cel/operations.h"

#include <cmath>
#include <limits>
#include <utility>

#include "common/assert.h"
#include "common/limits.h"

namespace firebreak::cel {
namespace {

using Kind = Value::Kind;

Value no_overload(Op op, const Value& a, const Value& b) {
  return Error{std::string("there is no ") + to_string(a.kind()) + " " + symbol_of(op) + " " +
               to_string(b.kind())};
}

Value overflow(Op op, const Value& a, const Value& b) {
  return Error{std::string(to_string(a.kind())) + " overflow in " + to_string(a) + " " +
               symbol_of(op) + " " + to_string(b)};
}

template <class Integer>
std::optional<Integer> exact(Op op, Integer a, Integer b) {
  Integer out{};
  bool wrong = true;
  if (op == Op::add) wrong = __builtin_add_overflow(a, b, &out);
  if (op == Op::subtract) wrong = __builtin_sub_overflow(a, b, &out);
  if (op == Op::multiply) wrong = __builtin_mul_overflow(a, b, &out);
  return wrong ? std::nullopt : std::optional<Integer>(out);
}

template <class Integer>
Value arithmetic(Op op, const Value& va, const Value& vb, Integer a, Integer b) {
  if (op == Op::divide || op == Op::remainder) {
    if (b == 0) return Error{"division by zero in " + to_string(va) + " " + symbol_of(op) + " 0"};
    if constexpr (std::is_signed_v<Integer>)
      if (a == std::numeric_limits<Integer>::min() && b == -1) return overflow(op, va, vb);
    return op == Op::divide ? Value(a / b) : Value(a % b);
  }
  const auto out = exact(op, a, b);
  return out ? Value(*out) : overflow(op, va, vb);
}

Value arithmetic(Op op, const Value& va, const Value& vb, double a, double b) {
  if (op == Op::add) return a + b;
  if (op == Op::subtract) return a - b;
  if (op == Op::multiply) return a * b;
  if (op == Op::divide) return a / b;  // CEL: infinity or NaN, as IEEE 754 has it
  return no_overload(op, va, vb);
}

// Durations and moments, both in microseconds.
Value time_arithmetic(Op op, const Value& a, const Value& b) {
  const auto count = [](const Value& v) {
    return v.is(Kind::duration) ? v.as_duration().count() : unix_us(v.as_timestamp());
  };
  const bool first = a.is(Kind::timestamp);
  const bool second = b.is(Kind::timestamp);
  const bool meaningful =
      op == Op::add ? !(first && second) : op == Op::subtract && first >= second;
  if (!meaningful) return no_overload(op, a, b);
  const auto out = exact(op, count(a), count(b));
  if (!out) return overflow(op, a, b);
  return first != second ? Value(instant_from_unix_us(*out)) : Value(Duration{*out});
}

Value concatenate(const Value& a, const Value& b, Budget& budget) {
  if (a.is(Kind::string)) {
    if (!budget.spend_bytes(a.as_string().size() + b.as_string().size())) return budget_error();
    return a.as_string() + b.as_string();
  }
  if (!budget.spend(a.as_list().size() + b.as_list().size())) return budget_error();
  List out = a.as_list();
  out.insert(out.end(), b.as_list().begin(), b.as_list().end());
  return out;
}

Value calculate(Op op, const Value& a, const Value& b, Budget& budget) {
  const auto is_time = [](const Value& v) { return v.is(Kind::duration) || v.is(Kind::timestamp); };
  if (is_time(a) && is_time(b)) return time_arithmetic(op, a, b);
  if (a.kind() != b.kind()) return no_overload(op, a, b);
  if (a.is(Kind::integer)) return arithmetic(op, a, b, a.as_int(), b.as_int());
  if (a.is(Kind::unsigned_integer)) return arithmetic(op, a, b, a.as_uint(), b.as_uint());
  if (a.is(Kind::real)) return arithmetic(op, a, b, a.as_double(), b.as_double());
  if (op == Op::add && (a.is(Kind::string) || a.is(Kind::list))) return concatenate(a, b, budget);
  return no_overload(op, a, b);
}

Value contains(const Value& a, const Value& b, Budget& budget) {
  if (b.is(Kind::map)) {
    if (!a.is(Kind::string)) return false;
    return b.as_map().find(a.as_string()) != b.as_map().end();
  }
  if (!b.is(Kind::list)) return no_overload(Op::in, a, b);
  for (const Value& element : b.as_list())
    if (equal(a, element, budget)) return true;
  return budget.is_exhausted() ? budget_error() : Value(false);
}

// A double against an integer, exactly: converting the integer could round it.
template <class Integer>
std::partial_ordering compare_exactly(Integer a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  const double end =
      std::ldexp(1.0, std::numeric_limits<Integer>::digits);  // first beyond the type
  if (b >= end) return std::partial_ordering::less;
  if (b < static_cast<double>(std::numeric_limits<Integer>::min()))
    return std::partial_ordering::greater;
  const double whole = std::trunc(b);
  const auto integer = static_cast<Integer>(whole);
  if (a != integer)
    return a < integer ? std::partial_ordering::less : std::partial_ordering::greater;
  return 0.0 <=> (b - whole);
}

std::partial_ordering reversed(std::partial_ordering order) {
  return 0 <=> order;
}

std::partial_ordering compare_numbers(const Value& a, const Value& b) {
  if (a.is(Kind::real)) {
    if (b.is(Kind::real)) return a.as_double() <=> b.as_double();
    return reversed(compare_numbers(b, a));
  }
  if (b.is(Kind::real)) {
    return a.is(Kind::integer) ? compare_exactly(a.as_int(), b.as_double())
                               : compare_exactly(a.as_uint(), b.as_double());
  }
  if (a.kind() == b.kind())
    return a.is(Kind::integer) ? a.as_int() <=> b.as_int() : a.as_uint() <=> b.as_uint();
  if (b.is(Kind::integer)) return reversed(compare_numbers(b, a));
  if (std::cmp_less(a.as_int(), b.as_uint())) return std::partial_ordering::less;
  return std::cmp_equal(a.as_int(), b.as_uint()) ? std::partial_ordering::equivalent
                                                 : std::partial_ordering::greater;
}

bool equal_lists(const List& a, const List& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal(a[i], b[i], budget)) return false;
  return true;
}

bool equal_maps(const Map& a, const Map& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y)
    if (x->first != y->first || !equal(x->second, y->second, budget)) return false;
  return true;
}

}  // namespace

bool Budget::spend(std::size_t steps) {
  if (left_ < 0 || steps > static_cast<std::size_t>(left_)) {
    left_ = -1;
    return false;
  }
  left_ -= static_cast<std::int64_t>(steps);
  return true;
}

const Value& budget_error() {
  static const Value kError(Error{"the expression costs more than " +
                                  std::to_string(limits::kExprStepsMax) +
                                  " steps on these inputs; look at fewer elements"});
  return kError;
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  if (!budget.spend()) return false;
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::list)) return equal_lists(a.as_list(), b.as_list(), budget);
  if (a.is(Kind::map)) return equal_maps(a.as_map(), b.as_map(), budget);
  if (a.is(Kind::string))
    return a.as_string().size() == b.as_string().size() &&
           budget.spend_bytes(a.as_string().size()) && a.as_string() == b.as_string();
  return a == b;
}

std::optional<std::partial_ordering> compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  switch (a.kind()) {
    case Kind::boolean:
      return a.as_bool() <=> b.as_bool();
    case Kind::string:
      return a.as_string() <=> b.as_string();
    case Kind::duration:
      return a.as_duration() <=> b.as_duration();
    case Kind::timestamp:
      return a.as_timestamp() <=> b.as_timestamp();
    default:
      return std::nullopt;
  }
}

Value negate(const Value& a) {
  if (a.is(Kind::real)) return -a.as_double();
  if (!a.is(Kind::integer)) return Error{std::string("there is no -") + to_string(a.kind())};
  const auto out = exact(Op::subtract, std::int64_t{0}, a.as_int());
  return out ? Value(*out) : Value(Error{"int overflow in -(" + to_string(a) + ")"});
}

Value apply(Op op, const Value& a, const Value& b, Budget& budget) {
  if (op == Op::in) return contains(a, b, budget);
  if (op == Op::equal || op == Op::not_equal) {
    const bool same = equal(a, b, budget);
    return budget.is_exhausted() ? budget_error() : Value(same == (op == Op::equal));
  }
  if (op < Op::equal) return calculate(op, a, b, budget);
  if (a.is(Kind::string) && !budget.spend_bytes(a.as_string().size())) return budget_error();
  const auto order = compare(a, b);
  if (!order) return no_overload(op, a, b);
  if (op == Op::less) return *order < 0;
  if (op == Op::less_equal) return *order <= 0;
  if (op == Op::greater) return *order > 0;
  return *order >= 0;
}

const char* symbol_of(Op op) {
  switch (op) {
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    case Op::remainder:
      return "%";
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::equal:
      return "==";
    case Op::not_equal:
      return "!=";
    case Op::less:
      return "<";
    case Op::less_equal:
      return "<=";
    case Op::greater:
      return ">";
    case Op::greater_equal:
      return ">=";
    case Op::in:
      return "in";
    case Op::logical_and:
      return "&&";
    case Op::logical_or:
      return "||";
    default:
      break;
  }
  FB_ASSERT(false);
  return "";
}

}  // namespace firebreak::cel
