// What an agent may say, and what of it becomes an event.
#include "coordinator/ingest/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <firebreak/v1/agent.pb.h>
#include <google/protobuf/unknown_field_set.h>

#include <limits>

#include "common/limits.h"

namespace firebreak::ingest {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kNow = instant_from_unix_us(1'795'230'000'000'000);
constexpr WallTime kWall{Duration{1'795'230'000'000'000}};

v1::AgentMessage hello() {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_incarnation(7);
  hello.set_protocol(1);
  hello.set_version("1.0");
  hello.set_wall_unix_us(kWall.time_since_epoch().count() + 1500);
  return message;
}
// One result that began 300 ms before it was sent.
v1::AgentMessage batch() {
  v1::AgentMessage message;
  v1::ResultBatch& batch = *message.mutable_results();
  batch.set_first_seq(4);
  batch.set_sent_monotonic_us(1'000'000);
  v1::ResultBatch::Series& series = *batch.add_series();
  series.set_ref(0);
  series.mutable_key()->set_service("api");
  series.mutable_key()->set_probe("health");
  batch.add_ref(0);
  batch.add_status(v1::STATUS_OK);
  batch.add_reason(0);
  batch.add_phase(0);
  batch.add_started_monotonic_us(700'000);
  batch.add_latency_us(10'000);
  batch.add_confirmed(true);
  return message;
}
v1::AgentMessage outcome() {
  v1::AgentMessage message;
  v1::ActionOutcome& outcome = *message.mutable_action_outcome();
  outcome.set_action_id("act-1");
  outcome.set_state(v1::ACTION_STATE_SUCCEEDED);
  return message;
}

class SessionTest : public ::testing::Test {
 protected:
  Result<std::optional<core::Event>> take(const v1::AgentMessage& message) {
    return session_.take(message, kNow, kWall);
  }
  void expect_refused(const v1::AgentMessage& message, const std::string& why) {
    const auto taken = take(message);
    ASSERT_FALSE(taken) << why;
    EXPECT_THAT(taken.error().message, HasSubstr(why));
  }
  Session session_{AgentName("web-1")};
};

TEST_F(SessionTest, BeginsWithAHelloInTheCertificatesName) {
  auto message = hello();
  (*message.mutable_hello()->mutable_labels())["role"] = "edge";
  message.mutable_hello()->add_actions("restart-web");

  const auto taken = take(message);

  ASSERT_TRUE(taken);
  const auto& event = std::get<core::AgentAttached>(**taken);
  EXPECT_EQ(event.agent, AgentName("web-1"));
  EXPECT_EQ(event.incarnation, 7U);
  EXPECT_EQ(event.labels.at("role"), "edge");
  EXPECT_EQ(event.clock_skew, 1500us);
  EXPECT_THAT(event.actions, ::testing::ElementsAre("restart-web"));
}

TEST_F(SessionTest, WantsTheHelloFirstAndOnce) {
  expect_refused(batch(), "must be a Hello");
  ASSERT_TRUE(take(hello()));
  expect_refused(hello(), "only one Hello");
}

TEST_F(SessionTest, RefusesAnotherProtocol) {
  auto message = hello();
  message.mutable_hello()->set_protocol(2);

  const auto taken = take(message);

  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::failed_precondition);
  EXPECT_FALSE(session_.has_begun());
}

TEST_F(SessionTest, RefusesAHelloOutOfBounds) {
  auto message = hello();
  message.mutable_hello()->set_incarnation(0);
  expect_refused(message, "Hello.incarnation");
  message = hello();
  for (std::size_t i = 0; i <= limits::kLabelsMax; ++i)
    (*message.mutable_hello()->mutable_labels())["label" + std::to_string(i)] = "x";
  expect_refused(message, "Hello.labels");
  message = hello();
  (*message.mutable_hello()->mutable_labels())["role"] = "a\nforged line";
  expect_refused(message, "control character");
  message = hello();
  message.mutable_hello()->add_actions("rm -rf /");
  expect_refused(message, "Hello.actions");
}

TEST_F(SessionTest, PutsResultsOnTheCoordinatorsTimeLine) {
  ASSERT_TRUE(take(hello()));

  const auto taken = take(batch());

  ASSERT_TRUE(taken) << taken.error().message;
  const auto& event = std::get<core::ResultsReceived>(**taken);
  EXPECT_EQ(event.agent, AgentName("web-1"));
  EXPECT_EQ(event.incarnation, 7U);
  EXPECT_EQ(event.first_seq, 4U);
  ASSERT_EQ(event.rows.size(), 1U);
  EXPECT_EQ(event.rows[0].observed, kNow - 300ms);
}

// Acknowledging a number acknowledges all below it.
TEST_F(SessionTest, RefusesAGapThatTheAgentDoesNotOwnUpTo) {
  ASSERT_TRUE(take(hello()));
  ASSERT_TRUE(take(batch()));  // 4; what came before this stream nobody knows here
  v1::AgentMessage next = batch();
  next.mutable_results()->set_first_seq(8);
  next.mutable_results()->set_dropped_before(2);

  expect_refused(next, "results 5 to 7 are missing in the stream");

  next.mutable_results()->set_dropped_before(3);
  EXPECT_TRUE(take(next));
  EXPECT_TRUE(take(batch())) << "a repetition loses nothing";
  next.mutable_results()->set_first_seq(10);
  next.mutable_results()->set_dropped_before(0);
  expect_refused(next, "results 9 to 9 are missing in the stream");
}

// The agent's wall clock is shown and used for nothing else.
TEST_F(SessionTest, PlacesResultsTheSameWhateverTheAgentsWallClockSays) {
  auto message = hello();
  message.mutable_hello()->set_wall_unix_us(1);
  ASSERT_TRUE(take(message));

  const auto taken = take(batch());

  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<core::ResultsReceived>(**taken).rows[0].observed, kNow - 300ms);
}

TEST_F(SessionTest, PlacesResultsTheSameWhateverOurWallClockDoes) {
  ASSERT_TRUE(take(hello()));

  const auto taken = session_.take(batch(), kNow, kWall - std::chrono::hours(24));

  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<core::ResultsReceived>(**taken).rows[0].observed, kNow - 300ms);
}

TEST_F(SessionTest, KnowsTheAgentsClockFromHeartbeatsToo) {
  ASSERT_TRUE(take(hello()));
  v1::AgentMessage beat;
  beat.mutable_heartbeat()->set_monotonic_us(1'000'000);
  ASSERT_TRUE(take(beat));

  // The batch was sent at the same moment and came two seconds later.
  const auto taken = session_.take(batch(), kNow + 2s, kWall);

  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<core::ResultsReceived>(**taken).rows[0].observed, kNow - 300ms);
}

TEST_F(SessionTest, TakesNoClockFromAHostileHeartbeat) {
  ASSERT_TRUE(take(hello()));
  for (const std::int64_t us : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                std::numeric_limits<std::int64_t>::max()}) {
    v1::AgentMessage beat;
    beat.mutable_heartbeat()->set_monotonic_us(us);
    ASSERT_TRUE(take(beat));
  }

  const auto taken = take(batch());

  ASSERT_TRUE(taken);
  EXPECT_EQ(std::get<core::ResultsReceived>(**taken).rows[0].observed, kNow - 300ms);
}

TEST_F(SessionTest, RefusesASeriesThatTheStreamDidNotDefine) {
  ASSERT_TRUE(take(hello()));
  auto message = batch();
  message.mutable_results()->clear_series();

  expect_refused(message, "was not defined on this stream");
}

TEST_F(SessionTest, HearsAHeartbeatAndJournalsNothing) {
  ASSERT_TRUE(take(hello()));
  v1::AgentMessage message;
  message.mutable_heartbeat();

  const auto taken = take(message);

  ASSERT_TRUE(taken);
  EXPECT_FALSE(taken->has_value());
}

TEST_F(SessionTest, ReportsOutcomesInTheAgentsOwnName) {
  ASSERT_TRUE(take(hello()));
  auto message = outcome();
  message.mutable_action_outcome()->set_output(std::string(3 * limits::kActionOutputBytesMax, 'x'));

  const auto taken = take(message);

  ASSERT_TRUE(taken);
  const auto& event = std::get<core::ActionReported>(**taken);
  EXPECT_EQ(event.reporter, "agent:web-1");
  EXPECT_EQ(event.state, core::ActionState::succeeded);
  EXPECT_LE(event.output.size(), limits::kActionOutputBytesMax + 8);
}

TEST_F(SessionTest, RefusesAnOutcomeThatIsNone) {
  ASSERT_TRUE(take(hello()));
  auto message = outcome();
  message.mutable_action_outcome()->set_state(v1::ACTION_STATE_UNSPECIFIED);
  expect_refused(message, "ActionOutcome.state");
  message = outcome();
  message.mutable_action_outcome()->set_action_id("");
  expect_refused(message, "ActionOutcome.action_id");
  message = outcome();
  message.mutable_action_outcome()->set_took_us(-1);
  expect_refused(message, "ActionOutcome.took_us");
}

TEST_F(SessionTest, RefusesAMessageWithoutContent) {
  ASSERT_TRUE(take(hello()));
  expect_refused({}, "without content");
  v1::AgentMessage newer;
  newer.GetReflection()->MutableUnknownFields(&newer)->AddLengthDelimited(1000, "news");
  expect_refused(newer, "of a kind that this version does not know");
}

}  // namespace
}  // namespace firebreak::ingest
