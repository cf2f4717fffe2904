// Whether one hung target delays another: ten thousand probes a second on one thread, alone, beside
// a hundred targets that never answer, and beside a loop that only keeps the schedule.
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/contest.h"
#include "bench/measure.h"
#include "bench/paced_loop.h"
#include "common/fd.h"
#include "tests/support/servers.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::NginxServer;

constexpr auto kSettling = 7s;  // the first runs are spread, and tarpits must hold all they can

// Listens and never accepts: a connection, and then nothing.
class Tarpit {
 public:
  Tarpit() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(fd_.get(), 1024) != 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port for a tarpit");
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
  }

 private:
  Fd fd_;
  std::uint16_t port_ = 0;
};

HttpSpec http(std::string url) {
  HttpSpec spec;
  spec.url = std::move(url);
  return spec;
}

void print(const char* name, const PacedLoop::Seen& seen) {
  std::printf("%-44s %8zu %7.2f %7.2f %7.2f %8llu %7llu %6.2f\n", name, seen.late_ms.size(),
              quantile(seen.late_ms, 0.5), quantile(seen.late_ms, 0.99), quantile(seen.late_ms, 1),
              static_cast<unsigned long long>(seen.failed),
              static_cast<unsigned long long>(seen.skipped), seen.cores);
}

// One nginx on eight addresses: to one alone, ten thousand connections a second would wait for the
// kernel to find a port that is not in TIME_WAIT.
class Targets {
 public:
  Targets() {
    std::string listen;
    for (int i = 1; i < kAddresses; ++i)
      listen += "listen " + address(i) + ":" + std::to_string(server_.port()) + ";\n";
    server_.serve(listen + "location /health { return 200 \"ok\\n\"; }");
  }
  [[nodiscard]] std::string url(int number) const {
    return "http://" + address(number % kAddresses) + ":" + std::to_string(server_.port()) +
           "/health";
  }

 private:
  static constexpr int kAddresses = 8;
  static std::string address(int i) { return "127.0.0." + std::to_string(i + 1); }

  NginxServer server_;
};

void measure(const Effort& effort) {
  const Targets targets;
  const int total = effort.count(10'000);
  const Duration length = effort.smoke ? Duration(1s) : Duration(20s);
  const std::vector<Tarpit> tarpits(static_cast<std::size_t>(effort.smoke ? 2 : 100));
  const auto healthy = [&](int count) {
    std::vector<agent::AssignedProbe> probes;
    for (int i = 0; i < count; ++i) probes.push_back(assigned("web", i, http(targets.url(i))));
    return probes;
  };
  std::vector<agent::AssignedProbe> mixed = healthy(total - static_cast<int>(tarpits.size()));
  for (const Tarpit& tarpit : tarpits)
    mixed.push_back(assigned("hung", static_cast<int>(mixed.size()), http(tarpit.url())));
  std::printf(
      "%d HTTP probes of nginx, each every second, on one thread; lateness of their start in ms\n",
      total);
  std::printf("%-44s %8s %7s %7s %7s %8s %7s %6s\n", "", "runs", "p50", "p99", "max", "failed",
              "skipped", "cores");
  print("limit: the schedule alone, nothing is asked",
        PacedLoop(healthy(total), false).run(kSettling, length));
  print("all answer", PacedLoop(healthy(total)).run(kSettling, length));
  const std::string beside = std::to_string(tarpits.size()) + " of them never answer: the others";
  print(beside.c_str(), PacedLoop(std::move(mixed)).run(kSettling, length));
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  try {
    firebreak::bench::measure(firebreak::bench::effort_of(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lateness_bench: %s\n", error.what());
    return 1;
  }
}
