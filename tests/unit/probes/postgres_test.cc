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
