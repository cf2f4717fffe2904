// What travels arrives as it was sent, and each rule of the wire refuses what breaks it.
#include "proto/wire.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <firebreak/v1/agent.pb.h>
#include <firebreak/v1/probe.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include "common/limits.h"

namespace firebreak::wire {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::HasSubstr;

ProbeKey a_key(const char* probe = "health") {
  return {ServiceName{"api"}, ProbeName{probe}};
}

HttpSpec an_http_spec() {
  HttpSpec spec;
  spec.url = "https://api.example.com/health";
  spec.method = "POST";
  spec.headers = {{"X-Tag", "a b"}};
  spec.body = "{\"test\": true}";
  spec.expect_status = {"200", "3xx"};
  spec.expect = "body.ok";
  spec.contains = "ok";
  spec.header_files = {{"X-Key", "/etc/key"}, {"X-Other", "credential:other"}};
  spec.bearer_token_file = "/etc/token";
  spec.basic_user = "user";
  spec.basic_password_file = "credential:password";
  spec.max_redirects = 3;
  spec.tls = {false, "/etc/ca.pem", "api", "/etc/a.crt", "/etc/a.key"};
  spec.unix_socket = "/run/api.sock";
  return spec;
}

PostgresSpec a_postgres_spec() {
  return {"db",         5433,      "shop", "probe", "/etc/pw", "verify-full", "select 1",
          "value == 1", "standby", true,   "/ca",   "/a.crt",  "/a.key"};
}

PgbouncerSpec a_pgbouncer_spec() {
  PgbouncerSpec spec;
  spec.server.host = "db";
  spec.server.password_file = "credential:pool";
  spec.pool = "shop";
  return spec;
}

RedisSpec a_redis_spec() {
  return {"cache",   6380, "probe", "/etc/pw", TlsSpec{false, "/ca", "c", "/a.crt", "/a.key"},
          "replica", true};
}

QueueSpec::RabbitMq a_rabbitmq() {
  return {"mq", 5671, "shop", "probe", "/etc/pw", TlsSpec{true, "", "mq.example"}, "jobs"};
}

TcpSpec a_tcp_spec() {
  TcpSpec spec;
  spec.host = "mail";
  spec.port = 25;
  spec.dialogue = {{"", "220"}, {"QUIT\r\n", "221"}};
  spec.starttls = "smtp";
  spec.tls = TlsSpec{false, "/etc/ca.pem", "mail.example.com", "/etc/a.crt", "/etc/a.key"};
  spec.certificate_warning_days = 14;
  spec.certificate_critical_days = 2.5;
  return spec;
}

DnsSpec a_dns_spec() {
  return {"example.com", "MX", "::1", 5353, "NOERROR", {"10 mail", "20 more"}, true};
}

IcmpSpec an_icmp_spec() {
  return {"gateway", 5, milliseconds(20), 64, 10, 50.5, milliseconds(1), milliseconds(80)};
}

ProbeSpec a_spec(KindSpec kind) {
  ProbeSpec spec;
  spec.kind = std::move(kind);
  spec.every = milliseconds(500);
  spec.timeout = milliseconds(400);
  spec.confirm = {3, milliseconds(20)};
  spec.limits["latency"] = {Range{0, 1}, Range{0, 2}};
  spec.limits["length"].critical = Range{0, 5, true};
  spec.invert = true;
  spec.family = "prefer-ipv4";
  spec.source = "192.0.2.7";
  return spec;
}

Observation an_observation() {
  return {Status::critical,
          Reason::timeout,
          Phase::connect,
          milliseconds(7),
          {},
          {{"length", 11}, {"depth", -0.5}},
          "no answer"};
}

Batch a_batch() {
  Batch batch;
  batch.first_seq = 41;
  batch.sent = microseconds(9000);
  batch.dropped_before = 5;
  batch.series = {{0, a_key()}, {1, a_key("queue")}};
  Observation fine;
  fine.status = Status::ok;
  fine.latency = microseconds(250);
  batch.results = {{0, true, microseconds(100), fine},
                   {1, false, microseconds(200), an_observation()},
                   {0, true, microseconds(9000), an_observation()}};
  return batch;
}

TEST(WireSpec, EveryKindArrivesAsItWasSent) {
  const QueueSpec queues[] = {{QueueSpec::RedisKey{a_redis_spec(), "jobs"}, 5, 10},
                              {QueueSpec::HttpJson{an_http_spec(), "body.n"}, {}, 10},
                              {QueueSpec::SqlCount{a_postgres_spec()}, 5, {}}};
  for (const auto& source : {QueueSpec::RedisKey{RedisSpec{}, "jobs", "stream", "g"},
                             QueueSpec::RedisKey{a_redis_spec(), "jobs", "zset", "", "seconds"},
                             QueueSpec::RedisKey{RedisSpec{}, "jobs", "set"}}) {
    const auto back = from_proto(to_proto(a_spec(QueueSpec{source, {}, {}})));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, a_spec(QueueSpec{source, {}, {}}));
  }
  const auto rabbitmq = from_proto(to_proto(a_spec(QueueSpec{a_rabbitmq(), {}, {}})));
  ASSERT_TRUE(rabbitmq) << rabbitmq.error().message;
  EXPECT_EQ(*rabbitmq, a_spec(QueueSpec{a_rabbitmq(), {}, {}}));

  const KindSpec kinds[] = {an_http_spec(), a_postgres_spec(), a_pgbouncer_spec(), a_redis_spec(),
                            queues[0],      queues[1],         queues[2],          a_tcp_spec(),
                            a_dns_spec(),   an_icmp_spec()};

  for (const KindSpec& kind : kinds) {
    const auto back = from_proto(to_proto(a_spec(kind)));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, a_spec(kind));
  }
}

SystemdSpec a_systemd_spec() {
  SystemdSpec spec;
  spec.unit = "nginx.service";
  spec.states = {"active", "reloading"};
  spec.sub_states = {"running"};
  spec.warning = parse_range("3");
  spec.critical = parse_range("@5:10");
  return spec;
}

HostSpec a_host_spec() {
  HostSpec spec;
  spec.disks = {"/", "/var"};
  spec.warning = {{"cpu", *parse_range("80")}, {"memory_available", *parse_range("1e9:")}};
  spec.critical = {{"load1", *parse_range("~:0.1")}};
  return spec;
}

PrometheusSpec a_prometheus_spec() {
  PrometheusSpec spec;
  spec.http = an_http_spec();
  spec.query = "up == 0";
  spec.empty = "unknown";
  spec.warning = parse_range("10");
  spec.critical = parse_range("@1:2");
  return spec;
}

PrometheusSpec a_scraping_spec() {
  PrometheusSpec spec;
  spec.http.url = "http://shop/metrics";
  spec.metric = "up{job=\"a\"}";
  return spec;
}

TEST(WireSpec, ComesBackAsItWasForPrometheus) {
  for (const PrometheusSpec& kind : {a_prometheus_spec(), a_scraping_spec()}) {
    const auto back = from_proto(to_proto(a_spec(kind)));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, a_spec(kind));
  }
}

TEST(WireSpec, ComesBackAsItWasForTheHostsOwnKinds) {
  for (const KindSpec& kind :
       {KindSpec{ExecSpec{"disk", {{"path", "/var"}, {"warn", "10"}}}}, KindSpec{ExecSpec{"a", {}}},
        KindSpec{a_systemd_spec()}, KindSpec{a_host_spec()}, KindSpec{HostSpec{}},
        KindSpec{HeartbeatSpec{"backup", std::chrono::hours(26)}}}) {
    const auto back = from_proto(to_proto(a_spec(kind)));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, a_spec(kind));
  }
}

TEST(WireSpec, DefaultsAreAccepted) {
  HttpSpec http;
  http.url = "http://localhost/";
  for (const KindSpec& kind : {KindSpec{http}, KindSpec{PostgresSpec{}}, KindSpec{RedisSpec{}}}) {
    ProbeSpec spec;
    spec.kind = kind;
    const auto back = from_proto(to_proto(spec));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, spec);
  }
}

struct SpecRule {
  const char* field;
  std::function<void(v1::ProbeSpec&)> spoil;
};

void expect_refused(const ProbeSpec& good, const std::vector<SpecRule>& rules) {
  for (const SpecRule& rule : rules) {
    v1::ProbeSpec message = to_proto(good);
    rule.spoil(message);
    const auto result = from_proto(message);
    ASSERT_FALSE(result) << rule.field;
    EXPECT_EQ(result.error().code, Errc::invalid_argument);
    EXPECT_THAT(result.error().message, HasSubstr(rule.field));
  }
}

TEST(WireSpec, RefusesWhatBreaksARule) {
  const auto tls = [](auto& m) -> v1::TlsSpec& { return *m.mutable_redis()->mutable_tls(); };
  expect_refused(
      a_spec(a_redis_spec()),
      {{"ProbeSpec.kind", [](auto& m) { m.clear_kind(); }},
       {"ProbeSpec.every_us", [](auto& m) { m.set_every_us(99'999); }},
       {"ProbeSpec.every_us", [](auto& m) { m.set_every_us(86'400'000'001); }},
       {"ProbeSpec.timeout_us", [](auto& m) { m.set_timeout_us(0); }},
       {"ProbeSpec.timeout_us", [](auto& m) { m.set_timeout_us(300'000'001); }},
       {"ProbeSpec.confirm_attempts", [](auto& m) { m.set_confirm_attempts(-1); }},
       {"ProbeSpec.confirm_attempts", [](auto& m) { m.set_confirm_attempts(11); }},
       {"ProbeSpec.confirm_every_us", [](auto& m) { m.set_confirm_every_us(-1); }},
       {"RedisSpec.host", [](auto& m) { m.mutable_redis()->set_host(""); }},
       {"RedisSpec.host", [](auto& m) { m.mutable_redis()->set_host(std::string(256, 'a')); }},
       {"RedisSpec.port", [](auto& m) { m.mutable_redis()->set_port(0); }},
       {"RedisSpec.port", [](auto& m) { m.mutable_redis()->set_port(65536); }},
       {"RedisSpec.username", [](auto& m) { m.mutable_redis()->set_username("a\r\nb"); }},
       {"RedisSpec.password_file", [](auto& m) { m.mutable_redis()->set_password_file("a/b"); }},
       {"RedisSpec.role", [](auto& m) { m.mutable_redis()->set_role("slave"); }},
       {"RedisSpec.tls", [](auto& m) { m.mutable_redis()->set_host("/run/redis.sock"); }},
       {"TlsSpec.ca_file", [&](auto& m) { tls(m).set_ca_file("ca"); }},
       {"TlsSpec.server_name", [&](auto& m) { tls(m).set_server_name("a\nb"); }},
       {"TlsSpec.certificate_file", [&](auto& m) { tls(m).set_certificate_file("a"); }},
       {"TlsSpec.key_file", [&](auto& m) { tls(m).clear_certificate_file(); }},
       {"TlsSpec.key_file", [&](auto& m) { tls(m).set_key_file("a"); }}});
}

TEST(WireSpec, RefusesWhatNoProbeMaySay) {
  ProbeSpec spec;
  spec.kind = RedisSpec{};
  const v1::ProbeSpec good = wire::to_proto(spec);
  const auto refuses = [&](const char* field, auto change) {
    v1::ProbeSpec bad = good;
    change(bad);
    const auto read = wire::from_proto(bad);
    ASSERT_FALSE(read) << field;
    EXPECT_NE(read.error().message.find(field), std::string::npos) << read.error().message;
  };
  refuses("ProbeSpec.limits.value", [](auto& bad) { bad.add_limits()->set_value("a\nb"); });
  refuses("ProbeSpec.limits.warning", [](auto& bad) {
    bad.add_limits()->set_value("latency");
    bad.mutable_limits(0)->set_warning("fast");
  });
  refuses("is given twice", [](auto& bad) {
    bad.add_limits()->set_value("latency");
    bad.add_limits()->set_value("latency");
  });
  refuses("ProbeSpec.limits", [](auto& bad) {
    for (std::size_t i = 0; i <= limits::kValuesPerResultMax; ++i)
      bad.add_limits()->set_value("v" + std::to_string(i));
  });
  refuses("ProbeSpec.family", [](auto& bad) { bad.set_family("ipx"); });
  refuses("ProbeSpec.source", [](auto& bad) { bad.set_source("localhost"); });
}

TEST(WireSpec, RefusesTheHostsOwnKindsThatBreakARule) {
  expect_refused(a_spec(ExecSpec{"disk", {{"path", "/var"}}}),
                 {{"ExecSpec.check", [](auto& m) { m.mutable_exec()->set_check("../x"); }},
                  {"ExecSpec.parameters.name",
                   [](auto& m) { m.mutable_exec()->mutable_parameters(0)->set_name("A b"); }},
                  {"ExecSpec.parameters.name",
                   [](auto& m) { *m.mutable_exec()->add_parameters() = m.exec().parameters(0); }},
                  {"ExecSpec.parameters.value",
                   [](auto& m) { m.mutable_exec()->mutable_parameters(0)->set_value("a\nb"); }},
                  {"ExecSpec.parameters", [](auto& m) {
                     while (m.exec().parameters_size() < 17) m.mutable_exec()->add_parameters();
                   }}});
  expect_refused(
      a_spec(a_systemd_spec()),
      {{"SystemdSpec.unit", [](auto& m) { m.mutable_systemd()->set_unit("nginx"); }},
       {"SystemdSpec.unit", [](auto& m) { m.mutable_systemd()->set_unit("-x.service"); }},
       {"SystemdSpec.states", [](auto& m) { m.mutable_systemd()->set_states(0, "alive"); }},
       {"SystemdSpec.states", [](auto& m) { m.mutable_systemd()->clear_states(); }},
       {"SystemdSpec.sub_states", [](auto& m) { m.mutable_systemd()->set_sub_states(0, "A"); }},
       {"SystemdSpec.warning", [](auto& m) { m.mutable_systemd()->set_warning("1e999"); }},
       {"SystemdSpec.critical", [](auto& m) { m.mutable_systemd()->set_critical("5:1"); }}});
  expect_refused(a_spec(a_host_spec()),
                 {{"HostSpec.disks", [](auto& m) { m.mutable_host()->set_disks(0, "var"); }},
                  {"HostSpec.disks", [](auto& m) { m.mutable_host()->set_disks(0, "/a\nb"); }},
                  {"HostSpec.disks",
                   [](auto& m) {
                     while (m.host().disks_size() < 13) m.mutable_host()->add_disks("/x");
                   }},
                  {"HostSpec.limit.value",
                   [](auto& m) { m.mutable_host()->mutable_warning(0)->set_value("heat"); }},
                  {"HostSpec.limit.value",
                   [](auto& m) { *m.mutable_host()->add_critical() = m.host().critical(0); }},
                  {"HostSpec.limit.range",
                   [](auto& m) { m.mutable_host()->mutable_critical(0)->set_range(""); }}});
}

TEST(WireSpec, RefusesAHeartbeatThatBreaksARule) {
  const auto beat = [](auto& m) -> v1::HeartbeatSpec& { return *m.mutable_heartbeat(); };
  expect_refused(
      a_spec(HeartbeatSpec{"backup", std::chrono::hours(26)}),
      {{"HeartbeatSpec.name", [&](auto& m) { beat(m).set_name("a/../b"); }},
       {"HeartbeatSpec.name", [&](auto& m) { beat(m).clear_name(); }},
       {"HeartbeatSpec.within_us", [&](auto& m) { beat(m).set_within_us(999'999); }},
       {"HeartbeatSpec.within_us", [&](auto& m) { beat(m).set_within_us(31'622'400'000'001); }}});
}

TEST(WireSpec, RefusesPrometheusThatBreaksARule) {
  const auto prometheus = [](auto& m) -> v1::PrometheusSpec& { return *m.mutable_prometheus(); };
  expect_refused(
      a_spec(a_prometheus_spec()),
      {{"HttpSpec.url", [&](auto& m) { prometheus(m).mutable_http()->set_url("p:9090"); }},
       {"PrometheusSpec.query", [&](auto& m) { prometheus(m).clear_query(); }},
       {"PrometheusSpec.query", [&](auto& m) { prometheus(m).set_metric("up"); }},
       {"PrometheusSpec.query", [&](auto& m) { prometheus(m).set_query(std::string(4097, 'x')); }},
       {"PrometheusSpec.empty", [&](auto& m) { prometheus(m).clear_empty(); }},
       {"PrometheusSpec.empty", [&](auto& m) { prometheus(m).set_empty("fine"); }},
       {"PrometheusSpec.warning", [&](auto& m) { prometheus(m).set_warning("hot"); }},
       {"PrometheusSpec.critical", [&](auto& m) { prometheus(m).set_critical("5:1"); }}});
  expect_refused(a_spec(a_scraping_spec()),
                 {{"PrometheusSpec.metric", [&](auto& m) { prometheus(m).set_metric("up > 1"); }}});
}

TEST(WireSpec, RefusesGrpcThatBreaksARule) {
  const GrpcSpec spec{"cart", 443, "shop.Cart", "cart.example",
                      TlsSpec{false, "/ca.pem", "cart", "/a.crt", "/a.key"}};
  const auto back = from_proto(to_proto(a_spec(spec)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, a_spec(spec));
  const auto grpc = [](auto& m) -> v1::GrpcSpec& { return *m.mutable_grpc(); };
  expect_refused(
      a_spec(spec),
      {{"GrpcSpec.host", [&](auto& m) { grpc(m).clear_host(); }},
       {"GrpcSpec.port", [&](auto& m) { grpc(m).set_port(0); }},
       {"GrpcSpec.service", [&](auto& m) { grpc(m).set_service(std::string(256, 's')); }},
       {"GrpcSpec.service", [&](auto& m) { grpc(m).set_service("a\nb"); }},
       {"GrpcSpec.authority", [&](auto& m) { grpc(m).set_authority("a\r\nb: c"); }},
       {"GrpcSpec.tls_ca_file", [&](auto& m) { grpc(m).set_tls_ca_file("ca.pem"); }},
       {"GrpcSpec.tls_key_file", [&](auto& m) { grpc(m).clear_tls_key_file(); }},
       {"GrpcSpec.tls_key_file", [&](auto& m) { grpc(m).set_tls_key_file("a.key"); }},
       {"GrpcSpec.tls_certificate_file",
        [&](auto& m) { grpc(m).set_tls_certificate_file("a.crt"); }},
       {"GrpcSpec.tls_server_name", [&](auto& m) { grpc(m).set_tls_server_name("\x7f"); }}});
}

TEST(WireSpec, RefusesHttpThatBreaksARule) {
  const auto http = [](auto& m) -> v1::HttpSpec& { return *m.mutable_http(); };
  expect_refused(
      a_spec(an_http_spec()),
      {{"HttpSpec.url", [&](auto& m) { http(m).set_url("ftp://x/"); }},
       {"HttpSpec.url", [&](auto& m) { http(m).set_url("http://x/\r\nHost: y"); }},
       {"HttpSpec.url", [&](auto& m) { http(m).set_url("http://" + std::string(5000, 'x')); }},
       {"HttpSpec.url", [&](auto& m) { http(m).set_url("http://\xff/"); }},
       {"HttpSpec.method", [&](auto& m) { http(m).set_method("TRACE"); }},
       {"HttpSpec.headers.name", [&](auto& m) { http(m).mutable_headers(0)->set_name("a b"); }},
       {"HttpSpec.headers.name", [&](auto& m) { http(m).mutable_headers(0)->set_name(""); }},
       {"HttpSpec.headers.value", [&](auto& m) { http(m).mutable_headers(0)->set_value("a\nb"); }},
       {"HttpSpec.headers",
        [&](auto& m) {
          while (http(m).headers_size() < 33) *http(m).add_headers() = http(m).headers(0);
        }},
       {"HttpSpec.header_files.name",
        [&](auto& m) { http(m).mutable_header_files(0)->set_name("a:b"); }},
       {"HttpSpec.header_files.value",
        [&](auto& m) { http(m).mutable_header_files(1)->set_value("key"); }},
       {"HttpSpec.header_files.value",
        [&](auto& m) { http(m).mutable_header_files(1)->clear_value(); }},
       {"HttpSpec.header_files",
        [&](auto& m) {
          while (http(m).header_files_size() < 33)
            *http(m).add_header_files() = http(m).header_files(0);
        }},
       {"HttpSpec.body", [&](auto& m) { http(m).set_body(std::string(65537, 'x')); }},
       {"HttpSpec.expect_status", [&](auto& m) { http(m).clear_expect_status(); }},
       {"HttpSpec.expect_status", [&](auto& m) { http(m).set_expect_status(0, "6xx"); }},
       {"HttpSpec.expect", [&](auto& m) { http(m).set_expect(std::string(4097, 'x')); }},
       {"HttpSpec.contains", [&](auto& m) { http(m).set_contains(std::string("a\0b", 3)); }},
       {"HttpSpec.bearer_token_file", [&](auto& m) { http(m).set_bearer_token_file("token"); }},
       {"HttpSpec.basic_user", [&](auto& m) { http(m).set_basic_user("\x7f"); }},
       {"HttpSpec.basic_password_file", [&](auto& m) { http(m).set_basic_password_file("pw"); }},
       {"HttpSpec.max_redirects", [&](auto& m) { http(m).set_max_redirects(11); }},
       {"HttpSpec.tls_ca_file", [&](auto& m) { http(m).set_tls_ca_file("ca.pem"); }},
       {"HttpSpec.tls_key_file", [&](auto& m) { http(m).clear_tls_key_file(); }},
       {"HttpSpec.tls_key_file", [&](auto& m) { http(m).set_tls_key_file("a.key"); }},
       {"HttpSpec.tls_certificate_file",
        [&](auto& m) { http(m).set_tls_certificate_file("a.crt"); }},
       {"HttpSpec.unix_socket", [&](auto& m) { http(m).set_unix_socket("run/a.sock"); }},
       {"HttpSpec.unix_socket",
        [&](auto& m) { http(m).set_unix_socket("/" + std::string(107, 'x')); }},
       {"HttpSpec.tls_server_name", [&](auto& m) { http(m).set_tls_server_name("\n"); }}});
}

TEST(WireSpec, RefusesAPgbouncerThatIsAskedSomethingElse) {
  const auto server = [](auto& m) -> v1::PostgresSpec& {
    return *m.mutable_pgbouncer()->mutable_server();
  };
  expect_refused(
      a_spec(a_pgbouncer_spec()),
      {{"PostgresSpec.host", [](auto& m) { m.mutable_pgbouncer()->clear_server(); }},
       {"PgbouncerSpec.server", [&](auto& m) { server(m).set_query("select 1"); }},
       {"PgbouncerSpec.server", [&](auto& m) { server(m).set_expect("true"); }},
       {"PgbouncerSpec.server", [&](auto& m) { server(m).set_info(true); }},
       {"PgbouncerSpec.server", [&](auto& m) { server(m).set_role("primary"); }},
       {"PgbouncerSpec.pool", [](auto& m) { m.mutable_pgbouncer()->set_pool("a\nb"); }}});
}

TEST(WireSpec, RefusesPostgresAndQueuesThatBreakARule) {
  const auto postgres = [](auto& m) -> v1::PostgresSpec& { return *m.mutable_postgres(); };
  expect_refused(
      a_spec(a_postgres_spec()),
      {{"PostgresSpec.host", [&](auto& m) { postgres(m).set_host(""); }},
       {"PostgresSpec.port", [&](auto& m) { postgres(m).set_port(70000); }},
       {"PostgresSpec.database", [&](auto& m) { postgres(m).set_database("a\nb"); }},
       {"PostgresSpec.user", [&](auto& m) { postgres(m).set_user("a\nb"); }},
       {"PostgresSpec.password_file", [&](auto& m) { postgres(m).set_password_file("x"); }},
       {"PostgresSpec.sslmode", [&](auto& m) { postgres(m).set_sslmode("maybe"); }},
       {"PostgresSpec.role", [&](auto& m) { postgres(m).set_role("master"); }},
       {"PostgresSpec.tls_ca_file", [&](auto& m) { postgres(m).set_tls_ca_file("ca"); }},
       {"PostgresSpec.tls_certificate_file",
        [&](auto& m) { postgres(m).set_tls_certificate_file("a"); }},
       {"PostgresSpec.tls_key_file", [&](auto& m) { postgres(m).set_tls_key_file("a"); }},
       {"PostgresSpec.tls_key_file", [&](auto& m) { postgres(m).clear_tls_certificate_file(); }},
       {"PostgresSpec.query", [&](auto& m) { postgres(m).set_query(std::string(4097, 'x')); }},
       {"PostgresSpec.expect", [&](auto& m) { postgres(m).set_expect(std::string(4097, 'x')); }}});
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const auto queue = [](auto& m) -> v1::QueueSpec& { return *m.mutable_queue(); };
  expect_refused(
      a_spec(QueueSpec{QueueSpec::RedisKey{a_redis_spec(), "jobs"}, 5, 10}),
      {{"QueueSpec.source", [&](auto& m) { queue(m).clear_source(); }},
       {"QueueSpec.redis_list.key", [&](auto& m) { queue(m).mutable_redis_list()->clear_key(); }},
       {"QueueSpec.http_json.length", [&](auto& m) { queue(m).mutable_http_json(); }},
       {"PostgresSpec.host", [&](auto& m) { queue(m).mutable_sql_count(); }},
       {"QueueSpec.warning", [&](auto& m) { queue(m).set_warning(nan); }},
       {"QueueSpec.critical", [&](auto& m) { queue(m).set_critical(nan); }}});
}

TEST(WireSpec, RefusesAQueueThatBreaksARule) {
  const auto key = [](auto& m) -> auto& {
    return *m.mutable_queue()->mutable_redis_key();
  };
  expect_refused(a_spec(QueueSpec{QueueSpec::RedisKey{RedisSpec{}, "jobs", "stream", "g"}, {}, {}}),
                 {{"QueueSpec.redis_key.key", [&](auto& m) { key(m).clear_key(); }},
                  {"QueueSpec.redis_key.type", [&](auto& m) { key(m).set_type("list"); }},
                  {"QueueSpec.redis_key.type", [&](auto& m) { key(m).set_type("hash"); }},
                  {"QueueSpec.redis_key.group", [&](auto& m) { key(m).set_type("set"); }},
                  {"QueueSpec.redis_key.score", [&](auto& m) { key(m).set_score("seconds"); }},
                  {"RedisSpec.host", [&](auto& m) { key(m).mutable_redis()->clear_host(); }}});
  expect_refused(
      a_spec(QueueSpec{QueueSpec::RedisKey{RedisSpec{}, "jobs", "zset", "", "seconds"}, {}, {}}),
      {{"QueueSpec.redis_key.score", [&](auto& m) { key(m).set_score("hours"); }}});
  const auto rabbitmq = [](auto& m) -> auto& {
    return *m.mutable_queue()->mutable_rabbitmq();
  };
  expect_refused(
      a_spec(QueueSpec{a_rabbitmq(), {}, {}}),
      {{"QueueSpec.rabbitmq.host", [&](auto& m) { rabbitmq(m).set_host("/run/mq"); }},
       {"QueueSpec.rabbitmq.host", [&](auto& m) { rabbitmq(m).clear_host(); }},
       {"QueueSpec.rabbitmq.port", [&](auto& m) { rabbitmq(m).set_port(0); }},
       {"QueueSpec.rabbitmq.vhost", [&](auto& m) { rabbitmq(m).set_vhost(std::string(256, 'v')); }},
       {"QueueSpec.rabbitmq.user", [&](auto& m) { rabbitmq(m).set_user("a\nb"); }},
       {"QueueSpec.rabbitmq.password_file", [&](auto& m) { rabbitmq(m).set_password_file("x"); }},
       {"QueueSpec.rabbitmq.queue", [&](auto& m) { rabbitmq(m).clear_queue(); }},
       {"TlsSpec.ca_file", [&](auto& m) { rabbitmq(m).mutable_tls()->set_ca_file("ca"); }}});
}

TEST(WireSpec, RefusesTcpThatBreaksARule) {
  const auto tcp = [](auto& m) -> v1::TcpSpec& { return *m.mutable_tcp(); };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused(
      a_spec(a_tcp_spec()),
      {{"TcpSpec.host", [&](auto& m) { tcp(m).clear_host(); }},
       {"TcpSpec.port", [&](auto& m) { tcp(m).clear_port(); }},
       {"TcpSpec.dialogue",
        [&](auto& m) {
          while (tcp(m).dialogue_size() < 17) tcp(m).add_dialogue();
        }},
       {"TcpSpec.dialogue.send",
        [&](auto& m) { tcp(m).mutable_dialogue(0)->set_send(std::string(4097, 'x')); }},
       {"TcpSpec.dialogue.expect",
        [&](auto& m) { tcp(m).mutable_dialogue(0)->set_expect(std::string("a\0b", 3)); }},
       {"TcpSpec.starttls", [&](auto& m) { tcp(m).set_starttls("ftp"); }},
       {"TcpSpec.starttls", [&](auto& m) { tcp(m).set_tls(true); }},
       {"TcpSpec.tls_ca_file", [&](auto& m) { tcp(m).set_tls_ca_file("ca.pem"); }},
       {"TcpSpec.tls_key_file", [&](auto& m) { tcp(m).clear_tls_key_file(); }},
       {"TcpSpec.tls_key_file", [&](auto& m) { tcp(m).set_tls_key_file("a.key"); }},
       {"TcpSpec.tls_certificate_file", [&](auto& m) { tcp(m).set_tls_certificate_file("a.crt"); }},
       {"TcpSpec.tls_server_name", [&](auto& m) { tcp(m).set_tls_server_name("\n"); }},
       {"TcpSpec.certificate_warning_days",
        [&](auto& m) { tcp(m).set_certificate_warning_days(nan); }},
       {"TcpSpec.certificate_critical_days",
        [&](auto& m) { tcp(m).set_certificate_critical_days(nan); }}});
}

TEST(WireSpec, RefusesDnsThatBreaksARule) {
  const auto dns = [](auto& m) -> v1::DnsSpec& { return *m.mutable_dns(); };
  expect_refused(a_spec(a_dns_spec()),
                 {{"DnsSpec.name", [&](auto& m) { dns(m).set_name("a..b"); }},
                  {"DnsSpec.type", [&](auto& m) { dns(m).set_type("ANY"); }},
                  {"DnsSpec.server", [&](auto& m) { dns(m).set_server("a\nb"); }},
                  {"DnsSpec.port", [&](auto& m) { dns(m).set_port(0); }},
                  {"DnsSpec.rcode", [&](auto& m) { dns(m).set_rcode(""); }},
                  {"DnsSpec.answers", [&](auto& m) { dns(m).set_answers(0, "\xff"); }},
                  {"DnsSpec.answers", [&](auto& m) {
                     while (dns(m).answers_size() < 65) dns(m).add_answers("a");
                   }}});
}

TEST(WireSpec, RefusesIcmpThatBreaksARule) {
  const auto icmp = [](auto& m) -> v1::IcmpSpec& { return *m.mutable_icmp(); };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused(
      a_spec(an_icmp_spec()),
      {{"IcmpSpec.host", [&](auto& m) { icmp(m).clear_host(); }},
       {"IcmpSpec.packets", [&](auto& m) { icmp(m).set_packets(0); }},
       {"IcmpSpec.packets", [&](auto& m) { icmp(m).set_packets(21); }},
       {"IcmpSpec.interval_us", [&](auto& m) { icmp(m).set_interval_us(9'999); }},
       {"IcmpSpec.bytes", [&](auto& m) { icmp(m).set_bytes(15); }},
       {"IcmpSpec.bytes", [&](auto& m) { icmp(m).set_bytes(1401); }},
       {"IcmpSpec.loss_warning", [&](auto& m) { icmp(m).set_loss_warning(nan); }},
       {"IcmpSpec.loss_critical", [&](auto& m) { icmp(m).set_loss_critical(nan); }},
       {"IcmpSpec.rtt_warning_us", [&](auto& m) { icmp(m).set_rtt_warning_us(-1); }},
       {"IcmpSpec.rtt_critical_us", [&](auto& m) { icmp(m).set_rtt_critical_us(300'000'001); }}});
}

TEST(WireKey, ArrivesOrIsRefusedByField) {
  EXPECT_EQ(*from_proto(to_proto(a_key())), a_key());

  v1::ProbeKey message = to_proto(a_key());
  message.set_service("../etc");
  EXPECT_THAT(from_proto(message).error().message, HasSubstr("ProbeKey.service"));
  message = to_proto(a_key());
  message.set_probe("");
  EXPECT_THAT(from_proto(message).error().message, HasSubstr("ProbeKey.probe"));
}

TEST(WireEnums, KnownNumbersOnly) {
  for (const Status status : {Status::ok, Status::warning, Status::critical, Status::unknown}) {
    EXPECT_EQ(*from_proto(to_proto(status)), status);
  }
  EXPECT_FALSE(from_proto(v1::STATUS_UNSPECIFIED));
  EXPECT_FALSE(from_proto(static_cast<v1::Status>(5)));
  EXPECT_EQ(*reason_from_proto(14), Reason::config);
  EXPECT_FALSE(reason_from_proto(15));
  EXPECT_EQ(*phase_from_proto(7), Phase::query);
  EXPECT_FALSE(phase_from_proto(8));
}

TEST(WireObservation, ArrivesAsItWasSent) {
  Observation observation = an_observation();
  observation.phases = {{Phase::resolve, microseconds(3)}, {Phase::connect, milliseconds(6)}};
  const auto back = from_proto(to_proto(observation));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, observation);
}

TEST(WireObservation, SendingMendsWhatWouldBeRefused) {
  Observation observation = an_observation();
  observation.latency = microseconds(-5);
  observation.values = {{"Bad Name", 1}, {"x", std::numeric_limits<double>::infinity()}};
  for (int i = 0; i < 70; ++i) observation.values.push_back({"v" + std::to_string(i), 1});
  observation.evidence = "\xff" + std::string(3000, 'x');

  const auto back = from_proto(to_proto(observation));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->latency, Duration::zero());
  EXPECT_EQ(back->values.size(), limits::kValuesPerResultMax);
  EXPECT_EQ(back->evidence.size(), limits::kEvidenceBytesMax);
}

TEST(WireObservation, RefusesWhatBreaksARule) {
  struct Rule {
    const char* field;
    std::function<void(v1::Observation&)> spoil;
  };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Rule> rules = {
      {"Observation.status", [](auto& m) { m.clear_status(); }},
      {"Observation.reason", [](auto& m) { m.set_reason(15); }},
      {"Observation.phase", [](auto& m) { m.set_phase(8); }},
      {"Observation.latency_us", [](auto& m) { m.set_latency_us(-1); }},
      {"Observation.timing_us", [](auto& m) { m.add_timing_us(1); }},
      {"Observation.timing_us",
       [](auto& m) {
         m.add_timing_phases(1);
         m.add_timing_us(-1);
       }},
      {"Observation.timing_phases",
       [](auto& m) {
         m.add_timing_phases(9);
         m.add_timing_us(1);
       }},
      {"Observation.values.name", [](auto& m) { m.mutable_values(0)->set_name("A"); }},
      {"Observation.values.value", [&](auto& m) { m.mutable_values(0)->set_value(nan); }},
      {"Observation.values",
       [](auto& m) {
         while (m.values_size() < 65) *m.add_values() = m.values(0);
       }},
      {"Observation.evidence", [](auto& m) { m.set_evidence("\xc3"); }},
      {"Observation.evidence", [](auto& m) { m.set_evidence(std::string(1025, 'x')); }}};
  for (const Rule& rule : rules) {
    v1::Observation message = to_proto(an_observation());
    rule.spoil(message);
    const auto result = from_proto(message);
    ASSERT_FALSE(result) << rule.field;
    EXPECT_THAT(result.error().message, HasSubstr(rule.field));
  }
}

TEST(WireBatch, ArrivesAsItWasSent) {
  const auto back = from_proto(to_proto(a_batch()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, a_batch());
}

// Of a newer version. What is known is taken as it always was.
TEST(WireBatch, IgnoresFieldsThatItDoesNotKnow) {
  v1::ResultBatch message = to_proto(a_batch());
  v1::ResultBatch newer = message;
  newer.GetReflection()->MutableUnknownFields(&newer)->AddVarint(1000, 7);
  newer.GetReflection()->MutableUnknownFields(&newer)->AddLengthDelimited(1001, "more");
  ASSERT_TRUE(message.ParseFromString(newer.SerializeAsString()));

  const auto back = from_proto(message);

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, a_batch());
}

// Half of it would be a lie: the whole batch is refused.
TEST(WireBatch, RefusesNumbersThatItDoesNotKnow) {
  const auto refused = [](auto spoil) {
    v1::ResultBatch message = to_proto(a_batch());
    spoil(message);
    const auto back = from_proto(message);
    return back ? std::string("taken") : back.error().message;
  };

  EXPECT_THAT(refused([](auto& batch) { batch.set_status(1, static_cast<v1::Status>(9)); }),
              HasSubstr("ResultBatch.status[1]: is not a known status"));
  EXPECT_THAT(refused([](auto& batch) { batch.set_reason(2, 99); }),
              HasSubstr("ResultBatch.reason[2]: is not a known reason"));
  EXPECT_THAT(refused([](auto& batch) { batch.set_phase(0, 99); }),
              HasSubstr("ResultBatch.phase[0]: is not a known phase"));
}

TEST(WireBatch, RefusesWhatBreaksARule) {
  struct Rule {
    const char* field;
    std::function<void(v1::ResultBatch&)> spoil;
  };
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Rule> rules = {
      {"ResultBatch.first_seq", [](auto& m) { m.set_first_seq(0); }},
      {"ResultBatch.first_seq", [](auto& m) { m.set_first_seq(~std::uint64_t{0}); }},
      {"ResultBatch.sent_monotonic_us", [](auto& m) { m.set_sent_monotonic_us(-1); }},
      {"ResultBatch.dropped_before", [](auto& m) { m.set_dropped_before(~std::uint64_t{0}); }},
      {"ResultBatch.ref", [](auto& m) { m.Clear(), m.set_first_seq(1); }},
      {"ResultBatch.ref", [](auto& m) { m.mutable_ref()->Resize(1001, 0); }},
      {"ResultBatch.ref[2]", [](auto& m) { m.set_ref(2, 20000); }},
      {"ResultBatch.status", [](auto& m) { m.add_status(v1::STATUS_OK); }},
      {"ResultBatch.status[0]", [](auto& m) { m.set_status(0, v1::STATUS_UNSPECIFIED); }},
      {"ResultBatch.reason", [](auto& m) { m.clear_reason(); }},
      {"ResultBatch.reason[1]", [](auto& m) { m.set_reason(1, 99); }},
      {"ResultBatch.phase", [](auto& m) { m.add_phase(0); }},
      {"ResultBatch.phase[1]", [](auto& m) { m.set_phase(1, 99); }},
      {"ResultBatch.started_monotonic_us", [](auto& m) { m.clear_started_monotonic_us(); }},
      {"ResultBatch.started_monotonic_us[2]", [](auto& m) { m.set_started_monotonic_us(2, 9001); }},
      {"ResultBatch.latency_us", [](auto& m) { m.add_latency_us(1); }},
      {"ResultBatch.latency_us[0]", [](auto& m) { m.set_latency_us(0, -1); }},
      {"ResultBatch.confirmed", [](auto& m) { m.clear_confirmed(); }},
      {"ResultBatch.series.ref", [](auto& m) { m.mutable_series(0)->set_ref(20000); }},
      {"ProbeKey.probe", [](auto& m) { m.mutable_series(0)->mutable_key()->set_probe("A"); }},
      {"ResultBatch.value", [](auto& m) { m.add_value(1); }},
      {"ResultBatch.value_name", [](auto& m) { m.add_value_name(0); }},
      {"ResultBatch.value_row[3]", [](auto& m) { m.set_value_row(3, 3); }},
      {"ResultBatch.value_row[3]", [](auto& m) { m.set_value_row(3, 0); }},
      {"ResultBatch.value_row[",
       [](auto& m) {
         for (int i = 0; i < 64; ++i) m.add_value_row(2), m.add_value_name(0), m.add_value(1);
       }},
      {"ResultBatch.value_name[0]", [](auto& m) { m.set_value_name(0, 2); }},
      {"ResultBatch.value_names", [](auto& m) { m.set_value_names(0, "Not a name"); }},
      {"ResultBatch.value[1]", [&](auto& m) { m.set_value(1, nan); }},
      {"ResultBatch.evidence", [](auto& m) { m.add_evidence("x"); }},
      {"ResultBatch.evidence[0]", [](auto& m) { m.set_evidence(0, "\xff"); }},
      {"ResultBatch.evidence[0]", [](auto& m) { m.set_evidence(0, std::string(1025, 'x')); }},
      {"ResultBatch.evidence_row[1]", [](auto& m) { m.set_evidence_row(1, 3); }},
      {"ResultBatch.evidence_row[1]", [](auto& m) { m.set_evidence_row(1, 1); }}};
  for (const Rule& rule : rules) {
    v1::ResultBatch message = to_proto(a_batch());
    rule.spoil(message);
    const auto result = from_proto(message);
    ASSERT_FALSE(result) << rule.field;
    EXPECT_THAT(result.error().message, HasSubstr(rule.field));
  }
}

TEST(SeriesTable, KnowsWhatTheStreamDefined) {
  SeriesTable table;
  ASSERT_TRUE(table.apply(a_batch()));
  EXPECT_EQ(*table.find(1), a_key("queue"));
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_TRUE(table.apply(a_batch()));  // the same definition again says nothing new
}

TEST(SeriesTable, RefsMayBeDefinedInAnyOrder) {
  Batch sparse = a_batch();
  sparse.series = {{19999, a_key("queue")}};
  sparse.results.resize(1);
  sparse.results[0].ref = 19999;
  SeriesTable table;
  ASSERT_TRUE(table.apply(sparse));
  EXPECT_EQ(*table.find(19999), a_key("queue"));
  EXPECT_EQ(table.find(5), nullptr);
}

TEST(SeriesTable, RefusesOtherMeaningsAndUndefinedRefs) {
  Batch undefined = a_batch();
  undefined.series.pop_back();
  EXPECT_FALSE(SeriesTable().apply(undefined));

  SeriesTable table;
  ASSERT_TRUE(table.apply(a_batch()));
  Batch other = a_batch();
  other.series = {{0, a_key("other")}};
  EXPECT_FALSE(table.apply(other));
}

}  // namespace
}  // namespace firebreak::wire
