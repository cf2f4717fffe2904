// Bound so that nobody can connect before the mode is right.
#include "common/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

namespace firebreak {
namespace {

constexpr int kBacklog = 128;  // who connects while the process does something else

// The kernel's interface: every address is passed as the generic one.
const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Removes what a killed process left; keeps a socket that somebody listens on.
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

Result<Fd> make_unix_listener(const std::string& path, mode_t mode, std::optional<gid_t> group) {
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
  if ((group && ::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) ||
      ::chmod(path.c_str(), mode) != 0 || ::listen(listener.get(), kBacklog) != 0) {
    return system_error(Errc::unavailable, "cannot listen on " + path);
  }
  return listener;
}

}  // namespace firebreak
