// One line for each thing, in the order of its key.
#include "tests/sim/dump.h"

#include <sstream>

#include "coordinator/core/step.h"

namespace firebreak::sim {
namespace {

std::int64_t us(Instant at) {
  return unix_us(at);
}
std::int64_t us(const std::optional<Instant>& at) {
  return at ? unix_us(*at) : -1;
}

void dump_agent(std::ostream& out, const core::AgentState& agent) {
  out << "agent " << agent.name.str() << " attached " << agent.attached << " incarnation "
      << agent.incarnation << " seq " << agent.last_seq << " dropped " << agent.dropped_results
      << " seen " << us(agent.last_seen) << " past";
  for (const std::uint64_t past : agent.past_incarnations) out << ' ' << past;
  for (const ServiceName& service : agent.services) out << ' ' << service.str();
  out << '\n';
  for (const auto& [key, series] : agent.series) {
    out << " series " << key.service.str() << '/' << key.probe.str() << " live " << series.live
        << " confirmed " << static_cast<int>(series.confirmed) << " since "
        << us(series.confirmed_since) << " at " << us(series.confirmed_at) << " by "
        << series.confirmed_by.evidence << " suspected " << static_cast<int>(series.suspected)
        << " since " << us(series.suspected_since) << " observed " << us(series.observed) << '\n';
  }
}

void dump_incident(std::ostream& out, const core::Incident& incident) {
  out << "incident " << incident.id.str() << ' ' << incident.service.str() << " phase "
      << static_cast<int>(incident.phase) << " severity " << incident.severity_name << " peak "
      << incident.peak_severity << " detected " << us(incident.detected) << " opened "
      << us(incident.opened) << " quiet " << us(incident.quiet_since) << " resolved "
      << us(incident.resolved) << " by " << incident.resolved_by << " acknowledged "
      << us(incident.acknowledged) << " validation " << incident.validation.str() << " again "
      << us(incident.validate_at) << ' ' << incident.validations << '/'
      << incident.validations_failed << " overdue " << incident.acknowledge_overdue
      << incident.resolve_overdue << '\n';
  for (const core::ActionRun& run : incident.actions)
    out << " action " << run.id.str() << ' ' << run.name.str() << '@' << run.target << " state "
        << static_cast<int>(run.state) << " ordered " << us(run.ordered) << " expires "
        << us(run.expires) << " finished " << us(run.finished) << " exit " << run.exit_code << '\n';
  for (const core::TimelineEntry& entry : incident.timeline)
    out << " entry " << us(entry.at) << ' ' << entry.kind << ' ' << entry.actor << ": "
        << entry.text << '\n';
}

}  // namespace

std::string dump(const core::State& state) {
  std::ostringstream out;
  out << "epoch " << state.epoch << " now " << us(state.now) << " next " << state.next_id
      << " results " << state.counters.results << " duplicates " << state.counters.duplicates
      << " late " << state.counters.late << " unknown " << state.counters.unknown_probe
      << " dropped " << state.counters.dropped_by_agents << " missing " << state.counters.missing
      << '\n';
  for (const auto& [name, agent] : state.agents) dump_agent(out, agent);
  for (const core::Window& window : state.windows)
    for (const core::Window::Ring& ring : window.rings()) {
      const auto sum = window.over(ring.span, state.now);
      out << "window " << ring.span.count() << ' ' << ring.width.count() << ' ' << sum.samples
          << ' ' << sum.failures << ' ' << sum.latency_sum.count() << ' ' << sum.latency_max.count()
          << '\n';
    }
  for (const auto& [name, service] : state.services)
    out << "service " << name.str() << " severity "
        << (service.severity ? static_cast<int>(*service.severity) : -1) << " blind "
        << service.blind << " because " << service.because << " shown " << us(service.shown)
        << " incident " << service.open_incident.str() << " symptom of " << service.symptom_of.str()
        << " released " << us(service.released) << " evaluated " << us(service.evaluated) << '\n';
  for (const AgentName& name : state.silent) out << "silent " << name.str() << '\n';
  for (const auto& [fact, value] : state.facts)
    out << "fact " << fact.first.str() << ' ' << fact.second.str() << " = "
        << cel::to_string(value.value) << " by " << value.set_by << '\n';
  for (const auto& [id, incident] : state.incidents) dump_incident(out, incident);
  for (const auto& [id, validation] : state.validations)
    out << "validation " << id.str() << " verdict " << static_cast<int>(validation.verdict)
        << " current " << validation.current << " finished " << us(validation.finished) << '\n';
  for (const auto& [id, incident] : state.actions_running)
    out << "running " << id.str() << " of " << incident.str() << '\n';
  for (const auto& [id, pending] : state.notifications_pending)
    out << "pending " << id.str() << " to " << pending.receiver.str() << '\n';
  out << "wake " << us(core::next_wake(state)) << '\n';
  return out.str();
}

std::string outlook(const core::State& state) {
  std::ostringstream out;
  out << "policy " << (state.policy ? state.policy->digest : "none") << '\n';
  for (const auto& [name, agent] : state.agents) {
    if (name.str() == "mallory") continue;
    out << "agent " << name.str() << (agent.attached ? " attached" : " gone");
    for (const auto& [key, spec] : core::assignment_for(state, name))
      out << ' ' << key.service.str() << '/' << key.probe.str();
    out << '\n';
    for (const auto& [key, series] : agent.series)
      out << " sees " << key.service.str() << '/' << key.probe.str() << ' '
          << to_string(series.confirmed) << (series.live ? "" : ", not live") << '\n';
  }
  if (state.policy) {
    for (const auto& [name, service] : state.policy->services) {
      if (name.str() == "pit") continue;
      const auto found = state.services.find(name);
      const bool is_bad = found != state.services.end() && found->second.severity;
      const bool is_open = found != state.services.end() && !found->second.open_incident.empty();
      out << "service " << name.str() << ' ' << to_string(core::service_status(state, name))
          << (is_bad ? ", severe" : "") << (is_open ? ", incident open" : "") << '\n';
    }
  }
  for (const auto& [fact, value] : state.facts)
    out << "fact " << fact.first.str() << ' ' << fact.second.str() << " = "
        << cel::to_string(value.value) << '\n';
  return out.str();
}

std::string difference(const std::string& a, const std::string& b) {
  std::istringstream left(a), right(b);
  std::string one, other;
  for (;;) {
    const bool more_left = static_cast<bool>(std::getline(left, one));
    const bool more_right = static_cast<bool>(std::getline(right, other));
    if (!more_left && !more_right) return "";
    if (!more_left) one = "(nothing)";
    if (!more_right) other = "(nothing)";
    if (one != other) return "'" + one + "' against '" + other + "'";
  }
}

}  // namespace firebreak::sim
