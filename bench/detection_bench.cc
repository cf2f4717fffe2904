// How long an outage stays unnoticed: from SIGKILL of a real nginx to the committed incident, by
// the real agent and the coordinator's engine, store and ingest; haproxy watches the same servers
// where it is installed.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "bench/contest.h"
#include "bench/deployment.h"
#include "bench/measure.h"
#include "common/clock.h"
#include "coordinator/core/step.h"
#include "coordinator/engine/engine.h"
#include "coordinator/ingest/agent_hub.h"
#include "coordinator/policy/loader.h"
#include "proto/credentials.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::NginxServer;
using firebreak::testing::ServerProcess;
using Steady = std::chrono::steady_clock;

constexpr auto kPatience = 60s;  // only so that a broken run ends
constexpr auto kPollEvery = 2ms;

struct Setting {
  std::string name;
  std::chrono::seconds every;
  int rounds = 20;
  int hung = 0;  // targets beside that accept and never answer
};

ServiceName service_of(int round) {
  return ServiceName("s" + std::to_string(round));
}

// When each service's incident was first published, which is after its commit.
class Published final : public engine::WatchSink {
 public:
  void publish(const core::PublishEntry& entry) override {
    const std::lock_guard lock(mutex_);
    if (first_.emplace(entry.service, Steady::now()).second) changed_.notify_all();
  }
  void publish(const core::PublishValidation&, const core::State&) override {}

  [[nodiscard]] bool has(const ServiceName& service) {
    const std::lock_guard lock(mutex_);
    return first_.contains(service);
  }
  Steady::time_point wait_for(const ServiceName& service) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return first_.contains(service); }))
      throw std::runtime_error("no incident of " + service.str());
    return first_.at(service);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ServiceName, Steady::time_point> first_;
};

class NoSender final : public engine::Sender {
 public:
  void send(core::SendNotification) override {}
  void run(core::RunHttpAction) override {}
};

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "detection_bench: %s\n", error.message.c_str());
  std::_Exit(1);
}

// The coordinator without operators: gRPC, ingest, engine, core and SQLite as in the program.
class Coordinator {
 public:
  Coordinator(Deployment& deployment, const std::string& policy) {
    auto store = store::open_sqlite(deployment / "coordinator.db",
                                    [](const std::vector<policy::SourceFile>&) {
                                      return Result<std::shared_ptr<const policy::Policy>>(
                                          make_error(Errc::internal, "unused"));
                                    });
    if (!store) throw std::runtime_error(store.error().message);
    if (const auto started = engine_.start(std::move(*store), {&hub_, &sender_, &published_});
        !started)
      throw std::runtime_error(started.error().message);
    auto loaded = policy::load_policy({{"policy.yaml", policy}});
    if (!loaded.policy) throw std::runtime_error(loaded.problems);
    engine_.submit(core::PolicyChanged{loaded.policy, "bench"});
    listen(deployment);
  }
  ~Coordinator() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
    engine_.stop();
  }
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] Published& published() { return published_; }

  // Until the rules say that every one of the services is well.
  void wait_until_well(int services) {
    const auto give_up = Steady::now() + kPatience;
    while (count_well(services) < services) {
      if (Steady::now() > give_up) throw std::runtime_error("the services do not become well");
      std::this_thread::sleep_for(100ms);
    }
  }

 private:
  void listen(Deployment& deployment) {
    const auto credentials = server_credentials(deployment.issue(pki::Role::coordinator, "main"));
    if (!credentials) throw std::runtime_error(credentials.error().message);
    int port = 0;
    grpc::ServerBuilder builder;
    set_server_limits(builder);
    builder.RegisterService(&hub_.service());
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }

  int count_well(int services) {
    std::promise<int> well;
    engine_.inspect([&](const engine::View& view) {
      int count = 0;
      for (int i = 0; i < services; ++i)
        if (core::service_status(view.state, service_of(i)) == Status::ok) ++count;
      well.set_value(count);
    });
    return well.get_future().get();
  }

  const SystemClock clock_;
  Published published_;
  NoSender sender_;
  engine::Engine engine_{clock_, die};
  ingest::AgentHub hub_{engine_, clock_, {.version = "bench"}};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

std::string policy_of(const Setting& setting, const std::vector<std::string>& urls,
                      const std::string& hung_url) {
  const std::string every = std::to_string(setting.every.count()) + "s";
  std::string services = "services:\n";
  std::string rules = "rules:\n";
  for (std::size_t i = 0; i < urls.size(); ++i) {
    const std::string name = service_of(static_cast<int>(i)).str();
    services +=
        "  " + name + ":\n    agents: labels.role == 'edge'\n    probes:\n      health: {http: '" +
        urls[i] + "', every: " + every + ", timeout: 2s, confirm: {attempts: 2, every: 200ms}}\n";
    rules += "  - {service: " + name + ", severity: {P1: \"!available('health')\"}}\n";
  }
  for (int i = 0; i < setting.hung; ++i)
    services += "  hung" + std::to_string(i) +
                ":\n    agents: labels.role == 'edge'\n    probes:\n      health: {http: '" +
                hung_url + "', every: " + every + ", timeout: " + every + "}\n";
  return "severities: {P1: {}}\n" + services + rules;
}

// The same servers watched as haproxy users do: 200 ms once one check fails, three in a row.
class Haproxy {
 public:
  Haproxy(Deployment& deployment, const Setting& setting, const std::vector<std::uint16_t>& ports)
      : log_(deployment / "haproxy.log") {
    if (::access("/usr/sbin/haproxy", X_OK) != 0) return;
    std::string text =
        "global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n"
        "  timeout server 5s\nfrontend none\n  bind unix@" +
        (deployment / "haproxy.sock") +
        "\n  default_backend all\nbackend all\n  option httpchk GET /health\n"
        "  default-server inter " +
        std::to_string(setting.every.count()) + "s fastinter 200ms fall 3 rise 1\n";
    for (std::size_t i = 0; i < ports.size(); ++i)
      text +=
          "  server s" + std::to_string(i) + " 127.0.0.1:" + std::to_string(ports[i]) + " check\n";
    deployment.write("haproxy.cfg", text);
    process_.emplace();
    process_->start({"/usr/sbin/haproxy", "-db", "-f", deployment / "haproxy.cfg"}, log_);
  }
  [[nodiscard]] bool runs() const { return process_.has_value(); }
  [[nodiscard]] bool has_noticed(const ServiceName& service) {
    if (process_->has_ended()) throw std::runtime_error("haproxy has ended");
    std::ifstream file(log_);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str().find("all/" + service.str() + " is DOWN") != std::string::npos;
  }

 private:
  std::string log_;
  std::optional<ServerProcess> process_;
};

struct Delays {
  std::vector<double> ours, haproxy;
};

double seconds_since(Steady::time_point begin, Steady::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

void kill_and_wait(NginxServer& server, const ServiceName& service, Published& published,
                   Haproxy& haproxy, Delays& delays) {
  if (published.has(service)) throw std::runtime_error("an incident without an outage");
  const auto killed = Steady::now();
  server.kill();
  std::optional<Steady::time_point> noticed;
  while (haproxy.runs() && !noticed && Steady::now() < killed + kPatience) {
    if (haproxy.has_noticed(service)) noticed = Steady::now();
    std::this_thread::sleep_for(kPollEvery);
  }
  delays.ours.push_back(seconds_since(killed, published.wait_for(service)));
  if (noticed) delays.haproxy.push_back(seconds_since(killed, *noticed));
}

void print(const std::string& who, const std::vector<double>& delays) {
  if (delays.empty()) return;
  std::printf("  %-58s %6.2f %6.2f %6.2f %6.2f\n", who.c_str(), quantile(delays, 0),
              quantile(delays, 0.5), quantile(delays, 0.95), quantile(delays, 1));
}

void run_setting(const Setting& setting) {
  Deployment deployment;
  NginxServer hung("location / { return 200 ok; }");
  hung.freeze();
  std::vector<std::unique_ptr<NginxServer>> servers;
  std::vector<std::string> urls;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < setting.rounds; ++i) {
    servers.push_back(std::make_unique<NginxServer>("location /health { return 200 ok; }"));
    urls.push_back(servers.back()->url("/health"));
    ports.push_back(servers.back()->port());
  }
  Coordinator coordinator(deployment, policy_of(setting, urls, hung.url()));
  ServerProcess agent;
  deployment.start_agent(agent, "edge", coordinator.address());
  Haproxy haproxy(deployment, setting, ports);
  coordinator.wait_until_well(setting.rounds);
  // Any point of the interval is as likely as another.
  std::mt19937 random(20'261'121);
  std::uniform_int_distribution<int> pause_ms(0, static_cast<int>(setting.every.count()) * 1000);
  Delays delays;
  for (int i = 0; i < setting.rounds; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms(random)));
    kill_and_wait(*servers[static_cast<std::size_t>(i)], service_of(i), coordinator.published(),
                  haproxy, delays);
  }
  agent.kill();
  const auto interval = static_cast<double>(setting.every.count());
  std::printf("\nSIGKILL of nginx to the committed incident: %s, confirmed by 2 x 200 ms\n",
              setting.name.c_str());
  std::printf("  %-58s %6s %6s %6s %6s\n", "seconds", "least", "p50", "p95", "max");
  print("firebreak, " + std::to_string(delays.ours.size()) + " outages", delays.ours);
  print("peer: haproxy, fastinter 200ms fall 3, to its log line", delays.haproxy);
  std::printf("  %-58s %6.2f %6.2f %6.2f %6.2f\n", "limit: the interval's uniform wait + 0.4 s",
              0.4, 0.5 * interval + 0.4, 0.95 * interval + 0.4, interval + 0.4);
  std::fflush(stdout);
}

}  // namespace
}  // namespace firebreak::bench

int main(int argc, char** argv) {
  using namespace firebreak::bench;
  firebreak::require_tls13();
  try {
    if (effort_of(argc, argv).smoke) {
      run_setting({"every 1 s", std::chrono::seconds(1), 1, 0});
      return 0;
    }
    run_setting({"every 5 s", std::chrono::seconds(5), 20, 0});
    run_setting({"every 1 s", std::chrono::seconds(1), 20, 0});
    run_setting({"every 5 s, four hung targets beside", std::chrono::seconds(5), 20, 4});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "detection_bench: %s\n", error.what());
    return 1;
  }
}
