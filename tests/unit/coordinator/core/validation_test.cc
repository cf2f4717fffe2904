// A checklist is run in order, by the agents, and only what was really seen passes it.
#include "coordinator/core/validation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/tally.h"
#include "coordinator/policy/loader.h"

namespace firebreak::core {
namespace validation_test {

using namespace std::chrono_literals;

constexpr Instant kStart = instant_from_unix_us(1'700'000'000'000'000);
const ServiceName kApi("api");
const ValidationId kId("val-1");
const AgentName kEdge1("edge-1");
const AgentName kEdge2("edge-2");

Observation ok(Duration latency = 10ms) {
  Observation observation;
  observation.status = Status::ok;
  observation.latency = latency;
  return observation;
}
Observation critical(std::string evidence = "HTTP 503") {
  Observation observation;
  observation.status = Status::critical;
  observation.reason = Reason::status;
  observation.evidence = std::move(evidence);
  return observation;
}
Observation with_value(Status status, double value) {
  Observation observation = ok();
  observation.status = status;
  if (status != Status::ok) observation.reason = Reason::threshold;
  observation.values = {{"length", value}};
  return observation;
}

// A coordinator that does nothing but validate: its alarms, and what it asks of its agents.
class ValidationTest : public testing::Test {
 protected:
  void use_policy(const std::string& checklist) {
    const policy::Loaded loaded = policy::load_policy({{"policy.yaml", R"(
severities: {P1: {}}
facts: {data_checked: false}
services:
  api:
    agents: 'true'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
      queue: {queue: {redis: "cache:6379", list: jobs}, every: 10s}
)" + checklist}});
    ASSERT_TRUE(loaded.policy) << loaded.problems;
    state_.policy = loaded.policy;
    state_.inputs = inputs_of(*loaded.policy);
    carry_windows(state_, nullptr);
  }

  void attach(const AgentName& name, bool attached = true) {
    state_.agents[name].name = name;
    state_.agents[name].attached = attached;
    state_.vantages[kApi].insert(name);
  }
  void see(const AgentName& agent, const char* probe, const Observation& observation) {
    SeriesState& series = state_.agents[agent].series[{kApi, ProbeName(probe)}];
    series.live = true;
    series.confirmed = observation.status;
    series.confirmed_by = observation;
    series.confirmed_at = series.observed = now_;
    Window& window = *find_window(state_, &state_.inputs->probes.at({kApi, ProbeName(probe)}));
    if (window.span() == Duration{0}) window.configure({10min});
    window.add(now_, {observation.status == Status::critical, observation.latency, {}});
  }

  template <class Do>
  void in_a_turn(Do what) {
    Turn turn{state_, now_, effects_, {}, {}};
    what(turn);
    finished_.insert(finished_.end(), turn.finished.begin(), turn.finished.end());
  }
  const Validation& start(const ValidationId& id = kId) {
    in_a_turn([&](Turn& turn) { start_validation(turn, id, kApi, IncidentId(), "operator:ann"); });
    return state_.validations.at(id);
  }
  // Rings every alarm on the way.
  void wait(Duration time) {
    const Instant until = now_ + time;
    while (state_.validation_alarms.first() && *state_.validation_alarms.first() <= until) {
      now_ = std::max(now_, *state_.validation_alarms.first());
      in_a_turn([](Turn& turn) {
        for (const ValidationId& id : turn.state.validation_alarms.take_due(turn.now))
          advance_validation(turn, id);
      });
    }
    now_ = until;
  }
  // The probes asked for since the last look.
  std::vector<SendProbeNow> take_asked() {
    std::vector<SendProbeNow> asked;
    for (const Effect& effect : std::exchange(effects_, {}))
      if (const auto* probe = std::get_if<SendProbeNow>(&effect)) asked.push_back(*probe);
    return asked;
  }
  void answer(const SendProbeNow& asked, const Observation& observation) {
    in_a_turn(
        [&](Turn& turn) { validation_answered(turn, asked.request, asked.agent, observation); });
  }
  void answer_all(const Observation& observation) {
    for (const SendProbeNow& asked : take_asked()) answer(asked, observation);
  }
  std::size_t take_published() {
    std::size_t published = 0;
    for (const Effect& effect : std::exchange(effects_, {}))
      if (std::holds_alternative<PublishValidation>(effect)) ++published;
    return published;
  }

  State state_;
  Instant now_ = kStart;
  std::vector<Effect> effects_;
  std::vector<ValidationId> finished_;
};

using ProbeCheckTest = ValidationTest;
using SignalCheckTest = ValidationTest;

TEST_F(ProbeCheckTest, PassesWhenEveryAttachedAgentSaysOk) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  attach(kEdge2);
  attach(AgentName("away"), false);
  const Validation& validation = start();

  const auto asked = take_asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].agent, kEdge1);
  EXPECT_EQ(asked[1].agent, kEdge2);
  EXPECT_EQ(asked[0].key, (ProbeKey{kApi, ProbeName("health")}));
  EXPECT_EQ(asked[0].spec.timeout, Duration{2s});
  answer(asked[0], ok());
  EXPECT_EQ(validation.verdict, Verdict::running);
  answer(asked[1], ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
  EXPECT_EQ(validation.checks[0].verdict, Verdict::passed);
  EXPECT_EQ(validation.finished, kStart);
  EXPECT_EQ(validation.checks[0].detail, "ok from edge-1 and edge-2");
  EXPECT_EQ(finished_, std::vector{kId});
  EXPECT_TRUE(state_.requests.empty());
  EXPECT_FALSE(state_.validation_alarms.first());
}

TEST_F(ProbeCheckTest, FailsWhenOneOfTheAgentsSeesAFailure) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  attach(kEdge2);
  const Validation& validation = start();

  const auto asked = take_asked();
  answer(asked[1], critical());
  answer(asked[0], ok());
  EXPECT_EQ(validation.verdict, Verdict::failed);
  EXPECT_EQ(validation.checks[0].detail, "critical (status): HTTP 503 from edge-2");
}

TEST_F(ProbeCheckTest, AsksAnotherAgentAtEachAttemptWhenOneIsEnough) {
  use_policy("checklists: {api: [{probe: health, from: one, attempts: 3, every: 10s}]}");
  attach(kEdge1);
  attach(kEdge2);
  const Validation& validation = start();

  std::vector<AgentName> agents;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto asked = take_asked();
    ASSERT_EQ(asked.size(), 1U);
    agents.push_back(asked[0].agent);
    answer(asked[0], critical());
    wait(10s);
  }
  EXPECT_EQ(agents, (std::vector{kEdge1, kEdge2}));
  answer_all(ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, TriesAgainAfterTheDelayOfThePlaybook) {
  use_policy("checklists: {api: [{probe: health, attempts: 5, every: 30s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  for (int failing = 0; failing < 2; ++failing) {
    answer_all(critical());
    wait(29s);
    EXPECT_TRUE(take_asked().empty());
    wait(1s);
  }
  EXPECT_EQ(validation.checks[0].attempt, 3);
  answer_all(ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
  EXPECT_EQ(validation.finished, kStart + 1min);
}

TEST_F(ProbeCheckTest, FailsWhenNoAttemptIsGood) {
  use_policy("checklists: {api: [{probe: health, attempts: 3, every: 10s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(validation.verdict, Verdict::running);
    answer_all(critical());
    wait(10s);
  }
  EXPECT_EQ(validation.verdict, Verdict::failed);
  EXPECT_EQ(validation.finished, kStart + 20s);
}

TEST_F(ProbeCheckTest, CountsOnlyPassesInARow) {
  use_policy("checklists: {api: [{probe: health, attempts: 6, passes: 3, every: 1s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  const auto one = [&](const Observation& observation) {
    answer_all(observation);
    wait(1s);
  };
  one(ok());
  one(ok());
  EXPECT_EQ(validation.checks[0].passes, 2);
  one(critical());
  EXPECT_EQ(validation.checks[0].passes, 0);
  EXPECT_EQ(validation.checks[0].detail,
            "0 of 3 in a row; last: critical (status): HTTP 503 from edge-1");
  one(ok());
  one(ok());
  EXPECT_EQ(validation.checks[0].detail, "2 of 3 in a row; last: ok from edge-1");
  one(ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, EndsAsSoonAsTheAttemptsLeftAreNotEnough) {
  use_policy("checklists: {api: [{probe: health, passes: 3}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical());
  EXPECT_EQ(validation.verdict, Verdict::failed);
  EXPECT_EQ(validation.checks[0].attempt, 1);
}

TEST_F(ProbeCheckTest, IsInconclusiveWithoutAnAnswer) {
  use_policy("checklists: {api: [{probe: health, attempts: 2, every: 1s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  EXPECT_EQ(state_.validation_alarms.first(), now_ + 2s + limits::kProbeAnswerGrace);
  wait(2s + limits::kProbeAnswerGrace);
  EXPECT_EQ(validation.checks[0].attempt, 2);
  EXPECT_EQ(validation.checks[0].detail, "no answer from edge-1");
  wait(1h);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_TRUE(state_.requests.empty());
}

TEST_F(ProbeCheckTest, OneSilentAgentAmongGoodOnesIsNotHealth) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  attach(kEdge2);
  const Validation& validation = start();

  answer(take_asked()[0], ok());
  wait(1min);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.checks[0].detail, "no answer from edge-2");
}

TEST_F(ProbeCheckTest, AnAgentThatCannotTellIsNotHealth) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  Observation blind;
  blind.reason = Reason::prober;
  const Validation& validation = start();

  answer_all(blind);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.checks[0].detail, "unknown (prober) from edge-1");
}

TEST_F(ProbeCheckTest, AFailureThatWasSeenOutweighsSilence) {
  use_policy("checklists: {api: [{probe: health, attempts: 2, every: 1s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical());
  wait(1min);
  EXPECT_EQ(validation.verdict, Verdict::failed);
}

TEST_F(ProbeCheckTest, IgnoresWhatWasNotAskedOrComesTooLate) {
  use_policy("checklists: {api: [{probe: health, attempts: 3, every: 1s}]}");
  attach(kEdge1);
  attach(kEdge2);
  const Validation& validation = start();
  const auto asked = take_asked();

  in_a_turn([&](Turn& turn) {
    validation_answered(turn, asked[0].request, kEdge2, critical());
    validation_answered(turn, RequestId("other"), kEdge1, critical());
  });
  EXPECT_TRUE(validation.checks[0].answers.empty());
  answer(asked[0], ok());
  answer(asked[0], critical());
  EXPECT_EQ(validation.checks[0].answers.size(), 1U);
  wait(2s + limits::kProbeAnswerGrace);
  EXPECT_EQ(validation.checks[0].attempt, 2);
  answer(asked[1], critical());
  EXPECT_EQ(validation.checks[0].failures, 0);
  EXPECT_TRUE(validation.checks[0].answers.empty());
}

TEST_F(ProbeCheckTest, IsInconclusiveAtOnceWithNobodyToAsk) {
  use_policy("checklists: {api: [{probe: health, attempts: 5, every: 30s}]}");
  attach(kEdge1, false);
  const Validation& validation = start();

  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.finished, kStart);
  EXPECT_EQ(validation.checks[0].detail, "no agent of the service is attached");
}

TEST_F(ProbeCheckTest, GoesOnWhenAgentsAreBack) {
  use_policy("checklists: {api: [{probe: health, attempts: 3, every: 10s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical());
  attach(kEdge1, false);
  wait(10s);
  EXPECT_EQ(validation.checks[0].attempt, 2);
  EXPECT_EQ(validation.checks[0].detail, "no agent of the service is attached");
  attach(kEdge1);
  wait(10s);
  answer_all(ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, AWarningIsNotGoodUnlessThePolicySaysSo) {
  use_policy("checklists: {api: [{probe: queue}]}");
  attach(kEdge1);
  const Validation& plain = start();
  answer_all(with_value(Status::warning, 7));
  EXPECT_EQ(plain.verdict, Verdict::failed);

  use_policy("checklists: {api: [{probe: queue, expect: value < 8}]}");
  const Validation& lenient = start(ValidationId("val-2"));
  answer_all(with_value(Status::warning, 7));
  EXPECT_EQ(lenient.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, ExpectsAValueOfTheRun) {
  use_policy("checklists: {api: [{probe: queue, expect: \"values['length'] < 5\"}]}");
  attach(kEdge1);
  const Validation& high = start();
  answer_all(with_value(Status::ok, 5));
  EXPECT_EQ(high.verdict, Verdict::failed);
  EXPECT_EQ(high.checks[0].detail,
            "'values['length'] < 5' is false (latency 10 ms, length 5.0) from edge-1");

  const Validation& low = start(ValidationId("val-2"));
  answer_all(with_value(Status::ok, 4));
  EXPECT_EQ(low.verdict, Verdict::passed);

  const Validation& none = start(ValidationId("val-3"));
  answer_all(ok());
  EXPECT_EQ(none.verdict, Verdict::inconclusive);
}

TEST_F(ProbeCheckTest, ExpectsALatencyOfAGoodRunOnly) {
  use_policy("checklists: {api: [{probe: health, expect: latency < 1s}]}");
  attach(kEdge1);
  const Validation& slow = start();
  answer_all(ok(1500ms));
  EXPECT_EQ(slow.verdict, Verdict::failed);

  const Validation& quick_failure = start(ValidationId("val-2"));
  answer_all(critical());
  EXPECT_EQ(quick_failure.verdict, Verdict::failed);

  const Validation& quick = start(ValidationId("val-3"));
  answer_all(ok(999ms));
  EXPECT_EQ(quick.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, MayExpectTheFailureItself) {
  use_policy("checklists: {api: [{probe: health, expect: status == 'critical'}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, HandsOverAFunctionalTestAsItIsWritten) {
  use_policy(R"(checklists:
  api:
    - {http: {post: "http://api/test", json: {test: true}}, expect: body.success == true}
)");
  attach(kEdge1);
  attach(kEdge2);
  const Validation& validation = start();

  const auto asked = take_asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].key, ProbeKey());
  const auto& http = std::get<HttpSpec>(asked[0].spec.kind);
  EXPECT_EQ(http.method, "POST");
  EXPECT_EQ(http.body, R"({"test":true})");
  EXPECT_EQ(http.expect, "body.success == true");
  answer(asked[0], ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ProbeCheckTest, KeepsHostileEvidenceRawButShort) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical("\x1b[2J" + std::string(1000, 'x')));
  EXPECT_NE(validation.checks[0].detail.find("\x1b[2J"), std::string::npos);
  EXPECT_LT(validation.checks[0].detail.size(), 300U);
}

TEST_F(SignalCheckTest, PassesWhenItHeldLongEnoughWithEnoughResults) {
  use_policy(
      "checklists: {api: [{expect: \"error_rate('health', 1m) < 0.001\", hold: 2m, samples: 20}]}");
  attach(kEdge1);
  see(kEdge1, "health", ok());
  const Validation& validation = start();

  for (int i = 0; i < 23; ++i) {
    wait(5s);
    see(kEdge1, "health", ok());
  }
  wait(4s);
  EXPECT_EQ(validation.verdict, Verdict::running);
  EXPECT_EQ(validation.checks[0].detail, "true for 1m59s of 2m, 23 of 20 results");
  wait(1s);
  EXPECT_EQ(validation.verdict, Verdict::passed);
  EXPECT_EQ(validation.finished, kStart + 2min);
}

TEST_F(SignalCheckTest, BeginsAnewWhenItIsBroken) {
  use_policy("checklists: {api: [{expect: \"available('health')\", hold: 30s, within: 5m}]}");
  attach(kEdge1);
  const Validation& validation = start();
  const auto run = [&](Duration time, const Observation& observation) {
    for (const Instant until = now_ + time; now_ < until; wait(5s))
      see(kEdge1, "health", observation);
  };

  run(25s, ok());
  EXPECT_EQ(validation.verdict, Verdict::running);
  run(5s, critical());
  EXPECT_FALSE(validation.checks[0].true_since);
  EXPECT_EQ(validation.checks[0].detail, "false: available('health') is false");
  run(30s, ok());
  EXPECT_EQ(validation.verdict, Verdict::running);
  run(10s, ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(SignalCheckTest, TooFewResultsAreInconclusive) {
  use_policy(
      "checklists: {api: [{expect: \"available('health')\", hold: 30s, samples: 100, within: "
      "1m}]}");
  attach(kEdge1);
  see(kEdge1, "health", ok());
  const Validation& validation = start();

  for (int i = 0; i < 11; ++i) {
    wait(5s);
    see(kEdge1, "health", ok());
  }
  EXPECT_EQ(validation.verdict, Verdict::running);
  wait(5s);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.finished, kStart + 1min);
}

TEST_F(SignalCheckTest, ASilentProbeDoesNotHideBehindAnother) {
  use_policy(
      "checklists: {api: [{expect: \"available('health') && (value('queue') < 5.0 || "
      "available('health'))\", samples: 3, within: 30s}]}");
  attach(kEdge1);
  see(kEdge1, "queue", with_value(Status::ok, 1));
  const Validation& validation = start();

  for (int i = 0; i < 6; ++i) {
    see(kEdge1, "health", ok());
    wait(5s);
  }
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
}

TEST_F(SignalCheckTest, FalseAtTheEndIsFailedAndSaysWhatItSaw) {
  use_policy("checklists: {api: [{expect: \"value('queue') < 5.0\", within: 20s}]}");
  attach(kEdge1);
  see(kEdge1, "queue", with_value(Status::ok, 7));
  const Validation& validation = start();

  wait(19s);
  EXPECT_EQ(validation.verdict, Verdict::running);
  wait(1s);
  EXPECT_EQ(validation.verdict, Verdict::failed);
  EXPECT_EQ(validation.checks[0].detail, "false: value('queue') is 7.0");
}

TEST_F(SignalCheckTest, EndsWhenItCannotHoldLongEnoughAnyMore) {
  use_policy("checklists: {api: [{expect: \"value('queue') < 5.0\", hold: 1m, within: 90s}]}");
  attach(kEdge1);
  see(kEdge1, "queue", with_value(Status::ok, 7));
  const Validation& validation = start();

  for (int i = 0; i < 6; ++i) {
    wait(5s);
    see(kEdge1, "queue", with_value(Status::ok, 7));
  }
  EXPECT_EQ(validation.verdict, Verdict::running);
  wait(1s);
  EXPECT_EQ(validation.verdict, Verdict::failed);
}

TEST_F(SignalCheckTest, MissingDataIsInconclusive) {
  use_policy("checklists: {api: [{expect: \"value('queue') < 5.0\", within: 10s}]}");
  attach(kEdge1);
  const Validation& validation = start();

  wait(10s);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_TRUE(validation.checks[0].detail.starts_with("cannot be said: value('queue') is unknown"))
      << validation.checks[0].detail;
}

TEST_F(SignalCheckTest, DataThatStopsComingBreaksTheHold) {
  use_policy("checklists: {api: [{expect: \"available('health')\", hold: 1m, within: 2m}]}");
  attach(kEdge1);
  see(kEdge1, "health", ok());
  const Validation& validation = start();

  wait(2min);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
}

TEST_F(SignalCheckTest, WithoutAHoldItPassesAtOnce) {
  use_policy("checklists: {api: [{expect: \"value('queue') < 5.0\"}]}");
  attach(kEdge1);
  see(kEdge1, "queue", with_value(Status::ok, 4));

  EXPECT_EQ(start().verdict, Verdict::passed);
}

TEST_F(SignalCheckTest, WaitsForAFactThatAPersonSets) {
  use_policy("checklists: {api: [{expect: facts.data_checked, within: 1h}]}");
  const Validation& validation = start();

  wait(10min);
  EXPECT_EQ(validation.verdict, Verdict::running);
  state_.facts[{FactName("data_checked"), kApi}].value = true;
  wait(1s);
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ValidationTest, RunsEachCheckBeforeTheNext) {
  use_policy("checklists: {api: [{probe: health, attempts: 2, every: 5s}, {probe: queue}]}");
  attach(kEdge1);
  const Validation& validation = start();

  EXPECT_FALSE(validation.checks[1].started);
  answer_all(critical());
  wait(5s);
  EXPECT_FALSE(validation.checks[1].started);
  answer(take_asked().at(0), ok());
  EXPECT_TRUE(validation.checks[1].started);
  EXPECT_EQ(validation.checks[1].started_at, kStart + 5s);
  const auto asked = take_asked();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].key.probe, ProbeName("queue"));
  answer(asked[0], with_value(Status::ok, 0));
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ValidationTest, RunsNothingAfterACheckThatFailed) {
  use_policy("checklists: {api: [{probe: health}, {probe: queue}]}");
  attach(kEdge1);
  const Validation& validation = start();

  answer_all(critical());
  wait(1h);
  EXPECT_EQ(validation.verdict, Verdict::failed);
  EXPECT_EQ(validation.current, 0U);
  EXPECT_FALSE(validation.checks[1].started);
  EXPECT_TRUE(take_asked().empty());
}

TEST_F(ValidationTest, WithoutAChecklistWantsEveryProbeThreeTimesInARow) {
  use_policy("");
  attach(kEdge1);
  const Validation& validation = start();

  std::size_t runs = 0;
  for (int i = 0; i < 10; ++i) {
    runs += 1;
    answer_all(ok());
    if (validation.verdict != Verdict::running) break;
    wait(2s);
  }
  EXPECT_EQ(validation.verdict, Verdict::passed);
  EXPECT_EQ(validation.checks.size(), 2U);
  EXPECT_EQ(runs, 6U);
}

TEST_F(ValidationTest, KeepsTheChecklistItBeganWith) {
  use_policy("checklists: {api: [{probe: health}, {probe: queue}]}");
  attach(kEdge1);
  const Validation& validation = start();

  const auto asked = take_asked();
  use_policy("checklists: {api: [{probe: health}]}");
  answer(asked.at(0), ok());
  EXPECT_EQ(validation.verdict, Verdict::running);
  answer_all(ok());
  EXPECT_EQ(validation.verdict, Verdict::passed);
}

TEST_F(ValidationTest, RunsOutOfTimeAtItsDeadline) {
  use_policy("checklists: {api: [{probe: health, attempts: 5, every: 30s}]}");
  attach(kEdge1);
  const Validation& validation = start();
  EXPECT_EQ(validation.deadline, kStart + 5 * 30s + 1min);

  now_ = validation.deadline;
  in_a_turn([](Turn& turn) { advance_validation(turn, kId); });
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.checks[0].detail, "ran out of time");
  EXPECT_TRUE(state_.requests.empty());
}

TEST_F(ValidationTest, BoundsTimesThatAPolicyDoesNot) {
  use_policy(
      "checklists: {api: [{probe: health, attempts: 1000, every: 30d}, "
      "{expect: \"true\", within: 30d}]}");
  attach(kEdge1);
  const Validation& validation = start();

  EXPECT_EQ(validation.deadline, kStart + limits::kValidationTimeMax);
  answer_all(critical());
  EXPECT_EQ(state_.validation_alarms.first(), validation.deadline);
  wait(limits::kValidationTimeMax);
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
}

TEST_F(ValidationTest, EndsWhenItIsCancelled) {
  use_policy("checklists: {api: [{probe: health, attempts: 5}]}");
  attach(kEdge1);
  const Validation& validation = start();
  const auto asked = take_asked();

  in_a_turn([](Turn& turn) {
    cancel_validation(turn, kId);
    cancel_validation(turn, kId);
    cancel_validation(turn, ValidationId("other"));
  });
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
  EXPECT_EQ(validation.checks[0].detail, "cancelled");
  EXPECT_EQ(finished_, std::vector{kId});
  EXPECT_TRUE(state_.requests.empty());
  EXPECT_FALSE(state_.validation_alarms.first());
  answer(asked.at(0), ok());
  EXPECT_EQ(validation.verdict, Verdict::inconclusive);
}

TEST_F(ValidationTest, OfAnUnknownServiceIsInconclusive) {
  use_policy("");
  in_a_turn([](Turn& turn) {
    start_validation(turn, kId, ServiceName("other"), IncidentId("INC-1"), "engine");
  });

  EXPECT_EQ(state_.validations.at(kId).verdict, Verdict::inconclusive);
  EXPECT_EQ(state_.validations.at(kId).incident, IncidentId("INC-1"));
  EXPECT_EQ(finished_, std::vector{kId});
}

TEST_F(ValidationTest, LeavesAnIdThatExistsAlone) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  const Validation& validation = start();
  const auto asked = take_asked();

  wait(1s);
  start();
  EXPECT_EQ(validation.started, kStart);
  EXPECT_TRUE(take_asked().empty());
}

TEST_F(ValidationTest, PublishesWhatAWatcherCanSeeAndNothingElse) {
  use_policy("checklists: {api: [{probe: health, attempts: 2, every: 5s}]}");
  attach(kEdge1);
  start();
  EXPECT_EQ(take_published(), 2U);  // begun; asked

  in_a_turn([](Turn& turn) { advance_validation(turn, kId); });
  EXPECT_EQ(take_published(), 0U);
  wait(2s + limits::kProbeAnswerGrace);
  EXPECT_EQ(take_published(), 1U);  // no answer, asked again
  wait(1h);
  EXPECT_EQ(take_published(), 1U);  // ended
}

TEST_F(ValidationTest, KeepsABoundedNumberOfThoseThatEnded) {
  use_policy("checklists: {api: [{probe: health}]}");
  const std::size_t many = limits::kValidationsKept + 50;
  for (std::size_t i = 0; i < many; ++i) {
    start(ValidationId("val-" + std::to_string(i)));
    wait(1s);
  }

  EXPECT_LE(state_.validations.size(), limits::kValidationsKept + 1);
  EXPECT_EQ(state_.validations.size(), state_.finished_order.size());
  EXPECT_FALSE(state_.validations.contains(ValidationId("val-0")));
  EXPECT_TRUE(state_.validations.contains(ValidationId("val-" + std::to_string(many - 1))));
}

TEST_F(ValidationTest, ForgetsNoneThatEndedInThisVeryStep) {
  use_policy("checklists: {api: [{probe: health}]}");
  const std::size_t many = limits::kValidationsKept + 50;
  for (std::size_t i = 0; i < many; ++i) start(ValidationId("val-" + std::to_string(i)));

  EXPECT_EQ(finished_.size(), many);
  for (const ValidationId& id : finished_) ASSERT_TRUE(state_.validations.contains(id));
}

TEST_F(ValidationTest, RefusesToRunTooManyAtOnce) {
  use_policy("checklists: {api: [{probe: health}]}");
  attach(kEdge1);
  for (std::size_t i = 0; i < limits::kValidationsRunningMax; ++i)
    EXPECT_EQ(start(ValidationId("val-" + std::to_string(i))).verdict, Verdict::running);

  const Validation& refused = start(ValidationId("one-more"));
  EXPECT_EQ(refused.verdict, Verdict::inconclusive);
  EXPECT_EQ(refused.checks[0].detail, "too many validations run already; try again later");
}

TEST_F(ValidationTest, SaysTheSameInAReplay) {
  const State empty;
  const auto play = [&] {
    state_ = empty;
    now_ = kStart;
    use_policy("checklists: {api: [{probe: health, attempts: 3, passes: 2, every: 5s}]}");
    attach(kEdge2);
    attach(kEdge1);
    start();
    std::vector<std::string> said;
    for (int i = 0; i < 3; ++i) {
      for (const SendProbeNow& asked : take_asked()) {
        said.push_back(asked.agent.str() + " " + asked.request.str());
        answer(asked, asked.agent == kEdge2 && i == 0 ? critical() : ok());
        said.push_back(state_.validations.at(kId).checks[0].detail);
      }
      wait(5s);
    }
    said.emplace_back(to_string(state_.validations.at(kId).verdict));
    return said;
  };

  const auto first = play();
  EXPECT_EQ(first.back(), "passed");
  EXPECT_EQ(first, play());
}

}  // namespace validation_test
}  // namespace firebreak::core
