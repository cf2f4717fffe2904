// Conversions and the methods of strings, as CEL's standard definitions have them.
#include "common/cel/functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "common/assert.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

using Kind = Value::Kind;

std::vector<BuiltinDecl> declare() {
  using T = Type::Kind;
  std::vector<BuiltinDecl> out;
  const auto add = [&](Builtin builtin, Style style, const char* name, std::vector<Type> parameters,
                       Type result) {
    out.push_back(
        {builtin, style,
         FunctionDecl{name, std::move(parameters), std::move(result), static_cast<int>(builtin)}});
  };
  for (const T kind : {T::string, T::list, T::map})
    add(Builtin::size, Style::both, "size", {kind}, T::integer);
  add(Builtin::contains, Style::method, "contains", {T::string, T::string}, T::boolean);
  add(Builtin::starts_with, Style::method, "startsWith", {T::string, T::string}, T::boolean);
  add(Builtin::ends_with, Style::method, "endsWith", {T::string, T::string}, T::boolean);
  add(Builtin::matches, Style::both, "matches", {T::string, T::string}, T::boolean);
  const auto convert = [&](Builtin builtin, const char* name, std::initializer_list<T> sources,
                           T result) {
    for (const T source : sources) add(builtin, Style::function, name, {source}, result);
  };
  const auto i = T::integer, u = T::unsigned_integer, d = T::real, s = T::string;
  convert(Builtin::to_bool, "bool", {T::boolean, s}, T::boolean);
  convert(Builtin::to_int, "int", {i, u, d, s, T::timestamp}, i);
  convert(Builtin::to_uint, "uint", {i, u, d, s}, u);
  convert(Builtin::to_double, "double", {i, u, d, s}, d);
  convert(Builtin::to_string, "string", {s, T::boolean, i, u, d, T::duration, T::timestamp}, s);
  convert(Builtin::to_duration, "duration", {s, T::duration}, T::duration);
  convert(Builtin::to_timestamp, "timestamp", {s, i, T::timestamp}, T::timestamp);
  convert(Builtin::to_dyn, "dyn", {T::dyn}, T::dyn);
  return out;
}

Value no_overload(const char* name, const Value& argument) {
  return Error{std::string(name) + " does not take " + to_string(argument.kind())};
}

Value not_a(const char* what, const std::string& text) {
  return Error{"'" + escape_line(text, 64) + "' is not " + what};
}

template <class Number>
std::optional<Number> read(const std::string& text) {
  Number out{};
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return out;
}

Value size_of(const Value& v, Budget& budget) {
  if (v.is(Kind::list)) return static_cast<std::int64_t>(v.as_list().size());
  if (v.is(Kind::map)) return static_cast<std::int64_t>(v.as_map().size());
  if (!v.is(Kind::string)) return no_overload("size", v);
  if (!budget.spend_bytes(v.as_string().size())) return budget_error();
  const std::string& s = v.as_string();  // in characters: every byte but those that continue one
  return std::count_if(s.begin(), s.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

Value search(Builtin builtin, const Value& text, const Value& part, const re2::RE2* pattern,
             Budget& budget) {
  if (!text.is(Kind::string) || !part.is(Kind::string))
    return Error{"the methods of a string do not take " +
                 std::string(to_string((text.is(Kind::string) ? part : text).kind()))};
  const std::string& s = text.as_string();
  const std::string& p = part.as_string();
  // The plain search may look at every byte of the part for every byte of the text.
  const std::size_t cost = builtin == Builtin::contains  ? s.size() * (1 + p.size() / 64)
                           : builtin == Builtin::matches ? s.size() * 16
                                                         : p.size();
  if (!budget.spend_bytes(cost)) return budget_error();
  if (builtin == Builtin::contains) return s.find(p) != std::string::npos;
  if (builtin == Builtin::starts_with) return s.starts_with(p);
  if (builtin == Builtin::ends_with) return s.ends_with(p);
  FB_ASSERT(pattern != nullptr);
  return re2::RE2::PartialMatch(s, *pattern);
}

Value to_bool(const Value& v) {
  constexpr std::array<std::string_view, 5> kTrue{"true", "TRUE", "True", "t", "1"};
  constexpr std::array<std::string_view, 5> kFalse{"false", "FALSE", "False", "f", "0"};
  if (v.is(Kind::boolean)) return v;
  if (!v.is(Kind::string)) return no_overload("bool", v);
  const std::string& s = v.as_string();
  if (std::find(kTrue.begin(), kTrue.end(), s) != kTrue.end()) return true;
  if (std::find(kFalse.begin(), kFalse.end(), s) != kFalse.end()) return false;
  return not_a("a bool; write true or false", s);
}

Value to_int(const Value& v) {
  const auto out_of_range = [&] { return Error{to_string(v) + " does not fit in an int"}; };
  switch (v.kind()) {
    case Kind::integer:
      return v;
    case Kind::unsigned_integer:
      if (!std::in_range<std::int64_t>(v.as_uint())) return out_of_range();
      return static_cast<std::int64_t>(v.as_uint());
    case Kind::real:  // NaN fails both comparisons
      if (!(v.as_double() > -0x1p63 && v.as_double() < 0x1p63)) return out_of_range();
      return static_cast<std::int64_t>(v.as_double());
    case Kind::timestamp:
      return std::chrono::floor<std::chrono::seconds>(v.as_timestamp().time_since_epoch()).count();
    case Kind::string: {
      const auto number = read<std::int64_t>(v.as_string());
      return number ? Value(*number) : not_a("an int", v.as_string());
    }
    default:
      return no_overload("int", v);
  }
}

Value to_uint(const Value& v) {
  const auto out_of_range = [&] { return Error{to_string(v) + " does not fit in a uint"}; };
  switch (v.kind()) {
    case Kind::unsigned_integer:
      return v;
    case Kind::integer:
      if (v.as_int() < 0) return out_of_range();
      return static_cast<std::uint64_t>(v.as_int());
    case Kind::real:
      if (!(v.as_double() > -1 && v.as_double() < 0x1p64)) return out_of_range();
      return static_cast<std::uint64_t>(v.as_double());
    case Kind::string: {
      const auto number = read<std::uint64_t>(v.as_string());
      return number ? Value(*number) : not_a("a uint", v.as_string());
    }
    default:
      return no_overload("uint", v);
  }
}

Value to_double(const Value& v) {
  switch (v.kind()) {
    case Kind::real:
      return v;
    case Kind::integer:
      return static_cast<double>(v.as_int());
    case Kind::unsigned_integer:
      return static_cast<double>(v.as_uint());
    case Kind::string: {
      const auto number = read<double>(v.as_string());
      return number ? Value(*number) : not_a("a double", v.as_string());
    }
    default:
      return no_overload("double", v);
  }
}

// At most six digits, none of them a zero at the end: ".5", or nothing.
std::string fraction(std::int64_t microseconds) {
  if (microseconds == 0) return {};
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), ".%06d", static_cast<int>(microseconds));
  std::string out = buffer.data();
  out.erase(out.find_last_not_of('0') + 1);
  return out;
}

std::string in_seconds(Duration duration) {
  const std::int64_t us = duration.count();
  const auto rest = us % 1'000'000;
  return (us < 0 ? "-" : "") + std::to_string(std::abs(us / 1'000'000)) + fraction(std::abs(rest)) +
         "s";
}

std::string rfc3339(Instant at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  return format_strftime(seconds, "%Y-%m-%dT%H:%M:%S") + fraction((at - seconds).count()) + "Z";
}

Value to_string_value(const Value& v) {
  switch (v.kind()) {
    case Kind::string:
      return v;
    case Kind::boolean:
    case Kind::integer:
      return to_string(v);
    case Kind::unsigned_integer:
      return std::to_string(v.as_uint());
    case Kind::real: {
      std::array<char, 32> buffer{};
      char* const end =
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.as_double()).ptr;
      return std::string(buffer.data(), end);
    }
    case Kind::duration:
      return in_seconds(v.as_duration());
    case Kind::timestamp:
      return rfc3339(v.as_timestamp());
    default:
      return no_overload("string", v);
  }
}

Value to_duration(const Value& v) {
  if (v.is(Kind::duration)) return v;
  if (!v.is(Kind::string)) return no_overload("duration", v);
  std::string_view text = v.as_string();
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto parsed = parse_duration(text);
  if (!parsed) return Error{parsed.error().message};
  return negative ? -*parsed : *parsed;
}

Value to_timestamp(const Value& v) {
  if (v.is(Kind::timestamp)) return v;
  if (v.is(Kind::integer)) {
    constexpr std::int64_t kFirst = -62135596800;  // 0001-01-01
    constexpr std::int64_t kLast = 253402300799;   // 9999-12-31T23:59:59
    if (v.as_int() < kFirst || v.as_int() > kLast)
      return Error{to_string(v) + " s is outside of the years 1 to 9999"};
    return instant_from_unix_us(v.as_int() * 1'000'000);
  }
  if (!v.is(Kind::string)) return no_overload("timestamp", v);
  const auto parsed = parse_timestamp(v.as_string());
  return parsed ? Value(*parsed)
                : not_a("a timestamp; write it like 2026-11-21T03:14:07Z", v.as_string());
}

// Reads digits of a fixed width; -1 when they are not digits.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  int out = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    out = out * 10 + (text[i] - '0');
  }
  return out;
}

// "Z" or "+01:00" as seconds east.
std::optional<int> zone_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = digits(text, 1, 2);
  const int minutes = digits(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::span<const BuiltinDecl> builtins() {
  static const std::vector<BuiltinDecl> kBuiltins = declare();
  return kBuiltins;
}

bool is_conversion(Builtin builtin) {
  return builtin >= Builtin::to_bool;
}

Value call_builtin(Builtin builtin, std::span<const Value> arguments, const re2::RE2* pattern,
                   Budget& budget) {
  const Value& first = arguments[0];
  switch (builtin) {
    case Builtin::size:
      return size_of(first, budget);
    case Builtin::contains:
    case Builtin::starts_with:
    case Builtin::ends_with:
    case Builtin::matches:
      return search(builtin, first, arguments[1], pattern, budget);
    case Builtin::to_bool:
      return to_bool(first);
    case Builtin::to_int:
      return to_int(first);
    case Builtin::to_uint:
      return to_uint(first);
    case Builtin::to_double:
      return to_double(first);
    case Builtin::to_string:
      return to_string_value(first);
    case Builtin::to_duration:
      return to_duration(first);
    case Builtin::to_timestamp:
      return to_timestamp(first);
    case Builtin::to_dyn:
      return first;
  }
  FB_ASSERT(false);
  return {};
}

std::optional<Instant> parse_timestamp(std::string_view text) {
  using namespace std::chrono;
  const int y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2);
  const int h = digits(text, 11, 2), mi = digits(text, 14, 2), s = digits(text, 17, 2);
  if (y < 1 || mo < 1 || d < 1 || h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 59)
    return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':')
    return std::nullopt;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo)},
                            day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  std::string_view rest = text.substr(19);
  std::int64_t us = 0;
  if (rest.starts_with('.')) {
    const std::size_t size = std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1;
    if (size == 0 || size > 9) return std::nullopt;  // nanoseconds are read and cut
    const std::string padded =
        std::string(rest.substr(1, std::min<std::size_t>(size, 6))) + "000000";
    us = digits(padded, 0, 6);
    rest.remove_prefix(1 + size);
  }
  const auto east = zone_offset(rest);
  if (!east) return std::nullopt;
  const auto at = sys_days{date}.time_since_epoch() + hours{h} + minutes{mi} + seconds{s - *east};
  return Instant{duration_cast<Duration>(at) + Duration{us}};
}

}  // namespace firebreak::cel
