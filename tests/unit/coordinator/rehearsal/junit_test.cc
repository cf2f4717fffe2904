// JUnit's XML: counts, and texts that XML could trip over.
#include "coordinator/rehearsal/junit.h"

#include <gtest/gtest.h>

namespace firebreak::rehearsal {
namespace {

using namespace std::chrono_literals;

Played played(const std::string& name, Outcome outcome, const std::string& text = "") {
  Played one;
  one.result.name = name;
  one.result.outcome = outcome;
  one.result.text = text;
  if (outcome != Outcome::passed) one.result.problems.push_back({"f", 1, 2, 1, "first", "", {}});
  one.took = 1500us;
  return one;
}

TEST(Junit, CountsWhatFailedAndWhatIsWrong) {
  const std::string xml =
      to_junit({{"a.yaml",
                 "",
                 {played("one", Outcome::passed), played("two", Outcome::failed, "why\n"),
                  played("three", Outcome::wrong)}},
                {"b.yaml", "b.yaml: not there", {}}});

  EXPECT_NE(xml.find("<testsuite name=\"a.yaml\" tests=\"3\" failures=\"1\" errors=\"1\" "
                     "time=\"0.004500\">"),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<testcase classname=\"a.yaml\" name=\"one\" time=\"0.001500\"/>"),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("<failure message=\"first\">why\n</failure>"), std::string::npos) << xml;
  EXPECT_NE(xml.find("<testsuite name=\"b.yaml\" tests=\"1\" failures=\"0\" errors=\"1\""),
            std::string::npos)
      << xml;
  EXPECT_NE(xml.find("b.yaml: not there</error>"), std::string::npos) << xml;
}

TEST(Junit, NoTextBreaksOut) {
  const std::string hostile = "]]></failure><x a='\"&\x1b[31m\x01\xff\xEF\xBF\xBF\n";
  const std::string xml = to_junit({{hostile, "", {played(hostile, Outcome::failed, hostile)}}});

  EXPECT_EQ(xml.find("]]>"), std::string::npos);
  EXPECT_EQ(xml.find("<x"), std::string::npos);
  for (const char c : xml)
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << int{c};
  EXPECT_EQ(xml.find("\xEF\xBF\xBF"), std::string::npos);
  EXPECT_EQ(xml.find('\xff'), std::string::npos);
}

}  // namespace
}  // namespace firebreak::rehearsal
