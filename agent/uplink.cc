// Carries out what UplinkFsm decides, and reads what the coordinator says.
#include "agent/uplink.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <firebreak/v1/agent.pb.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/link_stream.h"
#include "agent/state/epoch_file.h"
#include "agent/time_line.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/wire.h"

namespace firebreak::agent {
namespace {

constexpr std::uint32_t kProtocol = 1;

UplinkOptions with_coordinators(const UplinkSettings& settings) {
  UplinkOptions options = settings.options;
  options.coordinators = settings.coordinators.size();
  return options;
}

}  // namespace

class Uplink::Impl {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, Rng rng, UplinkSettings settings,
       UplinkHandlers handlers)
      : io_(io),
        clock_(clock),
        settings_(std::move(settings)),
        handlers_(std::move(handlers)),
        outbox_({}, settings_.spool.start),
        incarnation_(settings_.spool.start.incarnation),
        fsm_(with_coordinators(settings_), outbox_, rng),
        timer_(io),
        spool_(io, clock, std::move(settings_.spool),
               [this](SpoolDone done) { spooled(std::move(done)); }) {}

  void resume(const link::Event& event) {
    has_sent_ = false;
    perform(fsm_.resume(event, now()));
    while (std::exchange(has_sent_, false)) perform(fsm_.resume(link::Woken{}, now()));
    if (const auto due = outbox_.work_due(); due && *due <= now())
      spool_.begin(outbox_.take_work());
    set_timer();
  }

  void set_actions(std::vector<std::string> names) {
    if (names == actions_) return;
    actions_ = std::move(names);
    resume(link::Broken{"the actions that this host allows have changed"});
  }

  void push(QueuedResult result) {
    const auto pushed = outbox_.push(std::move(result), now());
    if (!pushed && !std::exchange(has_told_drops_, true))
      log::error("results are dropped", {{"error", pushed.error().message}});
    resume(link::Woken{});
  }

  void send(v1::AgentMessage message) {
    if (fsm_.is_attached()) stream_->send(std::move(message));
  }

  [[nodiscard]] bool is_attached() const { return fsm_.is_attached(); }
  [[nodiscard]] std::optional<std::pair<std::size_t, Instant>> heard() const {
    if (!fsm_.is_attached()) return std::nullopt;
    return std::pair(fsm_.coordinator(), fsm_.heard_at());
  }
  [[nodiscard]] std::uint64_t epoch() const { return fsm_.epoch_seen(); }
  [[nodiscard]] const Outbox& outbox() const { return outbox_; }
  [[nodiscard]] std::uint64_t dropped() const { return outbox_.dropped() + counts_.dropped; }

  [[nodiscard]] std::string describe() const {
    const std::string& address = settings_.coordinators[fsm_.coordinator()];
    if (fsm_.is_attached()) return "attached to " + address;
    if (trouble_.empty()) return "connecting to " + address;
    return "no coordinator: " + escape_line(trouble_, 200);
  }

 private:
  [[nodiscard]] Instant now() const { return time_line(clock_); }

  void set_timer() {
    const Instant wake = std::min(fsm_.next_wake(), outbox_.work_due().value_or(Instant::max()));
    if (wake == timer_at_) return;
    timer_at_ = wake;
    timer_.cancel();
    if (wake == Instant::max()) return;
    timer_.expires_after(std::max<Duration>(wake - now(), Duration::zero()));
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      timer_at_.reset();
      resume(link::Woken{});
    });
  }

  void perform(const std::vector<link::Action>& actions) {
    for (const link::Action& action : actions) {
      std::visit([this](const auto& what) { on(what); }, action);
    }
  }

  void on(const link::Open& open) {
    outbox_.restart_stream();
    LinkHandlers handlers;
    handlers.received = [this](const v1::CoordinatorMessage& message) { received(message); };
    handlers.ended = [this](std::string reason) { resume(link::Broken{std::move(reason)}); };
    stream_.emplace(io_, settings_.coordinators[open.coordinator], settings_.tls,
                    std::move(handlers));
    stream_->send(hello());
  }

  void on(const link::RememberEpoch& remember) {
    const auto written = write_epoch(settings_.state, remember.epoch);
    if (!written)
      log::error("the coordinator's epoch is forgotten at the next restart",
                 {{"epoch", remember.epoch}, {"error", written.error().message}});
  }

  void on(const link::Attached&) {
    trouble_.clear();
    log::info("attached", {{"coordinator", settings_.coordinators[fsm_.coordinator()]},
                           {"epoch", fsm_.epoch_seen()}});
    // Only now: a coordinator that is refused has committed nothing that counts.
    if (const auto acked = outbox_.ack(welcome_acked_, now()); !acked) {
      protocol_error_ = acked.error().message;
      log::error(
          "the coordinator knows results that this host does not: its state folder is a copy of an "
          "older one; what was kept is dropped, and counting begins anew",
          {{"state", settings_.state}, {"acknowledged", welcome_acked_}});
      outbox_.start_over();
      return;
    }
    handlers_.attached();
  }

  void on(const link::SendResults&) {
    // An ack in the welcome may have left nothing to send.
    if (!stream_ || !protocol_error_.empty() || !outbox_.can_send()) return;
    v1::AgentMessage message;
    *message.mutable_results() = wire::to_proto(outbox_.take_batch(now()));
    stream_->send(std::move(message));
    has_sent_ = true;
  }

  void on(const link::SendHeartbeat&) {
    if (!stream_ || stream_->unsent() > 0) return;  // what waits there says as much
    v1::AgentMessage message;
    message.mutable_heartbeat()->set_monotonic_us(unix_us(now()));
    stream_->send(std::move(message));
  }

  void on(const link::Close& close) {
    stream_.reset();
    outbox_.end_stream();
    trouble_ = close.reason;
    const bool is_wanted = fsm_.state() == UplinkFsm::State::stopped;
    log::write(is_wanted ? log::Level::info : log::Level::warning, "link closed",
               {{"reason", close.reason}});
  }

  void on(const link::Stopped&) {
    stream_.reset();
    outbox_.end_stream();
    outbox_.hurry();
    is_ending_ = true;
    if (!outbox_.has_work_under_way() && outbox_.pending() == 0) handlers_.stopped();
  }

  void spooled(SpoolDone done) {
    counts_ = done.counts;
    const bool is_written = done.is_written;
    const bool is_renamed = std::exchange(incarnation_, done.incarnation) != done.incarnation;
    outbox_.work_done(std::move(done), now());
    if (is_renamed) resume(link::Broken{"this agent counts its results anew"});
    // A disk that refuses does not keep the agent from stopping.
    if (is_ending_ && (outbox_.pending() == 0 || !is_written)) return handlers_.stopped();
    resume(link::Woken{});
  }

  [[nodiscard]] v1::AgentMessage hello() const {
    v1::AgentMessage message;
    v1::Hello& hello = *message.mutable_hello();
    hello.set_incarnation(incarnation_);
    hello.set_version(settings_.version);
    hello.set_protocol(kProtocol);
    hello.mutable_labels()->insert(settings_.labels.begin(), settings_.labels.end());
    hello.set_wall_unix_us(clock_.wall().time_since_epoch().count());
    hello.set_monotonic_us(unix_us(now()));
    hello.set_first_unacked_seq(outbox_.first_unacked_seq());
    for (const std::string& name : actions_) hello.add_actions(name);
    hello.set_epoch_seen(fsm_.epoch_seen());
    return message;
  }

  void received(const v1::CoordinatorMessage& message) {
    switch (message.message_case()) {
      case v1::CoordinatorMessage::kWelcome:
        return welcome(message.welcome());
      case v1::CoordinatorMessage::kAck:
        return acked(message.ack());
      case v1::CoordinatorMessage::kDrain:
        log::info("the coordinator asks to reconnect later",
                  {{"reason", message.drain().reason()}});
        return resume(link::DrainAsked{Duration{message.drain().reconnect_after_us()}});
      default:
        break;
    }
    resume(link::Received{});
    const bool is_open =
        fsm_.state() == UplinkFsm::State::streaming || fsm_.state() == UplinkFsm::State::draining;
    if (is_open) hand_on(message);
  }

  void hand_on(const v1::CoordinatorMessage& message) {
    switch (message.message_case()) {
      case v1::CoordinatorMessage::kAssignment:
        return handlers_.assignment(message.assignment());
      case v1::CoordinatorMessage::kProbeNow:
        return handlers_.probe_now(message.probe_now());
      case v1::CoordinatorMessage::kActionOrder:
        return handlers_.order(message.action_order());
      case v1::CoordinatorMessage::kOutcomeAck:
        return handlers_.outcome_acknowledged(ActionId(message.outcome_ack().action_id()));
      default:
        return;  // a heartbeat, or what a newer coordinator has to say
    }
  }

  void welcome(const v1::Welcome& welcome) {
    if (welcome.protocol() != kProtocol) {
      return resume(link::Broken{"the coordinator speaks protocol " +
                                 std::to_string(welcome.protocol()) + ", this agent " +
                                 std::to_string(kProtocol) + "; update the older one"});
    }
    welcome_acked_ = welcome.acked_seq();
    resume(link::Welcomed{welcome.epoch()});
    end_after_protocol_error();
  }

  void acked(const v1::Ack& ack) {
    if (fsm_.is_attached()) {
      const auto acked = outbox_.ack(ack.seq(), now());
      if (!acked) return resume(link::Broken{acked.error().message});
    }
    resume(link::Received{});
  }

  void end_after_protocol_error() {
    if (protocol_error_.empty()) return;
    resume(link::Broken{std::exchange(protocol_error_, {})});
  }

  boost::asio::io_context& io_;
  const Clock& clock_;
  UplinkSettings settings_;
  UplinkHandlers handlers_;
  Outbox outbox_;
  std::uint64_t incarnation_ = 0;
  UplinkFsm fsm_;
  std::optional<LinkStream> stream_;
  boost::asio::steady_timer timer_;
  std::optional<Instant> timer_at_;
  std::vector<std::string> actions_;
  std::uint64_t welcome_acked_ = 0;
  std::string protocol_error_;  // found while carrying out actions
  std::string trouble_;         // why there is no link
  bool has_sent_ = false;       // since the machine was last asked
  bool has_told_drops_ = false;
  bool is_ending_ = false;  // stopped, but for what is to be written
  spool::LogCounts counts_;
  SpoolThread spool_;  // last: it ends first, and what it has to say then goes nowhere
};

Uplink::Uplink(boost::asio::io_context& io, const Clock& clock, Rng rng, UplinkSettings settings,
               UplinkHandlers handlers)
    : impl_(std::make_unique<Impl>(io, clock, rng, std::move(settings), std::move(handlers))) {}

Uplink::~Uplink() = default;

void Uplink::start() {
  impl_->resume(link::Started{});
}

void Uplink::stop() {
  impl_->resume(link::StopAsked{});
}

void Uplink::set_actions(std::vector<std::string> names) {
  impl_->set_actions(std::move(names));
}

void Uplink::push(QueuedResult result) {
  impl_->push(std::move(result));
}

void Uplink::send_probe_now_result(const RequestId& request, const Observation& observation) {
  v1::AgentMessage message;
  message.mutable_probe_now_result()->set_request_id(request.str());
  *message.mutable_probe_now_result()->mutable_observation() = wire::to_proto(observation);
  impl_->send(std::move(message));
}

void Uplink::send_outcome(const v1::ActionOutcome& outcome) {
  v1::AgentMessage message;
  *message.mutable_action_outcome() = outcome;
  impl_->send(std::move(message));
}

bool Uplink::is_attached() const {
  return impl_->is_attached();
}

std::optional<std::pair<std::size_t, Instant>> Uplink::heard() const {
  return impl_->heard();
}

std::uint64_t Uplink::epoch() const {
  return impl_->epoch();
}

const Outbox& Uplink::outbox() const {
  return impl_->outbox();
}

std::uint64_t Uplink::dropped() const {
  return impl_->dropped();
}

std::string Uplink::describe() const {
  return impl_->describe();
}

}  // namespace firebreak::agent
