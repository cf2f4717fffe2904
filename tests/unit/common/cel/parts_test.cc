// What each part of an expression is, as `firebreak explain` shows it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/limits.h"
#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace {

std::vector<std::string> shown_parts(const std::string& text) {
  const auto compiled = compile(text, declarations());
  const auto* program = std::get_if<Program>(&compiled);
  if (program == nullptr) return {"does not compile"};
  std::vector<std::string> lines;
  for (const Part& part : program->parts(World()))
    lines.push_back(std::string(static_cast<std::size_t>(part.depth), ' ') + part.text + " = " +
                    to_string(part.value));
  return lines;
}
using Lines = std::vector<std::string>;

TEST(Parts, ShowsEveryInputBelowWhatIsMadeOfIt) {
  EXPECT_EQ(shown_parts("!available('health') || facts.customers > 1000"),
            (Lines{"!available('health') || facts.customers > 1000 = false",
                   " !available('health') = false", "  available('health') = true",
                   " facts.customers > 1000 = false", "  facts.customers = 150"}));
}

TEST(Parts, LooksWhereTheEvaluationWouldNotCome) {
  EXPECT_EQ(shown_parts("yes || value('queue') > 10"),
            (Lines{"yes || value('queue') > 10 = true", " yes = true",
                   " value('queue') > 10 = false", "  value('queue') = 7.5"}));
}

TEST(Parts, SaysWhatIsMissing) {
  EXPECT_EQ(shown_parts("!available('silent') && no"),
            (Lines{"!available('silent') && no = false",
                   " !available('silent') = unknown (silent: no results yet)",
                   "  available('silent') = unknown (silent: no results yet)", " no = false"}));
}

TEST(Parts, StopsAtAMacroWhoseBodyHasNoValueOfItsOwn) {
  EXPECT_EQ(shown_parts("numbers.exists(x, x > 3)"),
            (Lines{"numbers.exists(x, x > 3) = true", " numbers = [1, 2, 3, 4]"}));
}

TEST(Parts, AreBounded) {
  std::string text = "yes";
  for (int i = 0; i < 200; ++i) text += " && yes";
  EXPECT_EQ(shown_parts(text).size(), limits::kExprPartsMax);
}

}  // namespace
}  // namespace firebreak::cel
