// Tables and colours.
#include "cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "common/text.h"
#include "common/time.h"

namespace firebreak::cli {
namespace {

// Columns on the screen: code points; wide characters are rare enough in names of hosts.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

const char* code(Paint how) {
  switch (how) {
    case Paint::plain:
      return "";
    case Paint::good:
      return "\x1b[32m";
    case Paint::warn:
      return "\x1b[33m";
    case Paint::bad:
      return "\x1b[31m";
    case Paint::dim:
      return "\x1b[2m";
    case Paint::bold:
      return "\x1b[1m";
  }
  return "";
}

}  // namespace

bool colours() {
  static const bool wanted = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return wanted;
}

std::string paint(Paint how, std::string_view text) {
  std::string safe = escape_line(text);
  if (!colours() || how == Paint::plain) return safe;
  return code(how) + safe + "\x1b[0m";
}

Paint status_paint(std::string_view status) {
  if (status == "ok" || status == "passed" || status == "succeeded" || status == "resolved")
    return Paint::good;
  if (status == "warning" || status == "inconclusive" || status == "monitoring" ||
      status == "identified")
    return Paint::warn;
  if (status == "critical" || status == "failed" || status == "investigating" ||
      status == "timed_out")
    return Paint::bad;
  return Paint::dim;
}

std::string paint_status(std::string_view status) {
  return paint(status_paint(status), status);
}

std::string Table::render() const {
  std::vector<std::size_t> widths;
  for (const std::string& title : header_) widths.push_back(width(title));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width(escape_line(row[i].text)));
  std::string out;
  const auto line = [&](const std::vector<Cell>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += paint(cells[i].how, cells[i].text);
      if (i + 1 < cells.size())
        text += std::string(widths[i] + 2 - width(escape_line(cells[i].text)), ' ');
    }
    out += text + "\n";
  };
  std::vector<Cell> titles;
  for (const std::string& title : header_) titles.push_back({title, Paint::bold});
  line(titles);
  for (const auto& row : rows_) line(row);
  return out;
}

std::int64_t now_unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string ago(std::int64_t unix_us, std::int64_t now_unix_us) {
  if (unix_us == 0) return "never";
  return humanize_duration(Duration{std::max<std::int64_t>(now_unix_us - unix_us, 0)}) + " ago";
}

std::string clock_time(std::int64_t unix_us, std::int64_t now_unix_us) {
  if (unix_us == 0) return "-";
  const auto day_of = [](std::int64_t us) {
    return std::chrono::floor<std::chrono::days>(instant_from_unix_us(us).time_since_epoch());
  };
  const bool is_today = day_of(unix_us) == day_of(now_unix_us);
  const Instant at = instant_from_unix_us(unix_us);
  return is_today ? format_strftime(at, "%H:%M:%S") : format_utc(at);
}

std::string took(std::int64_t us) {
  return humanize_duration(Duration{us});
}

}  // namespace firebreak::cli
