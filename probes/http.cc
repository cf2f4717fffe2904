// One hop is resolve, connect, handshake, send, receive; a redirect is another hop with less trust.
#include "probes/http.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "probes/either_stream.h"
#include "probes/expect.h"
#include "probes/http_request.h"
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
Awaitable<bool> exchange(Attempt& attempt, EitherStream& stream, const std::string& request,
                         HttpResponseParser& parser) {
  attempt.enter(Phase::send);
  if (!co_await stream.send(request)) co_return false;
  attempt.enter(Phase::first_byte);
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const std::ptrdiff_t size = co_await stream.receive(std::span<char>(buffer));
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

Awaitable<bool> reach(Attempt& attempt, const HttpSpec& spec, const Url& url, bool redirected,
                      EitherStream& stream) {
  if (spec.unix_socket.empty()) {
    Addresses addresses;
    if (!co_await resolve(attempt, url.host, addresses)) co_return false;
    if (redirected && !check_addresses(attempt, url, addresses)) co_return false;
    if (!co_await stream.connect(addresses, url.port)) co_return false;
  } else if (!co_await stream.connect(spec.unix_socket)) {
    co_return false;
  }
  if (!url.tls) co_return true;
  co_return co_await stream.secure(spec.tls, url.host);
}

Awaitable<bool> hop(Attempt& attempt, const HttpSpec& spec, const HttpRequest& request,
                    bool redirected, const BodyWish& wish, HttpResponse& response) {
  EitherStream stream(attempt);
  if (!co_await reach(attempt, spec, request.url, redirected, stream)) co_return false;
  if (attempt.tracing()) attempt.trace(request.method + " " + to_string(request.url));
  HttpResponseParser parser(request.method == "HEAD", wish);
  const std::string text = to_wire(request);
  if (!co_await exchange(attempt, stream, text, parser)) co_return false;
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
    const Url before = request->url;
    if (const auto followed = follow(*request, response.status, *location); !followed)
      co_return attempt.critical(Reason::status, "redirect to " + *location +
                                                     " not followed: " + followed.error().message);
    if (!spec.unix_socket.empty() && !same_origin(before, request->url))
      co_return attempt.critical(
          Reason::status, "redirect to " + *location + " not followed: it leads off the socket");
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
