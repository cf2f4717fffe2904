// Bounds and names; what a spec may hold is proto/wire's to check.
#include "agent/inbound.h"

#include <set>
#include <string_view>
#include <utility>

#include <firebreak/v1/agent.pb.h>

#include "common/limits.h"
#include "common/text.h"
#include "proto/wire.h"

namespace firebreak::agent {
namespace {

// An id is quoted in logs, files and other people's systems.
bool is_usable_id(std::string_view id) {
  return !id.empty() && id.size() <= limits::kActionIdBytesMax && escape_line(id) == id;
}

Error refusal(std::string message) {
  return make_error(Errc::invalid_argument, std::move(message));
}

}  // namespace

Result<Assignment> from_proto(const v1::Assignment& message) {
  const auto count = static_cast<std::size_t>(message.probes_size());
  if (count > limits::kProbesPerAgentMax) {
    return make_error(Errc::resource_exhausted, "the assignment holds " + std::to_string(count) +
                                                    " probes, at most " +
                                                    std::to_string(limits::kProbesPerAgentMax) +
                                                    " are accepted; spread them over more agents");
  }
  Assignment assignment;
  assignment.generation = message.generation();
  assignment.probes.reserve(count);
  std::set<ProbeKey> seen;
  for (const auto& entry : message.probes()) {
    auto key = wire::from_proto(entry.key());
    if (!key) {
      assignment.refused.push_back({std::nullopt, key.error().message});
      continue;
    }
    if (!seen.insert(*key).second) {
      assignment.refused.push_back({std::nullopt, "service '" + key->service.str() + "', probe '" +
                                                      key->probe.str() + "' is assigned twice"});
      continue;
    }
    auto spec = wire::from_proto(entry.spec());
    if (!spec) {
      assignment.refused.push_back({*std::move(key), spec.error().message});
    } else {
      assignment.probes.push_back({*std::move(key), *std::move(spec)});
    }
  }
  return assignment;
}

Result<ProbeNow> from_proto(const v1::ProbeNow& message) {
  if (!is_usable_id(message.request_id())) {
    return refusal("a one-shot probe has no usable request id: '" +
                   escape_line(message.request_id(), limits::kActionIdBytesMax) + "'");
  }
  ProbeNow now;
  now.request = RequestId(message.request_id());
  if (message.has_key()) {
    auto key = wire::from_proto(message.key());
    if (!key) {
      now.spec = key.error();
      return now;
    }
    now.key = *std::move(key);
  }
  now.spec = wire::from_proto(message.spec());
  return now;
}

bool has_usable_id(const v1::ActionOrder& order) {
  return is_usable_id(order.action_id());
}

Result<> check(const v1::ActionOrder& order) {
  if (!has_usable_id(order)) {
    return refusal("an action order has no usable id: '" +
                   escape_line(order.action_id(), limits::kActionIdBytesMax) + "'");
  }
  if (order.ByteSizeLong() > limits::kActionOrderBytesMax) {
    return refusal("the order is of " + std::to_string(order.ByteSizeLong()) + " bytes, at most " +
                   std::to_string(limits::kActionOrderBytesMax) + " are accepted");
  }
  if (!is_valid_name(order.name())) {
    return refusal("'" + escape_line(order.name(), limits::kActionIdBytesMax) +
                   "' is not the name of an action");
  }
  return {};
}

}  // namespace firebreak::agent
