// A segment file as bytes: docs/spool-format.md in code. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/spool/entry.h"
#include "common/result.h"

namespace firebreak::spool {

struct Header {
  Lane lane = Lane::healthy;
  std::uint64_t number = 0;  // of the file; later files have higher ones
  std::uint64_t incarnation = 0;
  std::string boot_id;   // at most kBootIdBytes
  Duration monotonic{};  // the agent's time line ...
  WallTime wall;         // ... and the wall clock when the file was made
  std::uint64_t base_seq =
      0;                    // lower than this were given before; every entry here has at least it
  std::uint64_t acked = 0;  // what was acknowledged then
  friend bool operator==(const Header&, const Header&) = default;
};

inline constexpr std::size_t kBootIdBytes = 36;
inline constexpr std::size_t kHeaderBytes = 2 * 112;  // written twice: one damaged byte costs none
inline constexpr std::size_t kFrameBytes = 8;
inline constexpr std::size_t kRecordBytesMin = kFrameBytes + 2;

// "000000000000002a-healthy.spool"; names sort as their numbers do.
std::string segment_name(Lane lane, std::uint64_t number);
struct SegmentName {
  Lane lane = Lane::healthy;
  std::uint64_t number = 0;
};
// nullopt: not a segment's name.
std::optional<SegmentName> parse_segment_name(std::string_view name);

std::string encode_header(const Header& header);
// `corrupt` when neither copy is good.
Result<Header> decode_header(std::string_view bytes);

// What the coordinator had acknowledged when the record was written.
struct Acked {
  std::uint64_t seq = 0;
  friend bool operator==(const Acked&, const Acked&) = default;
};
using Record = std::variant<Entry, Acked>;

// Writes the records of one segment. The first two entries of a series carry its key, so that no
// single damaged record leaves others without a meaning.
class SegmentEncoder {
 public:
  explicit SegmentEncoder(Header header) : header_(std::move(header)) {}
  [[nodiscard]] const Header& header() const { return header_; }
  void add(const Entry& entry, std::string& out);
  void add(Acked acked, std::string& out) const;

 private:
  void frame(std::string_view payload, std::string& out) const;

  Header header_;
  std::map<std::uint32_t, int> named_;  // by ref: how often
};

// Reads them back.
class SegmentDecoder {
 public:
  explicit SegmentDecoder(Header header) : header_(std::move(header)) {}
  [[nodiscard]] const Header& header() const { return header_; }

  // How long the record at the front of `bytes` says it is; nullopt: there is none. `bytes` needs
  // to hold kFrameBytes for a "yes".
  [[nodiscard]] static std::optional<std::size_t> record_size(std::string_view bytes);
  // `bytes` is one whole record. nullopt: it is not what was written.
  std::optional<Record> decode(std::string_view bytes);
  // The entry is good, but every record that named its series was damaged.
  [[nodiscard]] static bool is_anonymous(const Entry& entry) { return entry.key == nullptr; }

 private:
  std::optional<Record> decode_payload(std::string_view payload);

  Header header_;
  std::map<std::uint32_t, std::shared_ptr<const ProbeKey>> keys_;
};

}  // namespace firebreak::spool
