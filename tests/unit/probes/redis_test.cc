// Redis probes against a server that plays a script.
#include "probes/redis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::secret_file;
using testing::time_out;

const char* const kPing = "*1\r\n$4\r\nPING\r\n";

class Redis : public ::testing::Test {
 protected:
  Observation ping(const std::string& reply, Script::End end = Script::End::close) {
    const ScriptedServer server(io_, {{{{kPing, reply}}, end}});
    return run_probe(io_, spec_of(server));
  }
  static RedisSpec spec_of(const ScriptedServer& server) {
    RedisSpec spec;
    spec.host = "127.0.0.1";
    spec.port = server.port();
    return spec;
  }

  boost::asio::io_context io_;
};

TEST_F(Redis, PongIsOk) {
  expect_ok(ping("+PONG\r\n"));
}

TEST_F(Redis, OwnNoKeepsItsWords) {
  const Observation loading = ping("-LOADING Redis is loading the dataset in memory\r\n");

  expect_verdict(loading, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(loading.evidence, "LOADING Redis is loading the dataset in memory");
}

TEST_F(Redis, EveryNoHasAMeaning) {
  struct Case {
    const char* error;
    Status status;
    Reason reason;
  };
  for (const Case& each : {
           Case{"NOAUTH Authentication required.", Status::critical, Reason::auth},
           Case{"WRONGPASS invalid username-password pair", Status::critical, Reason::auth},
           Case{"NOPERM this user has no permissions", Status::critical, Reason::auth},
           Case{"DENIED Redis is running in protected mode", Status::critical, Reason::auth},
           Case{"ERR AUTH <password> called without any password configured", Status::critical,
                Reason::auth},
           Case{"MASTERDOWN Link with MASTER is down", Status::critical, Reason::status},
           Case{"MISCONF Redis is configured to save RDB", Status::critical, Reason::status},
           Case{"BUSY Redis is busy running a script", Status::critical, Reason::status},
           Case{"ERR max number of clients reached", Status::critical, Reason::status},
           Case{"ERR unknown command 'PING'", Status::critical, Reason::protocol},
           Case{"READONLY You can't write against a read only replica.", Status::critical,
                Reason::status},
           Case{"WRONGTYPE Operation against a key", Status::critical, Reason::protocol},
           Case{"MOVED 3999 127.0.0.1:6381", Status::unknown, Reason::config},
       }) {
    const probes::RedisVerdict verdict = probes::judge_redis_error(each.error);
    EXPECT_EQ(verdict.status, each.status) << each.error;
    EXPECT_EQ(verdict.reason, each.reason) << each.error;
  }
}

TEST_F(Redis, GarbageIsNotRedis) {
  for (const char* reply :
       {"HTTP/1.1 400 Bad Request\r\n", "+OK\r\n", "\r\n", ":1\r\n", "$4\r\nPONG\r\n", "*0\r\n"})
    expect_verdict(ping(reply), Status::critical, Reason::protocol, Phase::transfer);
}

TEST_F(Redis, EndlessLineIsCutOff) {
  const Observation result = ping("+", Script::End::drip);

  expect_verdict(result, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_LE(result.evidence.size(), limits::kEvidenceBytesMax);
}

TEST_F(Redis, ClosedConnectionIsAReset) {
  expect_verdict(ping(""), Status::critical, Reason::reset, Phase::first_byte);
  expect_verdict(ping("+PO"), Status::critical, Reason::reset, Phase::transfer);
}

TEST_F(Redis, SilenceIsATimeout) {
  const ScriptedServer silent(io_, {{{{kPing, ""}}, Script::End::hold}});
  const ScriptedServer stuck(io_, {{{{kPing, "+PO"}}, Script::End::hold}});

  expect_verdict(time_out(io_, spec_of(silent)), Status::critical, Reason::timeout,
                 Phase::first_byte);
  expect_verdict(time_out(io_, spec_of(stuck)), Status::critical, Reason::timeout, Phase::transfer);
}

TEST_F(Redis, AuthenticatesFirstWhenItHasAPassword) {
  const testing::TempDir folder;
  const ScriptedServer server(
      io_, {{{{"secret\r\n", "+OK\r\n"}, {kPing, "+PONG\r\n"}}, Script::End::close}});
  RedisSpec spec = spec_of(server);
  spec.username = "probe";
  spec.password_file = secret_file(folder, "secret");

  expect_ok(run_probe(io_, spec));

  EXPECT_EQ(server.received().at(0),
            "*3\r\n$4\r\nAUTH\r\n$5\r\nprobe\r\n$6\r\nsecret\r\n" + std::string(kPing));
}

TEST_F(Redis, PasswordIsNeverShown) {
  const testing::TempDir folder;
  const ScriptedServer server(
      io_, {{{{"hunter22\r\n", "-WRONGPASS not 'hunter22'\r\n"}}, Script::End::close}});
  RedisSpec spec = spec_of(server);
  spec.password_file = secret_file(folder, "hunter22");
  std::string trace;

  const Observation result = testing::trace_probe(io_, spec, trace);

  expect_verdict(result, Status::critical, Reason::auth, Phase::transfer);
  EXPECT_EQ(result.evidence, "WRONGPASS not '***'");
  EXPECT_THAT(trace, HasSubstr("connected to 127.0.0.1"));
  EXPECT_THAT(trace, Not(HasSubstr("hunter22")));
}

// A server that is full says so at once, and has closed before it is asked.
TEST_F(Redis, WhyItWasClosedIsHeard) {
  const testing::TempDir folder;
  Script full;
  full.greeting = "-ERR max number of clients reached\r\n";
  const ScriptedServer server(io_, {full});
  RedisSpec spec = spec_of(server);
  spec.info = true;  // more questions than answers
  RedisSpec authenticating = spec;
  authenticating.password_file = secret_file(folder, "secret");

  for (const RedisSpec& each : {spec, authenticating}) {
    const Observation result = run_probe(io_, each);
    expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
    EXPECT_EQ(result.evidence, "ERR max number of clients reached");
  }
}

const char* const kPingInfo = "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nINFO\r\n";

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

TEST_F(Redis, InfoYieldsValues) {
  const ScriptedServer server(
      io_, {{{{kPingInfo, "+PONG\r\n" + bulk("# Clients\r\nconnected_clients:3\r\nmaxclients:12\r\n"
                                             "role:master\r\n")}},
             Script::End::close}});
  RedisSpec spec = spec_of(server);
  spec.info = true;

  const Observation result = run_probe(io_, spec);

  expect_ok(result);
  EXPECT_EQ(testing::value_of(result, "connected_clients"), 3);
  EXPECT_EQ(testing::value_of(result, "clients_share"), 25);
}

TEST_F(Redis, WhoLoadsTellsValuesAllTheSame) {
  const ScriptedServer server(
      io_, {{{{kPingInfo, "-LOADING Redis is loading\r\n" + bulk("role:slave\nused_memory:7\n")}},
             Script::End::close}});
  RedisSpec spec = spec_of(server);
  spec.role = "replica";

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence, "LOADING Redis is loading");
  EXPECT_EQ(testing::value_of(result, "used_memory"), 7);
}

TEST_F(Redis, InfoMayBeRefused) {
  const ScriptedServer server(
      io_, {{{{kPingInfo, "+PONG\r\n-NOPERM no 'info'\r\n"}}, Script::End::close}});
  RedisSpec spec = spec_of(server);
  spec.role = "master";

  expect_verdict(run_probe(io_, spec), Status::critical, Reason::auth, Phase::transfer);
}

TEST_F(Redis, MissingClientCertificateIsOurFault) {
  const ScriptedServer server(io_, {{{}, Script::End::hold}});
  RedisSpec spec = spec_of(server);
  spec.tls = TlsSpec{};
  spec.tls->certificate_file = "/nonexistent/a.crt";
  spec.tls->key_file = "/nonexistent/a.key";

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::unknown, Reason::config, Phase::tls);
  EXPECT_THAT(result.evidence, HasSubstr("/nonexistent/a.crt"));
}

TEST_F(Redis, MissingSecretIsOurFault) {
  RedisSpec spec;
  spec.password_file = "/nonexistent/secret";

  expect_verdict(run_probe(io_, spec), Status::unknown, Reason::config, Phase::none);
}

TEST_F(Redis, MissingSocketIsRefused) {
  const testing::TempDir folder;
  RedisSpec spec;
  spec.host = folder / "redis.sock";

  expect_verdict(run_probe(io_, spec), Status::critical, Reason::refused, Phase::connect);
}

}  // namespace
}  // namespace firebreak
