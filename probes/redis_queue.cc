// One round trip; one more for the oldest entry of a stream, and one for INFO, on the same
// connection.
#include "probes/redis_queue.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "probes/redis.h"

namespace firebreak::probes {
namespace {

std::optional<double> to_finite(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<double> integer_of(const RedisReply& reply) {
  return reply.kind == ':' ? to_finite(reply.text) : std::nullopt;
}

bool is_array(const RedisReply& reply, std::size_t least) {
  return reply.kind == '*' && reply.items.size() >= least;
}

RedisCommand command_of(std::string_view words, const std::string& key) {
  RedisCommand command;
  command.emplace_back(words);
  command.push_back(key);
  return command;
}

// By the server's clock, which has made the ids, too. What is due later has not waited yet.
void add_age(Attempt& attempt, const RedisReply& time, const std::optional<double>& since) {
  const auto now = time_of_server(time);
  if (now && since) attempt.add_value("oldest_age", std::max(0.0, *now - *since));
}

bool take_length(Attempt& attempt, std::string_view command, const RedisReply& reply,
                 std::optional<double>& length) {
  length = integer_of(reply);
  return length || fail_reply(attempt, command, reply);
}

bool take_group(Attempt& attempt, const QueueSpec::RedisKey& source, const RedisReply& groups,
                std::optional<StreamGroup>& group) {
  if (groups.kind != '*') return fail_reply(attempt, "XINFO GROUPS", groups);
  group = group_of(groups, source.group);
  if (!group)
    return attempt.critical(Reason::missing,
                            "the stream '" + source.key + "' has no group '" + source.group + "'");
  attempt.add_value("pending", group->pending);
  if (group->lag) attempt.add_value("lag", *group->lag);
  return true;
}

std::vector<RedisCommand> stream_questions(const QueueSpec::RedisKey& source) {
  std::vector<RedisCommand> commands;
  commands.reserve(5);
  commands.push_back(command_of("EXISTS", source.key));
  commands.push_back(command_of("XLEN", source.key));
  commands.push_back({"TIME"});
  if (source.group.empty()) return commands;
  commands.push_back({"XINFO", "GROUPS", source.key});
  commands.push_back({"XPENDING", source.key, source.group});
  return commands;
}

Awaitable<bool> measure_stream(Attempt& attempt, RedisTalk& talk, const QueueSpec::RedisKey& source,
                               std::optional<double>& length) {
  std::vector<RedisReply> replies;
  std::vector<RedisCommand> questions = stream_questions(source);
  if (!co_await talk.ask(std::move(questions), replies)) co_return false;
  std::optional<double> exists;
  if (!take_length(attempt, "EXISTS", replies[0], exists)) co_return false;
  if (*exists == 0)
    co_return attempt.critical(Reason::missing, "there is no stream '" + source.key + "'");
  if (!take_length(attempt, "XLEN", replies[1], length)) co_return false;
  std::optional<StreamGroup> group;
  if (!source.group.empty() && !take_group(attempt, source, replies[3], group)) co_return false;
  if (group && group->pending > 0)
    add_age(attempt, replies[2], time_of_id(oldest_pending(replies[4])));
  if (group && !group->lag)
    co_return attempt.unknown(Reason::missing,
                              "Redis cannot say how far the group '" + source.group + "' lags");
  if (group) length = group->pending + *group->lag;
  if (*length == 0 || (group && group->pending > 0)) co_return true;
  std::vector<RedisCommand> range(1);
  const std::string begin = group ? "(" + group->last_id : "-";
  range[0] = {"XRANGE", source.key, begin, "+", "COUNT", "1"};
  std::vector<RedisReply> oldest;
  if (!co_await talk.ask(std::move(range), oldest)) co_return false;
  if (oldest[0].kind != '*') co_return fail_reply(attempt, "XRANGE", oldest[0]);
  add_age(attempt, replies[2], time_of_id(first_id(oldest[0])));
  co_return true;
}

Awaitable<bool> measure_other(Attempt& attempt, RedisTalk& talk, const QueueSpec::RedisKey& source,
                              std::optional<double>& length) {
  const char* const counting = source.type == "zset"  ? "ZCARD"
                               : source.type == "set" ? "SCARD"
                                                      : "LLEN";
  std::vector<RedisCommand> commands;
  commands.push_back(command_of(counting, source.key));
  if (!source.score.empty()) {
    commands.push_back({"TIME"});
    commands.push_back({"ZRANGE", source.key, "0", "0", "WITHSCORES"});
  }
  std::vector<RedisReply> replies;
  if (!co_await talk.ask(std::move(commands), replies)) co_return false;
  if (!take_length(attempt, counting, replies[0], length)) co_return false;
  if (source.score.empty()) co_return true;
  if (replies[2].kind != '*') co_return fail_reply(attempt, "ZRANGE", replies[2]);
  add_age(attempt, replies[1], time_of_score(replies[2], source.score));
  co_return true;
}

}  // namespace

Awaitable<bool> measure_redis(Attempt& attempt, const QueueSpec::RedisKey& source,
                              std::optional<double>& length) {
  RedisTalk talk(attempt);
  if (!co_await talk.open(source.redis)) co_return false;
  if (wants_info(source.redis)) {
    std::vector<RedisCommand> commands(1);
    commands[0].emplace_back("INFO");
    std::vector<RedisReply> replies;
    if (!co_await talk.ask(std::move(commands), replies)) co_return false;
    if (!take_info(attempt, source.redis, replies[0])) co_return false;
  }
  if (source.type == "stream") co_return co_await measure_stream(attempt, talk, source, length);
  co_return co_await measure_other(attempt, talk, source, length);
}

std::optional<StreamGroup> group_of(const RedisReply& groups, std::string_view name) {
  for (const RedisReply& each : groups.items) {
    StreamGroup group;
    bool wanted = false;
    for (std::size_t i = 0; i + 1 < each.items.size(); i += 2) {
      const std::string& field = each.items[i].text;
      const RedisReply& value = each.items[i + 1];
      if (field == "name") wanted = value.text == name;
      if (field == "pending") group.pending = integer_of(value).value_or(0);
      if (field == "lag") group.lag = integer_of(value);
      if (field == "last-delivered-id") group.last_id = value.text;
    }
    if (wanted) return group;
  }
  return std::nullopt;
}

std::string oldest_pending(const RedisReply& summary) {
  return is_array(summary, 2) ? summary.items[1].text : "";
}

std::string first_id(const RedisReply& range) {
  return is_array(range, 1) && is_array(range.items[0], 1) ? range.items[0].items[0].text : "";
}

std::optional<double> time_of_id(std::string_view id) {
  const auto ms = to_finite(id.substr(0, id.find('-')));
  if (!ms || *ms < 0) return std::nullopt;
  return *ms / 1000;
}

std::optional<double> time_of_server(const RedisReply& time) {
  if (!is_array(time, 2)) return std::nullopt;
  const auto seconds = to_finite(time.items[0].text);
  const auto us = to_finite(time.items[1].text);
  if (!seconds || !us) return std::nullopt;
  return *seconds + *us / 1e6;
}

std::optional<double> time_of_score(const RedisReply& range, std::string_view unit) {
  if (!is_array(range, 2)) return std::nullopt;
  const auto score = to_finite(range.items[1].text);
  if (!score) return std::nullopt;
  return unit == "milliseconds" ? *score / 1000 : *score;
}

}  // namespace firebreak::probes
