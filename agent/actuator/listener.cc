// Where the actuator's socket comes from: systemd, or a path.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "agent/actuator/server.h"

namespace firebreak::actuator {
namespace {

constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START
constexpr int kBacklog = 16;

// The kernel's interface: every address is passed as the generic one.
const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

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

// Removes what a killed actuator left; keeps a socket that somebody listens on.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return make_error(Errc::already_exists, path + " exists and is not a socket; remove it");
  }
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), generic(address), sizeof address) == 0) {
    return make_error(Errc::already_exists, "another process listens on " + path);
  }
  if (errno != ECONNREFUSED || ::unlink(path.c_str()) != 0) {
    return system_error(Errc::already_exists, "cannot replace the socket " + path);
  }
  return {};
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

Result<Fd> make_listener(const std::string& path, gid_t group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return make_error(Errc::invalid_argument, "a socket's path has 1 to " +
                                                  std::to_string(sizeof address.sun_path - 1) +
                                                  " bytes, not " + std::to_string(path.size()));
  }
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  if (auto removed = remove_stale(path, address); !removed) return removed.error();
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Nobody but us may connect until the mode and the group are right.
  const mode_t mask = ::umask(0177);
  const int bound = listener ? ::bind(listener.get(), generic(address), sizeof address) : -1;
  ::umask(mask);
  if (bound != 0) return system_error(Errc::unavailable, "cannot make the socket " + path);
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0 ||
      ::chmod(path.c_str(), 0660) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return system_error(Errc::unavailable, "cannot listen on " + path);
  }
  return listener;
}

}  // namespace firebreak::actuator
