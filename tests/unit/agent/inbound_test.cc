// What a coordinator sends is taken as far as it is right, and the rest is named.
#include "agent/inbound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <firebreak/v1/agent.pb.h>

#include "common/limits.h"
#include "proto/wire.h"

namespace firebreak::agent {
namespace {

using testing::HasSubstr;

ProbeSpec a_spec() {
  ProbeSpec spec;
  HttpSpec http;
  http.url = "http://127.0.0.1/";
  spec.kind = std::move(http);
  return spec;
}

void add(v1::Assignment& assignment, const char* probe, const ProbeSpec& spec = a_spec()) {
  v1::Assignment::Probe& entry = *assignment.add_probes();
  *entry.mutable_key() = wire::to_proto(ProbeKey{ServiceName("api"), ProbeName(probe)});
  *entry.mutable_spec() = wire::to_proto(spec);
}

v1::ActionOrder an_order() {
  v1::ActionOrder order;
  order.set_action_id("INC-1/restart/web-1");
  order.set_name("restart");
  return order;
}

TEST(Inbound, AnAssignmentArrivesWhole) {
  v1::Assignment message;
  message.set_generation(7);
  add(message, "health");
  add(message, "queue");

  const auto assignment = from_proto(message);

  ASSERT_TRUE(assignment) << assignment.error().message;
  EXPECT_EQ(assignment->generation, 7U);
  ASSERT_EQ(assignment->probes.size(), 2U);
  EXPECT_EQ(assignment->probes[1].key.probe, ProbeName("queue"));
  EXPECT_EQ(assignment->probes[1].spec, a_spec());
  EXPECT_TRUE(assignment->refused.empty());
}

TEST(Inbound, OneBadProbeDoesNotCostTheOthers) {
  v1::Assignment message;
  message.add_probes();                                     // no key
  message.add_probes()->mutable_key()->set_service("api");  // half a key
  add(message, "odd");
  message.mutable_probes(2)->clear_spec();  // of a kind that this version does not know
  add(message, "health");
  add(message, "health");

  const auto assignment = from_proto(message);

  ASSERT_TRUE(assignment) << assignment.error().message;
  ASSERT_EQ(assignment->probes.size(), 1U);
  EXPECT_EQ(assignment->probes[0].key.probe, ProbeName("health"));
  ASSERT_EQ(assignment->refused.size(), 4U);
  EXPECT_FALSE(assignment->refused[0].key);
  EXPECT_FALSE(assignment->refused[1].key);
  ASSERT_TRUE(assignment->refused[2].key);
  EXPECT_EQ(assignment->refused[2].key->probe, ProbeName("odd"));
  EXPECT_THAT(assignment->refused[3].reason, HasSubstr("assigned twice"));
}

TEST(Inbound, AnAssignmentIsBounded) {
  v1::Assignment message;
  for (std::size_t i = 0; i < limits::kProbesPerAgentMax; ++i) message.add_probes();
  EXPECT_TRUE(from_proto(message));
  message.add_probes();

  const auto assignment = from_proto(message);

  ASSERT_FALSE(assignment);
  EXPECT_EQ(assignment.error().code, Errc::resource_exhausted);
}

TEST(Inbound, AOneShotProbeNeedsAnIdAndIsOtherwiseAnswered) {
  v1::ProbeNow message;
  *message.mutable_spec() = wire::to_proto(a_spec());
  EXPECT_FALSE(from_proto(message));
  message.set_request_id("a\nb");
  EXPECT_FALSE(from_proto(message));
  message.set_request_id(std::string(limits::kActionIdBytesMax + 1, 'x'));
  EXPECT_FALSE(from_proto(message));

  message.set_request_id("r1");
  auto now = from_proto(message);
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_EQ(now->request, RequestId("r1"));
  EXPECT_FALSE(now->key);
  ASSERT_TRUE(now->spec);

  message.mutable_key()->set_service("UPPER CASE");
  now = from_proto(message);
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_FALSE(now->key);
  EXPECT_FALSE(now->spec);

  message.clear_key();
  message.clear_spec();
  now = from_proto(message);
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_FALSE(now->spec);
}

TEST(Inbound, AnOrderIsSmallAndNamesAnAction) {
  EXPECT_TRUE(check(an_order()));

  auto order = an_order();
  order.set_name("rm -rf /");
  EXPECT_FALSE(check(order));
  EXPECT_TRUE(has_usable_id(order));

  order = an_order();
  (*order.mutable_parameters())["p"] = std::string(limits::kActionOrderBytesMax, 'x');
  EXPECT_THAT(check(order).error().message, HasSubstr("at most 32768"));

  for (const std::string& id :
       {std::string(), std::string("a\x1b[2J"), std::string(limits::kActionIdBytesMax + 1, 'x')}) {
    order = an_order();
    order.set_action_id(id);
    EXPECT_FALSE(check(order));
    EXPECT_FALSE(has_usable_id(order));
  }
}

}  // namespace
}  // namespace firebreak::agent
