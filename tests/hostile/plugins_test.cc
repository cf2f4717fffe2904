// Plugins that do what no plugin should.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "probes/checks.h"
#include "tests/hostile/crowd.h"
#include "tests/support/temp_dir.h"

namespace firebreak::hostile {
namespace plugins_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kAtOnce = 4;  // each is a shell
constexpr auto kDeadline = 300ms;
constexpr auto kFarDeadline = 20s;

struct Plugin {
  std::string name;
  std::string script;
  std::set<Reason> reasons;
  bool at_deadline = false;
};

std::vector<Plugin> plugins() {
  const std::set<Reason> late = {Reason::timeout};
  return {
      {"says nothing", "sleep 1000", late, true},
      {"ignores TERM", "trap '' TERM HUP INT; while :; do sleep 1000; done", late, true},
      {"closes all it has and sleeps", "exec 0<&- 1>&- 2>&-; sleep 1000", late, true},
      {"stops itself", "kill -STOP $$", late, true},
      {"floods stderr", "yes >&2", {Reason::timeout, Reason::protocol}, true},
      {"starts many", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; wait", late, true},
      {"starts a session for another that waits", "setsid sleep 1000; :", late, true},
      {"drips", "while :; do printf x; sleep 0.05; done", late, true},
      {"floods stdout", "yes", {Reason::protocol}},
      {"floods zeros", "cat /dev/zero", {Reason::protocol}},
      {"floods garbage", "cat /dev/urandom", {Reason::protocol}},
      {"leaves a daemon with its output", "setsid sleep 1000 & exit 2", {Reason::status}},
      {"leaves a daemon of a daemon",
       "(setsid sh -c 'sleep 1000 & sleep 1000' &); echo gone; exit 1",
       {Reason::status}},
      {"kills itself", "kill -KILL $$", {Reason::protocol}},
      {"an exit code of no plugin", "exit 255", {Reason::protocol}},
      {"nasty text",
       R"(printf '\033]0;owned\007\033[2J \302\233 \342\200\256evil \377\376 \000 x'; exit 2)",
       {Reason::status}},
      {"nasty errors", R"(printf '\033[2J\377' >&2; exit 2)", {Reason::status}},
      {"nasty values",
       R"(printf "x | '\033[2J'=1 =2 a=1e999 b=nan c=0x7f d=1;2;3;4;5;6 '%s'=1" $(head -c 5000 /dev/zero | tr '\0' a); exit 2)",
       {Reason::status}},
      {"values without end",
       R"(printf 'x | '; for i in $(seq 2000); do printf "v$i=$i;1;2;3;4 "; done; exit 2)",
       {Reason::status}},
      {"a long line", "head -c 500000 /dev/zero | tr '\\0' x; exit 2", {Reason::status}},
  };
}

TEST(HostilePlugins, EndInTimeAndAreToldAsWhatTheyAre) {
  const testing::TempDir folder;
  const std::vector<Plugin> all = plugins();
  std::ofstream checks(folder / "checks.yaml");
  checks << "checks:\n";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string script = folder / ("script-" + std::to_string(i));
    std::ofstream(script) << "#!/bin/bash\n" << all[i].script << "\n";
    ASSERT_EQ(::chmod(script.c_str(), 0755), 0);
    checks << "  plugin-" << i << ": {exec: [" << script << "], timeout: 60s}\n";
  }
  checks.close();
  ASSERT_EQ(::chmod((folder / "checks.yaml").c_str(), 0644), 0);
  yaml::Problems problems;
  auto opened = probes::open_checks(folder.path(), ::geteuid(), problems);
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE(problems.ok()) << problems.render();

  for (std::size_t i = 0; i < all.size(); ++i) {
    Question one;
    one.name = all[i].name;
    one.kind = ExecSpec{"plugin-" + std::to_string(i), {}};
    one.options.checks = *opened;
    one.timeout = all[i].at_deadline ? Duration(kDeadline) : Duration(kFarDeadline);
    one.at_once = kAtOnce;
    expect_failures(ask({one})[0], all[i].reasons, one.timeout, "exec: " + all[i].name);
  }
}

}  // namespace
}  // namespace plugins_test
}  // namespace firebreak::hostile
