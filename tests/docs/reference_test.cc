// Markers in, tables out, and what is wrong with a page.
#include "tests/docs/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::docs {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Reference, ATableIsWrittenBetweenItsMarkers) {
  const Page page = generated(
      "before\n<!-- generated: policy severity update -->\nold\n<!-- end of generated "
      "-->\nafter\n");
  EXPECT_THAT(page.wrong, IsEmpty());
  EXPECT_EQ(page.text,
            "before\n"
            "<!-- generated: policy severity update -->\n"
            "| key | type | default | bounds | meaning |\n"
            "|---|---|---|---|---|\n"
            "| `update` | duration | none | 1s or more | how often people are reminded to say what "
            "is going on |\n"
            "<!-- end of generated -->\n"
            "after\n");
  EXPECT_THAT(page.told, ElementsAre("policy severity.update"));
  EXPECT_EQ(generated(page.text).text, page.text);
}

TEST(Reference, AMarkerThatNamesNothingIsSaidWithItsLine) {
  const auto wrong = [](const std::string& text) { return generated(text).wrong; };
  const std::string end = "<!-- end of generated -->\n";
  EXPECT_THAT(wrong("\n<!-- generated: agent severity -->\n" + end),
              ElementsAre(HasSubstr("2: 'agent' is neither")));
  EXPECT_THAT(wrong("<!-- generated: policy severty -->\n" + end),
              ElementsAre(HasSubstr("1: there is no object 'severty'")));
  EXPECT_THAT(wrong("<!-- generated: policy severity updat -->\n" + end),
              ElementsAre(HasSubstr("1: 'severity' has no key 'updat'")));
  EXPECT_THAT(wrong("<!-- generated: policy severity -->\n"),
              ElementsAre(HasSubstr("has no <!-- end")));
  EXPECT_THAT(wrong(end), ElementsAre(HasSubstr("no generated table ends here")));
}

TEST(Reference, AKeyThatNoPageTellsOfIsFound) {
  const Page page =
      generated("<!-- generated: policy severity update -->\n<!-- end of generated -->\n");
  EXPECT_THAT(untold(page.told), Contains("policy severity.notify"));
  EXPECT_THAT(untold(page.told), Not(Contains("policy severity.update")));
}

}  // namespace
}  // namespace firebreak::docs
