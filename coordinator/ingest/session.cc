// Messages of an agent -> events.
#include "coordinator/ingest/session.h"

#include <algorithm>
#include <string>
#include <utility>

#include <firebreak/v1/agent.pb.h>

#include "common/limits.h"
#include "common/text.h"
#include "proto/checker.h"

namespace firebreak::ingest {
namespace {

constexpr std::int64_t kMonotonicMaxUs = std::int64_t{1} << 61;  // as of a batch (proto/wire.cc)

template <class T>
Result<std::optional<core::Event>> as_event(Result<T> taken) {
  if (!taken) return taken.error();
  return std::optional<core::Event>(std::move(*taken));
}

std::optional<core::ActionState> known(v1::ActionState state) {
  switch (static_cast<int>(state)) {
    case v1::ACTION_STATE_STARTED:
      return core::ActionState::started;
    case v1::ACTION_STATE_SUCCEEDED:
      return core::ActionState::succeeded;
    case v1::ACTION_STATE_FAILED:
      return core::ActionState::failed;
    case v1::ACTION_STATE_TIMED_OUT:
      return core::ActionState::timed_out;
    case v1::ACTION_STATE_REFUSED:
      return core::ActionState::refused;
    case v1::ACTION_STATE_UNKNOWN:
      return core::ActionState::unknown;
    default:
      return std::nullopt;
  }
}

bool check_labels(wire::Checker& check, const v1::Hello& hello) {
  if (!check.count(hello.labels().size(), limits::kLabelsMax, "Hello.labels")) return false;
  for (const auto& [label, value] : hello.labels())
    if (!check.require(!label.empty(), "Hello.labels", "holds a label without a name") ||
        !check.line(label, limits::kLabelBytesMax, "Hello.labels") ||
        !check.line(value, limits::kLabelBytesMax, "Hello.labels"))
      return false;
  return true;
}

bool check_actions(wire::Checker& check, const v1::Hello& hello) {
  const auto count = static_cast<std::size_t>(hello.actions_size());
  if (!check.count(count, limits::kActionsPerHostMax, "Hello.actions")) return false;
  for (const std::string& action : hello.actions())
    if (!check.name(action, "Hello.actions")) return false;
  return true;
}

Result<core::ProbeNowFinished> probe_now(const AgentName& agent,
                                         const v1::ProbeNowResult& message) {
  wire::Checker check;
  if (!check.require(!message.request_id().empty(), "ProbeNowResult.request_id", "is empty") ||
      !check.line(message.request_id(), limits::kActionIdBytesMax, "ProbeNowResult.request_id"))
    return check.error();
  auto observation = wire::from_proto(message.observation());
  if (!observation) return observation.error();
  return core::ProbeNowFinished{agent, RequestId(message.request_id()), std::move(*observation)};
}

}  // namespace

Result<std::optional<core::Event>> Session::take(const v1::AgentMessage& message, Instant received,
                                                 WallTime wall) {
  if (!has_begun()) {
    if (!message.has_hello())
      return make_error(Errc::invalid_argument, "the first message of a stream must be a Hello");
    return as_event(begin(message.hello(), received, wall));
  }
  switch (message.message_case()) {
    case v1::AgentMessage::kResults:
      return as_event(results(message.results(), received));
    case v1::AgentMessage::kProbeNowResult:
      return as_event(probe_now(agent_, message.probe_now_result()));
    case v1::AgentMessage::kActionOutcome:
      return as_event(outcome(message.action_outcome()));
    case v1::AgentMessage::kHeartbeat:
      note_clock(message.heartbeat().monotonic_us(), received);
      return std::optional<core::Event>();
    case v1::AgentMessage::kHello:
      return make_error(Errc::invalid_argument, "a stream has only one Hello, the first message");
    case v1::AgentMessage::MESSAGE_NOT_SET:
      break;
  }
  return make_error(Errc::invalid_argument,
                    "a message without content, or of a kind that this version does not know");
}

Result<core::AgentAttached> Session::begin(const v1::Hello& hello, Instant received,
                                           WallTime wall) {
  if (hello.protocol() != kProtocol)
    return make_error(Errc::failed_precondition,
                      "the agent speaks protocol " + std::to_string(hello.protocol()) +
                          ", this coordinator speaks " + std::to_string(kProtocol) +
                          "; install matching versions of both");
  wire::Checker check;
  check.require(hello.incarnation() != 0, "Hello.incarnation", "is 0");
  check.line(hello.version(), limits::kLabelBytesMax, "Hello.version");
  check_labels(check, hello);
  check_actions(check, hello);
  if (check.failed()) return check.error();
  incarnation_ = hello.incarnation();
  epoch_seen_ = hello.epoch_seen();
  note_clock(hello.monotonic_us(), received);
  core::AgentAttached event;
  event.agent = agent_;
  event.incarnation = incarnation_;
  event.version = hello.version();
  for (const auto& [label, value] : hello.labels()) event.labels.emplace(label, value);
  // Unsigned, so that a clock that is far out wraps instead of overflowing.
  const auto theirs = static_cast<std::uint64_t>(hello.wall_unix_us());
  const auto ours = static_cast<std::uint64_t>(wall.time_since_epoch().count());
  event.clock_skew = Duration{static_cast<std::int64_t>(theirs - ours)};
  event.actions.assign(hello.actions().begin(), hello.actions().end());
  return event;
}

void Session::note_clock(std::int64_t monotonic_us, Instant received) {
  if (monotonic_us > 0 && monotonic_us < kMonotonicMaxUs)
    clock_.heard(Duration{monotonic_us}, received);
}

Result<core::ResultsReceived> Session::results(const v1::ResultBatch& message, Instant received) {
  auto batch = wire::from_proto(message);
  if (!batch) return batch.error();
  if (const auto applied = series_.apply(*batch); !applied) return applied.error();
  core::ResultsReceived event;
  event.agent = agent_;
  event.incarnation = incarnation_;
  event.first_seq = batch->first_seq;
  event.dropped_before = batch->dropped_before;
  // An acknowledgement covers all numbers below it, so none may be missing unsaid.
  if (next_seq_ != 0 && event.first_seq > next_seq_ &&
      event.first_seq - next_seq_ > event.dropped_before)
    return make_error(Errc::invalid_argument,
                      "results " + std::to_string(next_seq_) + " to " +
                          std::to_string(event.first_seq - 1) +
                          " are missing in the stream, and the agent says that it dropped " +
                          std::to_string(event.dropped_before));
  next_seq_ = std::max(next_seq_, event.first_seq + batch->results.size());
  for (wire::SeriesDefinition& series : batch->series)
    event.series.push_back({series.ref, std::move(series.key)});
  event.rows.reserve(batch->results.size());
  clock_.heard(batch->sent, received);
  for (wire::BatchedResult& result : batch->results)
    event.rows.push_back({result.ref, clock_.place(result.started), result.confirmed,
                          std::move(result.observation)});
  return event;
}

Result<core::ActionReported> Session::outcome(const v1::ActionOutcome& message) const {
  wire::Checker check;
  const auto state = known(message.state());
  check.require(!message.action_id().empty(), "ActionOutcome.action_id", "is empty");
  check.line(message.action_id(), limits::kActionIdBytesMax, "ActionOutcome.action_id");
  check.require(state.has_value(), "ActionOutcome.state", "is not a state of an outcome");
  check.duration(message.took_us(), Duration::zero(), limits::kLatencyMax, "ActionOutcome.took_us");
  if (check.failed()) return check.error();
  core::ActionReported event;
  event.action = ActionId(message.action_id());
  event.reporter = "agent:" + agent_.str();
  event.state = *state;
  event.exit_code = message.exit_code();
  event.output = to_valid_utf8(message.output(), limits::kActionOutputBytesMax);
  event.output_dropped_bytes = message.output_dropped_bytes();
  event.took = Duration{message.took_us()};
  event.detail = to_valid_utf8(message.detail(), limits::kTextBytesMax);
  return event;
}

}  // namespace firebreak::ingest
