// A coordinator that does what a test tells it: takes agents in over real gRPC and mutual TLS,
// keeps what they say in order, and answers nothing by itself but heartbeats.
//
// Thread-safe. Every wait ends when the thing has happened; only a broken test meets the patience.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace firebreak::testing {

class FakeCoordinator {
 public:
  explicit FakeCoordinator(const std::shared_ptr<grpc::ServerCredentials>& credentials);
  ~FakeCoordinator();
  FakeCoordinator(const FakeCoordinator&) = delete;
  FakeCoordinator& operator=(const FakeCoordinator&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }

  // The hello of the next stream, which the calls below are about from then on; what earlier
  // streams said and nobody read is gone. An empty Hello (incarnation 0) when none came.
  v1::Hello accept();
  void send(v1::CoordinatorMessage message);
  // accept() and a Welcome.
  v1::Hello attach(std::uint64_t epoch, std::uint64_t acked_seq = 0);
  // The next message of this kind; others before it are passed over. Nothing when the stream ended.
  std::optional<v1::AgentMessage> next(v1::AgentMessage::MessageCase kind);
  // Ends the stream with `status` after what was sent before, and waits until gRPC has done so.
  void finish(const grpc::Status& status);
  // Breaks the stream off, as a network would.
  void kill();
  // Until the agent has ended the stream; messages that were not read stay readable.
  bool wait_for_end();

 private:
  class Session;
  class Service;
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<Session>> arrived;  // not yet accepted
    std::size_t open = 0;
  };

  std::string address_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::shared_ptr<Session> session_;  // accepted
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace firebreak::testing
