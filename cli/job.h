// Runs somebody's command as if we were not there, and keeps the end of what it prints.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace firebreak::cli {

struct JobEnd {
  bool has_run = true;
  int exit_code = 0;  // as a shell has it: 128 and the signal, 126 and 127 for what cannot be run
  std::string how;    // "exit code 3", "signal 9 (Killed)"; empty: it succeeded
  std::string tail;   // of its output and errors together; hostile
};
inline constexpr std::size_t kJobTailBytes = 900;  // a message may have 1,024

// The command is looked for in $PATH. Its output and errors are passed on as they come, SIGTERM,
// SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are handed to it (those of a terminal reach it
// anyway). `ended` is called once, as soon as it has ended; then what it left behind is waited for
// as long as that may still print. Returns the exit code. The process must have no other thread.
int run_job(const std::vector<std::string>& command,
            const std::function<void(const JobEnd&)>& ended);

}  // namespace firebreak::cli
