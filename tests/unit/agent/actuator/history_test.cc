// The fold: the first record of an id counts, and nothing that matters is ever forgotten early.
#include "agent/actuator/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::actuator {
namespace history_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Instant kStart = instant_from_unix_us(1'700'000'000'000'000);

Record intent(const std::string& id, const std::string& name, std::uint64_t epoch, Instant at) {
  return {at, Intent{ActionId(id), name, epoch}};
}
Record end(const std::string& id, State state, Instant at) {
  Outcome outcome;
  outcome.id = ActionId(id);
  outcome.state = state;
  outcome.output = "output";
  return {at, Ended{outcome}};
}
Record acknowledged(const std::string& id, Instant at) {
  return {at, Acknowledged{ActionId(id)}};
}

History folded(const std::vector<Record>& records) {
  History history;
  for (const Record& record : records) history.apply(record);
  return history;
}

TEST(History, FollowsAnActionToItsEnd) {
  History history = folded({intent("a", "restart", 3, kStart)});
  EXPECT_THAT(history.running(), ElementsAre(ActionId("a")));
  EXPECT_EQ(history.started_count(), 1u);

  history.apply(end("a", State::succeeded, kStart + 1s));

  EXPECT_THAT(history.running(), IsEmpty());
  EXPECT_EQ(history.find(ActionId("a"))->outcome->state, State::succeeded);
  EXPECT_EQ(history.find(ActionId("b")), nullptr);
  EXPECT_EQ(history.latest(), kStart + 1s);
}

TEST(History, KeepsTheFirstOfContradictingRecords) {
  const History history =
      folded({intent("a", "restart", 1, kStart), end("a", State::failed, kStart + 1s),
              intent("a", "stop", 1, kStart + 2s), end("a", State::succeeded, kStart + 3s)});

  const History::Entry* entry = history.find(ActionId("a"));
  EXPECT_EQ(entry->name, "restart");
  EXPECT_EQ(entry->at, kStart);
  EXPECT_EQ(entry->outcome->state, State::failed);
  EXPECT_EQ(history.started_count(), 1u);
}

TEST(History, DropsTheOutputOnlyOnceItIsAcknowledged) {
  History history = folded({intent("a", "restart", 1, kStart), acknowledged("a", kStart)});
  EXPECT_FALSE(history.find(ActionId("a"))->acknowledged) << "there was no outcome yet";

  history.apply(end("a", State::failed, kStart));
  EXPECT_EQ(history.find(ActionId("a"))->outcome->output, "output");
  history.apply(acknowledged("a", kStart));

  EXPECT_TRUE(history.find(ActionId("a"))->acknowledged);
  EXPECT_EQ(history.find(ActionId("a"))->outcome->output, "");
  EXPECT_EQ(history.find(ActionId("a"))->outcome->state, State::failed);
}

TEST(History, RemembersTheHighestEpoch) {
  const History history = folded({intent("a", "restart", 9, kStart),
                                  intent("b", "restart", 2, kStart),
                                  {kStart, EpochSeen{5}}});

  EXPECT_EQ(history.epoch_seen(), 9u);
}

TEST(History, ListsTheStartsOfAnActionNewestFirst) {
  const History history =
      folded({intent("a", "restart", 1, kStart), intent("b", "restart", 1, kStart + 2s),
              intent("c", "stop", 1, kStart + 3s), intent("d", "restart", 1, kStart - 1s),
              end("e", State::refused, kStart + 4s)});

  EXPECT_THAT(history.starts("restart", kStart), ElementsAre(kStart + 2s, kStart));
}

TEST(History, FoldsItsOwnRecordsToItself) {
  const History history = folded({intent("a", "restart", 4, kStart),
                                  end("a", State::failed, kStart + 1s),
                                  acknowledged("a", kStart + 2s),
                                  intent("b", "stop", 6, kStart + 3s),
                                  end("c", State::refused, kStart + 4s),
                                  {kStart + 5s, EpochSeen{11}}});

  const History again = folded(history.records());

  EXPECT_EQ(again.records(), history.records());
  EXPECT_EQ(again.epoch_seen(), 11u);
  EXPECT_EQ(again.latest(), kStart + 5s);
  EXPECT_EQ(again.started_count(), 2u);
  EXPECT_TRUE(again.find(ActionId("a"))->acknowledged);
  EXPECT_THAT(again.running(), ElementsAre(ActionId("b")));
}

TEST(History, ForgetsWhatEndedAMonthAgo) {
  History history =
      folded({intent("old", "restart", 4, kStart), end("old", State::failed, kStart),
              intent("runs", "restart", 4, kStart), intent("new", "restart", 4, kStart + 1s),
              end("new", State::failed, kStart + 1s)});

  history.forget(kStart + limits::kActionIdsFor);
  EXPECT_NE(history.find(ActionId("old")), nullptr);
  history.forget(kStart + limits::kActionIdsFor + 1us);

  EXPECT_EQ(history.find(ActionId("old")), nullptr);
  EXPECT_NE(history.find(ActionId("runs")), nullptr) << "what runs is never forgotten";
  EXPECT_NE(history.find(ActionId("new")), nullptr);
  EXPECT_EQ(history.epoch_seen(), 4u);
  EXPECT_EQ(history.started_count(), 2u);
}

TEST(History, ForgetsTheOldestWhenThereAreTooManyButNotOfTheLastDayNorOwed) {
  History history;
  for (std::size_t i = 0; i <= limits::kActionIdsMax; ++i) {
    const std::string id = "a" + std::to_string(i);
    history.apply(intent(id, "restart", 1, kStart + i * 1us));
    history.apply(end(id, State::succeeded, kStart + i * 1us));
    if (i != 0) history.apply(acknowledged(id, kStart + i * 1us));
  }

  history.forget(kStart + 1h);
  EXPECT_EQ(history.entries().size(), limits::kActionIdsMax + 1);
  history.forget(kStart + limits::kActionIdsAtLeast + 1s);

  EXPECT_EQ(history.entries().size(), limits::kActionIdsMax - 1);
  EXPECT_NE(history.find(ActionId("a0")), nullptr) << "it is owed";
  EXPECT_EQ(history.find(ActionId("a1")), nullptr);
  EXPECT_EQ(history.find(ActionId("a2")), nullptr);
  EXPECT_NE(history.find(ActionId("a3")), nullptr);
}

TEST(History, ForgetsRefusalsBeforeTheyAreTooMany) {
  History history;
  for (std::size_t i = 0; i < limits::kActionIdsMax + 5; ++i)
    history.apply(end("r" + std::to_string(i), State::refused, kStart + i * 1us));

  history.forget(kStart + 1s);

  EXPECT_EQ(history.entries().size(), limits::kActionIdsMax - 1);
  EXPECT_EQ(history.find(ActionId("r0")), nullptr);
}

TEST(StateNames, AreWords) {
  EXPECT_STREQ(to_string(State::started), "started");
  EXPECT_STREQ(to_string(State::timed_out), "timed out");
  EXPECT_STREQ(to_string(State::unknown), "unknown");
}

}  // namespace history_test
}  // namespace firebreak::actuator
