// Feeds the core with what agents, people and time bring, and performs what it asks for.
#include "tests/scenario/world.h"

#include <algorithm>
#include <variant>

#include "common/assert.h"
#include "coordinator/policy/policy.h"
#include "coordinator/store/snapshot_codec.h"

namespace firebreak::scenario {

namespace {

// A core that wakes up again and again at one instant would never end.
constexpr int kStepsPerInstantMax = 10000;

constexpr std::size_t kSnapshotsMax = 500;  // of one story: each costs what its state is large

// "length" of a queue is what its rules read.
Observation complete(Observation seen, const ProbeSpec& spec) {
  if (std::holds_alternative<QueueSpec>(spec.kind)) {
    if (seen.values.empty() && seen.status == Status::ok) seen.values.push_back({"length", 0});
    for (NamedValue& value : seen.values)
      if (value.name.empty()) value.name = "length";
  }
  for (NamedValue& value : seen.values)
    if (value.name.empty()) value.name = "value";
  return seen;
}

std::string text_of(const std::vector<policy::SourceFile>& files) {
  std::string name;
  for (const policy::SourceFile& file : files) name += file.path + ":" + file.text;
  return name;
}

std::string describe(const core::Effect& effect) {
  struct Describe {
    std::string operator()(const core::SendAssignment& e) const {
      return "assign " + e.agent.str();
    }
    std::string operator()(const core::SendProbeNow& e) const {
      return "probe " + e.request.str() + " " + e.agent.str();
    }
    std::string operator()(const core::OrderHostAction& e) const {
      return "order " + e.action.str() + " " + e.agent.str() + " " + e.entry + " " + e.reason;
    }
    std::string operator()(const core::RunHttpAction& e) const { return "http " + e.action.str(); }
    std::string operator()(const core::SendNotification& e) const {
      return "notify " + e.notification.str() + " " + e.title + " " + e.text;
    }
    std::string operator()(const core::ConfirmOutcome& e) const {
      return "confirm " + e.action.str();
    }
    std::string operator()(const core::PublishEntry& e) const {
      return "entry " + e.incident.str() + " " + e.entry.text;
    }
    std::string operator()(const core::PublishValidation& e) const {
      return "validation " + e.validation.str();
    }
  };
  return std::visit(Describe{}, effect);
}

std::vector<std::string> describe(const std::vector<core::Effect>& effects) {
  std::vector<std::string> texts;
  for (const core::Effect& effect : effects) texts.push_back(describe(effect));
  return texts;
}

}  // namespace

void World::use(std::shared_ptr<const policy::Policy> policy) {
  step(core::PolicyChanged{std::move(policy), "scenario"});
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
  step(core::AgentAttached{name, agent.incarnation, "scenario", agent.labels, {}, {}});
  for (const core::OrderHostAction& action : std::exchange(agent.undelivered, {}))
    if (action.expires > now_) order(action);
}

void World::detach(const AgentName& name) {
  Agent& agent = agents_.at(name);
  if (!agent.attached) return;
  agent.attached = false;
  step(core::AgentDetached{name, agent.incarnation, "scenario"});
}

// Whoever it is about reports it at once, then at its interval.
void World::see(Sight sight) {
  sight.from = now_;
  sights_.push_back(std::move(sight));
  for (auto& [name, agent] : agents_)
    for (const auto& [key, spec] : agent.assignment)
      if (sight_of(name, key, spec, now_) == &sights_.back()) agent.due[key] = now_;
}

const Sight* World::sight_of(const AgentName& agent, const ProbeKey& key, const ProbeSpec& spec,
                             Instant at) const {
  const auto applies = [&](const Sight& sight) {
    if (sight.from > at || (sight.until && *sight.until <= at)) return false;
    if (!sight.agents.empty() &&
        std::find(sight.agents.begin(), sight.agents.end(), agent) == sight.agents.end())
      return false;
    if (!sight.target.empty())
      return key.probe.empty() && describe_target(spec.kind) == sight.target;
    return !key.probe.empty() && (sight.service == "*" || sight.service == key.service.str()) &&
           (sight.probe == "*" || sight.probe == key.probe.str());
  };
  const auto found = std::find_if(sights_.rbegin(), sights_.rend(), applies);
  return found == sights_.rend() ? nullptr : &*found;
}

void World::replay(const AgentName& agent, const ProbeKey& probe, Observation seen, Duration age,
                   std::size_t count) {
  std::vector<std::pair<ProbeKey, core::ResultRow>> rows;
  const policy::Probe* known = state_.policy ? state_.policy->find_probe(probe) : nullptr;
  if (known != nullptr) seen = complete(std::move(seen), known->spec);
  const Duration every = known != nullptr ? known->spec.every : Duration{std::chrono::seconds(1)};
  for (std::size_t i = 0; i < count; ++i)
    rows.push_back({probe, {0, now_ - age + every * static_cast<std::int64_t>(i), true, seen}});
  send(agent, agents_.at(agent), rows);
}

void World::end_action(const ActionName& name, Ending ending) {
  endings_[name] = std::move(ending);
}

void World::ask(decltype(core::OperatorAsked::what) what) {
  step(core::OperatorAsked{"scenario", std::move(what)});
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

void World::step(core::Event event) {
  // What an action brings about is there before its outcome is known.
  if (const auto* report = std::get_if<core::ActionReported>(&event);
      report != nullptr && report->state != core::ActionState::started)
    if (auto then = then_.extract(report->action))
      for (Sight& sight : then.mapped()) see(std::move(sight));
  const std::vector<core::Effect> effects = core::step(state_, event, now_);
  history_.push_back({now_, std::move(event), describe(effects)});
  for (const core::Effect& effect : effects) perform(effect);
}

void World::perform(const core::Effect& effect) {
  if (const auto* assigned = std::get_if<core::SendAssignment>(&effect)) {
    Agent& agent = agents_.at(assigned->agent);
    agent.assignment = core::assignment_for(state_, assigned->agent);
    agent.due.clear();
    for (const auto& [key, spec] : agent.assignment) agent.due[key] = now_;
  } else if (const auto* request = std::get_if<core::SendProbeNow>(&effect)) {
    answer(*request);
  } else if (const auto* action = std::get_if<core::OrderHostAction>(&effect)) {
    orders_.push_back(name_of(action->action, action->incident).str() + "@" + action->agent.str());
    order(*action);
  } else if (const auto* http = std::get_if<core::RunHttpAction>(&effect)) {
    const ActionName name = name_of(http->action, http->incident);
    orders_.push_back(name.str() + "@coordinator");
    end(http->action, name, "engine");
  } else if (const auto* message = std::get_if<core::SendNotification>(&effect)) {
    notifications_.push_back(std::string(to_string(message->kind)) + "@" + message->receiver.str());
    later(now_ + std::chrono::milliseconds(100),
          core::NotificationFinished{message->notification, true, 1, "200 OK"});
  }
}

void World::answer(const core::SendProbeNow& request) {
  const Agent& agent = agents_.at(request.agent);
  const Sight* sight = sight_of(request.agent, request.key, request.spec, now_);
  if (!agent.attached || sight == nullptr || sight->silent) return;
  Observation seen = complete(sight->seen, request.spec);
  later(now_ + seen.latency, core::ProbeNowFinished{request.agent, request.request, seen});
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

std::optional<Instant> World::next_due() const {
  std::optional<Instant> next;
  for (const auto& [name, agent] : agents_) {
    if (!agent.attached) continue;
    for (const auto& [key, spec] : agent.assignment) {
      const Instant due = agent.due.at(key);
      if (sight_of(name, key, spec, std::max(due, now_)) != nullptr)
        next = next ? std::min(*next, due) : due;
    }
  }
  return next;
}

void World::send_results() {
  for (auto& [name, agent] : agents_) {
    if (!agent.attached) continue;
    std::vector<std::pair<ProbeKey, core::ResultRow>> rows;
    for (const auto& [key, spec] : agent.assignment) {
      Instant& due = agent.due.at(key);
      const Sight* sight = sight_of(name, key, spec, now_);
      if (due > now_ || sight == nullptr) continue;
      due = now_ + sight->every.value_or(spec.every);
      if (!sight->silent)
        rows.push_back({key, {0, now_, sight->confirmed, complete(sight->seen, spec)}});
    }
    if (!rows.empty()) send(name, agent, rows);
  }
}

void World::send(const AgentName& name, Agent& agent,
                 const std::vector<std::pair<ProbeKey, core::ResultRow>>& rows) {
  core::ResultsReceived batch;
  batch.agent = name;
  batch.incarnation = agent.incarnation;
  batch.first_seq = agent.seq + 1;
  for (const auto& [key, row] : rows) {
    const auto [ref, is_new] =
        agent.refs.try_emplace(key, static_cast<std::uint32_t>(agent.refs.size()));
    if (is_new) batch.series.push_back({ref->second, key});
    batch.rows.push_back(row);
    batch.rows.back().ref = ref->second;
  }
  agent.seq += rows.size();
  step(std::move(batch));
}

void World::deliver_pending() {
  while (!pending_.empty() && pending_.begin()->first <= now_) {
    core::Event event = std::move(pending_.begin()->second);
    pending_.erase(pending_.begin());
    step(std::move(event));
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

bool World::replays() const {
  core::State state;
  return std::all_of(history_.begin(), history_.end(), [&](const Step& step) {
    return describe(core::step(state, step.event, step.at)) == step.effects;
  });
}

std::string World::snapshot_fault() const {
  std::map<std::string, std::shared_ptr<const policy::Policy>> policies;  // by their files
  const auto compile =
      [&](std::vector<policy::SourceFile> files) -> Result<std::shared_ptr<const policy::Policy>> {
    return policies.at(text_of(files));
  };
  core::State whole, restored;
  // After every step; of a long story, after as many.
  const std::size_t every = 1 + history_.size() / kSnapshotsMax;
  for (const Step& step : history_) {
    const auto number = static_cast<std::size_t>(&step - history_.data());
    const std::string where = " at step " + std::to_string(number);
    if (const auto* changed = std::get_if<core::PolicyChanged>(&step.event))
      policies[text_of(changed->policy->files)] = changed->policy;
    if (describe(core::step(whole, step.event, step.at)) !=
        describe(core::step(restored, step.event, step.at)))
      return "other effects" + where;
    if (number % every != 0) continue;
    const auto records = store::encode_state(restored);
    if (records != store::encode_state(whole)) return "another state" + where;
    store::StateDecoder decoder(compile);
    for (const std::string& record : records)
      if (const auto added = decoder.add(record); !added) return added.error().message + where;
    auto decoded = decoder.finish();
    if (!decoded) return decoded.error().message + where;
    if (store::encode_state(*decoded) != records) return "read back as another state" + where;
    restored = std::move(*decoded);
  }
  return {};
}

}  // namespace firebreak::scenario
