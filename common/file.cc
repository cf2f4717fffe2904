// Reads a small file whole: see file.h.
#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace firebreak {
namespace {

Error system_error(const char* what, const std::string& path) {
  const Errc code = errno == ENOENT                     ? Errc::not_found
                    : errno == EACCES || errno == EPERM ? Errc::permission_denied
                                                        : Errc::unavailable;
  return make_error(code, std::string("cannot ") + what + " " + path + ": " +
                              std::generic_category().message(errno));
}

Result<> check(int fd, const std::string& path, Readable readable) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error("read", path);
  if (!S_ISREG(info.st_mode))
    return make_error(Errc::invalid_argument, "cannot read " + path + ": it is not a file");
  if (readable == Readable::by_owner && (info.st_mode & S_IROTH) != 0)
    return make_error(Errc::permission_denied,
                      "cannot use " + path + ": others may read it; run chmod o-r");
  return {};
}

Result<std::string> read_all(int fd, const std::string& path, std::size_t bytes_max) {
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error("read", path);
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() > bytes_max)
      return make_error(Errc::resource_exhausted, "cannot read " + path + ": larger than " +
                                                      std::to_string(bytes_max >> 10) + " KiB");
  }
}

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max,
                                    Readable readable) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return system_error("open", path);
  Result<std::string> text = std::string();
  if (const auto usable = check(fd, path, readable); !usable)
    text = usable.error();
  else
    text = read_all(fd, path, bytes_max);
  ::close(fd);
  return text;
}

}  // namespace firebreak
