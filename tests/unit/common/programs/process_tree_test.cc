// Descendants are found however deep they are, and the dead are not counted.
#include "common/programs/process_tree.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::programs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A child whose own child has told its pid through a pipe; both wait to be killed.
struct Family {
  pid_t child = -1;
  pid_t grandchild = -1;

  Family() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return;
    child = ::fork();
    if (child == 0) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::setsid();
        const pid_t self = ::getpid();
        [[maybe_unused]] const ssize_t told = ::write(ends[1], &self, sizeof self);
      }
      while (true) ::pause();
    }
    EXPECT_EQ(::read(ends[0], &grandchild, sizeof grandchild),
              static_cast<ssize_t>(sizeof grandchild));
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Family() {
    ::kill(grandchild, SIGKILL);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
};

TEST(ProcessTree, FindsChildrenAndTheirChildren) {
  const Family family;

  EXPECT_THAT(descendants_of(::getpid()), UnorderedElementsAre(family.child, family.grandchild));
  EXPECT_THAT(descendants_of(family.child), ElementsAre(family.grandchild));
  EXPECT_THAT(descendants_of(family.grandchild), IsEmpty());
}

TEST(ProcessTree, LeavesOutTheDead) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);

  EXPECT_THAT(descendants_of(::getpid()), IsEmpty()) << "it is a zombie";

  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace firebreak::programs
