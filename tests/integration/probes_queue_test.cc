// Lengths of queues in a real Redis and a real RabbitMQ, and what is no queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/clock.h"
#include "common/pki.h"
#include "tests/integration/run.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace queue_probe_test {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::kBrief;
using testing::RabbitServer;
using testing::RedisServer;
using testing::run;
using testing::secret_file;
using testing::TempDir;
using testing::value_of;

// --- Redis ---------------------------------------------------------------------------------------

QueueSpec under(const RedisServer& server, const std::string& type, const std::string& key,
                const std::string& group = "") {
  QueueSpec::RedisKey source;
  source.redis.host = "127.0.0.1";
  source.redis.port = server.port();
  source.type = type;
  source.key = key;
  source.group = group;
  QueueSpec spec;
  spec.source = source;
  return spec;
}

double length_of(const QueueSpec& spec) {
  const Observation result = run(spec);
  expect_ok(result);
  return value_of(result, "length");
}

TEST(RedisQueue, CountsEachType) {
  const RedisServer server;
  server.cli({"RPUSH", "list", "a", "b"});
  server.cli({"SADD", "set", "a", "b", "c"});
  server.cli({"ZADD", "zset", "1", "a"});
  server.cli({"XADD", "stream", "*", "a", "b"});

  EXPECT_EQ(length_of(under(server, "list", "list")), 2);
  EXPECT_EQ(length_of(under(server, "set", "set")), 3);
  EXPECT_EQ(length_of(under(server, "zset", "zset")), 1);
  EXPECT_EQ(length_of(under(server, "stream", "stream")), 1);
  for (const std::string type : {"list", "set", "zset"}) {
    EXPECT_EQ(length_of(under(server, type, "nothing")), 0) << "empty is gone";
    expect_verdict(run(under(server, type, "stream")), Status::critical, Reason::protocol,
                   Phase::transfer);
  }
  expect_verdict(run(under(server, "stream", "list")), Status::critical, Reason::protocol,
                 Phase::transfer);
}

TEST(RedisQueue, MissingStreamIsNotEmpty) {
  const RedisServer server;
  server.cli({"XADD", "drained", "1-1", "a", "b"});
  server.cli({"XDEL", "drained", "1-1"});

  EXPECT_EQ(length_of(under(server, "stream", "drained")), 0);
  expect_verdict(run(under(server, "stream", "nothing")), Status::critical, Reason::missing,
                 Phase::transfer);
  expect_verdict(run(under(server, "stream", "drained", "nobody")), Status::critical,
                 Reason::missing, Phase::transfer);
  expect_verdict(run(under(server, "stream", "nothing", "nobody")), Status::critical,
                 Reason::missing, Phase::transfer);
}

// An id that many seconds before now, by the server's clock.
std::string id_before(const RedisServer& server, int seconds, int seq) {
  const std::int64_t now = std::stoll(server.cli({"TIME"}));
  return std::to_string((now - seconds) * 1000) + "-" + std::to_string(seq);
}

TEST(RedisQueue, GroupIsBehindByWhatItHasNotFinished) {
  const RedisServer server;
  server.cli({"XADD", "orders", id_before(server, 300, 0), "n", "1"});
  server.cli({"XADD", "orders", id_before(server, 200, 0), "n", "2"});
  server.cli({"XADD", "orders", id_before(server, 100, 0), "n", "3"});
  server.cli({"XGROUP", "CREATE", "orders", "billing", "0"});
  const QueueSpec spec = under(server, "stream", "orders", "billing");

  const Observation fresh = run(spec);
  expect_ok(fresh);
  EXPECT_EQ(value_of(fresh, "length"), 3);
  EXPECT_EQ(value_of(fresh, "lag"), 3);
  EXPECT_NEAR(value_of(fresh, "oldest_age"), 300, 20);

  server.cli({"XREADGROUP", "GROUP", "billing", "c", "COUNT", "2", "STREAMS", "orders", ">"});
  const Observation busy = run(spec);
  EXPECT_EQ(value_of(busy, "pending"), 2);
  EXPECT_EQ(value_of(busy, "lag"), 1);
  EXPECT_EQ(value_of(busy, "length"), 3);
  EXPECT_NEAR(value_of(busy, "oldest_age"), 300, 20);

  const auto acknowledge_all = [&server] {
    server.cli({"EVAL",
                "for _,p in ipairs(redis.call('XPENDING','orders','billing','-','+',10)) do "
                "redis.call('XACK','orders','billing',p[1]) end",
                "0"});
  };
  acknowledge_all();
  const Observation later = run(spec);
  EXPECT_EQ(value_of(later, "length"), 1);
  EXPECT_NEAR(value_of(later, "oldest_age"), 100, 20);

  server.cli({"XREADGROUP", "GROUP", "billing", "c", "STREAMS", "orders", ">"});
  acknowledge_all();
  const Observation done = run(spec);
  expect_ok(done);
  EXPECT_EQ(value_of(done, "length"), 0);
  EXPECT_EQ(length_of(under(server, "stream", "orders")), 3) << "entries stay in a stream";
}

TEST(RedisQueue, LagThatRedisDoesNotKnowIsNotZero) {
  const RedisServer server;
  for (const char* id : {"1-1", "1-2", "1-3"}) server.cli({"XADD", "orders", id, "a", "b"});
  server.cli({"XGROUP", "CREATE", "orders", "billing", "0"});
  server.cli({"XDEL", "orders", "1-2"});

  const Observation result = run(under(server, "stream", "orders", "billing"));

  expect_verdict(result, Status::unknown, Reason::missing, Phase::transfer);
  EXPECT_EQ(value_of(result, "pending"), 0);
}

TEST(RedisQueue, OldestEntryMayBeLarge) {
  const RedisServer server;
  server.cli({"EVAL", "redis.call('XADD', 'fat', '*', 'a', string.rep('x', 3000000))", "0"});

  const Observation result = run(under(server, "stream", "fat"));

  expect_ok(result);
  EXPECT_LT(value_of(result, "oldest_age"), 20);
}

TEST(RedisQueue, ScoreThatIsATimeHasAnAge) {
  const RedisServer server;
  const std::int64_t now = std::stoll(server.cli({"TIME"}));
  server.cli({"ZADD", "due", std::to_string(now - 60), "a", std::to_string(now + 60), "b"});
  QueueSpec spec = under(server, "zset", "due");
  std::get<QueueSpec::RedisKey>(spec.source).score = "seconds";

  const Observation result = run(spec);

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 2);
  EXPECT_NEAR(value_of(result, "oldest_age"), 60, 20);
}

// --- RabbitMQ ------------------------------------------------------------------------------------

class RabbitQueue : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempDir>();
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(folder_->path(), "prod", now));
    const auto pair =
        pki::issue(folder_->path(), {pki::Role::coordinator, "mq", {"127.0.0.1"}, 30}, now);
    ASSERT_TRUE(pair) << pair.error().message;
    server_ = std::make_unique<RabbitServer>(pair->certificate, pair->key, *folder_ / "ca.crt");
    for (int i = 0; i < 3; ++i) server_->publish("jobs");
  }
  static void TearDownTestSuite() {
    server_.reset();
    folder_.reset();
  }

  static QueueSpec::RabbitMq as(const std::string& user, const std::string& queue) {
    QueueSpec::RabbitMq source;
    source.host = "127.0.0.1";
    source.port = server_->port();
    source.user = user;
    source.password_file = secret_file(*folder_, "right");
    source.queue = queue;
    return source;
  }
  static QueueSpec spec_of(const QueueSpec::RabbitMq& source) {
    QueueSpec spec;
    spec.source = source;
    spec.warning = 10;
    return spec;
  }

  static std::unique_ptr<TempDir> folder_;
  static std::unique_ptr<RabbitServer> server_;
};

std::unique_ptr<TempDir> RabbitQueue::folder_;
std::unique_ptr<RabbitServer> RabbitQueue::server_;

TEST_F(RabbitQueue, IsCounted) {
  QueueSpec limited = spec_of(as("firebreak", "jobs"));
  limited.critical = 2;

  const Observation result = run(spec_of(as("firebreak", "jobs")));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 3);
  EXPECT_EQ(value_of(result, "consumers"), 0);
  EXPECT_EQ(result.values.at(0).name, "length");
  expect_verdict(run(limited), Status::critical, Reason::threshold, Phase::transfer);
}

TEST_F(RabbitQueue, EachNoHasItsReason) {
  QueueSpec::RabbitMq nowhere = as("firebreak", "jobs");
  nowhere.vhost = "nowhere";
  QueueSpec::RabbitMq other = as("firebreak", "jobs");
  other.vhost = "other";
  struct Case {
    QueueSpec::RabbitMq source;
    Reason reason;
    const char* evidence;
  };
  for (const Case& each :
       {Case{as("firebreak", "nothing"), Reason::missing, "404 NOT_FOUND - no queue 'nothing'"},
        Case{as("stranger", "jobs"), Reason::auth, "403 ACCESS_REFUSED - Login was refused"},
        Case{nowhere, Reason::missing, "530 NOT_ALLOWED - vhost nowhere not found"},
        Case{other, Reason::auth, "530 NOT_ALLOWED - access to vhost 'other' refused"}}) {
    const Observation result = run(spec_of(each.source));
    expect_verdict(result, Status::critical, each.reason, Phase::transfer);
    EXPECT_THAT(result.evidence, HasSubstr(each.evidence));
  }
}

// The vhost is enough: a passive declare asks for no permission.
TEST_F(RabbitQueue, WhoMayDoNothingMayAsk) {
  const Observation result = run(spec_of(as("nobody", "jobs")));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 3);
}

TEST_F(RabbitQueue, IsAskedThroughTls) {
  QueueSpec::RabbitMq source = as("firebreak", "jobs");
  source.port = server_->tls_port();
  source.tls = TlsSpec{};
  source.tls->ca_file = *folder_ / "ca.crt";
  QueueSpec::RabbitMq stranger = source;
  stranger.tls->ca_file.clear();

  const Observation result = run(spec_of(source));

  expect_ok(result);
  EXPECT_EQ(value_of(result, "length"), 3);
  EXPECT_NEAR(value_of(result, "certificate_days"), 30, 1);
  expect_verdict(run(spec_of(stranger)), Status::critical, Reason::tls, Phase::tls);
}

TEST_F(RabbitQueue, FrozenServerIsATimeout) {
  server_->freeze();
  const Observation result = run(spec_of(as("firebreak", "jobs")), kBrief);
  server_->thaw();

  expect_verdict(result, Status::critical, Reason::timeout, Phase::first_byte);
  expect_ok(run(spec_of(as("firebreak", "jobs"))));
}

TEST_F(RabbitQueue, ManagementApiToldTheSame) {
  QueueSpec::HttpJson json;
  json.http.url = server_->api("queues/%2F/jobs");
  json.http.basic_user = "firebreak";
  json.http.basic_password_file = secret_file(*folder_, "right");
  json.length = "'messages' in body ? body.messages : 0";
  QueueSpec spec;
  spec.source = json;
  QueueSpec missing = spec;
  std::get<QueueSpec::HttpJson>(missing.source).http.url = server_->api("queues/%2F/nothing");

  Observation result = run(spec);
  while (value_of(result, "length") != 3) result = run(spec);  // its numbers are seconds old

  expect_ok(result);
  expect_verdict(run(missing), Status::critical, Reason::missing, Phase::transfer);
}

TEST(RabbitQueueProbe, AnotherServerIsNoAmqp) {
  const RedisServer server;
  QueueSpec::RabbitMq source;
  source.host = "127.0.0.1";
  source.port = server.port();
  source.queue = "jobs";
  QueueSpec spec;
  spec.source = source;

  const Observation result = run(spec, kBrief);  // Redis waits for the end of a line

  EXPECT_EQ(result.status, Status::critical) << result.evidence;
}

}  // namespace queue_probe_test
}  // namespace firebreak
