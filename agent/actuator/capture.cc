// Keeps head and tail, makes them printable as UTF-8 at the end.
#include "agent/actuator/capture.h"

#include <algorithm>

#include "common/text.h"

namespace firebreak::actuator {
namespace {

constexpr std::size_t kMarkerBytesMax = 64;

// The end of `text`, not more than `max_bytes`, from the beginning of a character.
std::string_view end_of(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  text.remove_prefix(text.size() - max_bytes);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xc0u) == 0x80u) {
    text.remove_prefix(1);
  }
  return text;
}

}  // namespace

void Capture::add(std::string_view bytes) {
  total_ += bytes.size();
  const std::size_t to_head = std::min(bytes.size(), max_ - head_.size());
  head_.append(bytes.substr(0, to_head));
  bytes.remove_prefix(to_head);
  if (bytes.size() > max_) bytes.remove_prefix(bytes.size() - max_);
  tail_.append(bytes);
  if (tail_.size() > 2 * max_) tail_.erase(0, tail_.size() - max_);
}

std::uint64_t Capture::dropped_bytes() const {
  if (total_ <= max_) return 0;
  return total_ - 2 * ((max_ - kMarkerBytesMax) / 2);
}

std::string Capture::text() const {
  constexpr auto kNoLimit = static_cast<std::size_t>(-1);
  std::string all = to_valid_utf8(head_, kNoLimit);
  if (total_ <= max_ && all.size() <= max_) return all;
  const std::size_t part = (max_ - kMarkerBytesMax) / 2;
  const std::string end = to_valid_utf8(tail_.size() < part ? head_ + tail_ : tail_, kNoLimit);
  const std::uint64_t dropped = dropped_bytes();
  const std::string marker = dropped == 0 ? "\n[bytes that are not text left out]\n"
                                          : "\n[" + std::to_string(dropped) + " bytes left out]\n";
  return to_valid_utf8(all, part) + marker + std::string(end_of(end, part));
}

}  // namespace firebreak::actuator
