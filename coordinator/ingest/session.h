// What an agent says on one stream, checked and turned into events: the protocol without the
// network.
//
// One thread at a time. Whatever an error says is the agent's mistake, and the end of its stream.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "common/ids.h"
#include "common/result.h"
#include "common/time.h"
#include "coordinator/core/event.h"
#include "coordinator/ingest/clock_offset.h"
#include "proto/wire.h"

namespace firebreak::v1 {
class ActionOutcome;
class AgentMessage;
class Hello;
}  // namespace firebreak::v1

namespace firebreak::ingest {

// The only version of the protocol that there is.
inline constexpr std::uint32_t kProtocol = 1;

class Session {
 public:
  // `agent`: the name in its certificate.
  explicit Session(AgentName agent) : agent_(std::move(agent)) {}

  [[nodiscard]] bool has_begun() const { return incarnation_ != 0; }
  [[nodiscard]] const AgentName& agent() const { return agent_; }
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  // The highest epoch that this host has obeyed.
  [[nodiscard]] std::uint64_t epoch_seen() const { return epoch_seen_; }

  // `received` is on the coordinator's time line, `wall` is its wall clock at the same moment. The
  // first message must be a Hello and gives AgentAttached; empty: nothing to journal.
  Result<std::optional<core::Event>> take(const v1::AgentMessage& message, Instant received,
                                          WallTime wall);

 private:
  Result<core::AgentAttached> begin(const v1::Hello& hello, Instant received, WallTime wall);
  Result<core::ResultsReceived> results(const v1::ResultBatch& message, Instant received);
  Result<core::ActionReported> outcome(const v1::ActionOutcome& message) const;
  // A message that says when it was sent; 0 does not.
  void note_clock(std::int64_t monotonic_us, Instant received);

  AgentName agent_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t epoch_seen_ = 0;
  std::uint64_t next_seq_ = 0;  // after what came on this stream; 0 before anything did
  wire::SeriesTable series_;
  ClockOffset clock_;
};

}  // namespace firebreak::ingest
