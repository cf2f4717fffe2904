// What a process tells its operator while it runs: one line per event on stderr, which systemd
// gives to the journal.
//
// Thread-safe and never waits for a slow reader: lines go through a bounded queue to one thread;
// when the queue is full the oldest lines are dropped, and their number is logged.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace firebreak::log {

enum class Level { debug, info, warning, error };
// text: `2026-11-21T03:14:07.123Z warning message key=value key="two words"`, without the time and
// with sd-daemon(3)'s priority prefix when the journal reads; json: one object per line with
// time, level, message and the fields.
enum class Format { text, json };

// Messages are ours and constant; whatever comes from outside goes into a field, where it is
// escaped and cut. Names are snake_case: agent, incident, error.
struct Field {
  Field(std::string_view name_, std::string_view value_) : name(name_), value(value_) {}
  Field(std::string_view name_, const std::string& value_) : name(name_), value(value_) {}
  Field(std::string_view name_, const char* value_) : name(name_), value(value_) {}
  Field(std::string_view name_, std::int64_t value_) : name(name_), value(std::to_string(value_)) {}
  Field(std::string_view name_, std::uint64_t value_)
      : name(name_), value(std::to_string(value_)) {}
  Field(std::string_view name_, int value_) : name(name_), value(std::to_string(value_)) {}
  std::string_view name;
  std::string value;
};

// Once, from main, after daemons forked and before threads log. Without it, warnings and errors go
// straight to stderr as text: what tests and the one-shot commands want.
void start(Level level, Format format);
// Writes what is queued; from main before it returns.
void stop();

void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, message, fields);
}

// One line without its end, as write() gives it out; pure.
std::string format_line(Format format, bool for_journal, std::string_view time, Level level,
                        std::string_view message, std::initializer_list<Field> fields);

}  // namespace firebreak::log
