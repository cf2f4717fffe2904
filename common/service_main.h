// What main() of both services does around their work: flags, exit codes, and the last resort.
#pragma once

#include <functional>
#include <string>

namespace firebreak::service {

enum ExitCode { kStopped = 0, kFailed = 1, kMisused = 2 };

struct Program {
  std::string name;  // as it is installed
  std::string purpose;
  std::string config;      // where it is unless --config says otherwise
  std::string check_help;  // of --check
  std::string version;
};

// "NAME: MESSAGE" to the standard error stream; gives `code` back.
int fail(const Program& program, ExitCode code, const std::string& message);

// Reads the flags, calls `work(config, checks_only)` and gives back what the process exits with.
// SIGPIPE is ignored, libprotobuf speaks in our log, an exception is logged, the log is written to
// its end.
int run(const Program& program, int argc, char** argv,
        const std::function<int(const std::string& config, bool checks_only)>& work);

}  // namespace firebreak::service
