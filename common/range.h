// Ranges of values that alert, as monitoring plugins write them: 10, 10:, ~:10, 10:20, @10:20.
//
// https://www.monitoring-plugins.org/doc/guidelines.html, "Threshold and Ranges"
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace firebreak {

struct Range {
  double low = 0;  // -infinity: no lower end
  double high = std::numeric_limits<double>::infinity();
  bool inside = false;  // "@": a value alerts when it is in the range, not when it is outside
  friend bool operator==(const Range&, const Range&) = default;

  // Both ends belong to the range. A value that is no number alerts.
  [[nodiscard]] bool alerts(double value) const {
    const bool outside = !(value >= low && value <= high);
    return outside != inside;
  }
};

// Nothing for what is no range: ends that are no finite decimal number, or the wrong way round.
[[nodiscard]] std::optional<Range> parse_range(std::string_view text);
// The shortest text that parse_range reads as the same range.
[[nodiscard]] std::string to_string(const Range& range);

// A finite decimal number and nothing else: no "nan", "inf", hexadecimal or 1e999.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);
// The shortest text that parse_number reads as the same number.
[[nodiscard]] std::string format_number(double value);

}  // namespace firebreak
