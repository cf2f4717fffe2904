// Frames are written by hand: what is wrong with them is up to the test.
#include "tests/unit/probes/h2_peer.h"

namespace firebreak::testing {
namespace {

std::string big_endian(std::uint32_t number, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>((number >> shift) & 0xff);
  return text;
}

}  // namespace

std::string h2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                     std::string_view payload) {
  std::string frame = big_endian(static_cast<std::uint32_t>(payload.size()), 3);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame.append(big_endian(stream, 4)).append(payload);
}

std::string h2_fields(const H2Headers& headers) {
  const auto text = [](const std::string& value) {
    if (value.size() < 127) return static_cast<char>(value.size()) + value;
    std::string coded = "\x7f";
    std::size_t rest = value.size() - 127;
    for (; rest >= 128; rest >>= 7) coded += static_cast<char>(0x80 | (rest & 0x7f));
    coded += static_cast<char>(rest);
    return coded + value;
  };
  std::string block;
  for (const auto& [name, value] : headers)
    block.append(1, '\0').append(text(name)).append(text(value));
  return block;
}

std::string h2_settings() {
  return h2_frame(4, 0, 0, "") + h2_frame(4, 1, 0, "");
}

std::string h2_headers(const H2Headers& headers, bool end) {
  return h2_frame(1, end ? 5 : 4, 1, h2_fields(headers));
}

std::string h2_data(std::string_view bytes, bool end) {
  return h2_frame(0, end ? 1 : 0, 1, bytes);
}

std::string h2_reset(std::uint32_t error) {
  return h2_frame(3, 0, 1, big_endian(error, 4));
}

std::string h2_goaway(std::uint32_t last_stream, std::uint32_t error, std::string_view debug) {
  return h2_frame(7, 0, 0, big_endian(last_stream, 4) + big_endian(error, 4) + std::string(debug));
}

std::string grpc_message(std::string_view protobuf) {
  return std::string(1, '\0')
      .append(big_endian(static_cast<std::uint32_t>(protobuf.size()), 4))
      .append(protobuf);
}

std::string health_answer(char serving_status) {
  return h2_settings() + h2_headers({{":status", "200"}, {"content-type", "application/grpc"}}) +
         h2_data(grpc_message(std::string("\x08") + serving_status)) +
         h2_headers({{"grpc-status", "0"}}, true);
}

std::string grpc_error(const std::string& status, const std::string& message) {
  return h2_settings() + h2_headers({{":status", "200"},
                                     {"content-type", "application/grpc"},
                                     {"grpc-status", status},
                                     {"grpc-message", message}},
                                    true);
}

}  // namespace firebreak::testing
