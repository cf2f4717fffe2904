// One hop is resolve, connect, handshake, send, receive; a redirect is another hop with less trust.
#include "probes/http.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "probes/expect.h"
#include "probes/http_request.h"
#include "probes/stream.h"
#include "probes/tls_stream.h"
#include "probes/url.h"

namespace firebreak::probes {
namespace {

using Progress = HttpResponseParser::Progress;

constexpr std::size_t kReadBytes = 16u << 10;

std::string describe(const HttpResponse& response) {
  return "HTTP " + std::to_string(response.status) +
         (response.reason.empty() ? "" : " " + response.reason);
}

std::string with_body(const HttpResponse& response) {
  if (response.body.empty()) return describe(response);
  return describe(response) + ": " + response.body;
}

// Sends and receives on a stream that is ready.
template <class Stream>
Awaitable<bool> exchange(Attempt& attempt, Stream& stream, std::string request,
                         HttpResponseParser& parser) {
  attempt.enter(Phase::send);
  if (!co_await send(attempt, stream, request)) co_return false;
  attempt.enter(Phase::first_byte);
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const std::ptrdiff_t size = co_await receive(attempt, stream, std::span<char>(buffer));
    if (size < 0) co_return false;
    attempt.enter(Phase::transfer);
    const Progress progress =
        size == 0 ? parser.end()
                  : parser.feed(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
    if (progress == Progress::done) co_return true;
    if (progress == Progress::failed)
      co_return attempt.critical(size == 0 ? Reason::reset : Reason::protocol, parser.problem());
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
  }
}

Awaitable<bool> exchange_tls(Attempt& attempt, Socket& socket, const HttpSpec& spec, Url url,
                             std::string request, HttpResponseParser& parser) {
  TlsWish wish;
  wish.verify = spec.tls_verify;
  wish.ca_file = spec.tls_ca_file;
  wish.server_name = spec.tls_server_name.empty() ? url.host : spec.tls_server_name;
  std::optional<TlsStream> stream;
  if (!co_await handshake(attempt, socket, wish, stream)) co_return false;
  co_return co_await exchange(attempt, *stream, std::move(request), parser);
}

// Addresses that a redirect may lead to: never link-local ones, however they are spelled.
bool check_addresses(Attempt& attempt, const Url& url, const Addresses& addresses) {
  const auto forbidden = std::find_if(addresses.begin(), addresses.end(), is_metadata_address);
  if (forbidden == addresses.end()) return true;
  return attempt.critical(Reason::status, "redirect to " + to_string(url) +
                                              " not followed: " + forbidden->to_string() +
                                              " is a link-local or metadata address");
}

void trace_response(const Attempt& attempt, const HttpResponse& response) {
  attempt.trace(describe(response));
  for (const auto& header : response.headers) {
    std::string line = header.first;
    attempt.trace(line.append(": ").append(header.second));
  }
  attempt.trace(std::to_string(response.body.size()) + " bytes of body");
}

Awaitable<bool> hop(Attempt& attempt, const HttpSpec& spec, const HttpRequest& request,
                    bool redirected, const BodyWish& wish, HttpResponse& response) {
  const Url& url = request.url;
  Addresses addresses;
  if (!co_await resolve(attempt, url.host, addresses)) co_return false;
  if (redirected && !check_addresses(attempt, url, addresses)) co_return false;
  Connection connection(attempt);
  if (!co_await connect(attempt, connection.socket(), addresses, url.port)) co_return false;
  if (attempt.tracing()) attempt.trace(request.method + " " + to_string(url));
  HttpResponseParser parser(request.method == "HEAD", wish);
  std::string text = to_wire(request);
  const bool answered =
      url.tls
          ? co_await exchange_tls(attempt, connection.socket(), spec, url, std::move(text), parser)
          : co_await exchange(attempt, connection.socket(), std::move(text), parser);
  if (!answered) co_return false;
  response = parser.take();
  if (attempt.tracing()) trace_response(attempt, response);
  co_return true;
}

bool judge(Attempt& attempt, const HttpSpec& spec, const std::optional<cel::Program>& expect,
           const HttpResponse& response) {
  const int status = response.status;
  const std::string answer = response.body_cut
                                 ? "(only the first 64 KiB of the body were read) " + response.body
                                 : response.body;
  if (!status_matches(status, spec.expect_status))
    return attempt.critical(status == 401 || status == 407 ? Reason::auth : Reason::status,
                            with_body(response));
  if (!spec.contains.empty() && response.body.find(spec.contains) == std::string::npos)
    return attempt.critical(Reason::body,
                            "the body does not contain '" + spec.contains + "': " + answer);
  return !expect || judge_expect(attempt, *expect, bindings_of(attempt, response), answer);
}

bool check_spec(Attempt& attempt, const HttpSpec& spec, std::optional<cel::Program>& expect) {
  for (const std::string& pattern : spec.expect_status)
    if (!is_status_pattern(pattern))
      return attempt.unknown(Reason::config, "expect_status '" + pattern +
                                                 "' is neither a status such as 200 nor a class "
                                                 "such as 2xx");
  return compile_expect(attempt, spec.expect, http_expect_declarations(), cel::Type::Kind::boolean,
                        expect);
}

}  // namespace

bool is_status_pattern(std::string_view pattern) {
  if (pattern.size() != 3 || pattern[0] < '1' || pattern[0] > '5') return false;
  if (pattern.substr(1) == "xx") return true;
  return pattern[1] >= '0' && pattern[1] <= '9' && pattern[2] >= '0' && pattern[2] <= '9';
}

bool status_matches(int status, const std::vector<std::string>& patterns) {
  const std::string digits = std::to_string(status);
  return std::any_of(patterns.begin(), patterns.end(), [&digits](const std::string& pattern) {
    return pattern == digits || (digits.size() == 3 && pattern == digits.substr(0, 1) + "xx");
  });
}

Awaitable<bool> ask_http(Attempt& attempt, const HttpSpec& spec, HttpResponse& response) {
  static const BodyWish kWhole;
  return ask_http(attempt, spec, response, kWhole);
}

Awaitable<bool> ask_http(Attempt& attempt, const HttpSpec& spec, HttpResponse& response,
                         const BodyWish& wish) {
  std::optional<cel::Program> expect;
  if (!check_spec(attempt, spec, expect)) co_return false;
  auto request = make_request(spec);
  if (!request) co_return attempt.unknown(Reason::config, request.error().message);
  for (const std::string& secret : request->secrets) attempt.keep_secret(secret);
  const int redirects_max = std::clamp(spec.max_redirects, 0, limits::kHttpRedirectsMax);
  for (int redirects = 0;; ++redirects) {
    if (!co_await hop(attempt, spec, *request, redirects > 0, wish, response)) co_return false;
    const std::string* location = find_header(response, "location");
    if (redirects_max == 0 || response.status / 100 != 3 || location == nullptr) break;
    if (redirects == redirects_max)
      co_return attempt.critical(Reason::status, "more than " + std::to_string(redirects_max) +
                                                     " redirects, the last to " + *location);
    if (const auto followed = follow(*request, response.status, *location); !followed)
      co_return attempt.critical(Reason::status, "redirect to " + *location +
                                                     " not followed: " + followed.error().message);
  }
  attempt.add_value("status", response.status);
  co_return judge(attempt, spec, expect, response);
}

Awaitable<void> probe_http(Attempt& attempt, const HttpSpec& spec) {
  HttpResponse response;
  if (!co_await ask_http(attempt, spec, response)) co_return;
  attempt.succeed(response.body_cut ? "only the first 64 KiB of the body were read" : "");
}

}  // namespace firebreak::probes
