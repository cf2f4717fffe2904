// What the agent sends is taken apart without trust; what we write we read back unchanged.
#include "agent/actuator/wire.h"

#include <firebreak/v1/actuator.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/actuator/frame.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
namespace pb = firebreak::v1;

Outcome some_outcome() {
  Outcome outcome;
  outcome.id = ActionId("a1");
  outcome.state = State::failed;
  outcome.exit_code = 3;
  outcome.output = "h\u00e9llo\n";
  outcome.output_dropped_bytes = 99;
  outcome.took = 1500ms;
  outcome.detail = "because";
  return outcome;
}

TEST(Wire, ReadsEveryFieldOfAnOrder) {
  pb::ActuatorRequest request;
  auto& order = *request.mutable_order();
  order.set_action_id("a1");
  order.set_name("restart");
  (*order.mutable_parameters())["page"] = "busy";
  order.set_epoch(7);
  order.set_valid_for_us(60'000'000);
  order.set_incident("INC-1");
  order.set_reason("health failed");

  const auto decoded = decode_request(request.SerializeAsString());

  ASSERT_TRUE(decoded);
  const auto& read = std::get<Order>(*decoded);
  EXPECT_EQ(read.id, ActionId("a1"));
  EXPECT_EQ(read.name, "restart");
  EXPECT_THAT(read.parameters, ::testing::ElementsAre(::testing::Pair("page", "busy")));
  EXPECT_EQ(read.epoch, 7u);
  EXPECT_EQ(read.valid_for, 60s);
  EXPECT_EQ(read.incident, "INC-1");
  EXPECT_EQ(read.reason, "health failed");
}

TEST(Wire, ReadsTheOtherRequests) {
  pb::ActuatorRequest list;
  list.mutable_list();
  pb::ActuatorRequest owed;
  owed.mutable_owed();
  pb::ActuatorRequest acknowledged;
  acknowledged.mutable_ack()->set_action_id("a1");

  EXPECT_TRUE(std::holds_alternative<ListActions>(*decode_request(list.SerializeAsString())));
  EXPECT_TRUE(std::holds_alternative<Owed>(*decode_request(owed.SerializeAsString())));
  EXPECT_EQ(std::get<Acknowledged>(*decode_request(acknowledged.SerializeAsString())).id,
            ActionId("a1"));
}

TEST(Wire, RefusesWhatIsNoRequest) {
  EXPECT_EQ(decode_request("").error().message, "a request is of no kind that this version knows");
  EXPECT_EQ(decode_request("\xff\xff").error().message, "a request is not an ActuatorRequest");
  EXPECT_FALSE(decode_request("\x0a\x02\x0a\xff")) << "invalid UTF-8 and too short";
}

TEST(Wire, AFrameSaysItsLengthHighestByteFirst) {
  EXPECT_EQ(framed("abc"), std::string("\0\0\0\3abc", 7));
  EXPECT_EQ(framed(""), std::string(4, '\0'));
  EXPECT_EQ(frame_header(0x01020304), "\1\2\3\4");
  EXPECT_EQ(frame_length("\xff\2\3\4rest"), 0xff020304U);
}

TEST(Wire, FramesAReply) {
  const std::string bytes = encode_outcome_reply(some_outcome());

  ASSERT_GT(bytes.size(), kFrameHeaderBytes);
  EXPECT_EQ(frame_length(bytes), bytes.size() - kFrameHeaderBytes);
  pb::ActuatorReply reply;
  ASSERT_TRUE(reply.ParseFromString(bytes.substr(kFrameHeaderBytes)));
  EXPECT_EQ(reply.outcome().state(), pb::ACTION_STATE_FAILED);
  EXPECT_EQ(reply.outcome().took_us(), 1'500'000);
}

TEST(Wire, FramesAList) {
  const std::string bytes = encode_list_reply({"restart", "stop"}, 9);

  pb::ActuatorReply reply;
  ASSERT_TRUE(reply.ParseFromString(bytes.substr(kFrameHeaderBytes)));
  EXPECT_THAT(reply.actions().names(), ::testing::ElementsAre("restart", "stop"));
  EXPECT_EQ(reply.actions().epoch_seen(), 9u);
}

TEST(Wire, ReadsEveryStateOfAnOutcomeBack) {
  for (const State state : {State::started, State::succeeded, State::failed, State::timed_out,
                            State::refused, State::unknown}) {
    Outcome outcome = some_outcome();
    outcome.state = state;
    const auto decoded = decode_outcome(encode_outcome(outcome));
    ASSERT_TRUE(decoded) << to_string(state);
    EXPECT_EQ(*decoded, outcome);
  }
}

TEST(Wire, RefusesAnOutcomeWithoutAState) {
  pb::ActionOutcome outcome;
  outcome.set_action_id("a1");

  EXPECT_EQ(decode_outcome(outcome.SerializeAsString()).error().message,
            "an outcome has no state that this version knows");
  EXPECT_EQ(decode_outcome("\xff").error().message, "these bytes are not an outcome");
}

TEST(Wire, RefusesARecordThatNamesNoAction) {
  for (const Record& record :
       {Record{{}, Intent{ActionId(""), "restart", 1}}, Record{{}, Intent{ActionId("a1"), "", 1}},
        Record{{}, Ended{}}, Record{{}, Acknowledged{}}})
    EXPECT_EQ(decode_record(encode_record(record)).error().message,
              "a record does not say which action it is about");
}

TEST(Wire, MakesHostileTextValid) {
  Outcome outcome = some_outcome();
  outcome.output = "a\xff";

  const auto decoded = decode_outcome(encode_outcome(outcome));

  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->output, "a\ufffd");
}

}  // namespace
}  // namespace firebreak::actuator
