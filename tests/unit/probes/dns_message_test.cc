// Queries and answers of DNS, good and hostile.
#include "probes/dns_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "common/probe_spec.h"
#include "tests/unit/probes/dns_bytes.h"

namespace firebreak::probes {
namespace dns_message_test {
namespace {

using testing::dns_labels;
using testing::dns_record;
using testing::dns_reply;
using testing::dns_word;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kDnsFine;
using testing::kDnsTruncated;
using testing::kToQuestion;

constexpr std::uint16_t kId = 0x1234;
const std::string kAddress("\xc0\x00\x02\x01", 4);

DnsQuestion question(const std::string& type, const std::string& name = "www.example.com") {
  return {name, dns_type_number(type)};
}

Result<DnsAnswer> parse(const DnsQuestion& asked, unsigned count, const std::string& records,
                        unsigned flags = kDnsFine) {
  return parse_dns_answer(dns_reply(dns_query(kId, asked), flags, count, records), kId, asked);
}

// The data of one record of that type.
std::string data_of(const std::string& type, const std::string& data) {
  const auto answer =
      parse(question(type), 1, dns_record(kToQuestion, dns_type_number(type), data));
  if (!answer) return answer.error().message;
  return answer->records.at(0).data;
}

TEST(DnsMessage, AQueryIsAHeaderAndAQuestion) {
  EXPECT_EQ(dns_query(kId, question("MX")),
            std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12) +
                dns_labels("www.example.com") + dns_word(15) + dns_word(1));
  EXPECT_EQ(dns_query(kId, question("NS", ".")).substr(12), std::string("\0\0\x02\0\x01", 5));
}

TEST(DnsMessage, NamesHaveOneForm) {
  EXPECT_EQ(dns_name("WWW.Example.com.", 1), "www.example.com");
  EXPECT_EQ(dns_name(".", 2), ".");
  EXPECT_EQ(dns_name("192.0.2.7", 12), "7.2.0.192.in-addr.arpa");
  EXPECT_EQ(dns_name("2001:db8::1", 12),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  EXPECT_EQ(dns_name("192.0.2.7", 1), "192.0.2.7");
}

TEST(DnsMessage, OnlyWhatFitsIsAName) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  for (const std::string& good :
       {std::string("."), std::string("a"), std::string("_sip._tcp.a."), longest, longest + "."})
    EXPECT_TRUE(is_dns_name(good)) << good;
  for (const std::string& bad : {std::string(), std::string(".."), std::string(".a"),
                                 std::string("a..b"), std::string("a b"), std::string("a\\b"),
                                 std::string("\xc3\xa4"), label + "a.b", longest + "a"})
    EXPECT_FALSE(is_dns_name(bad)) << bad;
}

TEST(DnsMessage, EveryTypeIsReadAsZoneFilesHaveIt) {
  EXPECT_EQ(data_of("A", kAddress), "192.0.2.1");
  EXPECT_EQ(data_of("AAAA", std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01"),
            "2001:db8::1");
  EXPECT_EQ(data_of("CNAME", dns_labels("Other.Example")), "other.example");
  EXPECT_EQ(data_of("NS", kToQuestion), "www.example.com");
  EXPECT_EQ(data_of("PTR", dns_labels("")), ".");
  EXPECT_EQ(data_of("MX", dns_word(10) + "\x02mx\xc0\x10"), "10 mx.example.com");
  EXPECT_EQ(data_of("SRV", dns_word(1) + dns_word(2) + dns_word(5060) + dns_labels("sip")),
            "1 2 5060 sip");
  EXPECT_EQ(data_of("TXT", std::string("\x03"
                                       "a b\x00\x02\"c",
                                       8)),
            "a b\"c");
  EXPECT_EQ(data_of("SOA", dns_labels("ns") + dns_labels("root") + std::string(3, '\0') + "\x07" +
                               std::string(12, '\0') + std::string("\xff\xff\xff\xff", 4)),
            "ns root 7 0 0 0 4294967295");
}

TEST(DnsMessage, StrangeBytesOfANameAreEscaped) {
  EXPECT_EQ(data_of("CNAME", std::string("\x04"
                                         "a.\\\x00\x01\x1b\x00",
                                         8)),
            "a\\046\\092\\000.\\027");
}

TEST(DnsMessage, DataThatDoesNotFitIsBroken) {
  const std::string broken = "a broken answer: one of its records";
  EXPECT_EQ(data_of("A", "abc"), broken);
  EXPECT_EQ(data_of("AAAA", kAddress), broken);
  EXPECT_EQ(data_of("CNAME", dns_labels("a") + "x"), broken);
  EXPECT_EQ(data_of("MX", "\x01"), broken);
  EXPECT_EQ(data_of("TXT",
                    "\x05"
                    "abc"),
            broken);
  EXPECT_EQ(data_of("TXT", ""), broken);
  EXPECT_EQ(data_of("SOA", dns_labels("ns") + dns_labels("root")), broken);
}

TEST(DnsMessage, ANameEndsWhereverItsPointersLead) {
  // The record's data begins at offset 45.
  const std::string to_itself("\xc0\x2d");
  const std::string forward("\xc0\x2e\x00", 3);
  const std::string into_the_header("\xc0\x00", 2);
  const std::string out_of_the_message("\xff\xff");
  const std::string no_such_label("\x80\x0c");
  for (const std::string& data :
       {to_itself, forward, std::string("\1a") + to_itself, into_the_header, out_of_the_message,
        no_such_label, std::string("\x3f"), std::string()})
    EXPECT_EQ(data_of("CNAME", data), "a broken answer: one of its records");
}

TEST(DnsMessage, ChainsOfPointersDoNotGrowANameBeyondItsBound) {
  const DnsQuestion asked = question("TXT", "a");
  // Each record's name is a label of 63 bytes and a pointer to the record before.
  std::string records;
  std::size_t previous = 12;
  std::size_t at = 12 + 3 + 4;
  for (int i = 0; i < 6; ++i) {
    const std::string name =
        "\x3f" + std::string(63, 'b') + dns_word(static_cast<unsigned>(0xc000 | previous));
    const std::string record = dns_record(name, 16, std::string("\x01x"));
    records += record;
    previous = at;
    at += record.size();
  }

  EXPECT_TRUE(parse(asked, 3, records));
  EXPECT_FALSE(parse(asked, 6, records));
}

TEST(DnsMessage, WhatDoesNotAnswerTheQuestionIsWaitedPast) {
  const DnsQuestion asked = question("A");
  const std::string good = dns_reply(dns_query(kId, asked), kDnsFine, 0, "");
  ASSERT_TRUE(parse_dns_answer(good, kId, asked));
  const std::string others[] = {
      "",
      "random bytes of some server",
      good.substr(0, 11),
      dns_query(kId, asked),
      dns_reply(dns_query(kId + 1, asked), kDnsFine, 0, ""),
      dns_reply(dns_query(kId, question("A", "www.example.org")), kDnsFine, 0, ""),
      dns_reply(dns_query(kId, question("AAAA")), kDnsFine, 0, ""),
      dns_reply(dns_query(kId, asked), kDnsFine | 0x2800, 0, ""),  // another opcode
      good.substr(0, 4) + dns_word(0) + good.substr(6),            // no question
  };
  for (const std::string& other : others) {
    const auto answer = parse_dns_answer(other, kId, asked);
    ASSERT_FALSE(answer) << other;
    EXPECT_EQ(answer.error().code, Errc::not_found) << answer.error().message;
  }
}

TEST(DnsMessage, CaseOfTheQuestionDoesNotMatter) {
  const DnsQuestion asked = question("A");
  const std::string reply =
      dns_reply(dns_query(kId, question("A", "WwW.eXample.com")), kDnsFine, 0, "");

  EXPECT_TRUE(parse_dns_answer(reply, kId, asked));
}

TEST(DnsMessage, AServerThatCannotReadMayLeaveTheQuestionOut) {
  const auto answer =
      parse_dns_answer(dns_word(kId) + dns_word(0x8001) + std::string(8, '\0'), kId, question("A"));

  ASSERT_TRUE(answer);
  EXPECT_EQ(dns_rcode_name(answer->rcode), "FORMERR");
}

TEST(DnsMessage, ATruncatedAnswerIsNotRead) {
  const auto answer = parse(question("A"), 5, "garbage", kDnsTruncated);

  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->truncated);
  EXPECT_TRUE(answer->records.empty());
}

TEST(DnsMessage, ManyRecordsAreRefusedAndMissingOnesBroken) {
  const std::string record = dns_record(kToQuestion, 1, kAddress);
  std::string most;
  for (std::size_t i = 0; i < limits::kDnsAnswersMax; ++i) most += record;

  EXPECT_TRUE(parse(question("A"), limits::kDnsAnswersMax, most));
  EXPECT_FALSE(parse(question("A"), limits::kDnsAnswersMax + 1, most + record));
  const auto cut = parse(question("A"), 2, record);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Errc::corrupt);
}

TEST(DnsMessage, AliasesLeadToTheAnswer) {
  const DnsQuestion asked = question("A");
  const std::string records = dns_record(dns_labels("b"), 1, kAddress, 30) +
                              dns_record(kToQuestion, 5, dns_labels("a")) +
                              dns_record(dns_labels("a"), 5, dns_labels("B")) +
                              dns_record(dns_labels("stranger"), 1, kAddress);
  const auto answer = parse(asked, 4, records);
  ASSERT_TRUE(answer) << answer.error().message;

  const auto found = records_for(*answer, asked);

  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], (DnsRecord{"b", 1, 30, "192.0.2.1"}));
}

TEST(DnsMessage, ACircleOfAliasesHasAnEnd) {
  const DnsQuestion asked = question("A");
  const auto answer = parse(
      asked, 2,
      dns_record(kToQuestion, 5, dns_labels("a")) + dns_record(dns_labels("a"), 5, kToQuestion));
  ASSERT_TRUE(answer) << answer.error().message;

  EXPECT_TRUE(records_for(*answer, asked).empty());
}

TEST(DnsMessage, ExpectedDataMayBeSpelledFreely) {
  EXPECT_EQ(dns_data("2001:DB8:0::1", 28), "2001:db8::1");
  EXPECT_EQ(dns_data("10  Mail.Example.com.", 15), "10 mail.example.com");
  EXPECT_EQ(dns_data("a  B.", 16), "a  B.");
  EXPECT_EQ(dns_data(".", 2), ".");
  EXPECT_EQ(dns_data("no address", 1), "no address");
}

TEST(DnsMessage, EveryWordHasItsNumber) {
  for (const std::string& type : dns_types()) EXPECT_NE(dns_type_number(type), 0) << type;
  EXPECT_EQ(dns_type_number("ANY"), 0);
  EXPECT_EQ(dns_rcode_name(3), "NXDOMAIN");
  EXPECT_EQ(dns_rcode_name(5), "REFUSED");
  EXPECT_EQ(dns_rcode_name(15), "RCODE15");
}

TEST(DnsMessage, ServersComeFromTheSystem) {
  EXPECT_THAT(nameservers_of("# nameserver 10.0.0.9\nsearch example.com\nnameserver 10.0.0.1\r\n"
                             "nameserver\t::1 # local\nnameserver x\nnameservers 10.0.0.8"),
              ElementsAre("10.0.0.1", "::1"));
  EXPECT_THAT(nameservers_of(""), ElementsAre("127.0.0.1"));
  EXPECT_EQ(nameservers_of("nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
                           "nameserver 10.0.0.4\n")
                .size(),
            3U);
}

}  // namespace
}  // namespace dns_message_test
}  // namespace firebreak::probes
