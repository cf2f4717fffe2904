// What an agent costs its host: memory and CPU of the real program at rest and at work, beside
// haproxy's health checks at the same rate where haproxy is installed.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/contest.h"
#include "bench/deployment.h"
#include "bench/haproxy.h"
#include "bench/measure.h"
#include "proto/credentials.h"
#include "proto/wire.h"
#include "tests/support/fake_coordinator.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::FakeCoordinator;
using firebreak::testing::NginxServer;
using firebreak::testing::ServerProcess;

struct Times {
  Duration every;
  std::chrono::milliseconds settle;
  std::chrono::milliseconds measure;
};

// Acknowledges what the agent sends, and counts it, until its stream ends.
class Acknowledging {
 public:
  explicit Acknowledging(FakeCoordinator& coordinator)
      : coordinator_(coordinator), thread_([this] { run(); }) {}
  // The agent has ended by then.
  ~Acknowledging() { thread_.join(); }
  Acknowledging(const Acknowledging&) = delete;
  Acknowledging& operator=(const Acknowledging&) = delete;

  [[nodiscard]] std::uint64_t results() const { return results_; }
  [[nodiscard]] std::uint64_t bad() const { return bad_; }

 private:
  void run() {
    while (const auto message = coordinator_.next(v1::AgentMessage::kResults)) {
      const v1::ResultBatch& batch = message->results();
      const auto count = static_cast<std::uint64_t>(batch.ref_size());
      for (const int status : batch.status())
        if (status != v1::STATUS_OK) ++bad_;
      v1::CoordinatorMessage ack;
      ack.mutable_ack()->set_seq(batch.first_seq() + count - 1);
      coordinator_.send(std::move(ack));
      results_ += count;
    }
  }

  FakeCoordinator& coordinator_;
  std::atomic<std::uint64_t> results_{0};
  std::atomic<std::uint64_t> bad_{0};
  std::thread thread_;
};

v1::CoordinatorMessage assignment(int probes, const std::string& url, Duration every) {
  v1::CoordinatorMessage message;
  message.mutable_assignment()->set_generation(1);
  for (int i = 0; i < probes; ++i) {
    ProbeSpec spec;
    HttpSpec http;
    http.url = url;
    spec.kind = http;
    spec.every = every;
    auto& probe = *message.mutable_assignment()->add_probes();
    *probe.mutable_key() =
        wire::to_proto(ProbeKey{ServiceName("shop"), ProbeName("p" + std::to_string(i))});
    *probe.mutable_spec() = wire::to_proto(spec);
  }
  return message;
}

struct Usage {
  double rss_mib = 0;
  double cpu_ms_per_second = 0;
  double cpu_us_per_probe = 0;  // 0: nothing was probed
};

void print(const char* who, int probes, const Usage& usage) {
  std::printf("  %-28s %8d %12.1f %18.2f", who, probes, usage.rss_mib, usage.cpu_ms_per_second);
  if (usage.cpu_us_per_probe > 0)
    std::printf(" %14.1f\n", usage.cpu_us_per_probe);
  else
    std::printf(" %14s\n", "-");
  std::fflush(stdout);
}

Usage usage_of(pid_t process, Nanoseconds cpu, std::chrono::milliseconds time, double probes) {
  Usage usage;
  usage.rss_mib = rss_kib(process) / 1024;
  const auto cpu_us = static_cast<double>(cpu.count()) / 1e3;
  usage.cpu_ms_per_second = cpu_us / static_cast<double>(time.count());
  if (probes > 0) usage.cpu_us_per_probe = cpu_us / probes;
  return usage;
}

Usage agent(Deployment& deployment, FakeCoordinator& coordinator, int probes,
            const std::string& url, const Times& times) {
  ServerProcess process;
  deployment.start_agent(process, "edge-" + std::to_string(probes), coordinator.address());
  coordinator.attach(1);
  coordinator.send(assignment(probes, url, times.every));
  Usage usage;
  if (probes == 0) {
    std::this_thread::sleep_for(times.settle);
    const Nanoseconds before = cpu_of(process.pid());
    std::this_thread::sleep_for(times.measure);
    usage = usage_of(process.pid(), cpu_of(process.pid()) - before, times.measure, 0);
    process.kill();
    return usage;
  }
  const Acknowledging acknowledging(coordinator);
  std::this_thread::sleep_for(times.settle);
  const std::uint64_t seen = acknowledging.results();
  const Nanoseconds before = cpu_of(process.pid());
  std::this_thread::sleep_for(times.measure);
  const auto results = static_cast<double>(acknowledging.results() - seen);
  usage = usage_of(process.pid(), cpu_of(process.pid()) - before, times.measure, results);
  process.kill();
  if (acknowledging.bad() > 0) throw std::runtime_error("probes failed: this measures nothing");
  return usage;
}

Usage haproxy(int probes, std::uint16_t port, const Times& times) {
  const Haproxy checks("mode http\n  option httpchk GET /health", probes, port, times.every);
  std::this_thread::sleep_for(times.settle);
  const Nanoseconds before = cpu_of(checks.pid());
  std::this_thread::sleep_for(times.measure);
  const double expected = probes * (std::chrono::duration<double>(times.measure) / times.every);
  return usage_of(checks.pid(), cpu_of(checks.pid()) - before, times.measure, expected);
}

void run_all(const Effort& effort) {
  const Times times = effort.smoke ? Times{1s, 1500ms, 1500ms} : Times{10s, 15s, 30s};
  const std::vector<int> sizes = effort.smoke ? std::vector{0, 10} : std::vector{0, 100, 1000};
  const NginxServer nginx("location /health { return 200 \"ok\\n\"; }");
  Deployment deployment;
  const auto credentials = server_credentials(deployment.issue(pki::Role::coordinator, "main"));
  if (!credentials) throw std::runtime_error(credentials.error().message);
  FakeCoordinator coordinator(*credentials);
  std::printf("\nAn agent on its host: HTTP probes of nginx every %s, results over mutual TLS\n",
              format_duration(times.every).c_str());
  std::printf("  %-28s %8s %12s %18s %14s\n", "", "probes", "RSS, MiB", "CPU, ms per second",
              "us per probe");
  for (const int probes : sizes)
    print("firebreak-agent", probes,
          agent(deployment, coordinator, probes, nginx.url("/health"), times));
  if (!haproxy_is_installed()) return;
  for (const int probes : sizes)
    if (probes > 0)
      print("peer: haproxy, checks only", probes, haproxy(probes, nginx.port(), times));
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  firebreak::require_tls13();
  try {
    firebreak::bench::run_all(firebreak::bench::effort_of(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "agent_bench: %s\n", error.what());
    return 1;
  }
}
