// Alarms of those that are away, and the one incident of all that are silent.
#include "coordinator/core/agent_watch.h"

#include <algorithm>
#include <utility>

#include "common/text.h"
#include "coordinator/core/incidents.h"
#include "coordinator/core/inputs.h"
#include "coordinator/core/symptoms.h"
#include "coordinator/core/tally.h"
#include "coordinator/core/timeline.h"
#include "coordinator/core/trail.h"
#include "coordinator/core/warm_up.h"

namespace firebreak::core {
namespace {

constexpr std::size_t kNamesShown = 5;

const ServiceName& agents_service() {
  static const ServiceName kName(policy::kAgentsService);
  return kName;
}

const policy::AgentWatch* watch_of(const State& state) {
  return state.policy && state.policy->agent_watch ? &*state.policy->agent_watch : nullptr;
}

Instant away_since(const AgentState& agent) {
  return agent.detached == Instant{} ? agent.last_seen : agent.detached;
}

void set_alarm(State& state, const AgentState& agent, const policy::AgentWatch& watch) {
  state.agent_alarms.set(agent.name,
                         std::max(away_since(agent), state.warm_up.until) + watch.silent_after);
}

template <class Names>
std::string describe(const State& state, const Names& names) {
  if (names.size() == 1) {
    const auto agent = state.agents.find(*names.begin());
    std::string text = names.begin()->str() + " is silent";
    if (agent != state.agents.end())
      text += " since " + format_utc(away_since(agent->second)) + " UTC";
    return text;
  }
  std::vector<std::string> shown;
  for (const AgentName& name : names) {
    if (shown.size() == kNamesShown) {
      shown.push_back(std::to_string(names.size() - kNamesShown) + " more");
      break;
    }
    shown.push_back(name.str());
  }
  return std::to_string(names.size()) + " agents are silent: " + join_words(shown);
}

void no_longer_silent(Turn& turn, const AgentName& name, const char* why, const std::string& by) {
  State& state = turn.state;
  state.agent_alarms.set(name, std::nullopt);
  if (state.silent.erase(name) == 0) return;
  state.dirty.insert(agents_service());
  // Thousands that come back are not told one by one.
  Incident* incident = open_incident_of(state, agents_service());
  if (incident != nullptr && !incident->hosts_more)
    add_entry(turn, *incident, "affected", by, name.str() + why);
}

}  // namespace

void agent_lost(Turn& turn, AgentState& agent) {
  agent.detached = turn.now;
  if (const auto* watch = watch_of(turn.state)) set_alarm(turn.state, agent, *watch);
}

void agent_heard(Turn& turn, const AgentName& agent) {
  no_longer_silent(turn, agent, " is back", kEngine);
}

void agents_silent(Turn& turn, const std::vector<AgentName>& agents) {
  State& state = turn.state;
  if (agents.empty() || watch_of(state) == nullptr) return;
  state.silent.insert(agents.begin(), agents.end());
  state.dirty.insert(agents_service());
  ServiceState& service = state.services[agents_service()];
  service.dismissed.reset();  // whoever closed the incident did not know of these
  Incident* incident = open_incident_of(state, agents_service());
  if (incident == nullptr) return;
  add_entry(turn, *incident, "affected", kEngine, "also " + describe(state, agents));
  for (const AgentName& agent : agents) add_host(turn, *incident, agent);
}

void watch_agents(Turn& turn) {
  State& state = turn.state;
  const auto* watch = watch_of(state);
  state.agent_alarms = {};
  if (watch == nullptr) {
    state.silent.clear();
    return;
  }
  for (const auto& [name, agent] : state.agents)
    if (!agent.attached && !state.silent.contains(name)) set_alarm(state, agent, *watch);
  state.dirty.insert(agents_service());
}

void judge_agents(Turn& turn) {
  State& state = turn.state;
  ServiceState& mine = state.services[agents_service()];
  const auto before = mine.severity;
  mine.severity.reset();
  mine.blind = false;
  mine.evaluated = turn.now;
  if (!state.silent.empty()) mine.severity = watch_of(state)->severity;
  if (mine.severity && mine.open_incident.empty()) {
    mine.because = describe(state, state.silent);
    mine.shown = turn.now;
    for (const AgentName& name : state.silent)
      mine.shown = std::min(mine.shown, away_since(state.agents.at(name)));
  }
  if (mine.severity == before && (!mine.severity || !mine.open_incident.empty())) return;
  service_judged(turn, agents_service());
  if (Incident* incident = open_incident_of(state, agents_service()))
    for (const AgentName& name : state.silent) add_host(turn, *incident, name);
}

void forget_agent(Turn& turn, const AgentName& name, const std::string& by) {
  State& state = turn.state;
  const auto found = state.agents.find(name);
  if (found == state.agents.end() || found->second.attached) return;
  agent_is_back(turn, name);
  AgentState agent = std::move(found->second);
  uncount_presence(state, agent);
  for (const ServiceName& service : agent.services) state.vantages[service].erase(name);
  state.agents.erase(found);
  for (const auto& [key, series] : agent.series) {
    recount(state, key);
    forget_trail(state, key, name);
    if (series.inputs == nullptr) continue;
    for (const auto& [reader, reading] : series.inputs->readers) state.dirty.insert(reader);
  }
  std::erase_if(state.action_last,
                [&](const auto& entry) { return entry.first.second == name.str(); });
  no_longer_silent(turn, name, " is forgotten", "operator:" + by);
}

}  // namespace firebreak::core
