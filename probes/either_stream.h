// A connection in the clear or through TLS, over TCP or a Unix socket, for kinds that speak the
// same on all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/probe_spec.h"
#include "probes/attempt.h"
#include "probes/stream.h"
#include "probes/tls_stream.h"

namespace firebreak::probes {

class EitherStream {
 public:
  explicit EitherStream(Attempt& attempt) : attempt_(attempt), connection_(attempt) {}

  // Phases resolve, connect, and with `tls` tls, which must agree to `protocol` (ALPN) if there is
  // one. A host that starts with '/' is a Unix socket, without TLS.
  Awaitable<bool> open(std::string host, std::uint16_t port, const std::optional<TlsSpec>& tls,
                       std::string protocol = std::string());
  // The same one by one.
  Awaitable<bool> connect(const Addresses& addresses, std::uint16_t port);
  Awaitable<bool> connect(std::string unix_path);
  Awaitable<bool> secure(const TlsSpec& tls, std::string host,
                         std::string protocol = std::string());

  // As the functions of their names in probes/stream.h.
  Awaitable<bool> send(std::string_view bytes);
  Awaitable<std::ptrdiff_t> receive(std::span<char> buffer);

  // After secure(), otherwise nullptr.
  [[nodiscard]] ssl_st* session();

 private:
  Attempt& attempt_;
  Connection connection_;
  std::optional<TlsStream> tls_;
};

}  // namespace firebreak::probes
