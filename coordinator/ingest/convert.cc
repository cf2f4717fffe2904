// Effects -> messages for an agent.
#include "coordinator/ingest/convert.h"

#include "common/limits.h"
#include "common/text.h"
#include "proto/wire.h"

namespace firebreak::ingest {
namespace {

// Room for the framing of a repeated field's entry, and of the message around it.
constexpr std::size_t kEntryOverhead = 8;
constexpr std::size_t kMessageOverhead = 64;

}  // namespace

CutAssignment to_proto(const std::vector<std::pair<ProbeKey, ProbeSpec>>& probes,
                       std::uint64_t generation) {
  CutAssignment cut;
  cut.message.set_generation(generation);
  std::size_t bytes = kMessageOverhead;
  for (const auto& [key, spec] : probes) {
    v1::Assignment::Probe probe;
    *probe.mutable_key() = wire::to_proto(key);
    *probe.mutable_spec() = wire::to_proto(spec);
    bytes += probe.ByteSizeLong() + kEntryOverhead;
    const auto taken = static_cast<std::size_t>(cut.message.probes_size());
    if (bytes > limits::kMessageBytesMax || taken == limits::kProbesPerAgentMax) {
      cut.left_out = probes.size() - taken;
      return cut;
    }
    cut.message.mutable_probes()->Add(std::move(probe));
  }
  return cut;
}

v1::CoordinatorMessage to_proto(const core::SendProbeNow& request) {
  v1::CoordinatorMessage message;
  v1::ProbeNow& probe = *message.mutable_probe_now();
  probe.set_request_id(request.request.str());
  if (!request.key.probe.empty()) *probe.mutable_key() = wire::to_proto(request.key);
  *probe.mutable_spec() = wire::to_proto(request.spec);
  return message;
}

v1::CoordinatorMessage to_proto(const core::OrderHostAction& order, std::uint64_t epoch,
                                Instant now) {
  v1::CoordinatorMessage message;
  v1::ActionOrder& out = *message.mutable_action_order();
  out.set_action_id(order.action.str());
  out.set_name(order.entry);
  for (const auto& [name, value] : order.parameters) (*out.mutable_parameters())[name] = value;
  out.set_epoch(epoch);
  out.set_valid_for_us((order.expires - now).count());
  out.set_incident(order.incident.str());
  out.set_reason(to_valid_utf8(order.reason, limits::kTextBytesMax));
  return message;
}

v1::CoordinatorMessage to_proto(const core::ConfirmOutcome& outcome) {
  v1::CoordinatorMessage message;
  message.mutable_outcome_ack()->set_action_id(outcome.action.str());
  return message;
}

}  // namespace firebreak::ingest
