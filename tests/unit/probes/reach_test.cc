// Whose fault a silence may be, and what a host without a network of its own says of its targets.
#include "probes/reach.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "probes/way.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak::probes {
namespace {

using ::testing::HasSubstr;

Observation failed(Reason reason, Status status = Status::critical) {
  Observation observation;
  observation.status = status;
  observation.reason = reason;
  return observation;
}

HttpSpec http(const std::string& url) {
  HttpSpec spec;
  spec.url = url;
  return spec;
}

TEST(Reach, OnlySilenceOfAnotherHostCouldBeOurOwnNetwork) {
  ProbeSpec remote;
  remote.kind = http("https://api.example.com/health");

  for (const Reason reason : {Reason::timeout, Reason::unreachable, Reason::dns})
    EXPECT_TRUE(could_be_own_network(remote, failed(reason))) << to_string(reason);
  for (const Reason reason : {Reason::refused, Reason::reset, Reason::status, Reason::body,
                              Reason::tls, Reason::protocol, Reason::auth, Reason::threshold})
    EXPECT_FALSE(could_be_own_network(remote, failed(reason))) << to_string(reason);
  EXPECT_FALSE(could_be_own_network(remote, failed(Reason::timeout, Status::unknown)));
}

TEST(Reach, ProbesOfThisHostAreNeverExcused) {
  const auto excused = [](const KindSpec& kind) {
    ProbeSpec spec;
    spec.kind = kind;
    return could_be_own_network(spec, failed(Reason::timeout));
  };
  for (const char* url : {"http://localhost:8080/", "http://127.0.0.1/", "http://127.8.8.8/",
                          "http://[::1]/", "http://api.localhost/"})
    EXPECT_FALSE(excused(http(url))) << url;
  RedisSpec redis;
  redis.host = "/run/redis.sock";
  EXPECT_FALSE(excused(redis));
  redis.host = "cache.example";
  EXPECT_TRUE(excused(redis));
  EXPECT_TRUE(excused(QueueSpec{QueueSpec::RedisKey{redis, "q"}, {}, {}}));
  EXPECT_FALSE(excused(PostgresSpec{}));  // localhost
  EXPECT_FALSE(excused(PgbouncerSpec{}));
  EXPECT_TRUE(excused(DnsSpec{}));  // the host's own name servers ask others
  EXPECT_FALSE(excused(ExecSpec{}));
  EXPECT_FALSE(excused(HostSpec{}));
  EXPECT_FALSE(excused(HeartbeatSpec{}));
}

TEST(Reach, AnInvertedProbeThatIsWellMayOnlyBeBlind) {
  ProbeSpec spec;
  spec.kind = http("http://closed.example/");
  EXPECT_FALSE(could_be_own_network(spec, failed(Reason::none, Status::ok)));
  spec.invert = true;
  EXPECT_TRUE(could_be_own_network(spec, failed(Reason::none, Status::ok)));
  EXPECT_FALSE(could_be_own_network(spec, failed(Reason::status)));  // it answered
}

TEST(Reach, KnowsThisHostsOwnAddresses) {
  using boost::asio::ip::make_address;
  EXPECT_TRUE(is_this_host(make_address("127.0.0.1")));
  EXPECT_TRUE(is_this_host(make_address("::1")));
  EXPECT_FALSE(is_this_host(make_address("192.0.2.1")));
  EXPECT_TRUE(has_way_to(make_address("127.0.0.1")));
}

// In a network of its own that has nothing, not even loopback; false where that is not allowed.
bool run_without_a_network(const std::function<void()>& body) {
  bool is_allowed = false;
  std::thread([&] {
    is_allowed = ::unshare(CLONE_NEWNET) == 0;
    if (is_allowed) body();
  }).join();
  return is_allowed;
}

Observation without_a_network(const KindSpec& kind) {
  Observation result;
  run_without_a_network([&] {
    boost::asio::io_context io;
    ProberOptions options;
    options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
      return std::vector<std::string>{"192.0.2.1", "2001:db8::1"};
    };
    result = testing::run_probe(io, kind, options);
  });
  return result;
}

TEST(Reach, ProbesOfOneServerShareATarget) {
  TcpSpec tcp;
  tcp.host = "::1";
  tcp.port = 80;
  HttpSpec socket = http("http://shop/");
  socket.unix_socket = "/run/shop.sock";
  QueueSpec::RedisKey key;
  key.redis.host = "cache";
  PrometheusSpec page;
  page.http = http("http://shop:8080/metrics?a");

  EXPECT_EQ(target_of(http("https://shop:8080/a?b")), "shop:8080");
  EXPECT_EQ(target_of(http("https://shop:8080")), "shop:8080");
  EXPECT_EQ(target_of(page), "shop:8080");
  EXPECT_EQ(target_of(socket), "/run/shop.sock");
  EXPECT_EQ(target_of(tcp), "[::1]:80");
  EXPECT_EQ(target_of(QueueSpec{key, {}, {}}), target_of(key.redis));
  EXPECT_EQ(target_of(SystemdSpec{}), "");
  EXPECT_EQ(target_of(HostSpec{}), "");
}

TEST(Reach, NoRouteIsNotTheTargetsFault) {
  if (!run_without_a_network([] {})) GTEST_SKIP() << "no network namespaces here";
  TcpSpec tcp;
  tcp.host = "192.0.2.1";
  tcp.port = 80;
  IcmpSpec icmp;
  icmp.host = "192.0.2.1";
  DnsSpec dns;
  dns.name = "example.com";
  dns.server = "192.0.2.1";
  PostgresSpec sql;
  sql.host = "db.example";
  sql.query = "select 1";
  for (const KindSpec& kind : {KindSpec{http("http://api.example/")}, KindSpec{tcp}, KindSpec{icmp},
                               KindSpec{dns}, KindSpec{sql}}) {
    const Observation result = without_a_network(kind);
    EXPECT_STREQ(to_string(result.status), "unknown") << kind_name(kind);
    if (result.reason == Reason::config) continue;  // a ping that this user may not send
    EXPECT_STREQ(to_string(result.reason), "prober") << kind_name(kind);
    EXPECT_THAT(result.evidence, HasSubstr("this host has no route to")) << kind_name(kind);
  }
}

}  // namespace
}  // namespace firebreak::probes
