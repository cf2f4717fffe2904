// On disk before it is sent, sent in order, nothing twice, and what is lost is counted.
#include "agent/outbox.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <firebreak/v1/agent.pb.h>

#include "tests/support/spool_turns.h"

namespace firebreak::agent {
namespace {

using firebreak::testing::FakeFiles;
using firebreak::testing::SpoolTurns;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

constexpr Instant kNow{kBooted + seconds(1000)};

QueuedResult a_result(Status status, bool news = false, const char* probe = "health") {
  QueuedResult result;
  result.key = {ServiceName{"api"}, ProbeName{probe}};
  result.news = news;
  result.started = (kNow - seconds(1)).time_since_epoch();
  result.observation.status = status;
  return result;
}

std::vector<int> latencies(const wire::Batch& batch) {
  std::vector<int> all;
  for (const auto& result : batch.results)
    all.push_back(static_cast<int>(result.observation.latency.count()));
  return all;
}

class OutboxTest : public ::testing::Test {
 protected:
  void limit(OutboxLimits limits) { outbox = Outbox(limits_ = limits); }
  void push(QueuedResult result) { ASSERT_TRUE(outbox.push(std::move(result), now)); }
  // Healthy results that are told apart by their latency.
  void push_numbered(int from, int to) {
    for (int i = from; i <= to; ++i) {
      QueuedResult result = a_result(Status::ok);
      result.observation.latency = Duration{i};
      push(std::move(result));
    }
  }
  void spool() { disk.run(outbox, now); }
  // Past the flush interval.
  void flush() {
    now += limits::kFlushInterval;
    spool();
  }
  void restart() {
    disk.files.crash(FakeFiles::Survives::nothing);
    outbox = Outbox(limits_, disk.open());
  }
  void attach() {
    outbox.restart_stream();
    spool();
  }
  // Everything that can be sent at once, as (first_seq, results, dropped_before).
  std::vector<std::tuple<std::uint64_t, std::size_t, std::uint64_t>> send_all() {
    std::vector<std::tuple<std::uint64_t, std::size_t, std::uint64_t>> sent;
    while (outbox.can_send()) {
      const wire::Batch batch = outbox.take_batch(now);
      sent.emplace_back(batch.first_seq, batch.results.size(), batch.dropped_before);
      spool();
    }
    return sent;
  }

  Instant now = kNow;
  SpoolTurns disk;
  OutboxLimits limits_;
  Outbox outbox;
};

using Sent = std::tuple<std::uint64_t, std::size_t, std::uint64_t>;

TEST_F(OutboxTest, EmptyHasNothingToDo) {
  attach();
  EXPECT_FALSE(outbox.work_due());
  EXPECT_FALSE(outbox.can_send());
  EXPECT_FALSE(outbox.flush_due());
  EXPECT_TRUE(outbox.is_empty());
  EXPECT_EQ(outbox.first_unacked_seq(), 1U);
}

TEST_F(OutboxTest, NothingIsSentBeforeItIsOnDisk) {
  attach();
  push(a_result(Status::critical, true));
  EXPECT_FALSE(outbox.can_send());
  SpoolWork work = outbox.take_work();
  EXPECT_FALSE(outbox.can_send());
  EXPECT_FALSE(outbox.work_due());  // one turn at a time
  outbox.work_done(perform(disk.log(), std::move(work), {}, 1), now);
  EXPECT_TRUE(outbox.can_send());
}

TEST_F(OutboxTest, TheFlushWaitsForMoreUnlessThereIsNewsOrAFullBatch) {
  OutboxLimits limits;
  limits.batch_results_max = 3;
  limit(limits);
  push(a_result(Status::ok));
  EXPECT_EQ(*outbox.work_due(), now + limits::kFlushInterval);
  push(a_result(Status::critical, true));
  EXPECT_LE(*outbox.work_due(), now);
  spool();
  EXPECT_FALSE(outbox.work_due());

  push_numbered(1, 2);
  EXPECT_GT(*outbox.work_due(), now);
  push_numbered(3, 3);
  EXPECT_LE(*outbox.work_due(), now);
  spool();
  push(a_result(Status::ok));
  outbox.hurry();
  EXPECT_LE(*outbox.work_due(), now);
}

TEST_F(OutboxTest, BatchesAreWhatTheWireAccepts) {
  attach();
  push(a_result(Status::ok));
  push(a_result(Status::critical, true, "queue"));
  spool();
  const wire::Batch batch = outbox.take_batch(now);

  EXPECT_EQ(batch.first_seq, 1U);
  EXPECT_EQ(batch.sent, now.time_since_epoch());
  const auto back = wire::from_proto(wire::to_proto(batch));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, batch);
}

TEST_F(OutboxTest, DefinesASeriesOncePerStreamWithARefThatOutlivesARestart) {
  attach();
  push(a_result(Status::ok, false, "a"));
  push(a_result(Status::ok, false, "b"));
  flush();
  const wire::Batch first = outbox.take_batch(now);
  push(a_result(Status::ok, false, "b"));
  flush();
  const wire::Batch second = outbox.take_batch(now);
  restart();
  attach();
  const wire::Batch again = outbox.take_batch(now);

  EXPECT_EQ(first.series.size(), 2U);
  EXPECT_TRUE(second.series.empty());
  EXPECT_EQ(again.series, first.series);
}

TEST_F(OutboxTest, TheWindowHoldsUntilAcks) {
  OutboxLimits limits;
  limits.batch_results_max = 2;
  limits.batches_in_flight_max = 2;
  limit(limits);
  attach();
  push_numbered(1, 6);
  spool();
  (void)outbox.take_batch(now);
  (void)outbox.take_batch(now);
  EXPECT_FALSE(outbox.can_send());
  EXPECT_FALSE(outbox.flush_due());

  ASSERT_TRUE(outbox.ack(1, now));  // half a batch: the window stays full
  EXPECT_FALSE(outbox.can_send());
  ASSERT_TRUE(outbox.ack(2, now));
  EXPECT_EQ(latencies(outbox.take_batch(now)), (std::vector{5, 6}));
}

TEST_F(OutboxTest, AcksAreCumulativeAndMayRepeat) {
  attach();
  push_numbered(1, 5);
  flush();
  (void)outbox.take_batch(now);
  ASSERT_TRUE(outbox.ack(3, now));
  ASSERT_TRUE(outbox.ack(3, now));
  ASSERT_TRUE(outbox.ack(1, now));
  EXPECT_EQ(outbox.first_unacked_seq(), 4U);
  EXPECT_EQ(outbox.size(), 2U);
  EXPECT_FALSE(outbox.is_empty());
  ASSERT_TRUE(outbox.ack(5, now));
  EXPECT_TRUE(outbox.is_empty());
}

TEST_F(OutboxTest, AnAckOfWhatCannotHaveBeenSentIsRefused) {
  attach();
  push_numbered(1, 5);
  EXPECT_FALSE(outbox.ack(1, now));
  flush();
  EXPECT_FALSE(outbox.ack(6, now));
  EXPECT_TRUE(outbox.ack(5, now));
}

TEST_F(OutboxTest, AfterAReconnectResendsFromTheFirstUnackedWithAFreshTime) {
  OutboxLimits limits;
  limits.batch_results_max = 2;
  limit(limits);
  attach();
  push_numbered(1, 5);
  flush();
  (void)outbox.take_batch(now);
  (void)outbox.take_batch(now);
  ASSERT_TRUE(outbox.ack(2, now));

  outbox.end_stream();
  EXPECT_FALSE(outbox.can_send());
  now += seconds(60);
  attach();
  const wire::Batch again = outbox.take_batch(now);
  EXPECT_EQ(again.first_seq, 3U);
  EXPECT_EQ(again.sent, now.time_since_epoch());
  EXPECT_EQ(latencies(again), (std::vector{3, 4}));
  EXPECT_EQ(latencies(outbox.take_batch(now)), (std::vector{5}));
}

TEST_F(OutboxTest, AWelcomeSkipsWhatAnEarlierLifeHadDelivered) {
  push_numbered(1, 5);
  flush();
  restart();
  attach();
  ASSERT_TRUE(outbox.ack(3, now));
  EXPECT_EQ(latencies(outbox.take_batch(now)), (std::vector{4, 5}));
}

TEST_F(OutboxTest, EverythingOutlivesALongAbsenceAndAKillInOrder) {
  for (int i = 0; i < 50; ++i) {
    push_numbered(i * 100, i * 100 + 99);
    push(a_result(Status::critical, true));
    flush();
    EXPECT_EQ(outbox.pending(), 0U);
  }
  restart();
  push_numbered(1, 3);
  attach();
  std::uint64_t next = 1;
  while (next <= 5053) {
    spool();
    ASSERT_TRUE(outbox.can_send()) << next;
    const wire::Batch batch = outbox.take_batch(now);
    EXPECT_EQ(batch.first_seq, next);
    EXPECT_EQ(batch.dropped_before, 0U);
    next += batch.results.size();
    ASSERT_TRUE(outbox.ack(next - 1, now));
    now += seconds(1);
  }
  EXPECT_TRUE(outbox.is_empty());
}

TEST_F(OutboxTest, WithoutACoordinatorNothingIsKeptInMemory) {
  OutboxLimits limits;
  limits.pending_max = 200;
  limits.ready_max = 100;
  limit(limits);
  for (int i = 0; i < 300; ++i) {
    push_numbered(1, 100);
    flush();
    ASSERT_EQ(outbox.pending(), 0U);
  }
  EXPECT_EQ(outbox.dropped(), 0U);
  attach();
  EXPECT_EQ(outbox.size(), 30'000U);
}

// --- A disk that takes nothing -------------------------------------------------------------------

TEST_F(OutboxTest, WhileTheDiskRefusesResultsWaitAndAreNotSent) {
  attach();
  disk.files.set_capacity(0);
  push_numbered(1, 3);
  flush();
  EXPECT_FALSE(outbox.can_send());
  EXPECT_EQ(outbox.pending(), 3U);
  EXPECT_EQ(*outbox.work_due(), now + limits::kFlushInterval);  // and not before

  disk.files.set_capacity(std::nullopt);
  flush();
  EXPECT_EQ(latencies(outbox.take_batch(now)), (std::vector{1, 2, 3}));
}

TEST_F(OutboxTest, InMemoryHealthGoesFirstThenFaultsThenNewsAndTheHolesAreTold) {
  OutboxLimits limits;
  limits.pending_max = 4;
  limit(limits);
  attach();
  disk.files.set_capacity(0);
  push(a_result(Status::critical, true));
  push(a_result(Status::ok));
  push(a_result(Status::critical));
  push(a_result(Status::ok));
  for (int i = 0; i < 3; ++i) push(a_result(Status::warning, true));
  EXPECT_EQ(outbox.dropped(), 3U);
  spool();
  EXPECT_EQ(outbox.pending(), 4U);

  disk.files.set_capacity(std::nullopt);
  flush();
  EXPECT_THAT(send_all(), ElementsAre(Sent{1, 1, 0}, Sent{5, 3, 3}));
}

TEST_F(OutboxTest, AFlushThatFailedHalfWaySendsNothingTwice) {
  attach();
  push(a_result(Status::ok));
  push(a_result(Status::critical, true));
  // The healthy lane's flush succeeds, the one of the news fails.
  disk.files.plan({FakeFiles::Fault::refuse, disk.files.operations() + 4, 1});
  spool();
  EXPECT_EQ(outbox.pending(), 2U);
  EXPECT_FALSE(outbox.can_send());
  outbox.restart_stream();
  flush();
  EXPECT_THAT(send_all(), ElementsAre(Sent{1, 2, 0}));
}

// --- Holes ---------------------------------------------------------------------------------------

TEST_F(OutboxTest, BatchesEndAtHolesAndTheNextSaysHowManyAreMissing) {
  attach();
  for (int i = 0; i < 3; ++i) push(a_result(Status::ok, false, "a"));
  push(a_result(Status::critical, true, "b"));
  push(a_result(Status::ok, false, "a"));
  spool();
  outbox.end_stream();
  // The healthy ones are dropped at a bound.
  for (const std::string& name : *disk.files.list()) {
    if (name.find("healthy") == std::string::npos) continue;
    ASSERT_TRUE(disk.files.remove(name));
  }
  disk.files.flush_all();
  restart();
  push(a_result(Status::ok, false, "a"));
  attach();
  flush();
  EXPECT_THAT(send_all(), ElementsAre(Sent{4, 2, 3}));

  attach();
  EXPECT_THAT(send_all(), ElementsAre(Sent{4, 2, 3}));  // the same again
}

TEST_F(OutboxTest, BatchesAreBoundedInBytes) {
  OutboxLimits limits;
  limits.batch_bytes_max = 4096;
  limit(limits);
  attach();
  for (int i = 0; i < 10; ++i) {
    QueuedResult result = a_result(Status::critical);
    result.observation.evidence = std::string(1000, 'x');
    push(std::move(result));
  }
  flush();
  std::size_t results = 0;
  while (outbox.can_send()) {
    const wire::Batch batch = outbox.take_batch(now);
    EXPECT_LE(wire::to_proto(batch).ByteSizeLong(), 4096U);
    results += batch.results.size();
  }
  EXPECT_EQ(results, 10U);
}

TEST_F(OutboxTest, TooManySeriesAreRefusedAndCounted) {
  OutboxLimits limits;
  limits.series_max = 1;
  limit(limits);
  push(a_result(Status::ok, false, "a"));
  const auto refused = outbox.push(a_result(Status::ok, false, "b"), now);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
  EXPECT_EQ(outbox.dropped(), 1U);
  push(a_result(Status::ok, false, "a"));
}

// --- Draining a backlog --------------------------------------------------------------------------

class Drain : public OutboxTest {
 protected:
  // How long it takes, when every batch is acknowledged at once.
  Duration drain() {
    const Instant begin = now;
    std::uint64_t next = 1;
    while (!outbox.is_empty()) {
      spool();
      const auto due = outbox.flush_due();
      if (!due) {
        ADD_FAILURE() << "stands still at " << next;
        break;
      }
      now = std::max(now, *due);
      const wire::Batch batch = outbox.take_batch(now);
      EXPECT_EQ(batch.first_seq, next);
      next += batch.results.size();
      EXPECT_TRUE(outbox.ack(next - 1, now));
      most_ready_ = std::max(most_ready_, outbox.size());
    }
    return now - begin;
  }
  void backlog(int thousands) {
    for (int i = 0; i < thousands; ++i) {
      push_numbered(1, 1000);
      spool();
    }
  }
  std::uint64_t most_ready_ = 0;
};

TEST_F(Drain, GoesAtItsRate) {
  backlog(20);
  attach();
  const Duration took = drain();
  EXPECT_EQ(took, seconds(9));  // 20,000 at 2,000 each second, and the last thousand at once
}

TEST_F(Drain, IsFasterWhenItIsLongSoThatNothingWaitsForHours) {
  OutboxLimits limits;
  limits.drain_per_second = 100;
  limits.drain_per_second_max = 1000;
  limit(limits);
  backlog(30);
  attach();
  const Duration took = drain();
  EXPECT_GT(took, limits::kDrainWithin);
  EXPECT_LT(took, 4 * limits::kDrainWithin);
}

TEST_F(Drain, FreshNewsBehindABacklogIsThereSoon) {
  backlog(20);
  attach();
  push(a_result(Status::critical, true));
  EXPECT_LE(drain(), seconds(1) + milliseconds(100));  // 20,000 each second
}

TEST_F(Drain, ASteadyFlowIsNotHeldBack) {
  attach();
  for (int i = 0; i < 10; ++i) {
    push_numbered(1, 1000);
    spool();
    ASSERT_TRUE(outbox.flush_due());
    EXPECT_LE(*outbox.flush_due(), now);
    (void)outbox.take_batch(now);
    ASSERT_TRUE(outbox.ack(outbox.first_unacked_seq() + 999, now));
  }
}

// --- A folder that is older than it should be ----------------------------------------------------

TEST_F(OutboxTest, StartingOverCountsFromOneAndLosesNothingThatWasNeverSent) {
  attach();
  push_numbered(1, 3);
  flush();
  push_numbered(4, 5);
  outbox.start_over();
  EXPECT_FALSE(outbox.can_send());
  spool();
  EXPECT_EQ(disk.log().incarnation(), 78U);
  EXPECT_EQ(disk.log().counts().dropped, 3U);
  attach();
  const wire::Batch batch = outbox.take_batch(now);
  EXPECT_EQ(batch.first_seq, 1U);
  EXPECT_EQ(batch.dropped_before, 0U);
  EXPECT_EQ(latencies(batch), (std::vector{4, 5}));
  EXPECT_EQ(outbox.first_unacked_seq(), 1U);
}

}  // namespace
}  // namespace firebreak::agent
