// A TCP proxy on loopback whose connections can be made half-open: they stay up and carry nothing.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace firebreak::testing {

// Thread-safe.
class StallingProxy {
 public:
  // Carries to this port of 127.0.0.1.
  explicit StallingProxy(int to) : to_(to), listener_(::socket(AF_INET, kKind, 0)) {
    sockaddr any = loopback(0);
    socklen_t size = sizeof any;
    if (::bind(listener_, &any, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, &any, &size) != 0)
      throw std::runtime_error("the proxy cannot listen");
    sockaddr_in bound{};
    std::memcpy(&bound, &any, sizeof bound);
    port_ = ntohs(bound.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~StallingProxy() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      for (const Pair& pair : pairs_) {
        ::shutdown(pair.client, SHUT_RDWR);
        ::shutdown(pair.server, SHUT_RDWR);
      }
    }
    stop_.notify_all();
    for (Pair& pair : pairs_) {
      pair.up.join();
      pair.down.join();
      ::close(pair.client);
      ::close(pair.server);
    }
    ::close(listener_);
  }
  StallingProxy(const StallingProxy&) = delete;
  StallingProxy& operator=(const StallingProxy&) = delete;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // The connections that there are carry nothing any more. New ones do.
  void stall() {
    const std::lock_guard lock(mutex_);
    for (Pair& pair : pairs_) pair.is_stalled = true;
  }

 private:
  static constexpr int kKind = SOCK_STREAM | SOCK_CLOEXEC;
  struct Pair {
    int client = -1;
    int server = -1;
    std::atomic<bool> is_stalled = false;
    std::thread up;
    std::thread down;
  };

  static sockaddr loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    sockaddr generic{};
    static_assert(sizeof generic == sizeof address);
    std::memcpy(&generic, &address, sizeof address);
    return generic;
  }

  void accept_all() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = ::socket(AF_INET, kKind, 0);
      const sockaddr there = loopback(to_);
      if (::connect(server, &there, sizeof there) != 0) {
        ::close(server);
        ::close(client);
        continue;
      }
      const std::lock_guard lock(mutex_);
      Pair& pair = pairs_.emplace_back();
      pair.client = client;
      pair.server = server;
      pair.up = std::thread([this, &pair] { carry(pair, pair.client, pair.server); });
      pair.down = std::thread([this, &pair] { carry(pair, pair.server, pair.client); });
    }
  }

  void carry(const Pair& pair, int from, int to) {
    std::array<char, 16384> bytes{};
    for (;;) {
      const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
      if (pair.is_stalled) break;
      if (got <= 0) {
        ::shutdown(to, SHUT_WR);
        return;
      }
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t now =
            ::send(to, bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
        if (now <= 0) return;
        sent += now;
      }
    }
    std::unique_lock lock(mutex_);
    stop_.wait(lock, [this] { return is_stopping_; });
  }

  const int to_;
  const int listener_;
  int port_ = 0;
  std::thread acceptor_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool is_stopping_ = false;
  std::list<Pair> pairs_;
};

}  // namespace firebreak::testing
