// Connect, STARTTLS, handshake, dialogue, and last the dates of the certificates.
#include "probes/tcp.h"

#include <array>
#include <cstdio>
#include <optional>
#include <span>

#include "common/limits.h"
#include "probes/either_stream.h"
#include "probes/starttls.h"

namespace firebreak::probes {
namespace {

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

// Nothing more will come.
bool fail_closed(Attempt& attempt, std::string_view wanted, const std::string& received) {
  if (received.empty())
    return attempt.critical(Reason::reset, "the connection was closed without " + quoted(wanted));
  return attempt.critical(Reason::body,
                          "closed without " + quoted(wanted) + ", after: " + received);
}

bool fail_at_deadline(Attempt& attempt, std::string_view wanted, const std::string& received) {
  return attempt.fail_timeout("no " + quoted(wanted) + ", only: " + received);
}

bool fail_too_long(Attempt& attempt, std::string_view wanted, const std::string& received) {
  return attempt.critical(Reason::body, "64 KiB without " + quoted(wanted) + ": " + received);
}

// Takes out of `received` everything up to `wanted`, reading more until it is there.
Awaitable<bool> await_text(Attempt& attempt, EitherStream& stream, const std::string& wanted,
                           std::string& received) {
  if (received.empty()) attempt.enter(Phase::first_byte);
  std::size_t searched = 0;
  std::array<char, 4096> buffer;
  for (;;) {
    const std::size_t at = received.find(wanted, searched);
    if (at != std::string::npos) {
      received.erase(0, at + wanted.size());
      co_return true;
    }
    if (received.size() >= limits::kTcpReplyBytesMax)
      co_return fail_too_long(attempt, wanted, received);
    searched = received.size() - std::min(received.size(), wanted.size() - 1);
    if (attempt.is_over()) co_return fail_at_deadline(attempt, wanted, received);
    const std::ptrdiff_t size = co_await stream.receive(std::span<char>(buffer));
    if (size == 0) co_return fail_closed(attempt, wanted, received);
    if (size < 0 && attempt.is_over() && !received.empty())
      co_return fail_at_deadline(attempt, wanted, received);
    if (size < 0) co_return false;
    attempt.enter(Phase::transfer);
    received.append(buffer.data(), static_cast<std::size_t>(size));
    if (attempt.tracing())
      attempt.trace(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  }
}

Awaitable<bool> converse(Attempt& attempt, EitherStream& stream, const TcpSpec& spec) {
  std::string received;
  for (const TcpSpec::Step& step : spec.dialogue) {
    if (!step.send.empty()) {
      attempt.enter(Phase::send);
      if (!co_await stream.send(step.send)) co_return false;
    }
    if (!step.expect.empty() && !co_await await_text(attempt, stream, step.expect, received))
      co_return false;
  }
  co_return true;
}

Awaitable<bool> start_tls(Attempt& attempt, EitherStream& stream, const TcpSpec& spec) {
  attempt.enter(Phase::tls);
  StartTls talk(spec.starttls);
  std::array<char, 1024> buffer;
  while (talk.state() == StartTls::State::talking) {
    if (attempt.is_over()) co_return attempt.fail_timeout("no go-ahead for TLS");
    const std::string output = talk.take_output();
    if (!output.empty() && !co_await stream.send(output)) co_return false;
    const std::ptrdiff_t size = co_await stream.receive(std::span<char>(buffer));
    if (size < 0) co_return false;
    if (size == 0)
      co_return attempt.critical(Reason::reset, "the connection was closed during STARTTLS");
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
    if (attempt.tracing()) attempt.trace(bytes);
    talk.feed(bytes);
  }
  if (talk.state() == StartTls::State::failed)
    co_return attempt.critical(talk.reason(), talk.problem());
  co_return true;
}

// The first certificate of the chain to expire decides.
bool judge_certificates(Attempt& attempt, const TcpSpec& spec, ssl_st* session) {
  const auto soonest = soonest_expiry(session);
  if (!soonest) return true;
  attempt.add_value("chain_days", soonest->days);
  const auto below = [&soonest](const std::optional<double>& limit) {
    return limit && soonest->days < *limit;
  };
  const bool critical = below(spec.certificate_critical_days);
  if (!critical && !below(spec.certificate_warning_days)) return true;
  char days[32];
  std::snprintf(days, sizeof days, "%.1f", soonest->days);
  attempt.enter(Phase::tls);
  return attempt.fail(critical ? Status::critical : Status::warning, Reason::threshold,
                      "the certificate of " + soonest->subject + " expires in " + days + " days");
}

}  // namespace

Awaitable<void> probe_tcp(Attempt& attempt, const TcpSpec& spec) {
  static const std::optional<TlsSpec> kNotYet;
  EitherStream stream(attempt);
  const bool later = !spec.starttls.empty();
  if (!co_await stream.open(spec.host, spec.port, later ? kNotYet : spec.tls)) co_return;
  if (later && !co_await start_tls(attempt, stream, spec)) co_return;
  const TlsSpec tls = spec.tls.value_or(TlsSpec());
  if (later && !co_await stream.secure(tls, spec.host)) co_return;
  if (!co_await converse(attempt, stream, spec)) co_return;
  if (stream.session() == nullptr || judge_certificates(attempt, spec, stream.session()))
    attempt.succeed();
}

}  // namespace firebreak::probes
