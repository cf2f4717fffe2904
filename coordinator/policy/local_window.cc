// Local times are counted in seconds as if they were UTC; the zone says what they really are.
#include "coordinator/policy/local_window.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

namespace firebreak::policy {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr int kMinutesOfDay = 24 * 60;
constexpr std::uint8_t kEveryDay = 0x7f;
constexpr int kDaysAhead =
    15;  // a week, and one more when it does not happen for a change of clocks
constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

class FixedZone final : public cel::Zone {
 public:
  explicit FixedZone(std::int64_t east) : east_(east) {}
  std::int64_t seconds_east(std::int64_t /*unix_seconds*/) const override { return east_; }

 private:
  std::int64_t east_;
};

std::optional<std::uint8_t> parse_days(std::string_view text) {
  if (text == "day") return kEveryDay;
  const auto day_of = [](std::string_view name) -> std::optional<std::size_t> {
    const auto found = std::find(kDays.begin(), kDays.end(), name);
    if (found == kDays.end()) return std::nullopt;
    return static_cast<std::size_t>(found - kDays.begin());
  };
  unsigned days = 0;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = day_of(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (std::size_t day = *first;; day = (day + 1) % kDays.size()) {
      days |= 1U << day;
      if (day == *last) break;
    }
    if (comma == text.size()) return static_cast<std::uint8_t>(days);
    text.remove_prefix(comma + 1);
  }
}

// "02:30" as minutes of the day; 24:00 is its end.
std::optional<int> parse_minutes(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
    return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (minutes > 59 || hours * 60 + minutes > kMinutesOfDay) return std::nullopt;
  return hours * 60 + minutes;
}

// The first and the last instant, in Unix seconds, at which the clocks of the zone show this.
std::pair<std::int64_t, std::int64_t> moments_of(const cel::Zone& zone, std::int64_t local) {
  const std::int64_t before = zone.seconds_east(local - kDay);
  const std::int64_t after = zone.seconds_east(local + kDay);
  const auto shows = [&](std::int64_t moment) {
    return moment + zone.seconds_east(moment) == local;
  };
  const std::int64_t one = local - before, other = local - after;
  if (shows(one) && shows(other)) return std::minmax(one, other);
  if (shows(one)) return {one, one};
  if (shows(other)) return {other, other};
  // Skipped: the moment of the change, between a day before and a day after.
  std::int64_t low = local - kDay, high = local + kDay;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (zone.seconds_east(middle) == before ? low : high) = middle;
  }
  return {high, high};
}

constexpr std::int64_t seconds_of(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

}  // namespace

Result<LocalWindow> LocalWindow::parse(std::string_view every, std::string_view zone) {
  const std::size_t space = every.find(' ');
  const auto wrong = [&] {
    return make_error(Errc::invalid_argument,
                      "'" + std::string(every) +
                          "' is not days and a time, as in 'Sun 02:00-04:00', 'Mon-Fri "
                          "22:00-06:00', 'Sat,Sun 00:00-24:00' or 'day 03:00-03:30'");
  };
  if (space == std::string_view::npos) return wrong();
  const auto days = parse_days(every.substr(0, space));
  const std::string_view times = every.substr(space + 1);
  if (!days || times.size() != 11 || times[5] != '-') return wrong();
  const auto begins = parse_minutes(times.substr(0, 5));
  const auto ends = parse_minutes(times.substr(6));
  if (!begins || !ends || *begins == *ends || *begins == kMinutesOfDay) return wrong();
  std::shared_ptr<const cel::Zone> where;
  if (const auto fixed = cel::fixed_zone(zone))
    where = std::make_shared<FixedZone>(*fixed);
  else
    where = cel::load_zone(zone);
  if (!where)
    return make_error(Errc::not_found,
                      "there is no time zone '" + std::string(zone) +
                          "'; write it as in Europe/Berlin, UTC or +01:00 (names need the package "
                          "tzdata)");
  return LocalWindow(*days, *begins, *ends, std::move(where),
                     std::string(every) + " " + std::string(zone));
}

std::int64_t LocalWindow::day_of(Instant at) const {
  const std::int64_t seconds = seconds_of(at);
  const std::int64_t local = seconds + zone_->seconds_east(seconds);
  return std::chrono::floor<std::chrono::days>(std::chrono::seconds(local)).count();
}

std::optional<LocalWindow::Span> LocalWindow::on(std::int64_t day) const {
  const std::int64_t weekday = ((day + 4) % 7 + 7) % 7;  // 1970-01-01 was a Thursday
  if ((days_ >> weekday & 1) == 0) return std::nullopt;
  const int ends = ends_ > begins_ ? ends_ : ends_ + kMinutesOfDay;
  const std::int64_t first = moments_of(*zone_, day * kDay + begins_ * 60).first;
  const std::int64_t last = moments_of(*zone_, day * kDay + ends * 60).second;
  if (first >= last) return std::nullopt;
  return Span{instant_from_unix_us(first * 1'000'000), instant_from_unix_us(last * 1'000'000)};
}

std::optional<LocalWindow::Span> LocalWindow::at(Instant now) const {
  std::optional<Span> found;
  if (!zone_) return found;
  const std::int64_t today = day_of(now);
  for (std::int64_t day = today - 2; day <= today + 1; ++day) {
    const auto span = on(day);
    if (span && span->begins <= now && now < span->ends && (!found || found->ends < span->ends))
      found = span;
  }
  return found;
}

std::optional<Instant> LocalWindow::next_begin(Instant now) const {
  std::optional<Instant> next;
  if (!zone_) return next;
  const std::int64_t today = day_of(now);
  for (std::int64_t day = today - 2; day <= today + kDaysAhead && !next; ++day) {
    const auto span = on(day);
    if (span && span->begins > now) next = span->begins;
  }
  return next;
}

}  // namespace firebreak::policy
