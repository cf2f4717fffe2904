// TLS for probes: at least 1.2, certificate and host name verified unless the spec says otherwise.
//
// No session is resumed: every probe does the full handshake, so an expired or changed certificate
// is seen by the next one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "common/result.h"

struct ssl_st;

namespace boost::asio::ssl {
class context;
}

namespace firebreak::probes {

// What a client shows of itself; both empty: nothing.
struct ClientCertificate {
  std::string certificate_file;  // PEM, with its chain
  std::string key_file;          // a secret file
};

// Contexts are kept: loading the authorities costs more than the handshake. A changed file is
// loaded again.
class TlsContexts {
 public:
  // `ca_file` empty: the system's authorities.
  Result<std::shared_ptr<boost::asio::ssl::context>> get(bool verify, const std::string& ca_file,
                                                         const ClientCertificate& own = {});

 private:
  struct Key {
    bool verify = true;
    std::string ca_file;
    std::int64_t changed_ns = 0;
    std::size_t own = 0;  // what the client's files hold, hashed
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  std::map<Key, std::shared_ptr<boost::asio::ssl::context>> contexts_;
};

// Before the handshake: asks for `name` (SNI, unless it is an address) and, when `verify`, accepts
// only a certificate for it.
Result<void> expect_server_name(ssl_st* ssl, const std::string& name, bool verify);
// Before the handshake: offers this protocol and no other (ALPN, RFC 7301); after it: the one that
// the server chose, or empty. At most 255 bytes.
Result<void> offer_protocol(ssl_st* ssl, const std::string& protocol);
std::string chosen_protocol(ssl_st* ssl);
// "TLSv1.3, TLS_AES_256_GCM_SHA384, certificate of CN=api, valid until ..." after a handshake.
std::string describe_session(ssl_st* ssl);
// Why the peer's certificate was not accepted, or empty when that was not the trouble.
std::string certificate_problem(ssl_st* ssl);
// 1.2, 1.3: what was agreed upon.
std::optional<double> tls_version(ssl_st* ssl);
// Days until the peer's certificate expires; negative when it has.
std::optional<double> certificate_days_left(ssl_st* ssl);

struct Expiry {
  double days = 0;      // negative when it has expired
  std::string subject;  // whose certificate it is
};
// Of the chain up to the authority when it was accepted, otherwise of what the peer sent: the
// certificate that expires first.
std::optional<Expiry> soonest_expiry(ssl_st* ssl);

}  // namespace firebreak::probes
