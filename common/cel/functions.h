// The functions of the language itself: size, the methods of strings and of times, conversions.
// Internal to common/cel.
#pragma once

#include <span>

#include "common/cel/operations.h"
#include "common/cel/time_zone.h"

namespace firebreak::cel {

enum class Builtin : int {
  size,
  contains,
  starts_with,
  ends_with,
  matches,
  get_full_year,
  get_month,
  get_date,
  get_day_of_month,
  get_day_of_week,
  get_day_of_year,
  get_hours,
  get_minutes,
  get_seconds,
  get_milliseconds,
  to_bool,
  to_int,
  to_uint,
  to_double,
  to_string,
  to_bytes,
  to_duration,
  to_timestamp,
  to_dyn,
};

enum class Style : int { function = 1, method = 2, both = 3 };

struct BuiltinDecl {
  Builtin builtin;
  Style style;
  FunctionDecl decl;  // of a method, the receiver is the first parameter
};

std::span<const BuiltinDecl> builtins();
bool is_conversion(Builtin builtin);
bool is_accessor(Builtin builtin);  // of a timestamp or a duration

// What the checker made of arguments that are written out.
struct Prepared {
  const re2::RE2* pattern = nullptr;  // of matches
  const Zone* zone = nullptr;         // of an accessor, when it is not a fixed offset
};

// The arguments are as declared or of type dyn, without errors and unknowns.
Value call_builtin(Builtin builtin, std::span<const Value> arguments, const Prepared& prepared,
                   Budget& budget);

// nullptr when it is not a regular expression or larger than limits::kExprPatternBytesMax;
// `problem` says which.
std::shared_ptr<const re2::RE2> compile_pattern(const std::string& pattern, std::string& problem);
// RFC 3339, years 0001 to 9999: "2026-11-21T03:14:07.5+01:00".
std::optional<Timestamp> parse_timestamp(std::string_view text);
// Decimal numbers with units, in any order: "90s", "-1.5h", "1h30m", "250ms", "15ns". nullopt when
// it is none, an Error when it does not fit.
std::optional<Value> parse_any_duration(std::string_view text);

}  // namespace firebreak::cel
