// Tiers are told in order of time; each once per round, whoever has just heard of it left out.
#include "coordinator/core/escalation.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/text.h"
#include "coordinator/core/timeline.h"

namespace firebreak::core {

namespace {

using policy::Escalation;
using policy::EscalationTier;
using policy::Unless;

const Escalation* plan_of(const State& state, const Incident& incident) {
  if (!incident.escalation || !state.policy) return nullptr;
  const auto found = state.policy->escalations.find(incident.escalation->name);
  return found == state.policy->escalations.end() ? nullptr : &found->second;
}

bool is_waiting(const Incident& incident) {
  return !incident.escalation || incident.escalation->stopped || incident.resolved ||
         incident.quiet_since;
}

bool is_over(const EscalationRun& run, const Escalation& plan) {
  return run.passed.size() >= plan.tiers.size();
}

// An acknowledgement ends what waits for one.
bool is_answered(const EscalationTier& tier, const Incident& incident) {
  return tier.unless == Unless::acknowledged && incident.acknowledged;
}

Instant due_at(const EscalationTier& tier, const Incident& incident) {
  Instant from = incident.escalation->since;
  if (tier.unless == Unless::updated) from = std::max(from, incident.last_update);
  return from + tier.after;
}

// When it begins again; empty: never.
std::optional<Instant> next_round(const Escalation& plan, const Incident& incident) {
  const EscalationRun& run = *incident.escalation;
  if (!plan.repeat || incident.acknowledged || !is_over(run, plan)) return std::nullopt;
  return run.since + plan.tiers.back().after + *plan.repeat;
}

std::string reason_of(const EscalationTier& tier, const Incident& incident) {
  if (tier.after == Duration{0}) return "it is " + incident.severity_name;
  const std::string time = format_duration(tier.after);
  switch (tier.unless) {
    case Unless::acknowledged:
      return "nobody has acknowledged for " + time;
    case Unless::updated:
      return "no update for " + time;
    case Unless::never:
      break;
  }
  return incident.severity_name + " for " + time;
}

std::string name_in_round(const EscalationRun& run, std::size_t tier) {
  std::string name = tier_name(run.name, tier);
  if (run.round > 0) name += ", round " + std::to_string(run.round + 1);
  return name;
}

std::string join(const std::set<ReceiverName>& receivers) {
  std::vector<std::string> names;
  names.reserve(receivers.size());
  for (const ReceiverName& receiver : receivers) names.push_back(receiver.str());
  return join_words(names);
}

void tell_tier(Turn& turn, Incident& incident, const Escalation& plan, std::size_t index,
               std::set<ReceiverName>& just_told) {
  EscalationRun& run = *incident.escalation;
  const EscalationTier& tier = plan.tiers[index];
  run.passed.insert(index);
  std::set<ReceiverName> receivers;
  for (const ReceiverName& receiver : tier.notify)
    if (!just_told.contains(receiver)) receivers.insert(receiver);
  const std::string reason = reason_of(tier, incident);
  if (receivers.empty()) {
    add_entry(turn, incident, "escalation", kEngine,
              name_in_round(run, index) + ": everybody in it has just been told");
    return;
  }
  add_entry(turn, incident, "escalation", kEngine,
            name_in_round(run, index) + ": to " + join(receivers) + ", " + reason);
  tell(turn, incident, NotificationKind::escalated,
       "escalated, " + reason + " (" + name_in_round(run, index) + ")", receivers);
  just_told.insert(receivers.begin(), receivers.end());
}

// Tiers that wait for an acknowledgement tell nobody when there is one.
void pass_answered(Turn& turn, Incident& incident, const Escalation& plan) {
  EscalationRun& run = *incident.escalation;
  std::set<ReceiverName> spared;
  for (std::size_t i = 0; i < plan.tiers.size(); ++i)
    if (is_answered(plan.tiers[i], incident) && run.passed.insert(i).second)
      spared.insert(plan.tiers[i].notify.begin(), plan.tiers[i].notify.end());
  if (!spared.empty())
    add_entry(turn, incident, "escalation", kEngine,
              run.name + " goes no further to " + join(spared) + ": acknowledged by " +
                  incident.acknowledged_by);
}

void begin(Turn& turn, Incident& incident, const Escalation& plan) {
  EscalationRun run;
  run.name = plan.name;
  run.since = turn.now;
  incident.escalation = std::move(run);
}

}  // namespace

void begin_escalation(Turn& turn, Incident& incident) {
  const Escalation* plan =
      incident.severity ? turn.state.policy->find_escalation(incident.service, *incident.severity)
                        : nullptr;
  if (plan == nullptr)
    incident.escalation.reset();
  else
    begin(turn, incident, *plan);
}

void stop_escalation(Turn& turn, Incident& incident, const std::string& why) {
  const Escalation* plan = plan_of(turn.state, incident);
  if (plan == nullptr || incident.escalation->stopped) return;
  incident.escalation->stopped = true;
  if (!is_over(*incident.escalation, *plan) || next_round(*plan, incident))
    add_entry(turn, incident, "escalation", kEngine, plan->name + " stops: " + why);
}

void carry_escalation(Turn& turn, Incident& incident) {
  if (!incident.severity || (incident.escalation && incident.escalation->stopped)) return;
  const Escalation* wanted =
      turn.state.policy->find_escalation(incident.service, *incident.severity);
  if (incident.escalation && wanted != nullptr && incident.escalation->name == wanted->name) {
    std::erase_if(incident.escalation->passed,
                  [&](std::size_t tier) { return tier >= wanted->tiers.size(); });
    return;
  }
  if (incident.escalation)
    add_entry(turn, incident, "escalation", kEngine,
              incident.escalation->name + " ends: the policy has changed");
  incident.escalation.reset();
  if (wanted != nullptr) begin(turn, incident, *wanted);
}

void escalate(Turn& turn, Incident& incident) {
  const Escalation* plan = plan_of(turn.state, incident);
  if (plan == nullptr || is_waiting(incident)) return;
  EscalationRun& run = *incident.escalation;
  pass_answered(turn, incident, *plan);
  if (const auto again = next_round(*plan, incident); again && *again <= turn.now) {
    run.since = turn.now;
    run.passed.clear();
    ++run.round;
  }
  // Who is told when it begins has been told of the severity in the same moment.
  std::set<ReceiverName> just_told;
  if (run.round == 0 && run.since == turn.now) just_told = incident.told;
  for (std::size_t i = 0; i < plan->tiers.size(); ++i)
    if (!run.passed.contains(i) && due_at(plan->tiers[i], incident) <= turn.now)
      tell_tier(turn, incident, *plan, i, just_told);
}

bool is_escalated_to(const State& state, const Incident& incident, const ReceiverName& receiver) {
  const Escalation* plan = plan_of(state, incident);
  if (plan == nullptr || incident.escalation->stopped) return false;
  return std::any_of(incident.escalation->passed.begin(), incident.escalation->passed.end(),
                     [&](std::size_t tier) {
                       return tier < plan->tiers.size() &&
                              std::ranges::find(plan->tiers[tier].notify, receiver) !=
                                  plan->tiers[tier].notify.end();
                     });
}

std::optional<Instant> escalation_due(const State& state, const Incident& incident) {
  const Escalation* plan = plan_of(state, incident);
  if (plan == nullptr || is_waiting(incident)) return std::nullopt;
  std::optional<Instant> next = next_round(*plan, incident);
  for (std::size_t i = 0; i < plan->tiers.size(); ++i)
    if (!incident.escalation->passed.contains(i) && !is_answered(plan->tiers[i], incident))
      at_first(next, due_at(plan->tiers[i], incident));
  return next;
}

std::string tier_name(std::string_view escalation, std::size_t tier) {
  std::string name = "tier " + std::to_string(tier + 1) + " of ";
  return name.append(escalation);
}

}  // namespace firebreak::core
