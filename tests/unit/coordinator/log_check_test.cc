// A log that SQLite wrote, then damaged or torn in every way.
#include "coordinator/store/log_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <sstream>

#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::store {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kFrame = 24 + 4096;
constexpr std::size_t kFrames = 32;  // the bytes before them

// One row of `bytes` in a transaction each.
void run(sqlite3* db, const std::string& sql) {
  ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
}

// The log of ten transactions, as it is while the database is open.
std::string some_log() {
  const testing::TempDir folder;
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open((folder / "db").c_str(), &db), SQLITE_OK);
  run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a, b)");
  for (int i = 0; i < 10; ++i)
    run(db, "INSERT INTO t VALUES(" + std::to_string(i) + ", zeroblob(6000))");
  std::string log = testing::read_file(folder / "db-wal");
  sqlite3_close(db);
  return log;
}

std::optional<std::string> damage_of(const std::string& log) {
  std::istringstream in(log);
  return log_damage(in);
}

std::string flipped(std::string log, std::size_t at) {
  log[at] = static_cast<char>(log[at] ^ 0x10);
  return log;
}

// Frame numbers, from 0, at which a transaction ends.
std::vector<std::size_t> ends_of(const std::string& log) {
  std::vector<std::size_t> ends;
  for (std::size_t at = kFrames; at + kFrame <= log.size(); at += kFrame)
    if (log.substr(at + 4, 4) != std::string(4, '\0')) ends.push_back((at - kFrames) / kFrame);
  return ends;
}

TEST(LogCheck, AcceptsAWholeLogAndNone) {
  EXPECT_EQ(damage_of(some_log()), std::nullopt);
  EXPECT_EQ(damage_of(""), std::nullopt);
  EXPECT_EQ(damage_of(std::string(32, '\0')), std::nullopt);
}

TEST(LogCheck, AcceptsALogThatACrashCutAnywhere) {
  const std::string log = some_log();
  for (std::size_t size = 0; size < log.size(); size += 512)
    EXPECT_EQ(damage_of(log.substr(0, size)), std::nullopt) << size;
}

TEST(LogCheck, AcceptsALastTransactionOfWhichAnySectorIsMissing) {
  const std::string log = some_log();
  const auto ends = ends_of(log);
  const std::size_t from = kFrames + (ends[ends.size() - 2] + 1) * kFrame;
  for (std::size_t at = from; at < log.size(); at += 512) {
    std::string torn = log;
    torn.replace(at, std::min<std::size_t>(512, log.size() - at), 512, '\0');
    EXPECT_EQ(damage_of(torn.substr(0, log.size())), std::nullopt) << at;
  }
}

TEST(LogCheck, AcceptsFramesOfAnEarlierGenerationBehindTheNewerOnes) {
  const testing::TempDir folder;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "db").c_str(), &db), SQLITE_OK);
  run(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t(a, b)");
  for (int i = 0; i < 10; ++i) run(db, "INSERT INTO t VALUES(1, zeroblob(6000))");
  ASSERT_EQ(sqlite3_wal_checkpoint_v2(db, nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr),
            SQLITE_OK);
  for (int i = 0; i < 3; ++i) run(db, "INSERT INTO t VALUES(2, zeroblob(100))");
  const std::string log = testing::read_file(folder / "db-wal");
  sqlite3_close(db);
  ASSERT_GT(log.size(), kFrames + 10 * kFrame);
  EXPECT_EQ(damage_of(log), std::nullopt);
}

TEST(LogCheck, NoticesAnyFlippedBitBeforeTheLastTwoTransactions) {
  const std::string log = some_log();
  const auto ends = ends_of(log);
  ASSERT_GE(ends.size(), 10U);
  for (std::size_t at = 0; at < kFrames; ++at)
    EXPECT_TRUE(damage_of(flipped(log, at))) << "header byte " << at;
  for (std::size_t frame = 0; frame <= ends[ends.size() - 3]; ++frame) {
    const std::size_t begin = kFrames + frame * kFrame;
    for (std::size_t at = 0; at < 24; ++at)
      EXPECT_TRUE(damage_of(flipped(log, begin + at))) << "frame " << frame << ", byte " << at;
    for (std::size_t at = 24; at < kFrame; at += 409)
      EXPECT_TRUE(damage_of(flipped(log, begin + at))) << "frame " << frame << ", byte " << at;
  }
}

TEST(LogCheck, SaysWhichFileAndWhatToDo) {
  const testing::TempDir folder;
  EXPECT_TRUE(check_log(folder / "missing-wal"));
  testing::write_file(folder / "db-wal", flipped(some_log(), kFrames + 100));
  const auto checked = check_log(folder / "db-wal");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::corrupt);
  EXPECT_THAT(checked.error().message,
              ::testing::AllOf(HasSubstr(folder / "db-wal"), HasSubstr("frame 1 "),
                               HasSubstr("restore a backup")));
}

}  // namespace
}  // namespace firebreak::store
