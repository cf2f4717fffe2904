// Asks the routing table by connecting a datagram socket, which looks the way up and sends nothing
// (udp(7)).
#include "probes/reach.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ip/udp.hpp>

#include "common/fd.h"
#include "probes/resolver.h"
#include "probes/url.h"

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

struct Elsewhere {
  bool operator()(const HttpSpec& spec) const {
    const auto url = parse_url(spec.url);
    return url && !is_this_host(url->host);
  }
  bool operator()(const PrometheusSpec& spec) const { return (*this)(spec.http); }
  bool operator()(const QueueSpec& spec) const { return std::visit(*this, spec.source); }
  bool operator()(const QueueSpec::RedisList& source) const { return (*this)(source.redis); }
  bool operator()(const QueueSpec::HttpJson& source) const { return (*this)(source.http); }
  bool operator()(const QueueSpec::SqlCount& source) const { return (*this)(source.postgres); }
  // The host's own name servers ask others.
  bool operator()(const DnsSpec& spec) const {
    return spec.server.empty() || !is_this_host(spec.server);
  }
  bool operator()(const ExecSpec&) const { return false; }
  bool operator()(const SystemdSpec&) const { return false; }
  bool operator()(const HostSpec&) const { return false; }
  template <class Spec>
  bool operator()(const Spec& spec) const {
    return !is_this_host(spec.host);
  }
};

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

bool is_this_host(const std::string& host) {
  if (host.starts_with('/') || host == "localhost" || host.ends_with(".localhost")) return true;
  if (const auto address = numeric_address(host)) return is_this_host(*address);
  std::array<char, 256> own{};
  return ::gethostname(own.data(), own.size() - 1) == 0 && host == own.data();
}

bool could_be_own_network(const KindSpec& kind, const Observation& observation) {
  if (observation.status != Status::critical) return false;
  const bool is_silence = observation.reason == Reason::timeout ||
                          observation.reason == Reason::unreachable ||
                          observation.reason == Reason::dns;
  return is_silence && std::visit(Elsewhere{}, kind);
}

}  // namespace firebreak::probes
