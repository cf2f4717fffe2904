// Deadlines, steps, phases and secrets of one attempt, on a clock that the test moves.
#include "probes/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include <boost/asio/co_spawn.hpp>

#include "probes/stream.h"
#include "tests/support/manual_clock.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak::probes {
namespace {

using namespace std::chrono_literals;
using testing::expect_verdict;
using ::testing::HasSubstr;

class AttemptTest : public ::testing::Test {
 protected:
  ProberOptions options() {
    ProberOptions all;
    all.clock = clock_;
    return all;
  }
  Attempt make(Duration timeout = 1s) {
    ProbeSpec spec;
    spec.timeout = timeout;
    return Attempt(tools_, spec, {});
  }
  // The clock moves, and the loop runs all the while; whatever is due rings.
  void pass(Duration time) {
    for (Duration step = 50ms; time > Duration::zero(); time -= step) {
      step = std::min(step, time);
      stall(step);
    }
  }
  // The clock moves, and the loop runs again only at the end of it.
  void stall(Duration time) {
    clock_->advance(time);
    for (int i = 0; i < 10; ++i) io_.poll_one();
  }

  boost::asio::io_context io_;
  // So far back that every timer of the io_context has expired: this clock alone decides.
  std::shared_ptr<testing::ManualClock> clock_ = std::make_shared<testing::ManualClock>(Instant{});
  std::shared_ptr<Toolbox> tools_ = std::make_shared<Toolbox>(io_, options());
};

TEST_F(AttemptTest, DeadlineThatRingsInTimeBlamesTheTarget) {
  Attempt attempt = make(1s);
  attempt.enter(Phase::first_byte);

  pass(1s);

  EXPECT_TRUE(attempt.is_over());
  attempt.fail_timeout("no answer");
  const Observation result = attempt.finish();
  expect_verdict(result, Status::critical, Reason::timeout, Phase::first_byte);
  EXPECT_EQ(result.evidence, "no answer within 1s");
  EXPECT_EQ(result.latency, 1s);
}

TEST_F(AttemptTest, DeadlineThatRingsLateBlamesNobody) {
  Attempt attempt = make(1s);

  stall(4s);  // the process was stopped, or the machine slept

  attempt.fail_timeout("no answer");
  const Observation result = attempt.finish();
  expect_verdict(result, Status::unknown, Reason::prober, Phase::none);
  EXPECT_THAT(result.evidence, HasSubstr("did not run for 3.8 s"));
}

TEST_F(AttemptTest, StallBeforeADeadlineThatRingsInTimeBlamesNobody) {
  Attempt attempt = make(4s);
  pass(500ms);
  stall(2s);

  pass(1500ms);

  ASSERT_TRUE(attempt.is_over());
  attempt.fail_timeout("no answer");
  expect_verdict(attempt.finish(), Status::unknown, Reason::prober, Phase::none);
}

TEST_F(AttemptTest, ShortTimeoutIsSpoiltByAShortStall) {
  Attempt attempt = make(1s);
  stall(600ms);  // 400 ms late, beyond the slack
  pass(400ms);

  attempt.fail_timeout("no answer");

  expect_verdict(attempt.finish(), Status::unknown, Reason::prober, Phase::none);
}

TEST_F(AttemptTest, LittleJitterExcusesNobody) {
  Attempt attempt = make(60s);
  for (int i = 0; i < 400; ++i) stall(150ms);

  attempt.fail_timeout("no answer");

  expect_verdict(attempt.finish(), Status::critical, Reason::timeout, Phase::none);
}

TEST_F(AttemptTest, StallOfBeforeCountsForNothing) {
  {
    Attempt before = make(60s);
    stall(5s);
  }
  Attempt attempt = make(1s);
  pass(1s);

  attempt.fail_timeout("no answer");

  expect_verdict(attempt.finish(), Status::critical, Reason::timeout, Phase::none);
}

TEST_F(AttemptTest, TimeThatRanNeverGoesBack) {
  Attempt attempt = make(60s);
  Duration before{};
  for (int i = 0; i < 50; ++i) {
    clock_->advance(10ms);  // and nothing rings
    EXPECT_GE(attempt.elapsed(), before);
    before = attempt.elapsed();
  }
  EXPECT_EQ(before, 200ms);
  stall(10ms);  // the beat comes at last
  EXPECT_EQ(attempt.elapsed(), 200ms);
  pass(100ms);
  EXPECT_EQ(attempt.elapsed(), 300ms);
}

TEST_F(AttemptTest, StallIsNoLatency) {
  Attempt attempt = make(60s);
  attempt.enter(Phase::first_byte);
  pass(1s);
  stall(5100ms);
  attempt.succeed();

  const Observation result = attempt.finish();

  expect_verdict(result, Status::ok, Reason::none, Phase::none);
  EXPECT_EQ(result.latency, 1200ms);
  EXPECT_THAT(result.phases, ::testing::ElementsAre(PhaseTiming{Phase::first_byte, 1200ms}));
}

TEST_F(AttemptTest, WhatAStallMayHaveCausedIsNotBelieved) {
  const auto after_a_stall = [this](const KindSpec& kind, Reason reason) {
    ProbeSpec spec;
    spec.kind = kind;
    spec.timeout = 60s;
    Attempt attempt(tools_, spec, {});
    stall(5s);
    attempt.add_value("rtt", 5);
    attempt.critical(reason, "bad");
    return attempt.finish();
  };
  for (const Reason reason : {Reason::reset, Reason::body, Reason::tls, Reason::unreachable}) {
    const Observation result = after_a_stall(HttpSpec{}, reason);
    expect_verdict(result, Status::unknown, Reason::prober, Phase::none);
    EXPECT_TRUE(result.values.empty());
  }
  EXPECT_EQ(after_a_stall(IcmpSpec{}, Reason::threshold).reason, Reason::prober);
  EXPECT_EQ(after_a_stall(HttpSpec{}, Reason::refused).reason, Reason::refused);
  EXPECT_EQ(after_a_stall(HttpSpec{}, Reason::status).reason, Reason::status);
  EXPECT_EQ(after_a_stall(HostSpec{}, Reason::threshold).reason, Reason::threshold);
  EXPECT_EQ(after_a_stall(HeartbeatSpec{}, Reason::timeout).reason, Reason::timeout);
}

// A suspend that the steady clock does not count, as on a laptop.
class SleepyClock final : public Clock {
 public:
  void suspend(Duration time) { slept_ += time; }
  void advance(Duration time) { awake_.advance(time); }
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return awake_.steady();
  }
  [[nodiscard]] Duration since_boot() const override { return awake_.since_boot() + slept_; }
  [[nodiscard]] WallTime wall() const override { return awake_.wall(); }
  [[nodiscard]] Instant now() const override { return awake_.now(); }

 private:
  testing::ManualClock awake_{Instant{}};
  Duration slept_{};
};

TEST_F(AttemptTest, SuspendIsAStallToo) {
  const auto clock = std::make_shared<SleepyClock>();
  ProberOptions options;
  options.clock = clock;
  Attempt attempt(std::make_shared<Toolbox>(io_, options), {}, {});
  clock->advance(50ms);
  clock->suspend(std::chrono::hours(1));

  attempt.critical(Reason::reset, "the connection is gone");

  const Observation result = attempt.finish();
  expect_verdict(result, Status::unknown, Reason::prober, Phase::none);
  EXPECT_EQ(result.latency, 50ms);
}

TEST_F(AttemptTest, NothingRingsBeforeItsTime) {
  Attempt attempt = make(1s);

  pass(999ms);

  EXPECT_FALSE(attempt.is_over());
}

TEST_F(AttemptTest, StepEndsTheWaitButNotTheAttempt) {
  Attempt attempt = make(2s);
  int aborted = 0;
  const Attempt::AbortScope scope(attempt, [&aborted] { ++aborted; });
  attempt.begin_step(attempt.now() + 1s);

  pass(1s);
  EXPECT_EQ(aborted, 1);
  EXPECT_FALSE(attempt.is_over());

  attempt.end_step();
  pass(1s);
  EXPECT_EQ(aborted, 2);
  EXPECT_TRUE(attempt.is_over());
}

TEST_F(AttemptTest, PhasesAddUpToTheLatency) {
  Attempt attempt = make(60s);
  attempt.enter(Phase::connect);
  pass(1s);
  attempt.enter(Phase::send);
  pass(2s);
  attempt.enter(Phase::connect);  // a redirect
  pass(3s);
  attempt.succeed();

  const Observation result = attempt.finish();

  EXPECT_THAT(result.phases, ::testing::ElementsAre(PhaseTiming{Phase::connect, 4s},
                                                    PhaseTiming{Phase::send, 2s}));
  EXPECT_EQ(result.latency, 6s);
}

TEST_F(AttemptTest, SecretsAreBlankedBeforeTextIsCut) {
  Attempt attempt = make();
  attempt.keep_secret("hunter22");
  attempt.keep_secret("**");
  attempt.keep_secret("");

  attempt.critical(Reason::status, std::string(limits::kEvidenceBytesMax - 4, 'x') + "hunter22**");

  const Observation result = attempt.finish();
  EXPECT_EQ(result.evidence.find("hunt"), std::string::npos);
  EXPECT_LE(result.evidence.size(), limits::kEvidenceBytesMax);
}

TEST_F(AttemptTest, ValuesAreBounded) {
  Attempt attempt = make();

  for (int i = 0; i < 1000; ++i) attempt.add_value("value", i);

  EXPECT_EQ(attempt.finish().values.size(), limits::kValuesPerResultMax);
}

// --- Steps that begin after the end --------------------------------------------------------------

// Runs `step` to its end, which must come without waiting: nothing rings a second time.
bool poll(boost::asio::io_context& io, Awaitable<bool> step) {
  std::optional<bool> outcome;
  boost::asio::co_spawn(io.get_executor(), std::move(step),
                        [&outcome](const std::exception_ptr&, bool good) { outcome = good; });
  for (int i = 0; i < 100 && !outcome; ++i) io.poll_one();
  return outcome.value_or(true);
}

TEST_F(AttemptTest, NoStepWaitsAfterTheEnd) {
  Attempt attempt = make();
  attempt.cancel();
  Connection connection(attempt);
  Addresses addresses = {boost::asio::ip::address_v4::loopback()};

  EXPECT_FALSE(poll(io_, resolve(attempt, "127.0.0.1", addresses)));
  EXPECT_FALSE(poll(io_, resolve(attempt, "host.invalid", addresses)));
  addresses = {boost::asio::ip::address_v4::loopback()};
  EXPECT_FALSE(poll(io_, connect(attempt, connection.socket(), addresses, 1)));
  EXPECT_FALSE(poll(io_, connect_unix(attempt, connection.socket(), "/nonexistent")));
  EXPECT_EQ(attempt.finish().reason, Reason::timeout);
}

}  // namespace
}  // namespace firebreak::probes
