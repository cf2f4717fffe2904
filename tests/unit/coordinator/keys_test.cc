// The table of a policy's keys and the loader agree.
#include "coordinator/policy/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/policy/loader.h"
#include "coordinator/policy/schema.h"
#include "tests/support/shape_sample.h"

namespace firebreak::policy::shape {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the examples speak of and do not define.
constexpr const char* kBeside = R"yaml(
services: {database: {agents: 'true', probes: {ready: {postgres: "db:5432"}}}}
)yaml";

std::vector<std::string> errors_of(const json::value& sample) {
  const Loaded loaded =
      load_policy({{"policy.yaml", json::serialize(sample)}, {"beside.yaml", kBeside}});
  std::vector<std::string> messages;
  for (const yaml::Problem& problem : loaded.findings)
    if (problem.severity == yaml::Severity::error) messages.push_back(problem.message);
  return messages;
}

// A check with a probe of its own says `expect` once: inside the probe, or beside it.
json::object policy_of_all_keys() {
  json::object sample = testing::sample_of(policy_keys());
  for (auto& list : sample.at("checklists").as_object())
    for (json::value& check : list.value().as_array())
      if (const auto* http = check.as_object().if_contains("http");
          http != nullptr && http->is_object())
        check.as_object().erase("expect");
  return sample;
}

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& one : all) text += one + "\n";
  return text;
}

TEST(Keys, TheTableAndTheLoaderAgree) {
  EXPECT_EQ(lines(testing::disagreements(policy_keys(), policy_of_all_keys(), errors_of)), "");
}

File without(const std::string& object, const std::string& key) {
  File file = policy_keys();
  for (Object& one : file.objects)
    if (one.name == object)
      std::erase_if(one.keys, [&](const Key& row) { return row.names == key; });
  return file;
}

TEST(Keys, AKeyThatIsOnlyInTheLoaderIsFound) {
  const File file = without("guard", "cooldown");
  json::object sample = policy_of_all_keys();
  EXPECT_THAT(
      testing::disagreements(file, sample, errors_of),
      ElementsAre(HasSubstr("key 'cooldown' is read by the loader and missing in the table")));
}

File with(const std::string& object, Key key) {
  File file = policy_keys();
  for (Object& one : file.objects)
    if (one.name == object) {
      std::erase_if(one.keys, [&](const Key& row) { return row.names == key.names; });
      one.keys.push_back(std::move(key));
    }
  return file;
}

TEST(Keys, AKeyThatIsOnlyInTheTableIsFound) {
  const File file = with("guard", {"budget", whole(1, 9), "none", "a budget", "1"});
  EXPECT_THAT(testing::disagreements(file, policy_of_all_keys(), errors_of),
              ElementsAre(HasSubstr(
                  "key 'budget' of 'guard' is in the table, and the loader never reads it")));
}

TEST(Keys, BoundsAndWordsThatDifferAreFound) {
  const auto differ = [](const std::string& object, Key key) {
    return testing::disagreements(with(object, std::move(key)), policy_of_all_keys(), errors_of);
  };
  EXPECT_THAT(differ("probe", {"need", whole(0, 1000), "", "a number", "1"}),
              ElementsAre(HasSubstr("'need'")));
  EXPECT_THAT(differ("playbook", {"mode", words({"observe", "advise"}), "", "a mode", "observe"}),
              ElementsAre(HasSubstr("'mode'")));
  using std::chrono_literals::operator""s;
  EXPECT_THAT(
      differ("severity", {"update", duration(2s), "", "a time", "15m"}),
      ElementsAre(HasSubstr("'update' of 'severity' must be a duration of at least 2s, not")));
}

TEST(Keys, EachRowIsWhole) {
  for (const Object& object : policy_keys().objects)
    for (const Key& row : object.keys) {
      EXPECT_FALSE(row.meaning.empty()) << object.name << "." << row.names;
      EXPECT_FALSE(row.fallback.empty()) << object.name << "." << row.names;
      EXPECT_FALSE(row.type.shown.empty()) << object.name << "." << row.names;
      EXPECT_NE(row.meaning.back(), '.') << object.name << "." << row.names;
    }
}

TEST(Schema, IsJsonWithADefinitionOfEachObject) {
  const json::value schema = json::parse(json_schema(policy_keys()));
  EXPECT_EQ(schema.at("$schema"), "http://json-schema.org/draft-07/schema#");
  const auto& definitions = schema.at("definitions").as_object();
  EXPECT_EQ(definitions.size() + 1, policy_keys().objects.size());
  for (const Object& object : policy_keys().objects)
    EXPECT_EQ(definitions.contains(object.name), &object != &policy_keys().objects.front())
        << object.name;
}

TEST(Schema, AKeyHasItsTypeAndWhatAnEditorShows) {
  const json::value schema = json::parse(json_schema(policy_keys()));
  const auto& attempts =
      schema.at("definitions").at("confirm").at("properties").at("attempts").as_object();
  EXPECT_EQ(
      json::serialize(attempts),
      R"({"description":"Further probes before a change of verdict is believed; 0 believes the first. )"
      R"(0 to 10. Default: 2.","type":"integer","minimum":0,"maximum":10,"default":2,"examples":[2]})");
}

}  // namespace
}  // namespace firebreak::policy::shape
