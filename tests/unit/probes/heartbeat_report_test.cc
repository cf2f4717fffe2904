// What jobs report, what somebody hostile reports instead, and what silence means.
#include "probes/heartbeat_report.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::probes {
namespace heartbeat_report_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const HeartbeatSpec kDaily{"backup", 26h};

HeartbeatReport report(HeartbeatState state, std::string message = "") {
  return {state, std::move(message), {}};
}

// Known for 100 hours.
Heartbeat a_beat() {
  Heartbeat beat;
  pass(beat, 100h);
  return beat;
}

Heartbeat after(const HeartbeatReport& last, Duration time) {
  Heartbeat beat = a_beat();
  take(beat, last);
  pass(beat, time);
  return beat;
}

void expect(const Heartbeat& beat, Status status, Reason reason, const std::string& evidence) {
  const Observation seen = judge_heartbeat(kDaily, beat);
  EXPECT_STREQ(to_string(seen.status), to_string(status)) << seen.evidence;
  EXPECT_STREQ(to_string(seen.reason), to_string(reason)) << seen.evidence;
  EXPECT_THAT(seen.evidence, HasSubstr(evidence));
}

std::string refusal(std::string_view state, std::string_view body) {
  const auto read = parse_heartbeat_report(state, body);
  return read ? "taken" : read.error().message;
}

// --- Judging -------------------------------------------------------------------------------------

TEST(HeartbeatJudge, AGoodReportIsGoodUntilItIsOlderThanItMayBe) {
  const auto good = report(HeartbeatState::ok, "4 files");
  expect(after(good, 26h), Status::ok, Reason::none, "4 files");
  expect(after(good, 26h + 1us), Status::critical, Reason::timeout,
         "came 1 d 02 h ago, one is due within 1d2h; it said: 4 files");
}

TEST(HeartbeatJudge, AFailureStaysUntilAGoodReport) {
  Heartbeat beat = after(report(HeartbeatState::critical, "disk full"), 1h);
  expect(beat, Status::critical, Reason::status, "disk full");

  take(beat, report(HeartbeatState::started));
  expect(beat, Status::critical, Reason::status, "disk full");

  take(beat, report(HeartbeatState::ok));
  expect(beat, Status::ok, Reason::none, "");
  take(beat, report(HeartbeatState::warning));
  expect(beat, Status::warning, Reason::status, "the job says warning");
}

TEST(HeartbeatJudge, WhatNeverReportedIsUnknownFirstAndThenMissing) {
  Heartbeat beat;
  pass(beat, 26h);
  expect(beat, Status::unknown, Reason::missing, "no report since this agent heard of 'backup'");
  pass(beat, 1us);
  expect(beat, Status::critical, Reason::missing, "no report since");
  EXPECT_THAT(judge_heartbeat(kDaily, beat).values, IsEmpty());
}

TEST(HeartbeatJudge, ARunThatBeganMayTakeAsLongAgain) {
  Heartbeat beat = after(report(HeartbeatState::ok), 25h);
  take(beat, report(HeartbeatState::started));
  pass(beat, 26h);
  expect(beat, Status::ok, Reason::none, "");
  pass(beat, 1us);
  expect(beat, Status::critical, Reason::timeout, "a run began 1 d 02 h ago");
}

TEST(HeartbeatJudge, AJobThatOnlyEverStartsIsLate) {
  Heartbeat beat = a_beat();
  for (int hour = 0; hour < 26; ++hour) {
    take(beat, report(HeartbeatState::started));
    pass(beat, 1h);
    expect(beat, Status::unknown, Reason::missing, "the first run that was reported began");
  }
  take(beat, report(HeartbeatState::started));
  pass(beat, 1us);
  expect(beat, Status::critical, Reason::timeout, "no end of one was reported");
}

TEST(HeartbeatJudge, ValuesAreAgeDurationAndTheJobsOwn) {
  Heartbeat beat = a_beat();
  take(beat, report(HeartbeatState::started));
  pass(beat, 1h);
  take(beat, report(HeartbeatState::started));  // what began first never ended
  pass(beat, 90s);
  take(beat, {HeartbeatState::ok, "", {{"bytes", 7}}});
  pass(beat, 1500ms);

  EXPECT_THAT(
      judge_heartbeat(kDaily, beat).values,
      ElementsAre(NamedValue{"age", 1.5}, NamedValue{"duration", 90}, NamedValue{"bytes", 7}));
  EXPECT_THAT(judge_heartbeat(kDaily, after(report(HeartbeatState::ok), 2s)).values,
              ElementsAre(NamedValue{"age", 2}));
}

TEST(HeartbeatJudge, ALateReportSaysWhatMayExcuseIt) {
  Heartbeat beat = after(report(HeartbeatState::ok), 30h);
  beat.deaf = 2h;
  beat.by_wall_clock = true;
  expect(beat, Status::critical, Reason::timeout, "this agent did not listen for 2 h 00 min of it");
  expect(beat, Status::critical, Reason::timeout, "the wall clock says for how long it was off");
  take(beat, report(HeartbeatState::ok));
  EXPECT_EQ(beat.deaf, 0s);
  EXPECT_FALSE(beat.by_wall_clock);
}

TEST(HeartbeatJudge, SilenceAccusesNobodyWhileNobodyListens) {
  Heartbeat beat = after(report(HeartbeatState::ok), 30h);
  beat.trouble = "no such folder";
  expect(beat, Status::unknown, Reason::prober, "jobs cannot report: no such folder; the last");
  take(beat, report(HeartbeatState::critical, "disk full"));
  expect(beat, Status::critical, Reason::status, "disk full");
}

TEST(HeartbeatJudge, EvidenceIsBounded) {
  const Observation seen = judge_heartbeat(
      kDaily, after(report(HeartbeatState::ok, std::string(limits::kEvidenceBytesMax, 'x')), 99h));
  EXPECT_EQ(seen.evidence.size(), limits::kEvidenceBytesMax);
}

TEST(Heartbeat, IsSilentSinceWhateverItSaidLast) {
  Heartbeat beat = a_beat();
  EXPECT_EQ(silent_for(beat), 100h);
  take(beat, report(HeartbeatState::ok));
  pass(beat, 3h);
  EXPECT_EQ(silent_for(beat), 3h);
  take(beat, report(HeartbeatState::started));
  pass(beat, 1h);
  EXPECT_EQ(silent_for(beat), 1h);
}

// --- What jobs send ------------------------------------------------------------------------------

TEST(HeartbeatReport, MayBeNothingTextOrJson) {
  const auto nothing = parse_heartbeat_report("", "");
  ASSERT_TRUE(nothing);
  EXPECT_EQ(*nothing, report(HeartbeatState::ok));

  const auto text = parse_heartbeat_report("critical", "disk full\r\n");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, report(HeartbeatState::critical, "disk full"));

  const auto json = parse_heartbeat_report(
      "", R"( {"state": "warning", "message": "slow", "values": {"files": 4, "ratio": 0.5}})");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(*json,
            (HeartbeatReport{HeartbeatState::warning, "slow", {{"files", 4}, {"ratio", 0.5}}}));

  const auto both = parse_heartbeat_report("started", R"({"state": "started"})");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->state, HeartbeatState::started);
}

TEST(HeartbeatReport, AFailureIsNeverTakenForSuccessBecauseItIsMisspelt) {
  EXPECT_THAT(refusal("failed", ""), HasSubstr("not 'failed'"));
  EXPECT_THAT(refusal("", R"({"state": "failed"})"), HasSubstr("not 'failed'"));
  EXPECT_THAT(refusal("", R"({"status": "critical"})"), HasSubstr("'status'"));
  EXPECT_THAT(refusal("", R"({"state": 2})"), HasSubstr("'state'"));
  EXPECT_THAT(refusal("", R"({"state": "critical")"), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("ok", R"({"state": "critical"})"), HasSubstr("both 'ok' and 'critical'"));
}

TEST(HeartbeatReport, RefusesValuesThatAreNone) {
  for (const char* values :
       {R"({"Files": 1})", R"({"": 1})", R"({"age": 1})", R"({"duration": 1})", R"({"latency": 1})",
        R"({"a": "1"})", R"({"a": null})", R"({"a": 1e999})", R"({"a": true})", "[1]", "7"})
    EXPECT_NE(refusal("", std::string(R"({"values": )") + values + "}"), "taken") << values;

  const auto values = [](std::size_t count) {
    std::string text = R"({"values": {"v0": 0)";
    for (std::size_t i = 1; i < count; ++i)
      text.append(",\"v").append(std::to_string(i)).append("\":1");
    return text + "}}";
  };
  const auto most = parse_heartbeat_report("", values(limits::kHeartbeatValuesMax));
  ASSERT_TRUE(most) << most.error().message;
  EXPECT_THAT(most->values, SizeIs(limits::kHeartbeatValuesMax));
  EXPECT_THAT(refusal("", values(limits::kHeartbeatValuesMax + 1)), HasSubstr("more than 62"));
}

TEST(HeartbeatReport, AMessageFitsIntoEvidenceWhateverItHolds) {
  const std::string hostile = std::string("a\0b\xff", 4) + std::string(5000, 'x');
  const auto read = parse_heartbeat_report("", hostile);
  ASSERT_TRUE(read);
  EXPECT_THAT(read->message, ::testing::StartsWith("a b\xEF\xBF\xBDx"));
  EXPECT_LE(read->message.size(), limits::kEvidenceBytesMax);
  EXPECT_THAT(refusal("", "{\"message\": \"\xff\"}"), HasSubstr("no JSON"));
  const auto zero = parse_heartbeat_report("", R"({"message": "a\u0000b"})");
  ASSERT_TRUE(zero);
  EXPECT_EQ(zero->message, "a b");
  EXPECT_NE(refusal("", "{\"values\":" + std::string(100, '[')), "taken");
}

// --- What is kept --------------------------------------------------------------------------------

TEST(Heartbeat, ComesBackFromJsonAsItWas) {
  Heartbeat beat = a_beat();
  beat.deaf = 3s;
  beat.by_wall_clock = true;
  for (int step = 0; step < 3; ++step) {
    const auto back = heartbeat_from_json(to_json(beat));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, beat);
    take(beat, step == 0 ? report(HeartbeatState::started)
                         : HeartbeatReport{HeartbeatState::critical, "a\n\"b", {{"x", 0.1}}});
    pass(beat, 1us);
  }
}

TEST(Heartbeat, WhatIsNoHeartbeatIsNotGuessed) {
  const std::string good = to_json(after({HeartbeatState::ok, "m", {{"x", 1}}}, 5s));
  const auto without = [&good](const std::string& part, const std::string& instead) {
    std::string text = good;
    const std::size_t at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return text.replace(at, part.size(), instead);
  };
  ASSERT_TRUE(heartbeat_from_json(good));
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), good.substr(0, good.size() - 1),
        without("\"known_us\":", "\"known_us\":-"),
        without("\"age_us\":5000000", "\"age_us\":5e30"),
        without("\"state\":\"ok\"", "\"state\":\"started\""), without("\"deaf_us\":0,", ""),
        without("\"report\":", "\"rapport\":")})
    EXPECT_FALSE(heartbeat_from_json(bad)) << bad;
}

}  // namespace heartbeat_report_test
}  // namespace firebreak::probes
