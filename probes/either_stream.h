// A connection in the clear or through TLS, for kinds that speak the same in both.
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

  // Phases resolve, connect, tls. A host that starts with '/' is a Unix socket, without TLS.
  Awaitable<bool> open(std::string host, std::uint16_t port, const std::optional<TlsSpec>& tls);
  // As the functions of their names in probes/stream.h.
  Awaitable<bool> send(std::string_view bytes);
  Awaitable<std::ptrdiff_t> receive(std::span<char> buffer);

 private:
  Attempt& attempt_;
  Connection connection_;
  std::optional<TlsStream> tls_;
};

}  // namespace firebreak::probes
