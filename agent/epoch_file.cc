// One number in one small file, replaced as a whole.
#include "agent/epoch_file.h"

#include <charconv>
#include <string_view>
#include <system_error>

#include "common/file.h"

namespace firebreak::agent {
namespace {

constexpr const char* kName = "epoch";
constexpr std::size_t kBytesMax = 32;

}  // namespace

Result<std::uint64_t> read_epoch(const std::string& folder) {
  const std::string path = folder + "/" + kName;
  const auto text = read_small_file(path, kBytesMax);
  if (!text && text.error().code == Errc::not_found) return std::uint64_t{0};
  if (!text) return text.error();
  const char* end = text->data() + text->size();
  std::uint64_t epoch = 0;
  const auto read = std::from_chars(text->data(), end, epoch);
  if (read.ec != std::errc{} ||
      std::string_view(read.ptr, static_cast<std::size_t>(end - read.ptr)) != "\n") {
    return make_error(Errc::corrupt,
                      path +
                          " does not hold one number: the disk or somebody's hand damaged it; "
                          "remove it once you are sure that no replaced coordinator still runs");
  }
  return epoch;
}

Result<> write_epoch(const std::string& folder, std::uint64_t epoch) {
  return replace_small_file(folder, kName, std::to_string(epoch) + "\n");
}

}  // namespace firebreak::agent
