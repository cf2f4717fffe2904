// haproxy, which checks servers and tells nobody: the peer of a prober, where it is installed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/time.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"

namespace firebreak::bench {

[[nodiscard]] bool haproxy_is_installed();

// Checks one server of this host again and again, as so many servers.
class Haproxy {
 public:
  // `check`: directives of a backend, "option httpchk GET /health".
  Haproxy(const std::string& check, int count, std::uint16_t port, Duration every);

  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  testing::TempDir folder_;
  testing::ServerProcess process_;
};

}  // namespace firebreak::bench
