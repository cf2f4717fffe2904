// Comparing and showing values.
#include "common/cel/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "common/assert.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

constexpr std::size_t kShownBytesMax = 4096;

std::string shown_double(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  const bool looks_like_int = text.find_first_not_of("-0123456789") == std::string::npos;
  return looks_like_int ? text + ".0" : text;
}

std::string quoted(const std::string& text) {
  return "'" + escape_line(text) + "'";
}

// Every byte that is not a plain character is written as \xff, a backslash and a quote too.
std::string shown_bytes(const std::string& bytes) {
  std::string out = "b'";
  for (const char c : bytes) {
    if (out.size() >= kShownBytesMax) break;
    const bool plain = c >= ' ' && c <= '~' && c != '\\' && c != '\'';
    if (plain) {
      out += c;
      continue;
    }
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned char>(c));
    out += escape.data();
  }
  return out + "'";
}

// A literal has no nanoseconds.
std::string shown_duration(const Value& value) {
  const bool whole = value.as_nanoseconds() == value.as_duration();
  return whole ? format_duration(value.as_duration())
               : "duration('" + to_seconds(value.as_nanoseconds()) + "')";
}

// ".5", or nothing: no zero at the end.
std::string fraction(std::int64_t nanos) {
  if (nanos == 0) return {};
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), ".%09d", static_cast<int>(nanos));
  std::string out = buffer.data();
  out.erase(out.find_last_not_of('0') + 1);
  return out;
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

// Which keys come first; those of one group are compared by value.
int group_of(const Value& key) {
  if (key.is(Value::Kind::boolean)) return 0;
  if (key.is_number()) return 1;
  return key.is(Value::Kind::string) ? 2 : 3;
}

bool is_nan(const Value& value) {
  return value.is(Value::Kind::real) && std::isnan(value.as_double());
}

// Elements may be shared over and over ([x, x] of [y, y] ...), so that the size of a list says
// little about the size of its text: `out` is watched instead.
void show(const Value& value, std::string& out);

void show_list(const List& list, std::string& out) {
  out += "[";
  for (std::size_t i = 0; i < list.size() && out.size() < kShownBytesMax; ++i) {
    if (i > 0) out += ", ";
    show(list[i], out);
  }
  out += "]";
}

void show_map(const Map& map, std::string& out) {
  out += "{";
  bool first = true;
  for (const auto& [key, value] : map) {
    if (out.size() >= kShownBytesMax) break;
    if (!first) out += ", ";
    first = false;
    show(key, out);
    out += ": ";
    show(value, out);
  }
  out += "}";
}

void show(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Value::Kind::integer:
      out += std::to_string(value.as_int());
      return;
    case Value::Kind::unsigned_integer:
      out += std::to_string(value.as_uint()) + "u";
      return;
    case Value::Kind::real:
      out += shown_double(value.as_double());
      return;
    case Value::Kind::string:
      out += quoted(value.as_string());
      return;
    case Value::Kind::bytes:
      out += shown_bytes(value.as_bytes());
      return;
    case Value::Kind::duration:
      out += shown_duration(value);
      return;
    case Value::Kind::timestamp:
      out += to_rfc3339(value.as_timestamp());
      return;
    case Value::Kind::list:
      return show_list(value.as_list(), out);
    case Value::Kind::map:
      return show_map(value.as_map(), out);
    case Value::Kind::error:
      out += "error: " + escape_line(value.as_error().message);
      return;
    case Value::Kind::unknown: {
      const auto& missing = value.as_unknown().missing;
      out += missing.empty()
                 ? "unknown"
                 : "unknown (" + escape_line(join_words({missing.begin(), missing.end()})) + ")";
      return;
    }
  }
}

}  // namespace

void Value::wrong_kind() {
  assertion_failed("a cel::Value is asked for the kind that it holds", __FILE__, __LINE__);
}

std::chrono::nanoseconds Value::to_nanoseconds(Duration duration) {
  using std::chrono::nanoseconds;
  constexpr auto kMost = std::chrono::duration_cast<Duration>(nanoseconds::max());
  if (duration > kMost) return nanoseconds::max();
  return duration < -kMost ? nanoseconds::min() : nanoseconds(duration);
}

Timestamp Value::to_timestamp(Instant at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at.time_since_epoch());
  const std::chrono::nanoseconds rest = at.time_since_epoch() - seconds;
  return {seconds.count(), static_cast<std::int32_t>(rest.count())};
}

std::partial_ordering compare_numbers(const Value& a, const Value& b) {
  using Kind = Value::Kind;
  if (a.is(Kind::real)) {
    if (b.is(Kind::real)) return a.as_double() <=> b.as_double();
    return 0 <=> compare_numbers(b, a);
  }
  if (b.is(Kind::real)) {
    return a.is(Kind::integer) ? compare_exactly(a.as_int(), b.as_double())
                               : compare_exactly(a.as_uint(), b.as_double());
  }
  if (a.kind() == b.kind())
    return a.is(Kind::integer) ? a.as_int() <=> b.as_int() : a.as_uint() <=> b.as_uint();
  if (b.is(Kind::integer)) return 0 <=> compare_numbers(b, a);
  if (std::cmp_less(a.as_int(), b.as_uint())) return std::partial_ordering::less;
  return std::cmp_equal(a.as_int(), b.as_uint()) ? std::partial_ordering::equivalent
                                                 : std::partial_ordering::greater;
}

// A NaN is no key, but one may be looked up: it comes before every number, so that the order holds.
bool KeyOrder::operator()(const Value& a, const Value& b) const {
  const int group = group_of(a);
  if (group != group_of(b)) return group < group_of(b);
  if (group == 0) return !a.as_bool() && b.as_bool();
  if (group == 2) return a.as_string() < b.as_string();
  if (group == 3) return a.kind() < b.kind();
  if (is_nan(a) || is_nan(b)) return is_nan(a) && !is_nan(b);
  return compare_numbers(a, b) < 0;
}

std::strong_ordering KeyOrder::compare_with_text(const Value& a, std::string_view b) {
  if (!a.is(Value::Kind::string)) return group_of(a) <=> 2;
  return std::string_view(a.as_string()) <=> b;
}

std::string to_seconds(std::chrono::nanoseconds duration) {
  const std::int64_t nanos = duration.count();
  const auto rest = nanos % 1'000'000'000;
  return (nanos < 0 ? "-" : "") + std::to_string(std::abs(nanos / 1'000'000'000)) +
         fraction(std::abs(rest)) + "s";
}

std::string to_rfc3339(const Timestamp& at) {
  using namespace std::chrono;
  const sys_seconds seconds{std::chrono::seconds(at.seconds)};
  const auto day = floor<days>(seconds);
  const year_month_day date{day};
  const hh_mm_ss time{seconds - day};
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return buffer.data() + fraction(at.nanos) + "Z";
}

bool operator==(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::string:
      return a.as_string() == b.as_string();
    case Value::Kind::bytes:
      return a.as_bytes() == b.as_bytes();
    case Value::Kind::list:
      return a.as_list() == b.as_list();
    case Value::Kind::map:
      return a.as_map() == b.as_map();
    case Value::Kind::error:
      return a.as_error() == b.as_error();
    case Value::Kind::unknown:
      return a.as_unknown() == b.as_unknown();
    default:
      return a.data_ == b.data_;
  }
}

const char* to_string(Value::Kind kind) {
  constexpr std::array<const char*, 13> kNames{"null",   "bool",  "int",      "uint",      "double",
                                               "string", "bytes", "duration", "timestamp", "list",
                                               "map",    "error", "unknown"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_string(const Value& value) {
  std::string out;
  show(value, out);
  if (out.size() <= kShownBytesMax) return out;
  return to_valid_utf8(out, kShownBytesMax) + "…";
}

}  // namespace firebreak::cel
