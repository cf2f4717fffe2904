// Probes run on their grid, never in a burst, and a change is believed only when it was confirmed.
#include "agent/schedule.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

namespace firebreak::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{seconds(1000)};

ProbeKey a_key(const char* probe) {
  return {ServiceName{"api"}, ProbeName{probe}};
}

AssignedProbe a_probe(const char* name, Duration every = seconds(10), int attempts = 2) {
  ProbeSpec spec;
  spec.kind = RedisSpec{};
  spec.every = every;
  spec.confirm = {attempts, milliseconds(200)};
  return {a_key(name), spec};
}

// The one run that is due next, and when.
struct Next {
  DueRun run;
  Instant at;
};
Next run_next(Schedule& schedule) {
  const Instant at = *schedule.next_due();
  std::vector<DueRun> due = schedule.take_due(at);
  EXPECT_EQ(due.size(), 1u);
  return {due.at(0), at};
}

TEST(Schedule, NothingIsDueWithoutAnAssignment) {
  Schedule schedule("edge-1");
  EXPECT_FALSE(schedule.next_due());
  EXPECT_TRUE(schedule.take_due(kStart).empty());
}

TEST(Schedule, RunsSoonThenOnTheGrid) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health", seconds(60))}, kStart);

  const Next first = run_next(schedule);
  ASSERT_TRUE(schedule.finished(first.run.id, Status::ok, first.at));
  const Next second = run_next(schedule);
  ASSERT_TRUE(schedule.finished(second.run.id, Status::ok, second.at));
  const Next third = run_next(schedule);

  EXPECT_LT(first.at, kStart + seconds(5));
  EXPECT_LE(second.at - first.at, seconds(60));
  EXPECT_EQ(third.at - second.at, seconds(60));
}

TEST(Schedule, RestartsKeepThePhaseAndAgentsDiffer) {
  const auto second_run = [](const char* agent, Instant start) {
    Schedule schedule(agent);
    schedule.replace({a_probe("health")}, start);
    const Next first = run_next(schedule);
    (void)schedule.finished(first.run.id, Status::ok, first.at);
    return run_next(schedule).at.time_since_epoch() % seconds(10);
  };
  EXPECT_EQ(second_run("edge-1", kStart), second_run("edge-1", kStart + milliseconds(12345)));
  EXPECT_NE(second_run("edge-1", kStart), second_run("edge-2", kStart));
}

TEST(Schedule, SpreadsManyNewProbes) {
  Schedule schedule("edge-1");
  std::vector<AssignedProbe> probes;
  for (int i = 0; i < 100; ++i) probes.push_back(a_probe(("p" + std::to_string(i)).c_str()));
  schedule.replace(probes, kStart);
  EXPECT_LT(schedule.take_due(kStart + seconds(1)).size(), 40u);
}

TEST(Schedule, WhatWasMissedWhileTheHostSleptRunsOnceAndSoon) {
  for (const Duration every : {Duration(seconds(1)), Duration(std::chrono::hours(24))}) {
    Schedule schedule("edge-1");
    schedule.replace({a_probe("health", every)}, kStart);
    const Next first = run_next(schedule);
    (void)schedule.finished(first.run.id, Status::ok, first.at);

    const Instant woken = first.at + std::chrono::hours(80);
    EXPECT_TRUE(schedule.take_due(woken).empty());
    const Next after = run_next(schedule);
    EXPECT_GT(after.at, woken);
    EXPECT_LE(after.at, woken + seconds(5));
    EXPECT_TRUE(schedule.finished(after.run.id, Status::ok, after.at));
    EXPECT_TRUE(schedule.take_due(after.at).empty());
  }
}

TEST(Schedule, AThousandProbesDoNotStartTogetherAfterASleep) {
  Schedule schedule("edge-1");
  std::vector<AssignedProbe> probes;
  for (int i = 0; i < 1000; ++i)
    probes.push_back(a_probe(("p" + std::to_string(i)).c_str(), seconds(20)));
  schedule.replace(probes, kStart);
  for (const DueRun& run : schedule.take_due(kStart + seconds(5)))
    (void)schedule.finished(run.id, Status::ok, kStart + seconds(6));

  const Instant woken = kStart + std::chrono::hours(8);
  std::map<ProbeKey, int> runs;
  std::size_t most = 0;
  for (Instant now = woken; now < woken + seconds(6); now += milliseconds(100)) {
    const auto due = schedule.take_due(now);
    most = std::max(most, due.size());
    for (const DueRun& run : due) {
      ++runs[run.key];
      (void)schedule.finished(run.id, Status::ok, now);
    }
  }
  EXPECT_LT(most, 60U);  // a thousand in five seconds, tenths of a second: twenty each
  EXPECT_EQ(runs.size(), 1000U);
  EXPECT_TRUE(
      std::all_of(runs.begin(), runs.end(), [](const auto& each) { return each.second == 1; }));
}

TEST(Schedule, DoesNotOverlapARunThatTakesLong) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health")}, kStart);
  const Next first = run_next(schedule);

  EXPECT_TRUE(schedule.take_due(first.at + seconds(30)).empty());
  EXPECT_EQ(schedule.skipped(), 1u);
  EXPECT_TRUE(schedule.finished(first.run.id, Status::ok, first.at + seconds(31)));
  EXPECT_EQ(run_next(schedule).run.key, a_key("health"));
}

TEST(Schedule, FirstOkIsBelievedAtOnce) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health")}, kStart);
  const Next first = run_next(schedule);
  const auto judgement = schedule.finished(first.run.id, Status::ok, first.at);
  ASSERT_TRUE(judgement);
  EXPECT_TRUE(judgement->confirmed);
  EXPECT_FALSE(judgement->news);
}

// Finishes the next run with `status`; how long it had to wait is checked.
Judgement step(Schedule& schedule, Instant& now, Status status, Duration at_most) {
  const Next next = run_next(schedule);
  EXPECT_LE(next.at - now, at_most);
  now = next.at;
  return schedule.finished(next.run.id, status, now).value();
}

TEST(Schedule, AChangeIsConfirmedByFastAttemptsThatAgree) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health")}, kStart);
  Instant now = kStart;
  step(schedule, now, Status::ok, seconds(10));

  const Judgement first = step(schedule, now, Status::critical, seconds(10));
  const Judgement second = step(schedule, now, Status::critical, milliseconds(200));
  const Judgement third = step(schedule, now, Status::critical, milliseconds(200));
  const Judgement fourth = step(schedule, now, Status::critical, seconds(10));

  EXPECT_FALSE(first.confirmed);
  EXPECT_TRUE(first.news);
  EXPECT_FALSE(second.confirmed);
  EXPECT_TRUE(third.confirmed);
  EXPECT_TRUE(third.news);
  EXPECT_TRUE(fourth.confirmed);
  EXPECT_FALSE(fourth.news);
}

TEST(Schedule, ABlipIsNeverConfirmed) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health")}, kStart);
  Instant now = kStart;
  step(schedule, now, Status::ok, seconds(10));

  EXPECT_FALSE(step(schedule, now, Status::critical, seconds(10)).confirmed);
  const Judgement back = step(schedule, now, Status::ok, milliseconds(200));
  EXPECT_TRUE(back.confirmed);
  EXPECT_TRUE(back.news);
  EXPECT_FALSE(step(schedule, now, Status::critical, seconds(10)).confirmed);
}

TEST(Schedule, RecoveryIsConfirmedToo) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health", seconds(10), 1)}, kStart);
  Instant now = kStart;
  EXPECT_FALSE(step(schedule, now, Status::critical, seconds(10)).confirmed);
  EXPECT_TRUE(step(schedule, now, Status::critical, milliseconds(200)).confirmed);
  EXPECT_FALSE(step(schedule, now, Status::ok, seconds(10)).confirmed);
  EXPECT_TRUE(step(schedule, now, Status::ok, milliseconds(200)).confirmed);
}

TEST(Schedule, WithoutAttemptsTheFirstIsBelieved) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health", seconds(10), 0)}, kStart);
  Instant now = kStart;
  const Judgement judgement = step(schedule, now, Status::critical, seconds(10));
  EXPECT_TRUE(judgement.confirmed);
  EXPECT_TRUE(judgement.news);
}

TEST(Schedule, WithoutAttemptsUnknownIsLookedAtOnceMore) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health", seconds(10), 0)}, kStart);
  Instant now = kStart;
  step(schedule, now, Status::ok, seconds(10));
  EXPECT_EQ(schedule.believed(a_key("health")), Status::ok);

  EXPECT_FALSE(step(schedule, now, Status::unknown, seconds(10)).confirmed);
  EXPECT_EQ(schedule.believed(a_key("health")), Status::ok);
  EXPECT_TRUE(step(schedule, now, Status::unknown, milliseconds(200)).confirmed);
  EXPECT_EQ(schedule.believed(a_key("health")), Status::unknown);
}

TEST(Schedule, AnErraticTargetIsNotProbedFastForEver) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("health")}, kStart);
  Instant now = kStart;
  step(schedule, now, Status::ok, seconds(10));
  const Instant began = now;
  for (int i = 0; i < 20; ++i) {
    step(schedule, now, i % 2 == 0 ? Status::critical : Status::warning, seconds(10));
  }
  EXPECT_GT(now - began, seconds(100));
}

TEST(Schedule, ReplacingKeepsWhatIsUnchanged) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("a"), a_probe("b")}, kStart);
  const Instant due = *schedule.next_due();
  const DueRun running = schedule.take_due(due).at(0);

  const bool a_runs = running.key == a_key("a");
  schedule.replace({a_probe(a_runs ? "a" : "b"), a_probe("c")}, due);

  EXPECT_EQ(schedule.size(), 2u);
  EXPECT_TRUE(schedule.finished(running.id, Status::ok, due + milliseconds(5)));
}

TEST(Schedule, ARunOfAChangedOrRemovedProbeCountsForNothing) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("a")}, kStart);
  const DueRun changed = run_next(schedule).run;
  schedule.replace({a_probe("a", seconds(20))}, kStart + seconds(6));
  EXPECT_FALSE(schedule.finished(changed.id, Status::ok, kStart + seconds(7)));

  const DueRun removed = run_next(schedule).run;
  schedule.replace({}, kStart + seconds(30));
  EXPECT_FALSE(schedule.finished(removed.id, Status::ok, kStart + seconds(31)));
  EXPECT_FALSE(schedule.next_due());
}

TEST(Schedule, ARunOutsideTheScheduleCounts) {
  Schedule schedule("edge-1");
  schedule.replace({a_probe("a", seconds(60))}, kStart);
  Instant now = kStart;
  step(schedule, now, Status::ok, seconds(10));

  const auto seen = schedule.observed(a_key("a"), Status::critical, now + seconds(1));
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->confirmed);
  EXPECT_LE(*schedule.next_due(), now + seconds(1) + milliseconds(200));
  EXPECT_FALSE(schedule.observed(a_key("unknown"), Status::ok, now));
}

}  // namespace
}  // namespace firebreak::agent
