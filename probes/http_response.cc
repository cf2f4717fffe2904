// Beast's parser, fed by hand: the only file that includes Beast.
#include "probes/http_response.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "common/beast_chunks.h"
#include "probes/gunzip.h"

namespace firebreak::probes {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;

constexpr std::string_view kStart = "HTTP/1.";
const char* const kHeadersTooLong = "headers longer than 16 KiB";

}  // namespace

class HttpResponseParser::Parser final : public http::basic_parser<false> {
 public:
  Parser(bool head_request, const BodyWish& wish) : wish_(wish) {
    eager(true);
    skip(head_request);
    body_limit(boost::none);  // ours cuts instead of failing
    header_limit(static_cast<std::uint32_t>(limits::kHttpHeaderBytesMax));
  }

  HttpResponse response;
  std::string problem;  // of the body, after an error

 private:
  void on_request_impl(http::verb, beast::string_view, beast::string_view, int,
                       error_code&) override {}
  void on_response_impl(int code, beast::string_view reason, int, error_code& error) override {
    if (code < 100) error = http::error::bad_status;  // "053"; RFC 9110, 15: 100 is the first
    response.status = code;
    response.reason.assign(reason.data(), reason.size());
  }
  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     error_code&) override {
    std::string lower(name.data(), name.size());
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    response.headers.emplace_back(std::move(lower), std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {
    const std::string* const coding = find_header(response, "content-encoding");
    if (coding != nullptr && (beast::iequals(*coding, "gzip") || beast::iequals(*coding, "x-gzip")))
      gunzip_.emplace();
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, error_code& error) override {
    const std::string_view bytes(body.data(), body.size());
    if (!gunzip_)
      take(bytes);
    else
      unpack(bytes, error);
    return body.size();
  }
  void unpack(std::string_view packed, error_code& error) {
    // Blocks without content would never reach a bound of what is unpacked.
    const std::string_view part = packed.substr(0, wish_.bytes_max - packed_);
    packed_ += part.size();
    const auto sink = [this](std::string_view piece) {
      take(piece);
      return !response.body_cut;
    };
    if (response.body_cut) return;
    const bool good = gunzip_->feed(part, sink);
    response.body_cut = response.body_cut || packed.size() > part.size();
    if (good) return;
    problem = "the body is not gzip, as its Content-Encoding says";
    error = http::error::bad_value;
  }
  void take(std::string_view body) {
    const std::string_view part = body.substr(0, wish_.bytes_max - taken_);
    taken_ += part.size();
    response.body_cut = response.body_cut || body.size() > part.size();
    std::size_t kept_max = wish_.bytes_max;
    if (wish_.take && response.status / 100 == 2) {
      wish_.take(part);
      kept_max = limits::kEvidenceBytesMax;
    }
    response.body.append(part.substr(0, kept_max - std::min(kept_max, response.body.size())));
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                 error_code& error) override {
    return on_body_impl(body, error);
  }
  void on_finish_impl(error_code& error) override {
    // To HEAD, or with 304, there is none.
    if (packed_ == 0 || gunzip_->is_whole() || response.body_cut) return;
    problem = "the gzip body ends too early";
    error = http::error::partial_message;
  }

  const BodyWish& wish_;
  std::optional<Gunzip> gunzip_;
  std::size_t packed_ = 0;
  std::size_t taken_ = 0;
};

const std::string* find_header(const HttpResponse& response, std::string_view name) {
  const auto found = std::find_if(response.headers.begin(), response.headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == response.headers.end() ? nullptr : &found->second;
}

HttpResponseParser::HttpResponseParser(bool head_request, BodyWish wish)
    : head_request_(head_request),
      wish_(std::move(wish)),
      parser_(std::make_unique<Parser>(head_request, wish_)) {}

HttpResponseParser::~HttpResponseParser() = default;

HttpResponseParser::Progress HttpResponseParser::fail(std::string problem) {
  problem_ = std::move(problem);
  return Progress::failed;
}

HttpResponseParser::Progress HttpResponseParser::advance(std::string_view& bytes) {
  while (!bytes.empty()) {
    if (!parser_->got_some() && bytes.substr(0, kStart.size()) != kStart.substr(0, bytes.size()))
      return fail("not HTTP/1: " + std::string(bytes));  // a line's end may never come
    const bool in_header = !parser_->is_header_done();
    if (must_wait_for_chunk(*parser_, bytes.size())) break;
    error_code error;
    const std::size_t used =
        parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (in_header) header_bytes_ += used;
    if (!parser_->problem.empty()) return fail(parser_->problem);
    if (error && error != http::error::need_more)
      return fail(error == http::error::header_limit ? kHeadersTooLong
                                                     : "not HTTP: " + error.message());
    const int status = parser_->response.status;
    if (parser_->is_done() && status / 100 == 1 && status != 101) {
      // 100 Continue, 103 Early Hints: the answer proper follows, under the same bound.
      parser_ = std::make_unique<Parser>(head_request_, wish_);
      continue;
    }
    if (parser_->is_done() || parser_->response.body_cut) return Progress::done;
    // What is pending counts too: a header line, chunk extension or trailer without an end.
    const std::size_t before = parser_->is_header_done() ? 0 : header_bytes_;
    if (before + bytes.size() > limits::kHttpHeaderBytesMax) return fail(kHeadersTooLong);
    break;
  }
  // Chunks of a byte each, with extensions, would bring a body to its bound after gigabytes.
  if (received_ > limits::kHttpWireShare * wish_.bytes_max + limits::kHttpHeaderBytesMax)
    return fail("chunks that hold next to nothing");
  return Progress::more;
}

HttpResponseParser::Progress HttpResponseParser::feed(std::string_view bytes) {
  received_ += bytes.size();
  if (pending_.empty()) {
    const Progress progress = advance(bytes);
    pending_.assign(bytes);
    return progress;
  }
  pending_.append(bytes);
  std::string_view rest = pending_;
  const Progress progress = advance(rest);
  pending_.erase(0, pending_.size() - rest.size());
  return progress;
}

HttpResponseParser::Progress HttpResponseParser::end() {
  if (!parser_->got_some() && pending_.empty())
    return fail("the connection was closed without an answer");
  error_code error;
  parser_->put_eof(error);
  if (!parser_->problem.empty()) return fail(parser_->problem);
  if (error) return fail("the connection was closed in the middle of the answer");
  return Progress::done;
}

bool HttpResponseParser::has_headers() const {
  return parser_->is_header_done();
}

const HttpResponse& HttpResponseParser::response() const {
  return parser_->response;
}

HttpResponse HttpResponseParser::take() {
  return std::move(parser_->response);
}

}  // namespace firebreak::probes
