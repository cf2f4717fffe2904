// What docs/operations.md has an operator do on a new host works as it is written there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/deployment.h"
#include "tests/support/files.h"

namespace firebreak::testing {
namespace {

using ::testing::HasSubstr;

const std::string kSource = FIREBREAK_SOURCE;

// An example file with the folders of an installation moved below `root`.
void install_example(const std::string& name, const std::string& root) {
  std::string text = read_file(kSource + "/deploy/examples/" + name);
  for (const std::string folder : {"/etc/firebreak", "/var/lib/firebreak"})
    for (std::size_t at = 0; (at = text.find(folder, at)) != std::string::npos;
         at += root.size() + folder.size())
      text.insert(at, root);
  write_file(root + "/etc/firebreak/" + name, text);
}

TEST(Manual, TheExampleOfACoordinatorPassesItsCheckBeforeSystemdHasGivenTheKey) {
  const TempDir folder;
  const std::string etc = folder / "etc/firebreak";
  std::filesystem::create_directories(etc + "/policy");
  const auto run = [](const std::vector<std::string>& command) { return run_command(command); };
  ASSERT_EQ(
      run({FIREBREAK_CLI, "pki", "init", "--dir", folder / "pki", "--name", "example"}).exit_code,
      0);
  ASSERT_EQ(run({FIREBREAK_CLI, "pki", "coordinator", "main", "--host", "coordinator.example",
                 "--dir", folder / "pki"})
                .exit_code,
            0);
  std::filesystem::create_directory(etc + "/pki");
  std::filesystem::copy_file(folder / "pki/coordinators/main.crt", etc + "/pki/coordinator.crt");
  std::filesystem::copy_file(folder / "pki/ca.crt", etc + "/pki/ca.crt");
  install_example("coordinator.yaml", folder.path());
  const std::vector<std::string> check = {FIREBREAK_COORDINATOR, "--config",
                                          etc + "/coordinator.yaml", "--check"};

  const CommandResult without_policy = run(check);
  std::filesystem::copy_file(kSource + "/deploy/policies/tyrehero/policy.yaml",
                             etc + "/policy/policy.yaml");
  const CommandResult complete = run(check);
  std::filesystem::copy_file(folder / "pki/ca.crt", etc + "/pki/coordinator.crt",
                             std::filesystem::copy_options::overwrite_existing);
  const CommandResult wrong = run(check);

  EXPECT_EQ(without_policy.exit_code, 2);
  EXPECT_THAT(without_policy.errors, HasSubstr("holds no .yaml file"));
  EXPECT_EQ(complete.exit_code, 0) << complete.errors;
  EXPECT_THAT(complete.output, HasSubstr("the key was not looked at"));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.errors, HasSubstr("not a coordinator's"));
}

}  // namespace
}  // namespace firebreak::testing
