// A call against a server that is a string: whole, in pieces, cut short, and wrong.
#include "probes/grpc_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/unit/probes/h2_peer.h"

namespace firebreak::probes {
namespace grpc_call_test {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace firebreak::testing;  // NOLINT: the peer's frames
using State = GrpcCall::State;

GrpcRequest a_request() {
  return {false, "host:50051", "/a.B/C", "\x0a\x01x", std::chrono::milliseconds(1500)};
}

State feed(GrpcCall& call, std::string_view bytes, std::size_t piece = SIZE_MAX) {
  while (!bytes.empty() && call.state() == State::talking) {
    call.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return call.state();
}

void expect_failed(const std::string& bytes, Reason reason, const std::string& why) {
  GrpcCall call(a_request());
  ASSERT_EQ(feed(call, bytes), State::failed) << why;
  EXPECT_STREQ(to_string(call.reason()), to_string(reason)) << call.problem();
  EXPECT_THAT(call.problem(), HasSubstr(why));
}

TEST(GrpcCall, SaysTheWholeRequestAtOnce) {
  GrpcCall call(a_request());
  const std::string said = call.take_output();

  EXPECT_THAT(said, StartsWith("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  // The message, behind the header of a DATA frame that ends the stream.
  EXPECT_TRUE(said.ends_with(h2_frame(0, 1, 1, grpc_message("\x0a\x01x"))));
  EXPECT_EQ(call.take_output(), "");
  EXPECT_EQ(call.state(), State::talking);
}

TEST(GrpcCall, ReadsAnAnswerHoweverItIsCut) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{10}}) {
    GrpcCall call(a_request());
    ASSERT_EQ(feed(call, health_answer(), piece), State::done) << call.problem();
    EXPECT_EQ(call.reply().http_status, 200);
    EXPECT_EQ(call.reply().content_type, "application/grpc");
    EXPECT_EQ(call.reply().status, "0");
    EXPECT_EQ(call.reply().data, grpc_message("\x08\x01"));
  }
}

TEST(GrpcCall, HeadersMayComeInSeveralFrames) {
  const std::string fields = h2_fields({{":status", "200"}, {"grpc-status", "12"}});
  const std::string bytes = h2_settings() + h2_frame(1, 1, 1, fields.substr(0, 5)) +
                            h2_frame(9, 0, 1, "") + h2_frame(9, 4, 1, fields.substr(5));
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}}) {
    GrpcCall call(a_request());
    ASSERT_EQ(feed(call, bytes, piece), State::done) << call.problem();
    EXPECT_EQ(call.reply().status, "12");
  }
}

TEST(GrpcCall, ReadsAnErrorWithoutAMessage) {
  GrpcCall call(a_request());
  ASSERT_EQ(feed(call, grpc_error("5", "unknown service")), State::done);
  EXPECT_EQ(call.reply().status, "5");
  EXPECT_EQ(call.reply().status_message, "unknown service");
  EXPECT_EQ(call.reply().data, "");
}

TEST(GrpcCall, AnswersPingsAndSettings) {
  GrpcCall call(a_request());
  (void)call.take_output();
  feed(call, h2_settings() + h2_frame(6, 0, 0, "12345678"));

  EXPECT_EQ(call.take_output(), h2_frame(4, 1, 0, "") + h2_frame(6, 1, 0, "12345678"));
}

TEST(GrpcCall, AnEarlyEndIsAResetWhereverItComes) {
  const std::string answer = health_answer();
  for (std::size_t size = 0; size < answer.size(); ++size) {
    GrpcCall call(a_request());
    ASSERT_EQ(feed(call, std::string_view(answer).substr(0, size)), State::talking) << size;
    ASSERT_EQ(call.end(), State::failed);
    EXPECT_STREQ(to_string(call.reason()), "reset");
    EXPECT_THAT(call.problem(), HasSubstr(size == 0 ? "without an answer" : "in the middle"));
  }
}

TEST(GrpcCall, AServerMayEndTheCall) {
  expect_failed(h2_settings() + h2_reset(7), Reason::status, "REFUSED_STREAM");
  expect_failed(h2_settings() + h2_reset(11), Reason::status, "ENHANCE_YOUR_CALM");
  expect_failed(h2_settings() + h2_reset(2), Reason::reset, "INTERNAL_ERROR");
  expect_failed(h2_settings() + h2_reset(12), Reason::tls, "INADEQUATE_SECURITY");
  expect_failed(h2_settings() + h2_goaway(0, 11, "too_many_pings"), Reason::status,
                "ENHANCE_YOUR_CALM, too_many_pings");
}

TEST(GrpcCall, AFarewellThatIsNotForUsIsWaitedPast) {
  GrpcCall call(a_request());
  const std::string answer = health_answer();
  const std::string settings = h2_settings();
  ASSERT_EQ(feed(call, settings + h2_goaway(1, 0, "") + answer.substr(settings.size())),
            State::done)
      << call.problem();
}

TEST(GrpcCall, AnotherProtocolIsShown) {
  expect_failed("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", Reason::protocol,
                "it begins: HTTP/1.1 400 Bad Request");
  expect_failed("-ERR unknown command 'PRI'\r\n", Reason::protocol, "it begins: -ERR unknown");
  expect_failed(std::string(100, '\0'), Reason::protocol, "not HTTP/2");
  expect_failed(h2_frame(0, 1, 1, "x"), Reason::protocol, "not HTTP/2");
}

TEST(GrpcCall, WhatBreaksTheRulesIsProtocol) {
  const std::string ok = h2_headers({{":status", "200"}});
  expect_failed(h2_settings() + h2_data("early", true), Reason::protocol, "");
  expect_failed(h2_settings() + h2_headers({{":status", "2000"}}, true), Reason::protocol, "");
  expect_failed(h2_settings() + h2_headers({{"no", "status"}}, true), Reason::protocol, "");
  expect_failed(h2_settings() + h2_headers({{":status", "200"}, {"Upper", "x"}}, true),
                Reason::protocol, "");
  expect_failed(h2_settings() + ok + h2_frame(1, 5, 3, h2_fields({{":status", "200"}})),
                Reason::protocol, "");
  expect_failed(h2_settings() + h2_frame(5, 4, 1, std::string(4, '\0')), Reason::protocol, "");
  expect_failed(h2_settings() + h2_frame(1, 4, 1, "\xff\xff\xff\xff\xff\xff"), Reason::protocol,
                "");
}

TEST(GrpcCall, WhatNeverEndsIsBounded) {
  const std::string ok = h2_settings() + h2_headers({{":status", "200"}});
  expect_failed(ok + h2_data(std::string(limits::kGrpcMessageBytesMax + 1, 'x')), Reason::protocol,
                "longer than 4 KiB");
  std::string pings = h2_settings();
  while (pings.size() <= limits::kGrpcReplyBytesMax) pings += h2_frame(6, 1, 0, "12345678");
  expect_failed(pings, Reason::protocol, "64 KiB");
  std::string empty = ok;
  while (empty.size() <= limits::kGrpcReplyBytesMax) empty += h2_data("");
  expect_failed(empty, Reason::protocol, "");
  expect_failed(h2_settings() + h2_headers({{":status", "200"}, {"a", std::string(16'000, 'x')}}) +
                    h2_headers({{"b", std::string(16'000, 'x')}}, true),
                Reason::protocol, "headers longer than 16 KiB");
  // Headers that do not end.
  std::string split = h2_settings() + h2_frame(1, 0, 1, h2_fields({{":status", "200"}}));
  while (split.size() <= limits::kGrpcReplyBytesMax) split += h2_frame(9, 0, 1, "");
  expect_failed(split, Reason::protocol, "");
}

TEST(GrpcCall, TextsAreKeptShort) {
  GrpcCall call(a_request());
  ASSERT_EQ(feed(call, grpc_error("2", std::string(9'000, 'x'))), State::done);
  EXPECT_EQ(call.reply().status_message.size(), limits::kEvidenceBytesMax);
}

}  // namespace grpc_call_test
}  // namespace firebreak::probes
