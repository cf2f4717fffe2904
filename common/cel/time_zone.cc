// Abseil's reader of the tz database, behind a check of what may be read.
#include "common/cel/time_zone.h"

#include <absl/time/time.h>

#include <algorithm>
#include <filesystem>
#include <string>

namespace firebreak::cel {
namespace {

constexpr std::size_t kNameBytesMax = 64;  // the longest of the database has 32

class DatabaseZone final : public Zone {
 public:
  explicit DatabaseZone(absl::TimeZone zone) : zone_(zone) {}
  std::int64_t seconds_east(std::int64_t unix_seconds) const override {
    return zone_.At(absl::FromUnixSeconds(unix_seconds)).offset;
  }

 private:
  absl::TimeZone zone_;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Only a plain path below the database: no dots, no "file:", no leading slash. "localtime" is left
// out because it means another zone on each machine.
bool is_name(std::string_view name) {
  const auto is_part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '+' || c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '/' &&
         name != "localtime" && name.find("//") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), is_part);
}

}  // namespace

std::optional<std::int64_t> fixed_zone(std::string_view text) {
  if (text == "UTC") return 0;
  const bool west = text.starts_with('-');
  if (west || text.starts_with('+')) text.remove_prefix(1);
  const bool shaped = text.size() == 5 && is_digit(text[0]) && is_digit(text[1]) &&
                      text[2] == ':' && is_digit(text[3]) && is_digit(text[4]);
  if (!shaped) return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (hours > 23 || minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

std::shared_ptr<const Zone> load_zone(std::string_view name) {
  if (!is_name(name)) return nullptr;
  // Abseil remembers every name it was asked for: only those that exist, so that it stays bounded.
  std::error_code ignored;
  const std::string path = "/usr/share/zoneinfo/" + std::string(name);
  if (!std::filesystem::is_regular_file(path, ignored)) return nullptr;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(std::string(name), &zone)) return nullptr;
  return std::make_shared<DatabaseZone>(zone);
}

}  // namespace firebreak::cel
