// What a probe costs the agent: CPU per probe over new connections, beside the peers and beside a
// loop that does nothing but the system calls.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "bench/bare_loop.h"
#include "bench/contest.h"
#include "bench/haproxy.h"
#include "bench/measure.h"
#include "bench/paced_loop.h"
#include "probes/run.h"
#include "tests/support/servers.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::NginxServer;
using firebreak::testing::PostgresServer;
using firebreak::testing::RedisServer;

double us_each(Nanoseconds cpu, int count) {
  return static_cast<double>(cpu.count()) / 1e3 / count;
}

double cost_of(const std::function<void()>& work, int count) {
  const Nanoseconds before = own_cpu();
  work();
  return us_each(own_cpu() - before, count);
}

// Keeps `at_once` probes running until `total` have ended well.
class Probing {
 public:
  explicit Probing(ProbeSpec spec) : spec_(std::move(spec)), prober_(io_) {}

  void run(int total, int at_once) {
    left_ = total;
    for (int i = 0; i < at_once && left_ > 0; ++i) start();
    io_.restart();
    io_.run();
  }

 private:
  void start() {
    --left_;
    prober_.start(spec_, [this](const Observation& seen) {
      if (seen.status != Status::ok)
        throw std::runtime_error(std::string("a probe failed: ") + to_string(seen.reason) + " " +
                                 seen.evidence);
      if (left_ > 0) start();
    });
  }

  ProbeSpec spec_;
  boost::asio::io_context io_{1};
  Prober prober_;
  int left_ = 0;
};

Contestant ours(const KindSpec& kind, int total, int at_once) {
  ProbeSpec spec;
  spec.kind = kind;
  return {"firebreak Prober, " + std::to_string(at_once) + " at once", [spec, total, at_once] {
            Probing probing(spec);
            return cost_of([&] { probing.run(total, at_once); }, total);
          }};
}

Contestant bare(std::uint16_t port, std::string request, std::string reply_end, int total,
                int at_once) {
  return {"limit: bare epoll loop, " + std::to_string(at_once) + " at once",
          [port, request = std::move(request), reply_end = std::move(reply_end), total, at_once] {
            return cost_of([&] { exchange(port, request, reply_end, total, at_once); }, total);
          }};
}

double wrk(const NginxServer& server, bool keep_alive, int at_once, bool smoke) {
  std::vector<std::string> command = {"wrk", "-t1", "-c" + std::to_string(at_once),
                                      smoke ? "-d1s" : "-d2s", server.url("/health")};
  if (!keep_alive) command.insert(command.end(), {"-H", "Connection: close"});
  const Finished finished = run(command);
  const auto at = finished.output.find(" requests in ");
  if (at == std::string::npos) throw std::runtime_error("wrk says:\n" + finished.output);
  const auto begin = finished.output.rfind('\n', at) + 1;
  return us_each(finished.cpu, std::stoi(finished.output.substr(begin, at - begin)));
}

void http(const Effort& effort) {
  const NginxServer server("location /health { return 200 \"ok\\n\"; }");
  const int total = effort.count(8'000);
  HttpSpec spec;
  spec.url = server.url("/health");
  const std::string request =
      "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
  compete("HTTP probe of nginx, new connection each", "us of CPU per probe",
          {ours(spec, total, 64),
           bare(server.port(), request, "\r\n\r\n", total, 64),
           {"peer: wrk, Connection: close, 64 at once",
            [&] { return wrk(server, false, 64, effort.smoke); }},
           {"wrk, connections kept, 64 at once: not a new connection",
            [&] { return wrk(server, true, 64, effort.smoke); }},
           ours(spec, total, 512),
           bare(server.port(), request, "\r\n\r\n", total, 512)},
          effort.rounds);
}

void redis(const Effort& effort) {
  const RedisServer server;
  const int total = effort.count(8'000);
  RedisSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  const int forks = effort.count(50);
  const std::string port = std::to_string(server.port());
  compete("Redis PING, new connection each", "us of CPU per probe",
          {ours(spec, total, 64),
           bare(server.port(), "*1\r\n$4\r\nPING\r\n", "+PONG\r\n", total, 64),
           {"peer: redis-benchmark -k 0, 64 at once",
            [&] {
              return us_each(run({"redis-benchmark", "-h", "127.0.0.1", "-p", port, "-k", "0", "-c",
                                  "64", "-n", std::to_string(total), "-t", "ping_mbulk", "-q"})
                                 .cpu,
                             total);
            }},
           {"peer: a redis-cli process per probe",
            [&] {
              Nanoseconds cpu{};
              for (int i = 0; i < forks; ++i)
                cpu += run({"redis-cli", "-h", "127.0.0.1", "-p", port, "PING"}).cpu;
              return us_each(cpu, forks);
            }}},
          effort.rounds);
}

// SSLRequest is what libpq and we send first; the server without TLS answers N, then comes the
// start-up packet with a user.
std::string startup_packet() {
  const std::string fields("\0\3\0\0user\0firebreak\0database\0postgres\0\0", 38);
  const std::string size{'\0', '\0', '\0', static_cast<char>(fields.size() + 4)};
  return size + fields;
}

void postgres(const Effort& effort) {
  const PostgresServer server("secret");
  const int total = effort.count(400);
  PostgresSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  const int forks = effort.count(50);
  const std::string port = std::to_string(server.port());
  compete("PostgreSQL readiness, new connection each", "us of CPU per probe",
          {ours(spec, total, 8),
           bare(server.port(), startup_packet(), "R", total, 8),
           {"peer: a pg_isready process per probe",
            [&] {
              Nanoseconds cpu{};
              for (int i = 0; i < forks; ++i)
                cpu += run({"/usr/lib/postgresql/15/bin/pg_isready", "-q", "-h", "127.0.0.1", "-p",
                            port})
                           .cpu;
              return us_each(cpu, forks);
            }}},
          effort.rounds);
}

// At the pace of a fleet's agent every probe wakes a process that sleeps, with cold caches.
void paced(const char* title, const KindSpec& kind, const std::string& check, std::uint16_t port,
           int a_second, const Effort& effort) {
  const Duration settling = effort.smoke ? Duration(1s) : Duration(2s);
  const Duration length = effort.smoke ? Duration(1s) : Duration(5s);
  std::vector<Contestant> contestants{{"firebreak schedule and Prober", [&] {
                                         std::vector<agent::AssignedProbe> probes;
                                         probes.reserve(static_cast<std::size_t>(a_second));
                                         for (int i = 0; i < a_second; ++i)
                                           probes.push_back(assigned("paced", i, kind));
                                         const PacedLoop::Seen seen =
                                             PacedLoop(std::move(probes)).run(settling, length);
                                         if (seen.failed > 0)
                                           throw std::runtime_error("a paced probe failed");
                                         return seen.cores * 1e6 / a_second;
                                       }}};
  if (haproxy_is_installed())
    contestants.push_back({"peer: haproxy", [&] {
                             const Haproxy haproxy(check, a_second, port, 1s);
                             std::this_thread::sleep_for(settling);
                             const Nanoseconds before = cpu_of(haproxy.pid());
                             std::this_thread::sleep_for(length);
                             const std::chrono::duration<double> seconds(length);
                             return us_each(cpu_of(haproxy.pid()) - before,
                                            static_cast<int>(a_second * seconds.count()));
                           }});
  compete(std::string(title) + ", " + std::to_string(a_second) + " a second", "us of CPU per probe",
          contestants, effort.rounds);
}

void paced(const Effort& effort) {
  {
    const NginxServer server("location /health { return 200 \"ok\\n\"; }");
    HttpSpec spec;
    spec.url = server.url("/health");
    paced("HTTP", spec, "mode http\n  option httpchk GET /health", server.port(), 500, effort);
  }
  {
    const RedisServer server;
    RedisSpec spec;
    spec.host = "127.0.0.1";
    spec.port = server.port();
    paced("Redis PING", spec,
          "option tcp-check\n  tcp-check send PING\\r\\n\n  tcp-check expect string +PONG",
          server.port(), 500, effort);
  }
  const PostgresServer server("secret");
  PostgresSpec spec;
  spec.host = "127.0.0.1";
  spec.port = server.port();
  paced("PostgreSQL readiness", spec, "option pgsql-check user firebreak", server.port(), 50,
        effort);
}

// Other kinds, beside the program that a playbook would run instead.
void others(const Effort& effort) {
  const NginxServer server("location /health { return 200 \"ok\\n\"; }");
  const int total = effort.count(8'000);
  const int forks = effort.count(50);
  const auto forked = [forks](std::vector<std::string> command) {
    return std::function<double()>([forks, command = std::move(command)] {
      Nanoseconds cpu{};
      for (int i = 0; i < forks; ++i) cpu += run(command).cpu;
      return us_each(cpu, forks);
    });
  };
  TcpSpec tcp;
  tcp.host = "127.0.0.1";
  tcp.port = server.port();
  const std::string port = std::to_string(server.port());
  compete("TCP connection", "us of CPU per probe",
          {ours(tcp, total, 64),
           {"peer: a check_tcp process per probe",
            forked({"/usr/lib/nagios/plugins/check_tcp", "-H", "127.0.0.1", "-p", port})}},
          effort.rounds);
  const RedisServer redis;
  redis.cli({"RPUSH", "jobs", "a", "b"});
  QueueSpec::RedisKey key;
  key.redis.host = "127.0.0.1";
  key.redis.port = redis.port();
  key.key = "jobs";
  QueueSpec queue{key, {}, {}};
  compete("length of a list in Redis", "us of CPU per probe",
          {ours(queue, total, 64),
           {"peer: a redis-cli process per probe",
            forked({"redis-cli", "-h", "127.0.0.1", "-p", std::to_string(redis.port()), "LLEN",
                    "jobs"})}},
          effort.rounds);
  HostSpec host;
  host.warning = {{"disk_used", *parse_range("100")}};
  compete("this host: processors, memory, load, disks", "us of CPU per probe",
          {ours(host, effort.count(2'000), 1),
           {"peer: check_load and check_disk, a process each",
            forked({"sh", "-c",
                    "/usr/lib/nagios/plugins/check_load -w 999 -c 999; "
                    "/usr/lib/nagios/plugins/check_disk -w 0% -c 0% -p /"})}},
          effort.rounds);
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  try {
    const auto effort = firebreak::bench::effort_of(argc, argv);
    firebreak::bench::http(effort);
    firebreak::bench::redis(effort);
    firebreak::bench::postgres(effort);
    firebreak::bench::others(effort);
    firebreak::bench::paced(effort);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "probes_bench: %s\n", error.what());
    return 1;
  }
}
