// sd_notify's datagrams, received by a real socket.
#include "common/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace firebreak::sd {
namespace {

class Receiver {
 public:
  explicit Receiver(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Receiver() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(fd_);
  }
  std::string receive() {
    char buffer[256];
    const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(n));
  }

 private:
  int fd_;
};

TEST(Notify, SendsToAPathAndToAnAbstractSocket) {
  const testing::TempDir directory;
  for (const std::string& name :
       {directory.path() + "/notify", "@firebreak-test-" + std::to_string(::getpid())}) {
    Receiver receiver(name);
    notify("READY=1\nSTATUS=3 probes");
    EXPECT_EQ(receiver.receive(), "READY=1\nSTATUS=3 probes") << name;
  }
}

TEST(Notify, NobodyToTellIsNoError) {
  ::unsetenv("NOTIFY_SOCKET");
  notify("READY=1");
  ::setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  notify("READY=1");
  ::setenv("NOTIFY_SOCKET", "relative", 1);
  notify("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
}

TEST(WatchdogInterval, IsHalfOfWhatSystemdAllows) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_interval(), Duration(std::chrono::seconds(15)));
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_interval(), std::nullopt);
  ::unsetenv("WATCHDOG_PID");
  ::setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(watchdog_interval(), std::nullopt);
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(watchdog_interval(), std::nullopt);
}

}  // namespace
}  // namespace firebreak::sd
