// Servers that behave badly, in a process of their own: what they hold is not counted as the
// probes', and however busy they are, the event loop of the probes is not theirs.
//
// Real sockets of this host: TCP and UDP on free ports of 127.0.0.1, or Unix sockets.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "common/pki.h"
#include "tests/support/temp_dir.h"

namespace firebreak::hostile {

// What is said next, once the other side has said something more.
struct Reply {
  std::string send;
  bool at_once = false;  // without waiting for anything
  // Instead of `send`, from all that was received.
  std::function<std::string(const std::string& received)> make{};
};

// One side of a conversation, on each connection anew.
struct Act {
  enum class End {
    close,  // politely: what was sent arrives
    reset,  // with a RST
    hold,   // until the other side goes
  };
  std::vector<Reply> replies{};
  std::size_t bytes_max = std::numeric_limits<std::size_t>::max();  // of all of them; then `end`
  std::string more{};                 // then this, again and again, to the end
  std::chrono::milliseconds pause{};  // after each byte; none: as fast as it is taken
  End end = End::close;
};

// A datagram's answers, sent `times` times.
struct Datagrams {
  std::function<std::vector<std::string>(const std::string& query)> answers;
  std::size_t times = 1;
};

struct Server {
  Act clear{};
  std::optional<pki::KeyPairFiles> tls{};  // after what is said in the clear
  Act inside{};                            // of TLS
  std::string alpn{};                      // agreed to there
  std::optional<Datagrams> datagrams{};    // on the UDP port of the same number
};

enum class Where { tcp, tcp_and_udp, unix_socket };

// All of them answer when the constructor returns, and are gone with the object.
class Kit {
 public:
  Kit(Where where, std::vector<Server> servers);
  ~Kit();
  Kit(const Kit&) = delete;
  Kit& operator=(const Kit&) = delete;

  [[nodiscard]] std::uint16_t port(std::size_t server) const { return ports_.at(server); }
  [[nodiscard]] std::string path(std::size_t server) const;

 private:
  testing::TempDir folder_;
  std::vector<std::uint16_t> ports_;
  pid_t pid_ = 0;
};

}  // namespace firebreak::hostile
