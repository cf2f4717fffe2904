// Both ends of the sockets between the agent, the process that forks keepers, and keepers.
#include "probes/check_keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/limits.h"
#include "common/programs/process_tree.h"

namespace firebreak::probes {
namespace {

using namespace std::chrono_literals;
using programs::Invocation;
using programs::Keep;

constexpr std::size_t kOrderBytesMax = 192u << 10;  // 32 arguments of 4 KiB, and an environment
constexpr std::size_t kReportBytesMax =
    limits::kCheckOutputBytesMax + limits::kCheckErrorsBytesMax + 1024;
constexpr auto kFirstKillWait = 50ms;  // before the report; then further without anybody waiting
constexpr auto kKillWait = 10s;        // a process inside the kernel may not die
constexpr int kStrayInterval = 50;     // milliseconds between two looks for orphans

// Numbers and texts behind one another; both ends are ours, of one build.
class Writer {
 public:
  void number(std::uint64_t value) {
    std::array<char, sizeof value> raw;
    std::memcpy(raw.data(), &value, sizeof value);
    bytes_.append(raw.data(), raw.size());
  }
  void text(std::string_view text) {
    number(text.size());
    bytes_ += text;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (bytes_.size() < sizeof value) {
      good_ = false;
      return 0;
    }
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > bytes_.size()) good_ = false;
    std::string text(bytes_.substr(0, good_ ? size : 0));
    bytes_.remove_prefix(text.size());
    return text;
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

struct Order {
  Invocation invocation;
  Duration timeout{};
};

std::string encode(const Invocation& invocation, Duration timeout) {
  Writer out;
  out.number(static_cast<std::uint64_t>(timeout.count()));
  out.text(invocation.user);
  out.text(invocation.working_directory);
  out.number(invocation.argv.size());
  for (const std::string& argument : invocation.argv) out.text(argument);
  out.number(invocation.environment.size());
  for (const auto& [name, value] : invocation.environment) {
    out.text(name);
    out.text(value);
  }
  return out.bytes();
}

std::optional<Order> decode_order(std::string_view bytes) {
  Reader in(bytes);
  Order order;
  order.timeout = Duration{static_cast<std::int64_t>(in.number())};
  order.invocation.user = in.text();
  order.invocation.working_directory = in.text();
  order.invocation.argv.reserve(limits::kActionArgsMax);
  for (std::uint64_t left = in.number(); left > 0 && in.good(); --left)
    order.invocation.argv.push_back(in.text());
  for (std::uint64_t left = in.number(); left > 0 && in.good(); --left) {
    std::string name = in.text();
    order.invocation.environment[std::move(name)] = in.text();
  }
  if (!in.good() || order.invocation.argv.empty()) return std::nullopt;
  return order;
}

std::string encode(const CheckReport& report) {
  Writer out;
  out.number(static_cast<std::uint64_t>(report.end));
  out.number(static_cast<std::uint64_t>(report.code));
  out.number(report.left_behind);
  out.text(report.output);
  out.text(report.errors);
  out.text(report.why);
  return out.bytes();
}

// What a check may use. Limits of processes count all of a user's, so what is there is added; for
// root the kernel does not enforce them.
void set_limits(Invocation& invocation, Duration timeout) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeout) + 1s;
  uid_t uid = ::geteuid();
  if (const passwd* user = ::getpwnam(invocation.user.c_str());
      !invocation.user.empty() && user != nullptr)
    uid = user->pw_uid;
  invocation.limits = {{RLIMIT_CORE, 0}, {RLIMIT_CPU, static_cast<rlim_t>(seconds.count())}};
  if (uid != 0)
    invocation.limits.emplace_back(RLIMIT_NPROC,
                                   programs::tasks_of_user(uid) + limits::kCheckProcessesMax);
}

// The beginning of what a check prints; more than it may print ends it.
class Printed {
 public:
  bool add(Keep::Source source, std::string_view bytes) {
    total_ += bytes.size();
    std::string& into = source == Keep::Source::output ? output : errors;
    const std::size_t most = source == Keep::Source::output ? limits::kCheckOutputBytesMax
                                                            : limits::kCheckErrorsBytesMax;
    into.append(bytes.substr(0, most - into.size()));
    return !is_flood();
  }
  [[nodiscard]] bool is_flood() const { return total_ > limits::kCheckReadBytesMax; }

  std::string output;
  std::string errors;

 private:
  std::size_t total_ = 0;
};

CheckReport report_of(const Keep& keep, Keep::Waited waited, Printed& printed) {
  CheckReport report;
  report.why = keep.failure();
  if (const std::optional<int>& status = keep.status(); status && report.why.empty()) {
    report.end = WIFSIGNALED(*status) ? CheckReport::End::signalled : CheckReport::End::exited;
    report.code = WIFSIGNALED(*status) ? WTERMSIG(*status) : WEXITSTATUS(*status);
  }
  if (waited == Keep::Waited::late) report.end = CheckReport::End::timed_out;
  if (printed.is_flood()) report.end = CheckReport::End::flooded;
  report.output = std::move(printed.output);
  report.errors = std::move(printed.errors);
  return report;
}

void send_report(int socket, const CheckReport& report) {
  const std::string bytes = encode(report);
  (void)::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// In the keeper: one check from fork to report, and until nothing of it is left.
void keep_check(int socket, Order order) {
  const SystemClock clock;
  const auto deadline = clock.steady() + order.timeout;
  Printed printed;
  Keep keep([&printed](Keep::Source source, std::string_view bytes) {
    return printed.add(source, bytes);
  });
  keep.watch(socket);
  order.invocation.errors_apart = true;
  set_limits(order.invocation, order.timeout);
  if (const auto started = keep.start(order.invocation); !started) {
    CheckReport report;
    report.why = started.error().message;
    return send_report(socket, report);
  }
  const Keep::Waited waited = keep.wait_ended(deadline);
  if (waited == Keep::Waited::ended) keep.drain();
  const std::size_t left_behind = keep.is_empty() ? 0 : keep.survivors();
  const bool gone = keep.is_empty() || keep.kill_all(clock.steady() + kFirstKillWait);
  CheckReport report = report_of(keep, waited, printed);
  report.left_behind = left_behind;
  send_report(socket, report);
  if (!gone) keep.kill_all(clock.steady() + kKillWait);
}

// The process that forks a keeper for each order.
class Server {
 public:
  explicit Server(int socket) : socket_(socket) {}

  // Until the agent is gone.
  void serve() {
    while (true) {
      reap();
      if (strays_) end_strays();
      sigset_t none;
      ::sigemptyset(&none);  // SIGCHLD is blocked everywhere else
      pollfd readable{socket_, POLLIN, 0};
      const timespec again{0, kStrayInterval * 1'000'000};
      if (::ppoll(&readable, 1, strays_ ? &again : nullptr, &none) > 0 && !take_order()) return;
    }
  }

 private:
  // False when nobody can send one any more.
  bool take_order() {
    buffer_.resize(kOrderBytesMax);
    iovec data{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return true;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    const Fd report(fd);
    auto order = decode_order({buffer_.data(), static_cast<std::size_t>(got)});
    if (order) start_keeper(report, *std::move(order));
    return true;
  }

  void start_keeper(const Fd& report, Order order) {
    const pid_t pid = ::fork();
    if (pid > 0) keepers_.insert(pid);
    if (pid != 0) return;  // when it failed, the report's reader sees an end without a word
    if (programs::become_keeper("firebreak-keep", report.get()))
      keep_check(report.get(), std::move(order));
    ::_exit(0);
  }

  void reap() {
    int status = 0;
    for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
         pid = ::waitpid(-1, &status, WNOHANG)) {
      // A keeper that a check has killed leaves to us what it kept.
      if (keepers_.erase(pid) == 1 && WIFSIGNALED(status)) strays_ = true;
    }
  }

  void end_strays() {
    std::set<pid_t> kept = keepers_;
    for (const pid_t keeper : keepers_)
      for (const pid_t pid : programs::descendants_of(keeper)) kept.insert(pid);
    strays_ = false;
    for (const int signal : {SIGSTOP, SIGKILL})
      for (const pid_t pid : programs::descendants_of(::getpid())) {
        if (kept.contains(pid)) continue;
        strays_ = true;
        ::kill(pid, signal);
      }
  }

  int socket_;
  std::string buffer_;
  std::set<pid_t> keepers_;
  bool strays_ = false;
};

struct Sockets {
  Fd ours;
  Fd theirs;
};

Result<Sockets> make_sockets() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return system_error(Errc::resource_exhausted, "socketpair");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Sockets{Fd(ends[0]), Fd(ends[1])};
}

// One order, and the end of the socket that its report goes to.
bool send_order(int socket, std::string_view bytes, int report) {
  std::string copy(bytes);
  iovec data{copy.data(), copy.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &report, sizeof report);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

Result<std::unique_ptr<CheckKeeper>> CheckKeeper::start() {
  std::unique_ptr<CheckKeeper> keeper(new CheckKeeper());
  if (auto forked = keeper->fork_keeper(); !forked) return forked.error();
  return keeper;
}

CheckKeeper::~CheckKeeper() {
  forget_keeper();
}

Result<void> CheckKeeper::fork_keeper() {
  auto sockets = make_sockets();
  if (!sockets) return sockets.error();
  pid_ = ::fork();
  if (pid_ < 0) return system_error(Errc::resource_exhausted, "cannot fork");
  if (pid_ == 0) {
    const int socket = sockets->theirs.get();
    if (programs::become_keeper("firebreak-check", socket)) Server(socket).serve();
    ::_exit(0);
  }
  socket_ = std::move(sockets->ours);
  return {};
}

// It ends when its socket does, unless a check has stopped it. Keepers go on without it.
void CheckKeeper::forget_keeper() {
  socket_.reset();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

Result<Fd> CheckKeeper::run(const Invocation& invocation, Duration timeout) {
  const std::string order = encode(invocation, timeout);
  if (order.size() > kOrderBytesMax)
    return make_error(Errc::invalid_argument, "the check's arguments are too long");
  auto report = make_sockets();
  if (!report) return report.error();
  if (send_order(socket_.get(), order, report->theirs.get())) return std::move(report->ours);
  if (errno == EAGAIN)
    return make_error(Errc::resource_exhausted, "too many checks wait to be started");
  forget_keeper();
  if (auto forked = fork_keeper(); !forked) return forked.error();
  if (send_order(socket_.get(), order, report->theirs.get())) return std::move(report->ours);
  return system_error(Errc::unavailable, "the process that keeps checks does not answer");
}

std::optional<CheckReport> take_report(int socket) {
  std::string bytes(kReportBytesMax, '\0');
  ssize_t got = -1;
  do {
    got = ::recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return std::nullopt;
  Reader in(std::string_view(bytes).substr(0, static_cast<std::size_t>(got)));
  CheckReport report;
  report.end = static_cast<CheckReport::End>(in.number());
  report.code = static_cast<int>(in.number());
  report.left_behind = in.number();
  report.output = in.text();
  report.errors = in.text();
  report.why = in.text();
  if (!in.good()) return std::nullopt;
  return report;
}

}  // namespace firebreak::probes
