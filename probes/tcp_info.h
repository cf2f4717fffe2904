// What the kernel counts about a TCP connection; alone in its file because <linux/tcp.h> and
// <netinet/tcp.h> exclude each other.
#pragma once

#include <cstdint>

namespace firebreak::probes {

// Bytes that arrived on that socket so far; 0 when it is not TCP.
std::uint64_t tcp_bytes_received(int socket);

}  // namespace firebreak::probes
