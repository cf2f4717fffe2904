// Between JSON and values: bodies of replies and the variables of `firebreak expr` come in, results
// of `firebreak expr` go out.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/cel/value.h"
#include "common/result.h"

namespace firebreak::cel {

// Whole numbers are int (uint beyond it), others double. Nesting is bounded
// (limits::kJsonDepthMax).
Result<Value> parse_json(std::string_view text);

// int, uint, double, bool, string, list, map and null as they are; keys as text; a double that JSON
// does not have as "NaN" or "Infinity", bytes in base64, a duration as "1.5s", a timestamp as RFC
// 3339. nullopt for an Error or an Unknown, and when it is longer than `bytes_max`.
std::optional<std::string> to_json(const Value& value, std::size_t bytes_max);

}  // namespace firebreak::cel
