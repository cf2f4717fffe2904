// Reads one segment file from its front, and steps over what is damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/spool/files.h"
#include "agent/spool/format.h"

namespace firebreak::spool {

// Bytes that are not what was written: [from, to) of the file.
struct Damage {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  bool is_at_the_end = false;  // nothing good follows
};

class SegmentReader {
 public:
  // `files` must outlive the reader. Reads up to `end`, which may grow.
  SegmentReader(Files& files, Header header, std::uint64_t end);
  void set_end(std::uint64_t end) { end_ = end; }

  // The next good record; nullopt at the end. An error is the disk's: asking again may help.
  Result<std::optional<Record>> next();

  [[nodiscard]] const Header& header() const { return decoder_.header(); }
  // Behind the last good record.
  [[nodiscard]] std::uint64_t good_end() const { return good_end_; }
  // Entries that are good but whose series nobody names any more; next() has passed over them.
  [[nodiscard]] std::uint64_t anonymous() const { return anonymous_; }
  // How often anything was passed over, so far; since take_damage() for damage.
  [[nodiscard]] std::uint64_t troubles() const { return damage_.size() + anonymous_; }
  // What was stepped over since this was last asked.
  std::vector<Damage> take_damage();

 private:
  // At least `bytes` at position_, fewer only at the end.
  Result<> fill(std::size_t bytes);
  [[nodiscard]] std::string_view rest() const;
  // The record at position_, which then stands behind it.
  Result<std::optional<Record>> take();
  Result<std::optional<Record>> seek();

  Files& files_;
  std::string name_;
  SegmentDecoder decoder_;
  std::uint64_t end_ = 0;
  std::uint64_t position_ = kHeaderBytes;
  std::uint64_t record_at_ = kHeaderBytes;  // where the last good record begins ...
  std::uint64_t good_end_ = kHeaderBytes;   // ... and ends
  std::string buffer_;
  std::uint64_t buffer_at_ = kHeaderBytes;  // where in the file it begins
  std::uint64_t anonymous_ = 0;
  std::vector<Damage> damage_;
};

}  // namespace firebreak::spool
