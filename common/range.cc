// Reads ranges strictly: a limit that is misunderstood is worse than one that is refused.
#include "common/range.h"

#include <charconv>
#include <cmath>
#include <iterator>

namespace firebreak {

std::optional<double> parse_number(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string format_number(double value) {
  char text[64];
  return {text, std::to_chars(std::begin(text), std::end(text), value).ptr};
}

std::optional<Range> parse_range(std::string_view text) {
  Range range;
  if (text.starts_with('@')) {
    range.inside = true;
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  const auto colon = text.find(':');
  const std::string_view low = colon == std::string_view::npos ? "" : text.substr(0, colon);
  const std::string_view high = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (low == "~") {
    range.low = -std::numeric_limits<double>::infinity();
  } else if (!low.empty()) {
    const auto value = parse_number(low);
    if (!value) return std::nullopt;
    range.low = *value;
  }
  if (!high.empty()) {
    const auto value = parse_number(high);
    if (!value) return std::nullopt;
    range.high = *value;
  }
  if (text == ":" || range.low > range.high) return std::nullopt;
  return range;
}

std::string to_string(const Range& range) {
  std::string text = range.inside ? "@" : "";
  if (std::isinf(range.low)) {
    text += "~:";
  } else if (range.low != 0 || std::isinf(range.high)) {
    text += format_number(range.low) + ':';
  }
  if (!std::isinf(range.high)) text += format_number(range.high);
  return text;
}

}  // namespace firebreak
