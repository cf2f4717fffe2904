// Hostile checks end, with everything they have started, and are told apart.
#include "probes/check_keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "tests/support/temp_dir.h"

namespace firebreak::probes {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using End = CheckReport::End;

class CheckKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = CheckKeeper::start();
    ASSERT_TRUE(started) << started.error().message;
    keeper_ = *std::move(started);
    ASSERT_EQ(::mkfifo(fifo().c_str(), 0666), 0);
    ASSERT_EQ(::chmod(fifo().c_str(), 0666), 0);
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
    life_ = Fd(::open(fifo().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  std::string fifo() { return dir_ / "life"; }
  // A shell; descriptor 9 is open for as long as anything of it lives.
  programs::Invocation shell(const std::string& script) {
    programs::Invocation invocation;
    invocation.argv = {"/bin/bash", "-c", "exec 9>" + fifo() + "\n" + script};
    return invocation;
  }
  static void wait_for(int fd, short events) {
    pollfd one{fd, events, 0};
    ASSERT_EQ(::poll(&one, 1, 30'000), 1) << "nothing happens";
  }
  // Nothing: its keeper died without a word.
  std::optional<CheckReport> try_run(const programs::Invocation& invocation,
                                     Duration timeout = 20s) {
    auto socket = keeper_->run(invocation, timeout);
    EXPECT_TRUE(socket);
    if (!socket) return {};
    wait_for(socket->get(), POLLIN);
    return take_report(socket->get());
  }
  CheckReport run(const programs::Invocation& invocation, Duration timeout = 20s) {
    auto report = try_run(invocation, timeout);
    EXPECT_TRUE(report);
    return report.value_or(CheckReport{});
  }
  // Returns once nobody has the fifo open for writing any more.
  void wait_until_dead() { wait_for(life_.get(), POLLHUP); }

  testing::TempDir dir_;
  std::unique_ptr<CheckKeeper> keeper_;
  Fd life_;
};

TEST_F(CheckKeeperTest, ReportsExitCodeAndBothOutputs) {
  const CheckReport report = run(shell("echo text; echo oops >&2; exit 2"));
  EXPECT_EQ(report.end, End::exited);
  EXPECT_EQ(report.code, 2);
  EXPECT_EQ(report.output, "text\n");
  EXPECT_EQ(report.errors, "oops\n");
  EXPECT_EQ(report.left_behind, 0u);
}

TEST_F(CheckKeeperTest, GivesNothingOfOursToTheCheck) {
  ::setenv("FIREBREAK_SECRET", "x", 1);
  programs::Invocation listing;
  listing.argv = {"/bin/bash", "-c", "env; ls /proc/self/fd | tr '\\n' ' '; ulimit -c"};
  const CheckReport report = run(listing);
  EXPECT_THAT(report.output, ::testing::Not(HasSubstr("FIREBREAK_SECRET")));
  EXPECT_THAT(report.output, HasSubstr("0 1 2 3 0\n")) << "3 is the listing's own";
}

TEST_F(CheckKeeperTest, EndsWhatIgnoresSigtermAndWhatDaemonizes) {
  const CheckReport report =
      run(shell("trap '' TERM INT HUP\n(trap '' TERM; setsid bash -c 'trap \"\" TERM; while :; do "
                "read -t 1000 <> <(:); done' & disown)\nwhile :; do read -t 1000 <> <(:); done"),
          300ms);
  EXPECT_EQ(report.end, End::timed_out);
  wait_until_dead();
}

TEST_F(CheckKeeperTest, DoesNotWaitForDaemonsThatHoldThePipe) {
  const CheckReport report = run(shell("echo done; setsid sleep 1000 & disown; exit 0"));
  EXPECT_EQ(report.end, End::exited);
  EXPECT_EQ(report.output, "done\n");
  EXPECT_GT(report.left_behind, 0u);
  wait_until_dead();
}

TEST_F(CheckKeeperTest, EndsAFlood) {
  const CheckReport report = run(shell("yes 'a flood'"));
  EXPECT_EQ(report.end, End::flooded);
  EXPECT_EQ(report.output.size(), limits::kCheckOutputBytesMax);
  wait_until_dead();
}

TEST_F(CheckKeeperTest, TellsSignalsAndProgramsThatDoNotStart) {
  const CheckReport killed = run(shell("kill -SEGV $$"));
  EXPECT_EQ(killed.end, End::signalled);
  EXPECT_EQ(killed.code, SIGSEGV);

  programs::Invocation none;
  none.argv = {"/nonexistent/program"};
  const CheckReport missing = run(none);
  EXPECT_EQ(missing.end, End::not_started);
  EXPECT_THAT(missing.why, HasSubstr("cannot execute /nonexistent/program"));
}

TEST_F(CheckKeeperTest, EndsTheCheckWhenNobodyListens) {
  auto socket = keeper_->run(shell("echo started >&9; sleep 1000"), 100s);
  ASSERT_TRUE(socket);
  wait_for(life_.get(), POLLIN);
  char text[16];
  ASSERT_GT(::read(life_.get(), text, sizeof text), 0);
  socket->reset();
  wait_until_dead();
}

TEST_F(CheckKeeperTest, BoundsAForkBombAndEndsIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs another user, whose processes are limited";
  programs::Invocation bomb =
      shell("bomb() { bomb | bomb & }\nfor i in 1 2 3; do bomb; done 2>/dev/null\nsleep 1000");
  bomb.user = "nobody";
  const CheckReport report = run(bomb, 500ms);
  EXPECT_NE(report.end, End::exited);
  EXPECT_LE(report.left_behind, limits::kCheckProcessesMax + 1);
  wait_until_dead();
}

TEST_F(CheckKeeperTest, GoesOnWhenACheckKillsItsKeepers) {
  // The parent is the check's keeper, the parent's parent the one that forks keepers.
  auto socket = keeper_->run(
      shell("keeper=$PPID; server=$(cut -d' ' -f4 /proc/$keeper/stat); kill -KILL $keeper; "
            "sleep 1000"),
      100s);
  ASSERT_TRUE(socket);
  wait_for(socket->get(), POLLIN);
  EXPECT_FALSE(take_report(socket->get())) << "it died without a word";
  wait_until_dead();

  run(shell("kill -KILL $(cut -d' ' -f4 /proc/$PPID/stat); exit 0"));
  // While it dies its socket still takes orders, and drops them.
  std::optional<CheckReport> after;
  for (int i = 0; i < 1000 && !after; ++i) after = try_run(shell("exit 1"));
  ASSERT_TRUE(after) << "no new one is forked";
  EXPECT_EQ(after->code, 1);
}

}  // namespace
}  // namespace firebreak::probes
