// The shipped example loads, and every mistake in a configuration is shown with its place.
#include "coordinator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kGood =
    "tls: {certificate: /pki/c.crt, key: /pki/c.key, ca: /pki/ca.crt}\n"
    "policy: /policy\n"
    "state: /state\n";

std::string refusal(const std::string& text) {
  const auto config = parse_config("c.yaml", text);
  return config ? "accepted" : config.error().message;
}

TEST(CoordinatorConfig, TheShippedExampleLoads) {
  const auto config = load_config(FIREBREAK_SOURCE_DIR "/deploy/examples/coordinator.yaml");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(to_string(config->listen), "0.0.0.0:7443");
  EXPECT_EQ(config->tls.certificate, "/etc/firebreak/pki/coordinator.crt");
  EXPECT_EQ(config->tls.key, "credential:coordinator.key");
  EXPECT_EQ(config->tls.ca, "/etc/firebreak/pki/ca.crt");
  EXPECT_EQ(config->policy, "/etc/firebreak/policy");
  EXPECT_EQ(config->state, "/var/lib/firebreak/coordinator");
}

TEST(CoordinatorConfig, ListensEverywhereUnlessTold) {
  const auto config = parse_config("c.yaml", kGood);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->listen, (Address{"0.0.0.0", 7443}));
}

TEST(CoordinatorConfig, KeepsAWeekOrTenGibibytesOfJournalUnlessTold) {
  const auto quiet = parse_config("c.yaml", kGood);
  const auto told =
      parse_config("c.yaml", std::string(kGood) + "journal: {keep: 30d, size: 512MiB}\n");

  ASSERT_TRUE(quiet) << quiet.error().message;
  EXPECT_EQ(quiet->journal.keep, std::chrono::hours(7 * 24));
  EXPECT_EQ(quiet->journal.bytes, 10ull << 30);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->journal.keep, std::chrono::hours(30 * 24));
  EXPECT_EQ(told->journal.bytes, 512ull << 20);
}

TEST(CoordinatorConfig, RefusesWhatIsNotASize) {
  for (const char* text :
       {"10", "10GB", "GiB", "-1GiB", "0GiB", "1MiB", "1.5GiB", "10 GiB", "99999999999999TiB"})
    EXPECT_THAT(refusal(std::string(kGood) + "journal: {size: " + text + "}\n"),
                HasSubstr("must be a size of at least 64MiB"))
        << text;
  EXPECT_NE(refusal(std::string(kGood) + "journal: {keep: 1s}\n"), "accepted");
}

TEST(CoordinatorConfig, TakesNamesAndBothKindsOfAddress) {
  const std::pair<const char*, Address> cases[] = {
      {"127.0.0.1:0", {"127.0.0.1", 0}},
      {"coordinator.example:65535", {"coordinator.example", 65535}},
      {"'[::1]:7443'", {"::1", 7443}},
  };
  for (const auto& [text, address] : cases) {
    const auto config = parse_config("c.yaml", std::string(kGood) + "listen: " + text + "\n");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->listen, address);
  }
  EXPECT_EQ(to_string(Address{"::1", 7443}), "[::1]:7443");
}

TEST(CoordinatorConfig, RefusesWhatIsNotAnAddress) {
  for (const char* text : {"'7443'", "0.0.0.0", "':7443'", "'::1:7443'", "'a:'", "a:65536", "a:-1",
                           "a:7443x", "'[::1:7443'", "'a b:1'", "'http://a:1'"})
    EXPECT_THAT(refusal(std::string(kGood) + "listen: " + text + "\n"),
                HasSubstr("c.yaml:4:9: error: 'listen' must be an address and a port such as"))
        << text;
}

TEST(CoordinatorConfig, SaysEveryMistakeAtOnceWithItsPlace) {
  EXPECT_THAT(refusal("tls: {certificate: c.crt, key: k, ca: credential:ca}\n"
                      "polcy: /policy\n"
                      "listen: [1]\n"),
              AllOf(HasSubstr("c.yaml:1:20: error: 'certificate' must be an absolute path"),
                    HasSubstr("c.yaml:1:32: error: 'key' must be an absolute path"),
                    HasSubstr("c.yaml:1:39: error: 'ca' must be a path; only 'key' may be"),
                    HasSubstr("c.yaml:2:1: error: unknown key 'polcy'"),
                    HasSubstr("did you mean 'policy'?"), HasSubstr("c.yaml:3:9: error: "),
                    HasSubstr("'state'")));
}

TEST(CoordinatorConfig, RefusesAnEmptyFileAndNamesAMissingOne) {
  EXPECT_THAT(refusal(""), HasSubstr("c.yaml:"));
  const auto missing = load_config("/nonexistent/coordinator.yaml");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/coordinator.yaml"));
}

}  // namespace
}  // namespace firebreak::coordinator
