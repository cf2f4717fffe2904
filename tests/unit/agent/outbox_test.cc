// Nothing is lost but at the bound, and then the least important goes and is counted.
#include "agent/outbox.h"

#include <gtest/gtest.h>

#include <firebreak/v1/agent.pb.h>

namespace firebreak::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kNow{seconds(1000)};

QueuedResult a_result(Status status, bool news = false, const char* probe = "health") {
  QueuedResult result;
  result.key = {ServiceName{"api"}, ProbeName{probe}};
  result.news = news;
  result.started = seconds(999);
  result.observation.status = status;
  return result;
}

// Pushes `count` healthy results that are told apart by their latency.
void push_numbered(Outbox& outbox, int from, int to) {
  for (int i = from; i <= to; ++i) {
    QueuedResult result = a_result(Status::ok);
    result.observation.latency = Duration{i};
    ASSERT_TRUE(outbox.push(std::move(result), kNow));
  }
}

std::vector<int> latencies(const wire::Batch& batch) {
  std::vector<int> all;
  for (const auto& result : batch.results) {
    all.push_back(static_cast<int>(result.observation.latency.count()));
  }
  return all;
}

TEST(Outbox, EmptyHasNothingToSend) {
  Outbox outbox;
  EXPECT_FALSE(outbox.can_send());
  EXPECT_FALSE(outbox.flush_due());
  EXPECT_EQ(outbox.first_unacked_seq(), 1u);
}

TEST(Outbox, WaitsForMoreUnlessThereIsNews) {
  Outbox outbox;
  ASSERT_TRUE(outbox.push(a_result(Status::ok), kNow));
  EXPECT_EQ(*outbox.flush_due(), kNow + limits::kFlushInterval);

  ASSERT_TRUE(outbox.push(a_result(Status::critical, true), kNow + milliseconds(10)));
  EXPECT_LE(*outbox.flush_due(), kNow + milliseconds(10));

  (void)outbox.take_batch(kNow + milliseconds(10));
  EXPECT_FALSE(outbox.flush_due());
  ASSERT_TRUE(outbox.push(a_result(Status::critical), kNow + milliseconds(20)));
  EXPECT_EQ(*outbox.flush_due(), kNow + milliseconds(20) + limits::kFlushInterval);
}

TEST(Outbox, AFullBatchGoesAtOnce) {
  OutboxLimits limits;
  limits.batch_results_max = 3;
  Outbox outbox(limits);
  push_numbered(outbox, 1, 4);
  EXPECT_LE(*outbox.flush_due(), kNow);
  EXPECT_EQ(latencies(outbox.take_batch(kNow)), (std::vector{1, 2, 3}));
  EXPECT_EQ(*outbox.flush_due(), kNow + limits::kFlushInterval);
}

TEST(Outbox, BatchesAreWhatTheWireAccepts) {
  Outbox outbox;
  ASSERT_TRUE(outbox.push(a_result(Status::ok), kNow));
  ASSERT_TRUE(outbox.push(a_result(Status::critical, true, "queue"), kNow));
  const wire::Batch batch = outbox.take_batch(kNow);

  EXPECT_EQ(batch.first_seq, 1u);
  EXPECT_EQ(batch.sent, seconds(1000));
  const auto back = wire::from_proto(wire::to_proto(batch));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, batch);
}

TEST(Outbox, DefinesASeriesOncePerStreamWithAStableRef) {
  Outbox outbox;
  ASSERT_TRUE(outbox.push(a_result(Status::ok, false, "a"), kNow));
  ASSERT_TRUE(outbox.push(a_result(Status::ok, false, "b"), kNow));
  const wire::Batch first = outbox.take_batch(kNow);
  ASSERT_TRUE(outbox.push(a_result(Status::ok, false, "b"), kNow));
  const wire::Batch second = outbox.take_batch(kNow);
  ASSERT_TRUE(outbox.ack(2));
  outbox.restart_stream();
  const wire::Batch again = outbox.take_batch(kNow);

  EXPECT_EQ(first.series.size(), 2u);
  EXPECT_TRUE(second.series.empty());
  ASSERT_EQ(again.series.size(), 1u);
  EXPECT_EQ(again.series[0].key.probe.str(), "b");
  EXPECT_EQ(again.series[0].ref, first.results[1].ref);
}

TEST(Outbox, TheWindowHoldsUntilAcks) {
  OutboxLimits limits;
  limits.batch_results_max = 2;
  limits.batches_in_flight_max = 2;
  Outbox outbox(limits);
  push_numbered(outbox, 1, 6);
  (void)outbox.take_batch(kNow);
  (void)outbox.take_batch(kNow);
  EXPECT_FALSE(outbox.can_send());
  EXPECT_FALSE(outbox.flush_due());

  ASSERT_TRUE(outbox.ack(1));  // half a batch: the window stays full
  EXPECT_FALSE(outbox.can_send());
  ASSERT_TRUE(outbox.ack(2));
  EXPECT_EQ(latencies(outbox.take_batch(kNow)), (std::vector{5, 6}));
}

TEST(Outbox, AcksAreCumulativeAndMayRepeat) {
  Outbox outbox;
  push_numbered(outbox, 1, 5);
  (void)outbox.take_batch(kNow);
  ASSERT_TRUE(outbox.ack(3));
  ASSERT_TRUE(outbox.ack(3));
  ASSERT_TRUE(outbox.ack(1));
  EXPECT_EQ(outbox.first_unacked_seq(), 4u);
  EXPECT_EQ(outbox.size(), 2u);
}

TEST(Outbox, AnAckOfWhatWasNeverSentIsRefused) {
  Outbox outbox;
  push_numbered(outbox, 1, 5);
  EXPECT_FALSE(outbox.ack(1));
  (void)outbox.take_batch(kNow);
  EXPECT_FALSE(outbox.ack(6));
  EXPECT_EQ(outbox.size(), 5u);
}

TEST(Outbox, AfterAReconnectResendsFromTheFirstUnackedWithAFreshTime) {
  OutboxLimits limits;
  limits.batch_results_max = 2;
  Outbox outbox(limits);
  push_numbered(outbox, 1, 5);
  (void)outbox.take_batch(kNow);
  (void)outbox.take_batch(kNow);
  ASSERT_TRUE(outbox.ack(2));

  outbox.restart_stream();
  EXPECT_LE(*outbox.flush_due(), kNow);
  const wire::Batch again = outbox.take_batch(kNow + seconds(60));
  EXPECT_EQ(again.first_seq, 3u);
  EXPECT_EQ(again.sent, seconds(1060));
  EXPECT_EQ(latencies(again), (std::vector{3, 4}));
  const wire::Batch rest = outbox.take_batch(kNow + seconds(60));
  EXPECT_EQ(rest.first_seq, 5u);
  EXPECT_EQ(latencies(rest), (std::vector{5}));
}

TEST(Outbox, AtTheBoundHealthGoesFirstThenFaultsThenNews) {
  OutboxLimits limits;
  limits.results_max = 4;
  Outbox outbox(limits);
  ASSERT_TRUE(outbox.push(a_result(Status::critical, true), kNow));
  ASSERT_TRUE(outbox.push(a_result(Status::ok), kNow));
  ASSERT_TRUE(outbox.push(a_result(Status::critical), kNow));
  ASSERT_TRUE(outbox.push(a_result(Status::ok), kNow));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(outbox.push(a_result(Status::warning, true), kNow));
  EXPECT_EQ(outbox.dropped(), 3u);

  const wire::Batch batch = outbox.take_batch(kNow);
  ASSERT_EQ(batch.results.size(), 4u);
  EXPECT_EQ(batch.results[0].observation.status, Status::critical);
  EXPECT_EQ(batch.results[1].observation.status, Status::warning);
  EXPECT_EQ(batch.dropped_before, 3u);
}

TEST(Outbox, DropsLeaveNoHoleInTheNumbersAndAreCountedInFrontOfWhatFollows) {
  OutboxLimits limits;
  limits.results_max = 3;
  limits.batch_results_max = 1;
  limits.batches_in_flight_max = 2;
  Outbox outbox(limits);
  push_numbered(outbox, 1, 3);
  const wire::Batch before = outbox.take_batch(kNow);
  push_numbered(outbox, 4, 5);
  const wire::Batch after = outbox.take_batch(kNow);

  EXPECT_EQ(before.dropped_before, 0u);
  EXPECT_EQ(after.first_seq, 2u);
  EXPECT_EQ(latencies(after), (std::vector{4}));
  EXPECT_EQ(after.dropped_before, 2u);
  outbox.restart_stream();
  (void)outbox.take_batch(kNow);
  EXPECT_EQ(outbox.take_batch(kNow).dropped_before, 2u);
}

TEST(Outbox, BatchesAreBoundedInBytes) {
  OutboxLimits limits;
  limits.batch_bytes_max = 4096;
  Outbox outbox(limits);
  for (int i = 0; i < 10; ++i) {
    QueuedResult result = a_result(Status::critical);
    result.observation.evidence = std::string(1000, 'x');
    ASSERT_TRUE(outbox.push(std::move(result), kNow));
  }
  std::size_t results = 0;
  while (outbox.can_send()) {
    const wire::Batch batch = outbox.take_batch(kNow);
    EXPECT_LE(wire::to_proto(batch).ByteSizeLong(), 4096u);
    results += batch.results.size();
  }
  EXPECT_EQ(results, 10u);
}

TEST(Outbox, TooManySeriesAreRefusedAndCounted) {
  OutboxLimits limits;
  limits.series_max = 1;
  Outbox outbox(limits);
  ASSERT_TRUE(outbox.push(a_result(Status::ok, false, "a"), kNow));
  const auto refused = outbox.push(a_result(Status::ok, false, "b"), kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
  EXPECT_EQ(outbox.dropped(), 1u);
  EXPECT_TRUE(outbox.push(a_result(Status::ok, false, "a"), kNow));
}

}  // namespace
}  // namespace firebreak::agent
