// The order in which an agent hears things.
#include "coordinator/ingest/outgoing.h"

namespace firebreak::ingest {

std::optional<v1::CoordinatorMessage> Outgoing::next() {
  v1::CoordinatorMessage message;
  if (welcome_) {
    is_welcomed_ = true;
    *message.mutable_welcome() = std::move(*welcome_);
    welcome_.reset();
  } else if (!is_welcomed_) {
    return std::nullopt;
  } else if (assignment_) {
    *message.mutable_assignment() = std::move(*assignment_);
    assignment_.reset();
  } else if (!rest_.empty()) {
    message = std::move(rest_.front());
    rest_.pop_front();
  } else if (ack_) {
    message.mutable_ack()->set_seq(*ack_);
    ack_.reset();
  } else if (std::exchange(heartbeat_, false)) {
    message.mutable_heartbeat();
  } else {
    return std::nullopt;
  }
  return message;
}

}  // namespace firebreak::ingest
