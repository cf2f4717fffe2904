// What is read as a file, and what is refused instead of waited for.
#include "common/file.h"

#include <fstream>

#include <gtest/gtest.h>

#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace firebreak {
namespace {

class SmallFile : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(path_, std::ios::trunc | std::ios::binary) << text;
    return path_;
  }
  testing::TempDir folder_;
  const std::string path_ = folder_ / "file";
};

TEST_F(SmallFile, IsReadWholeUpToItsBound) {
  const std::string text(40000, 'a');
  EXPECT_EQ(*read_small_file(write(text), text.size()), text);
  EXPECT_EQ(read_small_file(path_, text.size() - 1).error().code, Errc::resource_exhausted);
  EXPECT_EQ(*read_small_file(write(""), 0), "");
}

TEST_F(SmallFile, IsAFileOrNothing) {
  EXPECT_EQ(read_small_file(path_, 10).error().code, Errc::not_found);
  EXPECT_EQ(read_small_file(folder_ / "", 10).error().code, Errc::invalid_argument);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(read_small_file(path_, 10).error().message,
            "cannot read " + path_ + ": it is not a file");
}

TEST_F(SmallFile, IsRefusedWhenOnlyItsOwnerShouldReadIt) {
  ASSERT_EQ(::chmod(write("a").c_str(), 0644), 0);
  EXPECT_TRUE(read_small_file(path_, 10));
  EXPECT_EQ(read_small_file(path_, 10, Readable::by_owner).error().code, Errc::permission_denied);
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  EXPECT_TRUE(read_small_file(path_, 10, Readable::by_owner));
}

}  // namespace
}  // namespace firebreak
