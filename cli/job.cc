// Two pipes, the signals as a file, and one poll().
#include "cli/job.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "common/fd.h"

namespace firebreak::cli {
namespace {

constexpr int kCannotRun = 126;
constexpr int kNotFound = 127;
constexpr int kSignalled = 128;

sigset_t handled_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
    ::sigaddset(&signals, signal);
  return signals;
}

// One of the command's two outputs, and where ours goes.
struct Stream {
  Fd read;
  Fd write;  // the command's end, until it runs
  int to = -1;
};

bool open_stream(Stream& stream, int to) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  stream.read.reset(ends[0]);
  stream.write.reset(ends[1]);
  stream.to = to;
  return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return false;
    }
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

class Job {
 public:
  Job(const std::vector<std::string>& command, const std::function<void(const JobEnd&)>& ended)
      : command_(command), ended_(ended) {}

  int run() {
    const sigset_t handled = handled_signals();
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &handled, &before);
    signals_.reset(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
    int failed = errno;
    if (signals_ && open_stream(streams_[0], STDOUT_FILENO) &&
        open_stream(streams_[1], STDERR_FILENO))
      failed = spawn(before);
    if (failed != 0) {
      JobEnd how;
      how.has_run = false;
      how.exit_code = failed == ENOENT ? kNotFound : kCannotRun;
      how.how = "cannot run " + command_.front() + ": " + std::strerror(failed);
      end(std::move(how));
    } else {
      while (!end_ || streams_[0].read || streams_[1].read) step();
    }
    return end_->exit_code;
  }

 private:
  // 0, or why it cannot be run.
  int spawn(const sigset_t& mask) {
    posix_spawn_file_actions_t files{};
    ::posix_spawn_file_actions_init(&files);
    for (const Stream& stream : streams_)
      ::posix_spawn_file_actions_adddup2(&files, stream.write.get(), stream.to);
    posix_spawnattr_t attributes{};
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;  // we ignore it, the command does not
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setsigmask(&attributes, &mask);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<std::string> words = command_;
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int failed =
        ::posix_spawnp(&pid_, argv.front(), &files, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
    for (Stream& stream : streams_) stream.write.reset();
    return failed;
  }

  void step() {
    std::array<pollfd, 3> ready{pollfd{signals_.get(), POLLIN, 0},
                                pollfd{streams_[0].read.get(), POLLIN, 0},
                                pollfd{streams_[1].read.get(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) return;  // EINTR
    for (std::size_t i = 0; i < streams_.size(); ++i)
      if (ready.at(i + 1).revents != 0) pass_on(streams_.at(i));
    if (ready[0].revents != 0) take_signals();
  }

  // False: nothing to read now.
  bool pass_on(Stream& stream) {
    std::array<char, 16384> buffer{};
    const ssize_t size = ::read(stream.read.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (size <= 0) {
      stream.read.reset();
      return false;
    }
    const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    if (!end_) keep(text);
    // Nobody reads us any more: nor the command.
    if (!write_all(stream.to, text)) stream.read.reset();
    return static_cast<bool>(stream.read);
  }

  void keep(std::string_view text) {
    tail_.append(text);
    if (tail_.size() > 2 * kJobTailBytes) tail_.erase(0, tail_.size() - kJobTailBytes);
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      const auto signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD)
        reap();
      else if (!end_ && info.ssi_code != SI_KERNEL)
        ::kill(pid_, signal);
      else if (end_ && info.ssi_code != SI_KERNEL)
        streams_ = {};  // we are asked to end, and only wait for what it left behind
    }
  }

  void reap() {
    int status = 0;
    if (end_ || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
    for (Stream& stream : streams_)
      while (stream.read && pass_on(stream)) {
      }
    JobEnd how;
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      how.exit_code = kSignalled + signal;
      how.how = std::string("signal ") + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
    } else {
      how.exit_code = WEXITSTATUS(status);
      if (how.exit_code != 0) how.how = "exit code " + std::to_string(how.exit_code);
    }
    end(std::move(how));
  }

  void end(JobEnd how) {
    if (tail_.size() > kJobTailBytes) tail_.erase(0, tail_.size() - kJobTailBytes);
    how.tail = tail_;
    end_ = how;
    ended_(*end_);
  }

  const std::vector<std::string>& command_;
  const std::function<void(const JobEnd&)>& ended_;
  Fd signals_;
  std::array<Stream, 2> streams_;
  pid_t pid_ = -1;
  std::string tail_;
  std::optional<JobEnd> end_;
};

}  // namespace

int run_job(const std::vector<std::string>& command,
            const std::function<void(const JobEnd&)>& ended) {
  return Job(command, ended).run();
}

}  // namespace firebreak::cli
