// A window of a few records that moves over the file.
#include "agent/spool/segment_reader.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace firebreak::spool {
namespace {

constexpr std::size_t kChunkBytes = 64u << 10;

}  // namespace

SegmentReader::SegmentReader(Files& files, Header header, std::uint64_t end)
    : files_(files),
      name_(segment_name(header.lane, header.number)),
      decoder_(std::move(header)),
      end_(end) {}

std::string_view SegmentReader::rest() const {
  return std::string_view(buffer_).substr(static_cast<std::size_t>(position_ - buffer_at_));
}

Result<> SegmentReader::fill(std::size_t bytes) {
  if (position_ < buffer_at_) {  // an error sent us back
    buffer_.clear();
    buffer_at_ = position_;
  }
  const std::uint64_t wanted = std::min<std::uint64_t>(end_, position_ + bytes);
  if (buffer_at_ + buffer_.size() >= wanted) return {};
  const std::uint64_t have_to = buffer_at_ + buffer_.size();
  const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(end_ - have_to, kChunkBytes));
  auto chunk = files_.read(name_, have_to, more);
  if (!chunk) return chunk.error();
  buffer_.erase(0, static_cast<std::size_t>(position_ - buffer_at_));
  buffer_at_ = position_;
  buffer_ += *chunk;
  if (chunk->size() < more) end_ = have_to + chunk->size();  // somebody has cut the file
  return {};
}

Result<std::optional<Record>> SegmentReader::take() {
  if (const auto filled = fill(kFrameBytes); !filled) return filled.error();
  const auto size = SegmentDecoder::record_size(rest().substr(0, kFrameBytes));
  if (!size || position_ + *size > end_) return std::optional<Record>();
  if (const auto filled = fill(*size); !filled) return filled.error();
  if (rest().size() < *size) return std::optional<Record>();
  auto record = decoder_.decode(rest().substr(0, *size));
  if (!record) return record;
  record_at_ = position_;
  good_end_ = position_ += *size;
  return record;
}

// After damage, where the next good record begins is found by trying.
Result<std::optional<Record>> SegmentReader::seek() {
  const std::uint64_t begin = position_;
  while (position_ < end_) {
    auto record = take();
    if (!record) {
      position_ = begin;
      return record.error();
    }
    if (*record) {
      if (record_at_ > begin) damage_.push_back({begin, record_at_, false});
      return record;
    }
    ++position_;
  }
  if (end_ > begin) damage_.push_back({begin, end_, true});
  return std::optional<Record>();
}

Result<std::optional<Record>> SegmentReader::next() {
  for (;;) {
    auto record = seek();
    if (!record || !*record) return record;
    const auto* entry = std::get_if<Entry>(&**record);
    if (entry == nullptr || !SegmentDecoder::is_anonymous(*entry)) return record;
    ++anonymous_;
  }
}

std::vector<Damage> SegmentReader::take_damage() {
  return std::exchange(damage_, {});
}

}  // namespace firebreak::spool
