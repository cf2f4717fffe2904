// From fork to the end of the last descendant.
#include "common/programs/keep.h"

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

#include "common/programs/process_tree.h"

namespace firebreak::programs {
namespace {

using namespace std::chrono_literals;

constexpr int kCannotStart = 127;
constexpr auto kRescanInterval = 50ms;  // while a tree is being ended
constexpr int kReadsPerTurn = 64;

extern "C" void on_child(int /*signal*/) {}  // only interrupts ppoll

// Everything that its keeper had set up is undone, for programs expect the defaults.
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
  Child(const Invocation& invocation, const std::optional<User>& user, int output, int errors,
        int failure)
      : invocation_(invocation), user_(user), output_(output), errors_(errors), failure_(failure) {}

  [[noreturn]] void run() {
    reset_signals();
    ::setsid();
    ::umask(022);
    forget_oom_protection();
    redirect();
    limit();
    become_user();
    if (::chdir(invocation_.working_directory.c_str()) != 0) {
      fail("cannot enter " + invocation_.working_directory);
    }
    execute();
  }

 private:
  [[noreturn]] void fail(const std::string& what) {
    write_whole(failure_, system_error(Errc::unavailable, what).message);
    ::_exit(kCannotStart);
  }

  // Who starts it may be spared when memory is short; what is started is not.
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
        ::dup2(errors_, STDERR_FILENO) < 0) {
      fail("cannot redirect its input and output");
    }
  }

  void limit() {
    for (const auto& [resource, most] : invocation_.limits) {
      const auto which = static_cast<__rlimit_resource>(resource);
      rlimit limit{};
      ::getrlimit(which, &limit);
      limit.rlim_max = std::min(limit.rlim_max, most);
      limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
      if (::setrlimit(which, &limit) != 0) fail("cannot limit what it may use");
    }
  }

  void become_user() {
    if (!user_ || user_->uid == ::geteuid()) return;
    if (::initgroups(user_->name.c_str(), user_->gid) != 0 || ::setgid(user_->gid) != 0 ||
        ::setuid(user_->uid) != 0) {
      fail("cannot become the user " + user_->name);
    }
  }

  [[noreturn]] void execute() {
    std::vector<std::string> argv = invocation_.argv;
    std::vector<std::string> environment;
    for (const auto& [name, value] : invocation_.environment) {
      environment.push_back(name);
      environment.back().append("=").append(value);
    }
    std::vector<char*> arguments = pointers_to(argv);
    std::vector<char*> variables = pointers_to(environment);
    ::execve(arguments.front(), arguments.data(), variables.data());
    fail("cannot execute " + invocation_.argv.front());
  }

  const Invocation& invocation_;
  const std::optional<User>& user_;
  int output_;
  int errors_;
  int failure_;
};

Result<std::optional<User>> find_user(const std::string& name) {
  if (name.empty()) return std::optional<User>();
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) return make_error(Errc::not_found, "this host has no user '" + name + "'");
  return std::optional<User>(User{name, entry->pw_uid, entry->pw_gid});
}

}  // namespace

Invocation make_invocation(const Program& program, std::vector<std::string> argv,
                           std::map<std::string, std::string> environment) {
  Invocation invocation;
  invocation.argv = std::move(argv);
  invocation.environment = std::move(environment);
  invocation.environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  invocation.environment["LANG"] = "C.UTF-8";
  invocation.user = program.user;
  const passwd* user =
      program.user.empty() ? ::getpwuid(::geteuid()) : ::getpwnam(program.user.c_str());
  if (user != nullptr) {
    invocation.environment["HOME"] = user->pw_dir;
    invocation.environment["USER"] = invocation.environment["LOGNAME"] = user->pw_name;
  }
  invocation.working_directory = program.working_directory;
  for (const auto& [name, value] : program.environment) invocation.environment[name] = value;
  return invocation;
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(Errc::unavailable, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

void write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads any more
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

Result<void> become_keeper(const char* name, int kept) {
  ::prctl(PR_SET_NAME, name);
  ::setsid();
  if (kept > 3) ::close_range(3, static_cast<unsigned>(kept) - 1, 0);
  ::close_range(static_cast<unsigned>(std::max(kept, 2)) + 1, ~0u, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_IGN);
  struct sigaction child {};
  child.sa_handler = on_child;
  ::sigaction(SIGCHLD, &child, nullptr);
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
    return system_error(Errc::internal, "cannot become a subreaper");
  return {};
}

Result<void> Keep::start(const Invocation& invocation) {
  const auto user = find_user(invocation.user);
  if (!user) return user.error();
  auto output = make_pipe();
  if (!output) return output.error();
  auto errors = invocation.errors_apart ? make_pipe() : Pipe{};
  if (!errors) return errors.error();
  auto failure = make_pipe();
  if (!failure) return failure.error();
  child_ = ::fork();
  if (child_ < 0) return system_error(Errc::resource_exhausted, "cannot fork");
  if (child_ == 0) {
    const int out = output->write.get();
    Child(invocation, *user, out, errors->write ? errors->write.get() : out, failure->write.get())
        .run();
  }
  output_ = std::move(output->read);
  errors_ = std::move(errors->read);
  failure_ = std::move(failure->read);
  for (const int fd : {output_.get(), errors_.get(), failure_.get()})
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return {};
}

Keep::Waited Keep::wait_ended(SteadyTime deadline) {
  return wait(deadline, &Keep::has_ended);
}

bool Keep::wait_empty(SteadyTime deadline) {
  enough_ = false;
  return wait(deadline, &Keep::is_empty) == Waited::ended;
}

Keep::Waited Keep::wait(SteadyTime deadline, bool (Keep::*done)() const) {
  while (true) {
    reap();
    if ((this->*done)()) return Waited::ended;
    if (enough_) return Waited::enough;
    const auto left = deadline - clock_.steady();
    if (left <= 0s) return Waited::late;
    wait_for_event(left);
    drain();
  }
}

void Keep::wait_for_event(std::chrono::nanoseconds timeout) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec limit{seconds.count(), (timeout - seconds).count()};
  sigset_t none;
  ::sigemptyset(&none);  // SIGCHLD is blocked everywhere else
  std::array<pollfd, 3> fds{pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                            pollfd{watched_, 0, 0}};  // negative ones are passed over
  ::ppoll(fds.data(), fds.size(), &limit, &none);
  if ((fds[2].revents & (POLLHUP | POLLERR)) == 0) return;
  enough_ = true;
  watched_ = -1;
}

void Keep::drain() {
  drain(output_, Source::output);
  drain(errors_, Source::errors);
}

// A bounded part, so that an endless writer does not keep us from the clock.
void Keep::drain(Fd& from, Source source) {
  std::array<char, 4096> buffer;
  for (int reads = 0; from && reads < kReadsPerTurn; ++reads) {
    const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) from.reset();
    if (got > 0 && !sink_(source, {buffer.data(), static_cast<std::size_t>(got)})) enough_ = true;
  }
}

void Keep::reap() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == child_) status_ = status;
  }
  empty_ = pid < 0 && errno == ECHILD;  // what daemonized has become our own child
}

void Keep::terminate() {
  for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGTERM);
}

bool Keep::kill_all(SteadyTime deadline) {
  do {
    // Stopped first, so that none forks while others are being killed.
    for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGSTOP);
    for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, SIGKILL);
    if (wait_empty(std::min<SteadyTime>(clock_.steady() + kRescanInterval, deadline))) return true;
  } while (clock_.steady() < deadline);
  return false;
}

std::size_t Keep::survivors() const {
  return descendants_of(::getpid()).size();
}

std::string Keep::failure() const {
  std::array<char, 512> reason;
  const ssize_t got = ::read(failure_.get(), reason.data(), reason.size());
  return got > 0 ? std::string(reason.data(), static_cast<std::size_t>(got)) : std::string();
}

}  // namespace firebreak::programs
