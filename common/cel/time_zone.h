// Time zones of the accessors of timestamps and of a policy's weekly windows: fixed offsets, and
// the names of the tz database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace firebreak::cel {

// A zone of the system's tz database. Immutable; safe to use from several threads.
class Zone {
 public:
  virtual ~Zone() = default;
  virtual std::int64_t seconds_east(std::int64_t unix_seconds) const = 0;
};

// "+01:00", "-02:30", "02:00", "UTC" as seconds east.
std::optional<std::int64_t> fixed_zone(std::string_view text);
// "Europe/Paris". Reads a file below /usr/share/zoneinfo the first time; nullptr when there is none
// or the name is not one of a zone.
std::shared_ptr<const Zone> load_zone(std::string_view name);

}  // namespace firebreak::cel
