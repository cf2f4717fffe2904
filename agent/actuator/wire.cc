// Protobuf in, our own types out, every enum checked.
#include "agent/actuator/wire.h"

#include <array>
#include <limits>

#include <firebreak/v1/actuator.pb.h>
#include <firebreak/v1/actuator_journal.pb.h>

#include "agent/actuator/frame.h"
#include "common/limits.h"
#include "common/text.h"

namespace firebreak::actuator {
namespace {

namespace pb = firebreak::v1;

constexpr std::array<std::pair<State, pb::ActionState>, 6> kStates{{
    {State::started, pb::ACTION_STATE_STARTED},
    {State::succeeded, pb::ACTION_STATE_SUCCEEDED},
    {State::failed, pb::ACTION_STATE_FAILED},
    {State::timed_out, pb::ACTION_STATE_TIMED_OUT},
    {State::refused, pb::ACTION_STATE_REFUSED},
    {State::unknown, pb::ACTION_STATE_UNKNOWN},
}};

template <class Message>
bool parse(Message& message, std::string_view bytes) {
  return bytes.size() <= std::numeric_limits<int>::max() &&
         message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void to_proto(const Outcome& outcome, pb::ActionOutcome& out) {
  out.set_action_id(to_valid_utf8(outcome.id.str(), kRequestBytesMax));
  for (const auto& [state, wire] : kStates) {
    if (state == outcome.state) out.set_state(wire);
  }
  out.set_exit_code(outcome.exit_code);
  out.set_output(to_valid_utf8(outcome.output, limits::kActionOutputBytesMax));
  out.set_output_dropped_bytes(outcome.output_dropped_bytes);
  out.set_took_us(outcome.took.count());
  out.set_detail(to_valid_utf8(outcome.detail, limits::kTextBytesMax));
}

Result<Outcome> from_proto(const pb::ActionOutcome& in) {
  Outcome outcome;
  bool known = false;
  for (const auto& [state, wire] : kStates) {
    if (wire != in.state()) continue;
    outcome.state = state;
    known = true;
  }
  if (!known) return make_error(Errc::corrupt, "an outcome has no state that this version knows");
  outcome.id = ActionId(in.action_id());
  outcome.exit_code = in.exit_code();
  outcome.output = in.output();
  outcome.output_dropped_bytes = in.output_dropped_bytes();
  outcome.took = Duration{in.took_us()};
  outcome.detail = in.detail();
  return outcome;
}

// An intent without a name would be taken for a refusal, and its id be forgotten.
bool names_nothing(const pb::ActuatorRecord& record) {
  if (record.has_intent())
    return record.intent().action_id().empty() || record.intent().name().empty();
  if (record.has_ended()) return record.ended().action_id().empty();
  return record.record_case() == pb::ActuatorRecord::kAcknowledged && record.acknowledged().empty();
}

Order order_from(const pb::ActionOrder& in) {
  Order order;
  order.id = ActionId(in.action_id());
  order.name = in.name();
  order.parameters.insert(in.parameters().begin(), in.parameters().end());
  order.epoch = in.epoch();
  order.valid_for = Duration{in.valid_for_us()};
  order.incident = in.incident();
  order.reason = in.reason();
  return order;
}

}  // namespace

Result<Request> decode_request(std::string_view bytes) {
  pb::ActuatorRequest request;
  if (!parse(request, bytes)) {
    return make_error(Errc::invalid_argument, "a request is not an ActuatorRequest");
  }
  switch (request.request_case()) {
    case pb::ActuatorRequest::kOrder:
      return Request{order_from(request.order())};
    case pb::ActuatorRequest::kList:
      return Request{ListActions{}};
    case pb::ActuatorRequest::kAck:
      return Request{Acknowledged{ActionId(request.ack().action_id())}};
    case pb::ActuatorRequest::kOwed:
      return Request{Owed{request.owed().epoch()}};
    case pb::ActuatorRequest::REQUEST_NOT_SET:
      break;
  }
  return make_error(Errc::invalid_argument, "a request is of no kind that this version knows");
}

std::string encode_outcome_reply(const Outcome& outcome) {
  pb::ActuatorReply reply;
  to_proto(outcome, *reply.mutable_outcome());
  return framed(reply.SerializeAsString());
}

std::string encode_list_reply(const std::vector<std::string>& names, std::uint64_t epoch_seen) {
  pb::ActuatorReply reply;
  reply.mutable_actions()->set_epoch_seen(epoch_seen);
  for (const auto& name : names) reply.mutable_actions()->add_names(name);
  return framed(reply.SerializeAsString());
}

std::string encode_outcome(const Outcome& outcome) {
  pb::ActionOutcome message;
  to_proto(outcome, message);
  return message.SerializeAsString();
}

Result<Outcome> decode_outcome(std::string_view bytes) {
  pb::ActionOutcome message;
  if (!parse(message, bytes)) return make_error(Errc::corrupt, "these bytes are not an outcome");
  return from_proto(message);
}

std::string encode_record(const Record& record) {
  pb::ActuatorRecord message;
  message.set_at_unix_us(unix_us(record.at));
  if (const auto* intent = std::get_if<Intent>(&record.what)) {
    message.mutable_intent()->set_action_id(intent->id.str());
    message.mutable_intent()->set_name(intent->name);
    message.mutable_intent()->set_epoch(intent->epoch);
  } else if (const auto* ended = std::get_if<Ended>(&record.what)) {
    to_proto(ended->outcome, *message.mutable_ended());
  } else if (const auto* acknowledged = std::get_if<Acknowledged>(&record.what)) {
    message.set_acknowledged(acknowledged->id.str());
  } else {
    message.set_epoch_seen(std::get<EpochSeen>(record.what).epoch);
  }
  return message.SerializeAsString();
}

Result<Record> decode_record(std::string_view bytes) {
  pb::ActuatorRecord message;
  if (!parse(message, bytes)) return make_error(Errc::corrupt, "a record cannot be parsed");
  if (names_nothing(message))
    return make_error(Errc::corrupt, "a record does not say which action it is about");
  Record record;
  record.at = instant_from_unix_us(message.at_unix_us());
  switch (message.record_case()) {
    case pb::ActuatorRecord::kIntent: {
      const auto& intent = message.intent();
      record.what = Intent{ActionId(intent.action_id()), intent.name(), intent.epoch()};
      return record;
    }
    case pb::ActuatorRecord::kEnded: {
      auto outcome = from_proto(message.ended());
      if (!outcome) return outcome.error();
      record.what = Ended{*std::move(outcome)};
      return record;
    }
    case pb::ActuatorRecord::kAcknowledged:
      record.what = Acknowledged{ActionId(message.acknowledged())};
      return record;
    case pb::ActuatorRecord::kEpochSeen:
      record.what = EpochSeen{message.epoch_seen()};
      return record;
    case pb::ActuatorRecord::RECORD_NOT_SET:
      break;
  }
  return make_error(Errc::corrupt, "a record is of no kind that this version knows");
}

}  // namespace firebreak::actuator
