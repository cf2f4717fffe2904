// Probes of real servers, healthy and hurt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

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
using ::testing::Not;
using testing::PostgresServer;
using testing::RedisServer;
using testing::run;
using testing::secret_file;
using testing::TempDir;
using testing::value_of;

// Frozen, killed, back again: what an operator wants to tell apart.
template <class Server>
void expect_told_apart(Server& server, const KindSpec& kind, Phase frozen_in) {
  expect_ok(run(kind));

  server.freeze();
  expect_verdict(run(kind, kBrief), Status::critical, Reason::timeout, frozen_in);
  server.thaw();
  expect_ok(run(kind));

  server.kill();
  expect_verdict(run(kind), Status::critical, Reason::refused, Phase::connect);
  server.start();
  expect_ok(run(kind));
}

// --- Redis ---------------------------------------------------------------------------------------

RedisSpec spec_of(const RedisServer& server) {
  RedisSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  return spec;
}

QueueSpec list_of(const RedisSpec& redis, const std::string& key) {
  QueueSpec spec;
  spec.source = QueueSpec::RedisKey{redis, key};
  return spec;
}

TEST(RedisProbe, TellsFrozenKilledAndHealthyApart) {
  RedisServer server;

  expect_told_apart(server, spec_of(server), Phase::first_byte);
}

TEST(RedisProbe, AsksOverAUnixSocketToo) {
  const RedisServer server;
  RedisSpec spec;
  spec.host = server.socket();

  expect_ok(run(spec));
}

TEST(RedisProbe, PasswordIsNeededAndChecked) {
  const TempDir folder;
  const RedisServer server({"--requirepass", "right"});
  RedisSpec with_password = spec_of(server);
  with_password.password_file = secret_file(folder, "right");

  expect_verdict(run(spec_of(server)), Status::critical, Reason::auth, Phase::transfer);
  expect_ok(run(with_password));
  secret_file(folder, "wrong");
  expect_verdict(run(with_password), Status::critical, Reason::auth, Phase::transfer);
}

TEST(RedisProbe, AclUserIsUsed) {
  const TempDir folder;
  const RedisServer server;
  server.cli({"ACL", "SETUSER", "probe", "on", ">right", "+ping"});
  RedisSpec spec = spec_of(server);
  spec.username = "probe";
  spec.password_file = secret_file(folder, "right");

  expect_ok(run(spec));
  expect_verdict(run(list_of(spec, "jobs")), Status::critical, Reason::auth, Phase::transfer);
}

TEST(RedisProbe, ReplicaWithoutItsMasterIsNotHealthy) {
  const RedisServer server({"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"});

  const Observation result = run(spec_of(server));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("MASTERDOWN"));
}

TEST(QueueProbe, CountsAListOfRedis) {
  const RedisServer server;
  server.cli({"RPUSH", "jobs", "a", "b", "c"});
  server.cli({"SET", "text", "x"});
  QueueSpec spec = list_of(spec_of(server), "jobs");
  spec.critical = 2;

  const Observation result = run(spec);

  expect_verdict(result, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_EQ(value_of(result, "length"), 3);
  EXPECT_EQ(value_of(run(list_of(spec_of(server), "nothing")), "length"), 0);
  expect_verdict(run(list_of(spec_of(server), "text")), Status::critical, Reason::protocol,
                 Phase::transfer);
}

// --- PostgreSQL ----------------------------------------------------------------------------------

PostgresSpec spec_of(const PostgresServer& server, const std::string& query = "") {
  PostgresSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  spec.query = query;
  return spec;
}

class PostgresProbe : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<PostgresServer>("right"); }
  static void TearDownTestSuite() { server_.reset(); }

  PostgresSpec query(const std::string& text) {
    PostgresSpec spec = spec_of(*server_, text);
    spec.password_file = secret_file(folder_, "right");
    return spec;
  }

  static std::unique_ptr<PostgresServer> server_;  // initdb takes longer than all the tests
  TempDir folder_;
};

std::unique_ptr<PostgresServer> PostgresProbe::server_;

TEST_F(PostgresProbe, TellsFrozenKilledAndHealthyApartWithoutAPassword) {
  expect_told_apart(*server_, spec_of(*server_), Phase::first_byte);
}

TEST_F(PostgresProbe, QueryTellsThemApartToo) {
  expect_told_apart(*server_, query("SELECT 1"), Phase::tls);  // what it asks first is TLS
}

TEST_F(PostgresProbe, QueryYieldsItsFirstValue) {
  PostgresSpec spec = query("SELECT n, 'x' FROM generate_series(7, 9) AS n ORDER BY n");
  spec.expect = "value == 7 && rows == 3 && latency < 30s";

  const Observation result = run(spec);

  expect_ok(result);
  EXPECT_EQ(value_of(result, "value"), 7);
}

TEST_F(PostgresProbe, TextAndNullAreNoNumbers) {
  PostgresSpec text = query("SELECT '7'::text");
  text.expect = "value == '7'";
  PostgresSpec null = query("SELECT NULL::int");
  null.expect = "value == null";
  PostgresSpec none = query("SELECT 1 WHERE false");
  none.expect = "rows == 0";

  for (const PostgresSpec& spec : {text, null, none}) {
    const Observation result = run(spec);
    expect_ok(result);
    EXPECT_TRUE(result.values.empty());
  }
}

TEST_F(PostgresProbe, UnmetExpectationShowsTheValue) {
  PostgresSpec spec = query("SELECT 1.5");
  spec.expect = "value > 2.0";

  const Observation result = run(spec);

  expect_verdict(result, Status::critical, Reason::body, Phase::query);
  EXPECT_EQ(result.evidence, "'value > 2.0' is false: 1.5");
}

TEST_F(PostgresProbe, AsksOverAUnixSocketToo) {
  PostgresSpec ready = spec_of(*server_);
  ready.host = server_->socket_folder();
  PostgresSpec asking = spec_of(*server_, "SELECT 1");
  asking.host = server_->socket_folder();

  expect_ok(run(ready));
  expect_ok(run(asking));
}

TEST_F(PostgresProbe, WrongPasswordIsAuth) {
  PostgresSpec spec = query("SELECT 1");
  secret_file(folder_, "wrong-password");

  const Observation wrong = run(spec);
  const Observation none = run(spec_of(*server_, "SELECT 1"));

  expect_verdict(wrong, Status::critical, Reason::auth, Phase::first_byte);
  EXPECT_THAT(wrong.evidence, HasSubstr("28P01"));
  EXPECT_THAT(wrong.evidence, Not(HasSubstr("wrong-password")));
  expect_verdict(none, Status::critical, Reason::auth, Phase::first_byte);
}

TEST_F(PostgresProbe, MissingThingsAreMissing) {
  PostgresSpec database = query("SELECT 1");
  database.database = "nowhere";

  expect_verdict(run(database), Status::critical, Reason::missing, Phase::first_byte);
  expect_verdict(run(query("SELECT * FROM nothing")), Status::critical, Reason::missing,
                 Phase::query);
}

TEST_F(PostgresProbe, WrongQueryIsOurFault) {
  for (const char* text : {"SELEC 1", "SELECT 1; SELECT 2", "CREATE TABLE t (n int)",
                           "COPY (SELECT 1) TO STDOUT", " ", "SELECT 1; COMMIT"}) {
    SCOPED_TRACE(text);
    expect_verdict(run(query(text)), Status::unknown, Reason::config, Phase::query);
  }
}

TEST_F(PostgresProbe, EndlessAnswerIsCutOff) {
  for (const char* text : {"SELECT repeat('x', 1000), generate_series(1, 100000000)",
                           "SELECT repeat('x', 50000000)"}) {
    SCOPED_TRACE(text);
    expect_verdict(run(query(text)), Status::unknown, Reason::config, Phase::query);
  }
}

TEST_F(PostgresProbe, SlowQueryIsATimeoutAndDoesNotGoOn) {
  const Observation result = run(query("SELECT pg_sleep(600)"), std::chrono::milliseconds(500));

  EXPECT_EQ(result.status, Status::critical) << result.evidence;
  EXPECT_EQ(result.reason, Reason::timeout) << result.evidence;
  const std::string running =
      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' "
      "AND "
      "pid <> pg_backend_pid()";
  while (server_->sql(running) != "0\n") {  // the server's own limit ends it, no cancel of ours
  }
}

TEST_F(PostgresProbe, ServerWithoutTlsFailsWhenTlsIsRequired) {
  PostgresSpec spec = query("SELECT 1");
  spec.sslmode = "require";

  expect_verdict(run(spec), Status::critical, Reason::tls, Phase::tls);
}

TEST_F(PostgresProbe, QueueIsCountedByAQuery) {
  QueueSpec spec;
  spec.source = QueueSpec::SqlCount{query("SELECT count(*) FROM generate_series(1, 12)")};
  spec.warning = 10;
  QueueSpec missing;
  missing.source = QueueSpec::SqlCount{query("SELECT 1 WHERE false")};

  const Observation result = run(spec);

  expect_verdict(result, Status::warning, Reason::threshold, Phase::query);
  EXPECT_EQ(value_of(result, "length"), 12);
  expect_verdict(run(missing), Status::critical, Reason::missing, Phase::query);
}

// --- nginx ---------------------------------------------------------------------------------------

HttpSpec get(const std::string& url) {
  HttpSpec spec;
  spec.url = url;
  return spec;
}

TEST(HttpProbe, TellsFrozenKilledAndHealthyApart) {
  NginxServer server("location = /health { return 200 '{\"ok\": true}'; }");
  HttpSpec spec = get(server.url("/health"));
  spec.expect = "body.ok";

  expect_told_apart(server, spec, Phase::first_byte);
}

TEST(HttpProbe, SeesWhatTheServerSays) {
  const NginxServer server("location = /health { return 503 'database is gone'; }");
  server.write("file.txt", "alive and well");
  HttpSpec file = get(server.url("/file.txt"));
  file.contains = "and well";

  const Observation down = run(get(server.url("/health")));
  const Observation missing = run(get(server.url("/nothing")));

  expect_verdict(down, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(down.evidence, "HTTP 503 Service Temporarily Unavailable: database is gone");
  expect_verdict(missing, Status::critical, Reason::status, Phase::transfer);
  expect_ok(run(file));
}

TEST(HttpProbe, ReadsChunkedAnswersOfARealServer) {
  const NginxServer server("location / { ssi on; ssi_types text/plain; }");
  server.write("long.txt", std::string(50000, 'a') + "end");
  HttpSpec spec = get(server.url("/long.txt"));
  spec.expect = "headers['transfer-encoding'] == 'chunked' && text.endsWith('aend')";

  expect_ok(run(spec));
}

TEST(HttpProbe, FollowsARealRedirect) {
  const NginxServer server("location = /old { return 301 /new; } location = /new { return 204; }");
  HttpSpec spec = get(server.url("/old"));
  spec.max_redirects = 1;

  const Observation result = run(spec);

  expect_ok(result);
  EXPECT_EQ(value_of(result, "status"), 204);
}

TEST(HttpProbe, VerifiesARealCertificate) {
  const TempDir folder;
  const WallTime now = SystemClock().wall();
  ASSERT_TRUE(pki::init_ca(folder.path(), "prod", now));
  const pki::IssueRequest request{pki::Role::coordinator, "web", {"127.0.0.1", "localhost"}, 30};
  const auto pair = pki::issue(folder.path(), request, now);
  ASSERT_TRUE(pair) << pair.error().message;
  NginxServer server("location / { return 200 ok; }", pair->certificate, pair->key);
  HttpSpec known = get("https://127.0.0.1:" + std::to_string(server.tls_port()) + "/");
  known.tls.ca_file = folder / "ca.crt";
  HttpSpec other = known;
  other.tls.server_name = "api.example.com";
  HttpSpec stranger = known;
  stranger.tls.ca_file.clear();

  expect_ok(run(known));
  expect_verdict(run(other), Status::critical, Reason::tls, Phase::tls);
  expect_verdict(run(stranger), Status::critical, Reason::tls, Phase::tls);
  server.freeze();
  expect_verdict(run(known, kBrief), Status::critical, Reason::timeout, Phase::tls);
}

TEST(HttpProbe, ShowsItsCertificateToAServerThatWantsOne) {
  const TempDir folder;
  const WallTime now = SystemClock().wall();
  ASSERT_TRUE(pki::init_ca(folder.path(), "prod", now));
  const auto server_pair =
      pki::issue(folder.path(), {pki::Role::coordinator, "web", {"127.0.0.1"}, 30}, now);
  const auto pair = pki::issue(folder.path(), {pki::Role::agent, "prober", {}, 30}, now);
  ASSERT_TRUE(server_pair && pair);
  const NginxServer server("ssl_client_certificate " + (folder / "ca.crt") +
                               "; ssl_verify_client on; ssl_protocols TLSv1.2;\n"
                               "location / { return 200 $ssl_client_s_dn; }",
                           server_pair->certificate, server_pair->key);
  HttpSpec nobody = get("https://127.0.0.1:" + std::to_string(server.tls_port()) + "/");
  nobody.tls.ca_file = folder / "ca.crt";
  HttpSpec known = nobody;
  known.tls.certificate_file = pair->certificate;
  known.tls.key_file = pair->key;
  known.contains = "prober";
  HttpSpec mixed = known;
  mixed.tls.key_file = server_pair->key;

  const Observation result = run(known);

  expect_ok(result);
  EXPECT_EQ(value_of(result, "tls_version"), 1.2);
  expect_verdict(run(nobody), Status::critical, Reason::status, Phase::transfer);  // nginx says 400
  expect_verdict(run(mixed), Status::unknown, Reason::config, Phase::tls);
}

TEST(HttpProbe, AsksThroughAUnixSocket) {
  const TempDir folder;
  const std::string socket = folder / "web.sock";
  NginxServer server("listen unix:" + socket +
                     "; location = /host { return 200 $http_host; }\n"
                     "location = /here { return 302 /host; }\n"
                     "location = /away { return 302 http://127.0.0.1:1/; }");
  HttpSpec spec = get("http://shop.example/host");
  spec.unix_socket = socket;
  spec.contains = "shop.example";
  HttpSpec here = spec;
  here.url = "http://shop.example/here";
  here.max_redirects = 1;
  HttpSpec away = here;
  away.url = "http://shop.example/away";

  expect_ok(run(spec));
  expect_ok(run(here));
  const Observation refused = run(away);
  expect_verdict(refused, Status::critical, Reason::status, Phase::transfer);
  EXPECT_NE(refused.evidence.find("leads off the socket"), std::string::npos) << refused.evidence;
  server.kill();
  expect_verdict(run(spec), Status::critical, Reason::refused, Phase::connect);
}

TEST(HttpProbe, UnpacksWhatARealServerPacks) {
  const NginxServer server("gzip on; gzip_types text/plain; gzip_min_length 1;");
  server.write("long.txt", std::string(50000, 'a') + "end");
  HttpSpec spec = get(server.url("/long.txt"));
  spec.headers = {{"Accept-Encoding", "gzip"}};
  spec.expect = "headers['content-encoding'] == 'gzip' && text.endsWith('aend')";

  expect_ok(run(spec));
}

TEST(HttpProbe, CountsAQueueInJson) {
  const NginxServer server("location = /queue { return 200 '{\"jobs\": {\"waiting\": 11}}'; }");
  QueueSpec spec;
  spec.source = QueueSpec::HttpJson{get(server.url("/queue")), "body.jobs.waiting"};
  spec.critical = 10;

  const Observation result = run(spec);

  expect_verdict(result, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_EQ(value_of(result, "length"), 11);
}

}  // namespace
}  // namespace firebreak
