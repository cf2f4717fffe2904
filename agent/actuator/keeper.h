// Runs one action in the care of a process of its own, the keeper.
//
// The keeper is a fork of the actuator that does nothing else: it is the subreaper of everything
// that the action starts, reads its output, ends it at its time-out, reports how it ended on a pipe
// and exits. It lives on when the actuator dies, so a time-out is kept even then.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/actuator/action.h"
#include "common/fd.h"
#include "common/programs/keep.h"
#include "common/result.h"

namespace firebreak::actuator {

struct Launch {
  ActionId id;
  programs::Invocation invocation;
  Duration timeout{};
};

struct Keeper {
  pid_t pid = -1;
  Fd report;  // at its end it has given an outcome (decode_outcome) or, when the keeper died, less
};

// What an action gets: a minimal environment, overlaid with what its owner wrote.
[[nodiscard]] Launch make_launch(const ActionId& id, const Action& action,
                                 std::vector<std::string> argv);

// Forks: the caller must have one thread only, and has to wait for the pid after the report's end.
// An error means that nothing was started.
Result<Keeper> start_keeper(const Launch& launch);

}  // namespace firebreak::actuator
