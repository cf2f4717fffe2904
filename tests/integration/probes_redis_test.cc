// Probes of real Redis servers beyond PING: TLS, roles, INFO, and each way to be unwell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/clock.h"
#include "common/pki.h"
#include "probes/redis.h"
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
using testing::RedisServer;
using testing::run;
using testing::TempDir;
using testing::value_of;

RedisSpec to_server(const RedisServer& server) {
  RedisSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  return spec;
}

RedisSpec informed(const RedisServer& server, const std::string& role = "") {
  RedisSpec spec = to_server(server);
  spec.info = true;
  spec.role = role;
  return spec;
}

std::vector<std::string> replica_of(const RedisServer& master) {
  return {"--replicaof", "127.0.0.1 " + std::to_string(master.port()), "--repl-diskless-sync-delay",
          "0"};
}

// What redis-cli shows of INFO.
std::string info_field(const RedisServer& server, const std::string& name) {
  const std::string info = "\n" + server.cli({"INFO"});
  const std::size_t at = info.find("\n" + name + ":");
  EXPECT_NE(at, std::string::npos) << name;
  const std::size_t begin = at + name.size() + 2;
  return info.substr(begin, info.find('\r', begin) - begin);
}

// --- TLS -----------------------------------------------------------------------------------------

class RedisTls : public ::testing::Test {
 protected:
  void SetUp() override {
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(folder_.path(), "prod", now));
    auto server = pki::issue(
        folder_.path(), {pki::Role::coordinator, "server", {"127.0.0.1", "localhost"}, 30}, now);
    auto client = pki::issue(folder_.path(), {pki::Role::agent, "web-1", {}, 30}, now);
    ASSERT_TRUE(server && client);
    server_ = *server;
    client_ = *client;
  }
  std::vector<std::string> options(const std::string& clients) const {
    return {"--tls-port",         std::to_string(port_),
            "--tls-cert-file",    server_.certificate,
            "--tls-key-file",     server_.key,
            "--tls-ca-cert-file", folder_ / "ca.crt",
            "--tls-auth-clients", clients};
  }
  RedisSpec trusting() const {
    RedisSpec spec;
    spec.host = "127.0.0.1";
    spec.port = port_;
    spec.tls = TlsSpec{};
    spec.tls->ca_file = folder_ / "ca.crt";
    return spec;
  }

  const std::uint16_t port_ = testing::free_port();
  TempDir folder_;
  pki::KeyPairFiles server_;
  pki::KeyPairFiles client_;
};

TEST_F(RedisTls, CertificateIsVerified) {
  RedisServer server(options("no"));
  RedisSpec other = trusting();
  other.tls->server_name = "cache.example.com";
  RedisSpec stranger = trusting();
  stranger.tls->ca_file.clear();
  RedisSpec careless = stranger;
  careless.tls->verify = false;

  const Observation result = run(trusting());
  expect_ok(result);
  EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1);
  expect_verdict(run(other), Status::critical, Reason::tls, Phase::tls);
  expect_verdict(run(stranger), Status::critical, Reason::tls, Phase::tls);
  expect_ok(run(careless));

  server.freeze();
  expect_verdict(run(trusting(), kBrief), Status::critical, Reason::timeout, Phase::tls);
  server.thaw();
}

TEST_F(RedisTls, InTheClearOrTheOtherWayRound) {
  const RedisServer server(options("no"));
  RedisSpec clear = trusting();
  clear.tls.reset();
  RedisSpec encrypted = trusting();
  encrypted.port = server.port();

  // It waits for the end of a line that a TLS hello does not have.
  expect_verdict(run(encrypted, kBrief), Status::critical, Reason::timeout, Phase::tls);
  EXPECT_EQ(run(clear).status, Status::critical);
}

TEST_F(RedisTls, ClientsShowTheirCertificate) {
  const RedisServer server(options("yes"));
  RedisSpec shown = trusting();
  shown.tls->certificate_file = client_.certificate;
  shown.tls->key_file = client_.key;
  RedisSpec mixed = shown;
  mixed.tls->key_file = server_.key;

  expect_ok(run(shown));
  const Observation hidden = run(trusting());
  EXPECT_EQ(hidden.status, Status::critical) << hidden.evidence;
  EXPECT_EQ(hidden.reason, Reason::tls) << hidden.evidence;
  expect_verdict(run(mixed), Status::unknown, Reason::config, Phase::tls);
}

// --- INFO and roles ------------------------------------------------------------------------------

TEST(RedisInfoProbe, ShowsWhatRedisCliShows) {
  const RedisServer server({"--maxclients", "50", "--maxmemory", "100mb"});

  const Observation result = run(informed(server, "master"));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "connected_clients"),
            std::stod(info_field(server, "connected_clients")));
  EXPECT_EQ(value_of(result, "clients_share"), 2);
  EXPECT_GT(value_of(result, "used_memory"), 0);
  EXPECT_NEAR(value_of(result, "used_memory_share"),
              value_of(result, "used_memory") * 100 / (100 << 20), 1e-9);
  EXPECT_EQ(value_of(result, "evicted_keys"), 0);
  EXPECT_EQ(value_of(result, "blocked_clients"), 0);
  EXPECT_EQ(value_of(result, "connected_replicas"), 0);
  const Observation other = run(informed(server, "replica"));
  expect_verdict(other, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(other.evidence, "it is a master, not a replica");
}

TEST(RedisInfoProbe, EvictedKeysAreCounted) {
  const RedisServer server({"--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"});
  server.cli({"EVAL", "for i=1,4000 do redis.call('SET', i, string.rep('x', 1000)) end", "0"});

  const Observation result = run(informed(server));

  expect_ok(result);
  EXPECT_GT(value_of(result, "evicted_keys"), 0);
  // It goes on evicting.
  EXPECT_LE(value_of(result, "evicted_keys"), std::stod(info_field(server, "evicted_keys")));
}

TEST(RedisInfoProbe, ReplicaNeedsItsMaster) {
  auto master =
      std::make_unique<RedisServer>(std::vector<std::string>{"--repl-diskless-sync-delay", "0"});
  const RedisServer replica(replica_of(*master));
  while (info_field(replica, "master_link_status") != "up") {
  }

  const Observation healthy = run(informed(replica, "replica"));
  expect_ok(healthy);
  EXPECT_GE(value_of(healthy, "replication_lag"), 0);
  EXPECT_EQ(value_of(run(informed(*master, "master")), "connected_replicas"), 1);
  expect_verdict(run(informed(replica, "master")), Status::critical, Reason::status,
                 Phase::transfer);

  const std::string port = std::to_string(master->port());
  master.reset();
  while (info_field(replica, "master_link_status") != "down") {
  }
  const Observation alone = run(informed(replica, "replica"));
  expect_verdict(alone, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(alone.evidence, HasSubstr("the link to its master 127.0.0.1:" + port + " is down"));
  expect_ok(run(to_server(replica)));  // PING alone does not see it
}

TEST(RedisInfoProbe, ReplicaOfNothing) {
  const RedisServer replica({"--replicaof", "127.0.0.1 1"});

  const Observation result = run(informed(replica));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("the link to its master 127.0.0.1:1 is down"));
}

// --- Each way to be unwell -----------------------------------------------------------------------

TEST(RedisUnwell, MasterDownTellsItsValues) {
  const RedisServer server({"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"});

  const Observation result = run(informed(server, "replica"));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence + "\n\n", server.cli({"PING"}));
  EXPECT_THAT(result.evidence, HasSubstr("MASTERDOWN"));
  EXPECT_GT(value_of(result, "used_memory"), 0);
}

TEST(RedisUnwell, FullServerSaysSo) {
  const RedisServer server({"--maxclients", "4"});
  boost::asio::io_context io;
  const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(),
                                                server.port());
  // The server takes them in their turn, and us behind them.
  std::array<std::optional<boost::asio::ip::tcp::socket>, 8> clients;
  for (auto& client : clients) client.emplace(io).connect(endpoint);

  const Observation result = run(informed(server));

  EXPECT_EQ(result.status, Status::critical) << result.evidence;
  EXPECT_EQ(result.reason, Reason::status) << result.evidence;
  EXPECT_EQ(result.evidence, "ERR max number of clients reached");
}

TEST(RedisUnwell, LoadingServerSaysSo) {
  // A tenth of a second for each key, and an eye on its clients meanwhile.
  RedisServer server(
      {"--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024"});
  server.cli({"EVAL", "for i=1,3000 do redis.call('SET', i, string.rep('x', 2000)) end", "0"});
  server.cli({"SAVE"});
  server.kill();
  server.start();

  const Observation result = run(informed(server));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence + "\n\n", server.cli({"PING"}));
  EXPECT_THAT(result.evidence, HasSubstr("LOADING"));
}

// No probe writes; what a replica answers to whoever does has its meaning all the same.
TEST(RedisUnwell, ReadOnlyIsAStatus) {
  const RedisServer replica({"--replicaof", "127.0.0.1 1"});

  const std::string answer = replica.cli({"SET", "a", "b"});

  EXPECT_THAT(answer, HasSubstr("READONLY"));
  EXPECT_EQ(probes::judge_redis_error(answer).reason, Reason::status);
}

}  // namespace
}  // namespace firebreak
