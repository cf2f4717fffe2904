// What a PostgreSQL server would send.
#pragma once

#include <string>
#include <vector>

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

// To a login without a password, and to one question in the simple protocol.
inline std::string postgres_welcome() {
  using namespace std::string_literals;
  return postgres_message('R', "\0\0\0\0"s) + postgres_message('Z', "I");
}

inline std::string postgres_row(const std::vector<std::string>& values) {
  std::string body{'\0', static_cast<char>(values.size())};
  for (const std::string& value : values) {
    for (int shift = 24; shift >= 0; shift -= 8)
      body += static_cast<char>(value.size() >> shift & 0xFF);
    body += value;
  }
  return postgres_message('D', body);
}

inline std::string postgres_columns(const std::vector<std::string>& names) {
  using namespace std::string_literals;
  const std::string text_type = "\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"s;
  std::string body{'\0', static_cast<char>(names.size())};
  for (const std::string& name : names) body.append(name).append(1, '\0').append(text_type);
  return postgres_message('T', body);
}

inline std::string postgres_end() {
  using namespace std::string_literals;
  return postgres_message('C', "SHOW\0"s) + postgres_message('Z', "I");
}

}  // namespace firebreak::testing
