// A row of an answer in PostgreSQL's protocol, its columns by name: their order is another one in
// another version. For as long as the answer that it lies in.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "common/range.h"

namespace firebreak::probes {

struct SqlField {
  std::string_view name;
  std::optional<std::string_view> text;  // absent: null
  bool is_number = false;                // by the column's type
};
using SqlRow = std::span<const SqlField>;

// Nothing where there is no such column, or null in it.
inline std::optional<std::string_view> text_in(SqlRow row, std::string_view name) {
  const auto found =
      std::find_if(row.begin(), row.end(), [&](const SqlField& one) { return one.name == name; });
  return found == row.end() ? std::nullopt : found->text;
}

// Nothing, too, for what is no finite number of zero or more: nothing that is counted or measured
// here can be less.
inline std::optional<double> count_in(SqlRow row, std::string_view name) {
  const auto text = text_in(row, name);
  const auto number = text ? parse_number(*text) : std::nullopt;
  return number && *number >= 0 ? number : std::nullopt;
}

// Nothing for what is neither: PostgreSQL writes "t" and "f".
inline std::optional<bool> truth_in(SqlRow row, std::string_view name) {
  const auto text = text_in(row, name);
  if (text == "t") return true;
  return text == "f" ? std::optional(false) : std::nullopt;
}

}  // namespace firebreak::probes
