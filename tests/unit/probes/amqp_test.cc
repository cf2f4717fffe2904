// A RabbitMQ as it speaks, byte by byte, and as it should not.
#include "probes/amqp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::probes {
namespace amqp_test {

using State = AmqpTalk::State;
using ::testing::HasSubstr;

std::string bytes_of(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}
std::string text_of(const std::string& text, int size_bytes) {
  return bytes_of(static_cast<std::uint32_t>(text.size()), size_bytes) + text;
}
std::string frame(std::uint32_t channel, std::uint32_t of_class, std::uint32_t method,
                  const std::string& fields) {
  return "\x01" + bytes_of(channel, 2) +
         text_of(bytes_of(of_class, 2) + bytes_of(method, 2) + fields, 4) + "\xce";
}

std::string start(const std::string& mechanisms = "AMQPLAIN PLAIN") {
  return frame(0, 10, 10,
               bytes_of(9, 2) + text_of("", 4) + text_of(mechanisms, 4) + text_of("en_US", 4));
}
std::string tune() {
  return frame(0, 10, 30, bytes_of(2047, 2) + bytes_of(131072, 4) + bytes_of(60, 2));
}
std::string opened() {
  return frame(0, 10, 41, text_of("", 1));
}
std::string channel() {
  return frame(1, 20, 11, text_of("", 4));
}
std::string declared(std::uint32_t messages, std::uint32_t consumers) {
  return frame(1, 50, 11, text_of("jobs", 1) + bytes_of(messages, 4) + bytes_of(consumers, 4));
}
std::string close(bool of_connection, std::uint32_t code, const std::string& text) {
  return frame(of_connection ? 0 : 1, of_connection ? 10 : 20, of_connection ? 50 : 40,
               bytes_of(code, 2) + text_of(text, 1) + bytes_of(0, 4));
}
std::string closed() {
  return frame(0, 10, 51, "");
}
const std::string kHeartbeat("\x08\0\0\0\0\0\0\xce", 8);

AmqpTalk a_talk() {
  return AmqpTalk({"probe", "right", "/", "jobs"});
}

// In pieces; what was said meanwhile.
std::string play(AmqpTalk& talk, const std::string& bytes, std::size_t piece = 1u << 20) {
  std::string said = talk.take_output();
  for (std::size_t at = 0; at < bytes.size() && talk.state() != State::done; at += piece) {
    talk.feed(std::string_view(bytes).substr(at, piece));
    said += talk.take_output();
  }
  return said;
}

TEST(Amqp, CountsAndLeavesPolitely) {
  const std::string bytes =
      start() + tune() + kHeartbeat + opened() + channel() + declared(7, 2) + kHeartbeat + closed();
  std::string whole;
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    AmqpTalk talk = a_talk();
    const std::string said = play(talk, bytes, piece);
    EXPECT_EQ(talk.state(), State::done) << piece;
    ASSERT_TRUE(talk.counts()) << talk.problem();
    EXPECT_EQ(talk.counts()->messages, 7u);
    EXPECT_EQ(talk.counts()->consumers, 2u);
    EXPECT_EQ(talk.reason(), Reason::none);
    if (piece > 1) {
      EXPECT_EQ(said, whole) << piece;
    }
    whole = said;
  }
  EXPECT_EQ(whole.substr(0, 8), std::string("AMQP\0\0\x09\x01", 8));
  EXPECT_THAT(whole, HasSubstr(text_of(std::string("\0probe\0right", 12), 4)));
  EXPECT_THAT(whole,
              HasSubstr(frame(0, 10, 31, bytes_of(1, 2) + bytes_of(131072, 4) + bytes_of(0, 2))));
  EXPECT_THAT(whole, HasSubstr(frame(
                         1, 50, 10,
                         bytes_of(0, 2) + text_of("jobs", 1) + bytes_of(1, 1) + bytes_of(0, 4))));
}

TEST(Amqp, AnswerIsThereBeforeTheGoodBye) {
  AmqpTalk talk = a_talk();

  play(talk, start() + tune() + opened() + channel() + declared(0, 0));

  EXPECT_EQ(talk.state(), State::closing);
  ASSERT_TRUE(talk.counts());
  EXPECT_EQ(talk.counts()->messages, 0u);
}

struct Refusal {
  std::string bytes;
  Reason reason;
  const char* problem;
};

TEST(Amqp, EachNoHasItsReason) {
  const std::string login = start();
  const std::string open = login + tune();
  const std::string declare = open + opened() + channel();
  for (const Refusal& each : {
           Refusal{login + close(true, 403, "ACCESS_REFUSED - Login was refused"), Reason::auth,
                   "403 ACCESS_REFUSED - Login was refused"},
           Refusal{open + close(true, 530, "NOT_ALLOWED - vhost x not found"), Reason::missing,
                   "530 NOT_ALLOWED - vhost x not found"},
           Refusal{open + close(true, 530, "NOT_ALLOWED - access to vhost 'x' refused"),
                   Reason::auth, "530 NOT_ALLOWED - access to vhost 'x' refused"},
           Refusal{open + close(true, 320, "CONNECTION_FORCED - shutdown"), Reason::status,
                   "320 CONNECTION_FORCED - shutdown"},
           Refusal{declare + close(false, 404, "NOT_FOUND - no queue 'jobs'"), Reason::missing,
                   "404 NOT_FOUND - no queue 'jobs'"},
           Refusal{declare + close(false, 403, "ACCESS_REFUSED - no"), Reason::status,
                   "403 ACCESS_REFUSED - no"},
           Refusal{start("AMQPLAIN XPLAIN"), Reason::auth,
                   "the server does not take PLAIN, only: AMQPLAIN XPLAIN"},
       }) {
    AmqpTalk talk = a_talk();
    play(talk, each.bytes, 1);
    EXPECT_NE(talk.state(), State::talking) << each.problem;
    EXPECT_EQ(talk.reason(), each.reason) << each.problem;
    EXPECT_EQ(talk.problem(), each.problem);
    EXPECT_FALSE(talk.counts());
  }
}

TEST(Amqp, ClosesAreConfirmed) {
  AmqpTalk refused = a_talk();
  AmqpTalk missing = a_talk();

  EXPECT_THAT(play(refused, start() + close(true, 403, "no")), HasSubstr(closed()));
  EXPECT_EQ(refused.state(), State::done);
  EXPECT_THAT(
      play(missing, start() + tune() + opened() + channel() + close(false, 404, "no")),
      HasSubstr(frame(0, 10, 50, bytes_of(200, 2) + text_of("Goodbye", 1) + bytes_of(0, 4))));
  EXPECT_EQ(missing.state(), State::closing);
  play(missing, closed());
  EXPECT_EQ(missing.state(), State::done);
  EXPECT_EQ(missing.reason(), Reason::missing);
}

TEST(Amqp, AnythingElseIsNotAmqp) {
  std::string without_end = start();
  without_end.back() = 'x';
  std::string other = start();
  other[11] = 1;  // version 1.9
  for (const std::string& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n"), std::string("AMQP\0\1\0\0", 8), without_end,
        other, tune(), start() + start(), start() + frame(0, 10, 30, ""),
        start() + tune() + opened() + channel() + frame(1, 50, 11, "\x09"),
        std::string("\x01\0\0\x7f\xff\xff\xff", 7), std::string("\x01\0\0\0\0\0\0\xce", 8),
        std::string("\x03\0\0\0\0\0\0\xce", 8), std::string("\x09\0\0\0\0\0\0\xce", 8)}) {
    AmqpTalk talk = a_talk();
    play(talk, bytes, 1);
    EXPECT_EQ(talk.state(), State::done) << talk.problem();
    EXPECT_EQ(talk.reason(), Reason::protocol) << talk.problem();
    EXPECT_NE(talk.problem(), "");
  }
}

TEST(Amqp, WhatAnotherServerSaysIsShown) {
  AmqpTalk talk = a_talk();

  play(talk, "HTTP/1.1 400 Bad Request\r\n", 3);

  EXPECT_EQ(talk.problem(), "not AMQP: HTTP/1.");
}

TEST(Amqp, EndlessChatterIsCutOff) {
  std::string chatter;
  while (chatter.size() <= limits::kAmqpSeenBytesMax) chatter += kHeartbeat;
  AmqpTalk talk = a_talk();

  play(talk, chatter, 4096);

  EXPECT_EQ(talk.state(), State::done);
  EXPECT_EQ(talk.reason(), Reason::protocol);
}

}  // namespace amqp_test
}  // namespace firebreak::probes
