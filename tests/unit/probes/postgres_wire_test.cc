// PostgreSQL's first bytes, and what its codes mean.
#include "probes/postgres_wire.h"

#include <gtest/gtest.h>

#include "tests/unit/probes/postgres_bytes.h"

namespace firebreak::probes {
namespace {

using namespace std::string_literals;
using Kind = PostgresGreeting::Kind;
using testing::postgres_error;
using testing::postgres_message;

TEST(PostgresWire, StartupPacketIsProtocol3) {
  EXPECT_EQ(postgres_startup("u", "d"),
            "\0\0\0\x36\0\3\0\0user\0u\0database\0d\0application_name\0firebreak\0\0"s);
}

TEST(PostgresWire, RequestForCredentialsIsAccepting) {
  const std::string trusting = postgres_message('R', "\0\0\0\0"s);

  EXPECT_EQ(parse_postgres_greeting(postgres_message('R', "\0\0\0\5salt"s)).kind, Kind::accepting);
  EXPECT_EQ(parse_postgres_greeting(trusting).kind, Kind::accepting);
  EXPECT_EQ(parse_postgres_greeting(postgres_message('N', "Mhm\0\0"s) + trusting).kind,
            Kind::accepting);
}

std::string sasl(char code, const std::string& text) {
  return postgres_message('R', "\0\0\0"s + code + text);
}

TEST(PostgresWire, ALoginThatCostsTooMuchIsKnownBeforeItIsPaid) {
  using Login = PostgresLogin::Kind;
  const std::string usual = sasl(11, "r=nonce,s=c2FsdA==,i=4096");
  EXPECT_EQ(parse_postgres_login(usual).kind, Login::fine);
  EXPECT_EQ(parse_postgres_login(sasl(11, "r=i=9,s=i=999999999,i=20000")).kind, Login::fine);
  for (const char* rounds : {"20001", "2147483647", "99999999999999999999", " 9", "+9", ""})
    EXPECT_EQ(parse_postgres_login(sasl(11, "r=nonce,s=c2FsdA==,i="s + rounds)).kind, Login::costly)
        << rounds;
  EXPECT_EQ(parse_postgres_login(usual + sasl(11, "r=n,s=s,i=2147483647")).kind, Login::costly);
  for (std::size_t bytes = 1; bytes < usual.size(); ++bytes)
    EXPECT_EQ(parse_postgres_login(usual.substr(0, bytes)).kind, Login::more) << bytes;
  EXPECT_EQ(parse_postgres_login("").kind, Login::fine);
  EXPECT_EQ(parse_postgres_login(postgres_error("57P03", "no")).kind, Login::fine);
}

TEST(PostgresWire, QuestionsForAPasswordAreCounted) {
  EXPECT_EQ(parse_postgres_login(sasl(0, "")).questions, 0);
  EXPECT_EQ(parse_postgres_login(sasl(3, "")).questions, 1);
  EXPECT_EQ(parse_postgres_login(sasl(3, "") + sasl(5, "salt") + sasl(10, "x")).questions, 3);
}

TEST(PostgresWire, ErrorHasItsCodeAndText) {
  const PostgresGreeting greeting =
      parse_postgres_greeting(postgres_error("57P03", "the database system is starting up"));

  EXPECT_EQ(greeting.kind, Kind::error);
  EXPECT_EQ(greeting.code, "57P03");
  EXPECT_EQ(greeting.text, "the database system is starting up");
}

TEST(PostgresWire, TruncatedErrorWaitsForMore) {
  const std::string whole = postgres_error("57P03", "starting");

  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(parse_postgres_greeting(whole.substr(0, size)).kind, Kind::more) << size;
}

TEST(PostgresWire, ServerTooSickToForkSpeaksTheOldWay) {
  const PostgresGreeting greeting =
      parse_postgres_greeting("Ecould not fork new process for connection\n\0"s);

  EXPECT_EQ(greeting.kind, Kind::error);
  EXPECT_EQ(greeting.text, "could not fork new process for connection\n");
  EXPECT_TRUE(is_rejecting(greeting.code));
}

TEST(PostgresWire, GarbageIsNoticed) {
  EXPECT_EQ(parse_postgres_greeting("HTTP/1.1 400").kind, Kind::garbage);
  EXPECT_EQ(parse_postgres_greeting("R\xff\xff\xff\xff"s).kind, Kind::garbage);
  EXPECT_EQ(parse_postgres_greeting("N\0\0\0\1"s).kind, Kind::garbage);
  // A field without an end is no reason to read beyond the message.
  EXPECT_EQ(parse_postgres_greeting(postgres_message('E', "C57P03")).code, "");
}

TEST(PostgresWire, OnlySomeErrorsMeanThatNobodyGetsIn) {
  EXPECT_TRUE(is_rejecting("57P03"));
  EXPECT_FALSE(is_rejecting("53300"));
  EXPECT_TRUE(is_full("53300"));
  EXPECT_FALSE(is_full("57P03"));
  EXPECT_FALSE(is_rejecting("28000"));
  EXPECT_FALSE(is_rejecting("3D000"));
}

TEST(PostgresWire, CodesHaveReasons) {
  EXPECT_EQ(judge_sqlstate("28P01").reason, Reason::auth);
  EXPECT_EQ(judge_sqlstate("42501").reason, Reason::auth);
  EXPECT_EQ(judge_sqlstate("3D000").reason, Reason::missing);
  EXPECT_EQ(judge_sqlstate("42P01").reason, Reason::missing);
  EXPECT_EQ(judge_sqlstate("42601").reason, Reason::config);
  EXPECT_EQ(judge_sqlstate("42601").status, Status::unknown);
  EXPECT_EQ(judge_sqlstate("25006").reason, Reason::config);
  EXPECT_EQ(judge_sqlstate("57014").reason, Reason::timeout);
  EXPECT_EQ(judge_sqlstate("57P03").reason, Reason::status);
}

TEST(PostgresWire, FailedConnectionsHaveReasons) {
  const auto reason = [](const std::string& text) { return judge_postgres_failure(text).reason; };

  EXPECT_EQ(reason("connection to server at \"10.0.0.1\", port 5432 failed: Connection refused"),
            Reason::refused);
  EXPECT_EQ(reason("server closed the connection unexpectedly"), Reason::reset);
  EXPECT_EQ(reason("failed: FATAL:  28P01: password authentication failed for user \"x\""),
            Reason::auth);
  EXPECT_EQ(reason("failed: FATAL:  57P03: the database system is shutting down"), Reason::status);
  EXPECT_EQ(reason("failed: fe_sendauth: no password supplied"), Reason::auth);
  EXPECT_EQ(reason("failed: server does not support SSL, but SSL was required"), Reason::tls);
  EXPECT_EQ(reason("failed: SSL error: certificate verify failed"), Reason::tls);
  EXPECT_EQ(reason("failed: could not load private key file \"/a.key\": key values mismatch"),
            Reason::config);
  EXPECT_EQ(reason("expected authentication request from server, but received H"),
            Reason::protocol);
}

// As version 1.18 words them, all under one code.
TEST(PostgresWire, ErrorsOfPgbouncerAreToldApartByTheirWords) {
  const auto reason = [](const std::string& text) {
    return judge_postgres_failure("failed: FATAL:  08P01: " + text).reason;
  };

  EXPECT_EQ(reason("not allowed"), Reason::auth);
  EXPECT_EQ(reason("no such user"), Reason::auth);
  EXPECT_EQ(reason("SASL authentication failed"), Reason::auth);
  EXPECT_EQ(reason("TLS certificate required"), Reason::auth);
  EXPECT_EQ(reason("no such database: shop"), Reason::missing);
  EXPECT_EQ(reason("no more connections allowed (max_client_conn)"), Reason::status);
  EXPECT_EQ(reason("pgbouncer is shutting down"), Reason::status);
}

}  // namespace
}  // namespace firebreak::probes
