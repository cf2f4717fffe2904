// The loop around decide(): sockets, keepers, journal.
#include "agent/actuator/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <list>
#include <optional>

#include "agent/actuator/actions_file.h"
#include "agent/actuator/decide.h"
#include "agent/actuator/frame.h"
#include "agent/actuator/journal.h"
#include "agent/actuator/keeper.h"
#include "agent/actuator/wire.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/sd_notify.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReportBytesMax = 64u << 10;  // an outcome is below 10 KiB
constexpr std::size_t kOwedAheadBytes = 128u << 10;
constexpr auto kTick = 1s;  // retries of what the disk did not take

volatile std::sig_atomic_t stop_asked = 0;
volatile std::sig_atomic_t reload_asked = 0;

extern "C" void on_signal(int signal) {
  if (signal == SIGHUP) {
    reload_asked = 1;
  } else {
    stop_asked = 1;
  }
}

// The signals wait until ppoll, so none is lost between a look at the flags and the wait.
void block_signals() {
  stop_asked = 0;
  reload_asked = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaction(signal, &action, nullptr);
    ::sigaddset(&blocked, signal);
  }
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

// Straight to stderr: the logger's own thread would not survive a fork.
void report(log::Level level, std::string_view message, std::initializer_list<log::Field> fields) {
  static const bool for_journal = std::getenv("JOURNAL_STREAM") != nullptr;
  static const SystemClock clock;
  const std::string line = log::format_line(log::Format::text, for_journal,
                                            format_rfc3339(clock.now()), level, message, fields) +
                           '\n';
  // A log that cannot be written has nowhere to be complained about.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::optional<uid_t> peer_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.uid;
}

Outcome refused(const ActionId& id, std::string reason) {
  Outcome outcome;
  outcome.id = id;
  outcome.state = State::refused;
  outcome.detail = std::move(reason);
  return outcome;
}

struct Connection {
  Fd socket;
  std::string in;
  Instant first_byte;  // of the frame that `in` begins with
  std::string out;
  std::vector<ActionId> owed;  // to be told when there is room in `out`; last one first
  bool closing = false;
};

struct Running {
  ActionId id;
  Keeper keeper;
  std::string report;
};

}  // namespace

class Server::Loop {
 public:
  Loop(ServerOptions options, Fd listener, Journal journal)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        journal_(std::move(journal)),
        clock_(journal_.history().latest()) {}

  void begin();
  void run();

 private:
  void load_actions();
  void settle_lost();
  void save(const Outcome& outcome);
  void save_waiting();
  bool append(const std::variant<Intent, Ended, Acknowledged, EpochSeen>& what);

  std::chrono::milliseconds wait_time() const;
  void wait_and_serve();
  void look_after_signals();
  bool may_end() const;

  void accept_one();
  void receive(Connection& connection);
  void take_frames(Connection& connection);
  void handle(Connection& connection, const Request& request);
  void obey(Connection& connection, const Order& order);
  void refuse(Connection& connection, const Order& order, const std::string& reason);
  void start(Connection& connection, const Order& order, const Start& decision);
  void acknowledge(const ActionId& id);
  void note_epoch(std::uint64_t epoch);
  void list_owed(Connection& connection);
  void list_actions(Connection& connection);
  static void reply(Connection& connection, const std::string& bytes);
  void flush(Connection& connection);
  void read_report(Running& running);
  void finish(Running& running);

  ServerOptions options_;
  Fd listener_;
  Journal journal_;
  SystemClock clock_;
  ActionsFolder actions_;
  std::list<Connection> connections_;
  std::list<Running> running_;
  std::vector<Outcome> unsaved_;  // ended, but the disk did not take it yet
  std::optional<std::chrono::steady_clock::time_point> stop_at_;
  std::chrono::steady_clock::time_point next_watchdog_{};
};

void Server::Loop::begin() {
  block_signals();
  load_actions();
  if (!journal_.damage().empty()) {
    report(log::Level::error, "nothing runs", {{"reason", journal_.damage()}});
    return;
  }
  settle_lost();
  if (auto compacted = journal_.compact(clock_.now()); !compacted) {
    report(log::Level::warning, "cannot compact the journal",
           {{"error", compacted.error().message}});
  }
}

void Server::Loop::load_actions() {
  yaml::Problems problems;
  actions_ = read_actions(options_.actions_directory, options_.actions_owner, problems);
  for (const yaml::Problem& problem : problems.kept()) {
    const bool is_error = problem.severity == yaml::Severity::error;
    report(is_error ? log::Level::error : log::Level::warning,
           is_error ? "a file allows nothing until it is mended" : "actions.d",
           {{"file", problem.file}, {"line", problem.line}, {"problem", problem.message}});
  }
  report(log::Level::info, "actions loaded",
         {{"folder", options_.actions_directory},
          {"actions", std::uint64_t{actions_.allowed.size()}},
          {"files_refused", std::uint64_t{actions_.files_refused}}});
}

void Server::Loop::settle_lost() {
  for (const ActionId& id : journal_.history().running()) {
    Outcome outcome;
    outcome.id = id;
    outcome.state = State::unknown;
    outcome.detail =
        "the actuator ended while the action ran; it is not repeated, look at the host";
    save(outcome);
  }
}

bool Server::Loop::append(const std::variant<Intent, Ended, Acknowledged, EpochSeen>& what) {
  const Instant now = clock_.now();
  if (auto appended = journal_.append({now, what}); !appended) {
    report(log::Level::error, "cannot write the journal", {{"error", appended.error().message}});
    return false;
  }
  if (auto compacted = journal_.compact_if_large(now); !compacted) {
    report(log::Level::warning, "cannot compact the journal",
           {{"error", compacted.error().message}});
  }
  return true;
}

// Tells everybody once the outcome is durable, or never will be.
void Server::Loop::save(const Outcome& outcome) {
  const bool saved = append(Ended{outcome});
  if (!saved && journal_.damage().empty()) {
    unsaved_.push_back(outcome);
    return;
  }
  report(outcome.state == State::succeeded ? log::Level::info : log::Level::warning, "action ended",
         {{"id", outcome.id.str()},
          {"state", to_string(outcome.state)},
          {"exit_code", outcome.exit_code},
          {"took", humanize_duration(outcome.took)},
          {"detail", outcome.detail}});
  for (Connection& connection : connections_) reply(connection, encode_outcome_reply(outcome));
}

void Server::Loop::save_waiting() {
  for (const Outcome& outcome : std::exchange(unsaved_, {})) save(outcome);
}

std::chrono::milliseconds Server::Loop::wait_time() const {
  std::chrono::milliseconds wait = 1h;
  if (!unsaved_.empty() || stop_at_) wait = kTick;
  if (const auto interval = sd::watchdog_interval()) {
    wait = std::min(wait, std::chrono::duration_cast<std::chrono::milliseconds>(*interval));
  }
  return wait;
}

void Server::Loop::look_after_signals() {
  if (reload_asked != 0) {
    reload_asked = 0;
    load_actions();
  }
  if (stop_asked != 0 && !stop_at_) {
    stop_at_ = clock_.steady() + limits::kActuatorStopWait;
    listener_.reset();
    sd::notify("STOPPING=1");
    report(log::Level::info, "stopping", {{"running", std::uint64_t{running_.size()}}});
  }
}

bool Server::Loop::may_end() const {
  if (!stop_at_) return false;
  return (running_.empty() && unsaved_.empty()) || clock_.steady() >= *stop_at_;
}

void Server::Loop::run() {
  sd::notify("READY=1");
  while (true) {
    look_after_signals();
    if (may_end()) return;
    wait_and_serve();
    if (!unsaved_.empty()) save_waiting();
    sd::notify("WATCHDOG=1");
  }
}

void Server::Loop::wait_and_serve() {
  std::vector<pollfd> polled;
  polled.push_back({listener_.get(), POLLIN, 0});  // a negative one is skipped
  for (const Running& running : running_) {
    polled.push_back({running.keeper.report.get(), POLLIN, 0});
  }
  for (const Connection& connection : connections_) {
    const int events = connection.out.empty() ? POLLIN : POLLIN | POLLOUT;
    polled.push_back({connection.socket.get(), static_cast<short>(events), 0});
  }
  const auto wait = wait_time();
  const timespec limit{wait.count() / 1000, wait.count() % 1000 * 1'000'000};
  sigset_t none;
  ::sigemptyset(&none);
  if (::ppoll(polled.data(), polled.size(), &limit, &none) <= 0) return;
  // Ends first, so that a connection hears of the past before the present. Entries that are added
  // on the way come after those that were polled.
  std::size_t index = 1;
  const std::size_t polled_running = running_.size();
  const std::size_t polled_connections = connections_.size();
  auto running = running_.begin();
  for (std::size_t i = 0; i < polled_running; ++i, ++index) {
    if (polled[index].revents != 0) read_report(*running);
    running = running->keeper.pid < 0 ? running_.erase(running) : std::next(running);
  }
  auto connection = connections_.begin();
  for (std::size_t i = 0; i < polled_connections; ++i, ++index, ++connection) {
    if (polled[index].revents != 0) receive(*connection);
  }
  if (polled.front().revents != 0) accept_one();
  for (Connection& each : connections_) flush(each);
  connections_.remove_if([](const Connection& each) { return each.closing; });
}

void Server::Loop::accept_one() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const auto peer = peer_of(socket.get());
  if (!peer || !options_.peers.contains(*peer)) {
    report(log::Level::warning, "a user who may not give orders was turned away",
           {{"uid", peer ? std::to_string(*peer) : "unknown"}});
    return;
  }
  if (connections_.size() >= limits::kActuatorConnectionsMax) {
    report(log::Level::warning, "too many connections, one was turned away",
           {{"connections", std::uint64_t{connections_.size()}}});
    return;
  }
  connections_.emplace_back().socket = std::move(socket);
}

void Server::Loop::receive(Connection& connection) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    connection.closing = true;
    return;
  }
  if (connection.in.empty()) connection.first_byte = clock_.now();
  connection.in.append(buffer.data(), static_cast<std::size_t>(got));
  take_frames(connection);
}

void Server::Loop::take_frames(Connection& connection) {
  while (!connection.closing && connection.in.size() >= kFrameHeaderBytes) {
    const std::size_t length = frame_length(connection.in);
    if (length > kRequestBytesMax) {
      report(log::Level::warning, "a request is too large, its connection was closed",
             {{"bytes", std::uint64_t{length}}, {"most", std::uint64_t{kRequestBytesMax}}});
      connection.closing = true;
      return;
    }
    if (connection.in.size() < kFrameHeaderBytes + length) return;
    const auto request =
        decode_request(std::string_view(connection.in).substr(kFrameHeaderBytes, length));
    connection.in.erase(0, kFrameHeaderBytes + length);
    if (!request) {
      report(log::Level::warning, "a request was not understood, its connection was closed",
             {{"error", request.error().message}});
      connection.closing = true;
      return;
    }
    handle(connection, *request);
    connection.first_byte = clock_.now();
  }
}

void Server::Loop::handle(Connection& connection, const Request& request) {
  if (const auto* order = std::get_if<Order>(&request)) {
    obey(connection, *order);
  } else if (const auto* acknowledged = std::get_if<Acknowledged>(&request)) {
    acknowledge(acknowledged->id);
  } else if (const auto* owed = std::get_if<Owed>(&request)) {
    note_epoch(owed->epoch);
    list_owed(connection);
  } else {
    list_actions(connection);
  }
}

void Server::Loop::obey(Connection& connection, const Order& order) {
  Situation situation{actions_.allowed,  journal_.history(),    actions_.files_refused,
                      journal_.damage(), connection.first_byte, clock_.now()};
  if (situation.closed.empty() && stop_at_) situation.closed = "the actuator is being stopped";
  const Decision decision = decide(order, situation);
  if (const auto* known = std::get_if<Known>(&decision)) {
    reply(connection, encode_outcome_reply(known->outcome));
  } else if (const auto* refusal = std::get_if<Refuse>(&decision)) {
    refuse(connection, order, refusal->reason);
  } else {
    start(connection, order, std::get<Start>(decision));
  }
}

// A refusal is remembered as well: the same id is never obeyed later.
void Server::Loop::refuse(Connection& connection, const Order& order, const std::string& reason) {
  report(log::Level::warning, "order refused",
         {{"action", order.name}, {"id", order.id.str()}, {"reason", reason}});
  const Outcome outcome = refused(order.id, reason);
  const bool has_id = !order.id.empty() && order.id.str().size() <= limits::kActionIdBytesMax;
  if (has_id && journal_.damage().empty()) {
    note_epoch(order.epoch);
    append(Ended{outcome});
  }
  reply(connection, encode_outcome_reply(outcome));
}

void Server::Loop::start(Connection& connection, const Order& order, const Start& decision) {
  if (!append(Intent{order.id, order.name, order.epoch})) {
    const Outcome outcome =
        refused(order.id, "the actuator's journal cannot be written, so nothing may run");
    reply(connection, encode_outcome_reply(outcome));
    return;
  }
  if (is_expired(order, connection.first_byte, clock_.now())) {
    save(refused(order.id, "the order expired while it was written to the journal"));
    return;
  }
  auto keeper = start_keeper(make_launch(order.id, *decision.action, decision.argv));
  if (!keeper) {
    Outcome outcome;
    outcome.id = order.id;
    outcome.state = State::failed;
    outcome.detail = "cannot start a process: " + keeper.error().message;
    save(outcome);
    return;
  }
  report(log::Level::info, "action started",
         {{"action", order.name},
          {"id", order.id.str()},
          {"incident", order.incident},
          {"reason", order.reason}});
  ::fcntl(keeper->report.get(), F_SETFL, O_NONBLOCK);
  running_.push_back({order.id, *std::move(keeper), {}});
  Outcome outcome;
  outcome.id = order.id;
  outcome.state = State::started;
  reply(connection, encode_outcome_reply(outcome));
}

void Server::Loop::acknowledge(const ActionId& id) {
  const History::Entry* entry = journal_.history().find(id);
  if (entry == nullptr || !entry->outcome || entry->acknowledged) return;
  append(Acknowledged{id});
}

// Whoever led before is not obeyed any more, even if its successor never orders anything here.
void Server::Loop::note_epoch(std::uint64_t epoch) {
  if (epoch > journal_.history().epoch_seen() && journal_.damage().empty())
    append(EpochSeen{epoch});
}

void Server::Loop::list_owed(Connection& connection) {
  connection.owed.clear();
  for (const auto& [id, entry] : journal_.history().entries()) {
    if (entry.outcome && !entry.acknowledged) connection.owed.push_back(id);
  }
  std::reverse(connection.owed.begin(), connection.owed.end());
}

void Server::Loop::list_actions(Connection& connection) {
  std::vector<std::string> names;
  for (const auto& [name, action] : actions_.allowed) names.push_back(name);
  reply(connection, encode_list_reply(names, journal_.history().epoch_seen()));
}

void Server::Loop::reply(Connection& connection, const std::string& bytes) {
  if (connection.closing) return;
  connection.out += bytes;
  if (connection.out.size() <= limits::kActuatorReplyBytesMax) return;
  // Nothing is lost: it may connect again and ask for what it is owed.
  report(log::Level::warning, "a peer does not read its replies, its connection was closed", {});
  connection.closing = true;
}

void Server::Loop::flush(Connection& connection) {
  while (!connection.closing) {
    while (connection.out.size() < kOwedAheadBytes && !connection.owed.empty()) {
      const History::Entry* entry = journal_.history().find(connection.owed.back());
      connection.owed.pop_back();
      if (entry != nullptr && entry->outcome && !entry->acknowledged) {
        reply(connection, encode_outcome_reply(*entry->outcome));
      }
    }
    if (connection.out.empty()) return;
    const ssize_t sent =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
      connection.closing = true;
      return;
    }
    connection.out.erase(0, static_cast<std::size_t>(sent));
  }
}

void Server::Loop::read_report(Running& running) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(running.keeper.report.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0 && running.report.size() <= kReportBytesMax) {
    running.report.append(buffer.data(), static_cast<std::size_t>(got));
    return;
  }
  finish(running);
}

void Server::Loop::finish(Running& running) {
  running.keeper.report.reset();
  while (::waitpid(running.keeper.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  running.keeper.pid = -1;
  const auto decoded = decode_outcome(running.report);
  Outcome outcome;
  if (decoded && decoded->id == running.id) {
    outcome = *decoded;
  } else {
    outcome.id = running.id;
    outcome.state = State::unknown;
    outcome.detail = "the process that watched over the action was killed; look at the host";
  }
  save(outcome);
}

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;
Server::~Server() = default;

Result<Server> Server::open(ServerOptions options, Fd listener) {
  auto journal = Journal::open(options.state_directory);
  if (!journal) return journal.error();
  auto loop = std::make_unique<Loop>(std::move(options), std::move(listener), *std::move(journal));
  loop->begin();
  return Server(std::move(loop));
}

void Server::run() {
  loop_->run();
}

}  // namespace firebreak::actuator
