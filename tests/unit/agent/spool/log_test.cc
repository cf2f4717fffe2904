// Nothing that became durable is lost, but at the bounds; no number is given twice.
#include "agent/spool/log.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_files.h"

namespace firebreak::spool {
namespace log_test {

using firebreak::testing::FakeFiles;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = FakeFiles::Fault;
using Survives = FakeFiles::Survives;
using std::chrono::hours;
using std::chrono::seconds;

constexpr std::uint64_t kIncarnation = 77;
constexpr std::size_t kAll = 1'000'000;

Now now_at(Duration since_boot, std::string boot = "boot-1") {
  return {std::move(boot), hours(10000), hours(10000) + since_boot,
          WallTime{Duration{1'795'230'000'000'000} + since_boot}};
}

Entry an_entry(std::uint64_t seq, Lane lane = Lane::healthy, const char* probe = "health") {
  Entry entry;
  entry.seq = seq;
  entry.lane = lane;
  entry.ref = static_cast<std::uint32_t>(probe[0]);
  entry.key = std::make_shared<const ProbeKey>(ProbeKey{ServiceName{"api"}, ProbeName{probe}});
  entry.started = hours(10000) + seconds(seq);
  entry.observation.status = lane == Lane::healthy ? Status::ok : Status::critical;
  entry.observation.latency = Duration{static_cast<std::int64_t>(seq)};
  return entry;
}

std::vector<std::uint64_t> seqs(const std::vector<Entry>& entries) {
  std::vector<std::uint64_t> all;
  for (const Entry& entry : entries) all.push_back(entry.seq);
  return all;
}

class SpoolLog : public ::testing::Test {
 protected:
  void open(Now now = now_at({}), LogLimits limits = {}) {
    log_.reset();
    auto opened = Log::open(files_, limits, now, kIncarnation);
    ASSERT_TRUE(opened) << opened.error().message;
    log_.emplace(*std::move(opened));
  }
  void append(std::vector<Entry> entries) {
    const auto done = log_->append(entries, now_at(seconds(entries.back().seq)));
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<std::uint64_t> read(std::uint64_t from = 1) {
    const auto page = log_->read(from, kAll);
    EXPECT_TRUE(page) << page.error().message;
    return page ? seqs(page->entries) : std::vector<std::uint64_t>{};
  }

  FakeFiles files_;
  std::optional<Log> log_;
};

TEST_F(SpoolLog, StartsEmptyUnderAFreshName) {
  open();
  EXPECT_EQ(log_->incarnation(), kIncarnation);
  EXPECT_EQ(log_->next_seq(), 1U);
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_EQ(log_->counts().kept, 0U);
}

TEST_F(SpoolLog, GivesBackInOrderWhateverTheLane) {
  open();
  append({an_entry(1), an_entry(2, Lane::news), an_entry(3, Lane::fault), an_entry(4)});
  append({an_entry(5, Lane::fault), an_entry(6)});

  const auto page = log_->read(1, kAll);
  ASSERT_TRUE(page);
  EXPECT_THAT(seqs(page->entries), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(page->up_to, 6U);
  EXPECT_EQ(page->entries[1].observation.status, Status::critical);
  EXPECT_EQ(page->entries[1].key->probe.str(), "health");
  EXPECT_EQ(page->entries[5].started, an_entry(6).started);
}

TEST_F(SpoolLog, ReadsInPiecesAndGoesOnWithWhatIsNew) {
  open();
  append({an_entry(1), an_entry(2, Lane::news), an_entry(3)});
  EXPECT_THAT(seqs(log_->read(1, 2)->entries), ElementsAre(1, 2));
  append({an_entry(4)});
  EXPECT_THAT(seqs(log_->read(3, 1)->entries), ElementsAre(3));
  EXPECT_THAT(seqs(log_->read(4, 9)->entries), ElementsAre(4));
  EXPECT_THAT(read(5), IsEmpty());
  append({an_entry(5, Lane::fault)});
  EXPECT_THAT(read(5), ElementsAre(5));
  EXPECT_THAT(read(2), ElementsAre(2, 3, 4, 5));
}

TEST_F(SpoolLog, OneFlushPerLane) {
  open();
  append({an_entry(1)});
  const auto before = files_.syncs();
  append({an_entry(2), an_entry(3), an_entry(4)});
  EXPECT_EQ(files_.syncs(), before + 1);
}

TEST_F(SpoolLog, OutlivesARestartUnderTheSameName) {
  open();
  append({an_entry(1), an_entry(2, Lane::news)});
  log_->ack(1);
  append({an_entry(3, Lane::fault, "queue")});
  files_.crash(Survives::nothing);
  auto opened = Log::open(files_, {}, now_at(seconds(9)), 99);
  ASSERT_TRUE(opened);
  log_.emplace(*std::move(opened));

  EXPECT_EQ(log_->incarnation(), kIncarnation);
  EXPECT_EQ(log_->next_seq(), 4U);
  EXPECT_EQ(log_->acked(), 1U);
  EXPECT_THAT(read(2), ElementsAre(2, 3));
  const auto series = log_->take_series();
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series.at('q')->probe.str(), "queue");
  EXPECT_THAT(log_->take_notices(), IsEmpty());
}

TEST_F(SpoolLog, AnAckRemovesWholeSegmentsButNeverTheMemoryOfTheNumbers) {
  open(now_at({}), {limits::kSpoolBytesMin, hours(1000)});
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) append({an_entry(seq)});
  const std::size_t before = files_.list()->size();
  ASSERT_GT(before, 2U);
  log_->ack(2000);
  EXPECT_EQ(files_.list()->size(), 1U);
  EXPECT_EQ(log_->counts().kept, 0U);
  EXPECT_EQ(log_->counts().dropped, 0U);

  files_.crash(Survives::nothing);
  open();
  EXPECT_EQ(log_->next_seq(), 2001U);
}

TEST_F(SpoolLog, TheHighestNumberIsRememberedWhicheverLaneHasIt) {
  for (const Lane highest : kLanes) {
    files_ = FakeFiles();
    open();
    for (const Lane lane : kLanes)
      if (lane != highest) append({an_entry(log_->next_seq(), lane)});
    append({an_entry(3, highest)});
    for (int life = 0; life < 3; ++life) {
      log_->ack(3);
      files_.crash(Survives::all);  // what was removed is gone
      open();
      EXPECT_EQ(log_->next_seq(), 4U) << life;
    }
  }
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(SpoolLog, AtTheBoundTheOldestHealthyGoFirstAndNewsStays) {
  open(now_at({}), {limits::kSpoolBytesMin, hours(100000)});
  std::uint64_t seq = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Entry> entries;
    for (int i = 0; i < 200; ++i) entries.push_back(an_entry(++seq));
    entries.push_back(an_entry(++seq, Lane::fault));
    entries.push_back(an_entry(++seq, Lane::news));
    append(std::move(entries));
    ASSERT_LE(log_->counts().bytes, limits::kSpoolBytesMin);
  }
  std::vector<std::uint64_t> kept = read();
  std::array<std::size_t, 3> count{};
  std::uint64_t oldest_healthy = 0;
  for (const std::uint64_t each : kept) {
    const auto lane = each % 202 == 0 ? 2U : each % 202 == 201 ? 1U : 0U;
    ++count.at(lane);
    if (lane == 0 && oldest_healthy == 0) oldest_healthy = each;
  }
  EXPECT_EQ(count[2], 300U);
  EXPECT_EQ(count[1], 300U);
  EXPECT_GT(oldest_healthy, 1000U);
  EXPECT_GT(count[0], 10000U);
  EXPECT_EQ(log_->counts().dropped, seq - kept.size());
  EXPECT_EQ(log_->counts().kept, kept.size());
}

TEST_F(SpoolLog, WhenOnlyNewsIsLeftTheOldestOfItGoes) {
  open(now_at({}), {limits::kSpoolBytesMin, hours(100000)});
  std::uint64_t seq = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Entry> entries;
    for (int i = 0; i < 100; ++i) entries.push_back(an_entry(++seq, Lane::news));
    append(std::move(entries));
  }
  const auto kept = read();
  EXPECT_LE(log_->counts().bytes, limits::kSpoolBytesMin);
  EXPECT_EQ(kept.back(), seq);
  EXPECT_EQ(kept.size(), seq - kept.front() + 1);
  EXPECT_EQ(log_->counts().dropped, kept.front() - 1);
}

TEST_F(SpoolLog, WhatIsTooOldGoes) {
  open(now_at({}), {limits::kSpoolBytesDefault, seconds(100)});
  append({an_entry(1), an_entry(2, Lane::news)});
  append({an_entry(103)});
  EXPECT_THAT(read(), ElementsAre(1, 103));  // in one file with what is young
  EXPECT_EQ(log_->counts().dropped, 1U);
  files_.crash(Survives::nothing);
  open(now_at(seconds(300)), {limits::kSpoolBytesDefault, seconds(100)});
  append({an_entry(301)});
  EXPECT_THAT(read(), ElementsAre(301));
}

TEST_F(SpoolLog, ManySmallFilesCountAsWhatTheyTakeOfTheDisk) {
  for (std::uint64_t seq = 1; seq <= 300; ++seq) {
    open(now_at({}), {limits::kSpoolBytesMin, hours(100000)});
    append({an_entry(seq)});
  }
  EXPECT_LE(files_.list()->size(), limits::kSpoolBytesMin / 4096);
}

// --- Failing disks -------------------------------------------------------------------------------

TEST_F(SpoolLog, AFullDiskRefusesAndRecoversByItself) {
  open();
  append({an_entry(1)});
  files_.set_capacity(files_.bytes_used() + 10);
  const std::vector<Entry> more{an_entry(2), an_entry(3, Lane::news)};
  for (int i = 0; i < 3; ++i) {
    const auto refused = log_->append(more, now_at({}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
    EXPECT_THAT(read(), ElementsAre(1));
  }
  files_.set_capacity(std::nullopt);
  append(more);
  EXPECT_THAT(read(), ElementsAre(1, 2, 3));
  files_.crash(Survives::nothing);
  open();
  EXPECT_THAT(read(), ElementsAre(1, 2, 3));
}

TEST_F(SpoolLog, AFullDiskTakesNewsInThePlaceOfOldHealthWhenAsked) {
  open(now_at({}), {limits::kSpoolBytesMin, hours(100000)});
  for (std::uint64_t seq = 1; seq <= 2000; ++seq) append({an_entry(seq)});
  files_.set_capacity(files_.bytes_used());
  const std::vector<Entry> news{an_entry(2001, Lane::news)};
  ASSERT_FALSE(log_->append(news, now_at({})));
  EXPECT_EQ(log_->counts().dropped, 0U);

  ASSERT_TRUE(log_->append(news, now_at({}), true));
  EXPECT_GT(log_->counts().dropped, 0U);
  EXPECT_EQ(read().back(), 2001U);
}

TEST_F(SpoolLog, AfterAFailedFlushTheFileIsNotTrusted) {
  open();
  append({an_entry(1)});
  files_.fail_syncs(1);
  const std::vector<Entry> more{an_entry(2), an_entry(3)};
  ASSERT_FALSE(log_->append(more, now_at({})));
  append(more);  // to another file: the kernel would say yes to the first
  EXPECT_EQ(files_.list()->size(), 2U);
  files_.crash(Survives::nothing);
  open();
  EXPECT_THAT(read(), ElementsAre(1, 2, 3));
}

TEST_F(SpoolLog, EntriesOfAFailedFlushThatSurviveAreNotDoubled) {
  open();
  append({an_entry(1)});
  // The flush fails, and so does cutting off what it was about.
  files_.plan({Fault::refuse, files_.operations() + 2, 2});
  const std::vector<Entry> more{an_entry(2), an_entry(3)};
  ASSERT_FALSE(log_->append(more, now_at({})));
  append(more);
  EXPECT_EQ(log_->counts().kept, 3U);
  files_.crash(Survives::all);
  open();
  EXPECT_THAT(read(), ElementsAre(1, 2, 3));
  EXPECT_EQ(log_->counts().kept, 3U);
}

// Every operation fails once, in each way; what append() said yes to is there afterwards.
void crash_everywhere(Survives survives, Fault fault) {
  for (std::uint64_t at = 1;; ++at) {
    FakeFiles files(at);
    files.plan({fault, at, 1});
    std::set<std::uint64_t> durable;
    std::uint64_t acked = 0;
    std::uint64_t highest = 0;  // that was ever durable, so perhaps sent
    bool met = false;
    for (int life = 0; life < 4; ++life) {
      auto log =
          Log::open(files, {limits::kSpoolBytesMin, hours(100000)}, now_at({}), kIncarnation);
      if (log) {
        EXPECT_GT(log->next_seq(), highest) << at;
        const auto page = log->read(log->acked() + 1, kAll);
        if (page) {
          const auto found = seqs(page->entries);
          for (const std::uint64_t seq : durable)
            EXPECT_TRUE(seq <= acked || std::count(found.begin(), found.end(), seq) == 1)
                << "operation " << at << ", life " << life << ": " << seq;
        }
        std::uint64_t seq = log->next_seq();
        for (int flush = 0; flush < 3 && !files.has_crashed(); ++flush) {
          const std::vector<Entry> entries{an_entry(seq), an_entry(seq + 1, Lane::news),
                                           an_entry(seq + 2, Lane::fault), an_entry(seq + 3)};
          bool done = false;
          for (int again = 0; again < 2 && !done; ++again)
            done = static_cast<bool>(log->append(entries, now_at({})));
          seq += 4;
          if (!done) continue;
          for (const Entry& entry : entries) durable.insert(entry.seq);
          highest = entries.back().seq;
          if (flush == 1) log->ack(acked = entries.front().seq);
        }
      }
      met = files.operations() >= at;
      files.crash(life % 2 == 0 ? survives : Survives::nothing);
    }
    if (!met) return;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(SpoolLogCrash, NoStepLosesWhatWasDurable) {
  crash_everywhere(Survives::nothing, Fault::crash);
}
TEST(SpoolLogCrash, NoKillLosesWhatWasDurable) {
  crash_everywhere(Survives::all, Fault::crash);
}
TEST(SpoolLogCrash, NoTornWriteDoes) {
  crash_everywhere(Survives::torn, Fault::crash);
}
TEST(SpoolLogCrash, NoScrambledBlockDoes) {
  crash_everywhere(Survives::scrambled, Fault::crash);
}
TEST(SpoolLogCrash, NoErrorDoes) {
  crash_everywhere(Survives::nothing, Fault::refuse);
}
TEST(SpoolLogCrash, NoFullDiskDoes) {
  crash_everywhere(Survives::torn, Fault::full);
}

// --- Damage --------------------------------------------------------------------------------------

class SpoolDamage : public SpoolLog {
 protected:
  void SetUp() override {
    open();
    append({an_entry(1), an_entry(2), an_entry(3), an_entry(4), an_entry(5), an_entry(6)});
    name_ = files_.list()->front();
    good_ = files_.bytes(name_);
  }
  // Opens with these bytes in the one file.
  std::vector<std::uint64_t> read_with(const std::string& bytes) {
    files_ = FakeFiles();
    EXPECT_TRUE(files_.append(name_, bytes));
    files_.flush_all();
    open(now_at(seconds(10)));
    return read();
  }
  std::string name_;
  std::string good_;
};

TEST_F(SpoolDamage, ACutAtAnyByteLosesOnlyWhatIsBehindIt) {
  std::vector<std::size_t> ends{kHeaderBytes};
  while (ends.back() < good_.size())
    ends.push_back(ends.back() +
                   *SegmentDecoder::record_size(std::string_view(good_).substr(ends.back())));
  ASSERT_EQ(ends.size(), 7U);
  for (std::size_t cut = kHeaderBytes; cut <= good_.size(); ++cut) {
    const auto whole = static_cast<std::size_t>(
        std::count_if(ends.begin() + 1, ends.end(), [&](std::size_t end) { return end <= cut; }));
    EXPECT_EQ(read_with(good_.substr(0, cut)).size(), whole) << cut;
    EXPECT_GT(log_->next_seq(), whole);
    EXPECT_EQ(log_->take_notices().empty(), cut == ends[whole]) << cut;
    EXPECT_EQ(log_->counts().damaged, 0U) << cut;  // a crash is no damage

    open(now_at(seconds(11)));  // and it was cut off for good
    EXPECT_EQ(read().size(), whole) << cut;
    EXPECT_THAT(log_->take_notices(), IsEmpty()) << cut;
  }
}

TEST_F(SpoolDamage, AFileCutInItsHeaderIsNone) {
  for (std::size_t cut = 0; cut < kHeaderBytes / 2; ++cut) {
    EXPECT_THAT(read_with(good_.substr(0, cut)), IsEmpty()) << cut;
    append({an_entry(log_->next_seq())});
  }
}

TEST_F(SpoolDamage, AFlippedByteCostsOneRecordAndIsNoticed) {
  for (std::size_t at = 0; at < good_.size(); ++at) {
    std::string damaged = good_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    const auto left = read_with(damaged);
    EXPECT_EQ(left.size(), at < kHeaderBytes ? 6U : 5U) << at;
    EXPECT_GT(log_->next_seq(), 6U) << at;  // the last one may have been sent
    if (at < kHeaderBytes) continue;
    const auto notices = log_->take_notices();
    ASSERT_EQ(notices.size(), 1U) << at;
    EXPECT_EQ(notices[0].file, name_);
    EXPECT_LE(notices[0].offset, at);
    EXPECT_LT(at, notices[0].offset + 100);
  }
}

TEST_F(SpoolDamage, ADamagedFileIsKeptForAPersonUnlessItIsATail) {
  std::string damaged = good_;
  damaged[kHeaderBytes + 20] = static_cast<char>(damaged[kHeaderBytes + 20] ^ 1);
  EXPECT_EQ(read_with(damaged).size(), 5U);
  EXPECT_EQ(log_->counts().damaged, 1U);
  EXPECT_EQ(files_.bytes("damaged-" + name_), damaged);
}

TEST_F(SpoolDamage, EvidenceIsBounded) {
  files_ = FakeFiles();
  open();
  for (std::uint64_t i = 0; i < 10; ++i) {
    append({an_entry(1 + 3 * i), an_entry(2 + 3 * i), an_entry(3 + 3 * i)});
    std::string newest;
    for (const std::string& name : *files_.list())
      if (parse_segment_name(name)) newest = name;
    files_.bytes(newest)[kHeaderBytes + 20] ^= 1;
    open();
  }
  std::size_t copies = 0;
  for (const std::string& name : *files_.list())
    if (name.starts_with("damaged-")) ++copies;
  EXPECT_LE(copies, limits::kSpoolEvidenceFilesMax);
  EXPECT_GT(copies, 0U);
  EXPECT_EQ(read().size(), 20U);
}

TEST_F(SpoolDamage, WithoutAHeaderTheFileIsSetAsideAndItsNumbersAreNotGivenAgain) {
  std::string damaged = good_;
  for (const std::size_t at : {std::size_t{9}, kHeaderBytes / 2 + 9})
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
  EXPECT_THAT(read_with(damaged), IsEmpty());
  EXPECT_GT(log_->next_seq(), 6U);
  const auto notices = log_->take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices[0].what, HasSubstr("header"));
  EXPECT_EQ(files_.bytes("damaged-" + name_), damaged);
  const std::uint64_t next = log_->next_seq();
  files_.crash(Survives::nothing);
  open();
  EXPECT_GE(log_->next_seq(), next);
}

// A lane that is seldom written: its last good record is far below the highest number of all.
TEST_F(SpoolLog, ADamagedEndOfASparseLaneDoesNotGiveItsNumberAgain) {
  open();
  append({an_entry(1, Lane::news)});
  for (std::uint64_t seq = 2; seq < 400; ++seq) append({an_entry(seq)});
  append({an_entry(400, Lane::news)});
  std::string sparse;
  for (const std::string& name : *files_.list())
    if (name.find("news") != std::string::npos) sparse = name;
  ASSERT_FALSE(sparse.empty());
  files_.bytes(sparse).back() ^= 1;

  open();

  EXPECT_GT(log_->next_seq(), 400U);
}

// What it held is proven by a file of nothing but a header, which is destroyed as well.
TEST_F(SpoolLog, ADamagedProofOfADamagedFileDoesNotGiveItsNumbersAgain) {
  open();
  append({an_entry(1, Lane::fault), an_entry(2, Lane::news)});
  for (int life = 0; life < 3; ++life) {
    std::string newest;
    for (const std::string& name : *files_.list())
      if (!name.starts_with("damaged-") && !name.ends_with("fault.spool")) newest = name;
    ASSERT_FALSE(newest.empty());
    files_.bytes(newest)[20] ^= 1;
    files_.bytes(newest)[kHeaderBytes / 2 + 20] ^= 1;

    open();

    EXPECT_GT(log_->next_seq(), 2U) << life << " " << newest;
  }
}

// The acknowledgement behind it is whole, and says nothing about numbers.
TEST_F(SpoolLog, DamageBeforeALastAcknowledgementDoesNotGiveItsNumberAgain) {
  open();
  append({an_entry(1), an_entry(2)});
  const std::string name = files_.list()->front();
  const std::size_t before = files_.bytes(name).size();
  log_->ack(1);
  append({an_entry(3)});  // and the acknowledgement
  ASSERT_EQ(files_.list()->size(), 1U);
  files_.bytes(name)[before + 10] ^= 1;

  open();
  const std::uint64_t next = log_->next_seq();
  EXPECT_GT(next, 3U);
  EXPECT_EQ(log_->acked(), 1U);
  ASSERT_EQ(read().size(), 2U);

  open();
  EXPECT_EQ(log_->next_seq(), next) << "what is known by now does not grow";
  EXPECT_EQ(log_->acked(), 1U);
}

TEST_F(SpoolDamage, DamageFoundWhileReadingIsNoticedOnce) {
  files_.bytes(name_)[kHeaderBytes + 20] ^= 1;
  EXPECT_EQ(read().size(), 5U);
  EXPECT_EQ(read().size(), 5U);
  EXPECT_EQ(log_->take_notices().size(), 1U);
  EXPECT_EQ(log_->counts().damaged, 1U);
}

TEST_F(SpoolDamage, OtherFilesInTheFolderAreLeftAlone) {
  ASSERT_TRUE(files_.append("notes.txt", "mine"));
  open();
  EXPECT_EQ(files_.bytes("notes.txt"), "mine");
  EXPECT_EQ(read().size(), 6U);
}

// --- Time ----------------------------------------------------------------------------------------

TEST_F(SpoolLog, WithinABootTimesStayWhateverTheWallClockDoes) {
  open();
  append({an_entry(5)});
  Now later = now_at(seconds(100));
  later.wall -= hours(24);
  open(later);
  EXPECT_EQ(log_->read(1, 9)->entries[0].started, an_entry(5).started);
}

TEST_F(SpoolLog, AfterARebootTheWallClockSaysHowOldAResultIs) {
  open();
  append({an_entry(5)});
  Now after = now_at(seconds(20), "boot-2");
  after.wall = now_at(seconds(5)).wall + seconds(300);
  open(after);
  EXPECT_EQ(after.monotonic - log_->read(1, 9)->entries[0].started, seconds(300));
}

TEST_F(SpoolLog, AfterARebootWithTheClockSetBackAResultDoesNotLookFresh) {
  open();
  append({an_entry(5)});
  Now after = now_at(seconds(20), "boot-2");
  after.wall = WallTime{};
  open(after);
  EXPECT_GE(after.monotonic - log_->read(1, 9)->entries[0].started, hours(1));
}

// --- A folder that is older than it should be ----------------------------------------------------

TEST_F(SpoolLog, ANewIncarnationStartsFromOneAndTheOldIsGone) {
  open();
  append({an_entry(1), an_entry(2, Lane::news)});
  log_->begin_incarnation(78);
  EXPECT_EQ(log_->counts().dropped, 2U);
  EXPECT_EQ(log_->next_seq(), 1U);
  append({an_entry(1, Lane::fault)});
  files_.crash(Survives::nothing);
  open();
  EXPECT_EQ(log_->incarnation(), 78U);
  EXPECT_THAT(read(), ElementsAre(1));
}

}  // namespace log_test
}  // namespace firebreak::spool
