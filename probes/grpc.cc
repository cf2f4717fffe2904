// Resolve, connect, handshake, and bytes to and fro until the call has its end.
#include "probes/grpc.h"

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <utility>

#include "probes/either_stream.h"
#include "probes/grpc_call.h"
#include "probes/grpc_health.h"

namespace firebreak::probes {
namespace {

GrpcRequest health_call(const Attempt& attempt, const GrpcSpec& spec) {
  GrpcRequest request;
  request.tls = spec.tls.has_value();
  request.authority = spec.authority.empty() ? host_and_port(spec.host, spec.port) : spec.authority;
  request.path = std::string(kHealthCheckPath);
  request.message = health_request(spec.service);
  request.timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(attempt.deadline() - attempt.now());
  return request;
}

Awaitable<bool> carry(Attempt& attempt, EitherStream& stream, GrpcCall& call) {
  attempt.enter(Phase::send);
  std::array<char, 4096> buffer;
  while (call.state() == GrpcCall::State::talking) {
    const std::string output = call.take_output();
    if (!output.empty() && !co_await stream.send(output)) co_return false;
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
    if (attempt.phase() == Phase::send) attempt.enter(Phase::first_byte);
    const std::ptrdiff_t size = co_await stream.receive(std::span<char>(buffer));
    if (size < 0) co_return false;
    attempt.enter(Phase::transfer);
    if (size == 0)
      call.end();
    else
      call.feed(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  }
  if (call.state() == GrpcCall::State::done) co_return true;
  co_return attempt.critical(call.reason(), call.problem());
}

void judge_reply(Attempt& attempt, const GrpcReply& reply) {
  const HealthVerdict verdict = judge_health(reply);
  if (attempt.tracing())
    attempt.trace("HTTP " + std::to_string(reply.http_status) + ", grpc-status " + reply.status);
  const bool serves = verdict.reason == Reason::none;
  if (serves || verdict.evidence == "NOT_SERVING") attempt.add_value("serving", serves ? 1 : 0);
  if (serves) return attempt.succeed();
  attempt.fail(verdict.status, verdict.reason, verdict.evidence);
}

}  // namespace

Awaitable<void> probe_grpc(Attempt& attempt, const GrpcSpec& spec) {
  EitherStream stream(attempt);
  std::string protocol = "h2";
  if (!co_await stream.open(spec.host, spec.port, spec.tls, std::move(protocol))) co_return;
  const GrpcRequest request = health_call(attempt, spec);
  GrpcCall call(request);
  if (co_await carry(attempt, stream, call)) judge_reply(attempt, call.reply());
}

}  // namespace firebreak::probes
