// The owner thread: who is answered when, and what happens when the disk says no.
#include "coordinator/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>

#include "common/limits.h"
#include "coordinator/engine/dispatch.h"
#include "tests/support/fault_policy.h"
#include "tests/support/gate.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_store.h"

namespace firebreak::engine {
namespace {

using namespace std::chrono_literals;
using testing::Disk;
using testing::MemoryStore;

// Remembers what it was asked.
class Recorder final : public AgentSink, public Sender, public WatchSink {
 public:
  void assign(const AgentName& agent, std::vector<std::pair<ProbeKey, ProbeSpec>> probes) override {
    say("assign " + agent.str() + " " + std::to_string(probes.size()));
  }
  void probe_now(core::SendProbeNow) override { say("probe"); }
  void order(core::OrderHostAction order) override { say("order " + order.action.str()); }
  void order_ended(const ActionId& action) override { say("ended " + action.str()); }
  void confirm(core::ConfirmOutcome outcome) override { say("confirm " + outcome.action.str()); }
  void send(core::SendNotification) override { say("notify"); }
  void run(core::RunHttpAction) override { say("http"); }
  void publish(const core::PublishEntry&) override { say("entry"); }
  void publish(const core::PublishValidation&, const core::State&) override { say("validation"); }

  std::vector<std::string> said() const {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  void say(std::string what) {
    const std::lock_guard lock(mutex_);
    said_.push_back(std::move(what));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> said_;
};

class EngineTest : public ::testing::Test {
 protected:
  void start() {
    MemoryStore::Hooks hooks;
    hooks.before = [this]() -> Result<> {
      gate_.pass();
      clock_.advance(commit_takes_);
      if (is_broken_) return make_error(Errc::internal, "the disk is gone");
      if (is_full_) return make_error(Errc::resource_exhausted, "no room");
      return {};
    };
    const auto started = engine_.start(std::make_unique<MemoryStore>(disk_, hooks),
                                       {&recorder_, &recorder_, &recorder_});
    ASSERT_TRUE(started) << started.error().message;
  }
  // Asks and waits for the answer.
  Result<> ask(core::Event event) {
    std::promise<Result<>> answered;
    engine_.ask(std::move(event), [&](const Result<>& result, const View* view) {
      EXPECT_EQ(view != nullptr, result.has_value());
      answered.set_value(result);
    });
    return answered.get_future().get();
  }
  static core::Event policy() {
    return core::PolicyChanged{testing::fault_policy(), kPolicyDirectory};
  }
  // Leaves the owner thread waiting in a commit.
  void hold_in_commit() {
    gate_.close();
    engine_.submit(core::Tick{});
    gate_.wait_for_arrival();
  }

  testing::ManualClock clock_;
  Disk disk_;
  testing::Gate gate_;
  std::atomic<Duration> commit_takes_ = Duration{0};
  std::atomic<bool> is_broken_ = false;
  std::atomic<bool> is_full_ = false;
  Recorder recorder_;
  std::atomic<int> fatal_ = 0;
  Engine engine_{clock_, [this](const Error&) { ++fatal_; }};
};

TEST_F(EngineTest, AnswersOnlyAfterTheCommit) {
  start();
  ASSERT_TRUE(ask(policy()));
  hold_in_commit();
  std::atomic<bool> is_answered = false;
  std::promise<void> answered;
  engine_.ask(core::OperatorAsked{"mia", core::SetFact{FactName("customers"), {}, cel::Value(7)}},
              [&](const Result<>& result, const View* view) {
                EXPECT_TRUE(result);
                EXPECT_EQ(view->state.facts.size(), 1U);
                is_answered = true;
                answered.set_value();
              });
  EXPECT_FALSE(is_answered);

  gate_.open();
  answered.get_future().get();

  engine_.stop();
  EXPECT_TRUE(std::holds_alternative<core::OperatorAsked>(disk_.journal.back().event));
}

TEST_F(EngineTest, CommitsTogetherWhatArrivedDuringACommit) {
  start();
  hold_in_commit();
  for (int i = 0; i < 10; ++i) engine_.submit(core::Tick{});

  gate_.open();
  engine_.stop();

  EXPECT_THAT(disk_.batches, ::testing::ElementsAre(1, 1, 10));
}

TEST_F(EngineTest, RefusesWhatIsNotAdmissibleAndJournalsNothing) {
  start();

  const auto refused = ask(core::OperatorAsked{
      "mia", core::AcknowledgeIncident{IncidentId("INC-20261121-000000"), "on it"}});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  engine_.stop();
  EXPECT_EQ(disk_.journal.size(), 1U);  // Started
}

TEST_F(EngineTest, AcknowledgesNothingWhenTheDiskFails) {
  start();
  hold_in_commit();
  std::atomic<int> committed = 0;
  engine_.submit(testing::attached("a"), [&](const View&) { ++committed; });
  std::promise<Result<>> answered;
  engine_.ask(policy(), [&](const Result<>& result, const View*) { answered.set_value(result); });
  is_broken_ = true;

  gate_.open();
  const auto answer = answered.get_future().get();

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  engine_.stop();
  EXPECT_EQ(fatal_, 1);
  EXPECT_EQ(committed, 0);
  EXPECT_TRUE(recorder_.said().empty());
}

// What nobody was told is held; who wants something is told why not; who reads sees on what terms.
TEST_F(EngineTest, HoldsABatchOnAFullDiskUntilThereIsRoom) {
  std::promise<void> is_full, has_room;
  engine_.on_full(
      [&](const Error* why) { why != nullptr ? is_full.set_value() : has_room.set_value(); });
  start();
  ASSERT_TRUE(ask(policy()));
  const std::size_t before = disk_.journal.size();
  is_full_ = true;
  std::promise<void> acknowledged;
  auto acknowledgement = acknowledged.get_future();

  engine_.submit(testing::attached("a"), [&](const View& view) {
    EXPECT_EQ(view.unstored, nullptr);
    acknowledged.set_value();
  });
  is_full.get_future().wait();
  const auto refused = ask(policy());
  std::promise<std::string> seen;
  ASSERT_TRUE(engine_.inspect([&](const View& view) {
    seen.set_value(view.unstored == nullptr ? "" : view.unstored->message);
  }));

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("disk is full"));
  EXPECT_EQ(seen.get_future().get(), "no room");
  EXPECT_EQ(acknowledgement.wait_for(0s), std::future_status::timeout);
  EXPECT_EQ(disk_.journal.size(), before);
  EXPECT_THAT(recorder_.said(), ::testing::Not(::testing::Contains("assign a 1")));

  is_full_ = false;
  acknowledgement.wait();
  has_room.get_future().wait();
  EXPECT_TRUE(ask(policy()));
  engine_.stop();
  EXPECT_THAT(recorder_.said(), ::testing::Contains("assign a 1"));
  EXPECT_EQ(fatal_, 0);
}

TEST_F(EngineTest, GivesUpWhatAFullDiskHoldsWhenItStops) {
  std::promise<void> is_full;
  engine_.on_full([&](const Error*) { is_full.set_value(); });
  start();
  const std::size_t before = disk_.journal.size();
  is_full_ = true;
  std::promise<Result<>> answered;
  engine_.ask(policy(), [&](const Result<>& result, const View*) { answered.set_value(result); });
  is_full.get_future().wait();

  engine_.stop();

  EXPECT_EQ(answered.get_future().get().error().code, Errc::unavailable);
  EXPECT_EQ(disk_.journal.size(), before);
  EXPECT_EQ(fatal_, 0);
}

TEST_F(EngineTest, AnswersAfterItHasStopped) {
  start();
  engine_.stop();

  const auto answer = ask(policy());

  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  EXPECT_FALSE(engine_.inspect([](const View&) { FAIL(); }));
}

TEST_F(EngineTest, CommitsWhatWasSubmittedBeforeTheStop) {
  start();
  std::atomic<int> committed = 0;
  for (int i = 0; i < 100; ++i) engine_.submit(core::Tick{}, [&](const View&) { ++committed; });

  engine_.stop();

  EXPECT_EQ(committed, 100);
}

TEST_F(EngineTest, TellsSourcesWhenTooMuchWaits) {
  start();
  hold_in_commit();

  std::size_t accepted = 0;
  while (engine_.submit(core::Tick{})) ++accepted;

  EXPECT_EQ(accepted + 1, limits::kIngestQueueEventsMax);
  std::promise<Result<>> answered;
  engine_.ask(policy(), [&](const Result<>& result, const View*) { answered.set_value(result); });
  const auto answer = answered.get_future().get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::resource_exhausted);
  gate_.open();
}

TEST_F(EngineTest, GoesOnWhereTheJournalEndsWhenTheClockWasSetBack) {
  const Instant later = clock_.now() + 2h;
  disk_.journal.push_back({1, later, core::Started{1}});
  disk_.epoch = 1;

  start();

  EXPECT_GT(engine_.now(), later);
  const Instant before = engine_.now();
  clock_.advance(1min);
  EXPECT_EQ(engine_.now(), before + 1min);
}

TEST_F(EngineTest, AssignsAnAgentItsProbesWhenItAttaches) {
  start();
  ASSERT_TRUE(ask(policy()));
  engine_.submit(testing::attached("a"));

  engine_.stop();

  EXPECT_THAT(recorder_.said(), ::testing::ElementsAre("assign a 1"));
}

TEST_F(EngineTest, LetsOpenOrdersOutAgainWhenItStarts) {
  start();
  ASSERT_TRUE(ask(policy()));
  engine_.submit(testing::attached("a"));
  clock_.advance(1min);
  engine_.submit(testing::result_of("a", 1, Status::critical, engine_.now()));
  engine_.stop();
  ASSERT_THAT(recorder_.said(), ::testing::Contains("order act-2"));

  Recorder second;
  Engine again(clock_, [](const Error& error) { FAIL() << error.message; });
  ASSERT_TRUE(again.start(std::make_unique<MemoryStore>(disk_), {&second, &second, &second}));
  again.stop();

  EXPECT_THAT(second.said(), ::testing::Contains("order act-2"));
}

TEST_F(EngineTest, SendsNoOrderWhoseCommitTookTooLong) {
  start();
  ASSERT_TRUE(ask(policy()));
  ASSERT_TRUE(ask(testing::attached("a")));
  commit_takes_ = 1min;

  engine_.submit(testing::result_of("a", 1, Status::critical, engine_.now()));
  engine_.stop();

  EXPECT_THAT(recorder_.said(), ::testing::Not(::testing::Contains("order act-2")));
  EXPECT_THAT(recorder_.said(), ::testing::Contains("ended act-2"));
  ASSERT_TRUE(std::holds_alternative<core::OrderLapsed>(disk_.journal.back().event));
  EXPECT_EQ(std::get<core::OrderLapsed>(disk_.journal.back().event).action, ActionId("act-2"));
}

// An order of an earlier life may have been sent by it, whatever the time is now.
TEST_F(EngineTest, SaysNothingOfTheLapseOfOrdersOfAnEarlierLife) {
  start();
  ASSERT_TRUE(ask(policy()));
  engine_.submit(testing::attached("a"));
  engine_.submit(testing::result_of("a", 1, Status::critical, engine_.now()));
  engine_.stop();
  ASSERT_THAT(recorder_.said(), ::testing::Contains("order act-2"));
  clock_.advance(1min);

  Recorder second;
  Engine again(clock_, [](const Error& error) { FAIL() << error.message; });
  ASSERT_TRUE(again.start(std::make_unique<MemoryStore>(disk_), {&second, &second, &second}));
  again.stop();

  EXPECT_THAT(second.said(), ::testing::Not(::testing::Contains("order act-2")));
  for (const auto& entry : disk_.journal)
    EXPECT_FALSE(std::holds_alternative<core::OrderLapsed>(entry.event));
}

TEST_F(EngineTest, ReadsWhatIsCommitted) {
  start();
  ASSERT_TRUE(ask(policy()));
  std::promise<std::string> digest;

  ASSERT_TRUE(
      engine_.inspect([&](const View& view) { digest.set_value(view.state.policy->digest); }));

  EXPECT_EQ(digest.get_future().get(), testing::fault_policy()->digest);
}

}  // namespace
}  // namespace firebreak::engine
