// What is done to a rehearsal is seen in it, and in nothing else.
#include "agent/spool/rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/support/fake_files.h"

namespace firebreak::spool {
namespace {

using firebreak::testing::FakeFiles;
using ::testing::ElementsAre;

class SpoolRehearsal : public ::testing::Test {
 protected:
  SpoolRehearsal() {
    EXPECT_TRUE(disk_.append("a", "0123456789"));
    EXPECT_TRUE(disk_.append("b", "other"));
  }
  FakeFiles disk_;
  Rehearsal files_{disk_};
};

TEST_F(SpoolRehearsal, AppendsBehindWhatTheDiskHasAndLeavesTheDiskAlone) {
  ASSERT_TRUE(files_.append("a", "abc"));
  ASSERT_TRUE(files_.append("new", "xyz"));
  ASSERT_TRUE(files_.sync("a"));
  EXPECT_THAT(*files_.list(), ElementsAre("a", "b", "new"));
  EXPECT_EQ(*files_.size("a"), 13U);
  EXPECT_EQ(*files_.read("a", 8, 4), "89ab");
  EXPECT_EQ(*files_.read("a", 11, 99), "bc");
  EXPECT_EQ(*files_.read("a", 13, 1), "");
  EXPECT_EQ(*files_.read("new", 0, 99), "xyz");
  EXPECT_THAT(*disk_.list(), ElementsAre("a", "b"));
  EXPECT_EQ(*disk_.read("a", 0, 99), "0123456789");
}

TEST_F(SpoolRehearsal, CutsBothWhatTheDiskHasAndWhatWasAppended) {
  ASSERT_TRUE(files_.append("a", "abc"));
  ASSERT_TRUE(files_.truncate("a", 11));
  EXPECT_EQ(*files_.read("a", 0, 99), "0123456789a");
  ASSERT_TRUE(files_.truncate("a", 2));
  ASSERT_TRUE(files_.append("a", "!"));
  EXPECT_EQ(*files_.read("a", 0, 99), "01!");
}

TEST_F(SpoolRehearsal, WhatIsRemovedIsGoneAndMayComeAnew) {
  ASSERT_TRUE(files_.remove("a"));
  EXPECT_THAT(*files_.list(), ElementsAre("b"));
  EXPECT_EQ(files_.size("a").error().code, Errc::not_found);
  EXPECT_EQ(files_.read("a", 0, 1).error().code, Errc::not_found);
  EXPECT_EQ(files_.truncate("a", 0).error().code, Errc::not_found);
  EXPECT_EQ(files_.remove("a").error().code, Errc::not_found);
  EXPECT_EQ(files_.sync("none").error().code, Errc::not_found);
  ASSERT_TRUE(files_.append("a", "anew"));
  EXPECT_EQ(*files_.read("a", 0, 99), "anew");
  EXPECT_EQ(*disk_.size("a"), 10U);
}

TEST_F(SpoolRehearsal, WhatIsWrittenIsBounded) {
  const std::string chunk(limits::kSpoolSegmentBytesMax, 'x');
  std::size_t written = 0;
  while (written < 100 && files_.append("copy", chunk)) ++written;
  EXPECT_EQ(written, 2 * limits::kSpoolEvidenceFilesMax);
  ASSERT_TRUE(files_.remove("copy"));
  EXPECT_TRUE(files_.append("copy", chunk));
}

}  // namespace
}  // namespace firebreak::spool
