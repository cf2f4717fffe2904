// A start from snapshots and journal, on real files: the same state as ever, or a refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "coordinator/core/step.h"
#include "coordinator/engine/engine.h"
#include "coordinator/engine/ledger.h"
#include "coordinator/store/digest.h"
#include "coordinator/store/doctor.h"
#include "coordinator/store/snapshot_file.h"
#include "tests/support/fault_policy.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace firebreak::engine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  return testing::compiled(std::move(files));
}

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
void put(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
void flip(const std::string& path, std::size_t at) {
  std::string content = content_of(path);
  content.at(at) = static_cast<char>(content.at(at) ^ 0x10);
  put(path, content);
}
// The checksum of the first schema, as SQL's crc_1().
void crc_1(sqlite3_context* context, int, sqlite3_value** values) {
  boost::crc_32_type crc;
  crc.process_bytes(sqlite3_value_blob(values[0]),
                    static_cast<std::size_t>(sqlite3_value_bytes(values[0])));
  sqlite3_result_int64(context, crc.checksum());
}
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  sqlite3_create_function(db, "crc_1", 1, SQLITE_UTF8, nullptr, crc_1, nullptr, nullptr);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(db);
}

class RecoveryTest : public ::testing::Test {
 protected:
  // One process that starts, takes some results, and ends with or without a snapshot. Returns the
  // digest of what it left, or why it did not start.
  Result<std::string> live(int results, bool snapshot) {
    store::SqliteOptions options = options_;
    options.warn = [this](const std::string& what) { warnings_.push_back(what); };
    auto opened = store::open_sqlite(path_, compile, options);
    if (!opened) return opened.error();
    Ledger ledger(std::move(*opened));
    auto recovery = ledger.recover();
    if (!recovery) return recovery.error();
    recovery_ = *recovery;
    recovered_ = store::digest(ledger.state());
    now_ = std::max(now_, recovery->last) + 1s;
    if (const auto begun = ledger.begin(now_); !begun) return begun.error();
    if (!ledger.state().policy)
      commit(ledger, core::PolicyChanged{testing::fault_policy(), kPolicyDirectory});
    commit(ledger, testing::attached("a"));
    for (int i = 0; i < results; ++i) {
      const Status status = ++seq_ % 7 == 3 ? Status::critical : Status::ok;
      commit(ledger, testing::result_of("a", seq_, status, now_));
    }
    if (snapshot) ledger.snapshot(now_, true);
    return store::digest(ledger.state());
  }
  void commit(Ledger& ledger, core::Event event) {
    now_ += 1s;
    ledger.add(std::move(event), now_);
    ASSERT_TRUE(ledger.commit());
  }
  [[nodiscard]] std::vector<std::uint64_t> snapshots() const {
    return store::list_snapshots(dir_.path());
  }
  [[nodiscard]] std::string file_of(std::uint64_t position) const {
    return dir_ / store::snapshot_name(position);
  }
  [[nodiscard]] store::Health health() const {
    return store::examine(dir_.path(), compile).verdict();
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "coordinator.db";
  store::SqliteOptions options_;
  std::vector<std::string> warnings_;
  Instant now_ = testing::ManualClock().now();
  std::uint64_t seq_ = 0;
  Ledger::Recovery recovery_;
  std::string recovered_;
};

TEST_F(RecoveryTest, StartsFromTheNewestSnapshotAndWhatCameAfterIt) {
  ASSERT_TRUE(live(10, true));
  const std::uint64_t first = snapshots().at(0);
  const auto left = live(20, false);
  ASSERT_TRUE(left);

  ASSERT_TRUE(live(0, false));

  EXPECT_EQ(recovered_, *left);
  EXPECT_EQ(recovery_.snapshot, first);
  EXPECT_EQ(recovery_.entries, 22u);
  EXPECT_EQ(recovery_.directory_digest, testing::fault_policy()->digest);
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(health(), store::Health::sound);
}

TEST_F(RecoveryTest, KeepsTheNewestTwo) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(live(2, true));

  EXPECT_THAT(snapshots(), SizeIs(2));
}

TEST_F(RecoveryTest, GoesBackToTheSnapshotBeforeADamagedOne) {
  ASSERT_TRUE(live(10, true));
  const std::uint64_t older = snapshots().at(0);
  ASSERT_TRUE(live(10, true));
  const auto left = live(5, false);
  ASSERT_TRUE(left);
  const std::string newest = file_of(snapshots().at(0));
  flip(newest, fs::file_size(newest) / 2);
  EXPECT_EQ(health(), store::Health::damaged);

  ASSERT_TRUE(live(0, false));

  EXPECT_EQ(recovered_, *left);
  EXPECT_EQ(recovery_.snapshot, older);
  ASSERT_THAT(warnings_, SizeIs(1));
  EXPECT_THAT(warnings_[0], HasSubstr(newest));
  EXPECT_TRUE(fs::exists(newest + ".refused"));
}

TEST_F(RecoveryTest, ReplaysEverythingWithoutASnapshot) {
  ASSERT_TRUE(live(10, true));
  const auto left = live(5, true);
  ASSERT_TRUE(left);
  for (const std::uint64_t position : snapshots()) fs::remove(file_of(position));

  ASSERT_TRUE(live(0, false));

  EXPECT_EQ(recovered_, *left);
  EXPECT_EQ(recovery_.snapshot, 0u);
}

// A backup was put back, and what is beside it is of a time that has not come to pass.
TEST_F(RecoveryTest, RefusesASnapshotThatIsAheadOfTheJournal) {
  ASSERT_TRUE(live(5, false));
  const std::string backup = content_of(path_);
  const std::uint64_t seq = seq_;
  ASSERT_TRUE(live(10, true));
  const std::string ahead = file_of(snapshots().at(0));
  const std::string content = content_of(ahead);
  put(path_, backup);

  const auto refused = live(0, false);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("ahead of the journal"));
  EXPECT_EQ(health(), store::Health::lost);

  // Somebody removes it and puts it back later: it is of another journal now.
  fs::remove(ahead);
  seq_ = seq;
  ASSERT_TRUE(live(30, false));
  put(ahead, content);
  ASSERT_TRUE(live(0, false));
  EXPECT_EQ(recovery_.snapshot, 0u);
  EXPECT_THAT(warnings_, SizeIs(1));
  EXPECT_THAT(snapshots(), IsEmpty());
}

TEST_F(RecoveryTest, DropsWhatIsOlderThanTwoSnapshotsAndItsTime) {
  options_.journal_keep = 1s;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(live(20, true));
  const std::uint64_t older = snapshots().at(1);
  const auto left = live(20, false);
  ASSERT_TRUE(left);

  ASSERT_TRUE(live(0, false));
  EXPECT_EQ(recovered_, *left);
  EXPECT_EQ(health(), store::Health::sound);

  // The two are needed now, and each of them is enough.
  fs::remove(file_of(snapshots().at(0)));
  ASSERT_TRUE(live(0, false));
  EXPECT_EQ(recovery_.snapshot, older);
  fs::remove(file_of(older));
  const auto refused = live(0, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("firebreak doctor"));
  EXPECT_EQ(health(), store::Health::lost);
}

TEST_F(RecoveryTest, DropsTheOldestWhenTheFileIsTooLarge) {
  options_.journal_bytes = 1;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(live(30, true));
  ASSERT_TRUE(live(30, false));

  const auto examined = store::examine(dir_.path(), compile);

  EXPECT_EQ(examined.verdict(), store::Health::sound);
  ASSERT_TRUE(live(0, false));
  for (const std::uint64_t position : snapshots()) fs::remove(file_of(position));
  EXPECT_FALSE(live(0, false));
}

TEST_F(RecoveryTest, KeepsEverythingWithinTimeAndSize) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(live(10, true));
  for (const std::uint64_t position : snapshots()) fs::remove(file_of(position));

  EXPECT_TRUE(live(0, false));
}

// Flipped bits anywhere: a start is refused, or what comes of it is what was there.
TEST_F(RecoveryTest, IsNeverWrongAfterDamage) {
  ASSERT_TRUE(live(30, true));
  ASSERT_TRUE(live(30, true));
  const auto left = live(10, false);
  ASSERT_TRUE(left);
  std::map<std::string, std::string> whole;
  for (const auto& entry : fs::directory_iterator(dir_.path()))
    whole[entry.path().string()] = content_of(entry.path().string());
  const std::uint64_t seq = seq_;
  int refused = 0;
  int recovered = 0;
  for (const auto& [victim, content] : whole) {
    if (victim.ends_with(".lock")) continue;
    for (std::size_t at = 11; at < content.size(); at += content.size() / 23 + 1) {
      SCOPED_TRACE(victim + " at " + std::to_string(at));
      for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove(entry.path());
      for (const auto& [path, bytes] : whole) put(path, bytes);
      flip(victim, at);
      seq_ = seq;
      if (live(0, false)) {
        ++recovered;
        EXPECT_EQ(recovered_, *left);
      } else {
        ++refused;
        EXPECT_NE(health(), store::Health::sound);
      }
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(recovered, 0);
}

TEST_F(RecoveryTest, SavesWhatComesBeforeTheDamage) {
  ASSERT_TRUE(live(10, true));
  ASSERT_TRUE(live(30, false));
  run_sql(path_, "UPDATE journal SET batch = x'00' WHERE position = 30");
  ASSERT_FALSE(live(0, false));
  const std::string damaged = content_of(path_);
  const std::string into = dir_ / "saved";

  const auto saved = store::salvage(dir_.path(), into, compile);

  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->last, 29u);
  EXPECT_GT(saved->snapshot, 0u);
  EXPECT_GT(saved->incidents, 0u);
  ASSERT_THAT(saved->lost, SizeIs(1));
  EXPECT_THAT(saved->lost[0], HasSubstr("30 to"));
  EXPECT_EQ(content_of(path_), damaged);
  auto opened = store::open_sqlite(into + "/coordinator.db", compile);
  ASSERT_TRUE(opened) << opened.error().message;
  Ledger ledger(std::move(*opened));
  const auto recovery = ledger.recover();
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_EQ(recovery->snapshot, saved->snapshot);
  EXPECT_EQ(recovery->snapshot + recovery->entries, 29u);
  EXPECT_GT(recovery->epoch, recovery_.epoch);
  EXPECT_TRUE(ledger.begin(recovery->last + 1s));
  EXPECT_FALSE(store::salvage(dir_.path(), into, compile)) << "into a folder that is not empty";
}

TEST_F(RecoveryTest, RefusesAPositionThatCannotBe) {
  ASSERT_TRUE(live(30, false));
  run_sql(path_, "UPDATE trimmed SET position = -1");

  const auto refused = live(0, false);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("\"-1\""));
  EXPECT_EQ(health(), store::Health::lost);
}

TEST_F(RecoveryTest, SaysWhatIsLost) {
  ASSERT_TRUE(live(30, true));
  run_sql(path_, "UPDATE incidents SET doc = x'00'");

  const auto examined = store::examine(dir_.path(), compile);

  EXPECT_EQ(examined.verdict(), store::Health::lost);
  EXPECT_TRUE(std::any_of(
      examined.findings.begin(), examined.findings.end(),
      [](const store::Finding& finding) { return finding.what.starts_with("incident INC-"); }));
  EXPECT_EQ(store::examine(dir_ / "none", compile).verdict(), store::Health::lost);
}

// As version 0.1.0 wrote it.
TEST_F(RecoveryTest, ReadsTheFirstSchema) {
  const auto left = live(20, false);
  ASSERT_TRUE(left);
  run_sql(path_,
          "UPDATE journal SET crc = crc_1(batch); UPDATE incidents SET crc = crc_1(doc);"
          "UPDATE outbox SET crc = crc_1(effect);"
          "ALTER TABLE outbox ADD COLUMN started INTEGER NOT NULL DEFAULT 0;"
          "DROP TABLE trimmed; PRAGMA user_version=1;");
  EXPECT_EQ(health(), store::Health::damaged);

  ASSERT_TRUE(live(0, false));

  EXPECT_EQ(recovered_, *left);
  EXPECT_EQ(health(), store::Health::sound);
}

TEST_F(RecoveryTest, RefusesADamagedFileOfTheFirstSchema) {
  ASSERT_TRUE(live(20, false));
  run_sql(path_, "DROP TABLE trimmed; PRAGMA user_version=1;");

  const auto refused = live(0, false);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace firebreak::engine
