// The readiness check, and queries, against servers that are none.
#include "probes/postgres.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/probes/postgres_bytes.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using namespace std::string_literals;
using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::postgres_error;
using testing::postgres_message;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::time_out;

class Postgres : public ::testing::Test {
 protected:
  Observation ask(const std::string& reply, Script::End end = Script::End::close,
                  const std::string& query = "") {
    const ScriptedServer server(io_, {{{{"", reply}}, end}});
    return run_probe(io_, spec_of(server, query));
  }
  static PostgresSpec spec_of(const ScriptedServer& server, const std::string& query) {
    PostgresSpec spec;
    spec.host = "127.0.0.1";
    spec.port = server.port();
    spec.query = query;
    return spec;
  }

  boost::asio::io_context io_;
};

TEST_F(Postgres, AskingForCredentialsIsOk) {
  expect_ok(ask(postgres_message('R', "\0\0\0\5salt"s)));
}

TEST_F(Postgres, StartingUpIsRejecting) {
  const Observation result = ask(postgres_error("57P03", "the database system is starting up"));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence, "rejecting connections: the database system is starting up");
}

TEST_F(Postgres, OtherErrorsShowThatItIsThere) {
  const Observation result = ask(postgres_error("28000", "no entry"));

  expect_ok(result);
  EXPECT_EQ(result.evidence, "accepting connections, though not ours: no entry");
}

TEST_F(Postgres, OtherProtocolsAreNotPostgres) {
  expect_verdict(ask("HTTP/1.1 400 Bad Request\r\n\r\n"), Status::critical, Reason::protocol,
                 Phase::transfer);
}

TEST_F(Postgres, EndlessNoticesAreCutOff) {
  const std::string notice = postgres_message('N', std::string(1000, 'x'));
  std::string many;
  for (int i = 0; i < 100; ++i) many += notice;

  expect_verdict(ask(many, Script::End::hold), Status::critical, Reason::protocol, Phase::transfer);
}

TEST_F(Postgres, ClosedConnectionIsAReset) {
  expect_verdict(ask(""), Status::critical, Reason::reset, Phase::first_byte);
  expect_verdict(ask("E\0\0"s), Status::critical, Reason::reset, Phase::transfer);
}

TEST_F(Postgres, SilenceIsATimeout) {
  const ScriptedServer silent(io_, {{{{"", ""}}, Script::End::hold}});

  expect_verdict(time_out(io_, spec_of(silent, "")), Status::critical, Reason::timeout,
                 Phase::first_byte);
  expect_verdict(time_out(io_, spec_of(silent, "SELECT 1")), Status::critical, Reason::timeout,
                 Phase::tls);
}

TEST_F(Postgres, QueryAtAnotherProtocolFails) {
  expect_verdict(ask("HTTP/1.1 400 Bad Request\r\n\r\n", Script::End::hold, "SELECT 1"),
                 Status::critical, Reason::tls, Phase::tls);
}

TEST_F(Postgres, QueryAtAClosedPortIsRefused) {
  PostgresSpec spec;
  spec.host = "127.0.0.1";
  spec.query = "SELECT 1";
  {
    const ScriptedServer server(io_, {Script{}});
    spec.port = server.port();
  }

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::critical, Reason::refused, Phase::connect);
  EXPECT_THAT(result.evidence, HasSubstr("Connection refused"));
}

TEST_F(Postgres, WhatIsAskedAboutItselfNeedsASession) {
  PostgresSpec informed;
  informed.info = true;
  PostgresSpec standby;
  standby.role = "standby";
  for (PostgresSpec spec : {informed, standby}) {
    const ScriptedServer server(io_, {{{{"", "N"}, {"", postgres_error("28000", "no entry")}}}});
    spec.host = "127.0.0.1";
    spec.port = server.port();

    expect_verdict(run_probe(io_, spec), Status::critical, Reason::auth, Phase::first_byte);
  }
}

TEST_F(Postgres, FilesThatAreNotThereAreOurFault) {
  const testing::TempDir folder;
  PostgresSpec authority;
  authority.info = true;
  authority.tls_ca_file = folder / "nothing";
  PostgresSpec certificate;
  certificate.info = true;
  certificate.tls_certificate_file = folder / "nothing";
  certificate.tls_key_file = testing::secret_file(folder, "key");
  PostgresSpec key = certificate;
  key.tls_certificate_file = key.tls_key_file;
  key.tls_key_file = folder / "nothing";

  for (const PostgresSpec& spec : {authority, certificate, key}) {
    const Observation result = run_probe(io_, spec);
    expect_verdict(result, Status::unknown, Reason::config, Phase::none);
    EXPECT_THAT(result.evidence, HasSubstr("nothing"));
  }
}

// --- The console of a pgbouncer ------------------------------------------------------------------

class Pgbouncer : public Postgres {
 protected:
  Observation look(const std::string& answer, const std::string& pool = "") {
    const ScriptedServer server(
        io_, {{{{"", testing::postgres_welcome()}, {"SHOW POOLS", answer}}, Script::End::hold}});
    return run_probe(io_, to(server, pool));
  }
  static PgbouncerSpec to(const ScriptedServer& server, const std::string& pool = "") {
    PgbouncerSpec spec;
    spec.server.host = "127.0.0.1";
    spec.server.port = server.port();
    spec.server.sslmode = "disable";
    spec.pool = pool;
    return spec;
  }
};

using testing::postgres_columns;
using testing::postgres_end;
using testing::postgres_row;
using testing::value_of;

TEST_F(Pgbouncer, IsAskedInTheSimpleProtocolAlone) {
  const ScriptedServer server(
      io_, {{{{"", testing::postgres_welcome()},
              {"SHOW POOLS", postgres_columns({"database", "cl_active", "maxwait"}) +
                                 postgres_row({"shop", "7", "1"}) + postgres_end()}},
             Script::End::hold}});

  const Observation result = run_probe(io_, to(server));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "clients_active"), 7);
  EXPECT_EQ(value_of(result, "maxwait"), 1);
  EXPECT_EQ(value_of(result, "pools"), 1);
  EXPECT_EQ(result.values.size(), 3u);
  const std::string& said = server.received().front();
  EXPECT_THAT(said, HasSubstr("database\0pgbouncer\0"s));
  EXPECT_THAT(said, HasSubstr(postgres_message('Q', "SHOW POOLS\0"s)));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("BEGIN")));
}

TEST_F(Pgbouncer, AMissingPoolIsMissing) {
  const std::string answer = postgres_columns({"database", "cl_active"}) +
                             postgres_row({"shop\x1b[31m\n", "7"}) + postgres_end();

  const Observation result = look(answer, "shop");

  expect_verdict(result, Status::critical, Reason::missing, Phase::query);
  EXPECT_EQ(result.evidence, "no client has asked for a pool of 'shop'");
  EXPECT_TRUE(result.values.empty());
}

TEST_F(Pgbouncer, OtherAnswersAreNoPools) {
  expect_verdict(look(postgres_columns({"version"}) + postgres_row({"1"}) + postgres_end()),
                 Status::critical, Reason::protocol, Phase::query);
  expect_verdict(
      look(postgres_error("42704", "unrecognized parameter") + postgres_message('Z', "I")),
      Status::unknown, Reason::config, Phase::query);
}

TEST_F(Pgbouncer, ThousandsOfPoolsAreSummedUpAndMillionsCutOff) {
  const std::string row = postgres_row({"shop", "1"});
  std::string rows;
  for (int i = 0; i < 5000; ++i) rows += row;
  const std::string columns = postgres_columns({"database", "cl_active"});

  EXPECT_EQ(value_of(look(columns + rows + postgres_end()), "clients_active"), 5000);
  std::string many;
  for (int i = 0; i < 50; ++i) many += rows;
  expect_verdict(look(columns + many), Status::unknown, Reason::config, Phase::query);
}

TEST_F(Pgbouncer, SilenceIsATimeout) {
  const ScriptedServer server(io_, {{{{"", testing::postgres_welcome()}}, Script::End::hold}});

  expect_verdict(time_out(io_, to(server)), Status::critical, Reason::timeout, Phase::query);
}

TEST_F(Postgres, UnknownNameIsNeverLookedUpByLibpq) {
  PostgresSpec spec;
  spec.host = "db.example.com";
  spec.query = "SELECT 1";
  ProberOptions options;
  options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
    return make_error(Errc::not_found, "Name or service not known");
  };

  expect_verdict(run_probe(io_, spec, options), Status::critical, Reason::dns, Phase::resolve);
}

TEST_F(Postgres, WrongExpectationIsOurFault) {
  PostgresSpec spec;
  spec.query = "SELECT 1";
  spec.expect = "valu > 1";

  expect_verdict(run_probe(io_, spec), Status::unknown, Reason::config, Phase::none);
}

}  // namespace
}  // namespace firebreak
