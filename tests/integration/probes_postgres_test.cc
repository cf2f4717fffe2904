// Probes of real PostgreSQL servers and of a real pgbouncer: what they tell about themselves, in
// each state that pg_isready knows, through TLS, as primary and as standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/integration/run.h"
#include "tests/support/files.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace probes_postgres_test {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::kBrief;
using ::testing::Not;
using testing::PgbouncerServer;
using testing::PostgresServer;
using testing::run;
using testing::secret_file;
using testing::TempDir;
using testing::value_of;

PostgresSpec to_server(const PostgresServer& server) {
  PostgresSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  return spec;
}

PostgresSpec informed(const PostgresServer& server, const std::string& role = "") {
  PostgresSpec spec = to_server(server);
  spec.info = true;
  spec.role = role;
  return spec;
}

// A client of the server, for as long as the object lives.
class Client {
 public:
  explicit Client(const std::string& parameters)
      : session_(PQconnectdb(parameters.c_str()), PQfinish) {
    EXPECT_EQ(PQstatus(session_.get()), CONNECTION_OK) << PQerrorMessage(session_.get());
  }
  explicit Client(const PostgresServer& server)
      : Client("host=127.0.0.1 dbname=postgres user=firebreak port=" +
               std::to_string(server.port())) {}
  void run(const char* statement) const { PQclear(PQexec(session_.get(), statement)); }
  // Does not wait for its end.
  void begin(const char* statement) const { PQsendQuery(session_.get(), statement); }

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> session_;
};

// Asks until it is so: the server gets there by itself.
Observation await(const KindSpec& kind, const std::function<bool(const Observation&)>& is_so) {
  for (;;) {
    Observation result = run(kind);
    if (is_so(result)) return result;
  }
}

bool has(const Observation& result, const std::string& name) {
  for (const NamedValue& value : result.values)
    if (value.name == name) return true;
  return false;
}

// With so many sessions: those that have ended may still be counted.
Observation settled(const PostgresSpec& spec, double connections) {
  return await(spec, [connections](const Observation& seen) {
    return has(seen, "connections") && value_of(seen, "connections") == connections;
  });
}

// pg_isready's exit code: 0 accepting, 1 rejecting, 2 no response, 3 no attempt.
int pg_isready(std::uint16_t port, const std::string& timeout = "10") {
  const std::string code = testing::run_program(
      {"sh", "-c",
       "/usr/lib/postgresql/15/bin/pg_isready -q -h 127.0.0.1 -p \"$1\" -t \"$2\"; echo $?", "sh",
       std::to_string(port), timeout});
  return std::stoi(code);
}

int code_of(const Observation& result) {
  if (result.status == Status::ok) return 0;
  if (result.status == Status::unknown) return 3;
  return result.reason == Reason::status ? 1 : 2;
}

// --- The states that pg_isready knows ------------------------------------------------------------

TEST(PostgresStates, AcceptingSilentAndGone) {
  PostgresServer server;
  const PostgresSpec spec = to_server(server);

  EXPECT_EQ(code_of(run(spec)), pg_isready(server.port()));
  EXPECT_EQ(pg_isready(server.port()), 0);

  server.freeze();
  EXPECT_EQ(code_of(run(spec, kBrief)), pg_isready(server.port(), "1"));
  server.thaw();

  server.kill();
  EXPECT_EQ(code_of(run(spec)), pg_isready(server.port()));
  expect_verdict(run(informed(server)), Status::critical, Reason::refused, Phase::connect);
}

TEST(PostgresStates, StartingUpIsRejecting) {
  const PostgresServer primary;
  // It waits for ever for a segment of its archive, before it is consistent.
  const PostgresServer server(PostgresServer::Standby{primary, true},
                              {"-c", "restore_command=sleep 3600"});

  const Observation result = await(to_server(server), [](const Observation& seen) {
    return seen.reason != Reason::reset;  // it listens before it can fork
  });

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("starting up"));
  EXPECT_EQ(pg_isready(server.port()), 1);
  const Observation asked = run(informed(server, "standby"));
  expect_verdict(asked, Status::critical, Reason::status, Phase::first_byte);
  EXPECT_THAT(asked.evidence, HasSubstr("57P03"));
}

TEST(PostgresStates, ShuttingDownIsRejecting) {
  const PostgresServer server;
  const Client client(server);  // whom it waits for
  server.ask_to_stop();

  const Observation result =
      await(to_server(server), [](const Observation& seen) { return seen.status != Status::ok; });

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("shutting down"));
  EXPECT_EQ(pg_isready(server.port()), 1);
  EXPECT_THAT(run(informed(server)).evidence, HasSubstr("shutting down"));
}

TEST(PostgresStates, FullIsAcceptingWithAWarning) {
  const PostgresServer server("", {"-c", "max_connections=4"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(std::make_unique<Client>(server));

  const Observation result = run(to_server(server));

  expect_verdict(result, Status::warning, Reason::status, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("none is left: sorry, too many clients"));
  EXPECT_EQ(pg_isready(server.port()), 0);  // whoever says so is there
  const Observation asked = run(informed(server));
  expect_verdict(asked, Status::critical, Reason::status, Phase::first_byte);
  EXPECT_THAT(asked.evidence, HasSubstr("53300"));
}

TEST(PostgresStates, WithAPasswordItStillAcceptsWhoHasNone) {
  const TempDir folder;
  const PostgresServer server("right");
  PostgresSpec right = informed(server, "primary");
  right.password_file = secret_file(folder, "right");

  EXPECT_EQ(code_of(run(to_server(server))), pg_isready(server.port()));
  expect_verdict(run(informed(server)), Status::critical, Reason::auth, Phase::first_byte);
  expect_ok(run(right));
  secret_file(folder, "wrong");
  expect_verdict(run(right), Status::critical, Reason::auth, Phase::first_byte);
}

// --- What it tells about itself ------------------------------------------------------------------

TEST(PostgresAboutItself, SessionsAreCountedAsItCountsThem) {
  const PostgresServer server("", {"-c", "superuser_reserved_connections=4"});
  server.sql("CREATE TABLE t (n int)");
  const Client holder(server);
  const Client waiter(server);
  holder.run("BEGIN");
  holder.run("LOCK TABLE t");
  waiter.begin("SELECT * FROM t");

  const Observation result = await(informed(server, "primary"), [](const Observation& seen) {
    return value_of(seen, "locks_waiting") == 1 && value_of(seen, "connections") == 3;  // with ours
  });

  expect_ok(result);
  EXPECT_EQ(value_of(result, "connections_max"), 20);
  EXPECT_EQ(value_of(result, "connections_share"), 3 * 100.0 / 16);
  EXPECT_EQ(value_of(result, "connections_active"), 1);
  EXPECT_EQ(value_of(result, "connections_idle_in_transaction"), 1);
  EXPECT_GT(value_of(result, "longest_query"), 0);
  EXPECT_GT(value_of(result, "longest_transaction"), value_of(result, "longest_query"));
  EXPECT_EQ(value_of(result, "connected_replicas"), 0);
  EXPECT_FALSE(has(result, "replication_lag"));
  EXPECT_EQ(result.evidence, "");
}

TEST(PostgresAboutItself, OurOwnQueryIsNoLongOne) {
  const PostgresServer server;

  const Observation result = settled(informed(server), 1);

  expect_ok(result);
  for (const char* name : {"connections_active", "longest_query", "longest_transaction"})
    EXPECT_EQ(value_of(result, name), 0) << name;
  const Observation wrong = run(informed(server, "standby"));
  expect_verdict(wrong, Status::critical, Reason::status, Phase::query);
  EXPECT_EQ(wrong.evidence, "it is a primary, not a standby");
  EXPECT_TRUE(has(wrong, "connections"));
}

TEST(PostgresAboutItself, WhatAUserMayNotSeeIsNotZero) {
  const PostgresServer server;
  server.sql("CREATE ROLE low LOGIN");
  const Client other(server);
  PostgresSpec spec = informed(server);
  spec.user = "low";

  const Observation low = run(spec);
  expect_ok(low);
  EXPECT_THAT(low.evidence, HasSubstr("pg_monitor"));
  EXPECT_FALSE(has(low, "connections"));
  EXPECT_FALSE(has(low, "longest_query"));
  EXPECT_EQ(value_of(low, "connections_max"), 20);

  server.sql("GRANT pg_monitor TO low");
  EXPECT_EQ(settled(spec, 2).evidence, "");

  server.sql("ALTER ROLE firebreak SET track_activities = off");
  const Client untracked(server);
  const Observation blind = settled(spec, 3);
  EXPECT_THAT(blind.evidence, HasSubstr("track_activities"));
  EXPECT_FALSE(has(blind, "connections_active"));
}

TEST(PostgresAboutItself, BesideAQueryAndAQueue) {
  const PostgresServer server;
  PostgresSpec spec = informed(server, "primary");
  spec.query = "SELECT 7";
  spec.expect = "value == 7 && rows == 1";

  const Observation result = run(spec);
  expect_ok(result);
  ASSERT_FALSE(result.values.empty());
  EXPECT_EQ(result.values.front().name, "value");
  EXPECT_TRUE(has(result, "connections"));

  QueueSpec queue;
  queue.source = QueueSpec::SqlCount{spec};
  EXPECT_EQ(value_of(run(queue), "length"), 7);
  EXPECT_TRUE(has(run(queue), "connections"));
  spec.role = "standby";
  queue.source = QueueSpec::SqlCount{spec};
  expect_verdict(run(queue), Status::critical, Reason::status, Phase::query);
}

// --- A standby -----------------------------------------------------------------------------------

class PostgresStandby : public ::testing::Test {
 protected:
  static bool is_told(const Observation& seen) { return has(seen, "replication_lag"); }
  static double lag(const Observation& seen) {
    return is_told(seen) ? value_of(seen, "replication_lag") : -1;
  }
  // A transaction that it has replayed.
  void replay_one() const {
    primary_.sql("CREATE TABLE seen ()");
    while (standby_.sql("SELECT to_regclass('seen') IS NULL") == "t\n") {
    }
  }

  PostgresServer primary_;
  PostgresServer standby_{PostgresServer::Standby{primary_}};
};

TEST_F(PostgresStandby, ThatHasReplayedAllHasNoLagHoweverIdleItsPrimaryIs) {
  replay_one();

  const Observation result =
      await(informed(standby_, "standby"), [](const Observation& seen) { return lag(seen) == 0; });

  expect_ok(result);
  EXPECT_EQ(value_of(result, "replication_lag_bytes"), 0);
  EXPECT_EQ(standby_.sql("SELECT now() - pg_last_xact_replay_timestamp() > '0'"), "t\n");
  const Observation primary = await(informed(primary_, "primary"), is_told);
  EXPECT_EQ(value_of(primary, "connected_replicas"), 1);
  expect_verdict(run(informed(standby_, "primary")), Status::critical, Reason::status,
                 Phase::query);
}

TEST_F(PostgresStandby, ThatStopsReplayingLags) {
  replay_one();
  standby_.sql("SELECT pg_wal_replay_pause()");
  primary_.sql("CREATE TABLE more AS SELECT generate_series(1, 10000)");

  const Observation behind = await(informed(standby_), [](const Observation& seen) {
    return has(seen, "replication_lag_bytes") && value_of(seen, "replication_lag_bytes") > 100000;
  });
  EXPECT_GT(value_of(behind, "replication_lag"), 0);
  EXPECT_GT(value_of(run(informed(standby_)), "replication_lag"),
            value_of(behind, "replication_lag"));
  // What its primary sees of it.
  const Observation seen = await(informed(primary_), [](const Observation& one) {
    return has(one, "replication_lag_bytes") && value_of(one, "replication_lag_bytes") > 100000;
  });
  EXPECT_EQ(value_of(seen, "connected_replicas"), 1);
  EXPECT_NE(lag(seen), 0) << "not known, or long";

  standby_.sql("SELECT pg_wal_replay_resume()");
  await(informed(standby_), [](const Observation& one) { return lag(one) == 0; });
}

TEST_F(PostgresStandby, WithoutItsPrimaryIsCriticalAndPromotedIsAPrimary) {
  primary_.kill();

  const Observation alone = await(informed(standby_, "standby"), [](const Observation& seen) {
    return seen.status != Status::ok;
  });
  expect_verdict(alone, Status::critical, Reason::status, Phase::query);
  EXPECT_THAT(alone.evidence, HasSubstr("no WAL receiver is connected"));
  EXPECT_FALSE(has(alone, "replication_lag"));
  EXPECT_TRUE(has(alone, "connections"));
  expect_ok(run(to_server(standby_)));  // readiness alone does not see it

  EXPECT_EQ(standby_.sql("SELECT pg_promote()"), "t\n");
  const Observation promoted = await(informed(standby_, "primary"), [](const Observation& seen) {
    return seen.status == Status::ok;
  });
  EXPECT_EQ(value_of(promoted, "connected_replicas"), 0);
}

// --- TLS -----------------------------------------------------------------------------------------

class PostgresTls : public ::testing::Test {
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
    testing::write_file(folder_ / "hba",
                        "local all all trust\nhostssl all low 127.0.0.1/32 trust\n"
                        "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n");
    // Readable for the user that runs PostgreSQL when we are root.
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    if (::geteuid() != 0) return;
    const passwd* const postgres = ::getpwnam("postgres");
    ASSERT_NE(postgres, nullptr);
    for (const std::string& file :
         {server_.key, server_.certificate, folder_ / "ca.crt", folder_ / "hba"})
      ASSERT_EQ(::chown(file.c_str(), postgres->pw_uid, postgres->pw_gid), 0);
  }
  std::vector<std::string> options() const {
    return {"-c", "ssl=on",
            "-c", "ssl_cert_file=" + server_.certificate,
            "-c", "ssl_key_file=" + server_.key,
            "-c", "ssl_ca_file=" + (folder_ / "ca.crt"),
            "-c", "hba_file=" + (folder_ / "hba")};
  }
  PostgresSpec trusting(const PostgresServer& server) const {
    PostgresSpec spec = informed(server);
    spec.user = "low";
    spec.sslmode = "verify-full";
    spec.tls_ca_file = folder_ / "ca.crt";
    return spec;
  }

  TempDir folder_;
  pki::KeyPairFiles server_;
  pki::KeyPairFiles client_;
};

TEST_F(PostgresTls, CertificateIsVerified) {
  const PostgresServer server("", options());
  server.sql("CREATE ROLE low LOGIN");
  PostgresSpec stranger = trusting(server);
  stranger.tls_ca_file.clear();
  PostgresSpec other = trusting(server);
  other.host = "localhost.localdomain";
  ProberOptions options;
  options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"127.0.0.1"};
  };

  expect_ok(run(trusting(server)));
  expect_verdict(run(stranger), Status::critical, Reason::tls, Phase::tls);
  const Observation wrong_name = testing::run_with(options, other);
  expect_verdict(wrong_name, Status::critical, Reason::tls, Phase::tls);
  EXPECT_THAT(wrong_name.evidence, HasSubstr("localhost.localdomain"));
}

TEST_F(PostgresTls, ClientsShowTheirCertificate) {
  const PostgresServer server("", options());
  PostgresSpec hidden = trusting(server);
  hidden.user = "firebreak";
  PostgresSpec shown = hidden;
  shown.tls_certificate_file = client_.certificate;
  shown.tls_key_file = client_.key;
  PostgresSpec mixed = shown;
  mixed.tls_certificate_file = server_.certificate;

  expect_ok(run(shown));
  const Observation refused = run(hidden);
  EXPECT_EQ(refused.status, Status::critical) << refused.evidence;
  EXPECT_EQ(refused.reason, Reason::auth) << refused.evidence;
  EXPECT_THAT(refused.evidence, HasSubstr("valid client certificate"));
  const Observation mismatch = run(mixed);
  EXPECT_EQ(mismatch.status, Status::unknown) << mismatch.evidence;
  EXPECT_EQ(mismatch.reason, Reason::config) << mismatch.evidence;
}

// --- pgbouncer -----------------------------------------------------------------------------------

class PgbouncerProbe : public ::testing::Test {
 protected:
  PgbouncerSpec spec() {
    PgbouncerSpec spec;
    spec.server.host = "127.0.0.1";
    spec.server.port = pgbouncer_.port();
    spec.server.password_file = secret_file(folder_, "right");
    return spec;
  }
  std::string shop() const {
    return "host=127.0.0.1 dbname=shop user=firebreak password=right port=" +
           std::to_string(pgbouncer_.port());
  }

  PostgresServer server_;
  PgbouncerServer pgbouncer_{server_};
  TempDir folder_;
};

TEST_F(PgbouncerProbe, AWaitingClientIsSeen) {
  const Client first(shop());
  first.run("SELECT 1");
  const Client second(shop());
  second.begin("SELECT 1");

  const Observation result = await(spec(), [](const Observation& seen) {
    return seen.status != Status::ok || value_of(seen, "maxwait") > 0;
  });

  expect_ok(result);
  EXPECT_EQ(value_of(result, "clients_active"), 1);
  EXPECT_EQ(value_of(result, "clients_waiting"), 1);
  EXPECT_EQ(value_of(result, "servers_active"), 1);
  EXPECT_EQ(value_of(result, "servers_idle"), 0);
  EXPECT_EQ(value_of(result, "pools"), 1);
  PgbouncerSpec one = spec();
  one.pool = "shop";
  EXPECT_EQ(value_of(run(one), "clients_waiting"), 1);
  one.pool = "mail";
  expect_verdict(run(one), Status::critical, Reason::missing, Phase::query);
}

TEST_F(PgbouncerProbe, WithoutClientsThereAreNoPools) {
  const Observation result = run(spec());

  expect_ok(result);
  EXPECT_EQ(result.values.size(), pgbouncer_values().size());
  for (const NamedValue& value : result.values) EXPECT_EQ(value.value, 0) << value.name;
}

TEST_F(PgbouncerProbe, RefusalsHaveReasons) {
  PgbouncerSpec not_allowed = spec();
  not_allowed.server.user = "nobody";
  PgbouncerSpec unknown = spec();
  unknown.server.user = "stranger";
  PgbouncerSpec without = spec();
  without.server.password_file.clear();
  PgbouncerSpec no_pgbouncer = spec();
  no_pgbouncer.server.port = server_.port();

  for (const PgbouncerSpec& refused : {not_allowed, unknown, without})
    expect_verdict(run(refused), Status::critical, Reason::auth, Phase::first_byte);
  expect_verdict(run(no_pgbouncer), Status::critical, Reason::missing, Phase::first_byte);
  secret_file(folder_, "wrong");
  expect_verdict(run(not_allowed), Status::critical, Reason::auth, Phase::first_byte);
}

TEST_F(PgbouncerProbe, FrozenAndKilledAreToldApart) {
  expect_ok(run(spec()));
  pgbouncer_.freeze();
  expect_verdict(run(spec(), kBrief), Status::critical, Reason::timeout, Phase::tls);
  pgbouncer_.thaw();
  expect_ok(run(spec()));
  pgbouncer_.kill();
  expect_verdict(run(spec()), Status::critical, Reason::refused, Phase::connect);
  pgbouncer_.start();
  expect_ok(run(spec()));
}

TEST_F(PgbouncerProbe, AQuestionToTheServerBehindItPassesThrough) {
  PostgresSpec behind;
  behind.host = "127.0.0.1";
  behind.port = pgbouncer_.port();
  behind.database = "shop";
  behind.password_file = secret_file(folder_, "right");
  behind.role = "primary";
  behind.query = "SELECT 1";

  expect_ok(run(behind));
}

}  // namespace probes_postgres_test
}  // namespace firebreak
