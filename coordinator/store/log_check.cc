// Follows the checksums from frame to frame (https://sqlite.org/fileformat2.html#walformat), past
// the place where SQLite stops.
#include "coordinator/store/log_check.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace firebreak::store {
namespace {

constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // its lowest bit: checksums over big-endian words
constexpr std::uint32_t kPageBytesMax = 65536;

std::uint32_t byte(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}
std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  return byte(bytes, at) << 24 | byte(bytes, at + 1) << 16 | byte(bytes, at + 2) << 8 |
         byte(bytes, at + 3);
}
std::uint32_t little_endian(std::string_view bytes, std::size_t at) {
  return byte(bytes, at + 3) << 24 | byte(bytes, at + 2) << 16 | byte(bytes, at + 1) << 8 |
         byte(bytes, at);
}

struct Checksum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  friend bool operator==(const Checksum&, const Checksum&) = default;

  void add(std::string_view bytes, bool is_big_endian) {
    const auto word = is_big_endian ? big_endian : little_endian;
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += word(bytes, at) + second;
      second += word(bytes, at + 4) + first;
    }
  }
};

struct Header {
  bool is_big_endian = false;
  std::uint32_t page_bytes = 0;
  std::string salts;  // of this generation: the file keeps older frames behind the newer ones
  Checksum checksum;
};

std::optional<Header> read_header(std::string_view bytes) {
  const std::uint32_t magic = big_endian(bytes, 0);
  Header header;
  header.is_big_endian = (magic & 1U) != 0;
  header.page_bytes = big_endian(bytes, 8);
  header.salts = bytes.substr(16, 8);
  header.checksum.add(bytes.substr(0, 24), header.is_big_endian);
  const bool is_whole = (magic & ~1U) == kMagic && header.page_bytes <= kPageBytesMax &&
                        header.checksum == Checksum{big_endian(bytes, 24), big_endian(bytes, 28)};
  if (!is_whole) return std::nullopt;
  return header;
}

// What the frames say one after the other.
class Frames {
 public:
  explicit Frames(const Header& header) : header_(header), before_(header.checksum) {}

  // Whether this frame proves that an earlier one was damaged.
  bool take(std::string_view frame) {
    ++count_;
    const bool is_ours = frame.substr(8, 8) == header_.salts;
    Checksum expected = before_;
    expected.add(frame.substr(0, 8), header_.is_big_endian);
    expected.add(frame.substr(kFrameHeaderBytes), header_.is_big_endian);
    before_ = {big_endian(frame, 16), big_endian(frame, 20)};
    const bool follows = is_ours && expected == before_;
    if (!follows && broken_ == 0) broken_ = count_;
    const bool is_proof = broken_ != 0 && follows && ended_;
    ended_ = broken_ != 0 && is_ours && big_endian(frame, 4) != 0;
    return is_proof;
  }
  [[nodiscard]] std::size_t broken() const { return broken_; }  // counted from 1

 private:
  const Header& header_;
  Checksum before_;  // as the frame before says
  std::size_t count_ = 0;
  std::size_t broken_ = 0;
  bool ended_ = false;  // the frame before ended a transaction, at or after the broken one
};

bool read_exactly(std::istream& log, std::string& bytes) {
  log.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return log.gcount() == static_cast<std::streamsize>(bytes.size());
}

}  // namespace

std::optional<std::string> log_damage(std::istream& log) {
  std::string bytes(kHeaderBytes, '\0');
  if (!read_exactly(log, bytes)) return std::nullopt;  // none was begun
  const auto header = read_header(bytes);
  // It is on the disk before the first frame is written.
  if (!header) {
    if (log.peek() == std::istream::traits_type::eof()) return std::nullopt;
    return "its header does not match its checksum";
  }
  Frames frames(*header);
  std::string frame(kFrameHeaderBytes + header->page_bytes, '\0');
  while (read_exactly(log, frame))
    if (frames.take(frame))
      return "frame " + std::to_string(frames.broken()) +
             " does not match its checksum, and transactions follow it";
  return std::nullopt;
}

Result<> check_log(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return {};
  std::ifstream log(path, std::ios::binary);
  if (!log) return make_error(Errc::permission_denied, path + ": cannot be read by this user");
  const auto damage = log_damage(log);
  if (!damage) return {};
  return make_error(Errc::corrupt,
                    path + ": " + *damage +
                        "; the file is damaged, and what it holds was acknowledged: move it and "
                        "the store beside it away and restore a backup");
}

}  // namespace firebreak::store
