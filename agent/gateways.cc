// Both tables hold addresses as hexadecimal digits, IPv4 in the host's byte order.
#include "agent/gateways.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/limits.h"

namespace firebreak::agent {
namespace {

constexpr std::uint32_t kUp = 0x1;  // RTF_UP and RTF_GATEWAY of <linux/route.h>
constexpr std::uint32_t kGateway = 0x2;

std::optional<std::uint32_t> hex(std::string_view text) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

using Fields = std::vector<std::string_view>;

Fields fields_of(std::string_view line) {
  Fields fields;
  fields.reserve(12);
  constexpr std::string_view kBlanks = " \t";
  for (std::size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return fields;
}

template <class Read>
std::vector<std::string> each_line(std::string_view table, const Read& read) {
  std::vector<std::string> found;
  found.reserve(limits::kGatewaysMax);
  while (!table.empty() && found.size() < limits::kGatewaysMax) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    auto gateway = read(fields_of(table.substr(0, end)));
    const bool is_new = gateway && std::find(found.begin(), found.end(), *gateway) == found.end();
    if (is_new) found.push_back(*std::move(gateway));
    table.remove_prefix(std::min(end + 1, table.size()));
  }
  return found;
}

bool is_usable(std::optional<std::uint32_t> flags) {
  return flags && (*flags & kUp) != 0 && (*flags & kGateway) != 0;
}

// Iface Destination Gateway Flags RefCnt Use Metric Mask ...
std::optional<std::string> read_ipv4(const Fields& fields) {
  if (fields.size() < 8 || fields[1] != "00000000" || fields[7] != "00000000") return std::nullopt;
  const auto gateway = hex(fields[2]);
  if (!gateway || *gateway == 0 || !is_usable(hex(fields[3]))) return std::nullopt;
  const in_addr address{*gateway};
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &address, text, sizeof text);
}

// Destination its-length source its-length next-hop metric refcnt use flags iface
std::optional<std::string> read_ipv6(const Fields& fields) {
  if (fields.size() < 10 || fields[1] != "00" || fields[4].size() != 32 ||
      fields[0].find_first_not_of('0') != std::string_view::npos || !is_usable(hex(fields[8])))
    return std::nullopt;
  in6_addr address{};
  for (std::size_t i = 0; i < sizeof address.s6_addr; ++i) {
    const auto byte = hex(fields[4].substr(2 * i, 2));
    if (!byte) return std::nullopt;
    address.s6_addr[i] = static_cast<std::uint8_t>(*byte);
  }
  char text[INET6_ADDRSTRLEN];
  if (::inet_ntop(AF_INET6, &address, text, sizeof text) == nullptr) return std::nullopt;
  const bool needs_scope = IN6_IS_ADDR_LINKLOCAL(&address);
  return needs_scope ? std::string(text).append("%").append(fields[9]) : std::string(text);
}

}  // namespace

std::vector<std::string> ipv4_gateways(std::string_view route) {
  return each_line(route, read_ipv4);
}

std::vector<std::string> ipv6_gateways(std::string_view route) {
  return each_line(route, read_ipv6);
}

}  // namespace firebreak::agent
