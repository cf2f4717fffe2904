// One connection, one or two round trips: AUTH first, for what follows it would be refused.
#include "probes/redis.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "common/limits.h"
#include "common/secret.h"
#include "probes/redis_info.h"

namespace firebreak::probes {
namespace {

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find(' '));
}

// For a trace: what came, on one line.
std::string text_of(const RedisReply& reply) {
  if (reply.kind == '*') return "*" + std::to_string(reply.items.size());
  return reply.kind + reply.text;
}

}  // namespace

std::string redis_command(const RedisCommand& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words)
    text.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  return text;
}

RedisVerdict judge_redis_error(std::string_view error) {
  constexpr std::array<std::string_view, 4> kAuth = {"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"};
  const std::string_view code = first_word(error);
  if (std::find(kAuth.begin(), kAuth.end(), code) != kAuth.end() || error.starts_with("ERR AUTH") ||
      error.starts_with("ERR invalid password"))
    return {Status::critical, Reason::auth};
  // The key lives on another node of a cluster: the definition is wrong.
  if (code == "MOVED") return {Status::unknown, Reason::config};
  // The key is something else, or the server is.
  if (code == "WRONGTYPE" || error.starts_with("ERR unknown command"))
    return {Status::critical, Reason::protocol};
  return {Status::critical, Reason::status};
}

bool fail_reply(Attempt& attempt, std::string_view command, const RedisReply& reply) {
  if (reply.kind != '-')
    return attempt.critical(Reason::protocol,
                            std::string(command) + " was answered by: " + text_of(reply));
  const RedisVerdict verdict = judge_redis_error(reply.text);
  return attempt.fail(verdict.status, verdict.reason, reply.text);
}

// Whoever says why before it closes, means that: too many clients, protected mode.
bool RedisTalk::fail_closed(const std::vector<RedisReply>& replies) {
  if (!replies.empty() && replies.back().kind == '-')
    return fail_reply(attempt_, "", replies.back());
  const std::string& unfinished = reader_.unfinished();
  return attempt_.critical(Reason::reset,
                           unfinished.empty()
                               ? "the connection was closed without an answer"
                               : "the connection was closed in the middle of: " + unfinished);
}

Awaitable<bool> RedisTalk::read(std::size_t count, std::vector<RedisReply>& replies) {
  std::array<char, 4096> buffer;
  for (;;) {
    while (auto reply = reader_.take()) {
      if (attempt_.tracing()) attempt_.trace(text_of(*reply));
      replies.push_back(*std::move(reply));
      if (replies.size() == count) co_return true;
    }
    if (attempt_.is_over()) co_return attempt_.fail_timeout("no complete answer");
    const std::ptrdiff_t size = co_await stream_.receive(std::span<char>(buffer));
    if (size == 0 || (size < 0 && !attempt_.is_over() && !replies.empty()))
      co_return fail_closed(replies);
    if (size < 0) co_return false;
    attempt_.enter(Phase::transfer);
    if (!reader_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(size))))
      co_return attempt_.critical(Reason::protocol, reader_.problem());
  }
}

Awaitable<bool> RedisTalk::ask(std::vector<RedisCommand> commands,
                               std::vector<RedisReply>& replies) {
  replies.clear();
  std::string text;
  for (const RedisCommand& command : commands) text += redis_command(command);
  attempt_.enter(Phase::send);
  const bool sent = co_await stream_.send(text);
  if (!sent && attempt_.is_over()) co_return false;
  // A server that wants no more clients has closed, and has said so before.
  if (sent) attempt_.enter(Phase::first_byte);
  co_return co_await read(commands.size(), replies);
}

Awaitable<bool> RedisTalk::open(const RedisSpec& spec) {
  std::string password;
  if (!spec.password_file.empty()) {
    const auto secret = read_password_file(spec.password_file);
    if (!secret) co_return attempt_.unknown(Reason::config, secret.error().message);
    password = secret->reveal();
    attempt_.keep_secret(password);
  }
  if (!co_await stream_.open(spec.host, spec.port, spec.tls)) co_return false;
  if (password.empty()) co_return true;
  std::vector<RedisCommand> auth(1);
  auth[0].emplace_back("AUTH");
  if (!spec.username.empty()) auth[0].push_back(spec.username);
  auth[0].push_back(std::move(password));
  std::vector<RedisReply> replies;
  if (!co_await ask(std::move(auth), replies)) co_return false;
  if (replies[0].kind == '+' && replies[0].text == "OK") co_return true;
  co_return fail_reply(attempt_, "AUTH", replies[0]);
}

bool wants_info(const RedisSpec& spec) {
  return spec.info || !spec.role.empty();
}

bool take_info(Attempt& attempt, const RedisSpec& spec, const RedisReply& info) {
  if (info.kind != '$') return fail_reply(attempt, "INFO", info);
  for (NamedValue& value : redis_values_of(info.text))
    attempt.add_value(std::move(value.name), value.value);
  const auto trouble = judge_redis_role(info.text, spec.role);
  return !trouble || attempt.fail(trouble->status, trouble->reason, trouble->evidence);
}

Awaitable<void> probe_redis(Attempt& attempt, const RedisSpec& spec) {
  RedisTalk talk(attempt);
  if (!co_await talk.open(spec)) co_return;
  std::vector<RedisCommand> commands(wants_info(spec) ? 2 : 1);
  commands[0].emplace_back("PING");
  if (wants_info(spec)) commands[1].emplace_back("INFO");
  std::vector<RedisReply> replies;
  if (!co_await talk.ask(std::move(commands), replies)) co_return;
  // Values first: a server that loads, or whose master is gone, tells them all the same.
  const bool good = !wants_info(spec) || take_info(attempt, spec, replies[1]);
  if (replies[0].kind != '+' || replies[0].text != "PONG")
    fail_reply(attempt, "PING", replies[0]);
  else if (good)
    attempt.succeed();
}

}  // namespace firebreak::probes
