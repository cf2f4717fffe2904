// Reading and writing of durations and moments.
#include "common/time.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>

namespace firebreak {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t us;
};
constexpr std::array<Unit, 6> kUnits{{{"d", 86400000000},
                                      {"h", 3600000000},
                                      {"m", 60000000},
                                      {"s", 1000000},
                                      {"ms", 1000},
                                      {"us", 1}}};

std::tm utc(Instant at) {
  const auto seconds = static_cast<std::time_t>(
      std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

Error bad_duration(std::string_view text) {
  return make_error(Errc::invalid_argument,
                    "'" + std::string(text.substr(0, 64)) +
                        "' is not a duration; write it like 30s, 5m, 1h30m or 250ms");
}

// Unsigned, because the most negative duration has no positive counterpart.
std::uint64_t magnitude_us(Duration duration) {
  const auto us = static_cast<std::uint64_t>(duration.count());
  return duration < Duration{0} ? std::uint64_t{0} - us : us;
}

std::string printed(const char* format, auto... values) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  constexpr double kLongest =
      36500.0 * 86400e6;  // a hundred years: anything longer is a slip of the finger
  if (text == "0") return Duration{0};
  double total = 0;
  std::size_t next_unit = 0;
  bool fraction_seen = false;
  std::string_view rest = text;
  if (rest.empty()) return bad_duration(text);
  while (!rest.empty()) {
    if (fraction_seen || rest.front() < '0' || rest.front() > '9') return bad_duration(text);
    double number = 0;
    const auto read =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (read.ec != std::errc{}) return bad_duration(text);
    const auto digits = static_cast<std::size_t>(read.ptr - rest.data());
    fraction_seen = rest.substr(0, digits).find('.') != std::string_view::npos;
    rest.remove_prefix(digits);
    const std::size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
    const std::string_view name = rest.substr(0, letters);
    std::size_t unit = next_unit;
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return bad_duration(text);
    total += number * static_cast<double>(kUnits[unit].us);
    next_unit = unit + 1;
    rest.remove_prefix(letters);
  }
  if (total > kLongest) return bad_duration(text);
  return Duration{static_cast<Duration::rep>(std::llround(total))};
}

std::string format_duration(Duration duration) {
  if (duration.count() == 0) return "0s";
  std::string text = duration.count() < 0 ? "-" : "";
  std::uint64_t rest = magnitude_us(duration);
  for (const Unit& unit : kUnits) {
    const std::uint64_t whole = rest / static_cast<std::uint64_t>(unit.us);
    rest %= static_cast<std::uint64_t>(unit.us);
    if (whole > 0) text += std::to_string(whole) + std::string(unit.name);
  }
  return text;
}

std::string humanize_duration(Duration duration) {
  const double seconds = static_cast<double>(magnitude_us(duration)) / 1e6;
  const std::string sign = duration < Duration{0} ? "-" : "";
  const long whole = std::lround(seconds);
  if (seconds < 0.001) return sign + printed("%.0f us", seconds * 1e6);
  if (seconds < 0.9995) return sign + printed("%.0f ms", seconds * 1e3);
  if (seconds < 59.95) return sign + printed("%.1f s", seconds);
  if (whole < 3600) return sign + printed("%ld min %02ld s", whole / 60, whole % 60);
  if (whole < 86400) return sign + printed("%ld h %02ld min", whole / 3600, whole / 60 % 60);
  return sign + printed("%ld d %02ld h", whole / 86400, whole / 3600 % 24);
}

std::string format_rfc3339(Instant at) {
  const auto ms =
      std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count() % 1000;
  return format_strftime(at, "%Y-%m-%dT%H:%M:%S") +
         printed(".%03dZ", static_cast<int>((ms + 1000) % 1000));
}

std::string format_utc(Instant at) {
  return format_strftime(at, "%Y-%m-%d %H:%M:%S");
}

std::string format_strftime(Instant at, const std::string& format) {
  const std::tm parts = utc(at);
  std::array<char, 256> buffer{};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &parts);
  return {buffer.data(), size};
}

}  // namespace firebreak
