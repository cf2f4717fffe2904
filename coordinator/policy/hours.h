// Hours of the week in a time zone, as people write them: within('Mon-Fri 09:00-17:00',
// 'Europe/Berlin').
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/cel/time_zone.h"
#include "common/time.h"

namespace firebreak::policy {

// Immutable; knows its zone's rules as they were when it was read.
class Hours {
 public:
  // What is wrong, and where in the text of the times or of the zone.
  struct Mistake {
    std::string message;
    bool in_zone = false;
    std::size_t offset = 0;
    std::size_t width = 1;
  };
  // Times: parts with `;` between them, each days, times of day or both: "Mon-Fri 09:00-17:00;
  // Sat,Sun". Without days: every day; without times: the whole day. A range that ends at or before
  // its begin ends on the next day.
  [[nodiscard]] static std::variant<Hours, Mistake> parse(std::string_view times,
                                                          std::string_view zone);

  // Begins are within, ends are not.
  [[nodiscard]] bool contains(Instant at) const;
  // After `now`; nothing changes before. Empty: nothing ever does.
  [[nodiscard]] std::optional<Instant> look_again(Instant now) const;

 private:
  [[nodiscard]] std::int64_t seconds_east(std::int64_t unix_seconds) const;
  [[nodiscard]] std::int64_t second_of_week(std::int64_t unix_seconds) const;

  std::vector<std::pair<int, int>> ranges_;  // minutes since Monday 00:00: sorted and apart
  std::int64_t fixed_ = 0;                   // seconds east, without a zone
  std::shared_ptr<const cel::Zone> zone_;
};

}  // namespace firebreak::policy
