// One thread, as our prober has.
#include "bench/haproxy.h"

#include <unistd.h>

#include <chrono>

#include "tests/support/files.h"

namespace firebreak::bench {

bool haproxy_is_installed() {
  return ::access("/usr/sbin/haproxy", X_OK) == 0;
}

Haproxy::Haproxy(const std::string& check, int count, std::uint16_t port, Duration every) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(every).count();
  std::string text =
      "global\n  spread-checks 5\n  nbthread 1\ndefaults\n  mode tcp\n  timeout connect 5s\n"
      "  timeout client 5s\n  timeout server 5s\nfrontend none\n  bind unix@" +
      (folder_ / "haproxy.sock") + "\n  default_backend all\nbackend all\n  " + check +
      "\n  default-server inter " + std::to_string(ms) + "ms\n";
  const std::string address = " 127.0.0.1:" + std::to_string(port) + " check\n";
  for (int i = 0; i < count; ++i)
    text.append("  server s").append(std::to_string(i)).append(address);
  testing::write_file(folder_ / "haproxy.cfg", text);
  process_.start({"/usr/sbin/haproxy", "-db", "-f", folder_ / "haproxy.cfg"}, folder_ / "log");
}

}  // namespace firebreak::bench
