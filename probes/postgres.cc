// The readiness check, and the verdicts over what was asked.
#include "probes/postgres.h"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/probe_yaml.h"
#include "probes/expect.h"
#include "probes/pgbouncer_pools.h"
#include "probes/postgres_info.h"
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
  if (refused && is_full(greeting.code))
    return attempt.fail(Status::warning, Reason::status,
                        "accepting connections, but none is left: " + greeting.text);
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
    attempt.add_first_value("value", static_cast<double>(value.as_int()));
  else if (value.is(cel::Value::Kind::real))
    attempt.add_first_value("value", value.as_double());
}

void take_value(SqlRow row, SqlAnswer& answer) {
  if (++answer.rows > 1 || row.empty() || !row.front().text) return;
  answer.value = std::string(row.front().text->substr(0, limits::kSqlValueBytesMax));
  answer.is_number = row.front().is_number;
}

// Values first: a server in another role tells them all the same.
bool judge_info(Attempt& attempt, const std::optional<PostgresInfo>& info, SqlAnswer& answer) {
  if (!info) return attempt.critical(Reason::protocol, "it told nothing about itself");
  for (const NamedValue& value : info->values) attempt.add_value(value.name, value.value);
  answer.unseen = info->unseen;
  const auto& trouble = info->trouble;
  return !trouble || attempt.fail(trouble->status, trouble->reason, trouble->evidence);
}

Awaitable<bool> check_answer(Attempt& attempt, const PostgresSpec& spec) {
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
  attempt.succeed(answer.unseen);
  co_return true;
}

}  // namespace

Awaitable<void> probe_postgres(Attempt& attempt, const PostgresSpec& spec) {
  if (logs_in(spec))
    co_await check_answer(attempt, spec);
  else
    co_await check_readiness(attempt, spec);
}

Awaitable<void> probe_pgbouncer(Attempt& attempt, const PgbouncerSpec& spec) {
  PgbouncerPools pools(spec.pool);
  std::vector<SqlQuestion> questions(1);
  questions[0] = {"SHOW POOLS", [&pools](SqlRow row) { pools.add(row); }};
  if (!co_await ask_session(attempt, spec.server, SqlSession::console, std::move(questions)))
    co_return;
  if (!pools.is_understood()) {
    attempt.critical(Reason::protocol, "SHOW POOLS was answered by something else than pools");
  } else if (!spec.pool.empty() && pools.pools() == 0) {
    attempt.critical(Reason::missing, "no client has asked for a pool of '" + spec.pool + "'");
  } else {
    for (const NamedValue& value : pools.values()) attempt.add_value(value.name, value.value);
    attempt.succeed();
  }
}

Awaitable<bool> ask_postgres(Attempt& attempt, const PostgresSpec& spec, SqlAnswer& answer) {
  std::optional<PostgresInfo> info;
  std::vector<SqlQuestion> questions;
  questions.reserve(2);
  if (wants_info(spec))
    questions.push_back({postgres_info_query(), [&info, &spec](SqlRow row) {
                           if (!info) info = read_postgres_info(row, spec.role);
                         }});
  if (!spec.query.empty())
    questions.push_back({spec.query, [&answer](SqlRow row) { take_value(row, answer); }});
  if (!co_await ask_session(attempt, spec, SqlSession::transaction, std::move(questions)))
    co_return false;
  co_return !wants_info(spec) || judge_info(attempt, info, answer);
}

}  // namespace firebreak::probes
