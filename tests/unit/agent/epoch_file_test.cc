// The epoch survives a restart, and a damaged file is not taken for an epoch.
#include "agent/epoch_file.h"

#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace {

using firebreak::testing::TempDir;
using ::testing::HasSubstr;

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(EpochFile, NothingWasSeenBeforeTheFirst) {
  const TempDir folder;
  const auto epoch = read_epoch(folder.path());
  ASSERT_TRUE(epoch) << epoch.error().message;
  EXPECT_EQ(*epoch, 0U);
}

TEST(EpochFile, KeepsTheLatest) {
  const TempDir folder;
  for (const std::uint64_t epoch : {std::uint64_t{7}, std::numeric_limits<std::uint64_t>::max()}) {
    ASSERT_TRUE(write_epoch(folder.path(), epoch));
    const auto read = read_epoch(folder.path());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, epoch);
  }
}

TEST(EpochFile, ADraftThatACrashLeftIsIgnoredAndReplaced) {
  const TempDir folder;
  ASSERT_TRUE(write_epoch(folder.path(), 7));
  put(folder / "epoch.new", "999999");

  EXPECT_EQ(*read_epoch(folder.path()), 7U);
  ASSERT_TRUE(write_epoch(folder.path(), 8));
  EXPECT_EQ(*read_epoch(folder.path()), 8U);
}

TEST(EpochFile, RefusesWhatItDidNotWrite) {
  const TempDir folder;
  for (const char* text : {"", "\n", "7", "-7\n", "7x\n", "7\n8\n", "18446744073709551616\n"}) {
    put(folder / "epoch", text);
    const auto read = read_epoch(folder.path());
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::corrupt) << text;
    EXPECT_THAT(read.error().message, HasSubstr(folder / "epoch"));
  }
}

TEST(EpochFile, SaysWhichFolderIsMissing) {
  const TempDir folder;
  const auto written = write_epoch(folder / "gone", 1);
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr(folder / "gone"));
}

}  // namespace
}  // namespace firebreak::agent
