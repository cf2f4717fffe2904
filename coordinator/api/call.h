// One unary call and one stream of the operator API, as far as gRPC is concerned; internal to this
// folder.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/result.h"

namespace firebreak::api {

// The same meaning for the client; the message is cut to what a header may hold.
[[nodiscard]] grpc::Status to_status(const Error& error);

// The operator who calls: permission_denied unless the certificate has that role.
Result<std::string> operator_name(const grpc::CallbackServerContext& context);

// Finishes exactly once. When it is dropped without an answer, because the engine has stopped, it
// says so to the client.
class UnaryCall {
 public:
  explicit UnaryCall(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  ~UnaryCall();
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  void finish(const grpc::Status& status);
  void finish(const Result<>& result);

 private:
  grpc::ServerUnaryReactor* reactor_;
};

// A server stream that writes what `next` gives, one at a time. Owns itself until gRPC is done with
// it; others hold weak or shared pointers and may call wake() and end() at any time.
template <class Message>
class Stream final : public grpc::ServerWriteReactor<Message>,
                     public std::enable_shared_from_this<Stream<Message>> {
 public:
  struct Next {
    std::optional<Message> message;
    std::optional<grpc::Status> end;  // after the message
  };
  using Source = std::function<Next()>;

  static std::shared_ptr<Stream> make() {
    auto stream = std::make_shared<Stream>();
    stream->self_ = stream;
    return stream;
  }

  // Before the stream is given to gRPC or anybody else. `next` is never called by two threads at
  // once; `gone` runs at most once, when the client went away before the end.
  void set_up(Source next, std::function<void()> gone) {
    next_ = std::move(next);
    gone_ = std::move(gone);
  }
  // Tells the client that it is being served, before there is a message.
  void open() {
    const std::lock_guard lock(mutex_);
    if (!ending_) this->StartSendInitialMetadata();
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    write_next();
  }
  void end(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    finish(status);
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      is_writing_ = false;
      if (ok && ending_) return finish(*ending_);
      if (ok) return write_next();
    }
    leave();  // gRPC may say this before OnCancel()
  }
  void OnCancel() override { leave(); }
  void OnDone() override {
    {
      const std::lock_guard lock(mutex_);
      next_ = nullptr;  // what it holds may be watched by others
      gone_ = nullptr;
    }
    const auto self = std::move(self_);
  }

 private:
  // The client is gone.
  void leave() {
    std::function<void()> gone;
    {
      const std::lock_guard lock(mutex_);
      if (!ending_) gone = std::exchange(gone_, nullptr);
      finish(grpc::Status::CANCELLED);
    }
    if (gone) gone();
  }
  // Both under mutex_. gRPC calls nothing of ours back before they return.
  void write_next() {
    if (is_writing_ || ending_ || !next_) return;
    Next next = next_();
    ending_ = std::move(next.end);
    if (next.message) {
      message_ = *std::move(next.message);
      is_writing_ = true;
      this->StartWrite(&message_);
    } else if (ending_) {
      finish(*ending_);
    }
  }
  // With the first status it is given, once no write is under way.
  void finish(const grpc::Status& status) {
    if (!ending_) ending_ = status;
    if (is_writing_ || std::exchange(is_finished_, true)) return;
    this->Finish(*ending_);
  }

  std::mutex mutex_;
  std::shared_ptr<Stream> self_;
  Source next_;
  std::function<void()> gone_;
  Message message_;
  std::optional<grpc::Status> ending_;
  bool is_writing_ = false;
  bool is_finished_ = false;
};

}  // namespace firebreak::api
