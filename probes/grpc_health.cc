// Two messages with one field each: protobuf by hand.
#include "probes/grpc_health.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "common/limits.h"

namespace firebreak::probes {
namespace {

constexpr std::array<std::string_view, 17> kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

HealthVerdict critical(Reason reason, std::string evidence) {
  return {Status::critical, reason, std::move(evidence)};
}

// Takes a varint off the front; nothing when there is none of at most 64 bits.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

bool skip_field(std::string_view& bytes, std::uint64_t wire_type) {
  std::optional<std::uint64_t> size;
  if (wire_type == 0) return take_varint(bytes).has_value();
  if (wire_type == 1) size = 8;
  if (wire_type == 2) size = take_varint(bytes);
  if (wire_type == 5) size = 4;
  if (!size || *size > bytes.size()) return false;
  bytes.remove_prefix(static_cast<std::size_t>(*size));
  return true;
}

// HealthCheckResponse.status; of several the last. Nothing: no protobuf.
std::optional<std::uint64_t> serving_status(std::string_view message) {
  std::uint64_t status = 0;
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key) return std::nullopt;
    if (*key != (1u << 3)) {
      if (!skip_field(message, *key & 7)) return std::nullopt;
      continue;
    }
    const auto value = take_varint(message);
    if (!value) return std::nullopt;
    status = *value;
  }
  return status;
}

// grpc-message: percent-encoded where it is no plain ASCII.
std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool whole = text[at] == '%' && at + 2 < text.size();
    const int byte = whole ? digit(text[at + 1]) * 16 + digit(text[at + 2]) : -1;
    if (!whole || digit(text[at + 1]) < 0 || digit(text[at + 2]) < 0) {
      decoded += text[at];
      continue;
    }
    decoded += static_cast<char>(byte);
    at += 2;
  }
  return decoded;
}

HealthVerdict judge_code(std::size_t code, const GrpcReply& reply) {
  std::string text(kCodes[code]);
  if (!reply.status_message.empty()) text += ": " + percent_decoded(reply.status_message);
  switch (code) {
    case 4:
      return critical(Reason::timeout, std::move(text));
    case 5:
      return critical(Reason::missing, "no such service, " + text);
    case 7:
    case 16:
      return critical(Reason::auth, std::move(text));
    case 12:
      return critical(Reason::protocol, "the server has no health service, " + text);
    default:
      return critical(Reason::status, std::move(text));
  }
}

// Without a grpc-status it is no answer of gRPC, but perhaps one of a proxy before it.
HealthVerdict judge_http(const GrpcReply& reply) {
  const std::string text =
      "HTTP " + std::to_string(reply.http_status) + ", content-type '" + reply.content_type + "'";
  switch (reply.http_status) {
    case 200:
      return critical(Reason::protocol, "no grpc-status: " + text);
    case 401:
    case 403:
    case 407:
      return critical(Reason::auth, text);
    case 404:
      return critical(Reason::protocol, "no gRPC at this place: " + text);
    default:
      return critical(Reason::status, text);
  }
}

HealthVerdict judge_message(std::string_view data) {
  if (data.size() < 5) return critical(Reason::protocol, "no message in the answer");
  if (data[0] != 0) return critical(Reason::protocol, "a compressed message that nobody asked for");
  std::size_t size = 0;
  for (const char c : data.substr(1, 4)) size = size << 8 | static_cast<unsigned char>(c);
  if (size != data.size() - 5)
    return critical(Reason::protocol, "a message of " + std::to_string(size) + " bytes in " +
                                          std::to_string(data.size() - 5));
  const auto status = serving_status(data.substr(5));
  if (!status) return critical(Reason::protocol, "the message is not a HealthCheckResponse");
  if (*status == 0) return critical(Reason::status, "UNKNOWN");
  if (*status == 1) return {Status::ok, Reason::none, ""};
  if (*status == 2) return critical(Reason::status, "NOT_SERVING");
  if (*status == 3) return critical(Reason::missing, "SERVICE_UNKNOWN");
  return critical(Reason::protocol, "serving status " + std::to_string(*status));
}

}  // namespace

std::string health_request(std::string_view service) {
  std::string message;
  if (service.empty()) return message;
  message += '\x0a';  // field 1, a string
  for (std::size_t size = service.size(); size > 0; size >>= 7)
    message += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
  return message.append(service);
}

HealthVerdict judge_health(const GrpcReply& reply) {
  if (reply.status.empty()) return judge_http(reply);
  std::size_t code = 0;
  for (const char c : reply.status) {
    if (c < '0' || c > '9' || code > kCodes.size())
      return critical(Reason::protocol, "grpc-status '" + reply.status + "'");
    code = code * 10 + static_cast<std::size_t>(c - '0');
  }
  if (code == 0) return judge_message(reply.data);
  if (code >= kCodes.size())
    return critical(Reason::protocol, "grpc-status '" + reply.status + "'");
  return judge_code(code, reply);
}

}  // namespace firebreak::probes
