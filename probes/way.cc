// Asks the routing table by connecting a datagram socket, which looks the way up and sends nothing
// (udp(7)).
#include "probes/way.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include <boost/asio/ip/udp.hpp>

#include "common/fd.h"

namespace firebreak::probes {
namespace {

namespace asio = boost::asio;

constexpr std::uint16_t kAnyPort = 9;

// The source that the kernel would take; nullopt with errno when there is no way.
std::optional<asio::ip::address> source_towards(const asio::ip::address& address) {
  asio::ip::udp::endpoint target(address, kAnyPort);
  const Fd socket(::socket(target.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return std::nullopt;
  if (::connect(socket.get(), target.data(), static_cast<socklen_t>(target.size())) != 0)
    return std::nullopt;
  asio::ip::udp::endpoint source;
  auto size = static_cast<socklen_t>(source.capacity());
  if (::getsockname(socket.get(), source.data(), &size) != 0) return std::nullopt;
  source.resize(size);
  return source.address();
}

bool is_no_way(int error) {
  return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN ||
         error == EINVAL ||  // a blackhole route (route(8))
         error == EACCES || error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

}  // namespace

bool has_way_to(const asio::ip::address& address) {
  errno = 0;
  return source_towards(address) || !is_no_way(errno);
}

bool is_this_host(const asio::ip::address& address) {
  if (address.is_loopback() || address.is_unspecified()) return true;
  const auto source = source_towards(address);
  return source && *source == address;
}

}  // namespace firebreak::probes
