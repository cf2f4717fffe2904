// Connecting, heartbeats, silence, draining and stopping.
#include "agent/uplink_fsm.h"

#include <algorithm>

#include "common/broken.h"

namespace firebreak::agent {

UplinkFsm::UplinkFsm(UplinkOptions options, const Outbox& outbox, Rng rng)
    : options_(options),
      outbox_(outbox),
      rng_(rng),
      backoff_(options.backoff_first, options.backoff_longest) {}

bool UplinkFsm::is_attached() const {
  return state_ == State::streaming || state_ == State::draining || state_ == State::stopping;
}

bool UplinkFsm::has_stream() const {
  return state_ == State::attaching || is_attached();
}

std::vector<link::Action> UplinkFsm::resume(const link::Event& event, Instant now) {
  Actions actions;
  std::visit([&](const auto& what) { on(what, now, actions); }, event);
  if (is_attached()) stream(now, actions);
  return actions;
}

void UplinkFsm::on(const link::Started&, Instant now, Actions& actions) {
  if (state_ != State::idle) return;
  state_ = State::waiting;
  reconnect_at_ = now;
  on(link::Woken{}, now, actions);
}

void UplinkFsm::on(const link::Welcomed& event, Instant now, Actions& actions) {
  if (state_ != State::attaching) {
    return give_up("the coordinator said welcome twice", now, actions);
  }
  if (event.epoch < options_.epoch_seen && !is_broken(Break::epoch)) {
    return give_up("this coordinator leads with epoch " + std::to_string(event.epoch) +
                       ", but this host has already obeyed epoch " +
                       std::to_string(options_.epoch_seen) +
                       ": it has been replaced, or its store was restored from a backup",
                   now, actions);
  }
  if (event.epoch > options_.epoch_seen) {
    options_.epoch_seen = event.epoch;
    actions.emplace_back(link::RememberEpoch{event.epoch});
  }
  state_ = State::streaming;
  attached_at_ = heard_at_ = now;
  heartbeat_at_ = now + limits::kHeartbeatInterval;
  actions.emplace_back(link::Attached{});
}

void UplinkFsm::on(const link::Received&, Instant now, Actions& actions) {
  if (state_ == State::attaching) {
    return give_up("the coordinator did not say welcome first", now, actions);
  }
  heard_at_ = now;
}

void UplinkFsm::on(const link::Broken& event, Instant now, Actions& actions) {
  if (has_stream()) give_up(event.reason, now, actions);
}

void UplinkFsm::on(const link::DrainAsked& event, Instant now, Actions& actions) {
  heard_at_ = now;
  const Duration after =
      std::clamp(event.reconnect_after, Duration::zero(), options_.reconnect_after_max);
  if (state_ == State::attaching) {
    actions.emplace_back(link::Close{"the coordinator asked to attach later"});
    // Its turn is jittered already; only one that asks for no wait is met with our own.
    if (after >= options_.backoff_first) backoff_.reset();
    return wait(after, now);
  }
  if (state_ != State::streaming) return;
  state_ = State::draining;
  reconnect_after_ = after;
  finish_by_ = now + options_.drain_within;
}

void UplinkFsm::on(const link::StopAsked&, Instant now, Actions& actions) {
  if (state_ == State::stopping || state_ == State::stopped) return;
  if (is_attached()) {
    state_ = State::stopping;
    finish_by_ = now + options_.stop_within;
    return;
  }
  if (has_stream()) actions.emplace_back(link::Close{"the agent is stopping"});
  state_ = State::stopped;
  actions.emplace_back(link::Stopped{});
}

void UplinkFsm::on(const link::Woken&, Instant now, Actions& actions) {
  if (state_ == State::waiting && now >= reconnect_at_) {
    state_ = State::attaching;
    heard_at_ = now;
    actions.emplace_back(link::Open{coordinator_});
  } else if (state_ == State::attaching && now >= heard_at_ + limits::kPeerSilenceMax) {
    give_up("no answer within " + format_duration(limits::kPeerSilenceMax), now, actions);
  }
}

void UplinkFsm::give_up(std::string reason, Instant now, Actions& actions) {
  if (has_stream()) actions.emplace_back(link::Close{std::move(reason)});
  if (state_ == State::stopping) {
    state_ = State::stopped;
    actions.emplace_back(link::Stopped{});
    return;
  }
  if (is_attached() && now - attached_at_ >= options_.steady_after) backoff_.reset();
  wait(state_ == State::draining ? reconnect_after_ : Duration::zero(), now);
}

void UplinkFsm::wait(Duration at_least, Instant now) {
  state_ = State::waiting;
  coordinator_ = (coordinator_ + 1) % std::max<std::size_t>(options_.coordinators, 1);
  reconnect_at_ = now + at_least + backoff_.next(rng_);
}

void UplinkFsm::stream(Instant now, Actions& actions) {
  if (now >= heard_at_ + limits::kPeerSilenceMax) {
    return give_up("nothing was heard for " + format_duration(limits::kPeerSilenceMax), now,
                   actions);
  }
  const bool is_finished = state_ == State::draining   ? outbox_.batches_in_flight() == 0
                           : state_ == State::stopping ? outbox_.is_empty()
                                                       : false;
  if (is_finished || (state_ != State::streaming && now >= finish_by_)) {
    return give_up(state_ == State::draining ? "the coordinator asked to reconnect later"
                                             : "the agent is stopping",
                   now, actions);
  }
  const auto due = outbox_.flush_due();
  const bool sends = state_ == State::stopping    ? outbox_.can_send()
                     : state_ == State::streaming ? due && *due <= now
                                                  : false;
  if (sends) actions.emplace_back(link::SendResults{});
  if (now >= heartbeat_at_) {
    heartbeat_at_ = now + limits::kHeartbeatInterval;
    actions.emplace_back(link::SendHeartbeat{});
  }
}

Instant UplinkFsm::next_wake() const {
  switch (state_) {
    case State::idle:
    case State::stopped:
      return Instant::max();
    case State::waiting:
      return reconnect_at_;
    case State::attaching:
      return heard_at_ + limits::kPeerSilenceMax;
    case State::streaming:
    case State::draining:
    case State::stopping:
      break;
  }
  Instant wake = std::min<Instant>(heartbeat_at_, heard_at_ + limits::kPeerSilenceMax);
  if (state_ != State::streaming) return std::min(wake, finish_by_);
  if (const auto due = outbox_.flush_due()) wake = std::min(wake, *due);
  return wake;
}

}  // namespace firebreak::agent
