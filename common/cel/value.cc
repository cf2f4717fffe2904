// Comparing and showing values.
#include "common/cel/value.h"

#include <array>
#include <charconv>
#include <cmath>

#include "common/assert.h"
#include "common/text.h"

namespace firebreak::cel {
namespace {

constexpr std::size_t kShownBytesMax = 4096;

std::string shown_double(double number) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  const bool looks_like_int = text.find_first_not_of("-0123456789") == std::string::npos;
  return looks_like_int ? text + ".0" : text;
}

std::string quoted(const std::string& text) {
  return "'" + escape_line(text) + "'";
}

// Elements may be shared over and over ([x, x] of [y, y] ...), so that the size of a list says
// little about the size of its text: `out` is watched instead.
void show(const Value& value, std::string& out);

void show_list(const List& list, std::string& out) {
  out += "[";
  for (std::size_t i = 0; i < list.size() && out.size() < kShownBytesMax; ++i) {
    if (i > 0) out += ", ";
    show(list[i], out);
  }
  out += "]";
}

void show_map(const Map& map, std::string& out) {
  out += "{";
  bool first = true;
  for (const auto& [key, value] : map) {
    if (out.size() >= kShownBytesMax) break;
    if (!first) out += ", ";
    first = false;
    out += quoted(key) + ": ";
    show(value, out);
  }
  out += "}";
}

void show(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Value::Kind::integer:
      out += std::to_string(value.as_int());
      return;
    case Value::Kind::unsigned_integer:
      out += std::to_string(value.as_uint()) + "u";
      return;
    case Value::Kind::real:
      out += shown_double(value.as_double());
      return;
    case Value::Kind::string:
      out += quoted(value.as_string());
      return;
    case Value::Kind::duration:
      out += format_duration(value.as_duration());
      return;
    case Value::Kind::timestamp:
      out += format_rfc3339(value.as_timestamp());
      return;
    case Value::Kind::list:
      return show_list(value.as_list(), out);
    case Value::Kind::map:
      return show_map(value.as_map(), out);
    case Value::Kind::error:
      out += "error: " + escape_line(value.as_error().message);
      return;
    case Value::Kind::unknown: {
      const auto& missing = value.as_unknown().missing;
      out += missing.empty()
                 ? "unknown"
                 : "unknown (" + escape_line(join_words({missing.begin(), missing.end()})) + ")";
      return;
    }
  }
}

}  // namespace

void Value::wrong_kind() {
  assertion_failed("a cel::Value is asked for the kind that it holds", __FILE__, __LINE__);
}

bool operator==(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Value::Kind::string:
      return a.as_string() == b.as_string();
    case Value::Kind::list:
      return a.as_list() == b.as_list();
    case Value::Kind::map:
      return a.as_map() == b.as_map();
    case Value::Kind::error:
      return a.as_error() == b.as_error();
    case Value::Kind::unknown:
      return a.as_unknown() == b.as_unknown();
    default:
      return a.data_ == b.data_;
  }
}

const char* to_string(Value::Kind kind) {
  constexpr std::array<const char*, 12> kNames{"null",   "bool",   "int",      "uint",
                                               "double", "string", "duration", "timestamp",
                                               "list",   "map",    "error",    "unknown"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string to_string(const Value& value) {
  std::string out;
  show(value, out);
  if (out.size() <= kShownBytesMax) return out;
  return to_valid_utf8(out, kShownBytesMax) + "…";
}

}  // namespace firebreak::cel
