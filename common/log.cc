// Renders log lines, and hands them to spdlog's asynchronous stderr sink.
#include "common/log.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include "common/clock.h"
#include "common/limits.h"
#include "common/text.h"
#include "common/time.h"

namespace firebreak::log {
namespace {

constexpr const char* kLevelNames[] = {"debug", "info", "warning", "error"};
constexpr const char* kPriorities[] = {"<7>", "<6>", "<4>", "<3>"};  // sd-daemon(3)

std::size_t index_of(Level level) {
  return static_cast<std::size_t>(level);
}

std::string json_string(std::string_view text) {
  return boost::json::serialize(boost::json::value(to_valid_utf8(text, limits::kLogValueBytesMax)));
}

bool is_plain(std::string_view text) {
  return !text.empty() && text.find_first_of(" \"=\\") == std::string_view::npos;
}

std::string text_value(std::string_view text) {
  std::string escaped = escape_line(text, limits::kLogValueBytesMax);
  if (is_plain(escaped)) return escaped;
  std::string quoted = "\"";
  for (const char c : escaped) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// stderr is connected to the journal: systemd.exec(5), $JOURNAL_STREAM.
bool journal_reads() {
  return std::getenv("JOURNAL_STREAM") != nullptr;  // read once, before threads
}

struct Output {
  Output(Level least_, Format format_)
      : least(least_),
        format(format_),
        for_journal(journal_reads()),
        pool(std::make_shared<spdlog::details::thread_pool>(limits::kLogQueueLines, 1)),
        sink(std::make_shared<spdlog::sinks::stderr_sink_mt>()),
        logger(std::make_shared<spdlog::async_logger>(
            "firebreak", sink, pool, spdlog::async_overflow_policy::overrun_oldest)) {
    sink->set_pattern("%v");
    logger->set_level(spdlog::level::trace);
  }
  Level least;
  Format format;
  bool for_journal;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink;
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<std::size_t> lost_told{0};

  void write_line(const std::string& line) { logger->log(spdlog::level::info, line); }
};

std::mutex g_mutex;
std::shared_ptr<Output> g_output;

std::shared_ptr<Output> output() {
  const std::lock_guard lock(g_mutex);
  return g_output;
}

std::string now_text() {
  return format_rfc3339(instant_from_unix_us(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
          .count()));
}

void tell_lost(Output& out) {
  const std::size_t lost = out.pool->overrun_counter();
  const std::size_t told = out.lost_told.exchange(lost);
  if (lost > told)
    out.write_line(format_line(out.format, out.for_journal, now_text(), Level::warning,
                               "log lines were dropped: nobody reads them fast enough",
                               {{"lines", static_cast<std::uint64_t>(lost - told)}}));
}

}  // namespace

std::string format_line(Format format, bool for_journal, std::string_view time, Level level,
                        std::string_view message, std::initializer_list<Field> fields) {
  std::string line;
  if (format == Format::json) {
    line = for_journal ? kPriorities[index_of(level)] : "";
    line += R"({"time":)" + json_string(time) + R"(,"level":")" + kLevelNames[index_of(level)] +
            R"(","message":)" + json_string(message);
    for (const Field& field : fields)
      line += "," + json_string(field.name) + ":" + json_string(field.value);
    return line + "}";
  }
  line = for_journal ? std::string(kPriorities[index_of(level)])
                     : std::string(time) + " " + kLevelNames[index_of(level)] + " ";
  line += escape_line(message, limits::kLogValueBytesMax);
  for (const Field& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    line += text_value(field.value);
  }
  return line;
}

void start(Level level, Format format) {
  const std::lock_guard lock(g_mutex);
  g_output = std::make_shared<Output>(level, format);
}

void stop() {
  std::shared_ptr<Output> ending;
  {
    const std::lock_guard lock(g_mutex);
    ending = std::move(g_output);
  }
  // The thread pool writes what is queued before its destructor returns.
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const auto out = output();
  if (!out) {
    if (level < Level::warning) return;
    const std::string line =
        format_line(Format::text, false, now_text(), level, message, fields) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
    return;
  }
  if (level < out->least) return;
  tell_lost(*out);
  out->write_line(format_line(out->format, out->for_journal, now_text(), level, message, fields));
}

}  // namespace firebreak::log
