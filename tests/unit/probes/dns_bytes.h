// Answers of DNS servers, byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace firebreak::testing {

inline std::string dns_word(unsigned value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}

// "www.example.com" as labels, with the root.
inline std::string dns_labels(std::string_view name) {
  std::string bytes;
  while (!name.empty()) {
    const std::size_t length = name.find('.') < name.size() ? name.find('.') : name.size();
    bytes.append(1, static_cast<char>(length)).append(name.substr(0, length));
    name.remove_prefix(length < name.size() ? length + 1 : length);
  }
  return bytes.append(1, '\0');
}

inline std::string dns_record(const std::string& name, unsigned type, const std::string& data,
                              unsigned ttl = 300) {
  return name + dns_word(type) + dns_word(1) + dns_word(0) + dns_word(ttl) +
         dns_word(static_cast<unsigned>(data.size())) + data;
}

inline constexpr const char* kToQuestion = "\xc0\x0c";  // the name in the question, as a pointer

// The answer to a query as it was sent: its header and question, then `records`.
inline std::string dns_reply(const std::string& query, unsigned flags, unsigned count,
                             const std::string& records) {
  return query.substr(0, 2) + dns_word(flags) + dns_word(1) + dns_word(count) +
         std::string(4, '\0') + query.substr(12) + records;
}

inline constexpr unsigned kDnsFine = 0x8180;  // an answer, recursion wished for and available
inline constexpr unsigned kDnsTruncated = 0x8380;

}  // namespace firebreak::testing
