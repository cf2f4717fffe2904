// The readiness check, and the verdict over a query's answer.
#include "probes/postgres.h"

#include <array>
#include <charconv>
#include <utility>

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "probes/expect.h"
#include "probes/postgres_wire.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

Awaitable<bool> connect_plain(Attempt& attempt, Socket& socket, const PostgresSpec& spec) {
  if (spec.host.starts_with('/')) {
    std::string path = spec.host + "/.s.PGSQL." + std::to_string(spec.port);
    co_return co_await connect_unix(attempt, socket, std::move(path));
  }
  Addresses addresses;
  if (!co_await resolve(attempt, spec.host, addresses)) co_return false;
  co_return co_await connect(attempt, socket, addresses, spec.port);
}

bool judge_greeting(Attempt& attempt, const PostgresGreeting& greeting) {
  if (greeting.kind == PostgresGreeting::Kind::garbage)
    return attempt.critical(Reason::protocol, "not an answer of PostgreSQL: " + greeting.text);
  const bool refused = greeting.kind == PostgresGreeting::Kind::error;
  if (refused && is_rejecting(greeting.code))
    return attempt.critical(Reason::status, "rejecting connections: " + greeting.text);
  attempt.succeed(refused ? "accepting connections, though not ours: " + greeting.text : "");
  return true;
}

Awaitable<bool> check_readiness(Attempt& attempt, const PostgresSpec& spec) {
  Connection connection(attempt);
  if (!co_await connect_plain(attempt, connection.socket(), spec)) co_return false;
  attempt.enter(Phase::send);
  const std::string packet = postgres_startup(spec.user, spec.database);
  if (!co_await send(attempt, connection.socket(), packet)) co_return false;
  attempt.enter(Phase::first_byte);
  std::string received;
  std::array<char, 4096> buffer;
  for (;;) {
    const std::ptrdiff_t size =
        co_await receive(attempt, connection.socket(), std::span<char>(buffer));
    if (size < 0) co_return false;
    if (size == 0)
      co_return attempt.critical(Reason::reset, received.empty()
                                                    ? "the connection was closed without an answer"
                                                    : "the connection was closed in mid-answer");
    attempt.enter(Phase::transfer);
    received.append(buffer.data(), static_cast<std::size_t>(size));
    const PostgresGreeting greeting = parse_postgres_greeting(received);
    if (greeting.kind != PostgresGreeting::Kind::more) co_return judge_greeting(attempt, greeting);
    if (received.size() > limits::kSqlGreetingBytesMax)
      co_return attempt.critical(Reason::protocol, "an answer longer than 64 KiB");
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
  }
}

cel::Value to_cel(const SqlAnswer& answer) {
  if (!answer.value) return {};
  const std::string& text = *answer.value;
  const char* const end = text.data() + text.size();
  if (std::int64_t whole = 0; answer.is_number) {
    const auto read = std::from_chars(text.data(), end, whole);
    if (read.ec == std::errc{} && read.ptr == end) return whole;
  }
  if (double real = 0; answer.is_number) {
    const auto read = std::from_chars(text.data(), end, real);
    if (read.ec == std::errc{} && read.ptr == end) return real;
  }
  return text;
}

void add_number(Attempt& attempt, const cel::Value& value) {
  if (value.is(cel::Value::Kind::integer))
    attempt.add_value("value", static_cast<double>(value.as_int()));
  else if (value.is(cel::Value::Kind::real))
    attempt.add_value("value", value.as_double());
}

Awaitable<bool> check_query(Attempt& attempt, const PostgresSpec& spec) {
  std::optional<cel::Program> expect;
  if (!compile_expect(attempt, spec.expect, postgres_expect_declarations(),
                      cel::Type::Kind::boolean, expect))
    co_return false;
  SqlAnswer answer;
  if (!co_await ask_postgres(attempt, spec, answer)) co_return false;
  cel::Bindings bindings;
  const cel::Value value = to_cel(answer);
  add_number(attempt, value);
  bindings.set("value", value);
  bindings.set("rows", answer.rows);
  bindings.set("latency", attempt.elapsed());
  const std::string shown = answer.rows == 0 ? "no row" : answer.value.value_or("null");
  if (expect && !judge_expect(attempt, *expect, bindings, shown)) co_return false;
  attempt.succeed();
  co_return true;
}

}  // namespace

Awaitable<void> probe_postgres(Attempt& attempt, const PostgresSpec& spec) {
  if (spec.query.empty())
    co_await check_readiness(attempt, spec);
  else
    co_await check_query(attempt, spec);
}

}  // namespace firebreak::probes
