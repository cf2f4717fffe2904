// What is written down is read back whole, whatever is in it; what is damaged is refused. That a
// state read back goes on as before is proven over every scenario (tests/scenario/proof.cc).
#include "coordinator/store/snapshot_codec.h"

#include <firebreak/v1/snapshot.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "coordinator/core/inputs.h"
#include "coordinator/core/step.h"
#include "coordinator/core/tally.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/digest.h"

namespace firebreak::store {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Instant kStart = instant_from_unix_us(1'795'230'000'000'000);
constexpr const char* kPolicy = R"yaml(
severities: {P1: {acknowledge: 5m, notify: [ops]}, P2: {}}
facts: {customers: 0, region: "eu"}
receivers: {ops: {webhook: {url: "https://ops.example/hook"}}}
services:
  api:
    agents: 'labels.role == "edge"'
    probes:
      health: {http: "http://api/health", every: 5s, timeout: 2s}
      queue: {queue: {redis: "cache:6379", list: jobs}, every: 10s}
rules:
  - service: api
    severity: {P1: "!available('health')", P2: "p95('health', 1m) > 1s || facts.customers > 5"}
  - {service: api, no_data: alert, severity: {P2: "rate('health', 1m) > 100.0 || available('queue')"}}
  - {service: api, severity: {P2: "error_rate('health', 5m) > 0.9"}}
actions: {restart: {host: {entry: restart-api}, cooldown: 1m, timeout: 30s, verify: [health]}}
playbooks:
  - {on: {service: api, severity: P1}, mode: enforce, stages: [{at: 0s, do: [restart]}]}
)yaml";

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  auto loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::failed_precondition, loaded.problems);
  return std::move(loaded.policy);
}

core::ResultsReceived result(std::uint64_t seq, Status status, Instant at) {
  core::ResultsReceived event;
  event.agent = AgentName("a");
  event.incarnation = 7;
  event.first_seq = seq;
  if (seq == 1)
    event.series = {{0, {ServiceName("api"), ProbeName("health")}},
                    {3, {ServiceName("gone"), ProbeName("old")}}};
  Observation seen;
  seen.status = status;
  seen.latency = 1234us;
  seen.values = {{"length", 3.5}};
  seen.phases = {{Phase::connect, 5us}};
  seen.evidence = "HTTP \xff 503";
  event.rows = {{0, at, true, seen}};
  return event;
}

// An agent, a window, a fact, an open incident with an order and a notification, a validation under
// an older policy.
core::State full_state() {
  core::State state;
  Instant now = kStart;
  const auto step = [&](core::Event event, Duration after = 1s) {
    now += after;
    return core::step(state, event, now);
  };
  auto policy = compile({{"policy.yaml", kPolicy}});
  if (!policy) throw std::runtime_error(policy.error().message);
  step(core::Started{3});
  step(core::PolicyChanged{*policy, "directory"});
  step(core::AgentAttached{AgentName("a"), 7, "1.0", {{"role", "edge"}}, -5ms, {"restart-api"}});
  step(core::AgentAttached{AgentName("b"), 1, "1.0", {{"role", "db"}}, {}, {}});
  step(result(1, Status::ok, now), 40s);
  step(core::OperatorAsked{"mia", core::StartValidation{ValidationId("v-1"), ServiceName("api")}});
  auto other = compile({{"policy.yaml", std::string(kPolicy) + "# changed\n"}});
  if (!other) throw std::runtime_error(other.error().message);
  step(core::PolicyChanged{*other, "mia"});
  step(result(2, Status::critical, now), 5s);
  step(core::OperatorAsked{
      "mia", core::SetFact{FactName("customers"), ServiceName("api"), cel::Value(9)}});
  step(core::Tick{}, 2s);
  state.warm_up = {{AgentName("c")}, 2, now + 90s};
  return state;
}

Result<core::State> decode(const std::vector<std::string>& records) {
  StateDecoder decoder(compile);
  for (const std::string& record : records)
    if (const auto added = decoder.add(record); !added) return added.error();
  return decoder.finish();
}

TEST(SnapshotCodec, GivesBackWhatWasWritten) {
  const core::State state = full_state();
  ASSERT_EQ(state.incidents.size(), 1u);
  ASSERT_FALSE(state.actions_running.empty());
  ASSERT_FALSE(state.notifications_pending.empty());
  ASSERT_EQ(state.validations.size(), 1u);
  ASSERT_NE(state.validations.begin()->second.policy, state.policy);

  const auto records = encode_state(state);
  const auto back = decode(records);

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(encode_state(*back), records);
  EXPECT_EQ(digest(*back), digest(state));
  EXPECT_EQ(back->policy->digest, state.policy->digest);
  EXPECT_EQ(back->vantages, state.vantages);
  EXPECT_EQ(core::next_wake(*back), core::next_wake(state));
  const ProbeKey health{ServiceName("api"), ProbeName("health")};
  EXPECT_EQ(core::find_tally(*back, health)->next_stale,
            core::find_tally(state, health)->next_stale);
  const core::SeriesState& series = back->agents.at(AgentName("a")).series.begin()->second;
  EXPECT_EQ(series.inputs, &back->inputs->probes.begin()->second);
  EXPECT_EQ(series.confirmed_by,
            state.agents.at(AgentName("a")).series.begin()->second.confirmed_by);
  EXPECT_EQ(core::find_window(*back, series.inputs)->over(1min, back->now).samples, 2u);
  ASSERT_EQ(state.trails.size(), 1U);
  EXPECT_EQ(back->trails.at(health).at(AgentName("a")).points(),
            state.trails.at(health).at(AgentName("a")).points());
  const core::ServiceState& api = back->services.at(ServiceName("api"));
  ASSERT_TRUE(state.services.at(ServiceName("api")).rules[1].undecided_since);
  EXPECT_EQ(api.rules[1].undecided_since,
            state.services.at(ServiceName("api")).rules[1].undecided_since);
}

// As earlier versions wrote windows: one ring, of the longest.
bool write_as_before(journal::v1::SnapshotRecord& record) {
  if (record.series().windows_size() == 0) return false;
  for (auto& window : *record.mutable_series()->mutable_windows()) {
    const auto longest = *window.rings().rbegin();
    window.set_span_us(longest.span_us());
    *window.mutable_buckets() = longest.buckets();
    window.clear_rings();
  }
  return true;
}

TEST(SnapshotCodec, MakesShortWindowsOfTheOneRingOfEarlierVersions) {
  const core::State state = full_state();
  std::vector<std::string> records = encode_state(state);
  for (std::string& bytes : records) {
    journal::v1::SnapshotRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    if (write_as_before(record)) bytes = record.SerializeAsString();
  }

  auto back = decode(records);

  ASSERT_TRUE(back) << back.error().message;
  const core::SeriesState& series = back->agents.at(AgentName("a")).series.begin()->second;
  core::Window& window = *core::find_window(*back, series.inputs);
  ASSERT_EQ(window.rings().size(), 2U);
  EXPECT_EQ(window.over(1min, back->now).samples, 2U);
  EXPECT_EQ(window.over(5min, back->now).samples, 2U);
  // What was read lies where it may have been last: up to a bucket of five minutes later.
  const core::Window& written =
      *core::find_window(state, state.agents.at(AgentName("a")).series.begin()->second.inputs);
  ASSERT_EQ(written.over(20s, back->now).samples, 1U);
  EXPECT_EQ(window.over(20s, back->now).samples, 1U);
  EXPECT_EQ(window.over(1min, back->now + 70s).samples, 0U);
}

// An agent with many windows that are full: no record of them may be one that a start refuses.
TEST(SnapshotCodec, WritesManyLargeWindowsInRecordsOfTheirOwn) {
  constexpr int kProbes = 100;
  std::string text = "severities: {P1: {}}\nservices:\n  api:\n    agents: 'true'\n    probes:\n";
  std::string rules = "rules:\n";
  for (int i = 0; i < kProbes; ++i) {
    const std::string name = "p" + std::to_string(i);
    text.append("      ").append(name).append(": {http: \"http://api/\", every: 5s}\n");
    rules.append("  - {service: api, severity: {P1: \"p95('")
        .append(name)
        .append("', 1h) > 1s\"}}\n");
  }
  core::State state;
  auto policy = compile({{"policy.yaml", text + rules}});
  ASSERT_TRUE(policy) << policy.error().message;
  core::step(state, core::PolicyChanged{*policy, "directory"}, kStart);
  core::step(state, core::AgentAttached{AgentName("a"), 7, "1.0", {}, {}, {}}, kStart);
  core::ResultsReceived event;
  event.agent = AgentName("a");
  event.incarnation = 7;
  event.first_seq = 1;
  Observation seen;
  for (std::uint32_t i = 0; i < kProbes; ++i) {
    event.series.push_back({i, {ServiceName("api"), ProbeName("p" + std::to_string(i))}});
    event.rows.push_back({i, kStart, true, seen});
  }
  core::step(state, event, kStart);
  for (core::Window& window : state.windows)
    for (int bucket = 0; bucket < 60; ++bucket)
      for (std::int64_t bin = 0; bin < std::int64_t{limits::kSketchBinsMax}; ++bin)
        window.add(kStart - bucket * 1min,
                   {false, Duration{bin < 64 ? bin : (64 + bin % 64) << (bin / 64 - 1)}, {}});

  const std::vector<std::string> records = encode_state(state);

  EXPECT_GT(records.size(), 3U);
  for (const std::string& record : records) EXPECT_LT(record.size(), 8U << 20);
  const auto back = decode(records);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(digest(*back), digest(state));
}

TEST(SnapshotCodec, RefusesRingsThatCannotBe) {
  using Window = journal::v1::SnapshotSeries::Window;
  const auto refuses = [](auto spoil) {
    std::vector<std::string> records = encode_state(full_state());
    for (std::string& bytes : records) {
      journal::v1::SnapshotRecord record;
      EXPECT_TRUE(record.ParseFromString(bytes));
      if (record.series().windows_size() == 0) continue;
      Window& window = *record.mutable_series()->mutable_windows(0);
      spoil(window);
      bytes = record.SerializeAsString();
    }
    const auto back = decode(records);
    return !back && back.error().message.find("window") != std::string::npos;
  };
  EXPECT_FALSE(refuses([](Window&) {}));
  EXPECT_TRUE(refuses([](Window& window) { window.mutable_rings(0)->set_width_us(0); }));
  EXPECT_TRUE(refuses([](Window& window) { window.mutable_rings(1)->set_span_us(-1); }));
  EXPECT_TRUE(refuses([](Window& window) { window.mutable_rings()->SwapElements(0, 1); }));
  EXPECT_TRUE(refuses([](Window& window) {
    auto& buckets = *window.mutable_rings(0)->mutable_buckets();
    const auto copy = buckets[0];
    *buckets.Add() = copy;
  }));
  EXPECT_TRUE(refuses([](Window& window) {
    *window.mutable_buckets() = window.rings(0).buckets();
    window.clear_rings();
  }));
}

// Earlier versions counted latencies in 80 coarse bins.
TEST(SnapshotCodec, TakesTheHistogramsOfEarlierVersions) {
  std::vector<std::string> records = encode_state(full_state());
  for (std::string& bytes : records) {
    journal::v1::SnapshotRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    if (!write_as_before(record)) continue;
    for (auto& bucket : *record.mutable_series()->mutable_windows(0)->mutable_buckets()) {
      bucket.clear_sketch_bin();
      bucket.clear_sketch_count();
      bucket.add_bin(12);  // up to 951 us
      bucket.add_count(1);
      bucket.add_bin(79);  // and all above 88 s
      bucket.add_count(1);
      bucket.set_latency_max_us(100'000'000);
    }
    bytes = record.SerializeAsString();
  }

  const auto back = decode(records);

  ASSERT_TRUE(back) << back.error().message;
  const core::SeriesState& series = back->agents.at(AgentName("a")).series.begin()->second;
  const auto summary = core::find_window(*back, series.inputs)->over(1min, back->now);
  EXPECT_GE(summary.quantile(0.5), Duration{951us});
  EXPECT_LE(summary.quantile(0.5), Duration{951us} * 65 / 64);
  EXPECT_EQ(summary.quantile(1), Duration{100s});
}

// Earlier versions kept a window for each series of a probe.
TEST(SnapshotCodec, AddsUpTheWindowsOfOneProbe) {
  const core::State state = full_state();
  std::vector<std::string> records = encode_state(state);
  bool is_doubled = false;
  for (std::string& bytes : records) {
    journal::v1::SnapshotRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    if (!write_as_before(record)) continue;
    auto& windows = *record.mutable_series()->mutable_windows();
    const auto copy = windows[0];
    *windows.Add() = copy;
    bytes = record.SerializeAsString();
    is_doubled = true;
  }
  ASSERT_TRUE(is_doubled);

  const auto back = decode(records);

  ASSERT_TRUE(back) << back.error().message;
  const core::SeriesState& series = back->agents.at(AgentName("a")).series.begin()->second;
  EXPECT_EQ(core::find_window(*back, series.inputs)->over(1min, back->now).samples, 4U);
}

TEST(SnapshotCodec, KeepsHowMuchOlderAResultIsThanItsOrderSays) {
  core::State state = full_state();
  core::ResultsReceived late = result(3, Status::critical, state.now - 9s);
  core::step(state, late, state.now + 1s);
  const AgentName a("a");
  const core::SeriesState& series = state.agents.at(a).series.begin()->second;
  ASSERT_GT(series.ahead, 0s);

  const auto back = decode(encode_state(state));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->agents.at(a).series.begin()->second.ahead, series.ahead);
}

TEST(SnapshotCodec, KeepsAStateOfNothing) {
  const core::State state;

  const auto back = decode(encode_state(state));

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(digest(*back), digest(state));
}

TEST(SnapshotCodec, GivesEveryStateADigestOfItsOwn) {
  core::State state = full_state();
  const std::string before = digest(state);
  EXPECT_EQ(before.size(), 64u);
  EXPECT_EQ(digest(full_state()), before);

  ++state.agents.at(AgentName("a")).last_seq;

  EXPECT_NE(digest(state), before);
}

TEST(SnapshotCodec, RefusesAColumnOfAnotherLength) {
  std::vector<std::string> records = encode_state(full_state());
  for (std::string& bytes : records) {
    journal::v1::SnapshotRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes));
    if (!record.has_series()) continue;
    for (int i = 0; i <= record.series().key_size(); ++i) record.mutable_series()->add_ahead_us(1);
    bytes = record.SerializeAsString();
  }

  const auto back = decode(records);

  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().message, ::testing::HasSubstr("columns of different lengths"));
}

TEST(SnapshotCodec, RefusesWhatDoesNotAddUp) {
  const auto records = encode_state(full_state());

  auto no_base = records;
  no_base.erase(no_base.begin());
  auto no_policy = records;
  no_policy.erase(no_policy.begin() + 1);
  auto two_bases = records;
  two_bases.insert(two_bases.begin(), records.front());

  EXPECT_THAT(decode(no_base).error().message, HasSubstr("base"));
  EXPECT_FALSE(decode(no_policy));
  EXPECT_THAT(decode(two_bases).error().message, HasSubstr("second base"));
  EXPECT_FALSE(decode({}));
}

// The checksum of the file finds damage first; what gets past it, or was never checked, must still
// be no more than refused.
TEST(SnapshotCodec, SurvivesDamagedRecords) {
  const auto records = encode_state(full_state());
  std::mt19937 random(20261121);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    auto damaged = records;
    std::string& record = damaged[random() % damaged.size()];
    if (record.empty()) continue;
    record[random() % record.size()] = static_cast<char>(random());
    const auto back = decode(damaged);
    if (!back)
      ++refused;
    else
      EXPECT_FALSE(encode_state(*back).empty());
  }
  EXPECT_GT(refused, 0);
}

TEST(SnapshotCodec, KeepsThePoliciesThatWereInForce) {
  const core::State before = full_state();
  const auto after = decode(encode_state(before));
  ASSERT_TRUE(after) << after.error().message;
  ASSERT_EQ(after->policy_history.size(), 2U);
  EXPECT_EQ(after->policy_history[0].by, "directory");
  EXPECT_EQ(after->policy_history[0].at, before.policy_history[0].at);
  ASSERT_NE(after->policy_history[0].files, nullptr);
  EXPECT_EQ((*after->policy_history[0].files)[0].text, kPolicy);
  EXPECT_EQ(after->policy_history[1].digest, before.policy->digest);
}

TEST(SnapshotCodec, OfAVersionThatKeptNoneKnowsThePolicyInForce) {
  const core::State before = full_state();
  auto records = encode_state(before);
  std::erase_if(records, [](const std::string& bytes) {
    journal::v1::SnapshotRecord record;
    return record.ParseFromString(bytes) && record.has_policy_version();
  });
  const auto after = decode(records);
  ASSERT_TRUE(after) << after.error().message;
  ASSERT_EQ(after->policy_history.size(), 1U);
  EXPECT_EQ(after->policy_history[0].digest, before.policy->digest);
  EXPECT_EQ(after->policy_history[0].by, "mia");
}

}  // namespace
}  // namespace firebreak::store
