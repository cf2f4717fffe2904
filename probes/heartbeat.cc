// No network and no waiting: the answer is known before the question.
#include "probes/heartbeat.h"

#include "probes/heartbeat_report.h"

namespace firebreak::probes {

Awaitable<void> probe_heartbeat(Attempt& attempt, const HeartbeatSpec& spec) {
  attempt.enter(Phase::query);
  if (!attempt.tools().heartbeats) {
    attempt.unknown(Reason::config,
                    "this agent takes no reports: heartbeats is not set in agent.yaml");
    co_return;
  }
  const auto beat = attempt.tools().heartbeats(spec.name);
  if (!beat) {
    const bool is_config = beat.error().code == Errc::resource_exhausted;
    attempt.unknown(is_config ? Reason::config : Reason::prober, beat.error().message);
    co_return;
  }
  const Observation seen = judge_heartbeat(spec, *beat);
  for (const NamedValue& value : seen.values) attempt.add_value(value.name, value.value);
  if (seen.status == Status::ok)
    attempt.succeed(seen.evidence);
  else
    attempt.fail(seen.status, seen.reason, seen.evidence);
}

}  // namespace firebreak::probes
