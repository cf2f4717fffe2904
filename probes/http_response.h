// An HTTP/1.x response from bytes as they arrive, with a bound on everything a hostile server may
// send. A body with the content coding gzip is unpacked, up to the same bound.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"

namespace firebreak::probes {

struct HttpResponse {
  int status = 0;
  std::string reason;                                        // "Service Unavailable"
  std::vector<std::pair<std::string, std::string>> headers;  // lower-case names
  std::string body;
  bool body_cut = false;  // the server sent, or was about to send, more than the bound
};

// The first header of that lower-case name, or nullptr.
const std::string* find_header(const HttpResponse& response, std::string_view name);

// How much of a body is read, and who takes it.
struct BodyWish {
  // As it comes, and unpacked; kHttpWireShare times that with all that is around it.
  std::size_t bytes_max = limits::kHttpBodyBytesMax;
  // Gets the body of a 2xx answer as it comes; the response then keeps the beginning, for evidence.
  std::function<void(std::string_view)> take{};
};

class HttpResponseParser {
 public:
  enum class Progress { more, done, failed };

  explicit HttpResponseParser(bool head_request, BodyWish wish = {});
  ~HttpResponseParser();
  HttpResponseParser(const HttpResponseParser&) = delete;
  HttpResponseParser& operator=(const HttpResponseParser&) = delete;

  // `done` also when the body reached its bound. After done or failed nothing may be fed.
  Progress feed(std::string_view bytes);
  // The server closed the connection: the end of a body without a length, otherwise too early.
  Progress end();

  [[nodiscard]] bool has_headers() const;
  // What was wrong, after failed.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const HttpResponse& response() const;
  HttpResponse take();

 private:
  class Parser;
  Progress advance(std::string_view& bytes);
  Progress fail(std::string problem);

  bool head_request_;
  BodyWish wish_;
  std::unique_ptr<Parser> parser_;
  std::string pending_;           // bytes that are not a whole element yet
  std::size_t header_bytes_ = 0;  // of all header sections, interim responses included
  std::size_t received_ = 0;
  std::string problem_;
};

}  // namespace firebreak::probes
