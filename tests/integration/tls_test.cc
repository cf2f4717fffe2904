// Who may connect to whom: real handshakes between our gRPC ends and friends, strangers and rogues.
//
// Clients are tried with OpenSSL itself, which can offer what gRPC would not (an old version, any
// cipher); servers with gRPC, because it is our client that has to refuse them.
#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/limits.h"
#include "proto/credentials.h"
#include "tests/support/forge.h"
#include "tests/support/temp_dir.h"

// Debian's c-ares 1.18 loses the ten bytes of the name "localhost" that gRPC asks it for. Read by
// LeakSanitizer where there is one.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcares.so";
}

namespace firebreak {
namespace {

using namespace std::chrono_literals;
using pki::Identity;
using pki::KeyPairFiles;
using pki::Role;
using pki::TlsFiles;
using ::testing::HasSubstr;

// Only so that a broken test ends; nothing here waits for time to pass.
constexpr auto kPatience = 30s;

std::string read_text(const std::string& path) {
  std::string text;
  const testing::FilePtr file = testing::open_file(path, "r");
  for (int c = std::fgetc(file.get()); c != EOF; c = std::fgetc(file.get()))
    text += static_cast<char>(c);
  return text;
}

// --- A gRPC server that says who called ----------------------------------------------------------

// Reads one message, then ends every call with ABORTED and the caller's identity.
class WhoAmI final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    ++calls_;
    return new Reactor(context);
  }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    explicit Reactor(grpc::GenericCallbackServerContext* context) : context_(context) {
      StartRead(&message_);
    }
    void OnReadDone(bool) override {
      const auto peer = peer_identity(*context_->auth_context());
      Finish(peer ? grpc::Status(grpc::StatusCode::ABORTED, pki::identity_uri(*peer))
                  : grpc::Status(grpc::StatusCode::PERMISSION_DENIED, peer.error().message));
    }
    void OnDone() override { delete this; }

   private:
    grpc::GenericCallbackServerContext* context_;
    grpc::ByteBuffer message_;
  };

  std::atomic<int> calls_{0};
};

class Server {
 public:
  explicit Server(const std::shared_ptr<grpc::ServerCredentials>& credentials, int port = 0) {
    grpc::ServerBuilder builder;
    set_server_limits(builder);
    builder.RegisterCallbackGenericService(&service_);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), credentials, &port_);
    server_ = builder.BuildAndStart();
  }
  ~Server() {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] bool is_running() const { return server_ != nullptr && port_ != 0; }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int calls() const { return service_.calls(); }

 private:
  WhoAmI service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

struct CallOutcome {
  grpc::Status status;
  Result<Identity> server = make_error(Errc::internal, "not called");
};

CallOutcome call(const std::string& address,
                 const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                 const grpc::ChannelArguments& arguments = channel_arguments(),
                 std::size_t message_bytes = 1) {
  grpc::GenericStub stub(grpc::CreateCustomChannel(address, credentials, arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const grpc::Slice slice(std::string(message_bytes, 'x'));
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/test.WhoAmI/Ask", {}, &request, &response,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });
  CallOutcome outcome;
  outcome.status = done.get_future().get();
  if (context.auth_context()) outcome.server = check_coordinator(context);
  return outcome;
}

// --- A client made of OpenSSL alone --------------------------------------------------------------

struct Attempt {
  int version = TLS1_3_VERSION;
  const KeyPairFiles* identity = nullptr;
  bool offers_psk = false;
};

unsigned any_psk(SSL*, const char*, char* identity, unsigned identity_size, unsigned char* key,
                 unsigned key_size) {
  std::snprintf(identity, identity_size, "anybody");
  std::fill_n(key, std::min(key_size, 32u), static_cast<unsigned char>(7));
  return std::min(key_size, 32u);
}

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof to);
  std::memcpy(&generic, &to, sizeof to);
  EXPECT_EQ(::connect(fd, &generic, sizeof generic), 0);
  return fd;
}

// The server answers our HTTP/2 preface with its SETTINGS frame only when it has accepted us: in
// TLS 1.3 a client's own handshake ends before the server has judged its certificate.
bool is_served(SSL* ssl) {
  static const std::string kPrefaceAndSettings("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
                                               33);
  if (SSL_write(ssl, kPrefaceAndSettings.data(), 33) != 33) return false;
  std::array<unsigned char, 9> frame{};
  return SSL_read(ssl, frame.data(), 9) == 9 && frame[3] == 4;
}

bool is_accepted(int port, const Attempt& attempt) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), attempt.version);
  SSL_CTX_set_max_proto_version(context.get(), attempt.version);
  EXPECT_EQ(SSL_CTX_set_cipher_list(context.get(), "ALL:PSK:@SECLEVEL=0"), 1);
  if (attempt.offers_psk) SSL_CTX_set_psk_client_callback(context.get(), any_psk);
  if (attempt.identity != nullptr) {
    EXPECT_EQ(
        SSL_CTX_use_certificate_chain_file(context.get(), attempt.identity->certificate.c_str()),
        1);
    EXPECT_EQ(
        SSL_CTX_use_PrivateKey_file(context.get(), attempt.identity->key.c_str(), SSL_FILETYPE_PEM),
        1);
  }
  const std::array<unsigned char, 3> alpn{2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), alpn.data(), 3);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  const int fd = connect_to(port);
  SSL_set_fd(ssl.get(), fd);
  const bool accepted = SSL_connect(ssl.get()) == 1 && is_served(ssl.get());
  ::close(fd);
  return accepted;
}

// --- The cast ------------------------------------------------------------------------------------

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    require_tls13();
    std::signal(SIGPIPE, SIG_IGN);  // a refusing server closes while we write
  }
  void SetUp() override {
    now_ = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(ours_.path(), "prod", now_));
    ASSERT_TRUE(pki::init_ca(theirs_.path(), "prod", now_));
    agent_ = make(ours_, Role::agent, "web-1", now_);
    coordinator_ = make(ours_, Role::coordinator, "main", now_);
  }

  KeyPairFiles make(const testing::TempDir& dir, Role role, const std::string& name, WallTime at,
                    const std::string& host = "127.0.0.1") {
    pki::IssueRequest request{role, name, {}, 30};
    if (role == Role::coordinator) request.hosts = {host};
    auto files = pki::issue(dir.path(), request, at);
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return files ? *std::move(files) : KeyPairFiles{};
  }
  TlsFiles tls_files(const KeyPairFiles& pair) {
    return {pair.certificate, pair.key, ours_ / "ca.crt"};
  }
  std::shared_ptr<grpc::ServerCredentials> our_server() {
    auto credentials = server_credentials(tls_files(coordinator_));
    EXPECT_TRUE(credentials) << (credentials ? "" : credentials.error().message);
    return credentials ? *credentials : nullptr;
  }
  std::shared_ptr<grpc::ChannelCredentials> our_client(const KeyPairFiles& pair, Role role) {
    auto credentials = client_credentials(tls_files(pair), role);
    EXPECT_TRUE(credentials) << (credentials ? "" : credentials.error().message);
    return credentials ? *credentials : nullptr;
  }
  // A server that presents what it likes and asks nothing of its clients.
  static std::shared_ptr<grpc::ServerCredentials> rogue_server(const KeyPairFiles& pair) {
    grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    options.pem_key_cert_pairs.push_back({read_text(pair.key), read_text(pair.certificate)});
    return grpc::SslServerCredentials(options);
  }
  // Our agent dials a server that presents `pair`.
  void expect_agent_refuses(const KeyPairFiles& pair, const std::string& why) {
    const Server server(rogue_server(pair));
    ASSERT_TRUE(server.is_running());

    const CallOutcome outcome = call(server.address(), our_client(agent_, Role::agent));

    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE) << why;
    EXPECT_EQ(server.calls(), 0) << why;
  }

  WallTime now_;
  testing::TempDir ours_;
  testing::TempDir theirs_;
  KeyPairFiles agent_;
  KeyPairFiles coordinator_;
};

// --- Friends -------------------------------------------------------------------------------------

TEST_F(Tls, BothEndsLearnWhoTheOtherIs) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());
  const KeyPairFiles ann = make(ours_, Role::operator_, "ann", now_);

  const CallOutcome by_agent = call(server.address(), our_client(agent_, Role::agent));
  const CallOutcome by_operator = call(server.address(), our_client(ann, Role::operator_));

  EXPECT_EQ(by_agent.status.error_message(), "spiffe://firebreak/agent/web-1");
  EXPECT_EQ(by_operator.status.error_message(), "spiffe://firebreak/operator/ann");
  ASSERT_TRUE(by_agent.server) << by_agent.server.error().message;
  EXPECT_EQ(*by_agent.server, (Identity{Role::coordinator, "main"}));
}

TEST_F(Tls, HostNamesAreAcceptedAsWellAsAddresses) {
  coordinator_ = make(ours_, Role::coordinator, "named", now_, "localhost");
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());

  const CallOutcome outcome =
      call("localhost:" + std::to_string(server.port()), our_client(agent_, Role::agent));

  EXPECT_EQ(outcome.status.error_message(), "spiffe://firebreak/agent/web-1");
}

// --- Strangers at our server ---------------------------------------------------------------------

TEST_F(Tls, SpeaksVersion13AndNothingOlder) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());

  EXPECT_TRUE(is_accepted(server.port(), {TLS1_3_VERSION, &agent_}));
  for (const int old : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION}) {
    EXPECT_FALSE(is_accepted(server.port(), {old, &agent_})) << old;
    EXPECT_FALSE(is_accepted(server.port(), {old, &agent_, true})) << old;
  }
  EXPECT_EQ(server.calls(), 0);
}

TEST_F(Tls, ServerRefusesStrangers) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());
  const KeyPairFiles foreign = make(theirs_, Role::agent, "web-1", now_);
  const KeyPairFiles expired = make(ours_, Role::agent, "old", now_ - std::chrono::days(31));
  const KeyPairFiles early = make(ours_, Role::agent, "early", now_ + std::chrono::days(2));
  const KeyPairFiles alone = testing::self_signed(agent_, ours_ / "self.crt");
  const KeyPairFiles foreign_authority{theirs_ / "ca.crt", theirs_ / "ca.key"};

  EXPECT_TRUE(is_accepted(server.port(), {TLS1_3_VERSION, &agent_}));
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, nullptr})) << "no certificate";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &foreign})) << "another authority";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &expired})) << "expired";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &early})) << "not yet valid";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &alone})) << "self-signed";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &foreign_authority})) << "an authority";
  EXPECT_FALSE(is_accepted(server.port(), {TLS1_3_VERSION, &coordinator_})) << "a coordinator";
}

TEST_F(Tls, CertificateWithoutExactlyOneIdentityIsDenied) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());
  for (const char* names : {"", "DNS:web-1", "URI:spiffe://other/agent/web-1",
                            "URI:spiffe://firebreak/agent/a,URI:spiffe://firebreak/operator/b"}) {
    const std::string forged = ours_ / "forged.crt";
    testing::forge(agent_.certificate, forged, ours_ / "ca.key",
                   [&](X509* certificate) { testing::replace_names(certificate, names); });
    grpc::SslCredentialsOptions options{read_text(ours_ / "ca.crt"), read_text(agent_.key),
                                        read_text(forged)};

    const CallOutcome outcome = call(server.address(), grpc::SslCredentials(options));

    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << names;
  }
}

// --- Rogues that pose as the server --------------------------------------------------------------

TEST_F(Tls, AgentAcceptsTheRealServerOfTheRogueTests) {
  const Server server(rogue_server(coordinator_));
  ASSERT_TRUE(server.is_running());

  const CallOutcome outcome = call(server.address(), our_client(agent_, Role::agent));

  EXPECT_EQ(server.calls(), 1);
  EXPECT_TRUE(outcome.server);
}

TEST_F(Tls, AgentRefusesARogueServer) {
  const KeyPairFiles with_hosts{ours_ / "agent-with-hosts.crt", agent_.key};
  testing::forge(agent_.certificate, with_hosts.certificate, ours_ / "ca.key", [](X509* c) {
    testing::replace_names(c, "URI:spiffe://firebreak/agent/web-1,IP:127.0.0.1");
  });

  expect_agent_refuses(agent_, "an agent's certificate");
  expect_agent_refuses(with_hosts, "an agent's certificate with the right host, wrong key usage");
  expect_agent_refuses(make(theirs_, Role::coordinator, "main", now_), "another authority");
  expect_agent_refuses(testing::self_signed(coordinator_, ours_ / "self.crt"), "self-signed");
  expect_agent_refuses(make(ours_, Role::coordinator, "old", now_ - std::chrono::days(31)),
                       "expired");
  expect_agent_refuses(make(ours_, Role::coordinator, "early", now_ + std::chrono::days(2)),
                       "not yet valid");
  expect_agent_refuses(make(ours_, Role::coordinator, "far", now_, "far.example"),
                       "for another host");
}

TEST_F(Tls, ServerThatIsNoCoordinatorIsNoticed) {
  const KeyPairFiles odd{ours_ / "odd.crt", coordinator_.key};
  testing::forge(coordinator_.certificate, odd.certificate, ours_ / "ca.key", [](X509* c) {
    testing::replace_names(c, "URI:spiffe://firebreak/agent/web-1,IP:127.0.0.1");
  });
  const Server server(rogue_server(odd));
  ASSERT_TRUE(server.is_running());

  const CallOutcome outcome = call(server.address(), our_client(agent_, Role::agent));

  ASSERT_FALSE(outcome.server);
  EXPECT_EQ(outcome.server.error().code, Errc::permission_denied);
  EXPECT_THAT(outcome.server.error().message, HasSubstr("spiffe://firebreak/agent/web-1"));
}

// --- Limits and mistakes -------------------------------------------------------------------------

TEST_F(Tls, CertificateOfAnotherRoleIsRefusedBeforeDialling) {
  const auto serving = server_credentials(tls_files(agent_));
  const auto calling = client_credentials(tls_files(agent_), Role::operator_);

  ASSERT_FALSE(serving);
  EXPECT_EQ(serving.error().code, Errc::permission_denied);
  EXPECT_THAT(serving.error().message, HasSubstr("firebreak pki coordinator"));
  ASSERT_FALSE(calling);
  EXPECT_EQ(calling.error().code, Errc::permission_denied);
}

TEST_F(Tls, SecondServerOnAPortDoesNotStart) {
  const Server first(our_server());
  ASSERT_TRUE(first.is_running());

  const Server second(our_server(), first.port());

  EXPECT_FALSE(second.is_running());
}

TEST_F(Tls, OversizedMessagesAreRefusedByTheServerToo) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());
  const auto credentials = our_client(agent_, Role::agent);
  const grpc::ChannelArguments unlimited;

  const CallOutcome fits = call(server.address(), credentials, unlimited, limits::kMessageBytesMax);
  const CallOutcome big =
      call(server.address(), credentials, unlimited, limits::kMessageBytesMax + 1);

  EXPECT_EQ(fits.status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(big.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(Tls, SilentConnectionIsClosed) {
  const Server server(our_server());
  ASSERT_TRUE(server.is_running());

  const int fd = connect_to(server.port());
  char byte = 0;
  const ssize_t got = ::recv(fd, &byte, 1, 0);

  EXPECT_EQ(got, 0);  // -1 would be our own patience
  ::close(fd);
}

}  // namespace
}  // namespace firebreak
