// Evaluation: precedence, CEL's absorption of errors and unknowns, macros, bounds.
#include "common/cel/program.h"

#include "tests/unit/common/cel/support.h"

namespace firebreak::cel {
namespace {

TEST(Program, EvaluatesThePoliciesOfTheDesign) {
  EXPECT_EQ(shown("!available('health') || facts.customers > 1000 || facts.security_breach || "
                  "value('queue') > 10"),
            "unknown (facts.security_breach)");
  EXPECT_EQ(shown("facts.customers > 100 || value('queue') > 5"), "true");
  EXPECT_EQ(shown("p95('health', 1m) > duration('500ms')"), "true");
  EXPECT_EQ(shown("labels.role == \"edge\""), "true");
}

TEST(Program, FollowsThePrecedenceOfCel) {
  EXPECT_EQ(shown("1 + 2 * 3"), "7");
  EXPECT_EQ(shown("(1 + 2) * 3"), "9");
  EXPECT_EQ(shown("10 - 3 - 2"), "5");
  EXPECT_EQ(shown("7 / 2 * 2"), "6");
  EXPECT_EQ(shown("-2 * -3 % 4"), "2");
  EXPECT_EQ(shown("1 + 1 == 2 && !false"), "true");
  EXPECT_EQ(shown("true || false && false"), "true");
  EXPECT_EQ(shown("false ? 1 : true ? 2 : 3"), "2");
  EXPECT_EQ(shown("no || yes ? 'a' : 'b'"), "'a'");
  EXPECT_EQ(shown("1 in [1] == true"), "true");
}

struct Row {
  const char* a;
  const char* b;
  const char* conjunction;
  const char* disjunction;
};

TEST(Program, AbsorbsErrorsAndUnknownsOnEitherSide) {
  const Row rows[] = {
      {"yes", "yes", "true", "true"},
      {"yes", "no", "false", "true"},
      {"no", "no", "false", "false"},
      {"yes", "unset", "unknown (unset)", "true"},
      {"no", "unset", "false", "unknown (unset)"},
      {"yes", "broken", "error: broken", "true"},
      {"no", "broken", "false", "error: broken"},
      {"unset", "broken", "unknown (unset)", "unknown (unset)"},
      {"broken", "broken", "error: broken", "error: broken"},
      {"unset", "other", "unknown (other and unset)", "unknown (other and unset)"},
  };
  for (const Row& row : rows) {
    const std::string a = row.a, b = row.b;
    EXPECT_EQ(shown(a + " && " + b), row.conjunction) << a << " " << b;
    EXPECT_EQ(shown(b + " && " + a), row.conjunction) << b << " " << a;
    EXPECT_EQ(shown(a + " || " + b), row.disjunction) << a << " " << b;
    EXPECT_EQ(shown(b + " || " + a), row.disjunction) << b << " " << a;
  }
  EXPECT_EQ(shown("broken || unset || other || yes"), "true");
  EXPECT_EQ(shown("unset && broken && no"), "false");
}

TEST(Program, IsStrictEverywhereElse) {
  EXPECT_EQ(shown("!unset"), "unknown (unset)");
  EXPECT_EQ(shown("!broken"), "error: broken");
  EXPECT_EQ(shown("unset == broken"), "unknown (unset)");
  EXPECT_EQ(shown("broken == unset"), "unknown (unset)");
  EXPECT_EQ(shown("[broken, unset]"), "unknown (unset)");
  EXPECT_EQ(shown("unset ? 1 : 2"), "unknown (unset)");
  EXPECT_EQ(shown("yes ? 1 : 1 / 0"), "1");
  EXPECT_EQ(shown("pick(string(broken))"), "error: broken");
}

}  // namespace
}  // namespace firebreak::cel
