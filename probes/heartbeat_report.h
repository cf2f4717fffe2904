// What a job says of itself, what is remembered of that, and what it means for a probe.
//
// Pure: whoever keeps a Heartbeat (agent/heartbeats.h) says how much time has passed. Everything
// that a job says is hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/observation.h"
#include "common/probe_spec.h"
#include "common/result.h"

namespace firebreak::probes {

// Where an agent listens unless its agent.yaml says otherwise.
inline constexpr const char* kHeartbeatSocket = "/run/firebreak-agent/heartbeat.sock";

enum class HeartbeatState : std::uint8_t { ok, warning, critical, started };

struct HeartbeatReport {
  HeartbeatState state = HeartbeatState::ok;
  std::string message;             // valid UTF-8 without NUL, at most limits::kEvidenceBytesMax
  std::vector<NamedValue> values;  // at most limits::kHeartbeatValuesMax
  friend bool operator==(const HeartbeatReport&, const HeartbeatReport&) = default;
};

// What is known of one name at one moment: each duration ends there.
struct Heartbeat {
  struct Last {
    HeartbeatReport report;  // of a run's end, never `started`
    Duration age{};
    std::optional<Duration> took;  // from its start, when that was reported
    friend bool operator==(const Last&, const Last&) = default;
  };
  struct Run {
    Duration age{};     // since the first start that no end has followed
    Duration latest{};  // since the latest one
    friend bool operator==(const Run&, const Run&) = default;
  };
  Duration known_for{};  // since the agent first heard of the name, from a policy or a job
  std::optional<Last> last;
  std::optional<Run> run;
  Duration deaf{};             // of the time since the last report: nobody listened
  bool by_wall_clock = false;  // some of that time the host was off: the wall clock measured it
  std::string trouble{};       // why nobody listens at this moment: silence accuses no job
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// That much time has passed.
void pass(Heartbeat& beat, Duration time);
// The job reports now.
void take(Heartbeat& beat, HeartbeatReport report);
// When the job reported last; when the name became known if it never did.
[[nodiscard]] Duration silent_for(const Heartbeat& beat);

// Late is critical/timeout, never heard of for as long critical/missing (sooner: unknown/missing),
// both unknown/prober while nobody listens; what the job calls a failure is critical/status.
// Values: age, duration, and the job's own.
[[nodiscard]] Observation judge_heartbeat(const HeartbeatSpec& spec, const Heartbeat& beat);

// A job's report from what it sent: `state` is "" when it stands in the body or is "ok". A body
// that begins with { is JSON (state, message, values), any other one is the message.
Result<HeartbeatReport> parse_heartbeat_report(std::string_view state, std::string_view body);

// One line of JSON that heartbeat_from_json() reads back; durations in microseconds.
[[nodiscard]] std::string to_json(const Heartbeat& beat);
// `corrupt` when it is not what to_json() wrote. Keys that it does not know are ignored.
Result<Heartbeat> heartbeat_from_json(std::string_view text);

}  // namespace firebreak::probes
