// System calls, a few descriptors kept open, and errno as an Error.
#include "agent/spool/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/assert.h"

namespace firebreak::spool {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
constexpr std::size_t kOpenFilesMax = 8;  // written and read at the same time: three of each

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Errc code_of(int error) {
  if (error == ENOENT) return Errc::not_found;
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return Errc::resource_exhausted;
  return Errc::unavailable;
}

}  // namespace

Error PosixFiles::error(const char* what, const std::string& name) const {
  return system_error(code_of(errno), std::string("cannot ") + what + " " + path_ + "/" + name);
}

Result<PosixFiles> PosixFiles::open(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return system_error(code_of(errno), "cannot make the folder " + folder);
  Fd fd(::open(folder.c_str(), kFolderFlags));
  if (!fd) return system_error(code_of(errno), "cannot open the folder " + folder);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return system_error(Errc::failed_precondition,
                        "cannot lock the folder " + folder + "; does another agent use it?");
  return PosixFiles(std::move(fd), folder, true);
}

Result<PosixFiles> PosixFiles::look(const std::string& folder) {
  Fd fd(::open(folder.c_str(), kFolderFlags));
  if (!fd) return system_error(code_of(errno), "cannot open the folder " + folder);
  return PosixFiles(std::move(fd), folder, false);
}

bool PosixFiles::is_in_use() const {
  if (::flock(folder_.get(), LOCK_SH | LOCK_NB) != 0) return errno == EWOULDBLOCK;
  ::flock(folder_.get(), LOCK_UN);
  return false;
}

Result<std::vector<std::string>> PosixFiles::list() {
  const int copy = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseFolder> folder(copy < 0 ? nullptr : ::fdopendir(copy));
  if (!folder) return error("list", "");
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(static_cast<const char*>(entry->d_name));
    errno = 0;
  }
  if (errno != 0) return error("list", "");
  std::sort(names.begin(), names.end());
  return names;
}

Result<int> PosixFiles::find(const std::string& name, bool may_create) {
  const auto known = open_.find(name);
  if (known != open_.end()) return known->second.get();
  FB_ASSERT(may_write_ || !may_create);
  const int flags =
      (may_write_ ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  Fd file(::openat(folder_.get(), name.c_str(), flags));
  if (!file && errno == ENOENT && may_create) {
    file.reset(::openat(folder_.get(), name.c_str(), flags | O_CREAT | O_EXCL, 0600));
    are_names_durable_ = false;
  }
  if (!file) return error("open", name);
  if (open_.size() >= kOpenFilesMax) open_.erase(open_.begin());  // the oldest, by its name
  return open_.emplace(name, std::move(file)).first->second.get();
}

Result<std::uint64_t> PosixFiles::size(const std::string& name) {
  struct stat info {};
  if (::fstatat(folder_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return error("look at", name);
  if (!S_ISREG(info.st_mode))
    return make_error(Errc::unavailable, path_ + "/" + name + " is not a file");
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::string> PosixFiles::read(const std::string& name, std::uint64_t offset,
                                     std::size_t bytes) {
  const auto file = find(name, false);
  if (!file) return file.error();
  std::string text(bytes, '\0');
  std::size_t size = 0;
  while (size < bytes) {
    const ssize_t got =
        ::pread(*file, text.data() + size, bytes - size, static_cast<off_t>(offset + size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("read", name);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

Result<> PosixFiles::append(const std::string& name, std::string_view bytes) {
  const auto file = find(name, true);
  if (!file) return file.error();
  while (!bytes.empty()) {
    const ssize_t written = ::write(*file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error("write", name);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> PosixFiles::sync(const std::string& name) {
  const auto file = find(name, false);
  if (!file) return file.error();
  if (::fdatasync(*file) != 0) return error("flush to disk", name);
  if (are_names_durable_) return {};
  if (::fsync(folder_.get()) != 0) return error("flush to disk the names in", "");
  are_names_durable_ = true;
  return {};
}

Result<> PosixFiles::truncate(const std::string& name, std::uint64_t size) {
  const auto file = find(name, false);
  if (!file) return file.error();
  if (::ftruncate(*file, static_cast<off_t>(size)) != 0) return error("cut", name);
  return {};
}

Result<> PosixFiles::remove(const std::string& name) {
  FB_ASSERT(may_write_);
  open_.erase(name);
  if (::unlinkat(folder_.get(), name.c_str(), 0) != 0) return error("remove", name);
  are_names_durable_ = false;
  return {};
}

}  // namespace firebreak::spool
