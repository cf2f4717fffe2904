// A snapshot's file is read back whole or refused: cut, changed, or made of parts of others.
#include "coordinator/store/snapshot_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace firebreak::store {
namespace snapshot_file_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Instant kAt = instant_from_unix_us(1'795'230'000'000'000);

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
void put(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

class SnapshotFile : public ::testing::Test {
 protected:
  Result<SnapshotHeader> read() {
    read_.clear();
    return read_snapshot(path_, [this](std::string_view record) {
      read_.emplace_back(record);
      return Result<>();
    });
  }
  const std::vector<std::string> records_{"one", "", std::string(100, 'x'), "four"};
  testing::TempDir dir_;
  const std::string path_ = dir_ / snapshot_name(42);
  std::vector<std::string> read_;
};

TEST_F(SnapshotFile, GivesBackWhatWasWritten) {
  ASSERT_TRUE(write_snapshot(dir_.path(), {42, 3, kAt, 77, std::string(64, 'd')}, records_));

  const auto header = read();

  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(read_, records_);
  EXPECT_EQ(header->position, 42u);
  EXPECT_EQ(header->epoch, 3u);
  EXPECT_EQ(header->at, kAt);
  EXPECT_EQ(header->anchor, 77u);
  EXPECT_EQ(header->directory_digest, std::string(64, 'd'));
  EXPECT_EQ(read_snapshot_header(path_)->position, 42u);
  EXPECT_THAT(list_snapshots(dir_.path()), ElementsAre(42));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);
}

TEST_F(SnapshotFile, IsRefusedWhereverItIsCutOrChanged) {
  ASSERT_TRUE(write_snapshot(dir_.path(), {42, 3, kAt, 77, ""}, records_));
  const std::string whole = content_of(path_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    SCOPED_TRACE(at);
    put(path_, whole.substr(0, at));
    EXPECT_FALSE(read());
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    put(path_, flipped);
    EXPECT_FALSE(read());
  }
  put(path_, whole + "x");
  EXPECT_FALSE(read());
  put(path_, whole);
  EXPECT_TRUE(read());
}

TEST_F(SnapshotFile, IsRefusedWithTheRecordsOfAnother) {
  ASSERT_TRUE(write_snapshot(dir_.path(), {42, 3, kAt, 77, ""}, records_));
  const std::string first = content_of(path_);
  ASSERT_TRUE(write_snapshot(dir_.path(), {42, 4, kAt, 77, ""}, records_));
  const std::string second = content_of(path_);
  constexpr std::size_t kHeader = 108;

  put(path_, first.substr(0, kHeader) + second.substr(kHeader));

  EXPECT_FALSE(read());
}

TEST_F(SnapshotFile, StopsWhereTheVisitorSaysSo) {
  ASSERT_TRUE(write_snapshot(dir_.path(), {42, 3, kAt, 77, ""}, records_));

  const auto stopped = read_snapshot(
      path_, [](std::string_view) -> Result<> { return make_error(Errc::corrupt, "enough"); });

  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().message, HasSubstr("record 0: enough"));
}

TEST_F(SnapshotFile, LeavesNothingBehindWhenItCannotBeWritten) {
  const std::string none = dir_ / "none";

  EXPECT_FALSE(write_snapshot(none, {42, 3, kAt, 77, ""}, records_));
  EXPECT_THAT(list_snapshots(none), IsEmpty());
}

TEST_F(SnapshotFile, ListsOnlyWhatIsASnapshotByItsName) {
  for (const char* name : {"snapshot-00000000000000000007", "snapshot-00000000000000000300",
                           "snapshot-7", "snapshot-00000000000000000009.tmp",
                           "snapshot-99999999999999999999", "snapshot-0000000000000000000x"})
    put(dir_ / name, "");

  EXPECT_THAT(list_snapshots(dir_.path()), ElementsAre(300, 7));
}

}  // namespace snapshot_file_test
}  // namespace firebreak::store
