// gRPC over mutual TLS 1.3 and nothing else: credentials, limits, and who the peer is.
//
// There is no plaintext option. A peer's identity is its certificate's URI name, never a field that
// it sends. Free functions, thread-safe except require_tls13() (see there).
#pragma once

#include <memory>

#include "common/pki.h"
#include "common/result.h"

namespace grpc {
class AuthContext;
class ChannelArguments;
class ChannelCredentials;
class ClientContext;
class ServerBuilder;
class ServerCredentials;
}  // namespace grpc

namespace firebreak {

// Call first in main(), before threads and before gRPC is touched: it sets an environment variable.
// gRPC 1.51 has no way to ask for a minimum TLS version; it does read the cipher list for TLS 1.2
// and older from GRPC_SSL_CIPHER_SUITES, once. Left with a suite that needs a pre-shared key, which
// nobody has, those versions can never agree on one. TLS 1.3 has a list of its own. It also ends
// the search for deadlocks in the locks of gRPC, which costs a coordinator most of its time (see
// there).
void require_tls13();

// For the coordinator's gRPC port: a client certificate of the same authority is required.
// permission_denied when the certificate is not a coordinator's.
Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const pki::TlsFiles& files);

// For agents and operators; `role` is what the certificate must say, else permission_denied.
// The server must present a certificate of the same authority, with serverAuth, for the host name
// dialled; follow the first reply with check_coordinator().
Result<std::shared_ptr<grpc::ChannelCredentials>> client_credentials(const pki::TlsFiles& files,
                                                                     pki::Role role);

// Message and metadata caps, keepalive, a deadline on handshakes, one owner per port. Does not set
// the thread pool.
void set_server_limits(grpc::ServerBuilder& builder);
// The client's half of the same, and neither a proxy from the environment nor a service config from
// DNS.
[[nodiscard]] grpc::ChannelArguments channel_arguments();

// The peer of a call, as its handler sees it: context->auth_context(). permission_denied when the
// connection is not authenticated or the certificate does not carry exactly one identity.
Result<pki::Identity> peer_identity(const grpc::AuthContext& peer);

// Client side, valid once the call's initial metadata or status has arrived: the server is a
// coordinator, else permission_denied.
Result<pki::Identity> check_coordinator(const grpc::ClientContext& call);

}  // namespace firebreak
