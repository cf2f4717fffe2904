// One number and its checksum in one small file, replaced as a whole.
#include "agent/state/epoch_file.h"

#include <charconv>
#include <system_error>

#include "agent/state/checked_file.h"
#include "common/file.h"

namespace firebreak::agent {
namespace {

constexpr const char* kName = "epoch";
constexpr std::size_t kBytesMax = 64;

std::string unchecked_line(std::uint64_t epoch) {
  return std::to_string(epoch) + "\n";
}

std::string checked_line(std::uint64_t epoch) {
  const std::string number = std::to_string(epoch);
  return number + " crc32c=" + checksum_of(number) + "\n";
}

}  // namespace

Result<SeenEpoch> read_epoch(const std::string& folder) {
  const std::string path = folder + "/" + kName;
  const auto text = read_small_file(path, kBytesMax);
  if (!text && text.error().code == Errc::not_found) return SeenEpoch{};
  if (!text) return text.error();
  SeenEpoch seen;
  const bool is_number =
      std::from_chars(text->data(), text->data() + text->size(), seen.epoch).ec == std::errc{};
  // What is read is what would be written: there is one way to write each epoch.
  if (is_number && *text == checked_line(seen.epoch)) return seen;
  seen.is_checked = false;
  if (is_number && *text == unchecked_line(seen.epoch)) return seen;
  return make_error(Errc::corrupt,
                    path +
                        " does not hold an epoch and its checksum: the disk or somebody's hand "
                        "damaged it, and an agent that guesses might obey a coordinator that was "
                        "replaced; once you are sure that none of those runs any more, write into "
                        "it the number that 'firebreak status' shows as the epoch, in a line of "
                        "its own");
}

Result<> write_epoch(const std::string& folder, std::uint64_t epoch) {
  return replace_small_file(folder, kName, checked_line(epoch));
}

}  // namespace firebreak::agent
