// gRPC probes of gRPC's own server and its own health service, plain and with TLS, healthy and not.
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/pki.h"
#include "probes/run.h"
#include "tests/integration/run.h"
#include "tests/support/files.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::kBrief;
using testing::NginxServer;
using testing::read_file;
using testing::RedisServer;
using testing::run;
using testing::TempDir;
using testing::value_of;

GrpcSpec to_port(std::uint16_t port, const std::string& service = "") {
  GrpcSpec spec;
  spec.host = "127.0.0.1";
  spec.port = port;
  spec.service = service;
  return spec;
}

// A server of grpc++ in this process.
class HealthServer {
 public:
  explicit HealthServer(const std::shared_ptr<grpc::ServerCredentials>& credentials =
                            grpc::InsecureServerCredentials(),
                        bool with_health = true) {
    grpc::EnableDefaultHealthCheckService(with_health);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterCallbackGenericService(&others_);
    server_ = builder.BuildAndStart();
    if (with_health) health_ = server_->GetHealthCheckService();
  }
  ~HealthServer() { server_->Shutdown(std::chrono::system_clock::now()); }
  HealthServer(const HealthServer&) = delete;
  HealthServer& operator=(const HealthServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return static_cast<std::uint16_t>(port_); }
  [[nodiscard]] grpc::HealthCheckServiceInterface& health() { return *health_; }

 private:
  int port_ = 0;
  grpc::CallbackGenericService others_;  // every other method is UNIMPLEMENTED
  std::unique_ptr<grpc::Server> server_;
  grpc::HealthCheckServiceInterface* health_ = nullptr;
};

TEST(GrpcProbe, AsksTheServerAndItsServices) {
  HealthServer server;
  server.health().SetServingStatus("shop.Cart", true);

  const Observation whole = run(to_port(server.port()));
  expect_ok(whole);
  EXPECT_EQ(value_of(whole, "serving"), 1);
  expect_ok(run(to_port(server.port(), "shop.Cart")));
  const Observation unknown = run(to_port(server.port(), "shop.Till"));
  expect_verdict(unknown, Status::critical, Reason::missing, Phase::transfer);
  EXPECT_THAT(unknown.evidence, HasSubstr("NOT_FOUND"));

  server.health().SetServingStatus("shop.Cart", false);
  const Observation not_serving = run(to_port(server.port(), "shop.Cart"));
  expect_verdict(not_serving, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(not_serving.evidence, "NOT_SERVING");
  EXPECT_EQ(value_of(not_serving, "serving"), 0);
  expect_ok(run(to_port(server.port())));
  server.health().SetServingStatus(false);
  expect_verdict(run(to_port(server.port())), Status::critical, Reason::status, Phase::transfer);
}

TEST(GrpcProbe, AServerWithoutAHealthServiceIsProtocol) {
  const HealthServer server(grpc::InsecureServerCredentials(), false);

  const Observation result = run(to_port(server.port()));
  expect_verdict(result, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("UNIMPLEMENTED"));
}

TEST(GrpcProbe, ThousandProbesOneAfterAnother) {
  HealthServer server;
  for (int i = 0; i < 1000; ++i) expect_ok(run(to_port(server.port())));
}

TEST(GrpcProbe, OtherServersAreProtocol) {
  const NginxServer nginx;
  const RedisServer redis;

  const Observation http = run(to_port(nginx.port()));
  expect_verdict(http, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_THAT(http.evidence, HasSubstr("HTTP/1.1 400"));
  const Observation other = run(to_port(redis.port()));
  expect_verdict(other, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_THAT(other.evidence, HasSubstr("-ERR"));
}

TEST(GrpcProbe, TellsFrozenAndKilledApart) {
  RedisServer server;
  server.freeze();
  expect_verdict(run(to_port(server.port()), kBrief), Status::critical, Reason::timeout,
                 Phase::first_byte);
  server.thaw();
  server.kill();
  expect_verdict(run(to_port(server.port())), Status::critical, Reason::refused, Phase::connect);
}

// One authority and a certificate for 127.0.0.1, of 30 days.
class GrpcTls : public ::testing::Test {
 protected:
  void SetUp() override {
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(folder_.path(), "prod", now));
    const pki::IssueRequest request{pki::Role::coordinator, "server", {"127.0.0.1"}, 30};
    auto pair = pki::issue(folder_.path(), request, now);
    ASSERT_TRUE(pair) << pair.error().message;
    pair_ = *pair;
  }

  std::shared_ptr<grpc::ServerCredentials> credentials() const {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({read_file(pair_.key), read_file(pair_.certificate)});
    return grpc::SslServerCredentials(options);
  }

  GrpcSpec trusting(std::uint16_t port) const {
    GrpcSpec spec = to_port(port);
    spec.tls = TlsSpec();
    spec.tls->ca_file = folder_ / "ca.crt";
    return spec;
  }

  TempDir folder_;
  pki::KeyPairFiles pair_;
};

TEST_F(GrpcTls, AServerWithTls) {
  const HealthServer server(credentials());
  const GrpcSpec good = trusting(server.port());

  const Observation result = run(good);
  expect_ok(result);
  EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1);
  GrpcSpec other = good;
  other.tls->server_name = "api.example.com";
  expect_verdict(run(other), Status::critical, Reason::tls, Phase::tls);
  GrpcSpec stranger = good;
  stranger.tls->ca_file.clear();
  expect_verdict(run(stranger), Status::critical, Reason::tls, Phase::tls);
  stranger.tls->verify = false;
  expect_ok(run(stranger));
  // Without TLS, to a server that wants it.
  expect_verdict(run(to_port(server.port())), Status::critical, Reason::reset, Phase::transfer);
}

TEST_F(GrpcTls, AServerThatDoesNotAgreeToHttp2IsATlsFailure) {
  const NginxServer server("location / { return 200 alive; }", pair_.certificate, pair_.key);

  const Observation result = run(trusting(server.tls_port()));
  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
}

}  // namespace
}  // namespace firebreak
