// A line says what follows; arrays wait on a stack for their elements.
#include "probes/resp.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

constexpr std::size_t kReplyCost = 64;  // of one that is kept, beside its text

bool is_integer(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  return !digits.empty() && digits.size() <= 19 &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "-1" is null.
std::optional<long> size_of(std::string_view text) {
  long size = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), size);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || size < -1)
    return std::nullopt;
  return size;
}

}  // namespace

bool RedisReader::fail(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
  return false;
}

bool RedisReader::feed(std::string_view bytes) {
  seen_ += bytes.size();
  while (problem_.empty() && !bytes.empty()) {
    if (bulk_ && bulk_->left > 0) {
      take_bulk(bytes);
      continue;
    }
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() > limits::kRedisLineBytesMax)
      return fail("a reply longer than 64 KiB: " + line_);
    line_.append(part);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    take_line();
  }
  if (problem_.empty() && seen_ > limits::kRedisSeenBytesMax) fail("replies longer than 16 MiB");
  return problem_.empty();
}

bool RedisReader::take_line() {
  const std::string line = std::exchange(line_, {});
  if (bulk_) {
    RedisReply reply{'$', std::move(bulk_->text)};
    bulk_.reset();
    return line == "\r" ? end_reply(std::move(reply)) : fail("a string longer than it says");
  }
  const char kind = line.empty() ? '\0' : line.front();
  if (!line.ends_with('\r') || line.size() < 2) return fail("not an answer of Redis: " + line);
  const std::string text = line.substr(1, line.size() - 2);
  if (kind == '+' || kind == '-' || (kind == ':' && is_integer(text)))
    return end_reply({kind, text});
  const auto size = kind == '$' || kind == '*' ? size_of(text) : std::nullopt;
  if (!size) return fail("not an answer of Redis: " + line.substr(0, line.size() - 1));
  if (*size < 0) return end_reply({'_'});
  const auto count = static_cast<std::size_t>(*size);
  return kind == '$' ? begin_bulk(count) : begin_array(count);
}

bool RedisReader::begin_bulk(std::size_t size) {
  if (size > limits::kRedisSeenBytesMax) return fail("a string longer than 16 MiB");
  bulk_ = Bulk{size};
  return true;
}

bool RedisReader::begin_array(std::size_t size) {
  if (size > limits::kRedisKeptBytesMax / kReplyCost)
    return fail("an array with too many elements");
  if (size == 0) return end_reply({'*'});
  if (open_.size() >= limits::kRedisDepthMax) return fail("arrays within arrays within arrays");
  open_.push_back({size, {'*'}});
  return true;
}

void RedisReader::take_bulk(std::string_view& bytes) {
  const std::string_view part = bytes.substr(0, bulk_->left);
  bulk_->text.append(part.substr(0, limits::kRedisLineBytesMax - bulk_->text.size()));
  bulk_->left -= part.size();
  bytes.remove_prefix(part.size());
}

// An element may be the last of its array, and that of the one around it.
bool RedisReader::end_reply(RedisReply reply) {
  kept_ += reply.text.size() + kReplyCost;
  if (kept_ > limits::kRedisKeptBytesMax) return fail("replies longer than 1 MiB");
  while (!open_.empty()) {
    open_.back().reply.items.push_back(std::move(reply));
    if (--open_.back().left > 0) return true;
    reply = std::move(open_.back().reply);
    open_.pop_back();
  }
  done_.push_back(std::move(reply));
  return true;
}

std::optional<RedisReply> RedisReader::take() {
  if (taken_ == done_.size()) return std::nullopt;
  return std::move(done_[taken_++]);
}

}  // namespace firebreak::probes
