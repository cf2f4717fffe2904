// A store that is only read: from its journal's beginning, from a snapshot, also while it is used.
#include "coordinator/store/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/core/step.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/digest.h"
#include "coordinator/store/snapshot_file.h"
#include "tests/support/temp_dir.h"

namespace firebreak::store::recording {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kBegin = instant_from_unix_us(1'795'230'000'000'000);

Result<std::shared_ptr<const policy::Policy>> compile_text(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::failed_precondition, loaded.problems);
  return std::move(loaded.policy);
}

class RecordingTest : public ::testing::Test {
 protected:
  RecordingTest() {
    auto opened = open_sqlite(folder_ / "coordinator.db", compile_text);
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
    epoch_ = *store_->take_leadership();
  }
  void write(const core::Event& event, Instant at, int times = 1) {
    Transaction transaction;
    transaction.epoch = epoch_;
    for (int i = 0; i < times; ++i) {
      core::step(state_, event, at);
      transaction.journal.push_back({++position_, at, event});
    }
    const auto done = store_->commit(transaction);
    ASSERT_TRUE(done) << done.error().message;
  }
  // Each row but the first two holds two entries.
  void write_night(int rows = 100) {
    write(core::Started{epoch_}, kBegin);
    write(core::PolicyChanged{*compile_text({{"p.yaml", "severities: {P1: {}}\n"}}), "mia"},
          kBegin + 1s);
    for (int i = 2; i < rows; ++i) write(core::Tick{}, kBegin + i * 1s, 2);
  }
  Result<Recording> open() { return Recording::open(folder_.path(), compile_text); }

  testing::TempDir folder_;
  std::unique_ptr<Store> store_;
  std::uint64_t epoch_ = 0;
  std::uint64_t position_ = 0;
  core::State state_;
};

TEST_F(RecordingTest, GivesEveryEntryWhileTheStoreIsInUse) {
  write_night(520);  // more than are read at once
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  auto start = recording->start_before(kBegin + 5s);
  ASSERT_TRUE(start) << start.error().message;
  EXPECT_EQ(start->position, 0U);
  std::uint64_t expected = 0;
  const auto replayed = recording->replay(0, [&](JournalEntry entry) -> Result<bool> {
    EXPECT_EQ(entry.position, ++expected);
    core::step(start->state, entry.event, entry.at);
    return true;
  });

  ASSERT_TRUE(replayed) << replayed.error().message;
  EXPECT_EQ(expected, position_);
  EXPECT_EQ(digest(start->state), digest(state_));
  write(core::Tick{}, kBegin + 1h);
}

TEST_F(RecordingTest, EndsWhenItsReaderHasEnough) {
  write_night(520);
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  std::uint64_t seen = 0;
  const auto replayed =
      recording->replay(0, [&](const JournalEntry&) -> Result<bool> { return ++seen < 7; });

  EXPECT_TRUE(replayed) << replayed.error().message;
  EXPECT_EQ(seen, 7U);
}

TEST_F(RecordingTest, BeginsAtTheNewestSnapshotBeforeTheTime) {
  write_night();
  ASSERT_TRUE(store_->save_snapshot(state_, ""));
  store_.reset();
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  const auto later = recording->start_before(kBegin + 2h);
  ASSERT_TRUE(later) << later.error().message;
  EXPECT_EQ(later->position, position_);
  EXPECT_EQ(later->state.policy_history.size(), 1U);
  const auto earlier = recording->start_before(kBegin + 10s);
  ASSERT_TRUE(earlier) << earlier.error().message;
  EXPECT_EQ(earlier->position, 0U);
}

TEST_F(RecordingTest, SaysFromWhenOnThePastIsKept) {
  write_night();
  ASSERT_TRUE(store_->save_snapshot(state_, ""));
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "coordinator.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(
                db, "DELETE FROM journal WHERE position <= 100; UPDATE trimmed SET position = 100",
                nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  const auto start = recording->start_before(kBegin + 10s);

  ASSERT_FALSE(start);
  EXPECT_THAT(start.error().message, HasSubstr("the past is kept whole only from"));
}

TEST_F(RecordingTest, KeepsASnapshotOfEachOfTheLastDays) {
  write(core::Started{epoch_}, kBegin);
  for (int hour = 1; hour <= 120; ++hour) {
    write(core::Tick{}, kBegin + hour * 1h);
    if (hour % 6 != 0) continue;
    ASSERT_TRUE(store_->save_snapshot(state_, ""));
    store_.reset();  // when it is on the disk
    store_ = std::move(*open_sqlite(folder_ / "coordinator.db", compile_text));
    epoch_ = *store_->take_leadership();
  }
  store_.reset();
  EXPECT_EQ(list_snapshots(folder_.path()).size(), 2U);
  EXPECT_EQ(list_past_snapshots(folder_.path()).size(), kPastSnapshotsMax);
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  const auto yesterday = recording->start_before(kBegin + 96h);

  ASSERT_TRUE(yesterday) << yesterday.error().message;
  EXPECT_GE(yesterday->at, kBegin + 48h);
  EXPECT_LE(yesterday->at, kBegin + 96h);
}

TEST_F(RecordingTest, RefusesWhatIsDamagedAsTheDoctorDoes) {
  write_night();
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ / "coordinator.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE journal SET crc = crc + 1 WHERE position = 71", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  auto recording = open();
  ASSERT_TRUE(recording) << recording.error().message;

  const auto replayed =
      recording->replay(0, [](const JournalEntry&) { return Result<bool>(true); });

  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, Errc::corrupt);
  EXPECT_THAT(replayed.error().message, HasSubstr("position 71 does not match its checksum"));
  EXPECT_THAT(replayed.error().message, HasSubstr("firebreak doctor"));
}

TEST_F(RecordingTest, SaysThatThereIsNone) {
  const auto nothing = Recording::open(folder_ / "nowhere", compile_text);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace firebreak::store::recording
