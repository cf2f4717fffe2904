// Feeds the core with what agents, people and time bring, and performs what it asks for.
#include "coordinator/rehearsal/world.h"

#include <algorithm>
#include <variant>

#include "common/assert.h"
#include "common/probe_limits.h"
#include "coordinator/core/containment.h"
#include "coordinator/policy/policy.h"

namespace firebreak::rehearsal {

namespace {

// A core that wakes up again and again at one instant would never end.
constexpr int kStepsPerInstantMax = 10000;

const std::string kActor = "test";

// "length" of a queue is what its rules read, "value" of Prometheus.
void complete(Observation& seen, const ProbeSpec& spec) {
  const bool queue = std::holds_alternative<QueueSpec>(spec.kind);
  const bool counts = queue || std::holds_alternative<PrometheusSpec>(spec.kind);
  if (counts && seen.values.empty() && seen.status == Status::ok) seen.values.push_back({"", 0});
  for (NamedValue& value : seen.values)
    if (value.name.empty()) value.name = queue ? "length" : "value";
}

Status status_of(Look look) {
  switch (look) {
    case Look::ok:
      return Status::ok;
    case Look::warning:
      return Status::warning;
    case Look::critical:
      return Status::critical;
    case Look::unknown:
    case Look::silent:
      return Status::unknown;
  }
  return Status::unknown;
}

// As the agent judges what the target has answered, by the limits on the values that a test names:
// what it leaves out is within them.
void judge(Observation& seen, const ProbeSpec& spec) {
  ProbeSpec judged;
  const auto hold = [&](std::map<std::string, Limit> limits) {
    std::erase_if(limits, [&seen](const auto& one) {
      return one.first != kLatencyValue &&
             std::none_of(seen.values.begin(), seen.values.end(),
                          [&one](const NamedValue& value) { return value.name == one.first; });
    });
    judged.limits = std::move(limits);
    judge_limits(judged, seen);
  };
  seen.status = Status::ok;
  hold(own_limits(spec.kind));
  hold(spec.limits);
  if (spec.invert) invert(seen);
}

// What a result at this time holds; empty: there is none.
std::optional<Observation> observe(const Sight& sight, const ProbeSpec& spec, Instant at) {
  const Duration elapsed = at - sight.from;
  const Duration every = sight.every.value_or(spec.every);
  Observation seen;
  for (const auto& [name, value] : sight.values)
    seen.values.push_back({name, value.at(elapsed, every)});
  seen.latency = sight.latency.at(elapsed, every);
  seen.evidence = sight.evidence;
  if (sight.looks) {
    const Look look = sight.looks->at(elapsed, every);
    if (look == Look::silent) return std::nullopt;
    seen.status = status_of(look);
    seen.reason = Reason::status;
    complete(seen, spec);
  } else {
    complete(seen, spec);
    judge(seen, spec);
  }
  if (seen.status == Status::ok) seen.reason = Reason::none;
  if (seen.status == Status::unknown) seen.reason = Reason::prober;
  return seen;
}

}  // namespace

Instant Sight::ends(Duration interval) const {
  const Duration each = every.value_or(interval);
  std::optional<Duration> whole = lasts;
  const auto at_first = [&](const std::optional<Duration>& length) {
    if (length) whole = whole ? std::min(*whole, *length) : length;
  };
  if (looks) at_first(looks->length(each));
  at_first(latency.length(each));
  for (const auto& [name, value] : values) at_first(value.length(each));
  return whole ? from + *whole : Instant::max();
}

const core::Incident* newest_incident(const core::State& state, const ServiceName& service) {
  const core::Incident* found = nullptr;
  for (const auto& [id, incident] : state.incidents)
    if (incident.service == service && (found == nullptr || incident.opened >= found->opened))
      found = &incident;
  return found;
}

void World::use(std::shared_ptr<const policy::Policy> policy) {
  step(core::PolicyChanged{std::move(policy), kActor});
}

void World::add_agent(const AgentName& name, std::map<std::string, std::string> labels) {
  agents_[name].labels = std::move(labels);
}

void World::attach(const AgentName& name) {
  Agent& agent = agents_.at(name);
  if (agent.attached) return;
  agent.attached = true;
  ++agent.incarnation;
  agent.seq = 0;
  agent.refs.clear();
  for (Duty& duty : agent.duties) duty.ref.reset();
  step(core::AgentAttached{name, agent.incarnation, kActor, agent.labels, {}, {}});
  for (const core::OrderHostAction& action : std::exchange(agent.undelivered, {}))
    if (action.expires > now_) order(action);
}

void World::detach(const AgentName& name) {
  Agent& agent = agents_.at(name);
  if (!agent.attached) return;
  agent.attached = false;
  step(core::AgentDetached{name, agent.incarnation, kActor});
}

// Whoever it is about reports it at once, then at its interval.
void World::see(Sight sight) {
  sight.from = now_;
  sights_.push_back(std::move(sight));
  for (auto& [name, agent] : agents_)
    for (Duty& duty : agent.duties) {
      const Sight* found = find_sight(name, duty.key, duty.spec, now_);
      if (found == &sights_.back()) duty.due = now_;
      duty.sight_ends = {};
    }
}

const Sight* World::find_sight(const AgentName& agent, const ProbeKey& key, const ProbeSpec& spec,
                               Instant at) const {
  const auto applies = [&](const Sight& sight) {
    if (sight.from > at) return false;
    if (!sight.agents.empty() &&
        std::find(sight.agents.begin(), sight.agents.end(), agent) == sight.agents.end())
      return false;
    const bool about = sight.target.empty()
                           ? !key.probe.empty() &&
                                 (sight.service == "*" || sight.service == key.service.str()) &&
                                 (sight.probe == "*" || sight.probe == key.probe.str())
                           : key.probe.empty() && describe_target(spec.kind) == sight.target;
    return about && at < sight.ends(spec.every);
  };
  const auto found = std::find_if(sights_.rbegin(), sights_.rend(), applies);
  return found == sights_.rend() ? nullptr : &*found;
}

// Which sight counts changes only with a new one, or when the one that counts ends.
const Sight* World::sight_of(const AgentName& agent, Duty& duty, Instant at) const {
  if (at < duty.sight_ends) return duty.sight;
  duty.sight = find_sight(agent, duty.key, duty.spec, at);
  duty.sight_ends = duty.sight == nullptr ? Instant::max() : duty.sight->ends(duty.spec.every);
  return duty.sight;
}

void World::replay(const AgentName& agent, const ProbeKey& probe, Observation seen, Duration age,
                   std::size_t count) {
  const policy::Probe* known = state_.policy ? state_.policy->find_probe(probe) : nullptr;
  if (known != nullptr) complete(seen, known->spec);
  const Duration every = known != nullptr ? known->spec.every : Duration{std::chrono::seconds(1)};
  core::ResultsReceived batch;
  const std::uint32_t ref = ref_of(agents_.at(agent), probe, batch);
  for (std::size_t i = 0; i < count; ++i)
    batch.rows.push_back({ref, now_ - age + every * static_cast<std::int64_t>(i), true, seen});
  send(agent, agents_.at(agent), std::move(batch));
}

void World::end_action(const ActionName& name, Ending ending) {
  endings_[name] = std::move(ending);
}

std::string World::ask(decltype(core::OperatorAsked::what) what) {
  const core::OperatorAsked asked{kActor, std::move(what)};
  if (const auto may = core::admissible(state_, asked); !may) return may.error().message;
  step(asked);
  return {};
}

void World::restart() {
  std::vector<AgentName> back;
  for (auto& [name, agent] : agents_) {
    if (agent.attached) back.push_back(name);
    agent.attached = false;
  }
  step(core::Started{state_.epoch + 1});
  for (const AgentName& name : back) attach(name);
}

void World::step(const core::Event& event) {
  // What an action brings about is there before its outcome is known.
  if (const auto* report = std::get_if<core::ActionReported>(&event);
      report != nullptr && report->state != core::ActionState::started)
    if (auto then = then_.extract(report->action))
      for (Sight& sight : then.mapped()) see(std::move(sight));
  const std::vector<core::Effect> effects = core::step(state_, event, now_);
  if (observer_) observer_(state_, event, effects, now_);
  for (const core::Effect& effect : effects) perform(effect);
}

void World::perform(const core::Effect& effect) {
  if (const auto* assigned = std::get_if<core::SendAssignment>(&effect)) {
    assign(agents_.at(assigned->agent), assigned->agent);
  } else if (const auto* request = std::get_if<core::SendProbeNow>(&effect)) {
    answer(*request);
  } else if (const auto* action = std::get_if<core::OrderHostAction>(&effect)) {
    // As the engine does (coordinator/engine/dispatch.h).
    if (!core::may_begin(state_, action->incident, action->expires, now_))
      return step(core::OrderLapsed{action->action});
    orders_.push_back(name_of(action->action, action->incident).str() + "@" + action->agent.str());
    order(*action);
  } else if (const auto* http = std::get_if<core::RunHttpAction>(&effect)) {
    if (!core::may_begin(state_, http->incident, http->expires, now_))
      return step(core::OrderLapsed{http->action});
    const ActionName name = name_of(http->action, http->incident);
    orders_.push_back(name.str() + "@coordinator");
    end(http->action, name, "engine");
  } else if (const auto* message = std::get_if<core::SendNotification>(&effect)) {
    notifications_.push_back(std::string(to_string(message->kind)) + "@" + message->receiver.str());
    later(now_ + std::chrono::milliseconds(100),
          core::NotificationFinished{message->notification, true, 1, "200 OK"});
  } else if (const auto* entry = std::get_if<core::PublishEntry>(&effect)) {
    // "restart-web on web-1 skipped: ...", or without a host.
    constexpr std::string_view kOn = " on ", kSkipped = " skipped: ";
    const std::string& text = entry->entry.text;
    const std::size_t skipped = text.find(kSkipped);
    if (entry->entry.kind != "action" || skipped == std::string::npos) return;
    std::string what = text.substr(0, skipped);
    if (const std::size_t on = what.find(kOn); on != std::string::npos)
      what.replace(on, kOn.size(), "@");
    skipped_.push_back(what + ": " + text.substr(skipped + kSkipped.size()));
  }
}

void World::assign(Agent& agent, const AgentName& name) {
  agent.duties.clear();
  for (auto& [key, spec] : core::assignment_for(state_, name))
    agent.duties.push_back({key, spec, now_, nullptr, {}, {}});
}

void World::answer(const core::SendProbeNow& request) {
  const Agent& agent = agents_.at(request.agent);
  const Sight* sight = find_sight(request.agent, request.key, request.spec, now_);
  if (!agent.attached || sight == nullptr) return;
  const auto seen = observe(*sight, request.spec, now_);
  if (!seen) return;
  later(now_ + seen->latency, core::ProbeNowFinished{request.agent, request.request, *seen});
}

// A host that is not there gets its order when it is back.
void World::order(const core::OrderHostAction& action) {
  Agent& agent = agents_.at(action.agent);
  if (!agent.attached) {
    agent.undelivered.push_back(action);
    return;
  }
  end(action.action, name_of(action.action, action.incident), "agent:" + action.agent.str());
}

void World::end(const ActionId& action, const ActionName& name, std::string reporter) {
  const auto found = endings_.find(name);
  Ending ending = found == endings_.end() ? Ending{} : found->second;
  if (reporter == "engine" && ending.state == core::ActionState::succeeded && ending.exit_code == 0)
    ending.exit_code = 200;
  if (ending.state == core::ActionState::ordered) return;
  core::ActionReported report;
  report.action = action;
  report.reporter = std::move(reporter);
  report.state = core::ActionState::started;
  if (ending.state != core::ActionState::refused) later(now_, report);
  report.state = ending.state;
  report.exit_code = ending.exit_code;
  report.output = ending.output;
  report.detail = ending.detail;
  report.took = ending.after;
  later(now_ + ending.after, report);
  if (!ending.then.empty()) then_.emplace(action, ending.then);
}

ActionName World::name_of(const ActionId& action, const IncidentId& incident) const {
  const auto found = state_.incidents.find(incident);
  if (found != state_.incidents.end())
    for (const core::ActionRun& run : found->second.actions)
      if (run.id == action) return run.name;
  return ActionName("?");
}

std::optional<Instant> World::next_due() {
  std::optional<Instant> next;
  for (auto& [name, agent] : agents_) {
    if (!agent.attached) continue;
    for (Duty& duty : agent.duties) {
      if (next && duty.due >= *next) continue;
      if (sight_of(name, duty, std::max(duty.due, now_)) != nullptr) next = duty.due;
    }
  }
  return next;
}

void World::send_results() {
  for (auto& [name, agent] : agents_) {
    if (!agent.attached) continue;
    core::ResultsReceived batch;
    for (Duty& duty : agent.duties) {
      if (duty.due > now_) continue;
      const Sight* sight = sight_of(name, duty, now_);
      if (sight == nullptr) continue;
      duty.due = now_ + sight->every.value_or(duty.spec.every);
      auto seen = observe(*sight, duty.spec, now_);
      if (!seen) continue;
      if (!duty.ref) duty.ref = ref_of(agent, duty.key, batch);
      batch.rows.push_back({*duty.ref, now_, sight->confirmed, *std::move(seen)});
    }
    if (!batch.rows.empty()) send(name, agent, std::move(batch));
  }
}

std::uint32_t World::ref_of(Agent& agent, const ProbeKey& key, core::ResultsReceived& batch) {
  const auto [ref, is_new] =
      agent.refs.try_emplace(key, static_cast<std::uint32_t>(agent.refs.size()));
  if (is_new) batch.series.push_back({ref->second, key});
  return ref->second;
}

void World::send(const AgentName& name, Agent& agent, core::ResultsReceived batch) {
  batch.agent = name;
  batch.incarnation = agent.incarnation;
  batch.first_seq = agent.seq + 1;
  agent.seq += batch.rows.size();
  step(std::move(batch));
}

void World::deliver_pending() {
  while (!pending_.empty() && pending_.begin()->first <= now_) {
    const auto next = pending_.extract(pending_.begin());
    step(next.mapped());
  }
}

void World::run_until(Instant until) {
  int steps = 0;
  while (true) {
    std::optional<Instant> next = next_due();
    const auto at_first = [&](std::optional<Instant> other) {
      if (other) next = next ? std::min(*next, *other) : other;
    };
    if (!pending_.empty()) at_first(pending_.begin()->first);
    at_first(core::next_wake(state_));
    if (!next || *next > until) break;
    steps = *next > now_ ? 0 : steps + 1;
    FB_ASSERT(steps < kStepsPerInstantMax);
    now_ = std::max(now_, *next);
    send_results();
    deliver_pending();
    if (const auto wake = core::next_wake(state_); wake && *wake <= now_) step(core::Tick{});
  }
  now_ = std::max(now_, until);
}

}  // namespace firebreak::rehearsal
