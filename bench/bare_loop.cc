// connect, write, read, close; as few system calls as can be.
#include "bench/bare_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace firebreak::bench {
namespace {

class Loop {
 public:
  Loop(std::uint16_t port, std::string_view request, std::string_view reply_end)
      : request_(request), reply_end_(reply_end), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    std::memcpy(&address_, &address, sizeof address);
  }
  ~Loop() { ::close(epoll_); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run(int total, int at_once) {
    int started = 0;
    for (; started < at_once && started < total; ++started) connect();
    std::array<epoll_event, 256> events{};
    for (int done = 0; done < total;) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        if (!advance(events[static_cast<std::size_t>(i)])) continue;
        ++done;
        if (started < total) {
          ++started;
          connect();
        }
      }
    }
  }

 private:
  void connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (::connect(fd, &address_, sizeof address_) != 0 && errno != EINPROGRESS) fail("connect");
    watch(EPOLL_CTL_ADD, fd, EPOLLOUT);
  }

  // Whether the exchange is over.
  bool advance(const epoll_event& event) {
    const int fd = event.data.fd;
    if ((event.events & EPOLLOUT) != 0) {
      if (::send(fd, request_.data(), request_.size(), MSG_NOSIGNAL) < 0) fail("send");
      watch(EPOLL_CTL_MOD, fd, EPOLLIN);
      return false;
    }
    const ssize_t size = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (size <= 0) fail("recv");
    const std::string_view reply(buffer_.data(), static_cast<std::size_t>(size));
    if (reply.find(reply_end_) == std::string_view::npos) return false;
    ::close(fd);
    return true;
  }

  void watch(int how, int fd, std::uint32_t what) const {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, how, fd, &event) != 0) fail("epoll_ctl");
  }

  [[noreturn]] static void fail(const char* doing) {
    throw std::runtime_error(std::string("the bare loop: ") + doing + ": " + std::strerror(errno));
  }

  std::string_view request_;
  std::string_view reply_end_;
  int epoll_;
  sockaddr address_{};
  std::array<char, 16384> buffer_{};
};

}  // namespace

void exchange(std::uint16_t port, std::string_view request, std::string_view reply_end, int total,
              int at_once) {
  Loop(port, request, reply_end).run(total, at_once);
}

}  // namespace firebreak::bench
