// Frames on a Unix socket, a few orders in memory, and a back-off.
#include "agent/actuator_client.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <utility>

#include <firebreak/v1/actuator.pb.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "agent/actuator/frame.h"
#include "common/backoff.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/time.h"

namespace firebreak::agent {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr Duration kRetryFirst = 200ms;
constexpr Duration kRetryLongest = 10s;  // a local connect() is cheap

}  // namespace

v1::ActionOutcome refusal_of(const v1::ActionOrder& order, std::string reason) {
  v1::ActionOutcome outcome;
  outcome.set_action_id(order.action_id());
  outcome.set_state(v1::ACTION_STATE_REFUSED);
  outcome.set_detail(std::move(reason));
  return outcome;
}

class ActuatorClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, Rng rng, std::string path,
       HandedOver handed_over, ActuatorHandlers handlers)
      : clock_(clock),
        rng_(rng),
        path_(std::move(path)),
        handed_over_(std::move(handed_over)),
        handlers_(std::move(handlers)),
        socket_(io),
        timer_(io) {}

  void start() {
    boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->connect(); });
  }

  void stop() {
    is_stopped_ = true;
    timer_.cancel();
    close_socket();
  }

  void order(const v1::ActionOrder& order) {
    const ActionId id(order.action_id());
    const bool is_new = !handed_over_.contains(id);
    if (is_new && nobody_listens_) return handlers_.outcome(refusal_of(order, no_actuator()));
    const auto known = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) {
      return waiting.order.action_id() == order.action_id();
    });
    if (known != waiting_.end()) {
      *known = {order, clock_.steady()};
    } else if (waiting_.size() < limits::kOrdersHeldMax) {
      waiting_.push_back({order, clock_.steady()});
    } else if (is_new) {
      return handlers_.outcome(refusal_of(order, std::to_string(waiting_.size()) +
                                                     " orders wait for the actuator's answer; see "
                                                     "systemctl status firebreak-actuator"));
    }
    if (is_connected_) hand_over({order, clock_.steady()});
  }

  void acknowledge(const ActionId& action) {
    v1::ActuatorRequest request;
    request.mutable_ack()->set_action_id(action.str());
    if (is_connected_) send(request);
  }

  void refresh(std::uint64_t epoch) {
    epoch_ = std::max(epoch_, epoch);
    std::erase_if(waiting_, [this](const Waiting& one) { return one.order.epoch() < epoch_; });
    if (!is_connected_) return;
    v1::ActuatorRequest list;
    list.mutable_list();
    send(list);
    v1::ActuatorRequest owed;
    owed.mutable_owed()->set_epoch(epoch_);
    send(owed);
  }

 private:
  struct Waiting {
    v1::ActionOrder order;
    std::chrono::steady_clock::time_point received;
  };

  [[nodiscard]] std::string no_actuator() const {
    return "nobody listens at " + path_ +
           "; to allow actions on this host: systemctl enable --now firebreak-actuator.socket";
  }

  void hand_over(const Waiting& waiting) {
    v1::ActuatorRequest request;
    *request.mutable_order() = waiting.order;
    const auto waited =
        std::chrono::duration_cast<Duration>(clock_.steady() - waiting.received).count();
    request.mutable_order()->set_valid_for_us(
        std::max<std::int64_t>(waiting.order.valid_for_us() - waited, 0));
    if (const auto added = handed_over_.add(ActionId(waiting.order.action_id())); !added)
      log::error("after a restart, the agent will not know that it handed this order over",
                 {{"id", waiting.order.action_id()}, {"error", added.error().message}});
    send(request);
  }

  void connect() {
    if (is_stopped_) return;
    socket_.async_connect(boost::asio::local::stream_protocol::endpoint(path_),
                          [self = shared_from_this()](const error_code& failure) {
                            if (self->is_stopped_) return;
                            if (failure) return self->not_connected(failure);
                            self->connected();
                          });
  }

  void connected() {
    is_connected_ = true;
    nobody_listens_ = false;
    refresh(epoch_);
    for (const Waiting& waiting : waiting_) hand_over(waiting);
    if (is_connected_) read_header();
  }

  void not_connected(const error_code& failure) {
    // With socket activation systemd listens while the actuator restarts, so this is a host without
    // one.
    const bool is_absent = failure == boost::asio::error::connection_refused ||
                           failure == boost::system::errc::no_such_file_or_directory;
    tell_trouble(failure.message());
    close_socket();
    if (is_absent) absent();
    retry();
  }

  void absent() {
    nobody_listens_ = true;
    const std::deque<Waiting> waiting = std::exchange(waiting_, {});
    for (const Waiting& one : waiting) {
      if (!handed_over_.contains(ActionId(one.order.action_id())))
        handlers_.outcome(refusal_of(one.order, no_actuator()));
    }
    handlers_.actions({});
  }

  void broken(const std::string& reason) {
    if (!is_connected_) return;
    tell_trouble(reason);
    close_socket();
    retry();
  }

  // Once per trouble: most hosts never have an actuator.
  void tell_trouble(const std::string& reason) {
    if (reason == told_) return;
    told_ = reason;
    log::warning("no connection to the actuator", {{"socket", path_}, {"error", reason}});
  }

  void close_socket() {
    error_code ignored;
    socket_.close(ignored);
    is_connected_ = false;
    ++connection_;
    outgoing_.clear();
  }

  void retry() {
    if (is_stopped_) return;
    timer_.expires_after(backoff_.next(rng_));
    timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (!cancelled) self->connect();
    });
  }

  void send(const v1::ActuatorRequest& request) {
    if (!is_connected_) return;
    if (outgoing_.size() >= kQueueMax) return broken("it does not read what it is sent");
    outgoing_.push_back(
        std::make_shared<const std::string>(actuator::framed(request.SerializeAsString())));
    if (outgoing_.size() == 1) write_next();
  }

  void write_next() {
    const auto bytes = outgoing_.front();
    boost::asio::async_write(socket_, boost::asio::buffer(*bytes),
                             [self = shared_from_this(), bytes, connection = connection_](
                                 const error_code& failure, std::size_t) {
                               if (connection != self->connection_) return;
                               if (failure) return self->broken(failure.message());
                               self->outgoing_.pop_front();
                               if (!self->outgoing_.empty()) self->write_next();
                             });
  }

  void read_header() {
    boost::asio::async_read(socket_, boost::asio::buffer(header_),
                            [self = shared_from_this(), connection = connection_](
                                const error_code& failure, std::size_t) {
                              if (connection != self->connection_) return;
                              if (failure) return self->broken(failure.message());
                              self->read_body();
                            });
  }

  void read_body() {
    const std::uint32_t length = actuator::frame_length({header_.data(), header_.size()});
    if (length > limits::kActuatorMessageBytesMax) {
      return broken("it sent a message of " + std::to_string(length) + " bytes; at most " +
                    std::to_string(limits::kActuatorMessageBytesMax) + " are accepted");
    }
    body_.resize(length);
    boost::asio::async_read(socket_, boost::asio::buffer(body_),
                            [self = shared_from_this(), connection = connection_](
                                const error_code& failure, std::size_t) {
                              if (connection != self->connection_) return;
                              if (failure) return self->broken(failure.message());
                              self->received();
                            });
  }

  void received() {
    v1::ActuatorReply reply;
    if (!reply.ParseFromString(body_)) return broken("it sent what is not an ActuatorReply");
    const auto connection = connection_;
    backoff_.reset();
    told_.clear();
    if (reply.has_outcome()) {
      std::erase_if(waiting_, [&](const Waiting& waiting) {
        return waiting.order.action_id() == reply.outcome().action_id();
      });
      handlers_.outcome(reply.outcome());
    } else if (reply.has_actions()) {
      handlers_.actions({reply.actions().names().begin(), reply.actions().names().end()});
    }
    if (connection == connection_ && !is_stopped_) read_header();
  }

  static constexpr std::size_t kQueueMax = limits::kOrdersHeldMax + limits::kLinkQueueMax;

  const Clock& clock_;
  Rng rng_;
  std::string path_;
  HandedOver handed_over_;  // answered or not
  ActuatorHandlers handlers_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  Backoff backoff_{kRetryFirst, kRetryLongest};
  std::array<char, actuator::kFrameHeaderBytes> header_{};
  std::string body_;
  std::deque<std::shared_ptr<const std::string>> outgoing_;  // the first is being written
  std::deque<Waiting> waiting_;   // orders that the actuator has not answered
  std::uint64_t epoch_ = 0;       // of the latest coordinator that this host obeys
  std::uint64_t connection_ = 0;  // tells apart what belongs to a connection that is gone
  std::string told_;
  bool is_connected_ = false;
  bool nobody_listens_ = false;
  bool is_stopped_ = false;
};

ActuatorClient::ActuatorClient(boost::asio::io_context& io, const Clock& clock, Rng rng,
                               std::string path, HandedOver handed_over, ActuatorHandlers handlers)
    : impl_(std::make_shared<Impl>(io, clock, rng, std::move(path), std::move(handed_over),
                                   std::move(handlers))) {
  impl_->start();
}

ActuatorClient::~ActuatorClient() {
  impl_->stop();
}

void ActuatorClient::order(const v1::ActionOrder& order) {
  impl_->order(order);
}

void ActuatorClient::acknowledge(const ActionId& action) {
  impl_->acknowledge(action);
}

void ActuatorClient::refresh(std::uint64_t epoch) {
  impl_->refresh(epoch);
}

}  // namespace firebreak::agent
