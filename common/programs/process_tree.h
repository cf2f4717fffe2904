// Everything that a process has started, however deep, found through /proc.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace firebreak::programs {

// The living descendants of `root`, without itself and without zombies. A process whose parent died
// belongs to the nearest ancestor that is a subreaper (PR_SET_CHILD_SUBREAPER), so below one none
// can hide, whatever sessions and groups it makes. A snapshot: ask again until it is empty.
[[nodiscard]] std::vector<pid_t> descendants_of(pid_t root);

// How many threads all processes of a user have that we may see: what RLIMIT_NPROC counts.
[[nodiscard]] std::size_t tasks_of_user(uid_t user);

}  // namespace firebreak::programs
