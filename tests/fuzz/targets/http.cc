// A target's HTTP response, cut anywhere: the parser, where its redirect leads, what an assertion
// makes of its body.
//
// The first byte says whether HEAD was asked, the second how long the pieces are.
#include "probes/http_response.h"

#include <algorithm>

#include "probes/http_request.h"
#include "probes/url.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using probes::HttpResponse;
using probes::HttpResponseParser;
using Progress = HttpResponseParser::Progress;

constexpr std::size_t kBodyMax = 300;

struct Outcome {
  Progress progress = Progress::more;
  HttpResponse response;
};

Outcome parse(std::string_view bytes, std::size_t piece, bool head) {
  HttpResponseParser parser(head, {kBodyMax});
  Outcome outcome;
  while (!bytes.empty() && outcome.progress == Progress::more) {
    const std::string_view now = bytes.substr(0, piece);
    outcome.progress = parser.feed(now);
    bytes.remove_prefix(now.size());
  }
  if (outcome.progress == Progress::more) outcome.progress = parser.end();
  expect(outcome.progress != Progress::more, "a closed connection ends a response");
  if (outcome.progress == Progress::failed)
    expect(!parser.problem().empty(), "a failure says why");
  else
    outcome.response = parser.take();
  return outcome;
}

void check(const HttpResponse& response) {
  expect(response.status >= 100 && response.status <= 999, "a status has three digits");
  expect(response.body.size() <= kBodyMax, "a body is bounded");
  std::size_t bytes = 0;
  for (const auto& [name, value] : response.headers) {
    bytes += name.size() + value.size();
    for (const char c : name) expect(c < 'A' || c > 'Z', "header names are lower-case", name);
    expect(value.find('\n') == std::string::npos, "a header is a line", value);
  }
  expect(bytes <= limits::kHttpHeaderBytesMax, "headers are bounded");
}

// A redirect must not lead to what parse_url would refuse, nor put lines into a request.
void follow(const HttpResponse& response) {
  const std::string* location = probes::find_header(response, "location");
  if (location == nullptr) return;
  for (const char* from : {"http://target.example/a/b?c", "https://[::1]:8443/"}) {
    probes::HttpRequest request;
    request.method = "POST";
    request.url = *probes::parse_url(from);
    request.headers = {{"authorization", "Bearer secret"}, {"x-a", "1"}};
    request.body = "body";
    const probes::Url base = request.url;
    if (!probes::follow(request, response.status, *location)) continue;
    const auto again = probes::parse_url(to_string(request.url));
    if (!again) broken("a redirect leads to a URL", to_string(request.url));
    expect(*again == request.url, "a URL reads back as it is written", to_string(request.url));
    expect(!base.tls || request.url.tls, "a redirect never leaves TLS");
    const std::string wire = probes::to_wire(request);
    const bool told = wire.find("Bearer secret") != std::string::npos;
    expect(!told || probes::same_origin(base, request.url), "credentials stay with their origin");
    const std::string_view line = std::string_view(wire).substr(0, wire.find("\r\n"));
    for (const char c : line) expect(c > 0x1f && c < 0x7f, "a request line is plain", wire);
    expect(std::count(line.begin(), line.end(), ' ') == 2, "a request line has three words", wire);
  }
}

}  // namespace

void run(std::string_view input) {
  Numbers numbers(input);
  const bool head = numbers.number(2) == 1;
  const std::size_t piece = 1 + numbers.number(64);
  const std::string_view bytes = numbers.rest();
  const Outcome whole = parse(bytes, bytes.size() + 1, head);
  const Outcome pieces = parse(bytes, piece, head);
  expect(whole.progress == pieces.progress, "pieces end as the whole does");
  expect(whole.response.status == pieces.response.status &&
             whole.response.headers == pieces.response.headers &&
             whole.response.body == pieces.response.body &&
             whole.response.body_cut == pieces.response.body_cut,
         "pieces give what the whole gives");
  if (whole.progress != Progress::done) return;
  check(whole.response);
  follow(whole.response);
}

}  // namespace firebreak::fuzz
