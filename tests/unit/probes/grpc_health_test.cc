// What the answers of a health service mean.
#include "probes/grpc_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/probes/h2_peer.h"

namespace firebreak::probes {
namespace grpc_health_test {

using firebreak::testing::grpc_message;
using ::testing::HasSubstr;

GrpcReply answered(const std::string& message) {
  return {200, "application/grpc", "0", "", grpc_message(message)};
}

GrpcReply refused(const std::string& status, const std::string& message = "why") {
  return {200, "application/grpc", status, message, ""};
}

void expect_judged(const GrpcReply& reply, Reason reason, const std::string& evidence) {
  const HealthVerdict verdict = judge_health(reply);
  EXPECT_EQ(verdict.status, reason == Reason::none ? Status::ok : Status::critical) << evidence;
  EXPECT_STREQ(to_string(verdict.reason), to_string(reason)) << verdict.evidence;
  EXPECT_THAT(verdict.evidence, HasSubstr(evidence));
}

TEST(GrpcHealth, AsksForAService) {
  EXPECT_EQ(health_request(""), "");
  EXPECT_EQ(health_request("shop.Cart"), std::string("\x0a\x09shop.Cart"));
  const std::string longer(200, 's');
  EXPECT_EQ(health_request(longer), "\x0a\xc8\x01" + longer);
}

TEST(GrpcHealth, JudgesServingStatuses) {
  expect_judged(answered("\x08\x01"), Reason::none, "");
  expect_judged(answered("\x08\x02"), Reason::status, "NOT_SERVING");
  expect_judged(answered("\x08\x03"), Reason::missing, "SERVICE_UNKNOWN");
  expect_judged(answered(std::string("\x08\0", 2)), Reason::status, "UNKNOWN");
  expect_judged(answered(""), Reason::status, "UNKNOWN");
  expect_judged(answered("\x08\x09"), Reason::protocol, "serving status 9");
}

TEST(GrpcHealth, FieldsOfALaterVersionAreReadPast) {
  const std::string later = std::string("\x12\x02hi\x18\x96\x01\x25\1\2\3\4\x29\1\2\3\4\5\6\7\x08");
  expect_judged(answered(later + "\x08\x02\x08\x01"), Reason::none, "");
}

TEST(GrpcHealth, WhatIsNoMessageIsProtocol) {
  for (const std::string& message :
       {std::string("\x08"), std::string("\x12\x09hi"), std::string("\x0b"), std::string("\x12"),
        std::string(11, '\xff'), "\x08" + std::string(11, '\xff')})
    expect_judged(answered(message), Reason::protocol, "not a HealthCheckResponse");
  GrpcReply reply = answered("\x08\x01");
  reply.data.pop_back();
  expect_judged(reply, Reason::protocol, "a message of 2 bytes in 1");
  reply.data += "\x01" + reply.data;
  expect_judged(reply, Reason::protocol, "a message of 2 bytes in");
  reply.data = "\x01" + reply.data.substr(1);
  expect_judged(reply, Reason::protocol, "compressed");
  reply.data = "abcd";
  expect_judged(reply, Reason::protocol, "no message");
}

TEST(GrpcHealth, JudgesStatusCodes) {
  expect_judged(refused("5"), Reason::missing, "NOT_FOUND: why");
  expect_judged(refused("12"), Reason::protocol, "UNIMPLEMENTED: why");
  expect_judged(refused("14"), Reason::status, "UNAVAILABLE: why");
  expect_judged(refused("4"), Reason::timeout, "DEADLINE_EXCEEDED: why");
  expect_judged(refused("16"), Reason::auth, "UNAUTHENTICATED: why");
  expect_judged(refused("7"), Reason::auth, "PERMISSION_DENIED: why");
  expect_judged(refused("8", ""), Reason::status, "RESOURCE_EXHAUSTED");
  for (const char* code : {"17", "-1", "x", "1 ", "99999999999999999999"})
    expect_judged(refused(code), Reason::protocol, "grpc-status '");
}

TEST(GrpcHealth, MessagesAreDecoded) {
  expect_judged(refused("2", "100%25 of %C3%A4 %zz %4"), Reason::status,
                "UNKNOWN: 100% of \xC3\xA4 %zz %4");
}

TEST(GrpcHealth, WithoutAStatusHttpDecides) {
  const auto http = [](int status) { return GrpcReply{status, "text/html", "", "", ""}; };
  expect_judged(http(200), Reason::protocol, "content-type 'text/html'");
  expect_judged(http(404), Reason::protocol, "HTTP 404");
  expect_judged(http(401), Reason::auth, "HTTP 401");
  expect_judged(http(403), Reason::auth, "HTTP 403");
  expect_judged(http(503), Reason::status, "HTTP 503");
}

}  // namespace grpc_health_test
}  // namespace firebreak::probes
