// Secrets from files that only their owner may read.
#include "common/secret.h"

#include <cstdlib>
#include <string_view>

#include "common/file.h"
#include "common/ids.h"
#include "common/limits.h"

namespace firebreak {
namespace {

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

}  // namespace

Result<Secret> read_secret_file(const std::string& path) {
  const auto resolved = resolve(path);
  if (!resolved) return resolved.error();
  auto text = read_small_file(*resolved, limits::kSecretBytesMax, Readable::by_owner);
  if (!text) return text.error();
  if (!text->empty() && text->back() == '\n') text->pop_back();
  return Secret(*std::move(text));
}

Result<std::string> secret_file_path(const std::string& path) {
  if (const auto secret = read_secret_file(path); !secret) return secret.error();
  return resolve(path);
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
