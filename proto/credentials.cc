// Mutual TLS 1.3 for gRPC, the limits of both ends, and who the peer is.
#include "proto/credentials.h"

#include <absl/synchronization/mutex.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "common/limits.h"
#include "common/text.h"

namespace firebreak {
namespace {

using namespace std::chrono_literals;

// A suite of TLS 1.2 that only works with a pre-shared key.
constexpr const char* kNoUsableTls12Suite = "PSK-AES256-GCM-SHA384";

int ms(std::chrono::milliseconds duration) {
  return static_cast<int>(duration.count());
}

// What both ends must agree on. A ping every 20 s notices a dead peer and keeps NAT entries alive;
// the server accepts one every 10 s, so a client's jitter is never punished with a GOAWAY.
std::vector<std::pair<std::string, int>> shared_settings() {
  return {
      {GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(limits::kMetadataBytesMax)},
      {GRPC_ARG_KEEPALIVE_TIME_MS, ms(limits::kKeepaliveInterval)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, ms(limits::kKeepaliveTimeout)},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},  // 0: no limit
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},               // its pings cost more than they gain here
  };
}

Result<pki::TlsMaterial> material_for(const pki::TlsFiles& files, pki::Role role) {
  require_tls13();
  auto material = pki::read_tls_material(files);
  if (material && material->identity.role != role)
    return make_error(Errc::permission_denied,
                      files.certificate + " is for " + pki::identity_uri(material->identity) +
                          ", expected one for the role " + pki::to_string(role) +
                          "; issue it with 'firebreak pki " + pki::to_string(role) + "'");
  return material;
}

}  // namespace

void require_tls13() {
  static std::once_flag once;
  std::call_once(once, [] {
    ::setenv("GRPC_SSL_CIPHER_SUITES", kNoUsableTls12Suite, 1);
    // Debian's Abseil looks for deadlocks at every lock of gRPC, in a table of all locks: with
    // thousands of streams that is more work than the streams.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  });
}

Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const pki::TlsFiles& files) {
  const auto material = material_for(files, pki::Role::coordinator);
  if (!material) return material.error();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = material->ca;
  options.pem_key_cert_pairs.push_back({material->key.reveal(), material->certificate});
  return grpc::SslServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> client_credentials(const pki::TlsFiles& files,
                                                                     pki::Role role) {
  const auto material = material_for(files, role);
  if (!material) return material.error();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = material->ca;
  options.pem_private_key = material->key.reveal();
  options.pem_cert_chain = material->certificate;
  return grpc::SslCredentials(options);
}

void set_server_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder.SetMaxSendMessageSize(static_cast<int>(limits::kMessageBytesMax));
  for (const auto& [name, value] : shared_settings()) builder.AddChannelArgument(name, value);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             ms(limits::kKeepaliveInterval / 2));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, ms(limits::kHandshakeTimeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(limits::kStreamsPerOperatorMax));
  // A second coordinator on the same port must fail to start, not take half of the agents.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  arguments.SetMaxSendMessageSize(static_cast<int>(limits::kMessageBytesMax));
  for (const auto& [name, value] : shared_settings()) arguments.SetInt(name, value);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, ms(limits::kHandshakeTimeout));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return arguments;
}

Result<pki::Identity> peer_identity(const grpc::AuthContext& peer) {
  if (!peer.IsPeerAuthenticated())
    return make_error(Errc::permission_denied, "the peer presented no verified certificate");
  const std::vector<grpc::string_ref> uris = peer.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (uris.size() != 1)
    return make_error(Errc::permission_denied, "the peer's certificate has " +
                                                   std::to_string(uris.size()) +
                                                   " URI names, an identity is exactly one");
  return pki::parse_identity({uris.front().data(), uris.front().size()});
}

Result<pki::Identity> check_coordinator(const grpc::ClientContext& call) {
  const auto context = call.auth_context();
  if (!context) return make_error(Errc::permission_denied, "the server is not known yet");
  auto identity = peer_identity(*context);
  if (identity && identity->role != pki::Role::coordinator)
    return make_error(Errc::permission_denied,
                      "the server is " + pki::identity_uri(*identity) + ", expected a coordinator");
  return identity;
}

}  // namespace firebreak
