// What a matcher is, and which incidents a silence is about. What silences do is in
// tests/scenario/silence.yaml.
#include "coordinator/core/silences.h"

#include <gmock/gmock.h>

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace silences_test {

using ::testing::HasSubstr;

Incident incident_of(const char* service, const char* severity) {
  Incident incident;
  incident.id = IncidentId("INC-1");
  incident.service = ServiceName(service);
  incident.severity_name = severity;
  return incident;
}

bool is_matched(const std::vector<std::string>& texts, const Incident& incident) {
  Silence silence;
  for (const std::string& text : texts) {
    auto matcher = parse_matcher(text);
    EXPECT_TRUE(matcher) << text;
    if (matcher) silence.matchers.push_back(*matcher);
  }
  return matches(silence, incident);
}

std::string complaint(const std::string& text) {
  const auto matcher = parse_matcher(text);
  return matcher ? "" : matcher.error().message;
}

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}}
services: {api: {agents: 'true', probes: {health: {http: "http://api/", every: 5s}}}}
rules: [{service: api, severity: {P1: "!available('health')"}}]
)yaml";

TEST(Silences, MatchByEqualityAndByPatternsOfTheWholeValue) {
  const Incident web = incident_of("web-2", "P2");

  EXPECT_TRUE(is_matched({"service=web-2"}, web));
  EXPECT_FALSE(is_matched({"service=web"}, web));
  EXPECT_TRUE(is_matched({"service!=web"}, web));
  EXPECT_TRUE(is_matched({"service=~web-.*"}, web));
  EXPECT_FALSE(is_matched({"service=~web"}, web));
  EXPECT_FALSE(is_matched({"service!~web-.*"}, web));
  EXPECT_TRUE(is_matched({"incident=INC-1"}, web));
  EXPECT_TRUE(is_matched({"severity=~P[23]"}, web));
}

TEST(Silences, MatchOnlyWhatAllMatchersDo) {
  EXPECT_TRUE(is_matched({"service=web", "severity!=P1"}, incident_of("web", "P2")));
  EXPECT_FALSE(is_matched({"service=web", "severity!=P1"}, incident_of("web", "P1")));
  EXPECT_FALSE(is_matched({"service=web", "severity!=P1"}, incident_of("db", "P2")));
}

TEST(Silences, SayWhatIsWrongWithAMatcher) {
  EXPECT_THAT(complaint("service"), HasSubstr("there is no =, !=, =~ or !~"));
  EXPECT_THAT(complaint("service!web"), HasSubstr("there is no =, !=, =~ or !~"));
  EXPECT_THAT(complaint("host=web"), HasSubstr("no 'host'"));
  EXPECT_THAT(complaint("service="), HasSubstr("no value"));
  EXPECT_THAT(complaint("service=~"), HasSubstr("no value"));
  EXPECT_THAT(complaint("service=~[a"), HasSubstr("not a regular expression"));
  EXPECT_THAT(complaint("service=~(a{1000}){1000}"), HasSubstr("not a regular expression"));
  EXPECT_THAT(complaint("service=" + std::string(limits::kMatcherBytesMax, 'x')),
              HasSubstr("bytes"));
}

TEST(Silences, AreGivenOncePerRequest) {
  World world(kPolicy);

  world.ask(AddSilence{{"service=api"}, 1h, "why", "r-1"});
  world.ask(AddSilence{{"service=api"}, 1h, "why", "r-1"});
  world.ask(AddSilence{{"service=api"}, 1h, "why", "r-2"});

  EXPECT_EQ(world.state.quieting.silences.size(), 2U);
}

TEST(Silences, AreBoundedInForceAndWhenTheyAreOver) {
  World world(kPolicy);
  const AddSilence wish{{"service=api"}, 1h, "why", ""};
  for (std::size_t i = 0; i < limits::kSilencesMax; ++i) world.ask(wish);
  EXPECT_EQ(world.may(wish).error().code, Errc::resource_exhausted);

  world.pass(1h);

  EXPECT_EQ(world.state.quieting.silences.size(), limits::kQuietingsKept);
  world.ask(wish);
  world.pass(1h);
  EXPECT_EQ(world.state.quieting.silences.size(), limits::kQuietingsKept);
  world.pass(limits::kQuietingsKeptFor);
  world.ask(wish);
  EXPECT_EQ(world.state.quieting.silences.size(), 1U);
}

}  // namespace silences_test
}  // namespace firebreak::core
