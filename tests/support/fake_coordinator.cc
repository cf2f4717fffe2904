// gRPC's callback server reactor, turned into something that a test can wait for.
#include "tests/support/fake_coordinator.h"

#include <chrono>
#include <utility>

#include <gtest/gtest.h>

namespace firebreak::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

}  // namespace

class FakeCoordinator::Session final
    : public grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>,
      public std::enable_shared_from_this<Session> {
 public:
  Session(grpc::CallbackServerContext* context, std::shared_ptr<State> state)
      : context_(context), state_(std::move(state)) {}

  void start() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  void send(v1::CoordinatorMessage message) {
    const std::lock_guard lock(state_->mutex);
    if (is_ended_) return;
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  void kill() {
    const std::lock_guard lock(state_->mutex);
    if (!is_ended_) context_->TryCancel();
  }

  void OnReadDone(bool ok) override {
    const std::lock_guard lock(state_->mutex);
    if (!ok) return end(grpc::Status::OK);
    if (is_ended_) return;
    if (incoming_.has_heartbeat()) beat();
    inbox_.push_back(std::exchange(incoming_, {}));
    state_->changed.notify_all();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(state_->mutex);
    outgoing_.pop_front();
    if (!ok || is_ended_) outgoing_.clear();
    if (!outgoing_.empty()) return StartWrite(&outgoing_.front());
    if (is_ended_) Finish(status_);
  }

  void OnDone() override {
    const std::shared_ptr<Session> self = std::move(self_);
    const std::lock_guard lock(state_->mutex);
    is_done_ = true;
    --state_->open;
    state_->changed.notify_all();
  }

  // The rest is called under the state's mutex.
  void end(const grpc::Status& status) {
    if (std::exchange(is_ended_, true)) return;
    status_ = status;
    state_->changed.notify_all();
    if (outgoing_.empty()) Finish(status_);
  }

  std::optional<v1::AgentMessage> take() {
    if (inbox_.empty()) return std::nullopt;
    std::optional<v1::AgentMessage> message(std::move(inbox_.front()));
    inbox_.pop_front();
    return message;
  }
  [[nodiscard]] bool is_ended() const { return is_ended_; }
  [[nodiscard]] bool is_done() const { return is_done_; }
  [[nodiscard]] bool has_messages() const { return !inbox_.empty(); }

 private:
  void beat() {
    outgoing_.emplace_back().mutable_heartbeat();
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  grpc::CallbackServerContext* context_;
  std::shared_ptr<State> state_;
  std::shared_ptr<Session> self_;
  v1::AgentMessage incoming_;
  std::deque<v1::AgentMessage> inbox_;
  std::deque<v1::CoordinatorMessage> outgoing_;  // the first is being written
  grpc::Status status_;
  bool is_ended_ = false;
  bool is_done_ = false;  // gRPC has let go of it
};

class FakeCoordinator::Service final : public v1::AgentService::CallbackService {
 public:
  explicit Service(std::shared_ptr<State> state) : state_(std::move(state)) {}
  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* Attach(
      grpc::CallbackServerContext* context) override {
    auto session = std::make_shared<Session>(context, state_);
    {
      const std::lock_guard lock(state_->mutex);
      ++state_->open;
      state_->arrived.push_back(session);
    }
    session->start();
    state_->changed.notify_all();
    return session.get();
  }

 private:
  std::shared_ptr<State> state_;
};

FakeCoordinator::FakeCoordinator(const std::shared_ptr<grpc::ServerCredentials>& credentials)
    : service_(std::make_unique<Service>(state_)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.RegisterService(service_.get());
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  server_ = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeCoordinator::~FakeCoordinator() {
  session_.reset();
  if (server_) server_->Shutdown(std::chrono::system_clock::now());
  std::unique_lock lock(state_->mutex);
  state_->arrived.clear();
  state_->changed.wait(lock, [this] { return state_->open == 0; });
}

v1::Hello FakeCoordinator::accept() {
  session_.reset();
  {
    std::unique_lock lock(state_->mutex);
    const bool came =
        state_->changed.wait_for(lock, kPatience, [this] { return !state_->arrived.empty(); });
    EXPECT_TRUE(came) << "no agent attached";
    if (!came) return {};
    session_ = std::move(state_->arrived.front());
    state_->arrived.pop_front();
  }
  const auto message = next(v1::AgentMessage::kHello);
  return message ? message->hello() : v1::Hello{};
}

v1::Hello FakeCoordinator::attach(std::uint64_t epoch, std::uint64_t acked_seq) {
  v1::Hello hello = accept();
  v1::CoordinatorMessage message;
  message.mutable_welcome()->set_epoch(epoch);
  message.mutable_welcome()->set_acked_seq(acked_seq);
  message.mutable_welcome()->set_protocol(1);
  send(std::move(message));
  return hello;
}

void FakeCoordinator::send(v1::CoordinatorMessage message) {
  if (session_) session_->send(std::move(message));
}

std::optional<v1::AgentMessage> FakeCoordinator::next(v1::AgentMessage::MessageCase kind) {
  if (!session_) return std::nullopt;
  std::unique_lock lock(state_->mutex);
  while (true) {
    const bool came = state_->changed.wait_for(
        lock, kPatience, [this] { return session_->has_messages() || session_->is_ended(); });
    EXPECT_TRUE(came) << "the agent did not send what was expected";
    auto message = session_->take();
    if (!message || message->message_case() == kind) return message;
  }
}

void FakeCoordinator::finish(const grpc::Status& status) {
  std::unique_lock lock(state_->mutex);
  session_->end(status);
  const bool is_done =
      state_->changed.wait_for(lock, kPatience, [this] { return session_->is_done(); });
  EXPECT_TRUE(is_done) << "gRPC did not end the stream";
}

void FakeCoordinator::kill() {
  if (session_) session_->kill();
}

bool FakeCoordinator::wait_for_end() {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, kPatience, [this] { return session_->is_ended(); });
}

}  // namespace firebreak::testing
