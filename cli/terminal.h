// What the command line shows people: tables, colour only on a terminal, hostile text escaped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::cli {

enum class Paint { plain, good, warn, bad, dim, bold };

// Whether standard output may be coloured: a terminal, and NO_COLOR (https://no-color.org) is not
// set.
[[nodiscard]] bool colours();
// Escaped (escape_line) and painted.
[[nodiscard]] std::string paint(Paint how, std::string_view text);
// ok green, warning yellow, critical red, unknown dim.
[[nodiscard]] std::string paint_status(std::string_view status);

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  struct Cell {
    std::string text;  // hostile or not: escaped when shown
    Paint how = Paint::plain;
  };
  void row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

[[nodiscard]] Paint status_paint(std::string_view status);
[[nodiscard]] std::int64_t now_unix_us();
// "3.2 s ago", "never" for 0.
[[nodiscard]] std::string ago(std::int64_t unix_us, std::int64_t now_unix_us);
// "14:03:07" of an instant today, else "2026-11-20 14:03:07"; in UTC, as today is; "-" for 0.
inline constexpr std::size_t kClockTimeWidth = 8;  // of today's
[[nodiscard]] std::string clock_time(std::int64_t unix_us, std::int64_t now_unix_us);
// A duration in microseconds, for people.
[[nodiscard]] std::string took(std::int64_t us);

}  // namespace firebreak::cli
