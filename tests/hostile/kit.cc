// The sockets listen before the process is made, so that nobody can come too early.
#include "tests/hostile/kit.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace firebreak::hostile {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using asio::ip::udp;
using LocalAcceptor = asio::local::stream_protocol::acceptor;
using Peer = asio::generic::stream_protocol::socket;

constexpr std::size_t kReceivedMax = 1u << 20;  // remembered of one connection

auto as_data() {
  return asio::as_tuple(asio::use_awaitable);
}

// One server, with its sockets.
struct Place {
  Place(asio::io_context& io, Server what)
      : server(std::move(what)), tcp_acceptor(io), local_acceptor(io), datagrams(io) {}

  Server server;
  tcp::acceptor tcp_acceptor;
  LocalAcceptor local_acceptor;
  udp::socket datagrams;
  std::optional<ssl::context> tls;
};

// Appends one read to `received`; false when the other side has gone.
template <class Stream>
asio::awaitable<bool> read_some(Stream& stream, std::string& received) {
  std::array<char, 4096> buffer;
  const auto [error, size] = co_await stream.async_read_some(asio::buffer(buffer), as_data());
  if (received.size() < kReceivedMax) received.append(buffer.data(), size);
  co_return !error;
}

template <class Stream>
asio::awaitable<bool> write(Stream& stream, const std::string& bytes) {
  const auto [error, sent] = co_await asio::async_write(stream, asio::buffer(bytes), as_data());
  co_return !error;
}

// At once, or byte by byte.
template <class Stream>
asio::awaitable<bool> write_paced(Stream& stream, const std::string& bytes,
                                  std::chrono::milliseconds pause) {
  if (pause.count() == 0) co_return co_await write(stream, bytes);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (const char byte : bytes) {
    const std::string one(1, byte);
    if (!co_await write(stream, one)) co_return false;
    timer.expires_after(pause);
    co_await timer.async_wait(as_data());
  }
  co_return true;
}

// False when there is nobody to talk to any more.
template <class Stream>
asio::awaitable<bool> reply(Stream& stream, const Act& act, std::string& received) {
  std::size_t left = act.bytes_max;
  for (const Reply& next : act.replies) {
    if (left == 0) co_return true;
    if (!next.at_once && !co_await read_some(stream, received)) co_return false;
    std::string bytes = next.make ? next.make(received) : next.send;
    bytes.resize(std::min(bytes.size(), left));
    left -= bytes.size();
    if (!co_await write_paced(stream, bytes, act.pause)) co_return false;
  }
  co_return true;
}

template <class Stream>
asio::awaitable<void> repeat(Stream& stream, const Act& act) {
  // A loop without a body, as its condition would allow, is compiled wrongly by g++ 12.
  for (;;) {
    const bool taken = co_await write_paced(stream, act.more, act.pause);
    if (!taken) co_return;
  }
}

Peer& below(Peer& socket) {
  return socket;
}
Peer& below(ssl::stream<Peer>& stream) {
  return stream.next_layer();
}

template <class Stream>
asio::awaitable<void> play(Stream& stream, const Act& act, std::string& received) {
  if (!co_await reply(stream, act, received)) co_return;
  if (!act.more.empty()) co_return co_await repeat(stream, act);
  boost::system::error_code ignored;
  Peer& socket = below(stream);
  if (act.end == Act::End::reset) socket.set_option(asio::socket_base::linger(true, 0), ignored);
  // What is unread when a socket is closed makes a RST of the FIN: it is read to the end.
  if (act.end == Act::End::close) socket.shutdown(asio::socket_base::shutdown_send, ignored);
  if (act.end == Act::End::reset) co_return;
  for (;;) {
    const bool is_there = co_await read_some(socket, received);
    if (!is_there) co_return;
  }
}

asio::awaitable<void> serve_tls(std::shared_ptr<Place> place, Peer socket, std::string received) {
  if (!co_await reply(socket, place->server.clear, received)) co_return;
  ssl::stream<Peer> stream(std::move(socket), *place->tls);
  const auto [error] = co_await stream.async_handshake(ssl::stream_base::server, as_data());
  received.clear();
  if (!error) co_await play(stream, place->server.inside, received);
}

asio::awaitable<void> serve(std::shared_ptr<Place> place, Peer socket) {
  std::string received;
  if (place->tls) co_return co_await serve_tls(place, std::move(socket), std::move(received));
  co_await play(socket, place->server.clear, received);
}

template <class Acceptor>
asio::awaitable<void> accept_all(std::shared_ptr<Place> place, Acceptor& acceptor) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_data());
    if (error) continue;
    asio::co_spawn(acceptor.get_executor(), serve(place, Peer(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> answer_one(std::shared_ptr<Place> place, udp::endpoint sender,
                                 std::string query) {
  const Datagrams& datagrams = *place->server.datagrams;
  const auto answers = datagrams.answers(query);
  for (std::size_t i = 0; i < datagrams.times; ++i)
    for (const std::string& answer : answers)
      co_await place->datagrams.async_send_to(asio::buffer(answer), sender, as_data());
}

asio::awaitable<void> answer_all(std::shared_ptr<Place> place) {
  std::array<char, 4096> buffer;
  for (;;) {
    udp::endpoint sender;
    const auto [error, size] =
        co_await place->datagrams.async_receive_from(asio::buffer(buffer), sender, as_data());
    if (error) continue;
    std::string query(buffer.data(), size);
    asio::co_spawn(place->datagrams.get_executor(), answer_one(place, sender, std::move(query)),
                   asio::detached);
  }
}

int choose_alpn(SSL* /*session*/, const unsigned char** chosen, unsigned char* size,
                const unsigned char* /*offered*/, unsigned /*offered_size*/, void* server) {
  const std::string& name = static_cast<Server*>(server)->alpn;
  *chosen = reinterpret_cast<const unsigned char*>(name.data());
  *size = static_cast<unsigned char>(name.size());
  return name.empty() ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

void open_tls(Place& place) {
  place.tls.emplace(ssl::context::tls_server);
  SSL_CTX* const context = place.tls->native_handle();
  SSL_CTX_set_security_level(context, 0);  // it shows whatever it has
  SSL_CTX_set_alpn_select_cb(context, choose_alpn, &place.server);
  place.tls->use_certificate_chain_file(place.server.tls->certificate);
  place.tls->use_private_key_file(place.server.tls->key, ssl::context::pem);
}

template <class Acceptor, class Endpoint>
void listen(Acceptor& acceptor, const Endpoint& endpoint) {
  acceptor.open(endpoint.protocol());
  acceptor.bind(endpoint);
  acceptor.listen(1024);
}

// The port of both, for a server that may also have datagrams.
std::uint16_t open_ports(Place& place, bool udp_too) {
  const auto loopback = asio::ip::address_v4::loopback();
  for (int tries = 0; tries < 100; ++tries) {
    listen(place.tcp_acceptor, tcp::endpoint(loopback, 0));
    const std::uint16_t port = place.tcp_acceptor.local_endpoint().port();
    if (!udp_too) return port;
    boost::system::error_code taken;
    place.datagrams.open(udp::v4());
    place.datagrams.bind(udp::endpoint(loopback, port), taken);
    if (!taken) return port;
    place.datagrams.close();
    place.tcp_acceptor.close();
  }
  throw std::runtime_error("no port is free for TCP and UDP");
}

[[noreturn]] void serve_for_ever(asio::io_context& io,
                                 const std::vector<std::shared_ptr<Place>>& places) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_IGN);
  io.notify_fork(asio::io_context::fork_child);
  try {
    for (const auto& place : places) {
      if (place->server.tls) open_tls(*place);
      if (place->tcp_acceptor.is_open())
        asio::co_spawn(io, accept_all(place, place->tcp_acceptor), asio::detached);
      if (place->local_acceptor.is_open())
        asio::co_spawn(io, accept_all(place, place->local_acceptor), asio::detached);
      if (place->server.datagrams) asio::co_spawn(io, answer_all(place), asio::detached);
    }
    for (;;) io.run();
  } catch (const std::exception& error) {
    // Nobody listens any more: each test of this kit fails.
    ::dprintf(STDERR_FILENO, "hostile kit: %s\n", error.what());
    ::_exit(1);
  }
}

}  // namespace

Kit::Kit(Where where, std::vector<Server> servers) {
  asio::io_context io;
  std::vector<std::shared_ptr<Place>> places;
  places.reserve(servers.size());
  ports_.reserve(servers.size());
  for (Server& server : servers) {
    places.push_back(std::make_shared<Place>(io, std::move(server)));
    if (where == Where::unix_socket) {
      ports_.push_back(0);
      const asio::local::stream_protocol::endpoint endpoint(path(places.size() - 1));
      listen(places.back()->local_acceptor, endpoint);
    } else {
      ports_.push_back(open_ports(*places.back(), where == Where::tcp_and_udp));
    }
  }
  io.notify_fork(asio::io_context::fork_prepare);
  pid_ = ::fork();
  if (pid_ == 0) serve_for_ever(io, places);
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  io.notify_fork(asio::io_context::fork_parent);
}

Kit::~Kit() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string Kit::path(std::size_t server) const {
  return folder_ / ("socket-" + std::to_string(server));
}

}  // namespace firebreak::hostile
