// Two cores fed alike, one of them through the journal, and what both must keep.
#include "tests/fuzz/world.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include <firebreak/v1/agent.pb.h>

#include "agent/inbound.h"
#include "common/limits.h"
#include "coordinator/ingest/convert.h"
#include "coordinator/notify/body.h"
#include "coordinator/policy/loader.h"
#include "coordinator/report/report.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/snapshot_codec.h"
#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {
namespace {

constexpr std::size_t kOpenMax = 64;   // answers that the fuzzer still owes; more are not kept
constexpr int kTicksMax = 30;          // of one pass(); the rest of the time is skipped
constexpr int kTicksAtOnceMax = 1000;  // far beyond what one instant can ask for

std::shared_ptr<const policy::Policy> load(const std::string& name) {
  std::ifstream stream(std::string(FIREBREAK_FUZZ_DIR) + "/" + name);
  auto loaded = policy::load_policy({{name, {std::istreambuf_iterator<char>(stream), {}}}});
  if (!loaded.policy) broken(name + " is a policy", loaded.problems);
  return loaded.policy;
}

// Policies are compiled once; a journaled one is told by its only file.
Result<std::shared_ptr<const policy::Policy>> compile(
    const std::vector<policy::SourceFile>& files) {
  for (const bool other : {false, true})
    if (files.size() == 1 && files[0].text == world_policy(other)->files[0].text)
      return world_policy(other);
  return make_error(Errc::corrupt, "another policy");
}

template <class Wanted>
std::optional<Wanted> first(std::vector<Wanted>& from) {
  if (from.empty()) return std::nullopt;
  Wanted one = std::move(from.front());
  from.erase(from.begin());
  return one;
}

template <class Wanted>
void keep(std::vector<Wanted>& list, const Wanted& one) {
  if (list.size() < kOpenMax) list.push_back(one);
}

}  // namespace

std::shared_ptr<const policy::Policy> world_policy(bool other) {
  static const auto first = load("world.yaml");
  static const auto second = load("other_world.yaml");
  return other ? second : first;
}

World::World() : now_(instant_from_unix_us(1'795'230'000'000'000)) {
  take(core::Started{1});
  take(core::PolicyChanged{world_policy(), "directory"});
}

core::Event World::journaled(const core::Event& event) const {
  const std::string bytes = store::encode_batch({{7, now_, event}});
  auto read = store::decode_batch(bytes, 7, &compile);
  if (!read) broken("what is journaled can be read", read.error().message);
  expect(read->size() == 1 && read->front().position == 7 && read->front().at == now_,
         "an entry keeps its place and time in the journal");
  expect(store::encode_batch(*read) == bytes, "an event is the same after the journal");
  return std::move(read->front().event);
}

void World::take(const core::Event& event) {
  const core::Event again = journaled(event);
  const std::vector<core::Effect> effects = core::step(state_, event, now_);
  const std::vector<core::Effect> twins = core::step(twin_, again, now_);
  compare(effects, twins);
  for (const core::Effect& effect : effects)
    std::visit([this](const auto& what) { check(what); }, effect);
  check_bounds();
}

void World::restart(std::uint64_t epoch) {
  const std::vector<std::string> records = store::encode_state(state_);
  expect(records == store::encode_state(twin_), "a replay remembers the same");
  store::StateDecoder decoder(&compile);
  for (const std::string& record : records)
    if (const auto added = decoder.add(record); !added)
      broken("a snapshot can be read", added.error().message);
  auto read = decoder.finish();
  if (!read) broken("a snapshot can be read", read.error().message);
  expect(store::encode_state(*read) == records, "a state is the same after the snapshot");
  twin_ = std::move(*read);
  take(core::Started{epoch});
}

void World::compare(const std::vector<core::Effect>& effects,
                    const std::vector<core::Effect>& twins) {
  expect(effects.size() == twins.size(), "a replay asks for as many effects");
  for (std::size_t i = 0; i < effects.size(); ++i) {
    expect(effects[i].index() == twins[i].index(), "a replay asks for the same effects");
    if (!store::is_durable(effects[i])) continue;
    const std::string bytes = store::encode_effect(effects[i]);
    expect(bytes == store::encode_effect(twins[i]), "a replay asks for the same effects");
    const auto read = store::decode_effect(bytes);
    if (!read) broken("a durable effect can be read", read.error().message);
    expect(store::encode_effect(*read) == bytes, "an effect is the same after the store");
  }
  expect(state_.changed == twin_.changed, "a replay changes the same incidents");
  for (const IncidentId& id : state_.changed) {
    const auto found = state_.incidents.find(id);
    if (found == state_.incidents.end()) continue;
    const std::string bytes = store::encode_incident(found->second);
    const auto twin = twin_.incidents.find(id);
    expect(twin != twin_.incidents.end() && bytes == store::encode_incident(twin->second),
           "a replay has the same incidents");
    const auto read = store::decode_incident(bytes);
    if (!read) broken("an incident can be read", read.error().message);
    expect(store::encode_incident(*read) == bytes, "an incident is the same after the store");
  }
  expect(core::next_wake(state_) == core::next_wake(twin_), "a replay wakes at the same time");
}

void World::check_bounds() const {
  expect(state_.incidents.size() <= limits::kOpenIncidentsMax + limits::kResolvedIncidentsKept,
         "incidents are bounded");
  expect(state_.resolved_order.size() <= limits::kResolvedIncidentsKept, "resolved incidents are");
  expect(state_.validations.size() <= limits::kValidationsRunningMax + limits::kValidationsKept,
         "validations are");
  for (const auto& [name, agent] : state_.agents) {
    expect(agent.refs.size() <= limits::kSeriesPerAgentMax, "refs are");
    expect(agent.past_incarnations.size() <= limits::kPastIncarnationsMax, "incarnations are");
    expect(agent.series.size() <= limits::kSeriesPerAgentMax, "series are");
    expect(core::assignment_for(state_, name).size() <= limits::kProbesPerAgentMax, "probes are");
  }
  for (const auto& [id, incident] : state_.incidents) {
    expect(incident.timeline.size() <= limits::kTimelineEntriesMax, "timelines are");
    expect(incident.actions.size() <= limits::kActionsPerIncidentMax, "actions are");
  }
  for (const auto& [name, service] : state_.services) (void)core::service_status(state_, name);
}

void World::check(const core::SendAssignment& effect) {
  const auto cut = ingest::to_proto(core::assignment_for(state_, effect.agent), 1);
  expect(cut.left_out == 0, "an assignment fits");
  const auto read = agent::from_proto(cut.message);
  if (!read) broken("an agent takes its assignment", read.error().message);
  expect(read->refused.empty(), "an agent takes its probes",
         read->refused.empty() ? "" : read->refused.front().reason);
}

void World::check(const core::SendProbeNow& effect) {
  keep(requests_, effect);
  const v1::CoordinatorMessage message = ingest::to_proto(effect);
  const auto read = agent::from_proto(message.probe_now());
  if (!read) broken("an agent takes a one-shot probe", read.error().message);
  if (!read->spec) broken("an agent takes a one-shot probe", read->spec.error().message);
}

void World::check(const core::OrderHostAction& effect) {
  keep(orders_, effect);
  const v1::CoordinatorMessage message = ingest::to_proto(effect, state_.epoch, now_);
  const auto taken = agent::check(message.action_order());
  if (!taken) broken("an agent takes an order", taken.error().message);
}

void World::check(const core::SendNotification& effect) {
  keep(notifications_, effect);
  for (const std::string& body : {notify::slack_body(effect), notify::webhook_body(effect)}) {
    expect_utf8(body, "a notification");
    boost::json::error_code failed;
    const auto parsed = boost::json::parse(body, failed);
    expect(!failed && parsed.is_object(), "a notification is JSON", body);
  }
}

void World::pass(Duration time) {
  const Instant until = now_ + time;
  int ticks = 0;
  int at_once = 0;
  for (auto next = core::next_wake(state_); next && *next <= until && ticks < kTicksMax;
       next = core::next_wake(state_)) {
    const Instant before = std::exchange(now_, std::max(now_, *next));
    at_once = now_ == before ? at_once + 1 : 0;
    if (at_once > kTicksAtOnceMax) broken("time alone does not keep the core busy");
    ticks += now_ == before ? 0 : 1;
    take(core::Tick{});
  }
  now_ = until;
  take(core::Tick{});
}

void World::finish() const {
  expect(store::encode_state(state_) == store::encode_state(twin_), "a replay remembers the same");
  for (const auto& [id, incident] : state_.incidents) {
    const std::string report = report::render_report(incident, now_);
    expect_safe(report, true, "a report");
    expect(report.size() <= limits::kReportBytesMax + (8u << 10), "a report is bounded");
  }
}

std::optional<core::SendProbeNow> World::next_request() {
  return first(requests_);
}

std::optional<core::OrderHostAction> World::next_order() {
  return first(orders_);
}

std::optional<core::SendNotification> World::next_notification() {
  return first(notifications_);
}

}  // namespace firebreak::fuzz
