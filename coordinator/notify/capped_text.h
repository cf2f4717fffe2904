// The beginning and the end of a text of any length, in bounded memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace firebreak::notify {

// Not thread-safe. Bytes are kept as they are; make them valid with to_valid_utf8() at the end.
class CappedText {
 public:
  explicit CappedText(std::size_t bytes_max)
      : head_max_(bytes_max / 2), tail_max_(bytes_max - bytes_max / 2) {}

  void append(std::string_view piece) {
    total_ += piece.size();
    const std::size_t room = std::min(head_max_ - head_.size(), piece.size());
    head_ += piece.substr(0, room);
    piece.remove_prefix(room);
    if (piece.size() > tail_max_) piece.remove_prefix(piece.size() - tail_max_);
    tail_ += piece;
    if (tail_.size() > tail_max_) tail_.erase(0, tail_.size() - tail_max_);
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }
  // Bytes of the middle that are not kept.
  [[nodiscard]] std::uint64_t dropped() const { return total_ - head_.size() - tail_.size(); }
  // Head and tail, with a line between them that says how much is missing.
  [[nodiscard]] std::string text() const {
    if (dropped() == 0) return head_ + tail_;
    return head_ + "\n[" + std::to_string(dropped()) + " bytes left out]\n" + tail_;
  }

 private:
  std::size_t head_max_;
  std::size_t tail_max_;
  std::string head_;
  std::string tail_;
  std::uint64_t total_ = 0;
};

}  // namespace firebreak::notify
