// Everything that a process has started, however deep, found through /proc.
#pragma once

#include <sys/types.h>

#include <vector>

namespace firebreak::actuator {

// The living descendants of `root`, without itself and without zombies. A process whose parent died
// belongs to the nearest ancestor that is a subreaper (PR_SET_CHILD_SUBREAPER), so below one none
// can hide, whatever sessions and groups it makes. A snapshot: ask again until it is empty.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t root);

}  // namespace firebreak::actuator
