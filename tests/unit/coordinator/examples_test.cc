// Every policy that we show to people loads without an error or a warning: the examples in
// deploy/policies and those in the reference.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/probe_yaml.h"
#include "coordinator/policy/loader.h"
#include "coordinator/policy/signals.h"

namespace firebreak::policy {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = FIREBREAK_SOURCE_DIR;

std::vector<fs::path> folders_of(const fs::path& above) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(above))
    if (entry.is_directory()) folders.push_back(entry.path());
  return folders;
}

// The fenced blocks of a page that begin with `opening` and hold `word`.
std::vector<std::string> blocks_of(const fs::path& page, const std::string& opening,
                                   const std::string& word) {
  std::ifstream file(page);
  std::vector<std::string> blocks;
  std::string line, block;
  bool inside = false;
  while (std::getline(file, line)) {
    if (!inside && line == opening) {
      inside = true;
      block.clear();
    } else if (inside && line == "```") {
      inside = false;
      if (block.find(word) != std::string::npos) blocks.push_back(block);
    } else if (inside) {
      block += line + "\n";
    }
  }
  return blocks;
}

TEST(ExamplePolicies, EachOfThemLoads) {
  const auto folders = folders_of(kRoot / "deploy/policies");
  ASSERT_EQ(folders.size(), 5u);
  for (const fs::path& folder : folders) {
    auto files = read_policy_directory(folder.string());
    ASSERT_TRUE(files) << folder << ": " << files.error().message;
    const Loaded loaded = load_policy(*std::move(files));
    EXPECT_EQ(loaded.problems, "") << folder;  // no lint either
    ASSERT_NE(loaded.policy, nullptr) << folder;
    EXPECT_FALSE(loaded.policy->playbooks.empty()) << folder;
  }
}

TEST(ExamplePolicies, TheReferencesExampleLoads) {
  const auto blocks = blocks_of(kRoot / "docs/reference/policy.md", "```yaml", "severities:");
  ASSERT_EQ(blocks.size(), 1u);
  const Loaded loaded = load_policy({{"policy.yaml", blocks.front()}});
  EXPECT_EQ(loaded.problems, "");
}

TEST(ExamplePolicies, TheProbesOfTheReferenceLoad) {
  auto blocks = blocks_of(kRoot / "docs/reference/probes.md", "```yaml", ": ");
  // A host's file, which is no policy.
  EXPECT_EQ(std::erase_if(blocks,
                          [](const std::string& block) { return block.find("\nchecks:\n") < 200; }),
            1u);
  ASSERT_EQ(blocks.size(), 16u);
  for (const std::string& block : blocks) {
    std::string text = "services:\n  shop:\n    agents: labels.role == 'edge'\n    probes:\n";
    std::istringstream lines(block);
    for (std::string line; std::getline(lines, line);) text += "      " + line + "\n";
    // Probes alone: nothing looks at them.
    const Loaded loaded = load_policy({{"policy.yaml", text}});
    EXPECT_TRUE(loaded.policy) << loaded.problems;
  }
}

TEST(ExamplePolicies, TheExpressionsOfTheReferenceCompile) {
  const auto blocks = blocks_of(kRoot / "docs/reference/expressions.md", "```", "failing_agents");
  ASSERT_EQ(blocks.size(), 1u);
  std::istringstream lines(blocks.front());
  for (std::string line; std::getline(lines, line);) {
    bool compiles = false;
    for (const cel::Declarations& names :
         {rule_declarations({{"security_breach", cel::Type::Kind::boolean}}),
          selector_declarations(), observation_declarations(), http_expect_declarations()})
      compiles = compiles || std::holds_alternative<cel::Program>(
                                 cel::compile(line, names, cel::Type::Kind::boolean));
    EXPECT_TRUE(compiles) << line;
  }
}

}  // namespace
}  // namespace firebreak::policy
