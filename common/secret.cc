// Secrets from files that only their owner may read.
#include "common/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/ids.h"

namespace firebreak {
namespace {

constexpr std::size_t kSecretBytesMax = 64u << 10;

Result<std::string> resolve(const std::string& path) {
  constexpr std::string_view kScheme = "credential:";
  if (path.rfind(kScheme, 0) != 0) return path;
  const std::string name = path.substr(kScheme.size());
  if (!is_valid_name(name))
    return make_error(Errc::invalid_argument, "'" + name + "' is not a credential's name");
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr)
    return make_error(
        Errc::not_found,
        "credential '" + name + "': systemd gave none; add LoadCredential=" + name + ":FILE");
  return std::string(folder) + "/" + name;
}

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size == 0) return text;
    if (size < 0) return make_error(Errc::unavailable, path + ": " + std::strerror(errno));
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > kSecretBytesMax)
      return make_error(Errc::resource_exhausted, path + ": larger than 64 KiB, not a secret");
  }
}

}  // namespace

Result<Secret> read_secret_file(const std::string& path) {
  const auto resolved = resolve(path);
  if (!resolved) return resolved.error();
  const int fd = ::open(resolved->c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return make_error(Errc::not_found, *resolved + ": " + std::strerror(errno));
  struct stat info {};
  Result<std::string> text =
      ::fstat(fd, &info) != 0
          ? Result<std::string>(make_error(Errc::internal, *resolved + ": fstat"))
      : (info.st_mode & S_IROTH) != 0
          ? Result<std::string>(make_error(Errc::permission_denied,
                                           *resolved + ": others may read it; run chmod o-r"))
          : read_all(fd, *resolved);
  ::close(fd);
  if (!text) return text.error();
  if (!text->empty() && text->back() == '\n') text->pop_back();
  return Secret(*std::move(text));
}

Result<Secret> read_password_file(const std::string& path) {
  auto secret = read_secret_file(path);
  if (secret && secret->reveal().find("PRIVATE KEY-----") != std::string::npos)
    return make_error(Errc::permission_denied,
                      path +
                          ": holds a private key, which is never sent; name a file with a "
                          "password or a token");
  return secret;
}

}  // namespace firebreak
