// TCP probes against a server that plays a script.
#include "probes/tcp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace tcp_test {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::time_out;

TcpSpec spec_of(const ScriptedServer& server, std::vector<TcpSpec::Step> dialogue = {}) {
  TcpSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  spec.dialogue = std::move(dialogue);
  return spec;
}

Script greeting(std::string text, Script::End end = Script::End::hold) {
  return {{}, end, std::move(text)};
}

class Tcp : public ::testing::Test {
 protected:
  boost::asio::io_context io_;
};

TEST_F(Tcp, AConnectionIsEnough) {
  const ScriptedServer server(io_, {greeting("")});

  const Observation result = run_probe(io_, spec_of(server));

  expect_ok(result);
  ASSERT_EQ(result.phases.size(), 2U);
  EXPECT_EQ(result.phases[1].phase, Phase::connect);
}

TEST_F(Tcp, NobodyListens) {
  TcpSpec spec;
  {
    const ScriptedServer server(io_, {greeting("")});
    spec = spec_of(server);
  }

  expect_verdict(run_probe(io_, spec), Status::critical, Reason::refused, Phase::connect);
}

TEST_F(Tcp, EveryStepWaitsForItsAnswer) {
  const ScriptedServer server(io_,
                              {{{{"EHLO\r\n", "250-a\r\n250 b\r\n"}, {"QUIT\r\n", "221 bye\r\n"}},
                                Script::End::close,
                                "220 mail\r\n"}});

  expect_ok(
      run_probe(io_, spec_of(server, {{"", "220 "}, {"EHLO\r\n", "250 "}, {"QUIT\r\n", "221"}})));

  EXPECT_EQ(server.received().at(0), "EHLO\r\nQUIT\r\n");
}

TEST_F(Tcp, WhatWasFoundIsNotFoundAgain) {
  const ScriptedServer server(io_, {greeting("one two", Script::End::close)});

  const Observation result = run_probe(io_, spec_of(server, {{"", "one"}, {"", "one"}}));

  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_EQ(result.evidence, "closed without 'one', after:  two");
}

TEST_F(Tcp, AnEarlyCloseIsAReset) {
  const ScriptedServer silent(io_, {greeting("", Script::End::close)});

  const Observation result = run_probe(io_, spec_of(silent, {{"", "220"}}));

  expect_verdict(result, Status::critical, Reason::reset, Phase::first_byte);
}

TEST_F(Tcp, AnotherAnswerAndAnEndIsBody) {
  const ScriptedServer server(io_, {greeting("554 go away\r\n", Script::End::close)});

  const Observation result = run_probe(io_, spec_of(server, {{"", "220"}}));

  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_EQ(result.evidence, "closed without '220', after: 554 go away\r\n");
}

TEST_F(Tcp, AnEndlessBannerIsCutOff) {
  const ScriptedServer server(io_, {greeting("x", Script::End::drip)});

  const Observation result = run_probe(io_, spec_of(server, {{"", "220"}}));

  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_THAT(result.evidence, HasSubstr("64 KiB without '220'"));
  EXPECT_LE(result.evidence.size(), limits::kEvidenceBytesMax);
}

TEST_F(Tcp, TextThatComesInPiecesIsFoundAcrossThem) {
  const ScriptedServer server(io_, {greeting("", Script::End::drip)});

  expect_ok(run_probe(io_, spec_of(server, {{"", std::string(3000, 'x')}})));
}

TEST_F(Tcp, SilenceAndHalfAnAnswerEndWithTheDeadline) {
  const ScriptedServer silent(io_, {greeting("")});
  const ScriptedServer stuck(io_, {greeting("22")});

  const Observation nothing = time_out(io_, spec_of(silent, {{"", "220"}}));
  const Observation half = time_out(io_, spec_of(stuck, {{"", "220"}}));

  expect_verdict(nothing, Status::critical, Reason::timeout, Phase::first_byte);
  expect_verdict(half, Status::critical, Reason::timeout, Phase::transfer);
  EXPECT_EQ(half.evidence, "no '220', only: 22 within 1s");
}

TEST_F(Tcp, ANoBeforeTlsKeepsItsReason) {
  struct Case {
    const char* protocol;
    const char* greeting;
    Script::End end;
    Reason reason;
  };
  for (const Case& each : {Case{"smtp", "554 no\r\n", Script::End::hold, Reason::status},
                           Case{"smtp", "SSH-2.0\r\n", Script::End::hold, Reason::protocol},
                           Case{"smtp", "220 x\r\n", Script::End::close, Reason::reset},
                           Case{"smtp", "x", Script::End::drip, Reason::protocol},
                           Case{"imap", "* PREAUTH\r\n", Script::End::hold, Reason::tls},
                           Case{"postgres", "N", Script::End::hold, Reason::tls}}) {
    SCOPED_TRACE(each.greeting);
    const ScriptedServer server(io_, {greeting(each.greeting, each.end)});
    TcpSpec spec = spec_of(server);
    spec.starttls = each.protocol;
    expect_verdict(run_probe(io_, spec), Status::critical, each.reason, Phase::tls);
  }
}

TEST_F(Tcp, SilenceBeforeTlsEndsWithTheDeadline) {
  const ScriptedServer server(io_, {greeting("220-x\r\n")});
  TcpSpec spec = spec_of(server);
  spec.starttls = "smtp";

  expect_verdict(time_out(io_, spec), Status::critical, Reason::timeout, Phase::tls);
}

LookUp answers(std::vector<std::string> addresses) {
  return [addresses](const std::string&) -> Result<std::vector<std::string>> { return addresses; };
}

class TcpAddresses : public Tcp {
 protected:
  Observation ask(const std::string& host, const std::vector<std::string>& addresses,
                  const std::string& family, const std::string& source = "") {
    const ScriptedServer server(io_, {greeting("")});
    ProbeSpec spec;
    TcpSpec tcp = spec_of(server);
    tcp.host = host;
    spec.kind = tcp;
    spec.timeout = std::chrono::seconds(20);
    spec.family = family;
    spec.source = source;
    ProberOptions options;
    options.look_up = answers(addresses);
    return run_probe(io_, spec, options);
  }
};

TEST_F(TcpAddresses, OnlyThoseOfTheFamilyAreTried) {
  expect_ok(ask("api", {"127.0.0.1"}, "ipv4"));
  expect_ok(ask("api", {"::1", "127.0.0.1"}, "ipv4"));
  const Observation none = ask("api", {"127.0.0.1"}, "ipv6");
  expect_verdict(none, Status::critical, Reason::dns, Phase::resolve);
  EXPECT_EQ(none.evidence, "api has no IPv6 address");
  expect_verdict(ask("127.0.0.1", {}, "ipv6"), Status::unknown, Reason::config, Phase::resolve);
}

TEST_F(TcpAddresses, APreferenceIsAnOrder) {
  // Nobody listens at ::1: what is tried last says how it ended.
  const std::vector<std::string> both{"127.0.0.2", "::1", "127.0.0.3"};
  const Observation v4_last = ask("api", both, "prefer-ipv6");
  const Observation v6_last = ask("api", both, "prefer-ipv4");

  EXPECT_THAT(v4_last.evidence, HasSubstr("127.0.0.3"));
  EXPECT_THAT(v6_last.evidence, HasSubstr("[::1]"));
}

TEST_F(TcpAddresses, TheProbeAsksFromItsSource) {
  expect_ok(ask("127.0.0.1", {}, "any", "127.0.0.5"));
  expect_ok(ask("api", {"::1", "127.0.0.1"}, "any", "127.0.0.5"));
  // Of RFC 5737's documentation addresses: no host has one.
  const Observation foreign = ask("127.0.0.1", {}, "any", "192.0.2.1");
  expect_verdict(foreign, Status::unknown, Reason::prober, Phase::connect);
  EXPECT_THAT(foreign.evidence, HasSubstr("cannot ask from 192.0.2.1"));
  expect_verdict(ask("127.0.0.1", {}, "any", "::1"), Status::unknown, Reason::config,
                 Phase::resolve);
}

TEST_F(Tcp, LimitsAndInvertAreHeldAgainstTheResult) {
  const ScriptedServer server(io_, {greeting("")});
  ProbeSpec spec;
  spec.kind = spec_of(server);
  spec.timeout = std::chrono::seconds(20);
  spec.limits["latency"].critical = parse_range("~:-1");
  expect_verdict(run_probe(io_, spec), Status::critical, Reason::threshold, Phase::none);
  spec.invert = true;
  expect_ok(run_probe(io_, spec));
  spec.limits.clear();
  expect_verdict(run_probe(io_, spec), Status::critical, Reason::status, Phase::none);
}

class TcpTls : public Tcp {
 protected:
  void SetUp() override {
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(folder_.path(), "prod", now));
    const pki::IssueRequest request{pki::Role::coordinator, "mail", {"127.0.0.1"}, 30};
    const auto pair = pki::issue(folder_.path(), request, now);
    ASSERT_TRUE(pair) << pair.error().message;
    server_ = std::make_unique<ScriptedServer>(
        io_, std::vector<Script>{{{{"PING", "+PONG"}}, Script::End::hold}}, pair->certificate,
        pair->key);
  }

  TcpSpec secured() {
    TcpSpec spec = spec_of(*server_, {{"PING\r\n", "+PONG"}});
    spec.tls = TlsSpec();
    spec.tls->ca_file = folder_ / "ca.crt";
    return spec;
  }

  testing::TempDir folder_;
  std::unique_ptr<ScriptedServer> server_;
};

TEST_F(TcpTls, DialogueGoesThroughTls) {
  const Observation result = run_probe(io_, secured());

  expect_ok(result);
  EXPECT_NEAR(testing::value_of(result, "certificate_days"), 30, 1);
  EXPECT_NEAR(testing::value_of(result, "chain_days"), 30, 1);
}

TEST_F(TcpTls, ACertificateThatExpiresSoonIsSaid) {
  TcpSpec warned = secured();
  warned.certificate_warning_days = 60;
  warned.certificate_critical_days = 14;
  TcpSpec critical = warned;
  critical.certificate_critical_days = 31;
  TcpSpec fine = warned;
  fine.certificate_warning_days = 20;

  const Observation soon = run_probe(io_, warned);

  expect_verdict(soon, Status::warning, Reason::threshold, Phase::tls);
  EXPECT_THAT(soon.evidence, HasSubstr("expires in "));
  EXPECT_THAT(soon.evidence, HasSubstr("mail"));
  expect_verdict(run_probe(io_, critical), Status::critical, Reason::threshold, Phase::tls);
  expect_ok(run_probe(io_, fine));
}

TEST_F(TcpTls, AnUnverifiedChainIsDatedToo) {
  TcpSpec spec = secured();
  spec.tls->ca_file.clear();
  spec.tls->verify = false;
  spec.certificate_warning_days = 60;

  expect_verdict(run_probe(io_, spec), Status::warning, Reason::threshold, Phase::tls);
}

TEST_F(TcpTls, ChainAndNameAreVerified) {
  TcpSpec stranger = secured();
  stranger.tls->ca_file.clear();
  TcpSpec other = secured();
  other.tls->server_name = "api.example.com";

  expect_verdict(run_probe(io_, stranger), Status::critical, Reason::tls, Phase::tls);
  expect_verdict(run_probe(io_, other), Status::critical, Reason::tls, Phase::tls);
}

}  // namespace
}  // namespace tcp_test
}  // namespace firebreak
