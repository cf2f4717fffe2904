// The epoch survives a restart, and a damaged file is not taken for an epoch.
#include "agent/state/epoch_file.h"

#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace epoch_file_test {

using firebreak::testing::TempDir;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(EpochFile, NothingWasSeenBeforeTheFirst) {
  const TempDir folder;
  const auto epoch = read_epoch(folder.path());
  ASSERT_TRUE(epoch) << epoch.error().message;
  EXPECT_EQ(epoch->epoch, 0U);
}

TEST(EpochFile, KeepsTheLatest) {
  const TempDir folder;
  for (const std::uint64_t epoch : {std::uint64_t{7}, std::numeric_limits<std::uint64_t>::max()}) {
    ASSERT_TRUE(write_epoch(folder.path(), epoch));
    const auto read = read_epoch(folder.path());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->epoch, epoch);
    EXPECT_TRUE(read->is_checked);
  }
}

TEST(EpochFile, ADraftThatACrashLeftIsIgnoredAndReplaced) {
  const TempDir folder;
  ASSERT_TRUE(write_epoch(folder.path(), 7));
  put(folder / "epoch.new", "999999");

  EXPECT_EQ(read_epoch(folder.path())->epoch, 7U);
  ASSERT_TRUE(write_epoch(folder.path(), 8));
  EXPECT_EQ(read_epoch(folder.path())->epoch, 8U);
}

TEST(EpochFile, IsALineThatPeopleCanRead) {
  const TempDir folder;
  ASSERT_TRUE(write_epoch(folder.path(), 42));
  std::string line;
  std::getline(std::ifstream(folder / "epoch"), line);
  EXPECT_THAT(line, MatchesRegex("42 crc32c=[0-9a-f]{8}"));
}

TEST(EpochFile, TakesTheNumberAloneThatEarlierVersionsWrote) {
  const TempDir folder;
  for (const std::uint64_t epoch : {std::uint64_t{7}, std::numeric_limits<std::uint64_t>::max()}) {
    put(folder / "epoch", std::to_string(epoch) + "\n");
    const auto read = read_epoch(folder.path());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->epoch, epoch);
    EXPECT_FALSE(read->is_checked);
  }
}

TEST(EpochFile, NoFlippedBitAndNoMissingEndIsTakenForAnEpoch) {
  const TempDir folder;
  ASSERT_TRUE(write_epoch(folder.path(), 190274));
  std::ifstream file(folder / "epoch", std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> bad;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    bad.push_back(good);
    bad.back()[bit / 8] = static_cast<char>(bad.back()[bit / 8] ^ (1 << bit % 8));
  }
  for (std::size_t size = 0; size < good.size(); ++size) bad.push_back(good.substr(0, size));
  for (const std::string& text : bad) {
    put(folder / "epoch", text);
    const auto read = read_epoch(folder.path());
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::corrupt) << text;
  }
}

TEST(EpochFile, RefusesWhatItDidNotWriteAndSaysWhatToDo) {
  const TempDir folder;
  for (const char* text : {"", "\n", "7", "-7\n", "7x\n", "7\n8\n", "18446744073709551616\n",
                           "007\n", "7 crc32c=00000000\n", "7 \n"}) {
    put(folder / "epoch", text);
    const auto read = read_epoch(folder.path());
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::corrupt) << text;
    EXPECT_THAT(read.error().message, HasSubstr(folder / "epoch"));
    EXPECT_THAT(read.error().message, HasSubstr("'firebreak status'"));
  }
}

TEST(EpochFile, SaysWhichFolderIsMissing) {
  const TempDir folder;
  const auto written = write_epoch(folder / "gone", 1);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr(folder / "gone"));
}

}  // namespace epoch_file_test
}  // namespace firebreak::agent
