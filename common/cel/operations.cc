// Arithmetic that never overflows silently, and comparisons across the types of numbers.
#include "common/cel/operations.h"

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

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

Value moment(std::int64_t seconds, std::int64_t nanos, Op op, const Value& a, const Value& b) {
  if (!is_in_range(seconds))
    return Error{to_string(a) + " " + symbol_of(op) + " " + to_string(b) +
                 " is outside of the years 1 to 9999"};
  return Timestamp{seconds, static_cast<std::int32_t>(nanos)};
}

// timestamp + duration, timestamp - duration.
Value shifted(Op op, const Value& a, const Value& b) {
  const Timestamp& at = (a.is(Kind::timestamp) ? a : b).as_timestamp();
  const auto by = (a.is(Kind::timestamp) ? b : a).as_nanoseconds().count();
  const std::int64_t sign = op == Op::subtract ? -1 : 1;  // of the parts: -by may not fit
  std::int64_t seconds = at.seconds + sign * (by / kNanosPerSecond);
  std::int64_t nanos = at.nanos + sign * (by % kNanosPerSecond);
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  } else if (nanos >= kNanosPerSecond) {
    nanos -= kNanosPerSecond;
    ++seconds;
  }
  return moment(seconds, nanos, op, a, b);
}

Value between(Op op, const Value& a, const Value& b) {
  std::int64_t seconds = a.as_timestamp().seconds - b.as_timestamp().seconds;
  std::int64_t nanos = a.as_timestamp().nanos - b.as_timestamp().nanos;
  if (seconds < 0 && nanos > 0) {  // of one sign, so that no step overflows but the last
    ++seconds;
    nanos -= kNanosPerSecond;
  } else if (seconds > 0 && nanos < 0) {
    --seconds;
    nanos += kNanosPerSecond;
  }
  const auto whole = exact(Op::multiply, seconds, kNanosPerSecond);
  const auto sum = whole ? exact(Op::add, *whole, nanos) : std::nullopt;
  return sum ? Value(std::chrono::nanoseconds(*sum)) : overflow(op, a, b);
}

Value time_arithmetic(Op op, const Value& a, const Value& b) {
  const bool first = a.is(Kind::timestamp);
  const bool second = b.is(Kind::timestamp);
  const bool meaningful =
      op == Op::add ? !(first && second) : op == Op::subtract && first >= second;
  if (!meaningful) return no_overload(op, a, b);
  if (first && second) return between(op, a, b);
  if (first || second) return shifted(op, a, b);
  const auto out = exact(op, a.as_nanoseconds().count(), b.as_nanoseconds().count());
  return out ? Value(std::chrono::nanoseconds(*out)) : overflow(op, a, b);
}

Value concatenate(const Value& a, const Value& b, Budget& budget) {
  if (a.is(Kind::string)) {
    if (!budget.spend_bytes(a.as_string().size() + b.as_string().size())) return budget_error();
    return a.as_string() + b.as_string();
  }
  if (a.is(Kind::bytes)) {
    if (!budget.spend_bytes(a.as_bytes().size() + b.as_bytes().size())) return budget_error();
    return Bytes{a.as_bytes() + b.as_bytes()};
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
  const bool joins = a.is(Kind::string) || a.is(Kind::bytes) || a.is(Kind::list);
  if (op == Op::add && joins) return concatenate(a, b, budget);
  return no_overload(op, a, b);
}

Value contains(const Value& a, const Value& b, Budget& budget) {
  if (b.is(Kind::map)) return b.as_map().find(a) != b.as_map().end();
  if (!b.is(Kind::list)) return no_overload(Op::in, a, b);
  for (const Value& element : b.as_list())
    if (equal(a, element, budget)) return true;
  return budget.is_exhausted() ? budget_error() : Value(false);
}

bool equal_lists(const List& a, const List& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal(a[i], b[i], budget)) return false;
  return true;
}

bool equal_maps(const Map& a, const Map& b, Budget& budget) {
  if (a.size() != b.size()) return false;
  const KeyOrder is_before;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y)
    if (is_before(x->first, y->first) || is_before(y->first, x->first) ||
        !equal(x->second, y->second, budget))
      return false;
  return true;
}

}  // namespace

bool is_in_range(std::int64_t seconds) {
  constexpr std::int64_t kFirst = -62135596800;  // 0001-01-01T00:00:00Z
  constexpr std::int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z
  return seconds >= kFirst && seconds <= kLast;
}

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
  if (a.is(Kind::bytes))
    return a.as_bytes().size() == b.as_bytes().size() && budget.spend_bytes(a.as_bytes().size()) &&
           a.as_bytes() == b.as_bytes();
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
    case Kind::bytes:
      return a.as_bytes() <=> b.as_bytes();
    case Kind::duration:
      return a.as_nanoseconds() <=> b.as_nanoseconds();
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
  if (a.is(Kind::bytes) && !budget.spend_bytes(a.as_bytes().size())) return budget_error();
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
