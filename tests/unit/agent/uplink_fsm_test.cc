// The link comes up, carries, notices silence, steps aside and stops, without a clock of its own.
#include "agent/uplink_fsm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/spool_turns.h"

namespace firebreak::agent {
namespace uplink_fsm_test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using Actions = std::vector<link::Action>;

constexpr Instant kStart{kBooted + seconds(1000)};

template <class T>
const T* find(const Actions& actions) {
  for (const auto& action : actions) {
    if (const auto* found = std::get_if<T>(&action)) return found;
  }
  return nullptr;
}

class Uplink : public ::testing::Test {
 protected:
  static UplinkOptions options() {
    UplinkOptions options;
    options.coordinators = 2;
    options.epoch_seen = 5;
    return options;
  }
  Actions resume(const link::Event& event) { return fsm.resume(event, now); }
  Actions wake() {
    now = fsm.next_wake();
    return resume(link::Woken{});
  }
  void attach() {
    ASSERT_TRUE(find<link::Open>(resume(link::Started{})));
    outbox.restart_stream();
    ASSERT_TRUE(find<link::Attached>(resume(link::Welcomed{5})));
  }
  void push(bool news) {
    QueuedResult result;
    result.key = {ServiceName{"api"}, ProbeName{"health"}};
    result.news = news;
    ASSERT_TRUE(outbox.push(std::move(result), now));
    disk.run(outbox, now);
  }

  Instant now = kStart;
  firebreak::testing::SpoolTurns disk;
  Outbox outbox;
  UplinkFsm fsm{options(), outbox, Rng(1)};
};

TEST_F(Uplink, ConnectsAtOnceAndCarriesAfterTheWelcome) {
  const Actions opened = resume(link::Started{});
  ASSERT_TRUE(find<link::Open>(opened));
  EXPECT_EQ(find<link::Open>(opened)->coordinator, 0u);
  EXPECT_FALSE(fsm.is_attached());

  const Actions attached = resume(link::Welcomed{7});
  ASSERT_TRUE(find<link::RememberEpoch>(attached));
  EXPECT_EQ(find<link::RememberEpoch>(attached)->epoch, 7u);
  EXPECT_TRUE(find<link::Attached>(attached));
  EXPECT_EQ(fsm.epoch_seen(), 7u);
}

TEST_F(Uplink, AnEpochSeenBeforeIsNotWrittenAgain) {
  resume(link::Started{});
  EXPECT_FALSE(find<link::RememberEpoch>(resume(link::Welcomed{5})));
}

TEST_F(Uplink, RefusesACoordinatorOfAnOlderEpochAndTriesTheNext) {
  resume(link::Started{});
  const Actions actions = resume(link::Welcomed{4});
  EXPECT_FALSE(find<link::Attached>(actions));
  ASSERT_TRUE(find<link::Close>(actions));
  EXPECT_THAT(find<link::Close>(actions)->reason, HasSubstr("epoch 4"));

  const Actions next = wake();
  ASSERT_TRUE(find<link::Open>(next));
  EXPECT_EQ(find<link::Open>(next)->coordinator, 1u);
}

TEST_F(Uplink, WelcomeComesFirstAndOnce) {
  resume(link::Started{});
  EXPECT_TRUE(find<link::Close>(resume(link::Received{})));
  wake();
  EXPECT_TRUE(find<link::Attached>(resume(link::Welcomed{5})));
  EXPECT_TRUE(find<link::Close>(resume(link::Welcomed{5})));
}

TEST_F(Uplink, BackOffGrowsUpToItsBound) {
  resume(link::Started{});
  Duration longest{};
  for (int i = 0; i < 40; ++i) {
    resume(link::Broken{"refused"});
    EXPECT_EQ(fsm.state(), UplinkFsm::State::waiting);
    const Duration wait = fsm.next_wake() - now;
    EXPECT_GT(wait, Duration::zero());
    EXPECT_LE(wait, options().backoff_longest);
    longest = std::max(longest, wait);
    ASSERT_TRUE(find<link::Open>(wake()));
  }
  EXPECT_GT(longest, seconds(10));
}

TEST_F(Uplink, OnlyALinkThatLastedStartsTheBackOffAnew) {
  attach();
  for (int i = 0; i < 20; ++i) {
    resume(link::Broken{"reset"});
    wake();
    resume(link::Welcomed{5});
  }
  Duration longest{};
  for (int i = 0; i < 10; ++i) {
    resume(link::Broken{"reset"});
    longest = std::max(longest, fsm.next_wake() - now);
    wake();
    resume(link::Welcomed{5});
  }
  EXPECT_GT(longest, seconds(5));

  now += options().steady_after;
  resume(link::Broken{"reset"});
  EXPECT_LE(fsm.next_wake() - now, options().backoff_first);
}

TEST_F(Uplink, NoWelcomeInTimeIsAFailure) {
  resume(link::Started{});
  EXPECT_EQ(fsm.next_wake(), kStart + limits::kPeerSilenceMax);
  EXPECT_TRUE(find<link::Close>(wake()));
  EXPECT_EQ(fsm.state(), UplinkFsm::State::waiting);
}

TEST_F(Uplink, SendsHeartbeatsAndDeclaresASilentPeerDead) {
  attach();
  EXPECT_TRUE(find<link::SendHeartbeat>(wake()));
  EXPECT_EQ(now, kStart + limits::kHeartbeatInterval);
  EXPECT_TRUE(find<link::SendHeartbeat>(wake()));
  const Actions dead = wake();
  EXPECT_EQ(now, kStart + limits::kPeerSilenceMax);
  EXPECT_TRUE(find<link::Close>(dead));
  EXPECT_FALSE(find<link::SendHeartbeat>(dead));
}

TEST_F(Uplink, AnyMessageKeepsTheLinkAlive) {
  attach();
  for (int i = 0; i < 10; ++i) {
    wake();
    EXPECT_FALSE(find<link::Close>(resume(link::Received{})));
  }
  EXPECT_TRUE(fsm.is_attached());
}

TEST_F(Uplink, SendsAsSoonAsItIsOnDisk) {
  attach();
  push(false);
  EXPECT_FALSE(find<link::SendResults>(resume(link::Woken{})));
  now = *outbox.work_due();
  EXPECT_EQ(now, kStart + limits::kFlushInterval);
  disk.run(outbox, now);
  EXPECT_TRUE(find<link::SendResults>(resume(link::Woken{})));
  (void)outbox.take_batch(now);

  push(true);
  EXPECT_TRUE(find<link::SendResults>(resume(link::Woken{})));
}

TEST_F(Uplink, NothingIsSentBeforeTheWelcome) {
  push(true);
  EXPECT_FALSE(find<link::SendResults>(resume(link::Started{})));
  outbox.restart_stream();
  disk.run(outbox, now);
  EXPECT_FALSE(find<link::SendResults>(resume(link::Woken{})));
  EXPECT_TRUE(find<link::SendResults>(resume(link::Welcomed{5})));
}

TEST_F(Uplink, DrainFinishesWhatIsInFlightThenReconnectsLater) {
  attach();
  push(true);
  (void)outbox.take_batch(now);
  resume(link::DrainAsked{seconds(20)});
  push(true);
  EXPECT_FALSE(find<link::SendResults>(resume(link::Woken{})));
  EXPECT_TRUE(fsm.is_attached());

  ASSERT_TRUE(outbox.ack(1, now));
  EXPECT_TRUE(find<link::Close>(resume(link::Received{})));
  EXPECT_GE(fsm.next_wake(), now + seconds(20));
  EXPECT_EQ(fsm.coordinator(), 1u);
}

TEST_F(Uplink, DrainDoesNotWaitForEverAndItsPauseIsBounded) {
  attach();
  push(true);
  (void)outbox.take_batch(now);
  resume(link::DrainAsked{std::chrono::hours(1000)});
  while (fsm.is_attached()) {
    wake();
    resume(link::Received{});
  }
  EXPECT_LE(now, kStart + options().drain_within);
  EXPECT_LE(fsm.next_wake() - now, options().reconnect_after_max + options().backoff_longest);
}

// The coordinator has too many at its door.
TEST_F(Uplink, ComesBackWhenItsTurnIsIfAskedToInsteadOfAWelcome) {
  resume(link::Started{});

  EXPECT_TRUE(find<link::Close>(resume(link::DrainAsked{seconds(20)})));

  EXPECT_GE(fsm.next_wake(), now + seconds(20));
  EXPECT_LE(fsm.next_wake(), now + seconds(20) + options().backoff_first);
  EXPECT_TRUE(find<link::Open>(wake()));
}

TEST_F(Uplink, BacksOffFromACoordinatorThatSendsItAwayAtOnceAgainAndAgain) {
  resume(link::Started{});
  Duration waited{};
  for (int i = 0; i < 20; ++i) {
    resume(link::DrainAsked{});
    waited += fsm.next_wake() - now;
    wake();
  }

  EXPECT_GT(waited, seconds(60));
}

TEST_F(Uplink, StoppingFlushesThenStops) {
  attach();
  push(false);
  outbox.hurry();
  disk.run(outbox, now);
  EXPECT_TRUE(find<link::SendResults>(resume(link::StopAsked{})));
  (void)outbox.take_batch(now);
  EXPECT_FALSE(find<link::Stopped>(resume(link::Woken{})));
  ASSERT_TRUE(outbox.ack(1, now));
  const Actions actions = resume(link::Received{});
  EXPECT_TRUE(find<link::Close>(actions));
  EXPECT_TRUE(find<link::Stopped>(actions));
  EXPECT_EQ(fsm.next_wake(), Instant::max());
}

TEST_F(Uplink, StoppingDoesNotWaitLongForAcks) {
  attach();
  push(true);
  resume(link::StopAsked{});
  (void)outbox.take_batch(now);
  EXPECT_TRUE(find<link::Stopped>(wake()));
  EXPECT_EQ(now, kStart + options().stop_within);
}

TEST_F(Uplink, StopsAtOnceWithoutALink) {
  resume(link::Started{});
  const Actions actions = resume(link::StopAsked{});
  EXPECT_TRUE(find<link::Close>(actions));
  EXPECT_TRUE(find<link::Stopped>(actions));
  EXPECT_TRUE(resume(link::Broken{"cancelled"}).empty());
}

}  // namespace uplink_fsm_test
}  // namespace firebreak::agent
