// Lengths of queues, and the limits on them.
#include "probes/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "probes/redis.h"
#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::run_probe;
using testing::Script;
using testing::ScriptedServer;
using testing::value_of;

class Queue : public ::testing::Test {
 protected:
  Observation redis(const std::string& reply) {
    const ScriptedServer server(io_, {{{{"LLEN\r\n$4\r\njobs\r\n", reply}}, Script::End::close}});
    QueueSpec::RedisKey list;
    list.redis.host = "127.0.0.1";
    list.redis.port = server.port();
    list.key = "jobs";
    return run(list);
  }
  Observation http(const std::string& answer, const std::string& length = "body.length") {
    const ScriptedServer server(io_, {{{{"\r\n\r\n", answer}}, Script::End::close}});
    QueueSpec::HttpJson json;
    json.http.url = server.url();
    json.length = length;
    return run(json);
  }
  template <class Source>
  Observation run(const Source& source) {
    QueueSpec spec;
    spec.source = source;
    spec.warning = 5;
    spec.critical = 10;
    return run_probe(io_, spec);
  }

  boost::asio::io_context io_;
};

TEST_F(Queue, LengthIsAValue) {
  const Observation result = redis(":5\r\n");

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 5);
}

TEST_F(Queue, LengthAboveALimitIsThatBad) {
  const Observation warning = redis(":6\r\n");
  const Observation critical = redis(":11\r\n");

  expect_verdict(warning, Status::warning, Reason::threshold, Phase::transfer);
  EXPECT_EQ(warning.evidence, "6 waiting, more than 5");
  expect_verdict(critical, Status::critical, Reason::threshold, Phase::transfer);
  EXPECT_EQ(value_of(critical, "length"), 11);
}

TEST_F(Queue, OtherRepliesAreNoLength) {
  expect_verdict(redis("+OK\r\n"), Status::critical, Reason::protocol, Phase::transfer);
  expect_verdict(redis(":99999999999999999999\r\n"), Status::critical, Reason::protocol,
                 Phase::transfer);
  expect_verdict(redis(":-1\r\n"), Status::critical, Reason::body, Phase::transfer);
  expect_verdict(redis("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
                 Status::critical, Reason::protocol, Phase::transfer);
}

std::string command_text(const std::vector<std::string>& words) {
  return probes::redis_command(words);
}

// Replies to each of the groups of commands, in their order.
struct Answers {
  std::string last_word;  // of what is asked
  std::string replies;
};

class RedisKeys : public Queue {
 protected:
  Observation ask(QueueSpec::RedisKey source, const std::vector<Answers>& answers) {
    Script script;
    for (const Answers& each : answers)
      script.steps.push_back({each.last_word + "\r\n", each.replies});
    server_ = std::make_unique<ScriptedServer>(io_, std::vector<Script>{script});
    source.redis.host = "127.0.0.1";
    source.redis.port = server_->port();
    return run(source);
  }
  static QueueSpec::RedisKey stream(const std::string& group = "") {
    QueueSpec::RedisKey source;
    source.key = "s";
    source.type = "stream";
    source.group = group;
    return source;
  }

  std::unique_ptr<ScriptedServer> server_;
};

const std::string kTime = "*2\r\n$10\r\n1700000100\r\n$6\r\n500000\r\n";
const std::string kGroups =
    "*1\r\n*8\r\n$4\r\nname\r\n$1\r\ng\r\n$7\r\npending\r\n:2\r\n"
    "$17\r\nlast-delivered-id\r\n$15\r\n1700000090000-3\r\n$3\r\nlag\r\n";
const std::string kPending =
    "*4\r\n:2\r\n$15\r\n1700000040500-0\r\n$15\r\n1700000090000-3\r\n*0\r\n";
const std::string kEntry = "*1\r\n*2\r\n$15\r\n1700000050500-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";

TEST_F(RedisKeys, StreamHasALengthAndAnAge) {
  const Observation result = ask(stream(), {{"TIME", ":1\r\n:4\r\n" + kTime}, {"1", kEntry}});

  expect_ok(result);
  EXPECT_EQ(result.values.at(0).name, "length");
  EXPECT_EQ(value_of(result, "length"), 4);
  EXPECT_EQ(value_of(result, "oldest_age"), 50);
  EXPECT_EQ(server_->received().at(0), command_text({"EXISTS", "s"}) + command_text({"XLEN", "s"}) +
                                           command_text({"TIME"}) +
                                           command_text({"XRANGE", "s", "-", "+", "COUNT", "1"}));
}

TEST_F(RedisKeys, GroupHasWhatItHasNotFinished) {
  const Observation result =
      ask(stream("g"), {{"$1\r\ng", ":1\r\n:400\r\n" + kTime + kGroups + ":3\r\n" + kPending}});

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 5);
  EXPECT_EQ(value_of(result, "pending"), 2);
  EXPECT_EQ(value_of(result, "lag"), 3);
  EXPECT_EQ(value_of(result, "oldest_age"), 60);
}

TEST_F(RedisKeys, GroupMayHaveEverythingBeforeIt) {
  std::string idle = kGroups + ":3\r\n";
  idle.replace(idle.find(":2"), 2, ":0");
  const Observation result =
      ask(stream("g"),
          {{"$1\r\ng", ":1\r\n:9\r\n" + kTime + idle + "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n"},
           {"1", kEntry}});

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 3);
  EXPECT_EQ(value_of(result, "oldest_age"), 50);
  EXPECT_THAT(server_->received().at(0), HasSubstr("(1700000090000-3"));
}

TEST_F(RedisKeys, LagThatRedisDoesNotKnowIsNotZero) {
  const Observation result =
      ask(stream("g"), {{"$1\r\ng", ":1\r\n:400\r\n" + kTime + kGroups + "$-1\r\n" + kPending}});

  expect_verdict(result, Status::unknown, Reason::missing, Phase::transfer);
  EXPECT_EQ(value_of(result, "pending"), 2);
}

TEST_F(RedisKeys, MissingStreamAndGroupAreNotEmpty) {
  const Observation stream_gone = ask(stream(), {{"TIME", ":0\r\n:0\r\n" + kTime}});
  const Observation group_gone =
      ask(stream("h"), {{"$1\r\nh", ":1\r\n:400\r\n" + kTime + kGroups + ":3\r\n-NOGROUP no\r\n"}});

  expect_verdict(stream_gone, Status::critical, Reason::missing, Phase::transfer);
  EXPECT_EQ(stream_gone.evidence, "there is no stream 's'");
  expect_verdict(group_gone, Status::critical, Reason::missing, Phase::transfer);
  EXPECT_EQ(group_gone.evidence, "the stream 's' has no group 'h'");
}

TEST_F(RedisKeys, ScoreIsATimeWhenToldSo) {
  QueueSpec::RedisKey zset;
  zset.key = "z";
  zset.type = "zset";
  zset.score = "milliseconds";
  const std::string due = "*2\r\n$1\r\na\r\n$13\r\n1700000095500\r\n";
  const std::string later = "*2\r\n$1\r\na\r\n$13\r\n1800000000000\r\n";

  const Observation old = ask(zset, {{"WITHSCORES", ":2\r\n" + kTime + due}});
  const Observation soon = ask(zset, {{"WITHSCORES", ":2\r\n" + kTime + later}});
  const Observation empty = ask(zset, {{"WITHSCORES", ":0\r\n" + kTime + "*0\r\n"}});

  EXPECT_EQ(value_of(old, "oldest_age"), 5);
  EXPECT_EQ(value_of(soon, "oldest_age"), 0) << "it is not due";
  expect_ok(empty);
  EXPECT_EQ(empty.values.size(), 1);
}

TEST_F(RedisKeys, RoleMustBeTheWantedOne) {
  QueueSpec::RedisKey list;
  list.key = "l";
  list.redis.role = "master";
  const auto info = [](const std::string& role) {
    return "$" + std::to_string(role.size()) + "\r\n" + role + "\r\n";
  };

  const Observation master =
      ask(list, {{"INFO", info("role:master\nevicted_keys:4")}, {"l", ":2\r\n"}});
  const Observation replica = ask(list, {{"INFO", info("role:slave")}});

  expect_ok(master);
  EXPECT_EQ(master.values.at(0).name, "length");
  EXPECT_EQ(value_of(master, "evicted_keys"), 4);
  expect_verdict(replica, Status::critical, Reason::status, Phase::transfer);
  EXPECT_EQ(replica.evidence, "it is a replica, not a master");
}

TEST_F(RedisKeys, StrangeRepliesAreNoLength) {
  for (const std::string& replies :
       {"+OK\r\n:4\r\n" + kTime, ":1\r\n$1\r\n4\r\n" + kTime,
        ":1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n" + kTime})
    expect_verdict(ask(stream(), {{"TIME", replies}}), Status::critical, Reason::protocol,
                   Phase::transfer);
  // Without a time, or an id that is one, there is a length all the same.
  const Observation result = ask(stream(), {{"TIME", ":1\r\n:4\r\n-NOPERM no\r\n"}, {"1", kEntry}});
  expect_ok(result);
  EXPECT_EQ(result.values.size(), 1);
}

TEST_F(Queue, HttpLengthIsWhereTheExpressionSays) {
  const Observation result = http("HTTP/1.1 200 OK\r\n\r\n{\"queues\": [{\"n\": 3}, {\"n\": 4}]}",
                                  "body.queues[0].n + body.queues[1].n");

  expect_verdict(result, Status::warning, Reason::threshold, Phase::transfer);
  EXPECT_EQ(value_of(result, "length"), 7);
  // What value('queue') means: the length, not the status beside it.
  EXPECT_EQ(result.values.at(0).name, "length");
}

TEST_F(Queue, HttpBodyMayBeTheNumber) {
  EXPECT_EQ(value_of(http("HTTP/1.1 200 OK\r\n\r\n4\n", "body"), "length"), 4);
}

TEST_F(Queue, MissingQueueIsNotEmpty) {
  expect_verdict(http("HTTP/1.1 404 Not Found\r\n\r\nno such queue"), Status::critical,
                 Reason::missing, Phase::transfer);
}

TEST_F(Queue, HttpAnswerWithoutANumberIsNoLength) {
  const Observation text = http("HTTP/1.1 200 OK\r\n\r\n{\"length\": \"many\"}");

  expect_verdict(text, Status::critical, Reason::body, Phase::transfer);
  EXPECT_THAT(text.evidence, HasSubstr("'body.length' is 'many', not a number"));
  expect_verdict(http("HTTP/1.1 200 OK\r\n\r\n{}"), Status::critical, Reason::body,
                 Phase::transfer);
  expect_verdict(http("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"length\": 1}"), Status::critical,
                 Reason::status, Phase::transfer);
}

TEST_F(Queue, ExpressionIsNeeded) {
  expect_verdict(http("HTTP/1.1 200 OK\r\n\r\n4", ""), Status::unknown, Reason::config,
                 Phase::none);
}

}  // namespace
}  // namespace firebreak
