// The agent's memory of jobs: clocks that nobody can stop by restarting, and bounds.
#include "agent/heartbeats.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::agent {
namespace heartbeats_test {

using namespace std::chrono_literals;
using probes::HeartbeatReport;
using probes::HeartbeatState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Taken = Heartbeats::Taken;

const HostTime kStart{"boot-1", 1000h, WallTime{500'000h}};

HostTime later(Duration time, const HostTime& from = kStart) {
  return {from.boot_id, from.since_boot + time, from.wall + time};
}
// The host was off for `off`, and has run for `up` since.
HostTime rebooted(const HostTime& before, Duration off, Duration up) {
  return {"boot-2", up, before.wall + off + up};
}
HostTime stepped(HostTime time, Duration step) {
  time.wall += step;
  return time;
}

Heartbeats reload(const Heartbeats& beats, const HostTime& saved, const HostTime& now) {
  auto back = Heartbeats::load(beats.save(saved), now);
  EXPECT_TRUE(back) << back.error().message;
  return back ? *std::move(back) : Heartbeats{};
}

void expect_taken(Heartbeats& beats, const std::string& name, const HostTime& now,
                  HeartbeatState state = HeartbeatState::ok) {
  EXPECT_TRUE(beats.take(name, HeartbeatReport{state, "", {}}, now));
}

Duration age(const Heartbeats& beats, const HostTime& now) {
  const auto beat = beats.find("backup", now);
  if (beat && beat->last) return beat->last->age;
  ADD_FAILURE() << "no report";
  return Duration{-1};
}

TEST(Heartbeats, AClockBeginsWithThePolicyOrWithTheJob) {
  Heartbeats beats;
  EXPECT_FALSE(beats.find("backup", kStart));
  EXPECT_TRUE(beats.expect({"backup"}, kStart));
  EXPECT_FALSE(beats.expect({"backup"}, later(1h)));
  EXPECT_EQ(beats.find("backup", later(2h))->known_for, 2h);

  const auto taken = beats.take("mirror", {}, later(1h));
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, Taken::stray);
  EXPECT_TRUE(beats.expect({"backup", "mirror"}, later(2h)));
  EXPECT_EQ(beats.find("mirror", later(3h))->known_for, 2h);
  EXPECT_EQ(beats.find("mirror", later(3h))->last->age, 2h);
  EXPECT_EQ(*beats.take("mirror", {}, later(3h)), Taken::expected);
  EXPECT_THAT(beats.expected(), ElementsAre("backup", "mirror"));
}

TEST(Heartbeats, RestartingEveryHourKeepsNoJobSilent) {
  Heartbeats beats;
  beats.expect({"backup"}, kStart);
  for (int hour = 1; hour <= 30; ++hour)
    beats = reload(beats, later(hour * 1h - 1s), later(hour * 1h));

  const auto beat = beats.find("backup", later(30h));
  EXPECT_EQ(beat->known_for, 30h);
  EXPECT_EQ(beat->deaf, 30s);
  EXPECT_FALSE(beat->by_wall_clock);
  EXPECT_THAT(beats.expected(), ElementsAre("backup"));
}

TEST(Heartbeats, AStepOfTheWallClockIsNothingWithinOneBoot) {
  Heartbeats beats;
  expect_taken(beats, "backup", kStart);
  EXPECT_EQ(age(beats, stepped(later(1h), 8760h)), 1h);
  EXPECT_EQ(age(beats, stepped(later(1h), -8760h)), 1h);

  const HostTime now = stepped(later(2h), 8760h);
  EXPECT_EQ(age(reload(beats, later(1h), now), now), 2h);
}

TEST(Heartbeats, OverARebootTheWallClockCountsOnlySinceTheLastSave) {
  Heartbeats beats;
  expect_taken(beats, "backup", kStart);
  const HostTime saved = stepped(later(10h), 8760h);  // set forward by a year, then saved
  const HostTime now = rebooted(saved, 3h, 10min);

  const Heartbeats back = reload(beats, saved, now);

  EXPECT_EQ(age(back, now), 13h + 10min);
  EXPECT_TRUE(back.find("backup", now)->by_wall_clock);
}

TEST(Heartbeats, AWallClockThatIsWrongAtTheBootMakesNothingYounger) {
  Heartbeats beats;
  expect_taken(beats, "backup", kStart);
  const HostTime saved = later(5h);
  const HostTime wrong{"boot-2", 2min, WallTime{}};  // 1970

  Heartbeats back = reload(beats, saved, wrong);

  EXPECT_EQ(age(back, wrong), 5h + 2min);                 // no less than since the boot
  const HostTime right{"boot-2", 5min, saved.wall + 7h};  // somebody told it the time
  EXPECT_EQ(age(back, right), 12h);
  expect_taken(back, "backup", right);
  EXPECT_EQ(age(back, stepped(later(1h, right), -100h)), 1h);
}

TEST(Heartbeats, WithoutABootsIdOnlyTheWallClockCounts) {
  HostTime then = kStart;
  then.boot_id.clear();
  Heartbeats beats;
  expect_taken(beats, "backup", then);
  const HostTime now = later(1h, then);
  EXPECT_EQ(age(reload(beats, then, now), now), 1h);  // the host has been up for a thousand
  EXPECT_EQ(age(reload(beats, then, stepped(now, -9h)), stepped(now, -9h)), 0h);
}

TEST(Heartbeats, ComesBackWholeAndKeepsARunThatGoesOn) {
  Heartbeats beats;
  beats.expect({"backup"}, kStart);
  ASSERT_TRUE(beats.take("backup", {HeartbeatState::critical, "a\n\"b\"", {{"files", 4}}}, kStart));
  expect_taken(beats, "backup", later(1h), HeartbeatState::started);

  Heartbeats back = reload(beats, later(2h), later(2h));

  EXPECT_EQ(back.find("backup", later(3h)), beats.find("backup", later(3h)));
  expect_taken(back, "backup", later(4h));
  EXPECT_EQ(back.find("backup", later(4h))->last->took, 3h);
}

TEST(Heartbeats, WhatIsDamagedIsNotGuessed) {
  Heartbeats beats;
  expect_taken(beats, "backup", kStart);
  const std::string good = beats.save(kStart);
  ASSERT_TRUE(Heartbeats::load(good, kStart));
  const std::string head = good.substr(0, good.find('\n') + 1);
  EXPECT_TRUE(Heartbeats::load(head, kStart));
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() - 1), good.substr(head.size()), head + "\n",
        head + "{}\n", head + R"({"name":"A/B","expected":true,"beat":{}})" + "\n",
        "{\"version\":2" + head.substr(12), std::string(100'000, '[')}) {
    const auto loaded = Heartbeats::load(bad, kStart);
    ASSERT_FALSE(loaded) << bad.substr(0, 200);
    EXPECT_EQ(loaded.error().code, Errc::corrupt);
  }
}

TEST(Heartbeats, RemembersSoManyThatNobodyAsksForAndNotForEver) {
  Heartbeats beats;
  beats.expect({"backup"}, kStart);
  for (std::size_t i = 0; i < limits::kHeartbeatsStrayMax; ++i)
    expect_taken(beats, "stray-" + std::to_string(i), later(1s));

  const auto refused = beats.take("one-more", {}, later(1h));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::resource_exhausted);
  EXPECT_FALSE(beats.find("one-more", later(1h)));
  expect_taken(beats, "stray-0", later(1h));
  expect_taken(beats, "backup", later(1h));

  const HostTime week = later(Duration(limits::kHeartbeatStrayFor) + 2s);
  expect_taken(beats, "one-more", week);
  EXPECT_TRUE(beats.find("stray-0", week));
  EXPECT_FALSE(beats.find("stray-1", week));
}

TEST(Heartbeats, APolicyMayAskForSoManyAndChangeItsMind) {
  std::set<std::string> names;
  for (std::size_t i = 0; i <= limits::kHeartbeatsMax; ++i) names.insert("n" + std::to_string(i));
  Heartbeats beats;
  beats.expect(names, kStart);
  EXPECT_EQ(beats.expected().size(), limits::kHeartbeatsMax);

  EXPECT_TRUE(beats.expect({}, later(1h)));
  EXPECT_THAT(beats.expected(), IsEmpty());
  std::size_t kept = 0;
  for (const std::string& name : names) kept += beats.find(name, later(1h)) ? 1U : 0U;
  EXPECT_EQ(kept, limits::kHeartbeatsStrayMax);
  EXPECT_LT(beats.save(later(1h)).size(), limits::kHeartbeatFileBytesMax);
}

TEST(Heartbeats, EvenTheLargestMemoryFitsIntoItsFile) {
  HeartbeatReport large{HeartbeatState::ok, std::string(limits::kEvidenceBytesMax, '\x01'), {}};
  for (std::size_t i = 0; i < limits::kHeartbeatValuesMax; ++i)
    large.values.push_back(
        {std::string(60, 'v') + std::to_string(10 + i), -1.2345678901234567e-300});
  std::set<std::string> names;
  for (std::size_t i = 0; i < limits::kHeartbeatsMax; ++i) names.insert("n" + std::to_string(i));
  Heartbeats beats;
  beats.expect(names, kStart);
  for (const std::string& name : names) ASSERT_TRUE(beats.take(name, large, kStart));
  for (std::size_t i = 0; i < limits::kHeartbeatsStrayMax; ++i)
    ASSERT_TRUE(beats.take("stray-" + std::to_string(i), large, kStart));

  EXPECT_LT(beats.save(kStart).size(), limits::kHeartbeatFileBytesMax);
}

}  // namespace heartbeats_test
}  // namespace firebreak::agent
