// Digits and separators; nothing that needs a locale.
#include "cli/when.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "common/text.h"

namespace firebreak::cli {
namespace {

using std::chrono::days;

// The digits of `text` where `shape` has a 0; empty when the rest is not alike.
bool fits(const std::string& text, const char* shape, std::array<int, 6>& numbers) {
  std::size_t at = 0;
  int number = -1;
  bool in_number = false;
  for (; shape[at] != '\0'; ++at) {
    if (at >= text.size()) return false;
    const char c = text[at];
    if (shape[at] != '0') {
      in_number = false;
      if (c != shape[at]) return false;
      continue;
    }
    if (c < '0' || c > '9') return false;
    if (!in_number) ++number;
    in_number = true;
    int& value = numbers[static_cast<std::size_t>(number)];
    value = value * 10 + (c - '0');
  }
  return at == text.size();
}

bool is_time(int hour, int minute, int second) {
  return hour < 24 && minute < 60 && second < 60;
}

Duration time_of_day(int hour, int minute, int second) {
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

Error no_time(const std::string& text) {
  return make_error(Errc::invalid_argument,
                    "'" + escape_line(text, 80) +
                        "' is no time; say 24h (ago), 02:14 or 2026-11-21T02:14:07Z, in UTC");
}

}  // namespace

Result<Instant> parse_when(const std::string& text, Instant now) {
  for (const char* shape : {"00:00", "00:00:00"}) {
    std::array<int, 6> n{};
    if (!fits(text, shape, n)) continue;
    if (!is_time(n[0], n[1], n[2])) return no_time(text);
    const Duration today =
        std::chrono::floor<days>(now.time_since_epoch()) + time_of_day(n[0], n[1], n[2]);
    return Instant(today) > now ? Instant(today - days(1)) : Instant(today);
  }
  for (const char* shape : {"0000-00-00 00:00", "0000-00-00 00:00:00", "0000-00-00T00:00:00",
                            "0000-00-00T00:00:00Z", "0000-00-00T00:00Z"}) {
    std::array<int, 6> n{};
    if (!fits(text, shape, n)) continue;
    const std::chrono::year_month_day day{std::chrono::year(n[0]),
                                          std::chrono::month(static_cast<unsigned>(n[1])),
                                          std::chrono::day(static_cast<unsigned>(n[2]))};
    if (!day.ok() || !is_time(n[3], n[4], n[5])) return no_time(text);
    return Instant(Duration(std::chrono::sys_days(day).time_since_epoch()) +
                   time_of_day(n[3], n[4], n[5]));
  }
  const auto ago = parse_duration(text);
  if (!ago) return no_time(text);
  return now - *ago;
}

}  // namespace firebreak::cli
