// The real folder and the fake one keep the same contract.
#include "agent/spool/posix_files.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::spool {
namespace {

using firebreak::testing::FakeFiles;
using firebreak::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EveryFiles : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      auto opened = PosixFiles::open(folder_ / "spool");
      ASSERT_TRUE(opened) << opened.error().message;
      files_ = std::make_unique<PosixFiles>(*std::move(opened));
    } else {
      files_ = std::make_unique<FakeFiles>();
    }
  }
  TempDir folder_;
  std::unique_ptr<Files> files_;
};

TEST_P(EveryFiles, AppendsReadsAndLists) {
  EXPECT_THAT(*files_->list(), IsEmpty());
  ASSERT_TRUE(files_->append("b", "hello "));
  ASSERT_TRUE(files_->append("b", "world"));
  ASSERT_TRUE(files_->append("a", ""));

  EXPECT_THAT(*files_->list(), ElementsAre("a", "b"));
  EXPECT_EQ(*files_->size("b"), 11U);
  EXPECT_EQ(*files_->size("a"), 0U);
  EXPECT_EQ(*files_->read("b", 6, 100), "world");
  EXPECT_EQ(*files_->read("b", 2, 3), "llo");
  EXPECT_EQ(*files_->read("b", 11, 1), "");
  EXPECT_TRUE(files_->sync("b"));
}

TEST_P(EveryFiles, CutsAndGoesOnBehindTheCut) {
  ASSERT_TRUE(files_->append("a", "0123456789"));
  ASSERT_TRUE(files_->truncate("a", 4));
  ASSERT_TRUE(files_->append("a", "x"));
  EXPECT_EQ(*files_->read("a", 0, 100), "0123x");
}

TEST_P(EveryFiles, RemovesAndStartsAnew) {
  ASSERT_TRUE(files_->append("a", "old"));
  ASSERT_TRUE(files_->remove("a"));
  EXPECT_THAT(*files_->list(), IsEmpty());
  ASSERT_TRUE(files_->append("a", "new"));
  EXPECT_EQ(*files_->read("a", 0, 100), "new");
}

TEST_P(EveryFiles, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(files_->size("a").error().code, Errc::not_found);
  EXPECT_EQ(files_->read("a", 0, 1).error().code, Errc::not_found);
  EXPECT_EQ(files_->sync("a").error().code, Errc::not_found);
  EXPECT_EQ(files_->truncate("a", 0).error().code, Errc::not_found);
  EXPECT_EQ(files_->remove("a").error().code, Errc::not_found);
}

TEST_P(EveryFiles, ManyAreUsedAtOnce) {
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(files_->append(std::to_string(i), "a"));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(files_->append(std::to_string(i), "b"));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(*files_->read(std::to_string(i), 0, 9), "ab");
}

INSTANTIATE_TEST_SUITE_P(Real, EveryFiles, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Fake, EveryFiles, ::testing::Values(false));

TEST(PosixFiles, OneProcessHasTheFolder) {
  const TempDir folder;
  const auto first = PosixFiles::open(folder / "spool");
  ASSERT_TRUE(first) << first.error().message;
  const auto second = PosixFiles::open(folder / "spool");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::failed_precondition);
  EXPECT_THAT(second.error().message, HasSubstr(folder / "spool"));
}

TEST(PosixFiles, LookingNeitherMakesNorLocksNorNeedsTheLock) {
  const TempDir folder;
  EXPECT_EQ(PosixFiles::look(folder / "spool").error().code, Errc::not_found);
  auto owner = std::make_unique<Result<PosixFiles>>(PosixFiles::open(folder / "spool"));
  ASSERT_TRUE((*owner)->append("a", "text"));
  auto onlooker = PosixFiles::look(folder / "spool");
  ASSERT_TRUE(onlooker) << onlooker.error().message;
  EXPECT_TRUE(onlooker->is_in_use());
  EXPECT_EQ(*onlooker->read("a", 0, 9), "text");

  owner.reset();
  EXPECT_FALSE(onlooker->is_in_use());
  EXPECT_TRUE(PosixFiles::open(folder / "spool"));
}

TEST(FakeFiles, ACrashTakesWhatWasNotFlushed) {
  FakeFiles files;
  ASSERT_TRUE(files.append("a", "safe"));
  ASSERT_TRUE(files.sync("a"));
  ASSERT_TRUE(files.append("a", " lost"));
  ASSERT_TRUE(files.append("b", "lost"));
  files.crash(FakeFiles::Survives::nothing);
  EXPECT_THAT(*files.list(), ElementsAre("a"));
  EXPECT_EQ(*files.read("a", 0, 100), "safe");

  ASSERT_TRUE(files.remove("a"));
  files.crash(FakeFiles::Survives::nothing);
  EXPECT_EQ(*files.read("a", 0, 100), "safe");
}

TEST(FakeFiles, ATornAppendLeavesABeginning) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FakeFiles files(seed);
    ASSERT_TRUE(files.append("a", "safe"));
    ASSERT_TRUE(files.sync("a"));
    ASSERT_TRUE(files.append("a", "0123456789"));
    files.crash(FakeFiles::Survives::torn);
    const std::string left = *files.read("a", 0, 100);
    EXPECT_EQ(left, std::string("safe0123456789").substr(0, left.size()));
    EXPECT_GE(left.size(), 4U);
  }
}

TEST(FakeFiles, AFailedFlushLosesItsBytesThoughTheNextOneSucceeds) {
  FakeFiles files;
  ASSERT_TRUE(files.append("a", "x"));
  files.fail_syncs(1);
  EXPECT_FALSE(files.sync("a"));
  EXPECT_TRUE(files.sync("a"));
  files.crash(FakeFiles::Survives::nothing);
  EXPECT_EQ(*files.read("a", 0, 100), "");
}

TEST(FakeFiles, TheNthOperationFailsOrIsTheLast) {
  FakeFiles files;
  files.plan({FakeFiles::Fault::refuse, 2, 1});
  EXPECT_TRUE(files.append("a", "x"));
  EXPECT_FALSE(files.append("a", "y"));
  EXPECT_TRUE(files.append("a", "z"));
  EXPECT_EQ(*files.read("a", 0, 9), "xz");

  files.plan({FakeFiles::Fault::crash, files.operations() + 1, 1});
  EXPECT_FALSE(files.sync("a"));
  EXPECT_FALSE(files.list());
  EXPECT_TRUE(files.has_crashed());
}

TEST(FakeFiles, AFullDiskTakesAPart) {
  FakeFiles files;
  files.set_capacity(5);
  ASSERT_TRUE(files.append("a", "0123"));
  const auto appended = files.append("a", "4567");
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().code, Errc::resource_exhausted);
  EXPECT_EQ(*files.read("a", 0, 9), "01234");
}

}  // namespace
}  // namespace firebreak::spool
