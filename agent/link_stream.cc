// A gRPC callback reactor whose every decision is taken on the loop's thread.
//
// gRPC calls On...() on threads of its own; they only post. Start...(), RemoveHold() and all state
// belong to the loop. The reactor keeps itself alive until OnDone(), and dies on the loop: a
// channel must not be destroyed on one of gRPC's threads, because the last one takes those threads
// along and waits for them.
#include "agent/link_stream.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/create_channel.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "common/limits.h"
#include "proto/credentials.h"

namespace firebreak::agent {
namespace {

std::string describe(const grpc::Status& status) {
  if (status.ok()) return "the coordinator ended the stream";
  return status.error_message().empty()
             ? "gRPC status " + std::to_string(static_cast<int>(status.error_code()))
             : status.error_message();
}

grpc::ChannelArguments arguments() {
  grpc::ChannelArguments arguments = channel_arguments();
  // Else gRPC would share connections, and its own back-off, between our attempts.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

// Whether gRPC has let go of a stream.
class Latch {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

}  // namespace

class LinkStream::Reactor final
    : public grpc::ClientBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>,
      public std::enable_shared_from_this<Reactor> {
 public:
  Reactor(boost::asio::io_context& io, LinkHandlers handlers)
      : io_(io), handlers_(std::move(handlers)) {}

  void start(const std::string& address, const pki::TlsFiles& tls) {
    const auto credentials = client_credentials(tls, pki::Role::agent);
    if (!credentials) {
      reason_ = credentials.error().message;
      is_released_ = true;
      done_->open();
      boost::asio::post(io_, [self = shared_from_this()] { self->end({}); });
      return;
    }
    self_ = shared_from_this();
    stub_ =
        v1::AgentService::NewStub(grpc::CreateCustomChannel(address, *credentials, arguments()));
    stub_->async()->Attach(&context_, this);
    AddHold();
    StartRead(&incoming_);
    StartCall();
  }

  void send(v1::AgentMessage message) {
    if (is_released_ || cannot_write_) return;  // `ended` is on its way
    outgoing_.push_back(std::move(message));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  [[nodiscard]] std::size_t unsent() const { return outgoing_.size(); }

  void close() {
    is_closed_ = true;
    // Even when released: gRPC keeps a stream that ended with messages unread.
    context_.TryCancel();
    release();
    done_->wait();
  }

  void OnReadDone(bool ok) override {
    boost::asio::post(io_, [self = shared_from_this(), ok] { self->read_done(ok); });
  }
  void OnWriteDone(bool ok) override {
    boost::asio::post(io_, [self = shared_from_this(), ok] { self->write_done(ok); });
  }
  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<Latch> done = done_;
    // Nothing of this reactor may be touched here once the loop has it.
    boost::asio::post(io_, [self = std::move(self_), status] { self->end(status); });
    done->open();
  }

 private:
  // No operation is started from here on: OnDone() comes when those under way have ended.
  void release() {
    if (std::exchange(is_released_, true)) return;
    RemoveHold();
  }

  void read_done(bool ok) {
    if (is_closed_) return;
    if (!ok) return release();
    if (!is_checked_) {
      const auto peer = check_coordinator(context_);
      if (!peer) {
        reason_ = peer.error().message;
        context_.TryCancel();
        return release();
      }
      is_checked_ = true;
    }
    handlers_.received(incoming_);
    if (!is_closed_) read_next();
  }

  void read_next() {
    is_paused_ = outgoing_.size() > limits::kLinkQueueMax;
    if (!is_paused_ && !is_released_) StartRead(&incoming_);
  }

  void write_done(bool ok) {
    if (is_closed_) return;
    outgoing_.pop_front();
    if (!ok) {
      // Reading goes on: the end comes only after everything that was sent before it.
      cannot_write_ = true;
      outgoing_.clear();
    }
    if (is_released_) return;
    if (!outgoing_.empty()) StartWrite(&outgoing_.front());
    if (is_paused_) read_next();
  }

  void end(const grpc::Status& status) {
    if (is_closed_) return;
    handlers_.ended(reason_.empty() ? describe(status) : reason_);
  }

  boost::asio::io_context& io_;
  LinkHandlers handlers_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  v1::CoordinatorMessage incoming_;
  std::deque<v1::AgentMessage> outgoing_;  // the first is being written
  std::string reason_;                     // better than gRPC's own
  bool is_checked_ = false;                // the peer is a coordinator
  bool is_paused_ = false;                 // nothing is read because too much waits to be sent
  bool cannot_write_ = false;              // the stream is ending
  bool is_released_ = false;
  bool is_closed_ = false;  // nobody listens any more

  std::shared_ptr<Reactor> self_;
  std::shared_ptr<Latch> done_ = std::make_shared<Latch>();
};

LinkStream::LinkStream(boost::asio::io_context& io, const std::string& address,
                       const pki::TlsFiles& tls, LinkHandlers handlers)
    : reactor_(std::make_shared<Reactor>(io, std::move(handlers))) {
  reactor_->start(address, tls);
}

LinkStream::~LinkStream() {
  reactor_->close();
}

void LinkStream::send(v1::AgentMessage message) {
  reactor_->send(std::move(message));
}

std::size_t LinkStream::unsent() const {
  return reactor_->unsent();
}

}  // namespace firebreak::agent
