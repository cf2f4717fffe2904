// The limit: one request and its reply over a new connection, by an epoll loop that does nothing
// else. No parsing, no deadline, no evidence.
#pragma once

#include <cstdint>
#include <string_view>

namespace firebreak::bench {

// `total` exchanges with 127.0.0.1:`port`, `at_once` at a time. A reply is over when it holds
// `reply_end`. std::runtime_error when one fails.
void exchange(std::uint16_t port, std::string_view request, std::string_view reply_end, int total,
              int at_once);

}  // namespace firebreak::bench
