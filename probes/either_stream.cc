// Which of them it is is known when it is opened.
#include "probes/either_stream.h"

#include <utility>

namespace firebreak::probes {

Awaitable<bool> EitherStream::connect(const Addresses& addresses, std::uint16_t port) {
  return probes::connect(attempt_, connection_.socket(), addresses, port);
}

Awaitable<bool> EitherStream::connect(std::string unix_path) {
  return connect_unix(attempt_, connection_.socket(), std::move(unix_path));
}

Awaitable<bool> EitherStream::secure(const TlsSpec& tls, std::string host, std::string protocol) {
  TlsWish wish;
  wish.verify = tls.verify;
  wish.ca_file = tls.ca_file;
  wish.server_name = tls.server_name;
  if (wish.server_name.empty()) wish.server_name = std::move(host);
  wish.protocol = std::move(protocol);
  wish.own = {tls.certificate_file, tls.key_file};
  co_return co_await handshake(attempt_, connection_.socket(), wish, tls_);
}

Awaitable<bool> EitherStream::open(std::string host, std::uint16_t port,
                                   const std::optional<TlsSpec>& tls, std::string protocol) {
  if (host.starts_with('/')) co_return co_await connect(std::move(host));
  Addresses addresses;
  if (!co_await resolve(attempt_, host, addresses)) co_return false;
  if (!co_await connect(addresses, port)) co_return false;
  if (!tls) co_return true;
  co_return co_await secure(*tls, std::move(host), std::move(protocol));
}

Awaitable<bool> EitherStream::send(std::string_view bytes) {
  if (tls_) return probes::send(attempt_, *tls_, bytes);
  return probes::send(attempt_, connection_.socket(), bytes);
}

Awaitable<std::ptrdiff_t> EitherStream::receive(std::span<char> buffer) {
  if (tls_) return probes::receive(attempt_, *tls_, buffer);
  return probes::receive(attempt_, connection_.socket(), buffer);
}

ssl_st* EitherStream::session() {
  return tls_ ? tls_->native_handle() : nullptr;
}

}  // namespace firebreak::probes
