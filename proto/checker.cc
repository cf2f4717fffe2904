// The rules that fields of messages share.
#include "proto/checker.h"

#include <algorithm>
#include <cmath>

#include "common/ids.h"
#include "common/text.h"

namespace firebreak::wire {

bool Checker::require(bool holds, std::string_view field, std::string_view problem) {
  if (!holds && !error_) {
    error_ = make_error(Errc::invalid_argument, std::string(field) + ": " + std::string(problem));
  }
  return holds;
}

bool Checker::require(bool holds, std::string_view field, std::size_t index,
                      std::string_view problem) {
  if (holds || error_) return holds;
  return require(false, std::string(field) + "[" + std::to_string(index) + "]", problem);
}

bool Checker::name(const std::string& text, std::string_view field) {
  if (is_valid_name(text)) return true;
  return require(false, field,
                 "'" + escape_line(text, 80) +
                     "' is not a name; use a-z, 0-9, '.', '_' and '-', at most 63, the first "
                     "a letter or digit");
}

bool Checker::text(const std::string& text, std::size_t bytes_max, std::string_view field) {
  if (text.size() > bytes_max) {
    return require(false, field,
                   std::to_string(text.size()) + " bytes; at most " + std::to_string(bytes_max));
  }
  return require(text.find('\0') == std::string::npos, field, "holds a NUL byte") &&
         require(is_valid_utf8(text), field, "is not valid UTF-8");
}

bool Checker::line(const std::string& text, std::size_t bytes_max, std::string_view field) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  return this->text(text, bytes_max, field) &&
         require(std::none_of(text.begin(), text.end(), is_control), field,
                 "holds a control character");
}

bool Checker::finite(double value, std::string_view field) {
  return require(std::isfinite(value), field, "is not a finite number");
}

bool Checker::duration(std::int64_t us, Duration least, Duration most, std::string_view field) {
  if (us >= least.count() && us <= most.count()) return true;
  return require(false, field,
                 std::to_string(us) + " us is not between " + format_duration(least) + " and " +
                     format_duration(most));
}

bool Checker::count(std::size_t count, std::size_t most, std::string_view field) {
  if (count <= most) return true;
  return require(false, field, std::to_string(count) + " entries; at most " + std::to_string(most));
}

bool Checker::take(const Error& error, std::string_view field) {
  if (!error_) error_ = make_error(error.code, std::string(field) + ": " + error.message);
  return false;
}

bool is_valid_utf8(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0; });
  return ascii || to_valid_utf8(text, text.size()) == text;
}

}  // namespace firebreak::wire
