// The Prober: slots, waiting, ends.
#include "probes/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>

#include "tests/unit/probes/script.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::Script;
using testing::ScriptedServer;

const char* const kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class Run : public ::testing::Test {
 protected:
  ProbeSpec probe(const ScriptedServer& server, Duration timeout = std::chrono::seconds(20)) {
    HttpSpec http;
    http.url = server.url();
    ProbeSpec spec;
    spec.kind = http;
    spec.timeout = timeout;
    return spec;
  }
  ProbeDone collect() {
    return [this](Observation result) { results_.push_back(std::move(result)); };
  }
  void run_until(std::size_t count) {
    while (results_.size() < count && io_.run_one() > 0) {
    }
    ASSERT_EQ(results_.size(), count);
  }

  boost::asio::io_context io_;
  std::vector<Observation> results_;
  const Script good_{{{"\r\n\r\n", kOk}}, Script::End::close};
  const Script silent_{{{"\r\n\r\n", ""}}, Script::End::hold};
};

TEST_F(Run, ResultNeverComesFromInsideStart) {
  const ScriptedServer server(io_, {good_});
  Prober prober(io_);
  ProbeSpec wrong = probe(server);
  std::get<HttpSpec>(wrong.kind).url = "nonsense";

  prober.start(wrong, collect());

  EXPECT_TRUE(results_.empty());
  run_until(1);
}

TEST_F(Run, ManyRunAtOnceAndTheRestWaitsInOrder) {
  const ScriptedServer server(io_, {good_});
  ProberOptions options;
  options.in_flight_max = 2;
  Prober prober(io_, options);
  for (int i = 0; i < 5; ++i) prober.start(probe(server), collect());

  EXPECT_EQ(prober.running(), 2u);
  EXPECT_EQ(prober.waiting(), 3u);
  run_until(5);

  EXPECT_EQ(prober.running(), 0u);
  EXPECT_EQ(prober.waiting(), 0u);
  for (const Observation& result : results_) expect_ok(result);
}

TEST_F(Run, WaitingForASlotForTooLongIsOurFault) {
  const ScriptedServer server(io_, {silent_});
  ProberOptions options;
  options.in_flight_max = 1;
  Prober prober(io_, options);
  prober.start(probe(server), collect());
  prober.start(probe(server, std::chrono::milliseconds(10)), collect());

  run_until(1);

  expect_verdict(results_[0], Status::unknown, Reason::prober, Phase::none);
  EXPECT_THAT(results_[0].evidence, HasSubstr("waited 20ms for one of 1 slots"));
}

TEST_F(Run, AHungTargetWithManyProbesLeavesSlotsForOthers) {
  const ScriptedServer hung(io_, {silent_});
  const ScriptedServer quick(io_, {good_});
  ProberOptions options;
  options.in_flight_max = 3;
  options.per_target_max = 2;
  Prober prober(io_, options);
  for (int i = 0; i < 4; ++i) prober.start(probe(hung), collect());

  EXPECT_EQ(prober.running(), 2u);
  EXPECT_EQ(prober.waiting(), 2u);
  for (int i = 0; i < 5; ++i) prober.start(probe(quick), collect());
  run_until(5);

  for (const Observation& result : results_) expect_ok(result);
  EXPECT_EQ(prober.running(), 2u);
  EXPECT_EQ(prober.waiting(), 2u);
}

TEST_F(Run, ProbesOfOneTargetWaitInOrderAndAllRun) {
  const ScriptedServer server(io_, {good_});
  ProberOptions options;
  options.per_target_max = 1;
  Prober prober(io_, options);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i)
    prober.start(probe(server), [&order, i, done = collect()](Observation result) {
      order.push_back(i);
      done(std::move(result));
    });

  EXPECT_EQ(prober.running(), 1u);
  run_until(5);

  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  for (const Observation& result : results_) expect_ok(result);
  EXPECT_EQ(prober.waiting(), 0u);
}

TEST_F(Run, WaitingForATargetForTooLongSaysSo) {
  const ScriptedServer server(io_, {silent_});
  ProberOptions options;
  options.per_target_max = 1;
  Prober prober(io_, options);
  prober.start(probe(server), collect());
  prober.start(probe(server, std::chrono::milliseconds(10)), collect());
  prober.start(probe(server, std::chrono::milliseconds(10)), collect());

  run_until(2);

  for (const Observation& result : results_) {
    expect_verdict(result, Status::unknown, Reason::prober, Phase::none);
    EXPECT_THAT(result.evidence, HasSubstr("for one of 1 slots for this target"));
  }
  EXPECT_EQ(prober.waiting(), 0u);
  EXPECT_EQ(prober.running(), 1u);
}

TEST_F(Run, ProbesOfTheHostItselfShareNoTarget) {
  ProberOptions options;
  options.per_target_max = 1;
  Prober prober(io_, options);
  ProbeSpec spec;
  spec.kind = ExecSpec{"disk", {}};
  prober.start(spec, collect());
  prober.start(spec, collect());

  EXPECT_EQ(prober.running(), 2u);
  run_until(2);
}

TEST_F(Run, SlowTargetDelaysOnlyItself) {
  const ScriptedServer slow(io_, {silent_});
  const ScriptedServer quick(io_, {good_});
  Prober prober(io_);
  prober.start(probe(slow), collect());
  prober.start(probe(quick), collect());

  run_until(1);

  expect_ok(results_[0]);
  EXPECT_EQ(prober.running(), 1u);
}

TEST_F(Run, HungNameServerDelaysOnlyWhoAsksIt) {
  std::promise<void> asked;
  std::promise<void> never;
  const ScriptedServer server(io_, {good_});
  ProberOptions options;
  options.resolver_threads_max = 1;
  options.look_up = [&asked, answer = never.get_future().share()](
                        const std::string&) -> Result<std::vector<std::string>> {
    asked.set_value();
    answer.wait();
    return make_error(Errc::not_found, "no such name");
  };
  Prober prober(io_, options);
  const auto named = [&](const std::string& host, Duration timeout) {
    ProbeSpec spec = probe(server, timeout);
    std::get<HttpSpec>(spec.kind).url = "http://" + host + "/";
    return spec;
  };
  prober.start(named("hung.example", std::chrono::seconds(20)), collect());
  io_.poll();
  asked.get_future().wait();

  prober.start(named("hung.example", std::chrono::milliseconds(20)), collect());
  run_until(1);
  prober.start(named("other.example", std::chrono::milliseconds(20)), collect());
  run_until(2);
  prober.start(probe(server), collect());
  run_until(3);

  // Who was asked is late; the other name was never looked up, which is the pool's fault.
  expect_verdict(results_[0], Status::critical, Reason::timeout, Phase::resolve);
  expect_verdict(results_[1], Status::unknown, Reason::prober, Phase::resolve);
  expect_ok(results_[2]);
  never.set_value();
}

TEST_F(Run, NameIsKeptUntilAProbeFails) {
  auto server = std::make_unique<ScriptedServer>(io_, std::vector<Script>{good_});
  std::atomic<int> asked = 0;
  ProberOptions options;
  options.look_up = [&asked](const std::string&) -> Result<std::vector<std::string>> {
    ++asked;
    return std::vector<std::string>{"127.0.0.1"};
  };
  Prober prober(io_, options);
  ProbeSpec spec = probe(*server);
  std::get<HttpSpec>(spec.kind).url =
      "http://target.example:" + std::to_string(server->port()) + "/";
  const auto run = [&](std::size_t results) {
    prober.start(spec, collect());
    run_until(results);
  };

  run(1);
  run(2);
  EXPECT_EQ(asked.load(), 1);
  expect_ok(results_[1]);

  server.reset();
  run(3);  // with the kept address, and in vain
  EXPECT_EQ(asked.load(), 1);
  EXPECT_EQ(results_[2].reason, Reason::refused);
  run(4);  // what confirms it asks anew
  EXPECT_EQ(asked.load(), 2);
}

TEST_F(Run, NothingIsCalledAfterTheEnd) {
  const ScriptedServer server(io_, {silent_});
  int calls = 0;
  {
    ProberOptions options;
    options.in_flight_max = 1;
    Prober prober(io_, options);
    const auto count = [&calls](const Observation&) { ++calls; };
    const auto trace = [&calls](Phase, std::string_view) { ++calls; };
    prober.start(probe(server), count, trace);
    prober.start(probe(server), count, trace);
    while (server.received().empty()) io_.run_one();
    calls = 0;
  }

  io_.poll();

  EXPECT_EQ(calls, 0);
}

TEST_F(Run, ProberMayEndInsideAResult) {
  const ScriptedServer server(io_, {good_});
  auto prober = std::make_optional<Prober>(io_);
  bool ended = false;
  prober->start(probe(server), [&](const Observation&) {
    prober.reset();
    ended = true;
  });

  while (!ended && io_.run_one() > 0) {
  }

  EXPECT_TRUE(ended);
}

TEST_F(Run, ResultMayStartTheNextProbe) {
  const ScriptedServer server(io_, {good_});
  ProberOptions options;
  options.in_flight_max = 1;
  Prober prober(io_, options);
  prober.start(probe(server), [&](Observation first) {
    results_.push_back(std::move(first));
    prober.start(probe(server), collect());
  });

  run_until(2);

  expect_ok(results_[1]);
}

}  // namespace
}  // namespace firebreak
