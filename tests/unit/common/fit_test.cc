// What does not fit is left out of the middle.
#include "common/fit.h"

#include <gtest/gtest.h>

namespace firebreak {
namespace {

TEST(FitEnds, KeepsEverythingThatFits) {
  EXPECT_EQ(fit_ends({}, 0), (Ends{0, 0}));
  EXPECT_EQ(fit_ends({1, 2, 3}, 6).left_out(), 0u);
}

TEST(FitEnds, LeavesOutTheMiddle) {
  EXPECT_EQ(fit_ends({1, 1, 1, 1, 1, 1}, 3), (Ends{2, 5}));
  EXPECT_EQ(fit_ends({1, 1, 1, 1, 1, 1}, 0), (Ends{0, 6}));
}

TEST(FitEnds, StopsAtAnEntryThatIsTooLarge) {
  EXPECT_EQ(fit_ends({1, 100, 1, 1}, 10), (Ends{1, 3}));
}

}  // namespace
}  // namespace firebreak
