// The socket that systemd listened on before the actuator was there.
#include <fcntl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/actuator/server.h"

namespace firebreak::actuator {
namespace {

constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START

bool is_listening_unix_socket(int fd) {
  int domain = 0;
  int listening = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) {
    return false;
  }
  size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

}  // namespace

Result<Fd> activated_listener() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::to_string(::getpid()) != pid) {
    return make_error(
        Errc::not_found,
        "systemd passed no socket: start firebreak-actuator.socket, or give --socket");
  }
  if (std::string_view(count) != "1" || !is_listening_unix_socket(kFirstPassedFd)) {
    return make_error(Errc::invalid_argument,
                      "systemd has to pass exactly one listening Unix stream socket");
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  Fd listener(kFirstPassedFd);
  ::fcntl(listener.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  return listener;
}

}  // namespace firebreak::actuator
