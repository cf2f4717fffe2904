// A unit of systemd, asked over D-Bus: whether it is active, and how often it was restarted.
//
// Properties of org.freedesktop.systemd1.Unit and .Service, see org.freedesktop.systemd1(5). Only
// what any user may read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/probe_spec.h"
#include "probes/attempt.h"

namespace firebreak::probes {

// What systemd says of a unit. Texts are hostile.
struct UnitState {
  std::string load;                       // LoadState
  std::string active;                     // ActiveState
  std::string sub;                        // SubState
  std::string result;                     // of a service: success, exit-code, oom-kill, ...
  std::optional<std::uint32_t> restarts;  // NRestarts, of a service
};

Awaitable<void> probe_systemd(Attempt& attempt, const SystemdSpec& spec);

void judge_unit(Attempt& attempt, const SystemdSpec& spec, const UnitState& state);

}  // namespace firebreak::probes
