// Plays agents to a real coordinator and writes down every acknowledgement at the moment it comes:
// the history that the coordinator's journal is held against.
//
// One line per event, in one write: "MICROSECONDS AGENT INCARNATION welcome EPOCH ACKED" or
// "... ack SEQ". What result number N says follows from N (content.h), so a reader of the journal
// can tell whether it holds what was sent.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include "proto/credentials.h"
#include "proto/wire.h"
#include "tests/faults/content.h"

namespace firebreak::faults {
namespace {

using Stream = grpc::ClientReaderWriter<v1::AgentMessage, v1::CoordinatorMessage>;

constexpr auto kRetryEvery = std::chrono::milliseconds(10);
constexpr int kReconnectMs = 20;
constexpr std::uint64_t kBatch = 3;  // so that a batch can be cut in the middle

struct Settings {
  std::string coordinator;
  std::string pki;  // the folder of 'firebreak pki'
  int history = -1;
  std::chrono::microseconds pause{};
};

Duration steady() {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

class Recorder {
 public:
  Recorder(const Settings& settings, std::string name)
      : settings_(settings), name_(std::move(name)), incarnation_(std::random_device{}() + 1ULL) {}

  [[noreturn]] void run() {
    for (;;) {
      attach();
      std::this_thread::sleep_for(kRetryEvery);
    }
  }

 private:
  // One stream, to its end.
  void attach() {
    const auto credentials =
        client_credentials({settings_.pki + "/agents/" + name_ + ".crt",
                            settings_.pki + "/agents/" + name_ + ".key", settings_.pki + "/ca.crt"},
                           pki::Role::agent);
    if (!credentials) die(credentials.error().message);
    grpc::ChannelArguments arguments = channel_arguments();
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::AgentService::NewStub(
        grpc::CreateCustomChannel(settings_.coordinator, *credentials, arguments));
    grpc::ClientContext context;
    const auto stream = stub->Attach(&context);
    if (greet(*stream))
      while (send(*stream) && await_ack(*stream)) std::this_thread::sleep_for(settings_.pause);
    context.TryCancel();
    static_cast<void>(stream->Finish());
  }

  bool greet(Stream& stream) {
    v1::AgentMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_incarnation(incarnation_);
    hello.set_version("recorder");
    hello.set_protocol(1);
    hello.set_monotonic_us(steady().count());
    hello.set_first_unacked_seq(acked_ + 1);
    v1::CoordinatorMessage reply;
    if (!stream.Write(message) || !stream.Read(&reply) || !reply.has_welcome()) return false;
    write("welcome " + std::to_string(reply.welcome().epoch()) + " " +
          std::to_string(reply.welcome().acked_seq()));
    acked_ = reply.welcome().acked_seq();
    is_defined_ = false;
    return true;
  }

  bool send(Stream& stream) {
    wire::Batch batch;
    batch.first_seq = acked_ + 1;
    batch.sent = steady();
    if (!is_defined_) batch.series.push_back({0, {ServiceName("web"), ProbeName("recorded")}});
    is_defined_ = true;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      wire::BatchedResult result;
      result.started = batch.sent;
      result.observation.latency = latency_of(batch.first_seq + i);
      batch.results.push_back(std::move(result));
    }
    v1::AgentMessage message;
    *message.mutable_results() = wire::to_proto(batch);
    return stream.Write(message);
  }

  bool await_ack(Stream& stream) {
    const std::uint64_t wanted = acked_ + kBatch;
    v1::CoordinatorMessage message;
    while (acked_ < wanted) {
      if (!stream.Read(&message)) return false;
      if (!message.has_ack()) continue;
      acked_ = message.ack().seq();
      write("ack " + std::to_string(acked_));
    }
    return true;
  }

  void write(const std::string& what) const {
    const auto now =
        std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
    const std::string line = std::to_string(now.count()) + " " + name_ + " " +
                             std::to_string(incarnation_) + " " + what + "\n";
    if (::write(settings_.history, line.data(), line.size()) < 0) die("cannot write the history");
  }

  [[noreturn]] static void die(const std::string& why) {
    std::fprintf(stderr, "recorder: %s\n", why.c_str());
    std::_Exit(1);
  }

  const Settings& settings_;
  const std::string name_;
  const std::uint64_t incarnation_;
  std::uint64_t acked_ = 0;
  bool is_defined_ = false;
};

}  // namespace
}  // namespace firebreak::faults

// recorder COORDINATOR PKI_FOLDER HISTORY PAUSE_US AGENT...
int main(int argc, char** argv) {
  using namespace firebreak::faults;
  if (argc < 6) {
    std::fprintf(stderr, "usage: recorder COORDINATOR PKI_FOLDER HISTORY PAUSE_US AGENT...\n");
    return 2;
  }
  firebreak::require_tls13();
  std::signal(SIGPIPE, SIG_IGN);
  Settings settings{argv[1], argv[2], ::open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0600),
                    std::chrono::microseconds(std::atoi(argv[4]))};
  if (settings.history < 0) {
    std::fprintf(stderr, "recorder: cannot write %s\n", argv[3]);
    return 1;
  }
  std::vector<std::thread> threads;
  for (int i = 5; i < argc; ++i)
    threads.emplace_back(
        [&settings, name = std::string(argv[i])] { Recorder(settings, name).run(); });
  for (std::thread& thread : threads) thread.join();
  return 0;
}
