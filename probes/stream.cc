// The two ways to connect, and what each errno means about the target.
#include "probes/stream.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "probes/way.h"

namespace firebreak::probes {
namespace {

namespace asio = boost::asio;

struct Meaning {
  Status status = Status::critical;
  Reason reason = Reason::unreachable;
};

Meaning meaning_of(const boost::system::error_code& error) {
  using namespace boost::system::errc;
  if (error.category() == asio::error::get_ssl_category() ||
      error.category() == asio::ssl::error::get_stream_category())
    return {Status::critical, Reason::tls};
  if (error == connection_refused || error == no_such_file_or_directory)
    return {Status::critical, Reason::refused};
  if (error == connection_reset || error == broken_pipe || error == connection_aborted ||
      error == not_connected || error == asio::error::eof)
    return {Status::critical, Reason::reset};
  if (error == timed_out) return {Status::critical, Reason::timeout};
  if (error == permission_denied || error == operation_not_permitted)
    return {Status::unknown, Reason::config};
  if (error == too_many_files_open || error == too_many_files_open_in_system ||
      error == no_buffer_space || error == not_enough_memory || error == address_not_available ||
      error == resource_unavailable_try_again || error == network_down)
    return {Status::unknown, Reason::prober};
  return {Status::critical, Reason::unreachable};
}

const char* what_did_not_come(Phase phase) {
  switch (phase) {
    case Phase::none:
    case Phase::resolve:
      return "no address for the name";
    case Phase::connect:
      return "no connection";
    case Phase::tls:
      return "no TLS handshake";
    case Phase::send:
      return "the request could not be sent";
    case Phase::first_byte:
      return "no answer";
    case Phase::transfer:
      return "no complete answer";
    case Phase::query:
      return "no result of the query";
  }
  return "no answer";
}

bool is_abort(const boost::system::error_code& error) {
  return error == asio::error::operation_aborted || error == asio::error::bad_descriptor;
}

asio::generic::stream_protocol::endpoint endpoint_of(const asio::ip::address& address,
                                                     std::uint16_t port) {
  return asio::ip::tcp::endpoint(address, port);
}

void close_quietly(Socket& socket) {
  boost::system::error_code ignored;
  socket.close(ignored);
}

}  // namespace

Connection::Connection(Attempt& attempt)
    : socket_(attempt.tools().io.get_executor()),
      scope_(attempt, [this] { close_quietly(socket_); }) {}

std::string endpoint_text(const asio::ip::address& address, std::uint16_t port) {
  const std::string host = address.to_string();
  return (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool fail_io(Attempt& attempt, const boost::system::error_code& error, std::string_view what) {
  if (attempt.is_over())
    return attempt.fail_timeout(std::string(what_did_not_come(attempt.phase())) + " (" +
                                std::string(what) + ")");
  if (is_abort(error))
    return attempt.critical(Reason::timeout, std::string(what) + ": no answer in its share of " +
                                                 format_duration(attempt.spec().timeout));
  const Meaning meaning = meaning_of(error);
  return attempt.fail(meaning.status, meaning.reason, std::string(what) + ": " + error.message());
}

bool fail_no_way(Attempt& attempt, const asio::ip::address& address) {
  return attempt.unknown(Reason::prober, "this host has no route to " + address.to_string());
}

bool fail_reach(Attempt& attempt, const boost::system::error_code& error,
                const asio::ip::address& address, std::string_view what) {
  const bool ours = !attempt.is_over() && !is_abort(error) &&
                    (error == boost::system::errc::network_down ||
                     (meaning_of(error).reason == Reason::unreachable && !has_way_to(address)));
  return ours ? fail_no_way(attempt, address) : fail_io(attempt, error, what);
}

Awaitable<bool> resolve(Attempt& attempt, std::string host, Addresses& addresses) {
  attempt.enter(Phase::resolve);
  addresses.clear();
  // Nothing rings a second time: whoever starts to wait after the end would wait for ever.
  if (attempt.is_over()) co_return attempt.fail_timeout("no address for " + host);
  if (const auto address = numeric_address(host)) {
    addresses.push_back(*address);
    co_return choose_addresses(attempt, host, addresses);
  }
  attempt.rests_on(host);
  Resolver& resolver = attempt.tools().resolver;
  if (const Addresses* kept = resolver.kept(host, attempt.now())) {
    addresses = *kept;
    co_return choose_addresses(attempt, host, addresses);
  }
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      answered(attempt.tools().io.get_executor(), TimePoint::max());
  std::optional<Result<Addresses>> answer;
  const auto ticket = resolver.look_up(host, [&](Result<Addresses> found) {
    answer = std::move(found);
    answered.cancel();
  });
  if (!ticket) co_return attempt.unknown(Reason::prober, host + ": " + ticket.error().message);
  {
    const Attempt::AbortScope scope(attempt, [&answered] { answered.cancel(); });
    co_await answered.async_wait(as_data());
  }
  if (!answer || attempt.is_over()) {
    if (resolver.forget(*ticket))
      co_return attempt.unknown(Reason::prober,
                                host + ": all resolver threads hang in other look-ups");
    co_return attempt.fail_timeout("no address for " + host);
  }
  if (!*answer) {
    if (answer->error().code == Errc::resource_exhausted)
      co_return attempt.unknown(Reason::prober, host + ": " + answer->error().message);
    co_return attempt.critical(Reason::dns, host + ": " + answer->error().message);
  }
  addresses = **std::move(answer);
  resolver.keep(host, addresses, attempt.now());
  if (attempt.tracing()) {
    std::string text = host + " is";
    for (const auto& address : addresses) text += " " + address.to_string();
    attempt.trace(text);
  }
  co_return choose_addresses(attempt, host, addresses);
}

bool choose_addresses(Attempt& attempt, const std::string& host, Addresses& addresses) {
  const ProbeSpec& spec = attempt.spec();
  const auto source = numeric_address(spec.source);
  const bool v4 = spec.family != "ipv6" && (!source || source->is_v4());
  const bool v6 = spec.family != "ipv4" && (!source || source->is_v6());
  const bool was_empty = addresses.empty();
  std::erase_if(addresses,
                [&](const asio::ip::address& address) { return address.is_v4() ? !v4 : !v6; });
  if (spec.family.starts_with("prefer-"))
    std::stable_partition(addresses.begin(), addresses.end(), [&](const auto& address) {
      return address.is_v6() == (spec.family == "prefer-ipv6");
    });
  if (!addresses.empty() || was_empty) return true;
  const std::string wanted = v4 ? "IPv4" : v6 ? "IPv6" : "such";
  if (numeric_address(host) || (!v4 && !v6))
    return attempt.unknown(Reason::config, host + " is no " + wanted + " address");
  return attempt.critical(Reason::dns, host + " has no " + wanted + " address");
}

bool bind_source(Attempt& attempt, int socket) {
  const auto source = numeric_address(attempt.spec().source);
  if (!source) return true;
  // The port is chosen when the peer is known, so that ports do not run out.
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  const asio::ip::udp::endpoint from(*source, 0);
  if (::bind(socket, from.data(), static_cast<socklen_t>(from.size())) == 0) return true;
  const boost::system::error_code error(errno, boost::system::system_category());
  return attempt.unknown(Reason::prober,
                         "cannot ask from " + attempt.spec().source + ": " + error.message());
}

TimePoint step_deadline(const Attempt& attempt, std::size_t left) {
  const TimePoint now = attempt.now();
  return now + (attempt.deadline() - now) / static_cast<int>(left);
}

Awaitable<bool> connect(Attempt& attempt, Socket& socket, const Addresses& addresses,
                        std::uint16_t port) {
  attempt.enter(Phase::connect);
  bool is_blamed = false;  // then an address that this host has no way to excuses nothing
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (attempt.is_over()) co_return attempt.fail_timeout("no connection");
    const std::size_t left = addresses.size() - i;
    const auto endpoint = endpoint_of(addresses[i], port);
    close_quietly(socket);
    if (!attempt.spec().source.empty()) {
      boost::system::error_code error;
      socket.open(endpoint.protocol(), error);
      if (error) co_return fail_io(attempt, error, "open a socket");
      if (!bind_source(attempt, socket.native_handle())) co_return false;
    }
    if (left > 1) attempt.begin_step(step_deadline(attempt, left));
    const auto [error] = co_await socket.async_connect(endpoint, as_data());
    if (left > 1) attempt.end_step();
    if (!error && !attempt.is_over()) {
      if (attempt.tracing()) attempt.trace("connected to " + endpoint_text(addresses[i], port));
      co_return true;
    }
    if (is_blamed && error && !attempt.is_over() && !has_way_to(addresses[i])) continue;
    is_blamed = true;
    fail_reach(attempt, error, addresses[i], "connect to " + endpoint_text(addresses[i], port));
  }
  co_return false;
}

Awaitable<bool> connect_unix(Attempt& attempt, Socket& socket, std::string path) {
  attempt.enter(Phase::connect);
  if (attempt.is_over()) co_return attempt.fail_timeout("no connection");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    co_return attempt.unknown(Reason::config, path + ": too long for the path of a Unix socket");
  const asio::generic::stream_protocol::endpoint endpoint =
      asio::local::stream_protocol::endpoint(path);
  const auto [error] = co_await socket.async_connect(endpoint, as_data());
  if (error || attempt.is_over()) co_return fail_io(attempt, error, "connect to " + path);
  if (attempt.tracing()) attempt.trace("connected to " + path);
  co_return true;
}

}  // namespace firebreak::probes
