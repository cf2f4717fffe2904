// What is said of a damaged folder is what the next start makes of it, and looking changes nothing.
#include "agent/state/doctor.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/spool/log.h"
#include "agent/spool/posix_files.h"
#include "agent/state/checked_file.h"
#include "agent/state/epoch_file.h"
#include "agent/state/handed_over.h"
#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace {

namespace fs = std::filesystem;
using firebreak::testing::TempDir;
using std::chrono::hours;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallTime kWall{Duration{1'795'230'000'000'000}};
constexpr std::uint64_t kResults = 60;  // numbers 1 to 60, up to 10 acknowledged
constexpr std::uint64_t kAcked = 10;

spool::Now at(std::uint64_t second) {
  return {"boot", hours(10000), hours(10000) + seconds(second), kWall + seconds(second)};
}

spool::Entry entry(std::uint64_t seq) {
  spool::Entry entry;
  entry.seq = seq;
  entry.lane = spool::kLanes.at(seq % 3);
  entry.ref = 1;
  entry.key = std::make_shared<const ProbeKey>(ProbeKey{ServiceName{"api"}, ProbeName{"health"}});
  entry.started = hours(10000) + seconds(seq);
  return entry;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

auto finding(Health health, const std::string& file, const std::string& what) {
  return AllOf(Field(&Finding::health, health), Field(&Finding::file, HasSubstr(file)),
               Field(&Finding::what, HasSubstr(what)));
}

class AgentDoctor : public ::testing::Test {
 protected:
  AgentDoctor() {
    fs::create_directory(state_);
    auto files = spool::PosixFiles::open(state_ + "/spool");
    auto log = spool::Log::open(*files, {}, at(0), 77);
    for (std::uint64_t seq = 1; seq <= kResults; ++seq) {
      if (seq == kAcked + 3) log->ack(kAcked);
      EXPECT_TRUE(log->append({entry(seq)}, at(seq)));
    }
    EXPECT_TRUE(write_epoch(state_, 42));
    EXPECT_TRUE(HandedOver::open(state_)->add(ActionId("a-1")));
  }

  [[nodiscard]] AgentExamination examine() const { return examine_agent(state_, kWall + hours(1)); }
  [[nodiscard]] std::string segment(const char* lane) const {
    for (const auto& file : fs::directory_iterator(state_ + "/spool"))
      if (file.path().string().ends_with(std::string(lane) + ".spool")) return file.path().string();
    return "";
  }
  [[nodiscard]] std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> all;
    for (const auto& file : fs::recursive_directory_iterator(state_))
      if (file.is_regular_file()) all[file.path().string()] = bytes_of(file.path().string());
    return all;
  }
  // What an agent that starts really has, in a copy of the folder.
  [[nodiscard]] std::uint64_t really_sendable() const {
    const TempDir copy;
    fs::copy(state_ + "/spool", copy / "spool");
    auto files = spool::PosixFiles::open(copy / "spool");
    auto log = spool::Log::open(*files, {}, at(kResults + 1), 99);
    return log->read(log->acked() + 1, 1'000'000)->entries.size();
  }

  TempDir dir_;
  std::string state_ = dir_ / "agent";
};

TEST_F(AgentDoctor, AWholeFolderIsSoundAndSaysWhatCanBeSent) {
  ASSERT_TRUE(is_agent_folder(state_));
  const auto before = everything();
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::sound);
  ASSERT_TRUE(seen.spool);
  EXPECT_EQ(seen.spool->sendable, kResults - kAcked);
  EXPECT_EQ(seen.spool->lost_at_most, 0U);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::sound, "spool",
                               "50 results can be sent (17 healthy, 16 faults, 17 changes), the "
                               "oldest from " +
                                   format_utc(Instant{(kWall + seconds(11)).time_since_epoch()}))));
  EXPECT_THAT(seen.examination.findings, Contains(finding(Health::sound, "epoch", "epoch 42")));
  EXPECT_THAT(seen.examination.findings, Contains(finding(Health::sound, "orders", "1 orders")));
  EXPECT_EQ(everything(), before);
}

TEST_F(AgentDoctor, AFlippedBitAnywhereIsFoundAndCountedAsTheNextStartCountsIt) {
  int lost = 0;
  for (const char* lane : {"healthy", "fault", "news"}) {
    const std::string path = segment(lane);
    const std::string good = bytes_of(path);
    for (std::size_t byte = 0; byte < good.size(); byte += 13) {
      std::string bad = good;
      bad[byte] = static_cast<char>(bad[byte] ^ 0x10);
      put(path, bad);
      const auto before = everything();
      const auto seen = examine();
      ASSERT_EQ(everything(), before) << byte;
      ASSERT_TRUE(seen.spool) << byte;
      ASSERT_EQ(seen.spool->sendable, really_sendable()) << byte;
      // Without the record of the ack what was acknowledged is sent again, and counts once.
      const std::uint64_t gone =
          kResults - kAcked - std::min(seen.spool->sendable, kResults - kAcked);
      ASSERT_LE(gone, 1U) << byte;
      // The end of a lane's last file looks like a crash in the middle of a write.
      const bool looks_torn = byte + 40 > good.size();
      if (!looks_torn) {
        ASSERT_LE(gone, seen.spool->lost_at_most) << byte;
        ASSERT_EQ(seen.examination.verdict() == Health::lost, seen.spool->lost_at_most > 0) << byte;
      }
      if (gone > 0 && !looks_torn) {
        ++lost;
        EXPECT_THAT(seen.examination.findings,
                    Contains(finding(Health::damaged, path, "bytes are not what was written")));
      }
    }
    put(path, good);
  }
  EXPECT_GT(lost, 50);
  EXPECT_EQ(examine().examination.verdict(), Health::sound);
}

TEST_F(AgentDoctor, DamageAmongAcknowledgedResultsLosesNothing) {
  const std::string path = segment("healthy");  // 3, 6, 9 are acknowledged
  std::string bytes = bytes_of(path);
  const std::size_t at_record = spool::kHeaderBytes + spool::kFrameBytes + 2;
  bytes[at_record] = static_cast<char>(bytes[at_record] ^ 1);
  put(path, bytes);
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::damaged);
  EXPECT_EQ(seen.spool->sendable, kResults - kAcked);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::damaged, path,
                               "byte " + std::to_string(spool::kHeaderBytes) + ": ")));
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::damaged, "spool", "no result is lost")));
}

TEST_F(AgentDoctor, ATornEndIsNormalAndAFileWithoutAHeaderIsNot) {
  put(segment("news"), bytes_of(segment("news")) + "half a rec");
  EXPECT_EQ(examine().examination.verdict(), Health::sound);
  EXPECT_THAT(examine().examination.findings,
              Contains(finding(Health::sound, "news.spool", "was being written")));

  const std::string path = segment("fault");
  std::string bytes = bytes_of(path);
  bytes.replace(0, spool::kHeaderBytes, spool::kHeaderBytes, 'x');
  put(path, bytes);
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::lost);
  EXPECT_EQ(seen.spool->sendable, 40U);  // of 60: nobody knows any more what was acknowledged
  EXPECT_GE(seen.spool->lost_at_most, 16U);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::damaged, path, "the header is damaged")));
}

TEST_F(AgentDoctor, ADamagedEpochOrListOfOrdersSaysWhatToDo) {
  put(state_ + "/epoch", "43 crc32c=00000000\n");
  put(state_ + "/orders", "no end of line");
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::lost);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::lost, "epoch", "'firebreak status'")));
  EXPECT_THAT(seen.examination.findings, Contains(finding(Health::lost, "orders", "remove it")));
  EXPECT_EQ(seen.spool->sendable, kResults - kAcked);
}

TEST_F(AgentDoctor, LooksAtWhatJobsHaveReported) {
  ASSERT_TRUE(replace_checked_file(state_, "heartbeats", "{}\n"));
  EXPECT_THAT(examine().examination.findings,
              Contains(finding(Health::sound, "heartbeats", "as it was written")));
  put(state_ + "/heartbeats", bytes_of(state_ + "/heartbeats") + "{}\n");
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::lost);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::lost, "heartbeats", "begin anew")));
}

TEST_F(AgentDoctor, ARunningAgentIsSaidAndNotDisturbed) {
  const auto running = spool::PosixFiles::open(state_ + "/spool");
  ASSERT_TRUE(running);
  const auto seen = examine();
  EXPECT_EQ(seen.examination.verdict(), Health::sound);
  EXPECT_EQ(seen.spool->sendable, kResults - kAcked);
  EXPECT_THAT(seen.examination.findings,
              Contains(finding(Health::sound, "spool", "an agent runs on it")));
}

TEST_F(AgentDoctor, AnAgentMayStartAfterwards) {
  (void)examine();
  EXPECT_TRUE(spool::PosixFiles::open(state_ + "/spool"));
}

TEST_F(AgentDoctor, TheSpoolAloneIsEnoughAndAMissingOneIsALoss) {
  ASSERT_TRUE(is_agent_folder(state_ + "/spool"));
  const auto seen = examine_agent(state_ + "/spool", kWall);
  EXPECT_EQ(seen.spool->sendable, kResults - kAcked);
  EXPECT_THAT(seen.examination.findings, Each(Field(&Finding::file, Not(HasSubstr("epoch")))));

  fs::remove_all(state_ + "/spool");
  ASSERT_TRUE(is_agent_folder(state_));
  EXPECT_EQ(examine().examination.verdict(), Health::lost);
  EXPECT_FALSE(examine().spool);
  EXPECT_FALSE(fs::exists(state_ + "/spool"));
}

TEST_F(AgentDoctor, TellsItsFoldersFromOthers) {
  EXPECT_FALSE(is_agent_folder(dir_.path()));
  EXPECT_FALSE(is_agent_folder(state_ + "/epoch"));
  put(state_ + "/coordinator.db", "");
  EXPECT_FALSE(is_agent_folder(state_));
}

}  // namespace
}  // namespace firebreak::agent
