// Lengths of queues, and the limits on them.
#include "probes/queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    QueueSpec::RedisList list;
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
                 Status::unknown, Reason::config, Phase::transfer);
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
