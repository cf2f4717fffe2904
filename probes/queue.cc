// Each source ends in one number; the verdict over it is the same for all.
#include "probes/queue.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/probe_yaml.h"
#include "common/queue_verdict.h"
#include "probes/expect.h"
#include "probes/http.h"
#include "probes/postgres.h"
#include "probes/redis.h"

namespace firebreak::probes {
namespace {

using Length = std::optional<double>;

Length to_number(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

Awaitable<bool> measure(Attempt& attempt, const QueueSpec::RedisList& list, Length& length) {
  RedisReply reply;
  std::vector<std::string> words;
  words.emplace_back("LLEN");
  words.push_back(list.key);
  if (!co_await ask_redis(attempt, list.redis, std::move(words), reply)) co_return false;
  length = reply.kind == ':' ? to_number(reply.text) : std::nullopt;
  co_return length || attempt.critical(Reason::protocol, "LLEN was answered by: " + reply.text);
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
  if (const auto* list = std::get_if<QueueSpec::RedisList>(&spec.source))
    measured = co_await measure(attempt, *list, length);
  else if (const auto* http = std::get_if<QueueSpec::HttpJson>(&spec.source))
    measured = co_await measure(attempt, *http, length);
  else if (const auto* sql = std::get_if<QueueSpec::SqlCount>(&spec.source))
    measured = co_await measure(attempt, *sql, length);
  if (measured) judge_length(attempt, spec, *length);
}

}  // namespace firebreak::probes
