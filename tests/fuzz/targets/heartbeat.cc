// What a job of the host says to the agent, cut anywhere: the request, its meaning, the answer; and
// the file in which the agent keeps it.
//
// The first byte is 'r' for a request, whose second byte says how long the pieces are and whether
// it comes by TCP, or 'f' for a file.
#include <algorithm>
#include <optional>
#include <string>

#include "agent/heartbeat_http.h"
#include "agent/heartbeat_requests.h"
#include "agent/heartbeats.h"
#include "common/limits.h"
#include "probes/heartbeat_report.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using agent::Heartbeats;
using agent::HostTime;
using agent::HttpAnswer;
using agent::HttpRequest;
using agent::HttpRequestParser;
using Progress = HttpRequestParser::Progress;

HostTime at(Duration since_boot) {
  return {"boot", since_boot, WallTime{since_boot}};
}

// What comes of the bytes; nothing: the request has no end.
std::optional<HttpRequest> parse(std::string_view bytes, std::size_t piece, HttpAnswer& refusal) {
  HttpRequestParser parser;
  Progress progress = Progress::more;
  for (std::size_t i = 0; i < bytes.size() && progress == Progress::more; i += piece) {
    progress = parser.feed(bytes.substr(i, piece));
    if (progress != Progress::failed) (void)parser.wants_continue();
  }
  if (progress == Progress::failed) {
    refusal = parser.refusal();
    expect(refusal.status >= 400 && !refusal.body.empty(), "a refusal says why");
  }
  if (progress != Progress::done) return std::nullopt;
  return parser.take();
}

void check(const HttpAnswer& answer) {
  expect(answer.status >= 200 && answer.status < 600, "an answer has a status");
  expect_safe(answer.body, true, "an answer");
  expect(to_http(answer).ends_with(answer.body), "an answer ends with its body");
}

void request(std::string_view input) {
  Numbers numbers(input);
  const std::uint8_t how = numbers.byte();
  const std::string_view bytes = numbers.rest();
  HttpAnswer refused_whole;
  HttpAnswer refused_pieces;
  const auto whole = parse(bytes, bytes.size() + 1, refused_whole);
  const auto pieces = parse(bytes, 1 + how % 64, refused_pieces);
  expect(whole.has_value() == pieces.has_value() && refused_whole.status == refused_pieces.status,
         "pieces end as the whole does");
  check(refused_whole);
  if (!whole) return;
  expect(whole->method == pieces->method && whole->target == pieces->target &&
             whole->authorization == pieces->authorization && whole->body == pieces->body,
         "pieces give what the whole gives");
  expect(whole->body.size() <= limits::kHeartbeatBodyBytesMax, "a body is bounded");
  agent::HeartbeatRights rights;
  rights.users["listed"] = {7};
  rights.token = Secret("token");
  Heartbeats beats;
  beats.expect({"known"}, at(Duration{1}));
  const bool by_tcp = how >= 128;
  const HttpAnswer said = answer(*whole, by_tcp ? std::nullopt : std::optional<uid_t>(1000), rights,
                                 beats, at(Duration{2}));
  check(said);
  expect(!by_tcp || said.status == 401 || whole->authorization == "Bearer token",
         "nobody comes by TCP without the token");
  expect(!beats.find("listed", at(Duration{3})), "nobody reports what is another's");
  const auto again = Heartbeats::load(beats.save(at(Duration{3})), at(Duration{4}));
  expect(again.has_value(), "what was kept can be read again");
}

void file(std::string_view text) {
  const auto beats = Heartbeats::load(text, at(Duration{5}));
  if (!beats) return;
  const std::string saved = beats->save(at(Duration{6}));
  const auto again = Heartbeats::load(saved, at(Duration{6}));
  expect(again.has_value(), "what was saved can be read", saved);
  expect(again->save(at(Duration{6})) == saved, "what was read is saved as it was", saved);
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  if (input[0] == 'r') request(input.substr(1));
  if (input[0] == 'f') file(input.substr(1));
}

}  // namespace firebreak::fuzz
