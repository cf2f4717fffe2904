// No crash and no bad disk makes the journal say that an action did not start when it did.
#include "agent/actuator/journal.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::actuator {
namespace journal_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

constexpr Instant kStart = instant_from_unix_us(1'700'000'000'000'000);

std::vector<Record> some_records() {
  Outcome outcome;
  outcome.id = ActionId("a");
  outcome.state = State::timed_out;
  outcome.exit_code = 3;
  outcome.output = "héllo\n";
  outcome.output_dropped_bytes = 99;
  outcome.took = 1234ms;
  outcome.detail = "killed after 1s";
  return {{kStart, Intent{ActionId("a"), "restart-api", 7}},
          {kStart + 1s, Ended{outcome}},
          {kStart + 2s, EpochSeen{9}},
          {kStart + 3s, Intent{ActionId("b"), "stop-api", 9}},
          {kStart + 4s, Acknowledged{ActionId("a")}}};
}

// The sizes of the journal after its magic line and after each record.
std::vector<std::size_t> whole_sizes(const std::vector<Record>& records) {
  std::vector<std::size_t> sizes;
  for (std::size_t count = 0; count <= records.size(); ++count) {
    sizes.push_back(
        journal_bytes({records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count)})
            .size());
  }
  return sizes;
}

TEST(ReadJournal, ReadsWhatWasWritten) {
  const std::vector<Record> records = some_records();

  const JournalContent content = read_journal(journal_bytes(records));

  EXPECT_EQ(content.records, records);
  EXPECT_EQ(content.damage, "");
}

// Computed by hand, from the format: hosts have such files.
TEST(ReadJournal, IsByteByByteWhatItAlwaysWas) {
  const std::string bytes = journal_bytes(
      {{kStart, Intent{ActionId("a"), "restart-api", 7}}, {kStart + 2s, EpochSeen{9}}});

  const std::string magic = "firebreak actuator journal 1\n";
  ASSERT_TRUE(bytes.starts_with(magic));
  std::string hex;
  for (const char byte : bytes.substr(magic.size()))
    for (const int shift : {4, 0}) hex += "0123456789abcdef"[byte >> shift & 15];
  EXPECT_EQ(hex,
            "0000001d97e6ea3c088080f9c0c1c4820312120a0161120b726573746172742d"
            "6170691807de9c3c060000000bcb1c9549088089f3c1c1c4820328099533df1e");
}

TEST(ReadJournal, CutsATornTailAtEveryByte) {
  const std::vector<Record> records = some_records();
  const std::string bytes = journal_bytes(records);
  const std::vector<std::size_t> sizes = whole_sizes(records);

  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const JournalContent content = read_journal(std::string_view(bytes).substr(0, size));
    const auto whole = static_cast<std::size_t>(std::upper_bound(sizes.begin(), sizes.end(), size) -
                                                sizes.begin());
    EXPECT_EQ(content.damage, "") << size;
    EXPECT_EQ(content.records.size(), whole == 0 ? 0 : whole - 1) << size;
    EXPECT_EQ(content.good_bytes, whole == 0 ? 0 : sizes[whole - 1]) << size;
  }
}

TEST(ReadJournal, NoticesEveryFlippedBit) {
  const std::vector<Record> records = some_records();
  const std::string bytes = journal_bytes(records);

  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      const JournalContent content = read_journal(flipped);
      EXPECT_NE(content.damage, "") << "byte " << at << ", bit " << bit;
      EXPECT_LT(content.records.size(), records.size());
    }
  }
}

TEST(ReadJournal, NoticesAMissingAndARepeatedRecord) {
  const std::vector<Record> records = some_records();
  const std::string bytes = journal_bytes(records);
  const std::vector<std::size_t> sizes = whole_sizes(records);
  const std::string second = bytes.substr(sizes[1], sizes[2] - sizes[1]);

  EXPECT_NE(read_journal(bytes.substr(0, sizes[1]) + bytes.substr(sizes[2])).damage, "");
  EXPECT_NE(read_journal(bytes.substr(0, sizes[2]) + second + bytes.substr(sizes[2])).damage, "");
}

TEST(ReadJournal, TakesTrailingZerosForATornTail) {
  const std::string bytes = journal_bytes(some_records());

  const JournalContent content = read_journal(bytes + std::string(512, '\0'));

  EXPECT_EQ(content.damage, "");
  EXPECT_EQ(content.good_bytes, bytes.size());
}

TEST(ReadJournal, RefusesAnotherFile) {
  EXPECT_EQ(read_journal("#!/bin/sh\n").damage,
            "the first line is not that of an actuator's journal");
}

TEST(Journal, RemembersAcrossOpenings) {
  const TempDir dir;
  {
    auto journal = Journal::open(dir / "state");
    ASSERT_TRUE(journal) << journal.error().message;
    for (const Record& record : some_records()) ASSERT_TRUE(journal->append(record));
  }

  const auto journal = Journal::open(dir / "state");

  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->damage(), "");
  EXPECT_EQ(journal->history().epoch_seen(), 9u);
  EXPECT_THAT(journal->history().running(), ElementsAre(ActionId("b")));
  EXPECT_EQ(read_file(dir / "state/journal"), journal_bytes(some_records()));
}

TEST(Journal, GoesOnAfterATornTailAtEveryByte) {
  const TempDir dir;
  ASSERT_TRUE(Journal::open(dir / "state"));
  const std::vector<Record> records = some_records();
  const std::string bytes = journal_bytes(records);
  const Record more{kStart + 9s, Intent{ActionId("z"), "restart-api", 9}};

  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file(dir / "state/journal", bytes.substr(0, size));
    auto journal = Journal::open(dir / "state");
    ASSERT_TRUE(journal) << journal.error().message;
    ASSERT_TRUE(journal->append(more)) << size;
    const JournalContent content = read_journal(read_file(dir / "state/journal"));
    ASSERT_EQ(content.damage, "") << size;
    ASSERT_EQ(content.records.back(), more) << size;
  }
}

TEST(Journal, LeavesADamagedFileAloneAndRefusesToWrite) {
  const TempDir dir;
  ASSERT_TRUE(Journal::open(dir / "state"));
  std::string bytes = journal_bytes(some_records());
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);
  write_file(dir / "state/journal", bytes);

  auto journal = Journal::open(dir / "state");

  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_THAT(
      journal->damage(),
      HasSubstr("/state/journal is damaged: the content of a record has changed, at byte "));
  EXPECT_NE(journal->history().find(ActionId("a")), nullptr) << "what stands before is still read";
  EXPECT_FALSE(journal->append(some_records()[0]));
  EXPECT_FALSE(journal->compact(kStart));
  EXPECT_EQ(read_file(dir / "state/journal"), bytes);
}

TEST(Journal, CompactsToTheSameHistory) {
  const TempDir dir;
  auto journal = Journal::open(dir / "state");
  ASSERT_TRUE(journal) << journal.error().message;
  for (const Record& record : some_records()) ASSERT_TRUE(journal->append(record));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(journal->append({kStart + 5s, EpochSeen{9}}));
  const std::vector<Record> before = journal->history().records();

  ASSERT_TRUE(journal->compact(kStart + 6s));

  EXPECT_EQ(journal->size_bytes(), journal_bytes(before).size());
  ASSERT_TRUE(journal->append({kStart + 7s, EpochSeen{12}}));
  const JournalContent content = read_journal(read_file(dir / "state/journal"));
  EXPECT_EQ(content.damage, "");
  EXPECT_EQ(content.records.size(), before.size() + 1);
}

TEST(Journal, IsHeldByOneProcessAtATime) {
  const TempDir dir;
  const auto first = Journal::open(dir / "state");
  ASSERT_TRUE(first) << first.error().message;

  const auto second = Journal::open(dir / "state");

  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("does another actuator use it?"));
}

TEST(Journal, RefusesAFolderThatOthersMayWrite) {
  const TempDir dir;
  ASSERT_EQ(::mkdir((dir / "state").c_str(), 0700), 0);
  ASSERT_EQ(::chmod((dir / "state").c_str(), 0770), 0);

  const auto journal = Journal::open(dir / "state");

  ASSERT_FALSE(journal);
  EXPECT_THAT(journal.error().message, HasSubstr("writable by nobody else"));
}

}  // namespace journal_test
}  // namespace firebreak::actuator
