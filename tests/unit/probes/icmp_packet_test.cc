// Echo requests, replies to them and what is none, and what many of them mean.
#include "probes/icmp_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::probes {
namespace icmp_packet_test {
namespace {

using std::chrono::milliseconds;

constexpr EchoCookie kCookie = {'c', 'o', 'o', 'k', 'i', 'e', ' ', 'o',
                                'f', ' ', 's', 'i', 'x', 't', 'e', 'n'};

std::string reply_to(std::string request, bool v6) {
  request[0] = v6 ? static_cast<char>(129) : '\0';
  return request;
}

TEST(EchoPacket, ARequestHasItsHeaderItsCookieAndItsSize) {
  const std::string v4 = echo_request(false, 0x0102, kCookie, 56);
  const std::string v6 = echo_request(true, 3, kCookie, 0);

  EXPECT_EQ(v4.size(), 8U + 56U);
  EXPECT_EQ(v4.substr(0, 8), std::string("\x08\0\0\0\0\0\x01\x02", 8));
  EXPECT_EQ(v4.substr(8, 16), "cookie of sixten");
  EXPECT_EQ(v6.size(), 8U + 16U);
  EXPECT_EQ(static_cast<unsigned char>(v6[0]), 128);
}

TEST(EchoPacket, AReplyTellsItsNumber) {
  for (const bool v6 : {false, true})
    EXPECT_EQ(parse_echo_reply(v6, reply_to(echo_request(v6, 0xfffe, kCookie, 56), v6), kCookie),
              0xfffe);
}

TEST(EchoPacket, WhatIsNoReplyHasNone) {
  const std::string request = echo_request(false, 1, kCookie, 56);
  const std::string good = reply_to(request, false);
  std::string other_code = good;
  other_code[1] = 1;
  std::string other_cookie = good;
  other_cookie[23] = 'x';
  std::string unreachable = good;
  unreachable[0] = 3;
  ASSERT_TRUE(parse_echo_reply(false, good, kCookie));
  for (const std::string& packet : {request, other_code, other_cookie, unreachable, std::string(),
                                    good.substr(0, 8), good.substr(0, 23)})
    EXPECT_FALSE(parse_echo_reply(false, packet, kCookie));
  EXPECT_FALSE(parse_echo_reply(true, good, kCookie));
}

EchoTally tally(int sent, std::vector<Duration> round_trips) {
  return {sent, std::move(round_trips)};
}

TEST(EchoTally, CountsWhatWasLost) {
  EXPECT_EQ(tally(0, {}).loss_percent(), 0);
  EXPECT_EQ(tally(3, {}).loss_percent(), 100);
  EXPECT_EQ(tally(4, {milliseconds(1), milliseconds(4), milliseconds(4)}).loss_percent(), 25);
  EXPECT_EQ(tally(4, {milliseconds(1), milliseconds(4), milliseconds(4)}).mean(), milliseconds(3));
  EXPECT_EQ(tally(4, {}).mean(), Duration::zero());
}

TEST(EchoTally, OnlyMoreThanALimitCrossesIt) {
  const EchoTally seen = tally(4, {milliseconds(10), milliseconds(30), milliseconds(20)});
  const auto verdict = [&seen](const auto& limit) {
    IcmpSpec spec;
    limit(spec);
    return judge_echo(seen, spec).verdict;
  };

  EXPECT_EQ(verdict([](IcmpSpec&) {}), EchoVerdict::fine);
  EXPECT_EQ(verdict([](IcmpSpec& spec) { spec.loss_warning = 25; }), EchoVerdict::fine);
  EXPECT_EQ(verdict([](IcmpSpec& spec) { spec.loss_warning = 24; }), EchoVerdict::warning);
  EXPECT_EQ(verdict([](IcmpSpec& spec) { spec.rtt_warning = milliseconds(20); }),
            EchoVerdict::fine);
  EXPECT_EQ(verdict([](IcmpSpec& spec) { spec.rtt_warning = milliseconds(19); }),
            EchoVerdict::warning);
  EXPECT_EQ(verdict([](IcmpSpec& spec) {
              spec.rtt_warning = milliseconds(1);
              spec.loss_critical = 0;
            }),
            EchoVerdict::critical);
  EXPECT_EQ(verdict([](IcmpSpec& spec) { spec.rtt_critical = milliseconds(1); }),
            EchoVerdict::critical);
}

TEST(EchoTally, AVerdictSaysWhy) {
  IcmpSpec spec;
  spec.loss_critical = 0;

  EXPECT_EQ(judge_echo(tally(3, {milliseconds(10), milliseconds(20)}), spec).evidence,
            "1 of 3 packets lost, mean round trip 15 ms");
}

}  // namespace
}  // namespace icmp_packet_test
}  // namespace firebreak::probes
