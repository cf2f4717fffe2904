// How a field of a message is refused: shared by whoever turns messages into our own types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/time.h"

namespace firebreak::wire {

// Remembers the first thing that is wrong with a message; conversions run on and ask once at the
// end. Each rule returns whether it held.
class Checker {
 public:
  bool require(bool holds, std::string_view field, std::string_view problem);
  // `index` is shown as FIELD[index].
  bool require(bool holds, std::string_view field, std::size_t index, std::string_view problem);
  bool name(const std::string& text, std::string_view field);
  // At most `bytes_max` bytes of UTF-8 without NUL.
  bool text(const std::string& text, std::size_t bytes_max, std::string_view field);
  // As text(), and no control characters.
  bool line(const std::string& text, std::size_t bytes_max, std::string_view field);
  bool finite(double value, std::string_view field);
  bool duration(std::int64_t us, Duration least, Duration most, std::string_view field);
  bool count(std::size_t count, std::size_t most, std::string_view field);
  bool take(const Error& error, std::string_view field);

  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

[[nodiscard]] bool is_valid_utf8(std::string_view text);

}  // namespace firebreak::wire
