// Blocking sockets and threads: simple on purpose.
#include "tests/support/http_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace firebreak::testing {
namespace {

std::optional<ReceivedRequest> read_request(int connection) {
  std::string text;
  std::array<char, 4096> buffer{};
  const auto more = [&] {
    const ssize_t size = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (size > 0) text.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0;
  };
  while (text.find("\r\n\r\n") == std::string::npos)
    if (!more()) return std::nullopt;
  const std::size_t head_end = text.find("\r\n\r\n") + 4;
  ReceivedRequest request;
  std::size_t at = text.find("\r\n") + 2;
  const std::string first = text.substr(0, at - 2);
  request.method = first.substr(0, first.find(' '));
  const std::size_t path_at = first.find(' ') + 1;
  request.path = first.substr(path_at, first.rfind(' ') - path_at);
  while (at < head_end - 2) {
    const std::size_t end = text.find("\r\n", at);
    std::string name = text.substr(at, text.find(':', at) - at);
    const std::size_t value_at = at + name.size() + 1;
    std::string value = text.substr(value_at, end - value_at);
    value.erase(0, value.find_first_not_of(' '));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[name] = value;
    at = end + 2;
  }
  const auto length = request.headers.find("content-length");
  const std::size_t wanted = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (text.size() < head_end + wanted)
    if (!more()) return std::nullopt;
  request.body = text.substr(head_end, wanted);
  return request;
}

}  // namespace

HttpReceiver::HttpReceiver(Answer answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  std::memcpy(&generic, &at, sizeof at);
  socklen_t size = sizeof generic;
  if (::bind(listener_, &generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, &generic, &size) != 0)
    throw std::runtime_error("cannot listen on 127.0.0.1");
  std::memcpy(&at, &generic, sizeof at);
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

HttpReceiver::~HttpReceiver() {
  std::vector<std::thread> threads;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (const int connection : open_) ::shutdown(connection, SHUT_RDWR);
    threads.swap(threads_);
  }
  ending_changed_.notify_all();
  for (std::thread& thread : threads) thread.join();
  ::close(listener_);
}

std::string HttpReceiver::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<ReceivedRequest> HttpReceiver::requests(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  std::vector<ReceivedRequest> found;
  for (const ReceivedRequest& request : requests_)
    if (request.path == path) found.push_back(request);
  return found;
}

void HttpReceiver::accept_loop() {
  for (;;) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(connection);
    threads_.emplace_back([this, connection] { serve(connection); });
  }
}

void HttpReceiver::serve(int connection) {
  if (const auto request = read_request(connection)) reply(connection, *request);
  const std::lock_guard lock(mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), connection));
  ::close(connection);
}

void HttpReceiver::reply(int connection, const ReceivedRequest& request) {
  int number = 0;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    number = static_cast<int>(
        std::count_if(requests_.begin(), requests_.end(),
                      [&](const ReceivedRequest& other) { return other.path == request.path; }));
  }
  const std::string text = answer_(request, number);
  if (text.empty()) {
    std::unique_lock lock(mutex_);
    ending_changed_.wait(lock, [this] { return ending_; });
    return;
  }
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t size = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return;
    sent += static_cast<std::size_t>(size);
  }
}

std::string http_reply(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Test\r\nConnection: close\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace firebreak::testing
