// What servers answer to probes, and the texts around them: Redis, PostgreSQL, pgbouncer, JSON,
// URLs.
//
// The first byte says which.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "common/probe_yaml.h"
#include "probes/expect.h"
#include "probes/http.h"
#include "probes/pgbouncer_pools.h"
#include "probes/postgres_info.h"
#include "probes/postgres_wire.h"
#include "probes/redis.h"
#include "probes/redis_info.h"
#include "probes/redis_queue.h"
#include "probes/resp.h"
#include "probes/url.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kPrefixesMax = 300;

// One text for all that was read, so that two ways of reading can be compared.
std::string text_of(const probes::RedisReply& reply) {
  std::string text = reply.kind + std::to_string(reply.text.size()) + ":" + reply.text;
  for (const probes::RedisReply& item : reply.items) text += text_of(item);
  return text + ";";
}

std::string read_redis(probes::RedisReader& reader, std::string_view bytes, std::size_t piece) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const bool good = reader.feed(bytes.substr(at, piece));
    expect(good == reader.problem().empty(), "what is refused says why");
    while (const auto reply = reader.take()) {
      expect(std::string_view("+-:$*_").find(reply->kind) != std::string_view::npos,
             "a reply has a kind");
      text += text_of(*reply);
      const auto group = probes::group_of(*reply, "g");
      expect(!group || (std::isfinite(group->pending) && std::isfinite(group->lag.value_or(0))),
             "what a group has is finite");
      for (const auto& time :
           {probes::time_of_server(*reply), probes::time_of_score(*reply, "milliseconds"),
            probes::time_of_id(probes::first_id(*reply)),
            probes::time_of_id(probes::oldest_pending(*reply))})
        expect(std::isfinite(time.value_or(0)), "a time is finite");
    }
    if (!good) break;
  }
  return text;
}

void redis(std::string_view bytes) {
  probes::RedisReader whole;
  probes::RedisReader slow;
  const std::string at_once = read_redis(whole, bytes, std::max<std::size_t>(1, bytes.size()));
  expect(at_once == read_redis(slow, bytes, 1), "pieces do not matter", at_once);
  expect(whole.problem() == slow.problem(), "pieces do not matter", slow.problem());
  expect(probes::judge_redis_error(bytes).status != Status::ok, "an error is not fine");
}

void expect_known(const std::vector<NamedValue>& values, std::span<const std::string> known) {
  for (const NamedValue& value : values) {
    expect(std::find(known.begin(), known.end(), value.name) != known.end(), "a value is known");
    expect(std::isfinite(value.value) && value.value >= 0, "a value is finite", value.name);
  }
}

void redis_info(std::string_view bytes) {
  expect_known(probes::redis_values_of(bytes), redis_values());
  for (const char* role : {"", "master", "replica"}) {
    const auto trouble = probes::judge_redis_role(bytes, role);
    if (trouble)
      expect(trouble->status != Status::ok && !trouble->evidence.empty(), "trouble is told");
  }
}

void postgres_login(std::string_view bytes) {
  using Kind = probes::PostgresLogin::Kind;
  const auto whole = probes::parse_postgres_login(bytes);
  for (std::size_t size = 0; size < std::min(bytes.size(), kPrefixesMax); ++size) {
    const auto part = probes::parse_postgres_login(bytes.substr(0, size));
    expect(part.questions <= whole.questions, "a question is not taken back");
    if (part.kind == Kind::costly) expect(whole.kind == Kind::costly, "a cost stays one");
  }
}

// Bytes come as they come: a verdict on some of them stands when there are more.
void postgres(std::string_view bytes) {
  using Kind = probes::PostgresGreeting::Kind;
  const auto whole = probes::parse_postgres_greeting(bytes);
  for (std::size_t size = 0; size < std::min(bytes.size(), kPrefixesMax); ++size) {
    const auto part = probes::parse_postgres_greeting(bytes.substr(0, size));
    // An old server's error ends where the connection does.
    if (part.kind == Kind::more || part.kind == Kind::error) continue;
    expect(part.kind == whole.kind, "a greeting is not taken back");
  }
  expect(whole.text.size() <= bytes.size(), "a greeting is not longer than its bytes");
  (void)probes::is_rejecting(whole.code);
  expect(probes::judge_sqlstate(whole.code).status != Status::ok, "an error is not fine");
  const std::string text(bytes);
  expect(probes::judge_postgres_failure(text).status != Status::ok, "a failure is not fine");
}

// A row a line, "name=text,name=text"; a field without '=' is null.
std::vector<std::vector<probes::SqlField>> rows_of(std::string_view bytes) {
  const auto take = [](std::string_view& rest, char end) {
    const std::size_t at = std::min(rest.find(end), rest.size());
    const std::string_view part = rest.substr(0, at);
    rest.remove_prefix(std::min(at + 1, rest.size()));
    return part;
  };
  std::vector<std::vector<probes::SqlField>> rows;
  while (!bytes.empty()) {
    std::vector<probes::SqlField> row;
    for (std::string_view line = take(bytes, '\n'); !line.empty();) {
      probes::SqlField field;
      std::string_view text = take(line, ',');
      const bool is_null = text.find('=') == std::string_view::npos;
      field.name = take(text, '=');
      if (!is_null) field.text = text;
      row.push_back(field);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void sql_rows(std::string_view bytes) {
  const auto rows = rows_of(bytes);
  for (const auto& row : rows)
    for (const char* role : {"", "primary", "standby"}) {
      const probes::PostgresInfo info = probes::read_postgres_info(row, role);
      expect_known(info.values, postgres_values());
      if (info.trouble)
        expect(info.trouble->status != Status::ok && !info.trouble->evidence.empty(),
               "trouble is told");
    }
  for (const char* database : {"", "shop"}) {
    probes::PgbouncerPools pools(database);
    for (const auto& row : rows) pools.add(row);
    expect_known(pools.values(), pgbouncer_values());
    expect(pools.pools() <= static_cast<double>(rows.size()), "a row is one pool at most");
  }
}

void json(std::string_view bytes) {
  const cel::Value value = probes::json_or_text(std::string(bytes));
  expect(!value.is_error() && !value.is_unknown(), "a body is a value");
  expect_safe(to_string(value), false, "a value as text");
  static const auto declared = http_expect_declarations();
  static const auto compiled = cel::compile(
      "body.success == true && body.items[0] > 3 || size(body) > 2 || 'x' in body", declared);
  cel::Bindings names;
  names.set("body", value);
  const auto verdict = std::get<cel::Program>(compiled).evaluate(names);
  expect(verdict.is(cel::Value::Kind::boolean) || verdict.is_error(), "a condition is decided");
}

void url(std::string_view bytes) {
  (void)is_status_pattern(bytes);
  const auto parsed = probes::parse_url(bytes);
  if (!parsed) return expect(!parsed.error().message.empty(), "an error says why");
  const std::string written = to_string(*parsed);
  const auto again = probes::parse_url(written);
  if (!again) broken("a URL reads back as it is written", again.error().message + "\n" + written);
  expect(*again == *parsed, "a URL reads back as it is written", written);
  expect(!parsed->host.empty() && !parsed->target.empty(), "a URL has a host and a target");
  for (const std::string& text : {parsed->target, probes::host_header(*parsed)})
    for (const char c : text)
      expect(c > 0x20 && c < 0x7f, "what goes into a request is plain", text);
}

}  // namespace

void run(std::string_view input) {
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if (input[0] == 'r') redis(bytes);
  if (input[0] == 'i') redis_info(bytes);
  if (input[0] == 'p') postgres(bytes);
  if (input[0] == 'p') postgres_login(bytes);
  if (input[0] == 'q') sql_rows(bytes);
  if (input[0] == 'j') json(bytes);
  if (input[0] == 'u') url(bytes);
}

}  // namespace firebreak::fuzz
