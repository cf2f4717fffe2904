// The server's side of a gRPC call, for tests: what a real server would send, as bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firebreak::testing {

using H2Headers = std::vector<std::pair<std::string, std::string>>;

// A frame (RFC 9113, 4.1) as it is on the wire.
std::string h2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                     std::string_view payload);
// A header block without compression (RFC 7541, 6.2.2).
std::string h2_fields(const H2Headers& headers);

std::string h2_settings();  // empty ones, and the acknowledgement of the peer's
std::string h2_headers(const H2Headers& headers, bool end = false);
std::string h2_data(std::string_view bytes, bool end = false);
std::string h2_reset(std::uint32_t error);
std::string h2_goaway(std::uint32_t last_stream, std::uint32_t error, std::string_view debug);

// A message with its prefix of five bytes.
std::string grpc_message(std::string_view protobuf);
// Everything that a healthy server answers: SERVING is 1.
std::string health_answer(char serving_status = 1);
// A server's answer without a message.
std::string grpc_error(const std::string& status, const std::string& message = "");

}  // namespace firebreak::testing
