// A million series under a thousand rules: what a result costs firebreak-coordinator, from gRPC's
// receipt to the durable acknowledgement, beside what a sample costs Prometheus with the same
// series and the same question asked of them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/contest.h"
#include "bench/coordinator_process.h"
#include "bench/deployment.h"
#include "bench/fleet_client.h"
#include "bench/measure.h"
#include "bench/synthetic_policy.h"
#include "proto/credentials.h"
#include "tests/support/servers.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kServices = 1000;  // each with ten probes and one rule
constexpr int kProbes = 10 * kServices;
constexpr int kBatch = 1000;
constexpr auto kScrapeEvery = 10s;

struct Cost {
  double samples_per_cpu_second = 0;
  double rss_mib = 0;
  double bytes_per_series = 0;
};

void print(const char* name, int agents, int rules, const Cost& cost) {
  std::printf("| %-34s | %8d | %5d | %9.0f | %7.0f | %6.0f |\n", name, agents * kProbes, rules,
              cost.samples_per_cpu_second, cost.rss_mib, cost.bytes_per_series);
  std::fflush(stdout);
}

double per_series(double mib, int agents) {
  return mib * 1024 * 1024 / (static_cast<double>(agents) * kProbes);
}

Cost coordinator(Deployment& deployment, const pki::TlsFiles& tls,
                 const std::vector<pki::TlsFiles>& agents, bool windowed, int rounds) {
  deployment.write("policy/policy.yaml", synthetic_policy(kProbes, windowed));
  CoordinatorProcess server(deployment, tls, ServerKind::coordinator);
  FleetClient fleet(server.address(), agents, 1, {kServices});
  fleet.attach();
  const double idle = server.rss_mib();
  const int round = kProbes / kBatch;  // batches with one result of each probe
  fleet.run({2 * round, kBatch, 2, 0});
  const Nanoseconds before = server.cpu();
  const FleetResult busy = fleet.run({rounds * round, kBatch, 8, 0});
  const double cpu = std::chrono::duration<double>(server.cpu() - before).count();
  const double rss = server.rss_mib();
  return {static_cast<double>(busy.results) / cpu, rss,
          per_series(rss - idle, static_cast<int>(agents.size()))};
}

// One page per agent, one line per probe, served by nginx.
class Pages {
 public:
  explicit Pages(int agents) {
    for (int agent = 0; agent < agents; ++agent) nginx_.write("m" + std::to_string(agent), page());
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(nginx_.port()); }

 private:
  static std::string page() {
    std::string text = "# TYPE probe_success gauge\n";
    for (int i = 0; i < kProbes; ++i)
      text += "probe_success{service=\"s" + std::to_string(i / 10) + "\",probe=\"p" +
              std::to_string(i % 10) + "\"} 1\n";
    return text;
  }
  testing::NginxServer nginx_;
};

std::string prometheus_rules(int rules) {
  std::string text = "groups:\n  - name: services\n    rules:\n";
  for (int i = 0; i < rules; ++i)
    text += "      - {alert: s" + std::to_string(i) +
            ", expr: 'count by (probe) (probe_success{service=\"s" + std::to_string(i) +
            "\"} == 0) > 50'}\n";
  return text;
}

std::string prometheus_config(const Pages& pages, int agents, int rules) {
  std::string text = "global: {scrape_interval: 10s, evaluation_interval: 10s}\n";
  if (rules > 0) text += "rule_files: [rules.yaml]\n";
  text += "scrape_configs:\n";
  for (int i = 0; i < agents; ++i) {
    const std::string name = std::to_string(i);
    text += "  - {job_name: a" + name + ", metrics_path: /m" + name +
            ", static_configs: [{targets: ['" + pages.address() + "']}]}\n";
  }
  return text;
}

Cost prometheus(Deployment& deployment, const Pages& pages, int agents, int rules, int rounds) {
  static int number = 0;
  const std::string name = "prometheus" + std::to_string(number++);
  deployment.make_folder(name);
  deployment.write(name + "/prometheus.yml", prometheus_config(pages, agents, rules));
  deployment.write(name + "/rules.yaml", prometheus_rules(rules));
  testing::ServerProcess process;
  process.start({"/usr/bin/prometheus", "--config.file", deployment / (name + "/prometheus.yml"),
                 "--storage.tsdb.path", deployment / (name + "/data"), "--web.listen-address",
                 "127.0.0.1:" + std::to_string(testing::free_port())},
                deployment / (name + ".log"));
  std::this_thread::sleep_for(2s);
  const double idle = rss_kib(process.pid()) / 1024;
  std::this_thread::sleep_for(3 * kScrapeEvery);  // every series has its first samples
  const Nanoseconds before = cpu_of(process.pid());
  std::this_thread::sleep_for(rounds * kScrapeEvery);
  const double cpu = std::chrono::duration<double>(cpu_of(process.pid()) - before).count();
  const double rss = rss_kib(process.pid()) / 1024;
  return {static_cast<double>(agents) * kProbes * rounds / cpu, rss,
          per_series(rss - idle, agents)};
}

void run_all(const Effort& effort) {
  const int agents = effort.count(100);
  const int rounds = effort.smoke ? 1 : 5;
  Deployment deployment;
  deployment.make_folder("policy");
  const pki::TlsFiles tls = deployment.issue(pki::Role::coordinator, "bench");
  std::vector<pki::TlsFiles> certificates;
  for (int i = 0; i < agents; ++i)
    certificates.push_back(deployment.issue(pki::Role::agent, "agent-" + std::to_string(i)));
  std::printf(
      "\nA million series under a thousand rules\n"
      "| | series | rules | results or samples per CPU s | RSS MiB | bytes per series |\n"
      "|---|---|---|---|---|---|\n");
  print("firebreak, rules on verdicts", agents, kServices,
        coordinator(deployment, tls, certificates, false, rounds));
  print("firebreak, rules on p95 over 1m", agents, kServices,
        coordinator(deployment, tls, certificates, true, rounds));
  const Pages pages(agents);
  print("Prometheus, scrapes alone", agents, 0, prometheus(deployment, pages, agents, 0, rounds));
  print("Prometheus, and a count per rule", agents, kServices,
        prometheus(deployment, pages, agents, kServices, rounds));
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  using namespace firebreak;
  require_tls13();
  try {
    bench::run_all(bench::effort_of(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rules_bench: %s\n", error.what());
    return 1;
  }
}
