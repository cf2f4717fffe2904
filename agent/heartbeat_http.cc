// Beast's parser, fed by hand.
#include "agent/heartbeat_http.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "common/beast_chunks.h"
#include "common/limits.h"

namespace firebreak::agent {
namespace {

namespace http = boost::beast::http;

// Of a whole request: chunks have heads of their own, which nobody else counts.
constexpr std::size_t kRequestBytesMax =
    limits::kHttpHeaderBytesMax + 2 * limits::kHeartbeatBodyBytesMax;

std::string text_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

class HttpRequestParser::Parser final : public http::request_parser<http::string_body> {};

HttpRequestParser::HttpRequestParser() : parser_(std::make_unique<Parser>()) {
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(limits::kHttpHeaderBytesMax));
  parser_->body_limit(limits::kHeartbeatBodyBytesMax);
}

HttpRequestParser::~HttpRequestParser() = default;

HttpRequestParser::Progress HttpRequestParser::fail(int status, std::string why) {
  refusal_ = {status, std::move(why) + "\n"};
  return Progress::failed;
}

HttpRequestParser::Progress HttpRequestParser::feed(std::string_view bytes) {
  fed_ += bytes.size();
  if (fed_ > kRequestBytesMax) return fail(413, "the request is too large");
  pending_.append(bytes);
  while (!pending_.empty() && !must_wait_for_chunk(*parser_, pending_.size())) {
    boost::beast::error_code error;
    const std::size_t used =
        parser_->put(boost::asio::const_buffer(pending_.data(), pending_.size()), error);
    pending_.erase(0, used);
    if (error == http::error::header_limit) return fail(431, "headers longer than 16 KiB");
    if (error == http::error::body_limit) return fail(413, "a body longer than 16 KiB");
    if (error && error != http::error::need_more)
      return fail(400, "not HTTP/1.1: " + error.message());
    if (parser_->is_done()) return Progress::done;
    if (error || used == 0) break;
  }
  return Progress::more;
}

HttpRequest HttpRequestParser::take() {
  auto message = parser_->release();
  return {text_of(message.method_string()), text_of(message.target()),
          text_of(message[http::field::authorization]), std::move(message.body())};
}

bool HttpRequestParser::wants_continue() {
  if (has_asked_ || !parser_->is_header_done()) return false;
  has_asked_ = true;
  return boost::beast::iequals(parser_->get()[http::field::expect], "100-continue");
}

std::string to_http(const HttpAnswer& answer) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  const auto reason = http::obsolete_reason(static_cast<http::status>(answer.status));
  text.append(reason.data(), reason.size());
  text.append("\r\nServer: firebreak-agent\r\nContent-Type: ");
  text.append(answer.is_json ? "application/json" : "text/plain; charset=utf-8");
  if (answer.status == 401) text.append("\r\nWWW-Authenticate: Bearer");
  if (answer.status == 405) text.append("\r\nAllow: GET, POST, PUT");
  text.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
  return text.append("\r\nConnection: close\r\n\r\n").append(answer.body);
}

}  // namespace firebreak::agent
