// What servers answer to probes, and the texts around them: Redis, PostgreSQL, JSON, URLs.
//
// The first byte says which.
#include <algorithm>

#include "common/probe_yaml.h"
#include "probes/expect.h"
#include "probes/http.h"
#include "probes/postgres_wire.h"
#include "probes/redis.h"
#include "probes/url.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kPrefixesMax = 300;

void redis(std::string_view bytes) {
  const auto reply = probes::parse_redis_line(bytes);
  if (!reply) return expect(!reply.error().message.empty(), "an error says why");
  expect(reply->kind == '+' || reply->kind == '-' || reply->kind == ':', "a reply has a kind");
  const auto verdict = probes::judge_redis_error(reply->text);
  expect(verdict.status != Status::ok, "an error is not fine");
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
  (void)probes::is_status_pattern(bytes);
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
  if (input[0] == 'p') postgres(bytes);
  if (input[0] == 'j') json(bytes);
  if (input[0] == 'u') url(bytes);
}

}  // namespace firebreak::fuzz
