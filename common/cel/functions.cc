// Conversions and the methods of strings and times, as CEL's standard definitions have them.
#include "common/cel/functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "common/assert.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

using Kind = Value::Kind;

struct Accessor {
  Builtin builtin;
  const char* name;
  bool of_durations_too;
};
constexpr std::array<Accessor, 10> kAccessors{{
    {Builtin::get_full_year, "getFullYear", false},
    {Builtin::get_month, "getMonth", false},
    {Builtin::get_date, "getDate", false},
    {Builtin::get_day_of_month, "getDayOfMonth", false},
    {Builtin::get_day_of_week, "getDayOfWeek", false},
    {Builtin::get_day_of_year, "getDayOfYear", false},
    {Builtin::get_hours, "getHours", true},
    {Builtin::get_minutes, "getMinutes", true},
    {Builtin::get_seconds, "getSeconds", true},
    {Builtin::get_milliseconds, "getMilliseconds", true},
}};

std::vector<BuiltinDecl> declare() {
  using T = Type::Kind;
  std::vector<BuiltinDecl> out;
  const auto add = [&](Builtin builtin, Style style, const char* name, std::vector<Type> parameters,
                       Type result) {
    out.push_back(
        {builtin, style,
         FunctionDecl{name, std::move(parameters), std::move(result), static_cast<int>(builtin)}});
  };
  for (const Accessor& each : kAccessors) {
    add(each.builtin, Style::method, each.name, {T::timestamp}, T::integer);
    add(each.builtin, Style::method, each.name, {T::timestamp, T::string}, T::integer);
    if (each.of_durations_too)
      add(each.builtin, Style::method, each.name, {T::duration}, T::integer);
  }
  for (const T kind : {T::string, T::bytes, T::list, T::map})
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
  convert(Builtin::to_string, "string",
          {s, T::boolean, i, u, d, T::bytes, T::duration, T::timestamp}, s);
  convert(Builtin::to_bytes, "bytes", {T::bytes, s}, T::bytes);
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
  if (v.is(Kind::bytes)) return static_cast<std::int64_t>(v.as_bytes().size());
  if (!v.is(Kind::string)) return no_overload("size", v);
  if (!budget.spend_bytes(v.as_string().size())) return budget_error();
  const std::string& s = v.as_string();  // in characters: every byte but those that continue one
  return std::count_if(s.begin(), s.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

constexpr std::size_t kPatternSteps = 10'000;  // compiling one takes milliseconds

// A pattern that is only known now is paid for before it is compiled.
Value matches(const std::string& text, const std::string& pattern, const re2::RE2* prepared,
              Budget& budget) {
  if (prepared != nullptr) return re2::RE2::PartialMatch(text, *prepared);
  if (!budget.spend(kPatternSteps + pattern.size() * 64)) return budget_error();
  std::string problem;
  const auto compiled = compile_pattern(pattern, problem);
  if (!compiled) return Error{"this is not a regular expression (RE2): " + escape_line(problem)};
  return re2::RE2::PartialMatch(text, *compiled);
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
  return matches(s, p, pattern, budget);
}

// The whole of a duration in a unit; of milliseconds only what is left of a second.
Value part_of_duration(Builtin builtin, std::chrono::nanoseconds duration) {
  using namespace std::chrono;
  switch (builtin) {
    case Builtin::get_hours:
      return duration_cast<hours>(duration).count();
    case Builtin::get_minutes:
      return duration_cast<minutes>(duration).count();
    case Builtin::get_seconds:
      return duration_cast<seconds>(duration).count();
    case Builtin::get_milliseconds:
      return duration_cast<milliseconds>(duration).count() % 1000;
    default:
      return no_overload("this method", Value(duration));
  }
}

Value part_of_date(Builtin builtin, std::chrono::sys_days day) {
  using namespace std::chrono;
  const year_month_day date{day};
  switch (builtin) {
    case Builtin::get_full_year:
      return static_cast<int>(date.year());
    case Builtin::get_month:
      return static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    case Builtin::get_date:
      return static_cast<int>(static_cast<unsigned>(date.day()));
    case Builtin::get_day_of_month:
      return static_cast<int>(static_cast<unsigned>(date.day())) - 1;
    case Builtin::get_day_of_week:
      return static_cast<int>(weekday{day}.c_encoding());
    default:
      return (day - sys_days{date.year() / January / 1}).count();
  }
}

Value part_of_timestamp(Builtin builtin, const Timestamp& at, std::int64_t seconds_east) {
  using namespace std::chrono;
  if (builtin == Builtin::get_milliseconds) return at.nanos / 1'000'000;
  const sys_seconds local{seconds(at.seconds + seconds_east)};
  const sys_days day = floor<days>(local);
  const auto time = local - day;
  if (builtin == Builtin::get_hours) return duration_cast<hours>(time).count();
  if (builtin == Builtin::get_minutes) return duration_cast<minutes>(time).count() % 60;
  if (builtin == Builtin::get_seconds) return time.count() % 60;
  return part_of_date(builtin, day);
}

Value access(Builtin builtin, std::span<const Value> arguments, const Zone* zone) {
  const Value& of = arguments[0];
  if (of.is(Kind::duration) && arguments.size() == 1)
    return part_of_duration(builtin, of.as_nanoseconds());
  if (!of.is(Kind::timestamp)) return no_overload("a method of timestamps", of);
  const Timestamp& at = of.as_timestamp();
  if (arguments.size() == 1) return part_of_timestamp(builtin, at, 0);
  if (zone != nullptr) return part_of_timestamp(builtin, at, zone->seconds_east(at.seconds));
  if (!arguments[1].is(Kind::string)) return no_overload("a time zone", arguments[1]);
  const auto east = fixed_zone(arguments[1].as_string());
  if (!east)
    return Error{"'" + escape_line(arguments[1].as_string(), 64) +
                 "' is not an offset like +01:00; the name of a time zone must be written out"};
  return part_of_timestamp(builtin, at, *east);
}

// What a conversion reads or copies.
std::size_t size_to_read(const Value& v) {
  if (v.is(Kind::string)) return v.as_string().size();
  return v.is(Kind::bytes) ? v.as_bytes().size() : 0;
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
      return v.as_timestamp().seconds;
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
      if (!(v.as_double() >= 0 && v.as_double() < 0x1p64)) return out_of_range();
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

bool is_utf8(const std::string& bytes) {
  return to_valid_utf8(bytes, bytes.size()) == bytes;
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
      if (!std::isfinite(v.as_double())) return to_string(v);
      std::array<char, 32> buffer{};
      char* const end =
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.as_double()).ptr;
      return std::string(buffer.data(), end);
    }
    case Kind::bytes:
      if (!is_utf8(v.as_bytes())) return Error{"these bytes are not valid UTF-8"};
      return v.as_bytes();
    case Kind::duration:
      return to_seconds(v.as_nanoseconds());
    case Kind::timestamp:
      return to_rfc3339(v.as_timestamp());
    default:
      return no_overload("string", v);
  }
}

Value to_bytes(const Value& v) {
  if (v.is(Kind::bytes)) return v;
  return v.is(Kind::string) ? Value(Bytes{v.as_string()}) : no_overload("bytes", v);
}

struct Unit {
  std::string_view name;
  std::uint64_t nanos;
};
constexpr std::array<Unit, 7> kUnits{{{"d", 86'400'000'000'000},  // ours, as in a literal
                                      {"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

// Takes the digits off the front.
std::string_view take_digits(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view out = text.substr(0, size);
  text.remove_prefix(size);
  return out;
}

// The nanoseconds of ".5" of a unit, cut below one.
std::uint64_t part_of_unit(std::string_view digits, std::uint64_t unit) {
  long double part = 0;
  long double scale = 1;
  for (const char c : digits.substr(0, 18)) {  // as many as its 64 bits hold exactly
    part = part * 10 + (c - '0');
    scale *= 10;
  }
  return static_cast<std::uint64_t>(part * static_cast<long double>(unit) / scale);
}

// One "1.5h" off the front of the text. False when it is none.
bool take_part(std::string_view& text, std::uint64_t& nanos, bool& overflows) {
  const std::string_view whole = take_digits(text);
  std::string_view decimals;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    decimals = take_digits(text);
  }
  if (whole.empty() && decimals.empty()) return false;
  const std::string_view name =
      text.substr(0, std::min(text.find_first_of("0123456789."), text.size()));
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [&](const Unit& each) { return each.name == name; });
  if (unit == kUnits.end()) return false;
  text.remove_prefix(name.size());
  std::uint64_t count = 0;
  const auto read = std::from_chars(whole.data(), whole.data() + whole.size(), count);
  overflows |= !whole.empty() && read.ec != std::errc{};
  overflows |= __builtin_mul_overflow(count, unit->nanos, &count);
  overflows |= __builtin_add_overflow(count, part_of_unit(decimals, unit->nanos), &count);
  overflows |= __builtin_add_overflow(nanos, count, &nanos);
  return true;
}

Value to_duration(const Value& v) {
  if (v.is(Kind::duration)) return v;
  if (!v.is(Kind::string)) return no_overload("duration", v);
  const auto parsed = parse_any_duration(v.as_string());
  return parsed ? *parsed : not_a("a duration; write it like 90s, 1h30m or 1.5h", v.as_string());
}

Value to_timestamp(const Value& v) {
  if (v.is(Kind::timestamp)) return v;
  if (v.is(Kind::integer)) {
    if (!is_in_range(v.as_int()))
      return Error{to_string(v) + " s is outside of the years 1 to 9999"};
    return Timestamp{v.as_int(), 0};
  }
  if (!v.is(Kind::string)) return no_overload("timestamp", v);
  const auto parsed = parse_timestamp(v.as_string());
  return parsed ? Value(*parsed)
                : not_a("a timestamp of the years 1 to 9999; write it like 2026-11-21T03:14:07Z",
                        v.as_string());
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
std::optional<std::int64_t> zone_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (!text.starts_with('+') && !text.starts_with('-')) return std::nullopt;
  return fixed_zone(text);
}

}  // namespace

std::span<const BuiltinDecl> builtins() {
  static const std::vector<BuiltinDecl> kBuiltins = declare();
  return kBuiltins;
}

bool is_conversion(Builtin builtin) {
  return builtin >= Builtin::to_bool;
}
bool is_accessor(Builtin builtin) {
  return builtin >= Builtin::get_full_year && builtin <= Builtin::get_milliseconds;
}

Value call_builtin(Builtin builtin, std::span<const Value> arguments, const Prepared& prepared,
                   Budget& budget) {
  const Value& first = arguments[0];
  if (is_accessor(builtin)) return access(builtin, arguments, prepared.zone);
  if (is_conversion(builtin) && !budget.spend_bytes(size_to_read(first))) return budget_error();
  switch (builtin) {
    case Builtin::size:
      return size_of(first, budget);
    case Builtin::contains:
    case Builtin::starts_with:
    case Builtin::ends_with:
    case Builtin::matches:
      return search(builtin, first, arguments[1], prepared.pattern, budget);
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
    case Builtin::to_bytes:
      return to_bytes(first);
    case Builtin::to_duration:
      return to_duration(first);
    case Builtin::to_timestamp:
      return to_timestamp(first);
    case Builtin::to_dyn:
      return first;
    default:
      break;
  }
  FB_ASSERT(false);
  return {};
}

std::shared_ptr<const re2::RE2> compile_pattern(const std::string& pattern, std::string& problem) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(static_cast<std::int64_t>(limits::kExprPatternBytesMax));
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  if (compiled->ok()) return compiled;
  problem = compiled->error();
  return nullptr;
}

std::optional<Value> parse_any_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  std::uint64_t nanos = 0;
  bool overflows = false;
  while (!text.empty())
    if (!take_part(text, nanos, overflows)) return std::nullopt;
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (overflows || nanos > kMost + (negative ? 1 : 0))
    return Error{"a duration holds no more than 292 years"};
  return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? 0 - nanos : nanos));
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
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
  int nanos = 0;
  if (rest.starts_with('.')) {
    const std::size_t size = std::min(rest.find_first_not_of("0123456789", 1), rest.size()) - 1;
    if (size == 0 || size > 9) return std::nullopt;
    const std::string padded = std::string(rest.substr(1, size)) + "00000000";
    nanos = digits(padded, 0, 9);
    rest.remove_prefix(1 + size);
  }
  const auto east = zone_offset(rest);
  if (!east) return std::nullopt;
  const seconds at =
      sys_days{date}.time_since_epoch() + hours{h} + minutes{mi} + seconds{s - *east};
  if (!is_in_range(at.count())) return std::nullopt;
  return Timestamp{at.count(), nanos};
}

}  // namespace firebreak::cel
