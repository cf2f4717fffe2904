// Each source ends in one number; the verdict over it is the same for all.
#include "probes/queue.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/probe_limits.h"
#include "common/probe_yaml.h"
#include "common/secret.h"
#include "probes/amqp.h"
#include "probes/either_stream.h"
#include "probes/expect.h"
#include "probes/http.h"
#include "probes/postgres.h"
#include "probes/redis_queue.h"

namespace firebreak::probes {
namespace {

using Length = std::optional<double>;

Length to_number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// Until the server has said all that is wanted of it, and good-bye.
Awaitable<bool> converse(Attempt& attempt, EitherStream& stream, AmqpTalk& talk) {
  attempt.enter(Phase::send);
  std::array<char, 4096> buffer;
  for (;;) {
    const std::string output = talk.take_output();
    if (!output.empty() && !co_await stream.send(output)) co_return false;
    if (talk.state() == AmqpTalk::State::done) co_return true;
    if (attempt.phase() == Phase::send) attempt.enter(Phase::first_byte);
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
    const std::ptrdiff_t size = co_await stream.receive(std::span<char>(buffer));
    if (size == 0)
      co_return attempt.critical(Reason::reset, "the connection was closed without an answer");
    if (size < 0) co_return false;
    attempt.enter(Phase::transfer);
    talk.feed(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
  }
}

Awaitable<bool> measure(Attempt& attempt, const QueueSpec::RabbitMq& source, Length& length) {
  AmqpQuestion question{source.user, "guest", source.vhost, source.queue};
  if (!source.password_file.empty()) {
    const auto secret = read_password_file(source.password_file);
    if (!secret) co_return attempt.unknown(Reason::config, secret.error().message);
    question.password = secret->reveal();
    attempt.keep_secret(question.password);
  }
  EitherStream stream(attempt);
  if (!co_await stream.open(source.host, source.port, source.tls)) co_return false;
  AmqpTalk talk(std::move(question));
  // However the good-bye went, what was said before counts.
  const bool polite = co_await converse(attempt, stream, talk);
  if (talk.reason() != Reason::none) co_return attempt.critical(talk.reason(), talk.problem());
  if (!talk.counts()) co_return polite;
  length = talk.counts()->messages;
  attempt.add_value("consumers", talk.counts()->consumers);
  co_return true;
}

Awaitable<bool> measure(Attempt& attempt, const QueueSpec::HttpJson& source, Length& length) {
  std::optional<cel::Program> program;
  if (!compile_expect(attempt, source.length, http_expect_declarations(), std::nullopt, program))
    co_return false;
  if (!program)
    co_return attempt.unknown(Reason::config,
                              "the queue's 'length' is missing; write where it is in the answer, "
                              "such as body.length");
  HttpResponse response;
  if (!co_await ask_http(attempt, source.http, response)) {
    if (response.status == 404)
      attempt.critical(Reason::missing, "HTTP 404, there is no such queue: " + response.body);
    co_return false;
  }
  length = judge_number(attempt, *program, bindings_of(attempt, response), response.body);
  co_return length.has_value();
}

Awaitable<bool> measure(Attempt& attempt, const QueueSpec::SqlCount& source, Length& length) {
  SqlAnswer answer;
  if (!co_await ask_postgres(attempt, source.postgres, answer)) co_return false;
  if (answer.rows == 0 || !answer.value)
    co_return attempt.critical(Reason::missing, answer.rows == 0 ? "the query found no row"
                                                                 : "the query's answer is null");
  length = to_number(*answer.value);
  co_return length || attempt.critical(Reason::body, "not a number: " + *answer.value);
}

}  // namespace

void judge_length(Attempt& attempt, const QueueSpec& spec, double length) {
  if (!std::isfinite(length) || length < 0) {
    attempt.critical(Reason::body, "the length of a queue cannot be " + format_number(length));
    return;
  }
  attempt.add_first_value("length", length);
  const Status status = judge_queue(spec, length);
  if (status == Status::ok) return attempt.succeed();
  const double limit = status == Status::critical ? *spec.critical : *spec.warning;
  attempt.fail(status, Reason::threshold,
               format_number(length) + " waiting, more than " + format_number(limit));
}

Awaitable<void> probe_queue(Attempt& attempt, const QueueSpec& spec) {
  Length length;
  bool measured = false;
  if (const auto* key = std::get_if<QueueSpec::RedisKey>(&spec.source))
    measured = co_await measure_redis(attempt, *key, length);
  else if (const auto* rabbitmq = std::get_if<QueueSpec::RabbitMq>(&spec.source))
    measured = co_await measure(attempt, *rabbitmq, length);
  else if (const auto* http = std::get_if<QueueSpec::HttpJson>(&spec.source))
    measured = co_await measure(attempt, *http, length);
  else if (const auto* sql = std::get_if<QueueSpec::SqlCount>(&spec.source))
    measured = co_await measure(attempt, *sql, length);
  if (measured) judge_length(attempt, spec, *length);
}

}  // namespace firebreak::probes
