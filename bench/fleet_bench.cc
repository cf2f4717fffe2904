// What a fleet costs a coordinator, from gRPC receive to durable acknowledgement: the program
// itself over mutual TLS, beside itself without syncs, and beside a server that only parses and
// acknowledges.
#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/contest.h"
#include "bench/coordinator_process.h"
#include "bench/deployment.h"
#include "bench/fleet_client.h"
#include "bench/measure.h"
#include "proto/credentials.h"

namespace firebreak::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kShards = 100;  // services; each with ten probes, seen by a hundredth of the agents

std::string policy() {
  std::string text = "severities: {P1: {}}\nservices:\n";
  for (int shard = 0; shard < kShards; ++shard) {
    const std::string name = "s" + std::to_string(shard);
    text += "  " + name + ":\n    agents: labels.shard == '" + std::to_string(shard) +
            "'\n    probes:\n";
    for (int probe = 0; probe < 10; ++probe)
      text += "      p" + std::to_string(probe) + ": {http: 'http://127.0.0.1:1/', every: 60s}\n";
  }
  text += "rules:\n";
  for (int shard = 0; shard < kShards; ++shard)
    text += "  - {service: s" + std::to_string(shard) + ", severity: {P1: \"!available('p0')\"}}\n";
  return text;
}

// Takes what comes, checks nothing, keeps nothing, acknowledges at once: what gRPC, TLS and
// protobuf cost before anybody thinks.
class Echo final : public v1::AgentService::CallbackService {
 public:
  class Stream final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage> {
   public:
    Stream() { StartRead(&in_); }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::OK);
      out_.Clear();
      if (in_.has_heartbeat()) return StartRead(&in_);
      if (in_.has_hello())
        out_.mutable_welcome()->set_protocol(1);
      else
        out_.mutable_ack()->set_seq(in_.results().first_seq() +
                                    static_cast<std::uint64_t>(in_.results().ref_size()) - 1);
      StartWrite(&out_);
    }
    void OnWriteDone(bool ok) override {
      if (ok) StartRead(&in_);
    }
    void OnDone() override { delete this; }

   private:
    v1::AgentMessage in_;
    v1::CoordinatorMessage out_;
  };
  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* Attach(
      grpc::CallbackServerContext*) override {
    return new Stream;
  }
};

int echo(const std::string& address, const pki::TlsFiles& tls) {
  Echo service;
  grpc::ServerBuilder builder;
  set_server_limits(builder);
  builder.RegisterService(&service);
  const auto credentials = server_credentials(tls);
  if (!credentials) return 1;
  builder.AddListeningPort(address, *credentials);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  server->Wait();
  return 0;
}

struct Load {
  int agents;
  int batch;
  int batches;
};

void measure(Deployment& deployment, const pki::TlsFiles& tls,
             const std::vector<pki::TlsFiles>& agents, const Load& load, ServerKind kind) {
  CoordinatorProcess server(deployment, tls, kind);
  const std::vector<pki::TlsFiles> some(agents.begin(), agents.begin() + load.agents);
  FleetClient fleet(server.address(), some, kShards, {});
  const double attached = fleet.attach();
  const double idle = server.rss_mib();
  fleet.run({1, 10, 1, 0});  // series are defined, every probe has a result
  const double disk = server.disk_bytes();
  Nanoseconds before = server.cpu();
  const FleetResult busy = fleet.run({load.batches, load.batch, 8, 0});
  const double cpu = std::chrono::duration<double>(server.cpu() - before).count();
  const auto results = static_cast<double>(busy.results);
  const double grown = (server.disk_bytes() - disk) / results;
  // A calm fleet: each agent once per second or less often, at most 200 batches per second.
  const double pause = std::max(1.0, load.agents / 200.0);
  const FleetResult calm = fleet.run({std::max(2, static_cast<int>(10 / pause)), 20, 8, pause});
  const char* name = kind == ServerKind::coordinator    ? "firebreak"
                     : kind == ServerKind::without_sync ? "  without syncs"
                                                        : "  limit: parse and ack";
  std::printf(
      "| %6d | %5d | %-22s | %9.0f | %9.0f | %7.1f / %7.1f | %6.1f / %7.1f | %5.1f | %5.1f "
      "| %6.1f | %5.1f s, %llu put off |\n",
      load.agents, load.batch, name, results / cpu, results / busy.seconds,
      quantile(busy.ack_ms, 0.5), quantile(busy.ack_ms, 0.99), quantile(calm.ack_ms, 0.5),
      quantile(calm.ack_ms, 0.99), static_cast<double>(busy.wire_bytes) / results,
      kind == ServerKind::limit ? 0.0 : grown, idle, attached,
      static_cast<unsigned long long>(fleet.put_off()));
  std::fflush(stdout);
}

int run_all(const Effort& effort, const std::vector<int>& sizes) {
  Deployment deployment;
  deployment.make_folder("policy");
  deployment.write("policy/policy.yaml", policy());
  const pki::TlsFiles tls = deployment.issue(pki::Role::coordinator, "bench");
  std::vector<pki::TlsFiles> agents;
  for (int i = 0; i < *std::max_element(sizes.begin(), sizes.end()); ++i)
    agents.push_back(deployment.issue(pki::Role::agent, "agent-" + std::to_string(i)));
  std::printf(
      "\nA fleet over mutual TLS, one channel per agent, all in one client process\n"
      "| agents | batch | server | results per CPU s | per wall s | ack ms p50 / p99, 8 batches in "
      "flight | ack ms p50 / p99, 200 batches/s | bytes on the wire | on disk | RSS MiB attached | "
      "attached after |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  const Load loads[] = {{1, 1000, 36},
                        {100, 1000, effort.count(30)},
                        {100, 100, effort.count(100)},
                        {1000, 100, effort.count(20)},
                        {10000, 20, effort.count(5)}};
  for (const Load& load : loads) {
    if (std::find(sizes.begin(), sizes.end(), load.agents) == sizes.end()) continue;
    for (const ServerKind kind :
         {ServerKind::coordinator, ServerKind::without_sync, ServerKind::limit})
      measure(deployment, tls, agents, load, kind);
  }
  return 0;
}

}  // namespace
}  // namespace firebreak::bench

// fleet_bench [smoke|full] [AGENTS...]: of 1, 100, 1000 and 10000; smoke is 1 and 100 by default.
int main(int argc, char** argv) {
  using namespace firebreak;
  require_tls13();
  try {
    if (argc == 6 && std::strcmp(argv[1], "echo") == 0)
      return bench::echo(argv[2], {argv[3], argv[4], argv[5]});
    const bench::Effort effort = bench::effort_of(argc, argv);
    std::vector<int> sizes;
    for (int i = 2; i < argc; ++i) sizes.push_back(std::atoi(argv[i]));
    if (sizes.empty()) sizes = {1, 100};
    if (argc <= 2 && !effort.smoke) sizes.insert(sizes.end(), {1000, 10000});
    return bench::run_all(effort, sizes);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fleet_bench: %s\n", error.what());
    return 1;
  }
}
