// What a server sends to a call of gRPC: frames of HTTP/2, cut anywhere, and what they are judged
// as.
//
// The first byte says which: f the whole of a connection; r a reply, its grpc-status as one line,
// its grpc-message as another, and its messages.
#include <algorithm>

#include "common/limits.h"
#include "probes/grpc_call.h"
#include "probes/grpc_health.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

using probes::GrpcCall;
using probes::GrpcReply;
using State = GrpcCall::State;

void check_verdict(const GrpcReply& reply) {
  const probes::HealthVerdict verdict = probes::judge_health(reply);
  const bool serves = verdict.reason == Reason::none;
  expect(serves == (verdict.status == Status::ok), "a failure has a reason");
  expect(serves == verdict.evidence.empty(), "a failure says why");
  expect(verdict.evidence.size() <= 2 * limits::kEvidenceBytesMax + 256, "evidence is bounded");
  if (serves)
    expect(reply.data.size() > 5 && reply.status.find_first_not_of('0') == std::string::npos,
           "who serves has said so");
}

void expect_same(const GrpcReply& whole, const GrpcReply& pieces) {
  expect(whole.http_status == pieces.http_status && whole.content_type == pieces.content_type &&
             whole.status == pieces.status && whole.status_message == pieces.status_message &&
             whole.data == pieces.data,
         "pieces do not matter");
}

struct Talk {
  explicit Talk(std::string_view bytes, std::size_t piece)
      : call({true, "a.example", "/a/B", probes::health_request("x"), std::chrono::seconds(1)}) {
    said = call.take_output().size();
    for (std::size_t at = 0; at < bytes.size() && call.state() == State::talking; at += piece) {
      call.feed(bytes.substr(at, piece));
      said += call.take_output().size();
    }
    ended = call.state() == State::talking ? call.end() : call.state();
  }

  GrpcCall call;
  std::size_t said = 0;
  State ended = State::talking;
};

void frames(std::string_view bytes) {
  const Talk whole(bytes, 4096);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{9}, std::size_t{100}}) {
    const Talk pieces(bytes, piece);
    // The bound on all bytes is looked at after each piece.
    if (bytes.size() > limits::kGrpcReplyBytesMax) continue;
    expect(pieces.ended == whole.ended, "pieces do not change an end", pieces.call.problem());
    if (whole.ended == State::done) expect_same(whole.call.reply(), pieces.call.reply());
  }
  expect(whole.ended != State::talking, "a closed connection ends a call");
  const bool failed = whole.ended == State::failed;
  expect(failed == (whole.call.reason() != Reason::none), "a failure has a reason");
  expect(failed != whole.call.problem().empty(), "a failure says why");
  expect(whole.call.problem().size() <= 2 * limits::kEvidenceBytesMax + 256, "evidence is bounded");
  // Settings and pings are answered, about as long as they are.
  expect(whole.said <= 1024 + 4 * bytes.size(), "a server makes us say little");
  const GrpcReply& reply = whole.call.reply();
  expect(reply.data.size() <= limits::kGrpcMessageBytesMax, "messages are bounded");
  expect(reply.status.size() <= limits::kEvidenceBytesMax &&
             reply.status_message.size() <= limits::kEvidenceBytesMax &&
             reply.content_type.size() <= limits::kEvidenceBytesMax,
         "texts are bounded");
  if (!failed) check_verdict(reply);
}

std::string take_line(std::string_view& bytes) {
  const std::size_t size = std::min(bytes.find('\n'), bytes.size());
  const std::string line(bytes.substr(0, std::min(size, limits::kEvidenceBytesMax)));
  bytes.remove_prefix(std::min(size + 1, bytes.size()));
  return line;
}

void reply(std::string_view bytes) {
  GrpcReply reply;
  reply.http_status = 200;
  reply.status = take_line(bytes);
  reply.status_message = take_line(bytes);
  reply.data = std::string(bytes);
  check_verdict(reply);
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  if (input[0] == 'f') frames(input.substr(1));
  if (input[0] == 'r') reply(input.substr(1));
}

}  // namespace firebreak::fuzz
