// An HTTP/1.1 request from bytes as they arrive, with a bound on everything, and an answer as
// bytes.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "agent/heartbeat_requests.h"

namespace firebreak::agent {

class HttpRequestParser {
 public:
  enum class Progress { more, done, failed };

  HttpRequestParser();
  ~HttpRequestParser();
  HttpRequestParser(const HttpRequestParser&) = delete;
  HttpRequestParser& operator=(const HttpRequestParser&) = delete;

  // After done or failed nothing may be fed. What follows a whole request is ignored.
  Progress feed(std::string_view bytes);
  // After done.
  HttpRequest take();
  // After failed: what to say to the other end.
  [[nodiscard]] const HttpAnswer& refusal() const { return refusal_; }
  // Once: the headers are there, and the other end waits for our word before it sends the body
  // (RFC 9110, 10.1.1).
  [[nodiscard]] bool wants_continue();

 private:
  class Parser;
  Progress fail(int status, std::string why);

  std::unique_ptr<Parser> parser_;
  std::string pending_;  // bytes that are not a whole element yet
  std::size_t fed_ = 0;  // all of them
  bool has_asked_ = false;
  HttpAnswer refusal_;
};

inline constexpr std::string_view kHttpContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// The whole answer, after which the connection is closed.
[[nodiscard]] std::string to_http(const HttpAnswer& answer);

}  // namespace firebreak::agent
