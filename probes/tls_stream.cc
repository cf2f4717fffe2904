// Handshake, and why it failed.
#include "probes/tls_stream.h"

#include <boost/asio/ssl/context.hpp>

namespace firebreak::probes {
namespace {

bool fail_handshake(Attempt& attempt, TlsStream& stream, const boost::system::error_code& error) {
  const std::string problem = certificate_problem(stream.native_handle());
  if (problem.empty() || attempt.is_over()) return fail_io(attempt, error, "TLS handshake");
  return attempt.critical(Reason::tls, "certificate not accepted: " + problem);
}

}  // namespace

Awaitable<bool> handshake(Attempt& attempt, Socket& socket, const TlsWish& wish,
                          std::optional<TlsStream>& stream) {
  attempt.enter(Phase::tls);
  const auto context = attempt.tools().tls.get(wish.verify, wish.ca_file, wish.own);
  if (!context) co_return attempt.unknown(Reason::config, context.error().message);
  stream.emplace(socket, **context);
  const auto named = expect_server_name(stream->native_handle(), wish.server_name, wish.verify);
  if (!named) co_return attempt.unknown(Reason::config, named.error().message);
  if (!wish.protocol.empty()) {
    const auto offered = offer_protocol(stream->native_handle(), wish.protocol);
    if (!offered) co_return attempt.unknown(Reason::config, offered.error().message);
  }
  const auto [error] =
      co_await stream->async_handshake(boost::asio::ssl::stream_base::client, as_data());
  if (error || attempt.is_over()) co_return fail_handshake(attempt, *stream, error);
  if (attempt.tracing()) attempt.trace(describe_session(stream->native_handle()));
  if (const auto days = certificate_days_left(stream->native_handle()))
    attempt.add_value("certificate_days", *days);
  if (const auto version = tls_version(stream->native_handle()))
    attempt.add_value("tls_version", *version);
  if (const std::string chosen = chosen_protocol(stream->native_handle()); chosen != wish.protocol)
    co_return attempt.critical(Reason::tls, "the server does not agree to " + wish.protocol +
                                                " (ALPN), which it must for HTTP/2");
  co_return true;
}

}  // namespace firebreak::probes
