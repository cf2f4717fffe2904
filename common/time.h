// The two clocks' types, durations, and how people write them.
//
// Instant is the coordinator's own time line: microseconds since the Unix epoch, anchored to the
// wall clock when the process starts and advanced by the steady clock after that, so it never goes
// back and never jumps. The pure core sees only Instants that are handed to it. WallTime is the
// system clock: for people, never for computing an interval.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"

namespace firebreak {

using Duration = std::chrono::microseconds;

struct TimelineClock {  // not a clock to call: it only gives Instant its own type
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<TimelineClock, duration>;
  static constexpr bool is_steady = true;
};
using Instant = TimelineClock::time_point;
using WallTime = std::chrono::sys_time<Duration>;

constexpr Instant instant_from_unix_us(std::int64_t us) {
  return Instant{Duration{us}};
}
constexpr std::int64_t unix_us(Instant at) {
  return at.time_since_epoch().count();
}

// "30s", "1h30m", "250ms", "2d"; units us ms s m h d, largest first, no sign, no fraction but in
// the last part ("1.5s").
Result<Duration> parse_duration(std::string_view text);
// The shortest exact form that parse_duration reads back: "1m30s", "250ms", "0s".
std::string format_duration(Duration duration);
// For people, rounded: "2.4 s", "340 ms", "3 min 05 s", "2 h 10 min", "3 d 04 h".
std::string humanize_duration(Duration duration);

// RFC 3339 in UTC with milliseconds: "2026-11-21T03:14:07.123Z".
std::string format_rfc3339(Instant at);
// "2026-11-21 03:14:07" in UTC, for tables and reports.
std::string format_utc(Instant at);
// strftime in UTC, for ids such as INC-%Y%m%d-%H%M%S.
std::string format_strftime(Instant at, const std::string& format);

}  // namespace firebreak
