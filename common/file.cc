// Checked before it is read; written beside the old one and renamed over it.
#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "common/fd.h"

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

Result<> write_new(const std::string& path, std::string_view text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return system_error("create", path);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("write", path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0) return system_error("flush to disk", path);
  return {};
}

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max,
                                    Readable readable) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return system_error("open", path);
  if (const auto usable = check(file.get(), path, readable); !usable) return usable.error();
  return read_all(file.get(), path, bytes_max);
}

Result<> replace_small_file(const std::string& folder, const std::string& name,
                            std::string_view text) {
  const std::string path = folder + "/" + name;
  const std::string draft = path + ".new";
  if (auto written = write_new(draft, text); !written) return written.error();
  if (std::rename(draft.c_str(), path.c_str()) != 0) return system_error("replace", path);
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return system_error("flush to disk", folder);
  return {};
}

}  // namespace firebreak
