// What a PostgreSQL server would send.
#pragma once

#include <string>

namespace firebreak::testing {

inline std::string postgres_message(char kind, const std::string& body) {
  std::string text(1, kind);
  const std::size_t length = body.size() + 4;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(length >> shift & 0xFF);
  return text + body;
}

inline std::string postgres_error(const std::string& code, const std::string& text) {
  using namespace std::string_literals;
  return postgres_message('E', "SFATAL\0VFATAL\0C"s + code + "\0M"s + text + "\0\0"s);
}

}  // namespace firebreak::testing
