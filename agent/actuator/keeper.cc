// One action from fork to outcome.
#include "agent/actuator/keeper.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>

#include "agent/actuator/capture.h"
#include "agent/actuator/process_tree.h"
#include "agent/actuator/wire.h"
#include "common/clock.h"
#include "common/limits.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kCannotStart = 127;
constexpr auto kRescanInterval = 50ms;  // while a tree is being ended
constexpr auto kKillWait = 10s;         // a process inside the kernel may not die; say so then
constexpr int kReadsPerTurn = 64;

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(Errc::unavailable, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

void write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads any more: the actuator died
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

extern "C" void on_child(int /*signal*/) {}  // only interrupts ppoll

// Everything that the actuator had set up is undone, for programs expect the defaults.
void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// As exec wants them: ended by a null pointer.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Between fork and exec: the first step that fails is written to `failure`.
class Child {
 public:
  Child(const Launch& launch, const std::optional<User>& user, int output, int failure)
      : launch_(launch), user_(user), output_(output), failure_(failure) {}

  [[noreturn]] void run() {
    reset_signals();
    ::setsid();
    ::umask(022);
    forget_oom_protection();
    redirect();
    become_user();
    if (::chdir(launch_.working_directory.c_str()) != 0) {
      fail("cannot enter " + launch_.working_directory);
    }
    execute();
  }

 private:
  [[noreturn]] void fail(const std::string& what) {
    write_whole(failure_, system_error(Errc::unavailable, what).message);
    ::_exit(kCannotStart);
  }

  // The actuator is spared when memory is short; what it starts is not.
  static void forget_oom_protection() {
    const Fd file(::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC));
    char score[16] = {};
    if (file && ::read(file.get(), score, sizeof score - 1) > 0 && score[0] == '-') {
      write_whole(file.get(), "0");
    }
  }

  void redirect() {
    const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!nothing || ::dup2(nothing.get(), STDIN_FILENO) < 0 || ::dup2(output_, STDOUT_FILENO) < 0 ||
        ::dup2(output_, STDERR_FILENO) < 0) {
      fail("cannot redirect its input and output");
    }
  }

  void become_user() {
    if (!user_) return;
    if (::initgroups(user_->name.c_str(), user_->gid) != 0 || ::setgid(user_->gid) != 0 ||
        ::setuid(user_->uid) != 0) {
      fail("cannot become the user " + user_->name);
    }
  }

  [[noreturn]] void execute() {
    std::vector<std::string> argv = launch_.argv;
    std::vector<std::string> environment;
    for (const auto& [name, value] : launch_.environment) {
      environment.push_back(name);
      environment.back().append("=").append(value);
    }
    std::vector<char*> arguments = pointers_to(argv);
    std::vector<char*> variables = pointers_to(environment);
    ::execve(arguments.front(), arguments.data(), variables.data());
    fail("cannot execute " + launch_.argv.front());
  }

  const Launch& launch_;
  const std::optional<User>& user_;
  int output_;
  int failure_;
};

class Keep {
 public:
  explicit Keep(const Launch& launch) : launch_(launch), started_(clock_.steady()) {}

  Outcome run() {
    Outcome outcome;
    outcome.id = launch_.id;
    if (auto begun = start(); !begun) {
      outcome.state = State::failed;
      outcome.exit_code = kCannotStart;
      outcome.detail = begun.error().message;
      return outcome;
    }
    const bool in_time = wait_until(started_ + launch_.timeout, &Keep::has_ended);
    if (!in_time) end_tree();
    drain();
    fill(outcome, !in_time);
    return outcome;
  }

 private:
  Result<void> start() {
    std::optional<User> user;
    if (!launch_.user.empty()) {
      const passwd* entry = ::getpwnam(launch_.user.c_str());
      if (entry == nullptr) {
        return make_error(Errc::not_found, "this host has no user '" + launch_.user + "'");
      }
      user = User{launch_.user, entry->pw_uid, entry->pw_gid};
    }
    auto output = make_pipe();
    if (!output) return output.error();
    auto failure = make_pipe();
    if (!failure) return failure.error();
    child_ = ::fork();
    if (child_ < 0) return system_error(Errc::resource_exhausted, "cannot fork");
    if (child_ == 0) Child(launch_, user, output->write.get(), failure->write.get()).run();
    output_ = std::move(output->read);
    failure_ = std::move(failure->read);
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(failure_.get(), F_SETFL, O_NONBLOCK);
    return {};
  }

  [[nodiscard]] bool has_ended() { return status_.has_value(); }
  [[nodiscard]] bool is_empty() { return has_ended() && descendants_of(::getpid()).empty(); }

  // Reads output and reaps children until `done` or the deadline.
  bool wait_until(SteadyTime deadline, bool (Keep::*done)()) {
    while (true) {
      reap();
      if ((this->*done)()) return true;
      const auto left = deadline - clock_.steady();
      if (left <= 0s) return false;
      const bool look_again = done == &Keep::is_empty;
      wait_for_event(look_again ? std::min<std::chrono::nanoseconds>(left, kRescanInterval) : left);
      drain();
    }
  }

  void wait_for_event(std::chrono::nanoseconds timeout) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec limit{seconds.count(), (timeout - seconds).count()};
    sigset_t none;
    ::sigemptyset(&none);  // SIGCHLD is blocked everywhere else
    pollfd output{output_.get(), POLLIN, 0};
    ::ppoll(&output, output_ ? 1 : 0, &limit, &none);
  }

  // A bounded part of what is there, so that an endless writer does not keep us from the clock.
  void drain() {
    std::array<char, 4096> buffer;
    for (int reads = 0; output_ && reads < kReadsPerTurn; ++reads) {
      const ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      if (got == 0) output_.reset();
      if (got > 0) capture_.add({buffer.data(), static_cast<std::size_t>(got)});
    }
  }

  void reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
         pid = ::waitpid(-1, &status, WNOHANG)) {
      if (pid == child_) status_ = status;
    }
  }

  void end_tree() {
    for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGTERM);
    if (wait_until(clock_.steady() + limits::kActionKillGrace, &Keep::is_empty)) return;
    const SteadyTime give_up = clock_.steady() + kKillWait;
    while (clock_.steady() < give_up) {
      // Stopped first, so that none forks while others are being killed.
      for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGSTOP);
      for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGKILL);
      if (wait_until(clock_.steady() + kRescanInterval, &Keep::is_empty)) return;
    }
    survivors_ = descendants_of(::getpid()).size();
  }

  void fill(Outcome& outcome, bool timed_out) {
    outcome.took = std::chrono::duration_cast<Duration>(clock_.steady() - started_);
    outcome.output = capture_.text();
    outcome.output_dropped_bytes = capture_.dropped_bytes();
    if (status_ && WIFEXITED(*status_)) outcome.exit_code = WEXITSTATUS(*status_);
    if (status_ && WIFSIGNALED(*status_)) {
      outcome.exit_code = 128 + WTERMSIG(*status_);  // as a shell reports it
      outcome.detail = std::string("ended by signal ") + ::strsignal(WTERMSIG(*status_));
    }
    outcome.state = outcome.exit_code == 0 ? State::succeeded : State::failed;
    std::array<char, 512> reason;
    const ssize_t got = ::read(failure_.get(), reason.data(), reason.size());
    if (got > 0) outcome.detail.assign(reason.data(), static_cast<std::size_t>(got));
    if (!timed_out) return;
    outcome.state = State::timed_out;
    outcome.detail = "ended with everything it had started after its time-out of " +
                     format_duration(launch_.timeout);
    if (survivors_ != 0) {
      outcome.detail += "; " + std::to_string(survivors_) + " processes did not die of SIGKILL";
    }
  }

  const Launch& launch_;
  SystemClock clock_;
  SteadyTime started_;
  pid_t child_ = -1;
  Fd output_;
  Fd failure_;
  Capture capture_;
  std::optional<int> status_;  // of child_, once it has ended
  std::size_t survivors_ = 0;
};

// Keeps only `report` and stderr: above all not the journal's lock and the socket.
void let_go_of_the_actuator(int report) {
  ::prctl(PR_SET_NAME, "firebreak-keep");
  ::setsid();
  const int last = report - 1;
  if (last >= 3) ::close_range(3, static_cast<unsigned>(last), 0);
  ::close_range(static_cast<unsigned>(report) + 1, ~0u, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  struct sigaction child {};
  child.sa_handler = on_child;
  ::sigaction(SIGCHLD, &child, nullptr);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

}  // namespace

Launch make_launch(const ActionId& id, const Action& action, std::vector<std::string> argv) {
  Launch launch;
  launch.id = id;
  launch.argv = std::move(argv);
  launch.timeout = action.timeout;
  launch.environment = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"},
      {"FIREBREAK_ACTION", action.name},
      {"FIREBREAK_ACTION_ID", id.str()},
  };
  const auto* program = std::get_if<Program>(&action.what);
  if (program != nullptr) launch.user = program->user;
  const passwd* user =
      launch.user.empty() ? ::getpwuid(::geteuid()) : ::getpwnam(launch.user.c_str());
  if (user != nullptr) {
    launch.environment["HOME"] = user->pw_dir;
    launch.environment["USER"] = launch.environment["LOGNAME"] = user->pw_name;
  }
  if (program != nullptr) {
    launch.working_directory = program->working_directory;
    for (const auto& [name, value] : program->environment) launch.environment[name] = value;
  }
  return launch;
}

Result<Keeper> start_keeper(const Launch& launch) {
  auto report = make_pipe();
  if (!report) return report.error();
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(Errc::resource_exhausted, "cannot fork");
  if (pid == 0) {
    const int fd = report->write.get();
    let_go_of_the_actuator(fd);
    Outcome outcome;
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
      outcome.id = launch.id;
      outcome.state = State::failed;
      outcome.detail = system_error(Errc::internal, "cannot become a subreaper").message;
    } else {
      outcome = Keep(launch).run();
    }
    write_whole(fd, encode_outcome(outcome));
    ::_exit(0);
  }
  Keeper keeper;
  keeper.pid = pid;
  keeper.report = std::move(report->read);
  return keeper;
}

}  // namespace firebreak::actuator
