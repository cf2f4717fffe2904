// The functions of the language itself: size, the methods of strings, conversions. Internal to
// common/cel.
#pragma once

#include <span>

#include "common/cel/operations.h"

namespace firebreak::cel {

enum class Builtin : int {
  size,
  contains,
  starts_with,
  ends_with,
  matches,
  to_bool,
  to_int,
  to_uint,
  to_double,
  to_string,
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

// The arguments are as declared or of type dyn, without errors and unknowns. `pattern` is matches'.
Value call_builtin(Builtin builtin, std::span<const Value> arguments, const re2::RE2* pattern,
                   Budget& budget);

// RFC 3339, years 0001 to 9999: "2026-11-21T03:14:07.5+01:00".
std::optional<Instant> parse_timestamp(std::string_view text);

}  // namespace firebreak::cel
