// Runs checks in the care of processes of their own, out of reach of the agent's threads and
// memory.
//
// start() forks one small process; for each check that forks a keeper, the subreaper of everything
// the check starts. A keeper reads what is printed, ends all of it at the deadline or when nobody
// listens any more, and sends one report. What is run gets no secret, no file descriptor and no
// variable of the agent.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/fd.h"
#include "common/programs/keep.h"
#include "common/result.h"
#include "common/time.h"

namespace firebreak::probes {

// How one check ended. What it printed is hostile.
struct CheckReport {
  enum class End : std::uint8_t { exited, signalled, timed_out, flooded, not_started };
  End end = End::not_started;
  int code = 0;                 // exited: with this code; signalled: by this signal
  std::size_t left_behind = 0;  // processes that were still there when it ended, and were ended
  std::string output;           // stdout, at most limits::kCheckOutputBytesMax
  std::string errors;           // stderr, at most limits::kCheckErrorsBytesMax
  std::string why;              // of not_started
  friend bool operator==(const CheckReport&, const CheckReport&) = default;
};

class CheckKeeper {
 public:
  // Best before the process has threads.
  static Result<std::unique_ptr<CheckKeeper>> start();
  // Checks that still run are ended by their keepers once their reports have no reader.
  ~CheckKeeper();
  CheckKeeper(const CheckKeeper&) = delete;
  CheckKeeper& operator=(const CheckKeeper&) = delete;

  // A socket, not blocking, from which take_report() reads; closing it ends the check. Starts a new
  // process when somebody has killed the one that keeps.
  Result<Fd> run(const programs::Invocation& invocation, Duration timeout);

 private:
  CheckKeeper() = default;
  Result<void> fork_keeper();
  void forget_keeper();

  pid_t pid_ = -1;
  Fd socket_;
};

// One message, once the socket can be read: nothing when its keeper died without a word.
[[nodiscard]] std::optional<CheckReport> take_report(int socket);

}  // namespace firebreak::probes
