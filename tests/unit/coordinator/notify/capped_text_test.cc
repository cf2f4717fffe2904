// Head and tail survive, the middle is counted, memory is bounded.
#include "coordinator/notify/capped_text.h"

#include <gtest/gtest.h>

namespace firebreak::notify {
namespace {

TEST(CappedText, KeepsAShortTextWhole) {
  CappedText text(10);
  text.append("01234");
  text.append("56789");
  EXPECT_EQ(text.text(), "0123456789");
  EXPECT_EQ(text.dropped(), 0u);
}

TEST(CappedText, KeepsHeadAndTailOfALongOneHoweverItComes) {
  const std::string source = "HEAD-" + std::string(1000, '.') + "-TAIL";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, source.size()}) {
    CappedText text(10);
    for (std::size_t i = 0; i < source.size(); i += piece) text.append(source.substr(i, piece));
    EXPECT_EQ(text.text(), "HEAD-\n[1000 bytes left out]\n-TAIL") << piece;
    EXPECT_EQ(text.dropped(), 1000u);
    EXPECT_EQ(text.total(), 1010u);
  }
}

}  // namespace
}  // namespace firebreak::notify
