// State and store in step: what is committed comes back, what is not has had no effect.
#include "coordinator/engine/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/step.h"
#include "coordinator/engine/engine.h"
#include "tests/support/fault_policy.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_store.h"

namespace firebreak::engine {
namespace {

using namespace std::chrono_literals;
using testing::Disk;
using testing::MemoryStore;

struct Scripted {
  core::Event event;
  Duration after{};  // the one before it
};

// An agent attaches, its service fails, is acted upon and recovers.
std::vector<Scripted> script() {
  const Instant start = testing::ManualClock().now();
  std::vector<Scripted> events;
  events.push_back({core::PolicyChanged{testing::fault_policy(), kPolicyDirectory}, 1s});
  events.push_back({testing::attached("a"), 40s});
  events.push_back({testing::result_of("a", 1, Status::ok, start + 41s), 1s});
  events.push_back({testing::result_of("a", 2, Status::critical, start + 46s), 5s});
  events.push_back({core::Tick{}, 1s});
  core::ActionReported report;
  report.action = ActionId("act-2");
  report.reporter = "agent:a";
  report.state = core::ActionState::succeeded;
  events.push_back({report, 2s});
  events.push_back({testing::result_of("a", 3, Status::ok, start + 51s), 5s});
  core::SetFact fact{FactName("customers"), ServiceName(), cel::Value(7)};
  events.push_back({core::OperatorAsked{"mia", fact}, 1s});
  return events;
}

// One process: a ledger on the disk, until it fails.
class Life {
 public:
  explicit Life(Disk& disk, MemoryStore::Hooks hooks = {})
      : ledger_(std::make_unique<MemoryStore>(disk, std::move(hooks))) {
    recovered_ = ledger_.recover();
    now_ = recovered_ ? std::max(recovered_->last, testing::ManualClock().now()) : Instant{};
  }
  bool begin() { return take(ledger_.begin(now_)); }
  // False: it is over, and nothing of this event was given away.
  bool run(core::Event event, Duration after = {}) {
    now_ += after;
    ledger_.add(std::move(event), now_);
    return take(ledger_.commit());
  }
  template <class Wanted>
  [[nodiscard]] std::vector<Wanted> seen() const {
    std::vector<Wanted> found;
    for (const core::Effect& effect : effects_)
      if (const auto* one = std::get_if<Wanted>(&effect)) found.push_back(*one);
    return found;
  }
  [[nodiscard]] const core::State& state() const { return ledger_.state(); }
  [[nodiscard]] const Result<Ledger::Recovery>& recovered() const { return recovered_; }
  [[nodiscard]] Instant now() const { return now_; }
  std::vector<ActionId> ended;

 private:
  bool take(Result<Ledger::Committed> committed) {
    if (!committed) return false;
    for (core::Effect& effect : committed->effects) effects_.push_back(std::move(effect));
    ended.insert(ended.end(), committed->actions_ended.begin(), committed->actions_ended.end());
    return true;
  }

  Ledger ledger_;
  Result<Ledger::Recovery> recovered_ = make_error(Errc::internal, "not recovered");
  Instant now_;
  std::vector<core::Effect> effects_;
};

template <class Wanted>
std::size_t count(const Disk& disk) {
  return static_cast<std::size_t>(
      std::count_if(disk.outbox.begin(), disk.outbox.end(), [](const store::OutboxEntry& entry) {
        return std::holds_alternative<Wanted>(entry.effect);
      }));
}

// Up to and with the failing result: an incident is open, an order and a notification are out.
void run_until_ordered(Life& life) {
  ASSERT_TRUE(life.begin());
  const auto events = script();
  for (std::size_t i = 0; i < 5; ++i) ASSERT_TRUE(life.run(events[i].event, events[i].after));
  ASSERT_EQ(life.seen<core::OrderHostAction>().size(), 1U);
}

TEST(Ledger, ReplaysToWhatWasCommitted) {
  Disk disk;
  {
    Life life(disk);
    ASSERT_TRUE(life.begin());
    for (const Scripted& one : script()) ASSERT_TRUE(life.run(one.event, one.after));
  }

  const Life after(disk);

  ASSERT_TRUE(after.recovered());
  EXPECT_EQ(after.recovered()->epoch, 2U);
  EXPECT_EQ(after.recovered()->entries, script().size() + 1);
  EXPECT_EQ(after.recovered()->directory_digest, testing::fault_policy()->digest);
  EXPECT_EQ(after.state().agents.at(AgentName("a")).last_seq, 3U);
  EXPECT_EQ(after.state().incidents.size(), 1U);
  EXPECT_EQ(after.state().facts.size(), 1U);
}

// The heart of it: whichever write fails, before or after the bytes are on the disk, the next life
// holds everything that was acknowledged, and taking up the script where the acknowledgements ended
// leads to the same end.
TEST(Ledger, LosesNothingAcknowledgedWhereverItDies) {
  Disk undisturbed;
  Life whole(undisturbed);
  ASSERT_TRUE(whole.begin());
  for (const Scripted& one : script()) ASSERT_TRUE(whole.run(one.event, one.after));

  for (std::size_t dies_at = 2; dies_at <= script().size() + 1; ++dies_at) {
    for (const bool is_written : {false, true}) {
      SCOPED_TRACE(std::to_string(dies_at) + (is_written ? " after" : " before") + " the write");
      Disk disk;
      std::size_t commits = 0;
      const auto fault = [&](bool here) -> Result<> {
        if (here && commits == dies_at) return make_error(Errc::internal, "the disk is gone");
        return {};
      };
      MemoryStore::Hooks hooks;
      hooks.before = [&] { return ++commits, fault(!is_written); };
      hooks.after = [&] { return fault(is_written); };
      std::size_t acknowledged = 0;
      {
        Life first(disk, hooks);
        ASSERT_TRUE(first.begin());
        const auto events = script();
        while (acknowledged < events.size() &&
               first.run(events[acknowledged].event, events[acknowledged].after))
          ++acknowledged;
      }
      ASSERT_EQ(acknowledged, dies_at - 2);

      Life second(disk);
      ASSERT_TRUE(second.begin());
      ASSERT_GE(second.recovered()->entries, acknowledged + 1);
      const auto events = script();
      for (std::size_t i = acknowledged; i < events.size(); ++i)
        ASSERT_TRUE(second.run(events[i].event, events[i].after));

      EXPECT_EQ(second.state().agents.at(AgentName("a")).last_seq, 3U);
      EXPECT_EQ(second.state().counters.results, whole.state().counters.results);
      ASSERT_EQ(second.state().facts.size(), 1U);
      EXPECT_LE(second.state().incidents.size(), whole.state().incidents.size());
      EXPECT_EQ(disk.incidents.size(), second.state().incidents.size());
    }
  }
}

TEST(Ledger, GivesNothingAwayOfABatchThatWasNotWritten) {
  Disk disk;
  bool fails = false;
  MemoryStore::Hooks hooks;
  hooks.before = [&]() -> Result<> {
    if (fails) return make_error(Errc::internal, "the disk is gone");
    return {};
  };
  Life life(disk, hooks);
  ASSERT_TRUE(life.begin());
  const auto events = script();
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(life.run(events[i].event, events[i].after));
  fails = true;

  EXPECT_FALSE(life.run(events[3].event, events[3].after));

  EXPECT_TRUE(life.seen<core::OrderHostAction>().empty());
  EXPECT_TRUE(life.seen<core::SendNotification>().empty());
}

TEST(Ledger, WritesAnIncidentBesideItsJournal) {
  Disk disk;
  Life life(disk);
  run_until_ordered(life);

  ASSERT_EQ(disk.incidents.size(), 1U);
  EXPECT_EQ(disk.incidents.begin()->second.timeline.size(),
            life.state().incidents.begin()->second.timeline.size());
}

TEST(Ledger, ResumesOrdersAndNotificationsThatHaveNoEnd) {
  Disk disk;
  std::vector<core::SendNotification> sent;
  {
    Life life(disk);
    run_until_ordered(life);
    sent = life.seen<core::SendNotification>();
    ASSERT_FALSE(sent.empty());
    ASSERT_TRUE(life.run(core::NotificationFinished{sent[0].notification, true, 1, ""}));
  }
  Life second(disk);

  ASSERT_TRUE(second.begin());

  const auto orders = second.seen<core::OrderHostAction>();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].action, ActionId("act-2"));
  EXPECT_EQ(orders[0].entry, "restart-web");
  for (const core::SendNotification& again : second.seen<core::SendNotification>())
    EXPECT_NE(again.notification, sent[0].notification);
  EXPECT_EQ(second.seen<core::SendNotification>().size(), count<core::SendNotification>(disk));
}

TEST(Ledger, ForgetsAnOrderWhoseOutcomeIsCommitted) {
  Disk disk;
  Life life(disk);
  run_until_ordered(life);
  ASSERT_EQ(count<core::OrderHostAction>(disk), 1U);

  const auto events = script();
  ASSERT_TRUE(life.run(events[5].event, events[5].after));

  EXPECT_THAT(life.ended, ::testing::ElementsAre(ActionId("act-2")));
  EXPECT_EQ(count<core::OrderHostAction>(disk), 0U);
}

TEST(Ledger, ForgetsAnOrderThatNobodyAnsweredInTime) {
  Disk disk;
  Life life(disk);
  run_until_ordered(life);

  const Instant expires = life.seen<core::OrderHostAction>()[0].expires;
  for (int i = 0; i < 100 && life.ended.empty(); ++i) {
    const auto next = core::next_wake(life.state());
    ASSERT_TRUE(next);
    ASSERT_TRUE(life.run(core::Tick{}, std::max(Duration{0}, *next - life.now())));
  }

  EXPECT_THAT(life.ended, ::testing::ElementsAre(ActionId("act-2")));
  EXPECT_GE(life.now(), expires);
  EXPECT_EQ(count<core::OrderHostAction>(disk), 0U);
}

TEST(Ledger, NeverRepeatsAnHttpAction) {
  Disk disk;
  {
    Life life(disk);
    run_until_ordered(life);
    const auto events = script();
    ASSERT_TRUE(life.run(events[5].event, events[5].after));
    std::uint64_t seq = 3;
    while (life.seen<core::RunHttpAction>().empty() && seq < 200)
      ASSERT_TRUE(life.run(testing::result_of("a", seq++, Status::critical, life.now() + 5s), 5s));
    ASSERT_EQ(life.seen<core::RunHttpAction>().size(), 1U);
    ASSERT_EQ(count<core::RunHttpAction>(disk), 1U);
  }
  Life second(disk);

  ASSERT_TRUE(second.begin());

  EXPECT_TRUE(second.seen<core::RunHttpAction>().empty());
  EXPECT_EQ(count<core::RunHttpAction>(disk), 0U);
}

}  // namespace
}  // namespace firebreak::engine
