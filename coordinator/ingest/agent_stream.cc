// One agent's stream: see agent_stream.h. Start...() may be called with the lock held, because gRPC
// never calls On...() from within them.
#include "coordinator/ingest/agent_stream.h"

#include <utility>

#include "common/limits.h"

namespace firebreak::ingest {

AgentStream::AgentStream(AgentName agent, const Clock& clock, const StreamHandlers& handlers)
    : clock_(clock), handlers_(handlers), session_(std::move(agent)) {}

void AgentStream::start() {
  self_ = shared_from_this();
  const std::lock_guard lock(mutex_);
  read_if_allowed();
}

void AgentStream::write(const std::function<void(Outgoing&)>& change) {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return;
  change(outgoing_);
  write_if_allowed();
}

void AgentStream::push(v1::CoordinatorMessage message) {
  {
    const std::lock_guard lock(mutex_);
    if (has_ended_) return;
    if (outgoing_.push(std::move(message))) {
      write_if_allowed();
      return;
    }
  }
  end({grpc::StatusCode::RESOURCE_EXHAUSTED,
       "the agent does not read what it is sent; attach again"});
}

void AgentStream::end(const grpc::Status& status) {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(has_ended_, true)) return;
    Finish(status);
  }
  handlers_.ended(self, status);
}

void AgentStream::about_to_submit() {
  const std::lock_guard lock(mutex_);
  ++uncommitted_;
}

void AgentStream::submitted(bool has_room) {
  const std::lock_guard lock(mutex_);
  is_held_back_ = !has_room && uncommitted_ > 0;
}

void AgentStream::committed() {
  const std::lock_guard lock(mutex_);
  if (--uncommitted_ == 0) is_held_back_ = false;
  read_if_allowed();
}

void AgentStream::resume() {
  const std::lock_guard lock(mutex_);
  is_throttled_ = false;
  read_if_allowed();
}

bool AgentStream::expect_answer(const RequestId& request) {
  const std::lock_guard lock(mutex_);
  if (asked_.size() >= limits::kProbesPerAgentMax) return false;
  asked_.insert(request);
  return true;
}

bool AgentStream::take_answer(const RequestId& request) {
  const std::lock_guard lock(mutex_);
  return asked_.erase(request) > 0;
}

bool AgentStream::is_silent() const {
  const std::lock_guard lock(mutex_);
  return is_reading_ && clock_.steady() - reading_since_ > limits::kPeerSilenceMax;
}

void AgentStream::OnReadDone(bool ok) {
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    is_reading_ = false;
    if (has_ended_) return;
    is_handling_ = ok;
  }
  if (!ok) return end(grpc::Status::OK);
  const TokenBucket::Wait wait = handlers_.received(self, incoming_);
  const bool is_too_much = wait > TokenBucket::Wait::zero();
  {
    const std::lock_guard lock(mutex_);
    is_handling_ = false;
    is_throttled_ = is_too_much;
    read_if_allowed();
  }
  if (is_too_much) handlers_.throttled(self, wait);
}

void AgentStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    is_writing_ = false;
    if (ok) write_if_allowed();
  }
  if (!ok) end({grpc::StatusCode::CANCELLED, "the agent is gone"});
}

void AgentStream::OnCancel() {
  end({grpc::StatusCode::CANCELLED, "the agent is gone"});
}

void AgentStream::OnDone() {
  const auto last = std::move(self_);  // which may delete this
}

void AgentStream::read_if_allowed() {
  if (has_ended_ || is_reading_ || is_handling_ || is_held_back_ || is_throttled_ ||
      uncommitted_ >= limits::kBatchesInFlightMax)
    return;
  is_reading_ = true;
  reading_since_ = clock_.steady();
  StartRead(&incoming_);
}

void AgentStream::write_if_allowed() {
  if (has_ended_ || is_writing_) return;
  auto next = outgoing_.next();
  if (!next) return;
  writing_ = std::move(*next);
  is_writing_ = true;
  StartWrite(&writing_);
}

}  // namespace firebreak::ingest
