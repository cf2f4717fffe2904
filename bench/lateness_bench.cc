// Whether one hung target delays another: ten thousand probes a second on one thread, alone, beside
// a hundred targets that never answer, and beside a loop that only keeps the schedule.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/schedule.h"
#include "bench/contest.h"
#include "bench/measure.h"
#include "common/fd.h"
#include "probes/run.h"
#include "tests/support/servers.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::NginxServer;

constexpr auto kEvery = 1s;
constexpr auto kTimeout = 5s;
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

agent::AssignedProbe probe(const std::string& service, int number, std::string url) {
  HttpSpec http;
  http.url = std::move(url);
  ProbeSpec spec;
  spec.kind = std::move(http);
  spec.every = kEvery;
  spec.timeout = kTimeout;
  return {{ServiceName{service}, ProbeName{"p" + std::to_string(number)}}, std::move(spec)};
}

struct Seen {
  std::vector<double> late_ms;  // from when it was due to when it began
  std::uint64_t failed = 0;
  std::uint64_t skipped = 0;
  double cpu = 0;  // of a second
};

// The agent's loop without its link: the schedule, the prober and one timer.
class Loop {
 public:
  explicit Loop(std::vector<agent::AssignedProbe> probes, bool only_keeps_the_schedule)
      : idle_(only_keeps_the_schedule), timer_(io_), prober_(io_) {
    schedule_.replace(std::move(probes), now());
  }

  Seen run(Duration length) {
    wait();
    io_.run_for(kSettling);
    seen_ = {};
    const std::uint64_t skipped = schedule_.skipped();
    const Nanoseconds cpu = own_cpu();
    counts_ = true;
    io_.run_for(length);
    seen_.cpu =
        std::chrono::duration<double>(own_cpu() - cpu) / std::chrono::duration<double>(length);
    seen_.skipped = schedule_.skipped() - skipped;
    return std::move(seen_);
  }

 private:
  static Instant now() {
    return Instant{
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }

  void wait() {
    const auto due = schedule_.next_due();
    if (due == due_at_) return;
    due_at_ = due;
    timer_.cancel();
    timer_.expires_after(std::max<Duration>(*due - now(), Duration::zero()));
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      due_at_.reset();
      start_due();
    });
  }

  void start_due() {
    for (const agent::DueRun& run : schedule_.take_due(now())) {
      if (idle_) {
        note(run, Status::ok, now());
        continue;
      }
      prober_.start(*run.spec, [this, run](const Observation& seen) {
        note(run, seen.status, now() - seen.latency);
        wait();
      });
    }
    wait();
  }

  void note(const agent::DueRun& run, Status status, Instant began) {
    (void)schedule_.finished(run.id, status, now());
    if (!counts_ || run.key.service.str() == "hung") return;
    seen_.late_ms.push_back(std::chrono::duration<double, std::milli>(began - run.due).count());
    if (status != Status::ok) ++seen_.failed;
  }

  const bool idle_;
  agent::Schedule schedule_{"bench"};
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_;
  Prober prober_;
  std::optional<Instant> due_at_;
  bool counts_ = false;
  Seen seen_;
};

void print(const char* name, const Seen& seen) {
  std::printf("%-44s %8zu %7.2f %7.2f %7.2f %8llu %7llu %6.2f\n", name, seen.late_ms.size(),
              quantile(seen.late_ms, 0.5), quantile(seen.late_ms, 0.99), quantile(seen.late_ms, 1),
              static_cast<unsigned long long>(seen.failed),
              static_cast<unsigned long long>(seen.skipped), seen.cpu);
}

void measure(const Effort& effort) {
  const NginxServer server("location /health { return 200 \"ok\\n\"; }");
  const int total = effort.count(10'000);
  const Duration length = effort.smoke ? Duration(1s) : Duration(20s);
  const std::vector<Tarpit> tarpits(static_cast<std::size_t>(effort.smoke ? 2 : 100));
  const auto healthy = [&](int count) {
    std::vector<agent::AssignedProbe> probes;
    for (int i = 0; i < count; ++i) probes.push_back(probe("web", i, server.url("/health")));
    return probes;
  };
  std::vector<agent::AssignedProbe> mixed = healthy(total - static_cast<int>(tarpits.size()));
  for (const Tarpit& tarpit : tarpits)
    mixed.push_back(probe("hung", static_cast<int>(mixed.size()), tarpit.url()));
  std::printf(
      "%d HTTP probes of nginx, each every second, on one thread; lateness of their start in ms\n",
      total);
  std::printf("%-44s %8s %7s %7s %7s %8s %7s %6s\n", "", "runs", "p50", "p99", "max", "failed",
              "skipped", "cores");
  print("limit: the schedule alone, nothing is asked", Loop(healthy(total), true).run(length));
  print("all answer", Loop(healthy(total), false).run(length));
  const std::string beside = std::to_string(tarpits.size()) + " of them never answer: the others";
  print(beside.c_str(), Loop(std::move(mixed), false).run(length));
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
