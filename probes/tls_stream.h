// The TLS handshake of a probe, on a connection that is there.
#pragma once

#include <optional>
#include <string>

#include <boost/asio/ssl/stream.hpp>

#include "probes/attempt.h"
#include "probes/stream.h"

namespace firebreak::probes {

using TlsStream = boost::asio::ssl::stream<Socket&>;

struct TlsWish {
  bool verify = true;
  std::string ca_file;      // empty: the system's
  std::string server_name;  // for SNI and for the certificate
  std::string protocol{};   // that the server must agree to by ALPN; empty: none is offered
  ClientCertificate own{};
};

// Phase tls; yields the values "certificate_days" (until it expires) and "tls_version" (1.2, 1.3).
// `stream` must live as long as it is used, `socket` longer.
Awaitable<bool> handshake(Attempt& attempt, Socket& socket, const TlsWish& wish,
                          std::optional<TlsStream>& stream);

}  // namespace firebreak::probes
