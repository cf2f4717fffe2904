// What is written can be read back, and nothing else can.
#include "agent/spool/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::spool {
namespace {

Header a_header() {
  return {Lane::news,
          42,
          0xfeedULL,
          "0b8c2b0e-8a0c-4a4e-9a61-000000000001",
          Duration{5000},
          WallTime{Duration{1'795'230'000'000'000}},
          100,
          98};
}

Entry an_entry(std::uint64_t seq) {
  Entry entry;
  entry.seq = seq;
  entry.lane = Lane::news;
  entry.ref = 7;
  entry.key = std::make_shared<const ProbeKey>(ProbeKey{ServiceName{"api"}, ProbeName{"health"}});
  entry.confirmed = false;
  entry.started = Duration{4000};  // before the file was made
  entry.observation.status = Status::critical;
  entry.observation.reason = Reason::timeout;
  entry.observation.phase = Phase::connect;
  entry.observation.latency = Duration{1234567};
  entry.observation.values = {{"status", 503}, {"length", -0.5}};
  entry.observation.evidence = std::string("no connection \x1b[2J \xff", 19);
  return entry;
}

void expect_same(const Entry& a, const Entry& b) {
  EXPECT_EQ(a.seq, b.seq);
  EXPECT_EQ(a.lane, b.lane);
  EXPECT_EQ(a.ref, b.ref);
  ASSERT_NE(b.key, nullptr);
  EXPECT_EQ(*a.key, *b.key);
  EXPECT_EQ(a.confirmed, b.confirmed);
  EXPECT_EQ(a.started, b.started);
  EXPECT_EQ(a.observation, b.observation);
}

TEST(SpoolFormat, NamesSortAsTheirNumbersAndReadBack) {
  EXPECT_EQ(segment_name(Lane::healthy, 42), "000000000000002a-healthy.spool");
  EXPECT_LT(segment_name(Lane::news, 9), segment_name(Lane::fault, 0x10));
  for (const Lane lane : kLanes) {
    const auto parsed = parse_segment_name(segment_name(lane, 1ULL << 62));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->lane, lane);
    EXPECT_EQ(parsed->number, 1ULL << 62);
  }
  for (const char* name :
       {"", "2a-healthy.spool", "000000000000002A-healthy.spool", "000000000000002a-other.spool",
        "000000000000002a-healthy.spool2", "damaged-000000000000002a-healthy.spool", "epoch"})
    EXPECT_FALSE(parse_segment_name(name)) << name;
}

TEST(SpoolFormat, AHeaderSurvivesTheLossOfAnyByte) {
  const Header header = a_header();
  const std::string bytes = encode_header(header);
  ASSERT_EQ(bytes.size(), kHeaderBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    const auto read = decode_header(damaged);
    ASSERT_TRUE(read) << i;
    EXPECT_EQ(*read, header) << i;
  }
}

TEST(SpoolFormat, HalfAHeaderIsEnoughAndLessIsNone) {
  const std::string bytes = encode_header(a_header());
  EXPECT_TRUE(decode_header(bytes.substr(0, kHeaderBytes / 2)));
  for (std::size_t i = 0; i < kHeaderBytes / 2; ++i)
    EXPECT_FALSE(decode_header(bytes.substr(0, i))) << i;
  EXPECT_FALSE(decode_header(std::string(kHeaderBytes, '\0')));
}

TEST(SpoolFormat, RecordsReadBack) {
  SegmentEncoder encoder(a_header());
  std::string bytes;
  encoder.add(an_entry(100), bytes);
  const std::size_t first = bytes.size();
  encoder.add(Acked{99}, bytes);
  const std::size_t second = bytes.size();

  SegmentDecoder decoder(a_header());
  ASSERT_EQ(SegmentDecoder::record_size(bytes), first);
  const auto entry = decoder.decode(std::string_view(bytes).substr(0, first));
  ASSERT_TRUE(entry);
  expect_same(an_entry(100), std::get<Entry>(*entry));
  ASSERT_EQ(SegmentDecoder::record_size(std::string_view(bytes).substr(first)), second - first);
  const auto acked = decoder.decode(std::string_view(bytes).substr(first));
  ASSERT_TRUE(acked);
  EXPECT_EQ(std::get<Acked>(*acked), Acked{99});
}

TEST(SpoolFormat, TwoRecordsNameASeriesAndTheRestAreShort) {
  SegmentEncoder encoder(a_header());
  std::array<std::string, 4> records;
  for (std::size_t i = 0; i < records.size(); ++i) encoder.add(an_entry(100 + i), records.at(i));
  EXPECT_EQ(records[0].size(), records[1].size());
  EXPECT_EQ(records[2].size() + 2 + 3 + 6, records[1].size());  // lengths, "api", "health"
  EXPECT_EQ(records[3].size(), records[2].size());

  SegmentDecoder from_second(a_header());
  ASSERT_TRUE(from_second.decode(records[1]));
  const auto third = from_second.decode(records[2]);
  ASSERT_TRUE(third);
  expect_same(an_entry(102), std::get<Entry>(*third));

  SegmentDecoder from_third(a_header());
  const auto anonymous = from_third.decode(records[2]);
  ASSERT_TRUE(anonymous);
  EXPECT_TRUE(SegmentDecoder::is_anonymous(std::get<Entry>(*anonymous)));
}

TEST(SpoolFormat, NoDamagedByteGoesUnseen) {
  SegmentEncoder encoder(a_header());
  std::string bytes;
  encoder.add(an_entry(100), bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      SegmentDecoder decoder(a_header());
      const auto size = SegmentDecoder::record_size(damaged);
      const bool is_whole = size == damaged.size();
      EXPECT_FALSE(is_whole && decoder.decode(damaged)) << i << " " << bit;
    }
  }
}

TEST(SpoolFormat, ARecordOfAnotherFileIsNone) {
  SegmentEncoder encoder(a_header());
  std::string bytes;
  encoder.add(an_entry(100), bytes);
  Header other = a_header();
  other.number = 43;
  EXPECT_FALSE(SegmentDecoder(other).decode(bytes));
}

TEST(SpoolFormat, WhatNoAgentCanHaveWrittenIsNotReadThoughItsChecksumIsRight) {
  const auto is_read = [](const auto& change) {
    Header header = a_header();
    change(header);
    return static_cast<bool>(decode_header(encode_header(header)));
  };
  EXPECT_TRUE(is_read([](Header&) {}));
  EXPECT_FALSE(is_read([](Header& header) { header.base_seq = 0; }));
  EXPECT_FALSE(is_read([](Header& header) { header.base_seq = UINT64_MAX; }));
  EXPECT_FALSE(is_read([](Header& header) { header.acked = UINT64_MAX; }));
  EXPECT_FALSE(is_read([](Header& header) { header.monotonic = Duration::max(); }));
  EXPECT_FALSE(is_read([](Header& header) { header.wall = WallTime{Duration::min()}; }));
  EXPECT_FALSE(parse_segment_name("ffffffffffffffff-news.spool"));

  // The writer of another header than the reader's: what stands in the record is far off.
  Header far = a_header();
  far.monotonic = -Duration(1LL << 60);
  std::string bytes;
  SegmentEncoder(far).add(an_entry(a_header().base_seq), bytes);
  EXPECT_FALSE(SegmentDecoder(a_header()).decode(bytes));
  bytes.clear();
  SegmentEncoder(a_header()).add(Acked{UINT64_MAX}, bytes);
  EXPECT_FALSE(SegmentDecoder(a_header()).decode(bytes));
}

TEST(SpoolFormat, ZerosAreNoRecord) {
  EXPECT_FALSE(SegmentDecoder::record_size(std::string(64, '\0')));
  EXPECT_FALSE(SegmentDecoder::record_size(std::string(7, 'x')));
}

}  // namespace
}  // namespace firebreak::spool
