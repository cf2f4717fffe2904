// HTTP probes against a server that does what it is told, mostly bad things.
#include "probes/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using ::testing::ElementsAre;
using testing::expect_verdict;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::secret_file;
using ::testing::StartsWith;
using testing::time_out;
using testing::trace_probe;
using testing::value_of;

const char* const kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Script answer(std::string text, Script::End end = Script::End::close) {
  return {{{"\r\n\r\n", std::move(text)}}, end};
}

std::string with_body(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

HttpSpec get(const std::string& url) {
  HttpSpec spec;
  spec.url = url;
  return spec;
}

std::vector<std::string> names(const std::vector<PhaseTiming>& phases) {
  std::vector<std::string> all;
  for (const PhaseTiming& timing : phases) all.emplace_back(to_string(timing.phase));
  return all;
}

class Http : public ::testing::Test {
 protected:
  Observation ask(const Script& script) {
    const ScriptedServer server(io_, {script});
    return run_probe(io_, get(server.url()));
  }
  Observation ask(HttpSpec spec, const std::string& reply) {
    const ScriptedServer server(io_, {answer(reply)});
    spec.url = server.url();
    return run_probe(io_, spec);
  }

  boost::asio::io_context io_;
};

// --- The good case -------------------------------------------------------------------------------

TEST_F(Http, IsOkWhenTheStatusIsExpected) {
  const ScriptedServer server(io_, {answer(kOk)});

  const Observation result = run_probe(io_, get(server.url("/health?full=1")));

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_EQ(result.evidence, "");
  EXPECT_EQ(value_of(result, "status"), 200);
  EXPECT_THAT(names(result.phases),
              ElementsAre("resolve", "connect", "send", "first_byte", "transfer"));
  EXPECT_THAT(server.received().at(0),
              StartsWith("GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
}

TEST_F(Http, SendsWhatTheSpecSays) {
  const ScriptedServer server(io_, {answer(kOk)});
  HttpSpec spec = get(server.url());
  spec.method = "POST";
  spec.headers = {{"Content-Type", "application/json"}};
  spec.body = "{\"test\":true}";

  EXPECT_EQ(run_probe(io_, spec).status, Status::ok);

  EXPECT_THAT(server.received().at(0), StartsWith("POST / HTTP/1.1\r\n"));
  EXPECT_THAT(server.received().at(0), HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(server.received().at(0), HasSubstr("\r\nContent-Length: 13\r\n"));
}

TEST_F(Http, ReadsChunks) {
  HttpSpec spec;
  spec.expect = "text == 'ok'";

  EXPECT_EQ(ask(spec,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "1\r\no\r\n1\r\nk\r\n0\r\n\r\n")
                .status,
            Status::ok);
}

TEST_F(Http, EndOfTheConnectionEndsABodyWithoutALength) {
  HttpSpec spec;
  spec.contains = "alive";

  EXPECT_EQ(ask(spec, "HTTP/1.0 200 OK\r\n\r\nalive and well").status, Status::ok);
}

// --- What is expected ----------------------------------------------------------------------------

TEST_F(Http, StatusOutsideTheExpectedIsCriticalWithTheBody) {
  const Observation result =
      ask(answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\ndb down"));

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence, "HTTP 503 Service Unavailable: db down");
  EXPECT_EQ(value_of(result, "status"), 503);
}

TEST_F(Http, RefusedCredentialsAreToldApart) {
  const Observation result = ask(answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));

  expect_verdict(result, Status::critical, Reason::auth, Phase::transfer);
}

TEST_F(Http, AnyExpectedStatusIsRight) {
  HttpSpec spec;
  spec.expect_status = {"200", "5xx"};

  EXPECT_EQ(ask(spec, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").status, Status::ok);
  EXPECT_EQ(ask(spec, "HTTP/1.1 204 No Content\r\n\r\n").reason, Reason::status);
}

TEST_F(Http, BodyMustHoldTheText) {
  HttpSpec spec;
  spec.contains = "all good";

  const Observation result = ask(spec, with_body("all bad"));

  expect_verdict(result, Status::critical, Reason::body, Phase::transfer);
  EXPECT_EQ(result.evidence, "the body does not contain 'all good': all bad");
}

TEST_F(Http, ExpectationSeesJsonHeadersAndStatus) {
  HttpSpec spec;
  spec.expect =
      "body.queue.size() == 2 && body.queue[0] < 5 && headers['x-node'] == 'a, b' && status == 200 "
      "&& latency < 20s";

  const Observation result = ask(spec,
                                 "HTTP/1.1 200 OK\r\nX-Node: a\r\nx-node: b\r\n\r\n"
                                 "{\"queue\": [1, 2.5]}");

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
}

TEST_F(Http, UnmetExpectationShowsTheAnswer) {
  HttpSpec spec;
  spec.expect = "body.success == true";

  const Observation unmet = ask(spec, with_body("{\"success\": false}"));
  const Observation absent = ask(spec, with_body("{}"));
  const Observation no_json = ask(spec, with_body("<html>"));

  expect_verdict(unmet, Status::critical, Reason::body, Phase::transfer);
  EXPECT_EQ(unmet.evidence, "'body.success == true' is false: {\"success\": false}");
  expect_verdict(absent, Status::critical, Reason::body, Phase::transfer);
  EXPECT_THAT(absent.evidence, HasSubstr("'body.success == true' cannot be answered ("));
  expect_verdict(no_json, Status::critical, Reason::body, Phase::transfer);
}

TEST_F(Http, LatencyAloneIsAThreshold) {
  HttpSpec spec;
  spec.expect = "latency < 0s";

  const Observation result = ask(spec, kOk);

  expect_verdict(result, Status::critical, Reason::threshold, Phase::transfer);
}

TEST_F(Http, WrongDefinitionIsOurFaultAndAsksNobody) {
  const ScriptedServer server(io_, {answer(kOk)});
  HttpSpec expression = get(server.url());
  expression.expect = "statu == 200";
  HttpSpec status = get(server.url());
  status.expect_status = {"20x"};
  HttpSpec header = get(server.url());
  header.headers = {{"X", "a\r\nEvil: b"}};
  HttpSpec secret = get(server.url());
  secret.bearer_token_file = "/nonexistent/token";
  const HttpSpec url = get("ftp://host/");

  for (const HttpSpec& spec : {expression, status, header, secret, url})
    expect_verdict(run_probe(io_, spec), Status::unknown, Reason::config, Phase::none);

  EXPECT_TRUE(server.received().empty());
}

// --- Hostile answers -----------------------------------------------------------------------------

TEST_F(Http, GarbageIsNotHttp) {
  expect_verdict(ask(answer("SSH-2.0-OpenSSH_9.2\r\n\r\n")), Status::critical, Reason::protocol,
                 Phase::transfer);
  expect_verdict(ask(answer(std::string("\x16\x03\x01\x00\x02\x01\x00", 7))), Status::critical,
                 Reason::protocol, Phase::transfer);
}

TEST_F(Http, TruncatedAnswerIsAReset) {
  const Observation body = ask(answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"));
  const Observation header = ask(answer("HTTP/1.1 200 OK\r\nConte"));
  const Observation nothing = ask(answer(""));

  expect_verdict(body, Status::critical, Reason::reset, Phase::transfer);
  expect_verdict(header, Status::critical, Reason::reset, Phase::transfer);
  expect_verdict(nothing, Status::critical, Reason::reset, Phase::transfer);
  EXPECT_EQ(nothing.evidence, "the connection was closed without an answer");
}

TEST_F(Http, ResetConnectionIsAReset) {
  expect_verdict(ask(answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", Script::End::reset)),
                 Status::critical, Reason::reset, Phase::transfer);
}

TEST_F(Http, EndlessHeadersAreCutOff) {
  const Observation result = ask(answer("HTTP/1.1 200 OK\r\nX: ", Script::End::drip));
  const Observation many = ask(answer("HTTP/1.1 200 OK\r\n" + std::string(2000, 'X') + ": " +
                                      std::string(20000, 'x') + "\r\n\r\n"));

  expect_verdict(result, Status::critical, Reason::protocol, Phase::transfer);
  EXPECT_EQ(result.evidence, "headers longer than 16 KiB");
  expect_verdict(many, Status::critical, Reason::protocol, Phase::transfer);
}

TEST_F(Http, EndlessBodyIsJudgedByItsBeginning) {
  const Observation result = ask(answer("HTTP/1.1 200 OK\r\n\r\nok", Script::End::drip));

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_EQ(result.evidence, "only the first 64 KiB of the body were read");
}

TEST_F(Http, EndlessInterimAnswersAreCutOff) {
  std::string interim;
  for (int i = 0; i < 2000; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";

  expect_verdict(ask(answer(interim, Script::End::hold)), Status::critical, Reason::protocol,
                 Phase::transfer);
}

TEST_F(Http, DeepJsonIsOnlyText) {
  HttpSpec spec;
  spec.expect = "text.startsWith('[[[[') && body == text";

  EXPECT_EQ(ask(spec, with_body(std::string(10000, '['))).status, Status::ok);
}

TEST_F(Http, EvidenceIsBoundedAndValidUtf8) {
  const std::string body = "\xff" + std::string(50000, 'x');
  const Observation result =
      ask(answer("HTTP/1.1 500 Oops\r\nContent-Length: 50001\r\n\r\n" + body));

  EXPECT_LE(result.evidence.size(), limits::kEvidenceBytesMax);
  EXPECT_THAT(result.evidence, StartsWith("HTTP 500 Oops: \xEF\xBF\xBDxxx"));
}

TEST_F(Http, SilentServerIsATimeoutOfItsOwn) {
  const ScriptedServer silent(io_, {answer("", Script::End::hold)});
  const ScriptedServer stuck(
      io_, {answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", Script::End::hold)});

  expect_verdict(time_out(io_, get(silent.url())), Status::critical, Reason::timeout,
                 Phase::first_byte);
  expect_verdict(time_out(io_, get(stuck.url())), Status::critical, Reason::timeout,
                 Phase::transfer);
}

TEST_F(Http, NobodyListeningIsRefused) {
  std::string url;
  {
    const ScriptedServer server(io_, {answer(kOk)});
    url = server.url();
  }

  expect_verdict(run_probe(io_, get(url)), Status::critical, Reason::refused, Phase::connect);
}

// --- Names ---------------------------------------------------------------------------------------

TEST_F(Http, UnknownNameIsADnsFailure) {
  ProberOptions options;
  options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
    return make_error(Errc::not_found, "Name or service not known");
  };

  const Observation result = run_probe(io_, get("http://api.example.com/"), options);

  expect_verdict(result, Status::critical, Reason::dns, Phase::resolve);
  EXPECT_EQ(result.evidence, "api.example.com: Name or service not known");
}

TEST_F(Http, NextAddressIsTriedWhenOneRefuses) {
  const ScriptedServer server(io_, {answer(kOk)});
  ProberOptions options;
  options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"127.0.0.2", "127.0.0.1"};
  };

  const Observation result =
      run_probe(io_, get("http://api.example.com:" + std::to_string(server.port()) + "/"), options);

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_THAT(server.received().at(0), HasSubstr("\r\nHost: api.example.com:"));
}

// --- Redirects -----------------------------------------------------------------------------------

std::string redirect(const std::string& to) {
  return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n";
}

TEST_F(Http, RedirectIsAnAnswerUnlessItMayBeFollowed) {
  EXPECT_EQ(ask(HttpSpec{}, redirect("/next")).evidence, "HTTP 302 Found");
}

TEST_F(Http, RedirectIsFollowedOnANewConnection) {
  const ScriptedServer server(io_, {answer(redirect("/next")), answer(kOk)});
  HttpSpec spec = get(server.url("/first"));
  spec.max_redirects = 1;

  expect_verdict(run_probe(io_, spec), Status::ok, Reason::none, Phase::none);

  EXPECT_THAT(server.received().at(1), StartsWith("GET /next HTTP/1.1\r\n"));
}

TEST_F(Http, EndlessRedirectsEnd) {
  const ScriptedServer server(io_, {answer(redirect("/again"))});
  HttpSpec spec = get(server.url());
  spec.max_redirects = 3;

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(result.evidence, "more than 3 redirects, the last to /again");
  EXPECT_EQ(server.received().size(), 4u);
}

TEST_F(Http, RedirectToAMetadataServiceIsNotFollowed) {
  HttpSpec spec;
  spec.max_redirects = 1;

  const Observation literal = ask(spec, redirect("http://169.254.169.254/latest"));

  expect_verdict(literal, Status::critical, Reason::status, Phase::transfer);
  EXPECT_THAT(literal.evidence, HasSubstr("metadata"));
}

TEST_F(Http, RedirectToANameOfAMetadataServiceIsNotFollowed) {
  ProberOptions options;
  options.look_up = [](const std::string&) -> Result<std::vector<std::string>> {
    return std::vector<std::string>{"::ffff:169.254.169.254"};
  };
  const ScriptedServer server(io_, {answer(redirect("http://innocent.example/"))});
  HttpSpec spec = get(server.url());
  spec.max_redirects = 1;

  const Observation result = run_probe(io_, spec, options);

  expect_verdict(result, Status::critical, Reason::status, Phase::resolve);
}

// --- Secrets -------------------------------------------------------------------------------------

TEST_F(Http, SecretsAreSentButNeverShown) {
  const testing::TempDir folder;
  const std::string echo = "HTTP/1.1 500 Oops\r\nX-Echo: s3cret-token\r\n\r\nBearer s3cret-token";
  const ScriptedServer server(io_, {answer(echo)});
  HttpSpec spec = get(server.url());
  spec.bearer_token_file = secret_file(folder, "s3cret-token");
  std::string trace;

  const Observation result = trace_probe(io_, spec, trace);

  EXPECT_THAT(server.received().at(0), HasSubstr("\r\nAuthorization: Bearer s3cret-token\r\n"));
  EXPECT_EQ(result.evidence, "HTTP 500 Oops: Bearer ***");
  EXPECT_THAT(trace, HasSubstr("x-echo: ***"));
  EXPECT_THAT(trace, Not(HasSubstr("s3cret")));
}

TEST_F(Http, BasicCredentialsAreEncoded) {
  const testing::TempDir folder;
  const ScriptedServer server(
      io_, {answer("HTTP/1.1 500 Oops\r\n\r\nopen sesame, dXNlcjpvcGVuIHNlc2FtZQ==")});
  HttpSpec spec = get(server.url());
  spec.basic_user = "user";
  spec.basic_password_file = secret_file(folder, "open sesame");

  const Observation result = run_probe(io_, spec);

  EXPECT_THAT(server.received().at(0),
              HasSubstr("\r\nAuthorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==\r\n"));
  EXPECT_EQ(result.evidence, "HTTP 500 Oops: ***, ***");
}

TEST_F(Http, AHeaderMayBeASecret) {
  const testing::TempDir folder;
  const testing::TempDir other_folder;
  const ScriptedServer server(io_, {answer("HTTP/1.1 500 Oops\r\n\r\nno such key: k3y")});
  HttpSpec spec = get(server.url());
  spec.header_files = {{"X-Api-Key", secret_file(folder, "k3y")}};
  HttpSpec two_lines = spec;
  two_lines.header_files.front().second = secret_file(other_folder, "k3y\r\nX-Admin: yes");
  HttpSpec framing = spec;
  framing.header_files.front().first = "Content-Length";

  const Observation result = run_probe(io_, spec);

  EXPECT_THAT(server.received().at(0), HasSubstr("\r\nX-Api-Key: k3y\r\n"));
  EXPECT_EQ(result.evidence, "HTTP 500 Oops: no such key: ***");
  expect_verdict(run_probe(io_, framing), Status::unknown, Reason::config, Phase::none);
  expect_verdict(run_probe(io_, two_lines), Status::unknown, Reason::config, Phase::none);
}

TEST_F(Http, SecretsStayWithTheirOrigin) {
  const testing::TempDir folder;
  const ScriptedServer other(io_, {answer(kOk)});
  const ScriptedServer server(io_, {answer(redirect(other.url("/there")))});
  HttpSpec spec = get(server.url());
  spec.max_redirects = 1;
  spec.bearer_token_file = secret_file(folder, "s3cret-token");
  spec.headers = {{"Cookie", "session=1"}};
  spec.header_files = {{"X-Api-Key", spec.bearer_token_file}};

  EXPECT_EQ(run_probe(io_, spec).status, Status::ok);

  EXPECT_THAT(server.received().at(0), HasSubstr("s3cret-token"));
  EXPECT_THAT(other.received().at(0), Not(HasSubstr("Authorization")));
  EXPECT_THAT(other.received().at(0), Not(HasSubstr("Cookie")));
  EXPECT_THAT(other.received().at(0), Not(HasSubstr("Api-Key")));
}

// --- TLS -----------------------------------------------------------------------------------------

class Https : public Http {
 protected:
  void SetUp() override { ASSERT_TRUE(pki::init_ca(folder_.path(), "prod", now_)); }

  pki::KeyPairFiles certificate(const std::string& host, WallTime at) {
    pki::IssueRequest request{
        pki::Role::coordinator, "server-" + std::to_string(++issued_), {host}, 30};
    auto files = pki::issue(folder_.path(), request, at);
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return *files;
  }
  HttpSpec trusting(const std::string& url) {
    HttpSpec spec = get(url);
    spec.tls.ca_file = folder_ / "ca.crt";
    return spec;
  }
  // A probe of a server with this certificate, by our authority.
  Observation ask_with(const pki::KeyPairFiles& pair) {
    const ScriptedServer server(io_, {answer(kOk)}, pair.certificate, pair.key);
    return run_probe(io_, trusting(server.url()));
  }

  const WallTime now_ = SystemClock().wall();
  testing::TempDir folder_;
  int issued_ = 0;
};

TEST_F(Https, CertificateOfTheHostIsAccepted) {
  const Observation result = ask_with(certificate("127.0.0.1", now_));

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1.1);
  EXPECT_THAT(names(result.phases),
              ElementsAre("resolve", "connect", "tls", "send", "first_byte", "transfer"));
}

TEST_F(Https, CertificateOfAnotherHostIsNotAccepted) {
  const Observation address = ask_with(certificate("10.0.0.1", now_));
  const Observation name = ask_with(certificate("api.example.com", now_));

  expect_verdict(address, Status::critical, Reason::tls, Phase::tls);
  EXPECT_EQ(address.evidence, "certificate not accepted: IP address mismatch");
  expect_verdict(name, Status::critical, Reason::tls, Phase::tls);
}

TEST_F(Https, ExpiredCertificateIsNotAccepted) {
  const Observation result = ask_with(certificate("127.0.0.1", now_ - std::chrono::days(31)));

  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
  EXPECT_EQ(result.evidence, "certificate not accepted: certificate has expired");
}

TEST_F(Https, UnknownAuthorityIsNotAccepted) {
  const pki::KeyPairFiles pair = certificate("127.0.0.1", now_);
  const ScriptedServer server(io_, {answer(kOk)}, pair.certificate, pair.key);

  const Observation result = run_probe(io_, get(server.url()));

  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
}

TEST_F(Https, NothingIsVerifiedWhenTheSpecSaysSo) {
  const pki::KeyPairFiles pair = certificate("other.example", now_ - std::chrono::days(31));
  const ScriptedServer server(io_, {answer(kOk)}, pair.certificate, pair.key);
  HttpSpec spec = get(server.url());
  spec.tls.verify = false;

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_LT(value_of(result, "certificate_days"), 0);
}

TEST_F(Https, ServerNameOfTheSpecIsVerifiedInsteadOfTheHost) {
  const pki::KeyPairFiles pair = certificate("api.example.com", now_);
  const ScriptedServer server(io_, {answer(kOk)}, pair.certificate, pair.key);
  HttpSpec spec = trusting(server.url());
  spec.tls.server_name = "api.example.com";

  EXPECT_EQ(run_probe(io_, spec).status, Status::ok);
}

TEST_F(Https, ServerWithoutTlsIsATlsFailure) {
  const ScriptedServer server(io_, {{{{"", kOk}}, Script::End::close}});

  const Observation result = run_probe(io_, get("https" + server.url().substr(4)));

  expect_verdict(result, Status::critical, Reason::tls, Phase::tls);
}

TEST_F(Https, SilentHandshakeIsATimeout) {
  const ScriptedServer server(io_, {{{{"", ""}}, Script::End::hold}});

  const Observation result = time_out(io_, get("https" + server.url().substr(4)));

  expect_verdict(result, Status::critical, Reason::timeout, Phase::tls);
}

TEST_F(Https, MissingAuthorityFileIsOurFault) {
  const ScriptedServer server(io_, {answer(kOk)});
  HttpSpec spec = get("https" + server.url().substr(4));
  spec.tls.ca_file = folder_ / "no-such-file";

  expect_verdict(run_probe(io_, spec), Status::unknown, Reason::config, Phase::tls);
}

TEST_F(Https, RedirectDownToHttpIsNotFollowed) {
  const pki::KeyPairFiles pair = certificate("127.0.0.1", now_);
  const ScriptedServer plain(io_, {answer(kOk)});
  const ScriptedServer server(io_, {answer(redirect(plain.url()))}, pair.certificate, pair.key);
  HttpSpec spec = trusting(server.url());
  spec.max_redirects = 1;

  const Observation result = run_probe(io_, spec);

  expect_verdict(result, Status::critical, Reason::status, Phase::transfer);
  EXPECT_TRUE(plain.received().empty());
}

}  // namespace
}  // namespace firebreak
