// Times that come back every week, as people write them: "Sun 02:00-04:00" in Europe/Berlin.
//
// Pure but for the tz database, which parse() reads. On the days when clocks change: a window
// begins at the first instant and ends at the last one that shows its time (an hour that comes
// twice is in it twice); a time that is skipped stands for the moment of the change. So a window
// that lies in the skipped hour does not happen that day.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/cel/time_zone.h"
#include "common/result.h"
#include "common/time.h"

namespace firebreak::policy {

class LocalWindow {
 public:
  struct Span {
    Instant begins;
    Instant ends;
  };
  // `every`: "Sun 02:00-04:00", "Mon-Fri 22:00-06:00" (into the next day), "Sat,Sun 00:00-24:00",
  // "day 03:00-03:30". `zone`: a name of the tz database, UTC or an offset such as +02:00.
  static Result<LocalWindow> parse(std::string_view every, std::string_view zone);

  LocalWindow() = default;  // never
  LocalWindow(std::uint8_t days, int begins, int ends, std::shared_ptr<const cel::Zone> zone,
              std::string text)
      : days_(days), begins_(begins), ends_(ends), zone_(std::move(zone)), text_(std::move(text)) {}

  // The one that `now` lies in; of two, the one that ends later.
  [[nodiscard]] std::optional<Span> at(Instant now) const;
  // The first that begins later than `now`; empty: none within two weeks.
  [[nodiscard]] std::optional<Instant> next_begin(Instant now) const;
  // "Sun 02:00-04:00 Europe/Berlin"
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  [[nodiscard]] std::optional<Span> on(std::int64_t day) const;
  [[nodiscard]] std::int64_t day_of(Instant at) const;

  std::uint8_t days_ = 0;  // bit 0 is Sunday
  int begins_ = 0;         // minutes of the day
  int ends_ = 0;           // not after begins_: of the next day
  std::shared_ptr<const cel::Zone> zone_;
  std::string text_;
};

}  // namespace firebreak::policy
