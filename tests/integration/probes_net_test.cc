// Probes of TCP, TLS and STARTTLS, of real servers, healthy and hurt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include <boost/asio/io_context.hpp>

#include "common/clock.h"
#include "common/pki.h"
#include "probes/run.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::NginxServer;
using testing::OtherServer;
using testing::PostgresServer;
using testing::RedisServer;
using testing::TempDir;
using testing::value_of;

constexpr auto kBrief = std::chrono::milliseconds(500);  // for a frozen server, who never answers

Observation run(const KindSpec& kind, Duration timeout = std::chrono::seconds(30)) {
  boost::asio::io_context io;
  Prober prober(io);
  ProbeSpec spec;
  spec.kind = kind;
  spec.timeout = timeout;
  std::optional<Observation> result;
  prober.start(spec, [&result](Observation observation) { result = std::move(observation); });
  while (!result && io.run_one() > 0) {
  }
  return result.value();
}

TcpSpec to_port(std::uint16_t port, std::vector<TcpSpec::Step> dialogue = {}) {
  TcpSpec spec;
  spec.host = "127.0.0.1";
  spec.port = port;
  spec.dialogue = std::move(dialogue);
  return spec;
}

TEST(TcpProbe, TellsFrozenKilledAndHealthyApart) {
  RedisServer server;
  const TcpSpec ping = to_port(server.port(), {{"PING\r\n", "+PONG\r\n"}});
  const TcpSpec connection = to_port(server.port());

  expect_ok(run(ping));
  server.freeze();
  expect_ok(run(connection));  // the kernel accepts
  expect_verdict(run(ping, kBrief), Status::critical, Reason::timeout, Phase::first_byte);
  server.thaw();
  expect_ok(run(ping));
  server.kill();
  expect_verdict(run(connection), Status::critical, Reason::refused, Phase::connect);
}

TEST(TcpProbe, AnotherAnswerIsShown) {
  const RedisServer server({"--requirepass", "right"});

  const Observation result = run(to_port(server.port(), {{"PING\r\nQUIT\r\n", "+PONG"}}));

  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("-NOAUTH"));
}

// One authority and a certificate for 127.0.0.1, of 30 days.
class Certified : public ::testing::Test {
 protected:
  void SetUp() override {
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(folder_.path(), "prod", now));
    const pki::IssueRequest request{pki::Role::coordinator, "server", {"127.0.0.1"}, 30};
    auto pair = pki::issue(folder_.path(), request, now);
    ASSERT_TRUE(pair) << pair.error().message;
    pair_ = *pair;
  }

  TcpSpec trusting(std::uint16_t port, std::vector<TcpSpec::Step> dialogue = {}) const {
    TcpSpec spec = to_port(port, std::move(dialogue));
    spec.tls_ca_file = folder_ / "ca.crt";
    return spec;
  }

  // What every server with TLS must show, and what it must not get away with.
  void expect_verified(const TcpSpec& good) const {
    const Observation result = run(good);
    expect_ok(result);
    EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1);
    TcpSpec other = good;
    other.tls_server_name = "api.example.com";
    expect_verdict(run(other), Status::critical, Reason::tls, Phase::tls);
    TcpSpec stranger = good;
    stranger.tls_ca_file.clear();
    expect_verdict(run(stranger), Status::critical, Reason::tls, Phase::tls);
    TcpSpec warned = good;
    warned.certificate_warning_days = 60;
    expect_verdict(run(warned), Status::warning, Reason::threshold, Phase::tls);
  }

  TempDir folder_;
  pki::KeyPairFiles pair_;
};

using TlsProbe = Certified;

TEST_F(TlsProbe, NginxFromTheFirstByte) {
  NginxServer server("location / { return 200 alive; }", pair_.certificate, pair_.key);
  TcpSpec spec = trusting(server.tls_port(),
                          {{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200"}, {"", "\r\n\r\nalive"}});
  spec.tls = true;

  expect_verified(spec);
  server.freeze();
  expect_verdict(run(spec, kBrief), Status::critical, Reason::timeout, Phase::tls);
  server.thaw();
}

TEST_F(TlsProbe, AServerWithoutTlsIsATlsFailure) {
  const NginxServer server("location / { return 200 alive; }");
  TcpSpec spec = trusting(server.port());
  spec.tls = true;

  expect_verdict(run(spec), Status::critical, Reason::tls, Phase::tls);
}

TEST_F(TlsProbe, SmtpAfterStartTls) {
  const OtherServer server([this](const std::string& port, const TempDir&) {
    return std::vector<std::string>{"aiosmtpd",          "-n",        "-l",
                                    "127.0.0.1:" + port, "--tlscert", pair_.certificate,
                                    "--tlskey",          pair_.key};
  });
  TcpSpec spec = trusting(server.port(), {{"EHLO a.example\r\n", "250 "}, {"QUIT\r\n", "221 "}});
  spec.starttls = "smtp";

  expect_verified(spec);
}

TEST_F(TlsProbe, SmtpWithoutStartTls) {
  const OtherServer server([](const std::string& port, const TempDir&) {
    return std::vector<std::string>{"aiosmtpd", "-n", "-l", "127.0.0.1:" + port};
  });
  TcpSpec spec = trusting(server.port());
  spec.starttls = "smtp";

  const Observation result = run(spec);

  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
  EXPECT_EQ(result.evidence, "the server does not offer STARTTLS");
}

TEST_F(TlsProbe, PostgresAfterItsRequest) {
  // Readable for the user that runs PostgreSQL when we are root.
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  if (::geteuid() == 0) {
    const passwd* const postgres = ::getpwnam("postgres");
    ASSERT_NE(postgres, nullptr);
    for (const std::string& file : {pair_.key, pair_.certificate})
      ASSERT_EQ(::chown(file.c_str(), postgres->pw_uid, postgres->pw_gid), 0);
  }
  const PostgresServer server("", {"-c", "ssl=on", "-c", "ssl_cert_file=" + pair_.certificate, "-c",
                                   "ssl_key_file=" + pair_.key});
  TcpSpec spec = trusting(server.port());
  spec.starttls = "postgres";

  expect_verified(spec);
}

TEST_F(TlsProbe, PostgresWithoutTls) {
  const PostgresServer server;
  TcpSpec spec = trusting(server.port());
  spec.starttls = "postgres";

  expect_verdict(run(spec), Status::critical, Reason::tls, Phase::tls);
}

}  // namespace
}  // namespace firebreak
