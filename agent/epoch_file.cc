// One number in one small file, replaced as a whole.
#include "agent/epoch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <system_error>

namespace firebreak::agent {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string path_in(const std::string& folder) {
  return folder + "/epoch";
}

Error system_error(const std::string& path, const std::string& what) {
  return make_error(Errc::internal,
                    path + ": cannot " + what + ": " + std::generic_category().message(errno));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::uint64_t> read_epoch(const std::string& folder) {
  const std::string path = path_in(folder);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0 && errno == ENOENT) return std::uint64_t{0};
  if (file.get() < 0) return system_error(path, "read");
  std::array<char, 32> buffer{};
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return system_error(path, "read");
  const char* end = buffer.data() + size;
  std::uint64_t epoch = 0;
  const auto read = std::from_chars(buffer.data(), end, epoch);
  if (read.ec != std::errc{} ||
      std::string_view(read.ptr, static_cast<std::size_t>(end - read.ptr)) != "\n") {
    return make_error(Errc::corrupt,
                      path +
                          " does not hold one number: the disk or somebody's hand damaged it; "
                          "remove it once you are sure that no replaced coordinator still runs");
  }
  return epoch;
}

Result<> write_epoch(const std::string& folder, std::uint64_t epoch) {
  const std::string path = path_in(folder);
  const std::string draft = path + ".new";
  {
    const Fd file(
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return system_error(draft, "create");
    if (!write_all(file.get(), std::to_string(epoch) + "\n")) return system_error(draft, "write");
    if (::fsync(file.get()) != 0) return system_error(draft, "flush to disk");
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0) return system_error(path, "replace");
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0)
    return system_error(folder, "flush to disk");
  return {};
}

}  // namespace firebreak::agent
