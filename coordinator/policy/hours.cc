// Reading the text, and finding the next boundary, across changes of the zone's offset too.
#include "coordinator/policy/hours.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "common/limits.h"

namespace firebreak::policy {
namespace {

constexpr int kDayMinutes = 24 * 60;
constexpr int kWeekMinutes = 7 * kDayMinutes;
constexpr std::int64_t kWeekSeconds = std::int64_t{kWeekMinutes} * 60;
constexpr std::int64_t kEpochInWeek = 3 * 24 * 3600;  // 1970 began on a Thursday
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

using Ranges = std::vector<std::pair<int, int>>;

std::int64_t unix_seconds(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

// Thrown nowhere: the first mistake stays, and nothing is read after it.
class HoursReader {
 public:
  explicit HoursReader(std::string_view text) : text_(text) {}

  Ranges read() {
    do {
      skip_blanks();
      read_part();
      skip_blanks();
    } while (!mistake_ && take(';'));
    if (!mistake_ && at_ < text_.size()) fail("expected ';' or the end", 1);
    return merged();
  }
  [[nodiscard]] const std::optional<Hours::Mistake>& mistake() const { return mistake_; }

 private:
  void fail(std::string message, std::size_t width) {
    if (!mistake_)
      mistake_ = Hours::Mistake{std::move(message), false, at_, std::max(width, std::size_t{1})};
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool is_digit() const { return peek() >= '0' && peek() <= '9'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (peek() == ' ') ++at_;
  }

  void read_part() {
    std::array<bool, 7> days{};
    if (is_digit())
      days.fill(true);
    else
      read_days(days);
    skip_blanks();
    if (mistake_) return;
    if (!is_digit()) return add(days, 0, kDayMinutes);
    do read_times(days);
    while (!mistake_ && take(','));
  }
  void read_days(std::array<bool, 7>& days) {
    do {
      const std::size_t first = read_day();
      const std::size_t last = take('-') ? read_day() : first;
      if (mistake_) return;
      for (std::size_t day = first;; day = (day + 1) % days.size()) {
        days.at(day) = true;
        if (day == last) break;
      }
    } while (take(','));
  }
  std::size_t read_day() {
    std::string word;
    for (std::size_t i = at_; i < text_.size() && is_letter(text_[i]); ++i)
      word += static_cast<char>(text_[i] | 0x20);
    const auto found = std::find(kDays.begin(), kDays.end(), word);
    if (found == kDays.end()) {
      fail("expected a day (Mon, Tue, Wed, Thu, Fri, Sat, Sun) or a time such as 09:00-17:00",
           word.size());
      return 0;
    }
    at_ += word.size();
    return static_cast<std::size_t>(found - kDays.begin());
  }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  void read_times(const std::array<bool, 7>& days) {
    const std::size_t begin = at_;
    const int from = read_time();
    if (mistake_) return;
    if (!take('-')) return fail("expected '-' and the end, as in 09:00-17:00", 1);
    const int to = read_time();
    if (mistake_) return;
    if (from == kDayMinutes || from == to) {
      at_ = begin;
      return fail(from == to ? "begins and ends at the same time; a whole day is 00:00-24:00"
                             : "24:00 is only an end",
                  11);
    }
    add(days, from, to > from ? to : to + kDayMinutes);
  }
  // Minutes of the day, 24:00 among them.
  int read_time() {
    const auto digit = [&](std::size_t i) {
      const char c = at_ + i < text_.size() ? text_[at_ + i] : '\0';
      return c >= '0' && c <= '9' ? c - '0' : 100;
    };
    const int hours = digit(0) * 10 + digit(1);
    const int minutes = digit(3) * 10 + digit(4);
    const bool shaped = at_ + 2 < text_.size() && text_[at_ + 2] == ':';
    if (!shaped || hours > 24 || minutes > 59 || (hours == 24 && minutes > 0)) {
      fail("expected a time from 00:00 to 24:00, with two digits each", 5);
      return 0;
    }
    at_ += 5;
    return hours * 60 + minutes;
  }

  void add(const std::array<bool, 7>& days, int from, int to) {
    for (int day = 0; day < 7; ++day) {
      if (!days[static_cast<std::size_t>(day)]) continue;
      const int begin = day * kDayMinutes + from;
      const int end = day * kDayMinutes + to;
      ranges_.emplace_back(begin, std::min(end, kWeekMinutes));
      if (end > kWeekMinutes) ranges_.emplace_back(0, end - kWeekMinutes);
    }
  }
  Ranges merged() {
    std::sort(ranges_.begin(), ranges_.end());
    Ranges out;
    for (const auto& range : ranges_) {
      if (!out.empty() && range.first <= out.back().second)
        out.back().second = std::max(out.back().second, range.second);
      else
        out.push_back(range);
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Ranges ranges_;
  std::optional<Hours::Mistake> mistake_;
};

}  // namespace

std::variant<Hours, Hours::Mistake> Hours::parse(std::string_view times, std::string_view zone) {
  if (times.size() > limits::kHoursBytesMax)
    return Mistake{"longer than " + std::to_string(limits::kHoursBytesMax) + " bytes", false, 0,
                   times.size()};
  Hours hours;
  HoursReader reader(times);
  hours.ranges_ = reader.read();
  if (reader.mistake()) return *reader.mistake();
  if (const auto fixed = cel::fixed_zone(zone)) {
    hours.fixed_ = *fixed;
    return hours;
  }
  hours.zone_ = cel::load_zone(zone);
  if (!hours.zone_)
    return Mistake{"there is no such time zone; write 'Europe/Berlin', 'UTC' or '+01:00'", true, 0,
                   zone.size()};
  return hours;
}

std::int64_t Hours::seconds_east(std::int64_t unix_seconds) const {
  return zone_ ? zone_->seconds_east(unix_seconds) : fixed_;
}

std::int64_t Hours::second_of_week(std::int64_t unix_seconds) const {
  const std::int64_t local = unix_seconds + seconds_east(unix_seconds) + kEpochInWeek;
  return ((local % kWeekSeconds) + kWeekSeconds) % kWeekSeconds;
}

bool Hours::contains(Instant at) const {
  const auto minute = static_cast<int>(second_of_week(unix_seconds(at)) / 60);
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
    return minute >= range.first && minute < range.second;
  });
}

std::optional<Instant> Hours::look_again(Instant now) const {
  if (ranges_.size() == 1 && ranges_.front() == std::pair{0, kWeekMinutes}) return std::nullopt;
  const std::int64_t from = unix_seconds(now);
  const std::int64_t second = second_of_week(from);
  std::int64_t next = std::int64_t{ranges_.front().first} * 60 + kWeekSeconds;
  for (const auto& [begin, end] : ranges_)
    for (const int minute : {begin, end})
      if (std::int64_t{minute} * 60 > second) next = std::min(next, std::int64_t{minute} * 60);
  // The clocks may be changed before: then, it is counted again.
  std::int64_t until = from + next - second;
  const std::int64_t east = seconds_east(from);
  if (seconds_east(until) != east) {
    std::int64_t before = from;
    while (until - before > 1) {
      const std::int64_t middle = before + (until - before) / 2;
      (seconds_east(middle) == east ? before : until) = middle;
    }
  }
  return Instant{std::chrono::seconds(until)};
}

}  // namespace firebreak::policy
