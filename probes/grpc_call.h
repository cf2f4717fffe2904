// One unary gRPC call as bytes over a connection: HTTP/2 by nghttp2, without a socket or a clock.
//
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. What the peer sends is bounded:
// limits::kGrpcReplyBytesMax altogether, kGrpcMessageBytesMax of messages.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/observation.h"

namespace firebreak::probes {

struct GrpcRequest {
  bool tls = false;
  std::string authority;
  std::string path;     // /package.Service/Method
  std::string message;  // protobuf
  std::chrono::milliseconds timeout{};
};

// All of it is the server's, hostile.
struct GrpcReply {
  int http_status = 0;
  std::string content_type;
  std::string status;  // grpc-status as it came; empty: none
  std::string status_message;
  std::string data;  // messages with their prefixes
};

class GrpcCall {
 public:
  enum class State { talking, done, failed };

  explicit GrpcCall(const GrpcRequest& request);
  ~GrpcCall();
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  // What is to be sent now. Empty when the peer has to speak.
  [[nodiscard]] std::string take_output();
  // What came. Only while talking.
  State feed(std::string_view bytes);
  // Nothing more will come.
  State end();

  [[nodiscard]] State state() const;
  // After failed: why there is no reply.
  [[nodiscard]] Reason reason() const;
  [[nodiscard]] const std::string& problem() const;
  // After done.
  [[nodiscard]] const GrpcReply& reply() const;

 private:
  class Session;
  std::unique_ptr<Session> session_;
};

}  // namespace firebreak::probes
