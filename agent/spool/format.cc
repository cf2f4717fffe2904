// Little-endian integers, varints, and a frame that says twice how long it is.
#include "agent/spool/format.h"

#include <array>
#include <bit>
#include <charconv>
#include <utility>

#include "common/assert.h"
#include "common/crc32c.h"
#include "common/limits.h"

namespace firebreak::spool {
namespace {

constexpr std::string_view kMagic = "fbspool\x01";  // the last byte is the version
constexpr std::string_view kSuffix = ".spool";
constexpr std::array<std::string_view, 3> kLaneNames{"healthy", "fault", "news"};
// No agent gets so far; what claims it has a right checksum and was never written by one. One more
// of either can be counted without an overflow.
constexpr std::uint64_t kNumberMax = 1ULL << 62;
constexpr Duration kTimeMax{1LL << 55};  // more than a thousand years
constexpr std::size_t kNumberDigits = 16;
constexpr std::uint16_t kLengthMask = 0xa5c3;  // so that zeros are no frame

enum Tag : std::uint8_t { kEntry = 1, kNamedEntry = 2, kAcked = 3 };

template <class T>
void put_fixed(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
}

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Small numbers of either sign are short.
void put_signed(std::string& out, std::int64_t value) {
  put_varint(out, static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

// Takes from the front; once something is missing everything is zero and ok() is false.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool is_at_end() const { return ok_ && rest_.empty(); }

  std::string_view bytes(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <class T>
  T fixed() {
    std::uint64_t value = 0;
    std::size_t i = 0;
    for (const char byte : bytes(sizeof(T)))
      value |= std::uint64_t{static_cast<unsigned char>(byte)} << (8 * i++);
    return static_cast<T>(value);
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::int64_t signed_varint() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  std::string_view text() {
    const std::uint64_t size = varint();
    return bytes(size > limits::kSpoolRecordBytesMax ? rest_.size() + 1
                                                     : static_cast<std::size_t>(size));
  }
  void require(bool holds) { ok_ = ok_ && holds; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// A record of another file is none.
std::uint32_t checksum(std::uint64_t number, std::string_view payload) {
  std::string seed;
  put_fixed(seed, number);
  return crc32c(payload, crc32c(seed));
}

std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  return Parser(bytes.substr(at)).fixed<std::uint32_t>();
}

std::string header_copy(const Header& header) {
  std::string bytes(kMagic);
  put_fixed(bytes, static_cast<std::uint32_t>(header.lane));
  put_fixed(bytes, header.number);
  put_fixed(bytes, header.incarnation);
  bytes.append(header.boot_id, 0, kBootIdBytes).resize(kMagic.size() + 20 + kBootIdBytes, '\0');
  put_fixed(bytes, header.monotonic.count());
  put_fixed(bytes, header.wall.time_since_epoch().count());
  put_fixed(bytes, header.base_seq);
  put_fixed(bytes, header.acked);
  put_fixed(bytes, std::uint64_t{0});  // for later
  put_fixed(bytes, std::uint32_t{0});
  put_fixed(bytes, crc32c(bytes));
  return bytes;
}

bool is_near(Duration time) {
  return time >= -kTimeMax && time <= kTimeMax;
}

std::optional<Header> parse_copy(std::string_view bytes) {
  if (bytes.size() != kHeaderBytes / 2 || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::size_t end = bytes.size() - sizeof(std::uint32_t);
  if (word_at(bytes, end) != crc32c(bytes.substr(0, end))) return std::nullopt;
  Parser parser(bytes.substr(kMagic.size()));
  Header header;
  const auto lane = parser.fixed<std::uint32_t>();
  if (lane >= kLanes.size()) return std::nullopt;
  header.lane = kLanes.at(lane);
  header.number = parser.fixed<std::uint64_t>();
  header.incarnation = parser.fixed<std::uint64_t>();
  const std::string_view boot_id = parser.bytes(kBootIdBytes);
  header.boot_id = boot_id.substr(0, boot_id.find('\0'));
  header.monotonic = Duration{parser.fixed<std::int64_t>()};
  header.wall = WallTime{Duration{parser.fixed<std::int64_t>()}};
  header.base_seq = parser.fixed<std::uint64_t>();
  header.acked = parser.fixed<std::uint64_t>();
  const bool is_possible = is_near(header.monotonic) && is_near(header.wall.time_since_epoch()) &&
                           header.base_seq > 0 && header.base_seq <= kNumberMax &&
                           header.acked <= kNumberMax;
  if (!is_possible) return std::nullopt;
  return header;
}

void put_observation(std::string& out, const Observation& seen, bool confirmed) {
  const auto status = static_cast<unsigned>(seen.status);
  out.push_back(static_cast<char>(status << 1U | (confirmed ? 1U : 0U)));
  out.push_back(static_cast<char>(seen.reason));
  out.push_back(static_cast<char>(seen.phase));
  put_signed(out, seen.latency.count());
  put_varint(out, seen.values.size());
  for (const NamedValue& value : seen.values) {
    put_text(out, value.name);
    put_fixed(out, std::bit_cast<std::uint64_t>(value.value));
  }
  put_text(out, seen.evidence);
}

void take_observation(Parser& parser, Entry& entry) {
  const auto bits = parser.fixed<std::uint8_t>();
  const auto reason = parser.fixed<std::uint8_t>();
  const auto phase = parser.fixed<std::uint8_t>();
  parser.require(bits >> 1U <= static_cast<unsigned>(Status::unknown));
  parser.require(reason <= static_cast<unsigned>(Reason::config));
  parser.require(phase <= static_cast<unsigned>(Phase::query));
  entry.confirmed = (bits & 1U) != 0;
  Observation& seen = entry.observation;
  seen.status = static_cast<Status>(bits >> 1U);
  seen.reason = static_cast<Reason>(reason);
  seen.phase = static_cast<Phase>(phase);
  seen.latency = Duration{parser.signed_varint()};
  parser.require(is_near(seen.latency));
  const std::uint64_t values = parser.varint();
  parser.require(values <= limits::kValuesPerResultMax);
  for (std::uint64_t i = 0; i < values && parser.ok(); ++i) {
    std::string name(parser.text());
    seen.values.push_back({std::move(name), std::bit_cast<double>(parser.fixed<std::uint64_t>())});
  }
  seen.evidence = parser.text();
}

}  // namespace

std::string segment_name(Lane lane, std::uint64_t number) {
  std::array<char, kNumberDigits> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.begin()));
  std::string name(kNumberDigits - text.size(), '0');
  name.append(text).append("-").append(kLaneNames.at(static_cast<std::size_t>(lane)));
  return name.append(kSuffix);
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  SegmentName parsed;
  const auto [end, error] = std::from_chars(
      name.data(), name.data() + std::min(name.size(), kNumberDigits), parsed.number, 16);
  if (error != std::errc{} || end != name.data() + kNumberDigits) return std::nullopt;
  if (parsed.number > kNumberMax) return std::nullopt;
  for (const Lane lane : kLanes) {
    parsed.lane = lane;
    if (name == segment_name(lane, parsed.number)) return parsed;
  }
  return std::nullopt;
}

std::string encode_header(const Header& header) {
  const std::string copy = header_copy(header);
  FB_ASSERT(copy.size() == kHeaderBytes / 2);
  return copy + copy;
}

Result<Header> decode_header(std::string_view bytes) {
  bytes = bytes.substr(0, kHeaderBytes);
  if (auto header = parse_copy(bytes.substr(0, kHeaderBytes / 2))) return *std::move(header);
  if (bytes.size() == kHeaderBytes)
    if (auto header = parse_copy(bytes.substr(kHeaderBytes / 2))) return *std::move(header);
  return make_error(Errc::corrupt, "neither copy of the header is as it was written");
}

void SegmentEncoder::frame(std::string_view payload, std::string& out) const {
  FB_ASSERT(payload.size() <= limits::kSpoolRecordBytesMax);
  const auto length = static_cast<std::uint16_t>(payload.size());
  put_fixed(out, length);
  put_fixed(out, static_cast<std::uint16_t>(length ^ kLengthMask));
  put_fixed(out, checksum(header_.number, payload));
  out += payload;
}

void SegmentEncoder::add(const Entry& entry, std::string& out) {
  const bool is_named = ++named_[entry.ref] <= 2;
  std::string payload;
  payload.push_back(static_cast<char>(is_named ? kNamedEntry : kEntry));
  put_varint(payload, entry.ref);
  if (is_named) {
    put_text(payload, entry.key->service.str());
    put_text(payload, entry.key->probe.str());
  }
  put_varint(payload, entry.seq - header_.base_seq);
  put_signed(payload, (entry.started - header_.monotonic).count());
  put_observation(payload, entry.observation, entry.confirmed);
  frame(payload, out);
}

void SegmentEncoder::add(Acked acked, std::string& out) const {
  std::string payload(1, static_cast<char>(kAcked));
  put_varint(payload, acked.seq);
  frame(payload, out);
}

std::optional<std::size_t> SegmentDecoder::record_size(std::string_view bytes) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  Parser parser(bytes);
  const auto length = parser.fixed<std::uint16_t>();
  const auto check = parser.fixed<std::uint16_t>();
  if ((length ^ kLengthMask) != check || length > limits::kSpoolRecordBytesMax) return std::nullopt;
  return kFrameBytes + length;
}

std::optional<Record> SegmentDecoder::decode(std::string_view bytes) {
  const std::string_view payload = bytes.substr(kFrameBytes);
  if (word_at(bytes, sizeof(std::uint32_t)) != checksum(header_.number, payload))
    return std::nullopt;
  return decode_payload(payload);
}

std::optional<Record> SegmentDecoder::decode_payload(std::string_view payload) {
  Parser parser(payload);
  const auto tag = parser.fixed<std::uint8_t>();
  if (tag == kAcked) {
    const Acked acked{parser.varint()};
    if (!parser.is_at_end() || acked.seq > kNumberMax) return std::nullopt;
    return acked;
  }
  if (tag != kEntry && tag != kNamedEntry) return std::nullopt;
  Entry entry;
  entry.lane = header_.lane;
  entry.ref = static_cast<std::uint32_t>(parser.varint());
  std::shared_ptr<const ProbeKey> key;
  if (tag == kNamedEntry) {
    ServiceName service(parser.text());
    ProbeName probe(parser.text());
    key = std::make_shared<const ProbeKey>(ProbeKey{std::move(service), std::move(probe)});
  }
  const std::uint64_t behind_base = parser.varint();
  const Duration since_begun{parser.signed_varint()};
  if (behind_base > kNumberMax || !is_near(since_begun)) return std::nullopt;
  entry.seq = header_.base_seq + behind_base;
  entry.started = header_.monotonic + since_begun;
  parser.require(entry.seq <= kNumberMax && entry.started >= Duration::zero());
  take_observation(parser, entry);
  if (!parser.is_at_end()) return std::nullopt;
  auto& known = keys_[entry.ref];
  if (key && (!known || *known != *key)) known = std::move(key);
  entry.key = known;
  return entry;
}

}  // namespace firebreak::spool
