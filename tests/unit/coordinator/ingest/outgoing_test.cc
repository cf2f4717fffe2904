// What an agent hears, in which order, and what is replaced while it waits.
#include "coordinator/ingest/outgoing.h"

#include <gtest/gtest.h>

namespace firebreak::ingest {
namespace {

v1::CoordinatorMessage order(const std::string& id) {
  v1::CoordinatorMessage message;
  message.mutable_action_order()->set_action_id(id);
  return message;
}

TEST(Outgoing, SaysNothingBeforeTheWelcome) {
  Outgoing outgoing;
  outgoing.acknowledge(4);
  ASSERT_TRUE(outgoing.push(order("act-1")));
  EXPECT_FALSE(outgoing.next());

  outgoing.welcome({});

  EXPECT_TRUE(outgoing.next()->has_welcome());
  EXPECT_EQ(outgoing.next()->action_order().action_id(), "act-1");
  EXPECT_EQ(outgoing.next()->ack().seq(), 4U);
  EXPECT_FALSE(outgoing.next());
}

TEST(Outgoing, KeepsOnlyTheNewestOfWhatReplacesItself) {
  Outgoing outgoing;
  outgoing.welcome({});
  ASSERT_TRUE(outgoing.next());
  v1::Assignment assignment;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    assignment.set_generation(i);
    outgoing.assign(assignment);
    outgoing.acknowledge(10 * i);
    outgoing.heartbeat();
  }

  EXPECT_EQ(outgoing.next()->assignment().generation(), 3U);
  EXPECT_EQ(outgoing.next()->ack().seq(), 30U);
  EXPECT_TRUE(outgoing.next()->has_heartbeat());
  EXPECT_FALSE(outgoing.next());
}

TEST(Outgoing, IsBounded) {
  Outgoing outgoing;
  for (std::size_t i = 0; i < limits::kOutgoingMessagesMax; ++i)
    ASSERT_TRUE(outgoing.push(order("act")));

  EXPECT_FALSE(outgoing.push(order("act")));
}

}  // namespace
}  // namespace firebreak::ingest
