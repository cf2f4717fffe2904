// gRPC probes against a server that plays a script: deadlines, cut connections, TLS.
#include "probes/grpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/h2_peer.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace grpc_test {

using testing::expect_ok;
using testing::expect_verdict;
using testing::grpc_error;
using ::testing::HasSubstr;
using testing::health_answer;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::TempDir;
using testing::time_out;
using testing::trace_probe;
using testing::value_of;

GrpcSpec to_port(std::uint16_t port) {
  GrpcSpec spec;
  spec.host = "127.0.0.1";
  spec.port = port;
  spec.service = "shop.Cart";
  return spec;
}

Script answer(std::string bytes, Script::End end = Script::End::hold) {
  return {{{"shop.Cart", std::move(bytes)}}, end};
}

class Grpc : public ::testing::Test {
 protected:
  Observation ask(const Script& script) {
    const ScriptedServer server(io_, {script});
    Observation result = run_probe(io_, to_port(server.port()));
    asked_ = server.received().empty() ? "" : server.received().front();
    return result;
  }

  boost::asio::io_context io_;
  std::string asked_;
};

TEST_F(Grpc, IsOkWhenTheServiceServes) {
  const Observation result = ask(answer(health_answer()));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "serving"), 1);
  EXPECT_THAT(asked_, ::testing::StartsWith("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_TRUE(asked_.find("\x0a\x09shop.Cart") != std::string::npos);
  std::vector<std::string> phases;
  for (const PhaseTiming& timing : result.phases) phases.emplace_back(to_string(timing.phase));
  EXPECT_THAT(phases,
              ::testing::ElementsAre("resolve", "connect", "send", "first_byte", "transfer"));
}

TEST_F(Grpc, SaysWhatTheServerSays) {
  const Observation no = ask(answer(health_answer(2)));
  expect_verdict(no, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(no.evidence, "NOT_SERVING");
  EXPECT_EQ(value_of(no, "serving"), 0);
  expect_verdict(ask(answer(grpc_error("5"))), Status::critical, Reason::missing, Phase::transfer);
  const Observation down = ask(answer(grpc_error("14", "no%20backend%0a\x1b[2J")));
  expect_verdict(down, Status::critical, Reason::protocol, Phase::transfer);  // no header's bytes
  const Observation away = ask(answer(grpc_error("14", "no%20backend%1b")));
  expect_verdict(away, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(away.evidence, HasSubstr("UNAVAILABLE: no backend"));
  for (const NamedValue& value : away.values) EXPECT_NE(value.name, "serving");
}

TEST_F(Grpc, ASilentServerEndsAtTheDeadline) {
  const ScriptedServer silent(io_, {{{}, Script::End::hold}});
  expect_verdict(time_out(io_, to_port(silent.port())), Status::critical, Reason::timeout,
                 Phase::first_byte);
  const ScriptedServer begun(io_, {answer(testing::h2_settings())});
  expect_verdict(time_out(io_, to_port(begun.port())), Status::critical, Reason::timeout,
                 Phase::transfer);
}

TEST_F(Grpc, AnEarlyEndIsAReset) {
  const std::string whole = health_answer();
  for (std::size_t size = 0; size < whole.size(); ++size)
    expect_verdict(ask(answer(whole.substr(0, size), Script::End::close)), Status::critical,
                   Reason::reset, Phase::transfer);
}

TEST_F(Grpc, EndlessGarbageEnds) {
  const Observation result = ask(answer("", Script::End::drip));
  expect_verdict(result, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("it begins: xxxx"));
}

TEST_F(Grpc, TracesWhatWasAnswered) {
  const ScriptedServer server(io_, {answer(health_answer())});
  std::string trace;
  expect_ok(trace_probe(io_, to_port(server.port()), trace));
  EXPECT_THAT(trace, HasSubstr("transfer: HTTP 200, grpc-status 0\n"));
}

TEST_F(Grpc, TlsWithoutAgreementOnHttp2IsRefused) {
  const TempDir folder;
  const WallTime now = SystemClock().wall();
  ASSERT_TRUE(pki::init_ca(folder.path(), "prod", now));
  const pki::IssueRequest request{pki::Role::coordinator, "server", {"127.0.0.1"}, 30};
  const auto pair = pki::issue(folder.path(), request, now);
  ASSERT_TRUE(pair) << pair.error().message;
  const ScriptedServer server(io_, {answer(health_answer())}, pair->certificate, pair->key);
  GrpcSpec spec = to_port(server.port());
  spec.tls = TlsSpec();
  spec.tls->ca_file = folder / "ca.crt";

  const Observation result = run_probe(io_, spec);
  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
  EXPECT_THAT(result.evidence, HasSubstr("does not agree to h2"));
}

}  // namespace grpc_test
}  // namespace firebreak
