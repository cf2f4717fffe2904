// Starts a program and keeps hold of everything it starts, until none of it is left.
//
// For a process that does nothing else: one thread, and the subreaper of what it starts
// (become_keeper), so that nobody below can hide by daemonizing.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/fd.h"
#include "common/programs/program.h"
#include "common/result.h"

namespace firebreak::programs {

// A program as it is started: parameters filled in, nothing inherited.
struct Invocation {
  std::vector<std::string> argv;  // argv[0] is a full path
  std::map<std::string, std::string> environment;
  std::string user;  // empty: our own
  std::string working_directory = "/";
  // Of what it starts, too; never more than our own.
  std::vector<std::pair<int, rlim_t>> limits{};  // RLIMIT_..., the most
  bool errors_apart = false;                     // stderr is not mixed with stdout
  friend bool operator==(const Invocation&, const Invocation&) = default;
};

// The environment that every program gets, with what its owner wrote laid over it.
[[nodiscard]] Invocation make_invocation(const Program& program, std::vector<std::string> argv,
                                         std::map<std::string, std::string> environment);

struct Pipe {
  Fd read;
  Fd write;
};
// Closed on exec.
[[nodiscard]] Result<Pipe> make_pipe();
void write_whole(int fd, std::string_view bytes);

// Called in a fresh child: keeps of its file descriptors only `kept` and the first three, takes no
// signal but SIGCHLD, which only interrupts Keep, and becomes the subreaper. `name`: as ps shows.
[[nodiscard]] Result<void> become_keeper(const char* name, int kept);

class Keep {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Source { output, errors };
  // What the program printed, as it comes. False: no need to wait any longer.
  using Sink = std::function<bool(Source source, std::string_view bytes)>;
  enum class Waited { ended, late, enough };

  explicit Keep(Sink sink) : sink_(std::move(sink)) {}

  // Once. What goes wrong between fork and exec is known later: failure().
  [[nodiscard]] Result<void> start(const Invocation& invocation);
  // While waiting, this one is watched, too: when its other end closes, nobody wants to know.
  void watch(int fd) { watched_ = fd; }

  // Takes what is printed until the program itself has ended, the deadline, or the sink has enough.
  Waited wait_ended(SteadyTime deadline);
  // The same until nothing is left of all it has started; false when the deadline came first.
  bool wait_empty(SteadyTime deadline);
  // What is there to be read now, a bounded part of it.
  void drain();
  void terminate();  // SIGTERM to all
  // SIGKILL, again and again until nothing is left or the deadline.
  bool kill_all(SteadyTime deadline);

  [[nodiscard]] bool is_empty() const { return empty_; }
  // Those that are left.
  [[nodiscard]] std::size_t survivors() const;
  // As waitpid() has it, once the program has ended.
  [[nodiscard]] const std::optional<int>& status() const { return status_; }
  // Why it was not executed, or empty. After it has ended.
  [[nodiscard]] std::string failure() const;

 private:
  [[nodiscard]] bool has_ended() const { return status_.has_value(); }
  Waited wait(SteadyTime deadline, bool (Keep::*done)() const);
  void wait_for_event(std::chrono::nanoseconds timeout);
  void drain(Fd& from, Source source);
  void reap();

  Sink sink_;
  SystemClock clock_;
  pid_t child_ = -1;
  int watched_ = -1;
  Fd output_;
  Fd errors_;
  Fd failure_;
  std::optional<int> status_;  // of child_, once it has ended
  bool empty_ = false;         // no child is left, nor a child's child
  bool enough_ = false;
};

}  // namespace firebreak::programs
