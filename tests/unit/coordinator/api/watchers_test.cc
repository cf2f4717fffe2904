// Watchers get what concerns them, in bounded memory, and are told what they missed.
#include "coordinator/api/watchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firebreak::api {
namespace watchers_test {

using ::testing::HasSubstr;

core::State a_state() {
  core::State state;
  core::Validation validation;
  validation.id = ValidationId("v1");
  state.validations.emplace(validation.id, validation);
  return state;
}

core::PublishEntry entry(const char* incident, std::size_t index = 0) {
  return {
      IncidentId(incident), ServiceName("api"), {{}, "note", "engine", std::to_string(index), ""}};
}

std::shared_ptr<WatchQueue> a_queue() {
  return std::make_shared<WatchQueue>([] {});
}

TEST(Watchers, EveryoneOrOneIncident) {
  Watchers watchers;
  const auto all = a_queue(), one = a_queue();
  ASSERT_TRUE(watchers.watch(IncidentId(), all));
  ASSERT_TRUE(watchers.watch(IncidentId("INC-2"), one));

  watchers.publish(entry("INC-1"));
  watchers.publish(entry("INC-2"));

  EXPECT_EQ(all->take()->what->incident, IncidentId("INC-1"));
  EXPECT_EQ(all->take()->what->incident, IncidentId("INC-2"));
  EXPECT_FALSE(all->take());
  EXPECT_EQ(one->take()->what->incident, IncidentId("INC-2"));
  EXPECT_FALSE(one->take());
}

TEST(Watchers, TheSlowMissTheOldestAndAreTold) {
  Watchers watchers;
  const auto queue = a_queue();
  ASSERT_TRUE(watchers.watch(IncidentId(), queue));
  for (std::size_t i = 0; i < limits::kWatchQueueMax + 3; ++i) watchers.publish(entry("INC-1", i));

  const auto first = queue->take();
  EXPECT_EQ(first->missed, 3u);
  EXPECT_EQ(first->what->entry.text, "3");
  EXPECT_EQ(queue->take()->missed, 0u);
}

TEST(Watchers, WakeTheWriterAfterEachPush) {
  Watchers watchers;
  int woken = 0;
  const auto queue = std::make_shared<WatchQueue>([&woken] { ++woken; });
  ASSERT_TRUE(watchers.watch(IncidentId(), queue));

  watchers.publish(entry("INC-1"));
  watchers.publish(entry("INC-1"));

  EXPECT_EQ(woken, 2);
}

TEST(Watchers, IgnoreAValidationThatIsNotThere) {
  Watchers watchers;
  const auto slot = std::make_shared<ProgressSlot>([] {});
  ASSERT_TRUE(watchers.follow(ValidationId("v9"), slot));

  watchers.publish(core::PublishValidation{ValidationId("v9")}, a_state());

  EXPECT_EQ(slot->take(), nullptr);
}

TEST(Watchers, AreBoundedAndLeaveWhenTheirOwnerDoes) {
  Watchers watchers;
  std::vector<std::shared_ptr<WatchQueue>> queues;
  std::vector<std::shared_ptr<ProgressSlot>> slots;
  for (std::size_t i = 0; i < limits::kWatchersMax / 2; ++i) {
    queues.push_back(a_queue());
    slots.push_back(std::make_shared<ProgressSlot>([] {}));
    ASSERT_TRUE(watchers.watch(IncidentId(), queues.back()));
    ASSERT_TRUE(watchers.follow(ValidationId("v1"), slots.back()));
  }

  const auto refused = watchers.watch(IncidentId(), a_queue());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("256 clients watch already"));

  slots.pop_back();
  EXPECT_TRUE(watchers.watch(IncidentId(), a_queue()));
}

TEST(Watchers, LetEverybodyGoAtTheEnd) {
  Watchers watchers;
  int woken = 0;
  const auto queue = std::make_shared<WatchQueue>([&woken] { ++woken; });
  const auto slot = std::make_shared<ProgressSlot>([&woken] { ++woken; });
  ASSERT_TRUE(watchers.watch(IncidentId(), queue));
  ASSERT_TRUE(watchers.follow(ValidationId("v1"), slot));
  watchers.publish(entry("INC-1"));

  watchers.close();

  EXPECT_EQ(woken, 3);
  EXPECT_TRUE(queue->is_closed());
  EXPECT_TRUE(slot->is_closed());
  EXPECT_TRUE(queue->take());
  EXPECT_EQ(watchers.watch(IncidentId(), queue).error().code, Errc::unavailable);
  EXPECT_EQ(watchers.follow(ValidationId("v1"), slot).error().code, Errc::unavailable);
}

TEST(Watchers, AFollowerSeesTheNewestState) {
  Watchers watchers;
  const auto slot = std::make_shared<ProgressSlot>([] {});
  const auto other = std::make_shared<ProgressSlot>([] {});
  ASSERT_TRUE(watchers.follow(ValidationId("v1"), slot));
  ASSERT_TRUE(watchers.follow(ValidationId("v2"), other));
  core::State state = a_state();

  watchers.publish(core::PublishValidation{ValidationId("v1")}, state);
  state.validations[ValidationId("v1")].verdict = core::Verdict::passed;
  state.now = instant_from_unix_us(7);
  watchers.publish(core::PublishValidation{ValidationId("v1")}, state);

  const auto progress = slot->take();
  ASSERT_NE(progress, nullptr);
  EXPECT_EQ(progress->validation.verdict, core::Verdict::passed);
  EXPECT_EQ(progress->now, instant_from_unix_us(7));
  EXPECT_EQ(slot->take(), nullptr);
  EXPECT_EQ(other->take(), nullptr);
}

}  // namespace watchers_test
}  // namespace firebreak::api
