// Connect, send, read to the end: one poll() before each step.
#include "cli/agent_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/fd.h"
#include "probes/http_response.h"

namespace firebreak::cli {
namespace {

using Steady = std::chrono::steady_clock;
using Parser = probes::HttpResponseParser;

Error too_late(const std::string& path) {
  return make_error(Errc::deadline_exceeded, "no answer on " + path);
}

Result<> wait_for(int fd, short events, Steady::time_point deadline, const std::string& path) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now()).count();
    if (left <= 0) return too_late(path);
    pollfd ready{fd, events, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (count > 0) return {};
    if (count < 0 && errno != EINTR) return system_error(Errc::unavailable, path);
  }
}

// Waits while more connect at once than the agent's backlog holds.
Result<Fd> connect_to(const std::string& path, Duration within) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return make_error(Errc::invalid_argument, "'" + path + "' cannot be the path of a socket");
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(within).count();
  const timeval patience{static_cast<time_t>(seconds), 0};
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0)
    return system_error(Errc::unavailable, "no agent on " + path);
  return fd;
}

Result<> send_all(int fd, std::string_view text, Steady::time_point deadline,
                  const std::string& path) {
  while (!text.empty()) {
    if (auto ready = wait_for(fd, POLLOUT, deadline, path); !ready) return ready;
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return system_error(Errc::unavailable, path);
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<AgentAnswer> read_answer(int fd, Steady::time_point deadline, const std::string& path) {
  Parser parser(false);
  std::array<char, 4096> buffer{};
  for (;;) {
    if (auto ready = wait_for(fd, POLLIN, deadline, path); !ready) return ready.error();
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size < 0) return system_error(Errc::unavailable, path);
    const auto progress =
        size == 0 ? parser.end() : parser.feed({buffer.data(), static_cast<std::size_t>(size)});
    if (progress == Parser::Progress::more) continue;
    if (progress == Parser::Progress::failed)
      return make_error(Errc::unavailable, path + ": " + parser.problem());
    probes::HttpResponse response = parser.take();
    while (response.body.ends_with('\n')) response.body.pop_back();
    return AgentAnswer{response.status, std::move(response.body)};
  }
}

}  // namespace

Result<AgentAnswer> ask_agent(const std::string& socket, const std::string& method,
                              const std::string& target, const std::string& body, Duration within) {
  const Steady::time_point deadline = Steady::now() + within;
  const auto fd = connect_to(socket, within);
  if (!fd) return fd.error();
  std::string request = method + " " + target + " HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n";
  if (method != "GET") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  request.append("\r\n").append(body);
  if (auto sent = send_all(fd->get(), request, deadline, socket); !sent) return sent.error();
  return read_answer(fd->get(), deadline, socket);
}

}  // namespace firebreak::cli
