// The table of the keys of policy tests and what reads them agree.
#include "coordinator/rehearsal/keys.h"

#include <gtest/gtest.h>

#include "coordinator/rehearsal/suite.h"
#include "tests/support/files.h"
#include "tests/support/shape_sample.h"
#include "tests/support/temp_dir.h"

namespace firebreak::rehearsal {
namespace {

namespace json = boost::json;

// What the examples speak of.
constexpr const char* kPolicy = R"yaml(incident_id: INC-%Y%m%d-%N
severities: {P1: {notify: ops-chat}}
facts: {customers: 0}
receivers: {ops-chat: {slack: {url: "http://127.0.0.1:1/hook"}}}
services:
  shop:
    agents: labels.role == 'edge'
    probes:
      health: {http: "https://shop.example.com/health"}
      queue: {queue: {redis: "cache:6379", list: orders}}
rules:
  - {service: shop, severity: {P1: "!available('health')"}}
actions: {restart-shop: {host: restart-shop}, restart-shop_2: {host: restart-shop}}
checklists: {shop: [{http: {post: "https://shop.example.com/test"}}]}
)yaml";

json::object tests_of_all_keys() {
  json::object sample = testing::sample_of(test_keys());
  sample["policy"] = kPolicy;
  for (json::value& test : sample.at("tests").as_array())
    for (json::value& entry : test.as_object().at("timeline").as_array())
      if (entry.as_object().contains("policy")) entry.as_object()["policy"] = kPolicy;
  return sample;
}

// Mistakes; that an expectation is not met is none.
std::vector<std::string> errors_of(const json::value& sample) {
  const testing::TempDir folder;
  testing::write_file(folder / "t.yaml", json::serialize(sample));
  const Suite suite(folder / "t.yaml");
  std::vector<std::string> messages;
  for (const yaml::Problem& problem : suite.problems()) messages.push_back(problem.message);
  if (!suite.policy()) return messages;
  for (std::size_t i = 0; i < suite.size(); ++i)
    if (const TestResult result = suite.play(i); result.outcome == Outcome::wrong)
      for (const yaml::Problem& problem : result.problems) messages.push_back(problem.message);
  return messages;
}

TEST(TestKeys, TheTableAndTheReadersAgree) {
  std::string all;
  for (const std::string& one : testing::disagreements(test_keys(), tests_of_all_keys(), errors_of))
    all += one + "\n";
  EXPECT_EQ(all, "");
}

TEST(TestKeys, EachRowIsWhole) {
  for (const auto& object : test_keys().objects)
    for (const auto& row : object.keys) {
      EXPECT_FALSE(row.meaning.empty()) << object.name << "." << row.names;
      EXPECT_FALSE(row.fallback.empty()) << object.name << "." << row.names;
    }
}

}  // namespace
}  // namespace firebreak::rehearsal
