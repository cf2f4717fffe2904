// Selectors mean what they mean in PromQL.
#include "common/metric_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak {
namespace {

using ::testing::HasSubstr;

MetricSelector selector(std::string_view text) {
  const auto read = parse_metric_selector(text);
  EXPECT_TRUE(read) << text << ": " << read.error().message;
  return read ? *read : MetricSelector{};
}

TEST(MetricSelector, ReadsNamesAndLabels) {
  EXPECT_EQ(selector("up").name, "up");
  EXPECT_EQ(selector("job:errors:rate5m").name, "job:errors:rate5m");
  EXPECT_EQ(selector("up{}"), selector("up"));
  const MetricSelector both = selector("up { job = \"a b\" , env!=\"t\\\"\\\\\\n\", }");
  EXPECT_EQ(both.matchers, (std::vector<MetricSelector::Matcher>{{"job", "a b", true},
                                                                 {"env", "t\"\\\n", false}}));
}

TEST(MetricSelector, SaysWhatIsNotOne) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "begins with a name"},
           {"1up", "begins with a name"},
           {"{job=\"a\"}", "begins with a name"},
           {"up job", "'job' is too much"},
           {"up{", "} is missing"},
           {"up{job}", "= is missing behind job"},
           {"up{job=a}", "must be in quotes"},
           {"up{job=\"a}", "must be in quotes"},
           {"up{job=\"a\" env=\"b\"}", "} is missing"},
           {"up{job=~\"a\"}", "without regular expressions"},
           {"up{9=\"a\"}", "a label's name is missing"},
           {"up{job=\"a\"}[5m]", "nothing follows }"}}) {
    const auto read = parse_metric_selector(text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr(why)) << text;
  }
}

TEST(MetricSelector, HasABoundOnLabels) {
  std::string text = "up{";
  for (std::size_t i = 0; i < limits::kMetricMatchersMax; ++i) text += "a=\"\",";
  EXPECT_TRUE(parse_metric_selector(text + "}"));
  EXPECT_FALSE(parse_metric_selector(text + "a=\"\"}"));
}

TEST(MetricSelector, ALabelThatIsNotThereIsEmpty) {
  const MetricLabels labels{{"job", "a"}, {"env", "prod"}, {"env", "second"}};
  EXPECT_TRUE(selector("up").matches(labels));
  EXPECT_TRUE(selector("up{job=\"a\",env=\"prod\"}").matches(labels));
  EXPECT_FALSE(selector("up{job=\"a\",env=\"second\"}").matches(labels));
  EXPECT_FALSE(selector("up{job!=\"a\"}").matches(labels));
  EXPECT_TRUE(selector("up{zone=\"\"}").matches(labels));
  EXPECT_FALSE(selector("up{job=\"\"}").matches(labels));
  EXPECT_TRUE(selector("up{zone!=\"x\"}").matches(labels));
}

}  // namespace
}  // namespace firebreak
