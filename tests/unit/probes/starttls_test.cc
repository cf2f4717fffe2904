// What servers say before TLS, good and hostile.
#include "probes/starttls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "common/probe_spec.h"

namespace firebreak::probes {
namespace {

using State = StartTls::State;
using ::testing::HasSubstr;

// Feeds one line after another; what was said meanwhile.
std::string say(StartTls& talk, const std::vector<std::string>& pieces) {
  std::string said = talk.take_output();
  for (const std::string& piece : pieces) {
    talk.feed(piece);
    said += talk.take_output();
  }
  return said;
}

void expect_failure(const std::string& protocol, const std::vector<std::string>& pieces,
                    Reason reason, const std::string& problem) {
  SCOPED_TRACE(protocol + ": " + pieces.back());
  StartTls talk(protocol);
  say(talk, pieces);
  EXPECT_EQ(talk.state(), State::failed);
  EXPECT_STREQ(to_string(talk.reason()), to_string(reason)) << talk.problem();
  EXPECT_THAT(talk.problem(), HasSubstr(problem));
}

TEST(StartTls, SmtpAsksWhatIsOfferedAndThenForIt) {
  StartTls talk("smtp");

  const std::string said = say(
      talk, {"220-mail.example.com\r\n220 ESMTP\r\n", "250-mail.example.com\r\n250-SIZE 1000\r\n",
             "250 StartTLS\r\n", "220 go ahead\r\n"});

  EXPECT_EQ(talk.state(), State::ready) << talk.problem();
  EXPECT_EQ(said, "EHLO [127.0.0.1]\r\nSTARTTLS\r\n");
}

TEST(StartTls, ImapWaitsForItsOwnAnswer) {
  StartTls talk("imap");

  const std::string said = say(talk, {"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
                                      "* CAPABILITY IMAP4rev1\r\n", "a1 OK begin\r\n"});

  EXPECT_EQ(talk.state(), State::ready) << talk.problem();
  EXPECT_EQ(said, "a1 STARTTLS\r\n");
}

TEST(StartTls, PostgresAnswersWithOneByte) {
  StartTls talk("postgres");

  EXPECT_EQ(say(talk, {"S"}), std::string("\x00\x00\x00\x08\x04\xd2\x16\x2f", 8));
  EXPECT_EQ(talk.state(), State::ready);
}

TEST(StartTls, EveryProtocolComesByteByByte) {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"smtp", "220 x\r\n250-y\r\n250 STARTTLS\r\n220 go\r\n"},
      {"imap", "* OK x\na1 OK\n"},
      {"postgres", "S"}};
  ASSERT_EQ(answers.size(), starttls_protocols().size());
  for (const auto& [protocol, bytes] : answers) {
    StartTls talk(protocol);
    for (const char byte : bytes) {
      ASSERT_EQ(talk.state(), State::talking) << protocol;
      talk.feed(std::string_view(&byte, 1));
    }
    EXPECT_EQ(talk.state(), State::ready) << protocol << ": " << talk.problem();
  }
}

TEST(StartTls, ANoHasItsReason) {
  expect_failure("smtp", {"220 x\r\n", "250 x\r\n"}, Reason::tls, "does not offer");
  expect_failure("smtp", {"220 x\r\n", "250 STARTTLSX\r\n"}, Reason::tls, "does not offer");
  expect_failure("smtp", {"220 x\r\n", "250 STARTTLS\r\n", "454 not now\r\n"}, Reason::tls,
                 "454 not now");
  expect_failure("smtp", {"554 go away\r\n"}, Reason::status, "554 go away");
  expect_failure("smtp", {"220 x\r\n", "421 busy\r\n"}, Reason::status, "421 busy");
  expect_failure("imap", {"* PREAUTH hello\r\n"}, Reason::tls, "too late");
  expect_failure("imap", {"* BYE full\r\n"}, Reason::status, "full");
  expect_failure("imap", {"* OK\r\n", "* BYE now\r\n"}, Reason::status, "now");
  expect_failure("imap", {"* OK\r\n", "a1 BAD what\r\n"}, Reason::tls, "a1 BAD what");
  expect_failure("postgres", {"N"}, Reason::tls, "does not speak TLS");
  expect_failure("postgres", {"Ecould not fork\n"}, Reason::status, "could not fork");
}

TEST(StartTls, AnotherProtocolIsToldApart) {
  for (const char* line : {"SSH-2.0-OpenSSH\r\n", "22\r\n", "220x\r\n", "\r\n", "22a \r\n"})
    expect_failure("smtp", {line}, Reason::protocol, "not an answer of SMTP");
  for (const char* line : {"220 x\r\n", "* OKAY\r\n", "\r\n"})
    expect_failure("imap", {line}, Reason::protocol, "not a greeting of IMAP");
  expect_failure("imap", {"* OK\r\n", "+ more\r\n"}, Reason::protocol, "not an answer of IMAP");
  expect_failure("postgres", {"HTTP/1.1 400"}, Reason::protocol, "HTTP/1.1 400");
}

TEST(StartTls, WordsInTheClearBehindTheGoAheadAreRefused) {
  const std::string injected = "220 go\r\n250 injected\r\n";
  expect_failure("smtp", {"220 x\r\n", "250 STARTTLS\r\n", injected}, Reason::protocol,
                 "250 injected");
  expect_failure("imap", {"* OK\r\n", "a1 OK\r\na2 OK\r\n"}, Reason::protocol, "a2 OK");
  expect_failure("postgres", {"SS"}, Reason::protocol, "in the clear");
}

TEST(StartTls, AnEndlessGreetingIsCutOff) {
  for (const char* piece : {"x", "220-mail\r\n", "* OK\r\n* x\r\n"}) {
    StartTls talk(*piece == '*' ? "imap" : "smtp");
    std::size_t bytes = 0;
    while (talk.state() == State::talking) {
      talk.feed(piece);
      bytes += std::string_view(piece).size();
      ASSERT_LE(bytes, limits::kStartTlsBytesMax + 16);
    }
    EXPECT_EQ(talk.reason(), Reason::protocol);
  }
}

}  // namespace
}  // namespace firebreak::probes
