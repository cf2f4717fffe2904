// The report says what happened, and nothing that a target wrote can change how it is read.
#include "coordinator/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"

namespace firebreak::report {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr Instant kStart = instant_from_unix_us(1'795'230'847'000'000);

core::Incident an_incident() {
  core::Incident incident;
  incident.id = IncidentId("INC-20261121-031412");
  incident.service = ServiceName("emergency-api");
  incident.title = "health fails from 2 agents";
  incident.phase = core::Phase::resolved;
  incident.peak_severity = "P1";
  incident.detected = kStart;
  incident.opened = kStart + 5s;
  incident.acknowledged = kStart + 40s;
  incident.acknowledged_by = "operator:alice";
  incident.quiet_since = kStart + 65s;
  incident.resolved = kStart + 125s;
  incident.resolved_by = "engine";
  core::ActionRun run;
  run.id = ActionId("1-17");
  run.name = ActionName("restart-api");
  run.target = "web-1";
  run.state = core::ActionState::succeeded;
  run.ordered = kStart + 6s;
  run.finished = kStart + 8s;
  run.output = "restarting\ndone\n";
  incident.actions.push_back(run);
  incident.timeline = {
      {kStart + 5s, "opened", "engine", "opened as P1: !available('health')", "connection refused"},
      {kStart + 40s, "acknowledged", "operator:alice", "on it", ""},
      {kStart + 125s, "validation", "engine", "recovery validated: 3 of 3 checks passed", ""},
  };
  return incident;
}

TEST(Report, TellsAWholeIncident) {
  EXPECT_EQ(render_report(an_incident(), kStart + 1h),
            R"(# Incident INC-20261121-031412: health fails from 2 agents

| | |
|---|---|
| Service | emergency-api |
| Severity | none, at its peak P1 |
| Phase | resolved |
| First sign | 2026-11-21 03:14:07 UTC |
| Opened | 2026-11-21 03:14:12 UTC |
| Acknowledged | 2026-11-21 03:14:47 UTC by operator:alice |
| Resolved | 2026-11-21 03:16:12 UTC by engine |

## How long it took

| From the first sign until | |
|---|---|
| detected: the incident was opened | 5.0 s |
| acknowledged by a person | 40.0 s |
| contained: the first action had succeeded | 8.0 s |
| recovered: no rule held any more | 1 min 05 s |
| resolved | 2 min 05 s |

## Actions

### restart-api on web-1: succeeded

Ordered 2026-11-21 03:14:13 UTC (+6.0 s), took 2.0 s, exit code 0. Id 1-17.

```text
restarting
done
```

## Recovery validation

| Time (UTC) | After | Who | Kind | What |
|---|---|---|---|---|
| 2026-11-21 03:16:12 | +2 min 05 s | engine | validation | recovery validated: 3 of 3 checks passed |

## Timeline

| Time (UTC) | After | Who | Kind | What |
|---|---|---|---|---|
| 2026-11-21 03:14:12 | +5.0 s | engine | opened | opened as P1: \!available\('health'\) · connection refused |
| 2026-11-21 03:14:47 | +40.0 s | operator:alice | acknowledged | on it |
| 2026-11-21 03:16:12 | +2 min 05 s | engine | validation | recovery validated: 3 of 3 checks passed |
)");
}

TEST(Report, SaysWhatIsStillOpen) {
  core::Incident incident = an_incident();
  incident.phase = core::Phase::investigating;
  incident.severity_name = "P2";
  incident.declared = true;
  incident.acknowledged.reset();
  incident.quiet_since.reset();
  incident.resolved.reset();
  incident.actions.clear();
  incident.timeline.clear();

  const std::string text = render_report(incident, kStart + 10min);

  EXPECT_THAT(text, HasSubstr("| Severity | P2, at its peak P1 |"));
  EXPECT_THAT(text, HasSubstr("UTC, declared by a person |"));
  EXPECT_THAT(text, HasSubstr("| Acknowledged | not yet |\n| Resolved | not yet |"));
  EXPECT_THAT(text, HasSubstr("| acknowledged by a person | - |"));
  EXPECT_THAT(text, HasSubstr("| resolved | open for 10 min 00 s |"));
  EXPECT_THAT(text, HasSubstr("## Actions\n\nNone.\n"));
  EXPECT_THAT(text, HasSubstr("## Recovery validation\n\nNone ran.\n"));
}

TEST(Report, ShowsHowEachActionEnded) {
  core::Incident incident = an_incident();
  incident.actions[0].state = core::ActionState::timed_out;
  incident.actions[0].detail = "killed with its process tree";
  core::ActionRun http = incident.actions[0];
  http.target = "coordinator";
  http.state = core::ActionState::failed;
  http.exit_code = 503;
  incident.actions.push_back(http);

  const std::string text = render_report(incident, kStart + 1h);

  EXPECT_THAT(text, HasSubstr("### restart-api on web-1: timed out\n"));
  EXPECT_THAT(text, HasSubstr("took 2.0 s. Id 1-17.\n\nDetail: killed with its process tree\n"));
  EXPECT_THAT(text, HasSubstr("on coordinator: failed\n"));
  EXPECT_THAT(text, HasSubstr(", HTTP status 503. Id"));
}

TEST(Report, OutputCannotLeaveItsBlock) {
  EXPECT_EQ(fenced_block("a\n```\n# forged", 1000), "````text\na\n```\n# forged\n````\n");
  EXPECT_EQ(fenced_block("~~~\n``````", 1000), "```````text\n~~~\n``````\n```````\n");
  EXPECT_EQ(fenced_block("", 1000), "```text\n\n```\n");
}

TEST(Report, OutputCannotReachATerminal) {
  const std::string block = fenced_block("\x1b[2J\x1b]0;owned\x07 \xe2\x80\xae \xff\rx", 1000);
  for (const char c : {'\x1b', '\x07', '\r', '\xff'})
    EXPECT_EQ(block.find(c), std::string::npos) << static_cast<int>(c);
  EXPECT_THAT(block, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(block, HasSubstr("\\x1b[2J"));
}

TEST(Report, HostileTextStaysTextEverywhere) {
  const std::string hostile =
      "<script>x</script> | ![i](http://e/) `c` **b**\n# forged\x1b[31m\n| a | b |";
  core::Incident incident = an_incident();
  incident.title = hostile;
  incident.acknowledged_by = hostile;
  incident.resolved_by = hostile;
  incident.severity_name = hostile;
  incident.peak_severity = hostile;
  incident.actions[0].target = hostile;
  incident.actions[0].detail = hostile;
  incident.timeline = {{kStart, "validation", hostile, hostile, hostile}};

  const std::string text = render_report(incident, kStart + 1h);

  EXPECT_THAT(text, Not(HasSubstr("<script")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("![")));
  EXPECT_THAT(text, Not(HasSubstr("**b")));
  EXPECT_THAT(text, Not(HasSubstr("\n# forged")));
  EXPECT_THAT(text, Not(HasSubstr("\n| a | b")));
  EXPECT_THAT(text, Not(HasSubstr(" `c`")));
  EXPECT_THAT(text, HasSubstr("&lt;script&gt;x&lt;/script&gt; \\| \\!\\[i\\]"));
}

TEST(Report, KeepsBeginningAndEndOfALongTimeline) {
  core::Incident incident = an_incident();
  incident.timeline.clear();
  for (int i = 0; i < 2000; ++i)
    incident.timeline.push_back(
        {kStart, "note", "engine", "entry-" + std::to_string(i), std::string(4096, '`')});
  incident.timeline_dropped = 7;

  const std::string text = render_report(incident, kStart + 1h);

  EXPECT_LT(text.size(), limits::kReportBytesMax);
  EXPECT_THAT(text, HasSubstr("| entry-0 "));
  EXPECT_THAT(text, HasSubstr("| entry-1999 "));
  EXPECT_THAT(text, HasSubstr("entries are left out here |"));
  EXPECT_THAT(text, HasSubstr("7 entries of its middle were not kept"));
}

TEST(Report, SaysHowManyActionsAreLeftOut) {
  core::Incident incident = an_incident();
  incident.actions[0].output = std::string(4096, '\x01');
  incident.actions.resize(1000, incident.actions[0]);

  const std::string text = render_report(incident, kStart + 1h);

  EXPECT_LT(text.size(), limits::kReportBytesMax);
  EXPECT_THAT(text, HasSubstr(" more actions are left out here"));
  EXPECT_THAT(text, StartsWith("# Incident "));
}

}  // namespace
}  // namespace firebreak::report
