// Which checks a host allows, and what a probe may ask of them.
#include "probes/checks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace firebreak::probes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ReadChecks : public ::testing::Test {
 protected:
  void write(const std::string& text) {
    std::ofstream(dir_ / "a.yaml") << text;
    ASSERT_EQ(::chmod((dir_ / "a.yaml").c_str(), 0644), 0);
  }
  ChecksFolder read() { return read_checks(dir_.path(), ::geteuid(), problems_); }
  // Of a host with this one check, given these values.
  Result<Checks::Order> order(const std::string& check, const programs::Values& values) {
    const Checks checks(read(), nullptr);
    EXPECT_TRUE(problems_.ok()) << problems_.render();
    return checks.order_of(ExecSpec{check, values});
  }

  testing::TempDir dir_;
  yaml::Problems problems_;
};

constexpr const char* kDisk = R"(checks:
  disk:
    exec: [/bin/echo, -p, "${path}"]
    parameters: {path: {one_of: [/, /var]}}
    environment: {EXTRA: "1"}
    timeout: 10s
)";

TEST_F(ReadChecks, FillsInOnlyWhatTheFileDeclares) {
  write(kDisk);
  const auto good = order("disk", {{"path", "/var"}});
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_THAT(good->invocation.argv, ElementsAre("/bin/echo", "-p", "/var"));
  EXPECT_EQ(good->timeout, std::chrono::seconds(10));
  EXPECT_EQ(good->invocation.environment.at("EXTRA"), "1");
  EXPECT_EQ(good->invocation.environment.at("FIREBREAK_CHECK"), "disk");

  for (const programs::Values& values :
       {programs::Values{}, programs::Values{{"path", "/etc"}},
        programs::Values{{"path", "/var"}, {"extra", "x"}}, programs::Values{{"path", "-rf"}}})
    EXPECT_FALSE(order("disk", values));
  EXPECT_THAT(order("other", {}).error().message, HasSubstr("has no check 'other'"));
}

TEST_F(ReadChecks, RefusesFilesThatOthersCouldChange) {
  write(kDisk);
  ASSERT_EQ(::chmod((dir_ / "a.yaml").c_str(), 0666), 0);
  const ChecksFolder folder = read();
  EXPECT_TRUE(folder.allowed.empty());
  EXPECT_EQ(folder.files_refused, 1u);
  EXPECT_THAT(problems_.render(), HasSubstr("may be written by others"));
  const Checks checks(folder, nullptr);
  EXPECT_THAT(checks.order_of(ExecSpec{"disk", {}}).error().message,
              HasSubstr("1 of its files of checks have mistakes"));
}

TEST_F(ReadChecks, TakesTheShippedExample) {
  std::ifstream example(FIREBREAK_SOURCE_DIR "/deploy/examples/checks.d/host.yaml");
  write(std::string(std::istreambuf_iterator<char>(example), {}));
  EXPECT_THAT(read().allowed, ::testing::SizeIs(3));
  EXPECT_TRUE(problems_.ok()) << problems_.render();
}

TEST_F(ReadChecks, SaysWhatIsWrong) {
  write(
      "checks:\n  a: {exec: [relative], timeout: 5s}\n  b: {exec: [/bin/true]}\n"
      "  c: {exec: [/bin/sh, \"${x}\"], timeout: 1s, parameters: {x: {pattern: .*}}}\n"
      "  d: {exec: [/bin/true], timeout: 1s, cooldown: 5s}\n");
  EXPECT_TRUE(read().allowed.empty());
  const std::string said = problems_.render();
  EXPECT_THAT(said, HasSubstr("full path"));
  EXPECT_THAT(said, HasSubstr("'timeout'"));
  EXPECT_THAT(said, HasSubstr("must not be given to sh"));
  EXPECT_THAT(said, HasSubstr("unknown key 'cooldown'"));
}

}  // namespace
}  // namespace firebreak::probes
