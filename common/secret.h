// A string that cannot be printed by accident: credentials, passwords, tokens.
#pragma once

#include <string>
#include <utility>

#include "common/result.h"

namespace firebreak {

// No operator<<, no formatter, no conversion: reveal() is the only way to the value, and is easy to
// grep for.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

// Reads a secret from a file (at most limits::kSecretBytesMax; one trailing newline is dropped).
// `path` may be "credential:NAME", which means $CREDENTIALS_DIRECTORY/NAME (systemd.exec(5),
// LoadCredential). Refused when others may read the file.
Result<Secret> read_secret_file(const std::string& path);

// Where read_secret_file would find it, for a library that reads it itself: refused alike.
Result<std::string> secret_file_path(const std::string& path);

// read_secret_file for what is given to others: passwords, tokens, URLs. Whoever writes a policy
// chooses file and receiver; a private key stays at home whatever they choose.
Result<Secret> read_password_file(const std::string& path);

}  // namespace firebreak
