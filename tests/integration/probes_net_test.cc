// Probes of TCP, TLS, STARTTLS and DNS, of real servers, healthy and hurt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "common/clock.h"
#include "common/pki.h"
#include "probes/run.h"
#include "tests/integration/run.h"
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
using testing::OtherServer;
using testing::PostgresServer;
using testing::RedisServer;
using testing::run;
using testing::TempDir;
using testing::value_of;

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
    spec.tls = TlsSpec();
    spec.tls->ca_file = folder_ / "ca.crt";
    return spec;
  }

  // What every server with TLS must show, and what it must not get away with.
  void expect_verified(const TcpSpec& good) const {
    const Observation result = run(good);
    expect_ok(result);
    EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1);
    TcpSpec other = good;
    other.tls->server_name = "api.example.com";
    expect_verdict(run(other), Status::critical, Reason::tls, Phase::tls);
    TcpSpec stranger = good;
    stranger.tls->ca_file.clear();
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

  expect_verified(spec);
  server.freeze();
  expect_verdict(run(spec, kBrief), Status::critical, Reason::timeout, Phase::tls);
  server.thaw();
}

TEST_F(TlsProbe, AServerWithoutTlsIsATlsFailure) {
  const NginxServer server("location / { return 200 alive; }");
  TcpSpec spec = trusting(server.port());

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

// --- DNS -----------------------------------------------------------------------------------------

constexpr const char* kZone = R"(
server:
  directory: ""
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "example.com." static
  local-data: "www.example.com. 60 IN A 192.0.2.1"
  local-data: "www.example.com. 120 IN A 192.0.2.2"
  local-data: "www.example.com. IN AAAA 2001:db8::1"
  local-data: "alias.example.com. IN CNAME www.example.com."
  local-data: "example.com. IN NS ns1.example.com."
  local-data: "example.com. IN SOA ns1.example.com. root.example.com. 7 3600 600 86400 300"
  local-data: "example.com. IN MX 10 mail.example.com."
  local-data: "example.com. IN MX 20 Backup.Example.com."
  local-data: "_sip._tcp.example.com. IN SRV 1 2 5060 sip.example.com."
  local-data: 'text.example.com. IN TXT "v=spf1 " "-all"'
  local-data-ptr: "192.0.2.1 www.example.com"
  local-data-ptr: "2001:db8::1 www.example.com"
  local-zone: "refused.example." refuse
)";

class DnsProbe : public ::testing::Test {
 protected:
  static OtherServer::Command unbound() {
    return [](const std::string& port, const TempDir& folder) {
      std::string zone = std::string(kZone) + "  interface: 127.0.0.1@" + port + "\n";
      // An answer that no datagram of 512 bytes holds.
      for (int i = 0; i < 40; ++i)
        zone.append("  local-data: \"many.example.com. IN A 192.0.2.")
            .append(std::to_string(100 + i))
            .append("\"\n");
      std::ofstream(folder / "unbound.conf") << zone;
      return std::vector<std::string>{"unbound", "-d", "-p", "-c", folder / "unbound.conf"};
    };
  }
  static void SetUpTestSuite() { server_ = std::make_unique<OtherServer>(unbound()); }
  static void TearDownTestSuite() { server_.reset(); }

  static DnsSpec asking(const std::string& name, const std::string& type) {
    DnsSpec spec;
    spec.name = name;
    spec.type = type;
    spec.server = "127.0.0.1";
    spec.port = server_->port();
    return spec;
  }
  // What dig says, one record a line.
  static std::vector<std::string> dig(const std::string& name, const std::string& type) {
    std::istringstream text(testing::run_program(
        {"dig", "+short", "@127.0.0.1", "-p", std::to_string(server_->port()), name, type}));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  static std::unique_ptr<OtherServer> server_;
};

std::unique_ptr<OtherServer> DnsProbe::server_;

TEST_F(DnsProbe, SeesWhatDigSees) {
  const std::pair<const char*, const char*> questions[] = {
      {"www.example.com", "A"},         {"WWW.example.com.", "AAAA"},
      {"alias.example.com", "CNAME"},   {"example.com", "NS"},
      {"example.com", "SOA"},           {"example.com", "MX"},
      {"_sip._tcp.example.com", "SRV"}, {"many.example.com", "A"},
      {"1.2.0.192.in-addr.arpa", "PTR"}};
  for (const auto& [name, type] : questions) {
    SCOPED_TRACE(std::string(name) + " " + type);
    DnsSpec spec = asking(name, type);
    spec.answers = dig(name, type);
    spec.exact = true;
    ASSERT_FALSE(spec.answers.empty());

    const Observation result = run(spec);

    expect_ok(result);
    EXPECT_EQ(value_of(result, "answers"), static_cast<double>(spec.answers.size()));
  }
}

TEST_F(DnsProbe, AddressesAreAskedForTheirNames) {
  for (const char* address : {"192.0.2.1", "2001:db8::1"}) {
    DnsSpec spec = asking(address, "PTR");
    spec.answers = {"www.example.com."};
    expect_ok(run(spec));
  }
}

TEST_F(DnsProbe, TextIsJoined) {
  DnsSpec spec = asking("text.example.com", "TXT");
  spec.answers = {"v=spf1 -all"};
  spec.exact = true;

  expect_ok(run(spec));
}

TEST_F(DnsProbe, SaysWhatTheServerSays) {
  DnsSpec refused = asking("www.refused.example", "A");
  DnsSpec expected = refused;
  expected.rcode = "REFUSED";

  expect_verdict(run(asking("no.example.com", "A")), Status::critical, Reason::missing,
                 Phase::first_byte);
  expect_verdict(run(asking("www.example.com", "MX")), Status::critical, Reason::missing,
                 Phase::first_byte);
  const Observation no = run(refused);
  expect_verdict(no, Status::critical, Reason::status, Phase::first_byte);
  EXPECT_EQ(no.evidence, "REFUSED, not NOERROR");
  expect_ok(run(expected));
}

TEST_F(DnsProbe, TellsFrozenKilledAndHealthyApart) {
  OtherServer server(unbound());
  DnsSpec spec = asking("www.example.com", "A");
  spec.port = server.port();

  expect_ok(run(spec));
  server.freeze();
  expect_verdict(run(spec, kBrief), Status::critical, Reason::timeout, Phase::first_byte);
  server.thaw();
  expect_ok(run(spec));
  server.kill();
  expect_verdict(run(spec), Status::critical, Reason::refused, Phase::first_byte);
}

}  // namespace
}  // namespace firebreak
