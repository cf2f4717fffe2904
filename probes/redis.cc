// One connection, at most two commands, each answered by one line.
#include "probes/redis.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/limits.h"
#include "common/secret.h"
#include "probes/stream.h"

namespace firebreak::probes {
namespace {

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find(' '));
}

// Reads up to a line's end; what follows it is nobody's.
Awaitable<bool> receive_line(Attempt& attempt, Socket& socket, std::string& line) {
  attempt.enter(Phase::first_byte);
  line.clear();
  std::array<char, 1024> buffer;
  for (;;) {
    const std::ptrdiff_t size = co_await receive(attempt, socket, std::span<char>(buffer));
    if (size < 0) co_return false;
    if (size == 0)
      co_return attempt.critical(
          Reason::reset, line.empty() ? "the connection was closed without an answer"
                                      : "the connection was closed in the middle of: " + line);
    attempt.enter(Phase::transfer);
    line.append(buffer.data(), static_cast<std::size_t>(size));
    if (const auto end = line.find("\r\n"); end != std::string::npos) {
      line.resize(end);
      co_return true;
    }
    if (line.size() > limits::kRedisReplyBytesMax)
      co_return attempt.critical(Reason::protocol, "a reply longer than 64 KiB: " + line);
    if (attempt.is_over()) co_return attempt.fail_timeout("no complete answer");
  }
}

Awaitable<bool> command(Attempt& attempt, Socket& socket, std::string text, RedisReply& reply) {
  attempt.enter(Phase::send);
  if (!co_await send(attempt, socket, text)) co_return false;
  std::string line;
  if (!co_await receive_line(attempt, socket, line)) co_return false;
  auto parsed = parse_redis_line(line);
  if (!parsed) co_return attempt.critical(Reason::protocol, parsed.error().message);
  reply = *std::move(parsed);
  if (reply.kind != '-') co_return true;
  const RedisVerdict verdict = judge_redis_error(reply.text);
  co_return attempt.fail(verdict.status, verdict.reason, reply.text);
}

Awaitable<bool> authenticate(Attempt& attempt, Socket& socket, const RedisSpec& spec,
                             std::string password) {
  std::vector<std::string> words = {"AUTH"};
  if (!spec.username.empty()) words.push_back(spec.username);
  words.push_back(std::move(password));
  std::string text = redis_command(words);
  RedisReply reply;
  if (!co_await command(attempt, socket, std::move(text), reply)) co_return false;
  if (reply.kind == '+' && reply.text == "OK") co_return true;
  co_return attempt.critical(Reason::protocol, "AUTH was answered by: " + reply.text);
}

Awaitable<bool> connect_redis(Attempt& attempt, Socket& socket, const RedisSpec& spec) {
  if (spec.host.starts_with('/')) co_return co_await connect_unix(attempt, socket, spec.host);
  Addresses addresses;
  if (!co_await resolve(attempt, spec.host, addresses)) co_return false;
  co_return co_await connect(attempt, socket, addresses, spec.port);
}

}  // namespace

std::string redis_command(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words)
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

Result<RedisReply> parse_redis_line(std::string_view line) {
  const char kind = line.empty() ? '\0' : line.front();
  const std::string_view text = line.substr(line.empty() ? 0 : 1);
  bool good = kind == '+' || kind == '-';
  if (kind == ':') {
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    good = !digits.empty() && digits.size() <= 19 &&
           std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  }
  if (!good) return make_error(Errc::corrupt, "not an answer of Redis: " + std::string(line));
  return RedisReply{kind, std::string(text)};
}

RedisVerdict judge_redis_error(std::string_view error) {
  constexpr std::array<std::string_view, 4> kAuth = {"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"};
  // The key is not a list, or lives on another node of a cluster: the definition is wrong.
  constexpr std::array<std::string_view, 2> kConfig = {"WRONGTYPE", "MOVED"};
  const std::string_view code = first_word(error);
  if (std::find(kAuth.begin(), kAuth.end(), code) != kAuth.end() || error.starts_with("ERR AUTH") ||
      error.starts_with("ERR invalid password"))
    return {Status::critical, Reason::auth};
  if (std::find(kConfig.begin(), kConfig.end(), code) != kConfig.end())
    return {Status::unknown, Reason::config};
  if (error.starts_with("ERR unknown command")) return {Status::critical, Reason::protocol};
  return {Status::critical, Reason::status};
}

Awaitable<bool> ask_redis(Attempt& attempt, const RedisSpec& spec, std::vector<std::string> words,
                          RedisReply& reply) {
  std::string password;
  if (!spec.password_file.empty()) {
    const auto secret = read_password_file(spec.password_file);
    if (!secret) co_return attempt.unknown(Reason::config, secret.error().message);
    password = secret->reveal();
    attempt.keep_secret(password);
  }
  Connection connection(attempt);
  if (!co_await connect_redis(attempt, connection.socket(), spec)) co_return false;
  if (!password.empty() &&
      !co_await authenticate(attempt, connection.socket(), spec, std::move(password)))
    co_return false;
  if (attempt.tracing()) attempt.trace(words.front());
  std::string text = redis_command(words);
  if (!co_await command(attempt, connection.socket(), std::move(text), reply)) co_return false;
  if (attempt.tracing()) attempt.trace(reply.kind + reply.text);
  co_return true;
}

Awaitable<void> probe_redis(Attempt& attempt, const RedisSpec& spec) {
  RedisReply reply;
  std::vector<std::string> words;
  words.emplace_back("PING");
  if (!co_await ask_redis(attempt, spec, std::move(words), reply)) co_return;
  if (reply.kind == '+' && reply.text == "PONG")
    attempt.succeed();
  else
    attempt.critical(Reason::protocol, "PING was answered by: " + reply.text);
}

}  // namespace firebreak::probes
