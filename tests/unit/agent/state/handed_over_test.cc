// An order that went to the actuator is not forgotten by a restart.
#include "agent/state/handed_over.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/file.h"
#include "common/limits.h"
#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace {

using firebreak::testing::TempDir;
using ::testing::HasSubstr;

TEST(HandedOver, RemembersAcrossARestart) {
  const TempDir folder;
  auto first = HandedOver::open(folder.path());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(first->contains(ActionId("INC-1/restart")));
  ASSERT_TRUE(first->add(ActionId("INC-1/restart")));
  ASSERT_TRUE(first->add(ActionId("INC-1/save")));

  const auto second = HandedOver::open(folder.path());
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(second->contains(ActionId("INC-1/restart")));
  EXPECT_TRUE(second->contains(ActionId("INC-1/save")));
  EXPECT_FALSE(second->contains(ActionId("INC-1/res")));
}

TEST(HandedOver, ForgetsTheOldestAtTheBound) {
  const TempDir folder;
  auto orders = HandedOver::open(folder.path());
  ASSERT_TRUE(orders);
  for (std::size_t i = 0; i <= limits::kOrdersRememberedMax; ++i)
    ASSERT_TRUE(orders->add(ActionId(std::to_string(i))));

  const auto again = HandedOver::open(folder.path());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->contains(ActionId("0")));
  EXPECT_TRUE(again->contains(ActionId("1")));
  EXPECT_TRUE(again->contains(ActionId(std::to_string(limits::kOrdersRememberedMax))));
}

TEST(HandedOver, ADiskThatTakesNothingCostsOnlyTheNextLife) {
  TempDir folder;
  auto orders = HandedOver::open(folder / "gone");
  ASSERT_TRUE(orders) << orders.error().message;
  const auto added = orders->add(ActionId("INC-1/restart"));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr(folder / "gone"));
  EXPECT_TRUE(orders->contains(ActionId("INC-1/restart")));
}

TEST(HandedOver, NoticesEveryChangedBitAndEveryMissingEnd) {
  const TempDir folder;
  auto orders = HandedOver::open(folder.path());
  ASSERT_TRUE(orders) << orders.error().message;
  ASSERT_TRUE(orders->add(ActionId("act-1")));
  ASSERT_TRUE(orders->add(ActionId("act-2")));
  const auto whole = read_small_file(folder / "orders", 100);
  ASSERT_TRUE(whole) << whole.error().message;
  for (std::size_t at = 0; at < whole->size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = *whole;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
      std::ofstream(folder / "orders", std::ios::binary) << changed;
      EXPECT_FALSE(HandedOver::open(folder.path())) << changed;
    }
    std::ofstream(folder / "orders", std::ios::binary) << whole->substr(0, at);
    EXPECT_FALSE(HandedOver::open(folder.path())) << at << " bytes left";
  }
}

TEST(HandedOver, ReadsThatOfAVersionWithoutChecksums) {
  const TempDir folder;
  std::ofstream(folder / "orders", std::ios::binary) << "act-1\nact-2\n";
  const auto orders = HandedOver::open(folder.path());
  ASSERT_TRUE(orders) << orders.error().message;
  EXPECT_TRUE(orders->contains(ActionId("act-1")));
  EXPECT_TRUE(orders->contains(ActionId("act-2")));
}

TEST(HandedOver, RefusesWhatItDidNotWrite) {
  const TempDir folder;
  for (const std::string& text :
       {std::string("INC-1/restart"), std::string("\n"), std::string("INC\x01\n"),
        std::string(limits::kActionIdBytesMax + 1, 'x') + "\n"}) {
    std::ofstream(folder / "orders", std::ios::binary) << text;
    const auto read = HandedOver::open(folder.path());
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::corrupt) << text;
    EXPECT_THAT(read.error().message, HasSubstr(folder / "orders"));
  }
}

}  // namespace
}  // namespace firebreak::agent
