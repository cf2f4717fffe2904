// One handler for the process: libprotobuf knows no other.
#include "common/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "common/log.h"

namespace firebreak {
namespace {

std::atomic<const Clock*> clock_in_use{nullptr};
std::atomic<std::int64_t> next_line_us{0};
std::atomic<std::uint64_t> left_out{0};

// From any thread that parses.
void hear(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/,
          const std::string& text) {
  if (level == google::protobuf::LOGLEVEL_FATAL)  // it throws after this
    return log::error("libprotobuf gives up", {{"text", text}});
  const std::int64_t now = unix_us(clock_in_use.load()->now());
  std::int64_t due = next_line_us.load();
  const bool is_due =
      now >= due && next_line_us.compare_exchange_strong(due, now + kProtobufLineEvery.count());
  if (!is_due) {
    ++left_out;
    return;
  }
  log::warning("a message is not as it should be",
               {{"text", text}, {"left_out", left_out.exchange(0)}});
}

}  // namespace

void log_protobuf(const Clock& clock) {
  clock_in_use = &clock;
  next_line_us = 0;
  left_out = 0;
  google::protobuf::SetLogHandler(&hear);
}

}  // namespace firebreak
