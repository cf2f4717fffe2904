// Connections for probes: name to address to socket, bytes in and out, every failure turned into a
// verdict.
//
// Each step returns false after attempt.fail(). Deadlines are the Attempt's; nothing here has a
// timer of its own.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "probes/attempt.h"

namespace firebreak::probes {

// TCP or Unix.
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

// A network's failure is data: (error_code, ...) instead of an exception.
inline auto as_data() {
  return boost::asio::as_tuple(boost::asio::use_awaitable_t<Executor>());
}

// A socket that is closed when the attempt must end.
class Connection {
 public:
  explicit Connection(Attempt& attempt);
  Socket& socket() { return socket_; }

 private:
  Socket socket_;
  Attempt::AbortScope scope_;
};

// The verdict for a failed step: `what` was being done, "connect to 10.0.0.7:443".
bool fail_io(Attempt& attempt, const boost::system::error_code& error, std::string_view what);

// The same for a step that was to reach that address: without a way there from this host it is
// unknown/prober.
bool fail_reach(Attempt& attempt, const boost::system::error_code& error,
                const boost::asio::ip::address& address, std::string_view what);
bool fail_no_way(Attempt& attempt, const boost::asio::ip::address& address);

// Phase resolve, with choose_addresses(). A numeric address takes no thread.
Awaitable<bool> resolve(Attempt& attempt, std::string host, Addresses& addresses);

// When the connection to the next of `left` addresses must have succeeded: they share what is left
// until the deadline.
TimePoint step_deadline(const Attempt& attempt, std::size_t left);

// Keeps those of the families that the probe wants and can ask from, in its order. False when none
// is left of what `host` was.
bool choose_addresses(Attempt& attempt, const std::string& host, Addresses& addresses);

// An open socket asks from the address that the probe names, if any. False after attempt.fail().
bool bind_source(Attempt& attempt, int socket);

// Phase connect, the addresses in turn.
Awaitable<bool> connect(Attempt& attempt, Socket& socket, const Addresses& addresses,
                        std::uint16_t port);
Awaitable<bool> connect_unix(Attempt& attempt, Socket& socket, std::string path);

template <class Stream>
Awaitable<bool> send(Attempt& attempt, Stream& stream, std::string_view bytes) {
  const auto [error, sent] =
      co_await boost::asio::async_write(stream, boost::asio::buffer(bytes), as_data());
  if (error) co_return fail_io(attempt, error, "send");
  co_return true;
}

// The size of what was read; 0: the peer closed; -1: failed.
template <class Stream>
Awaitable<std::ptrdiff_t> receive(Attempt& attempt, Stream& stream, std::span<char> buffer) {
  const auto [error, size] =
      co_await stream.async_read_some(boost::asio::buffer(buffer.data(), buffer.size()), as_data());
  if (!error) co_return static_cast<std::ptrdiff_t>(size);
  // A missing close_notify is an end like any other: HTTP's own framing tells whether it was early.
  const bool ended =
      error == boost::asio::error::eof || error == boost::asio::ssl::error::stream_truncated;
  if (ended && !attempt.is_over()) co_return 0;
  fail_io(attempt, error, "receive");
  co_return -1;
}

std::string endpoint_text(const boost::asio::ip::address& address, std::uint16_t port);

}  // namespace firebreak::probes
