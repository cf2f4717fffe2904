// Sockets, a deadline for each, and one thread that waits for the disk.
#include "agent/heartbeat_server.h"

#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <list>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>

#include "agent/heartbeat_http.h"
#include "agent/heartbeat_requests.h"
#include "agent/heartbeats.h"
#include "agent/state/checked_file.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/unix_listener.h"

namespace firebreak::agent {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;
using boost::asio::local::stream_protocol;
using boost::system::error_code;
using Socket = boost::asio::generic::stream_protocol::socket;

constexpr const char* kFileName = "heartbeats";
constexpr Duration kListenAgain = 10s;
constexpr Duration kAcceptAgain = 100ms;
constexpr Duration kGrace = 200ms;  // a request that is on its way needs less
// Putting a save together takes microseconds, with the most and longest reports 45 ms, and the loop
// probes as well: whoever reports without end gets this part of it.
constexpr int kLoopShare = 5;

// The users whom a socket's credentials can name: in a user namespace (PrivateUsers=) all others
// look alike.
bool is_told_apart(uid_t user) {
  const auto map = read_small_file("/proc/self/uid_map", limits::kTextBytesMax);
  if (!map) return false;
  std::istringstream lines(*map);
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (lines >> inside >> outside >> count)
    if (user >= inside && user - inside < count) return true;
  return false;
}

std::optional<uid_t> find_user(const std::string& name) {
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr)
    return std::nullopt;
  return found->pw_uid;
}

// A user that cannot be found, or not be told from others, may not report.
std::map<std::string, std::set<uid_t>> find_users(const HeartbeatConfig& config) {
  std::map<std::string, std::set<uid_t>> users;
  for (const auto& [heartbeat, names] : config.users) {
    std::set<uid_t>& may = users[heartbeat];
    for (const std::string& name : names) {
      const auto user = find_user(name);
      if (user && is_told_apart(*user)) {
        may.insert(*user);
        continue;
      }
      log::error(user ? "a user that may report cannot be told from others here: give the unit "
                        "PrivateUsers=no"
                      : "a user that may report does not exist",
                 {{"heartbeat", heartbeat}, {"user", name}});
    }
  }
  return users;
}

Heartbeats load_beats(const std::string& folder, const HostTime& now) {
  const std::string path = folder + "/" + kFileName;
  const auto text = read_checked_file(path, limits::kHeartbeatFileBytesMax);
  if (!text && text.error().code == Errc::not_found) return {};
  if (text) {
    auto beats = Heartbeats::load(*text, now);
    if (beats) return *std::move(beats);
  }
  log::error(
      "what jobs have reported is lost: their heartbeats begin anew, unknown until they report or "
      "are late",
      {{"file", path}, {"error", text ? "not as this agent writes it" : text.error().message}});
  return {};
}

std::optional<uid_t> user_of(stream_protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return std::nullopt;
  return peer.uid;
}

// One request and its answer.
struct Connection {
  Connection(boost::asio::io_context& io, Socket opened, std::optional<uid_t> peer)
      : socket(std::move(opened)), timer(io), user(peer) {}

  Socket socket;
  boost::asio::steady_timer timer;
  std::optional<uid_t> user;  // nothing: by TCP
  HttpRequestParser parser;
  std::array<char, 4096> buffer{};
  std::string out;
  std::chrono::steady_clock::time_point since;
  bool may_go = true;  // to make place: it does not wait for the disk
  std::list<std::shared_ptr<Connection>>::iterator place;
};
using Connected = std::shared_ptr<Connection>;

struct Waiter {
  Connected connection;
  HttpAnswer answer;
};

}  // namespace

class HeartbeatServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, const Clock& clock, HeartbeatConfig config, std::string folder,
       std::string boot_id)
      : io_(io),
        clock_(clock),
        config_(std::move(config)),
        folder_(std::move(folder)),
        boot_id_(std::move(boot_id)),
        beats_(load_beats(folder_, now())),
        local_(io),
        tcp_(io),
        listen_timer_(io),
        save_timer_(io),
        rest_timer_(io),
        hold_timer_(io) {}

  void start() {
    rights_.users = find_users(config_);
    save();
    wait_to_save();
    listen();
  }

  void stop() {
    if (std::exchange(is_stopped_, true)) return;
    error_code ignored;
    local_.close(ignored);
    tcp_.close(ignored);
    listen_timer_.cancel();
    save_timer_.cancel();
    rest_timer_.cancel();
    hold_timer_.cancel();
    held_.clear();
    while (!connections_.empty()) close(connections_.front());
    boost::asio::post(disk_, [folder = folder_, text = beats_.save(now())] {
      if (const auto saved = replace_checked_file(folder, kFileName, text); !saved)
        log::error("heartbeats are not saved", {{"error", saved.error().message}});
    });
    disk_.join();
  }

  void expect(const std::set<std::string>& names) {
    if (beats_.expect(names, now())) save();
  }

  [[nodiscard]] Result<probes::Heartbeat> find(const std::string& name) const {
    auto beat = beats_.find(name, now());
    if (!beat)
      return make_error(Errc::resource_exhausted,
                        "'" + name +
                            "' is not known here: no assigned probe asks for it, or more than " +
                            std::to_string(limits::kHeartbeatsMax) + " names are asked for");
    beat->trouble = trouble_;
    return *std::move(beat);
  }

  [[nodiscard]] std::uint16_t tcp_port() const {
    error_code ignored;
    return tcp_.is_open() ? tcp_.local_endpoint(ignored).port() : std::uint16_t{0};
  }

 private:
  [[nodiscard]] HostTime now() const { return {boot_id_, clock_.since_boot(), clock_.wall()}; }

  // --- Listening ---

  void listen() {
    std::string trouble;
    if (!local_.is_open()) trouble = listen_local();
    const bool wants_tcp = !config_.address.empty() && !tcp_.is_open();
    if (const std::string refused = wants_tcp ? listen_tcp() : ""; !refused.empty())
      trouble += (trouble.empty() ? "" : "; ") + refused;
    if (trouble != trouble_ && !trouble.empty())
      log::error("jobs cannot report", {{"error", trouble}});
    trouble_ = std::move(trouble);
    if (trouble_.empty()) return;
    listen_timer_.expires_after(kListenAgain);
    listen_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (!cancelled && !self->is_stopped_) self->listen();
    });
  }

  // Why not; empty: it listens.
  std::string listen_local() {
    auto listener = make_unix_listener(config_.socket, config_.is_for_all ? 0666 : 0660);
    if (!listener) return listener.error().message;
    error_code failed;
    local_.assign(stream_protocol(), listener->get(), failed);
    if (failed) return "cannot listen on " + config_.socket + ": " + failed.message();
    (void)listener->release();
    log::info("jobs may report", {{"socket", config_.socket}});
    accept(local_);
    return {};
  }

  std::string listen_tcp() {
    const auto token = read_password_file(config_.token_file);
    if (!token) return token.error().message;
    if (token->empty()) return config_.token_file + " is empty";
    rights_.token = *token;
    error_code failed;
    const auto address = boost::asio::ip::make_address(config_.address, failed);
    const tcp::endpoint endpoint(address, config_.port);
    tcp::acceptor acceptor(io_);
    if (!failed) acceptor.open(endpoint.protocol(), failed);
    if (!failed) acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
    if (!failed) acceptor.bind(endpoint, failed);
    if (!failed) acceptor.listen(boost::asio::socket_base::max_listen_connections, failed);
    if (failed)
      return "cannot listen on " + host_and_port(config_.address, config_.port) + ": " +
             failed.message();
    tcp_ = std::move(acceptor);
    log::info("jobs may report", {{"address", host_and_port(config_.address, tcp_port())}});
    accept(tcp_);
    return {};
  }

  static std::optional<uid_t> peer_of(stream_protocol::socket& socket) { return user_of(socket); }
  static std::optional<uid_t> peer_of(tcp::socket& /*socket*/) { return std::nullopt; }
  static bool is_known(const stream_protocol::acceptor& /*by*/, std::optional<uid_t> user) {
    return user.has_value();
  }
  static bool is_known(const tcp::acceptor& /*by*/, std::optional<uid_t> /*user*/) { return true; }

  // While all wait for the disk or have only come, who comes waits in the kernel.
  template <class Acceptor>
  void accept(Acceptor& acceptor) {
    if (connections_.size() >= limits::kHeartbeatConnectionsMax && !oldest_that_may_go()) {
      held_.push_back([this, &acceptor] { accept(acceptor); });
      hold_timer_.expires_after(kGrace);
      hold_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
        if (!cancelled && !self->is_stopped_) self->accept_held();
      });
      return;
    }
    acceptor.async_accept(
        [self = shared_from_this(), &acceptor](const error_code& failed, auto socket) {
          if (self->is_stopped_) return;
          if (failed) return self->accept_later(acceptor);
          const std::optional<uid_t> user = peer_of(socket);
          if (is_known(acceptor, user))
            self->admit(std::make_shared<Connection>(self->io_, Socket(std::move(socket)), user));
          self->accept(acceptor);
        });
  }

  // No file descriptors: nobody is turned away, only later.
  template <class Acceptor>
  void accept_later(Acceptor& acceptor) {
    const auto timer = std::make_shared<boost::asio::steady_timer>(io_, kAcceptAgain);
    timer->async_wait([self = shared_from_this(), timer, &acceptor](const error_code&) {
      if (!self->is_stopped_) self->accept(acceptor);
    });
  }

  // --- Connections ---

  [[nodiscard]] Connected oldest_that_may_go() const {
    const auto oldest = std::find_if(connections_.begin(), connections_.end(),
                                     [](const Connected& each) { return each->may_go; });
    const bool is_there = oldest != connections_.end();
    return is_there && clock_.steady() - (*oldest)->since >= kGrace ? *oldest : nullptr;
  }

  void admit(const Connected& connection) {
    if (connections_.size() >= limits::kHeartbeatConnectionsMax)
      if (const Connected oldest = oldest_that_may_go()) close(oldest);
    connection->since = clock_.steady();
    connection->place = connections_.insert(connections_.end(), connection);
    set_deadline(connection);
    read(connection);
  }

  void set_deadline(const Connected& connection) {
    connection->timer.expires_after(limits::kHeartbeatPatience);
    connection->timer.async_wait(
        [weak = weak_from_this(), connection](const error_code& cancelled) {
          if (const auto self = weak.lock(); self && !cancelled) self->close(connection);
        });
  }

  void close(const Connected& connection) {
    if (!connection->socket.is_open()) return;
    error_code ignored;
    connection->socket.close(ignored);
    connection->timer.cancel();
    std::list<Connected> closed;  // `connection` may be the list's own
    closed.splice(closed.begin(), connections_, connection->place);
    accept_held();
  }

  void accept_held() {
    for (const auto& accept_again : std::exchange(held_, {})) accept_again();
  }

  void read(const Connected& connection) {
    connection->socket.async_read_some(
        boost::asio::buffer(connection->buffer),
        [self = shared_from_this(), connection](const error_code& failed, std::size_t size) {
          if (failed) return self->close(connection);
          self->take(connection, {connection->buffer.data(), size});
        });
  }

  void take(const Connected& connection, std::string_view bytes) {
    using Progress = HttpRequestParser::Progress;
    const Progress progress = connection->parser.feed(bytes);
    if (progress == Progress::failed) return reply(connection, connection->parser.refusal());
    if (progress == Progress::done) return obey(connection);
    if (!connection->parser.wants_continue()) return read(connection);
    connection->out = kHttpContinue;
    boost::asio::async_write(
        connection->socket, boost::asio::buffer(connection->out),
        [self = shared_from_this(), connection](const error_code& failed, std::size_t) {
          if (failed) return self->close(connection);
          self->read(connection);
        });
  }

  void obey(const Connected& connection) {
    HttpAnswer said = answer(connection->parser.take(), connection->user, rights_, beats_, now());
    if (!said.has_changed) return reply(connection, said);
    connection->may_go = false;
    set_deadline(connection);
    waiters_.push_back({connection, std::move(said)});
    save();
  }

  void reply(const Connected& connection, const HttpAnswer& said) {
    if (!connection->socket.is_open()) return;
    connection->out = to_http(said);
    boost::asio::async_write(
        connection->socket, boost::asio::buffer(connection->out),
        [self = shared_from_this(), connection](const error_code& failed, std::size_t) {
          if (failed) return self->close(connection);
          error_code ignored;
          connection->socket.shutdown(Socket::shutdown_send, ignored);
          self->drain(connection);
        });
  }

  // A socket that is closed with unread bytes takes the answer along. Until the deadline.
  void drain(const Connected& connection) {
    connection->socket.async_read_some(
        boost::asio::buffer(connection->buffer),
        [self = shared_from_this(), connection](const error_code& failed, std::size_t) {
          if (failed) return self->close(connection);
          self->drain(connection);
        });
  }

  // --- The disk ---

  void wait_to_save() {
    save_timer_.expires_after(limits::kHeartbeatSaveEvery);
    save_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (cancelled || self->is_stopped_) return;
      self->save();
      self->wait_to_save();
    });
  }

  void save() {
    if (is_stopped_ || std::exchange(is_wanted_, true) || is_saving_) return;
    begin_to_save();
  }

  void begin_to_save() {
    is_wanted_ = false;
    is_saving_ = true;
    const HostTime begun = now();
    std::string text = beats_.save(begun);
    rest_ = (kLoopShare - 1) * (clock_.since_boot() - begun.since_boot);
    boost::asio::post(
        disk_, [weak = weak_from_this(), &io = io_, folder = folder_, text = std::move(text),
                waiters = std::exchange(waiters_, {})]() mutable {
          auto saved = replace_checked_file(folder, kFileName, text);
          boost::asio::post(io, [weak, saved = std::move(saved), waiters = std::move(waiters)] {
            if (const auto self = weak.lock()) self->saved(saved, waiters);
          });
        });
  }

  void saved(const Result<>& result, const std::vector<Waiter>& waiters) {
    if (is_stopped_) return;
    const std::string trouble = result ? "" : result.error().message;
    if (trouble != told_)
      log::write(trouble.empty() ? log::Level::info : log::Level::error,
                 trouble.empty() ? "heartbeats are saved again" : "heartbeats are not saved",
                 {{"error", trouble}});
    told_ = trouble;
    for (const Waiter& waiter : waiters) {
      waiter.connection->may_go = true;
      reply(waiter.connection,
            result ? waiter.answer : HttpAnswer{503, "not on the disk: " + trouble + "\n"});
    }
    accept_held();
    rest_timer_.expires_after(rest_);
    rest_timer_.async_wait([self = shared_from_this()](const error_code& cancelled) {
      if (cancelled || self->is_stopped_) return;
      self->is_saving_ = false;
      if (self->is_wanted_) self->begin_to_save();
    });
  }

  boost::asio::io_context& io_;
  const Clock& clock_;
  const HeartbeatConfig config_;
  const std::string folder_;
  const std::string boot_id_;
  Heartbeats beats_;
  HeartbeatRights rights_;
  stream_protocol::acceptor local_;
  tcp::acceptor tcp_;
  boost::asio::steady_timer listen_timer_;
  boost::asio::steady_timer save_timer_;
  boost::asio::steady_timer rest_timer_;
  boost::asio::steady_timer hold_timer_;
  Duration rest_{};                          // of the loop, after a save
  std::list<Connected> connections_;         // oldest first
  std::vector<std::function<void()>> held_;  // acceptors that wait for a place
  std::vector<Waiter> waiters_;              // for the next save
  std::string trouble_;                      // why it does not listen
  std::string told_;                         // of the disk's, in the log
  bool is_wanted_ = false;                   // a save
  bool is_saving_ = false;
  bool is_stopped_ = false;
  boost::asio::thread_pool disk_{1};
};

HeartbeatServer::HeartbeatServer(boost::asio::io_context& io, const Clock& clock,
                                 HeartbeatConfig config, std::string folder, std::string boot_id)
    : impl_(std::make_shared<Impl>(io, clock, std::move(config), std::move(folder),
                                   std::move(boot_id))) {}

HeartbeatServer::~HeartbeatServer() {
  impl_->stop();
}

void HeartbeatServer::start() {
  impl_->start();
}

void HeartbeatServer::stop() {
  impl_->stop();
}

void HeartbeatServer::expect(const std::set<std::string>& names) {
  impl_->expect(names);
}

Result<probes::Heartbeat> HeartbeatServer::find(const std::string& name) const {
  return impl_->find(name);
}

std::uint16_t HeartbeatServer::tcp_port() const {
  return impl_->tcp_port();
}

}  // namespace firebreak::agent
