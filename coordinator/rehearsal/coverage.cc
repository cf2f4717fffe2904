// Looks at the state after each step; a level is reached when it decides what its rule says.
#include "coordinator/rehearsal/coverage.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/assert.h"
#include "coordinator/core/escalation.h"

namespace firebreak::rehearsal {
namespace {

std::string name_of_tier(const std::string& escalation, std::size_t tier, Duration after) {
  return escalation + " " + std::to_string(tier + 1) + " (" + format_duration(after) + ")";
}

}  // namespace

const char* to_string(Coverage::Kind kind) {
  switch (kind) {
    case Coverage::Kind::rule:
      return "rule";
    case Coverage::Kind::stage:
      return "stage";
    case Coverage::Kind::action:
      return "action";
    case Coverage::Kind::check:
      return "check";
    case Coverage::Kind::tier:
      return "tier";
    case Coverage::Kind::step:
      return "step";
    case Coverage::Kind::recommendation:
      return "recommendation";
  }
  return "?";
}

Coverage::Coverage(std::shared_ptr<const policy::Policy> policy) : policy_(std::move(policy)) {
  for (const auto& [name, service] : policy_->services) add_service(service);
  for (const policy::Playbook& playbook : policy_->playbooks) {
    stages_.emplace_back();
    for (const policy::Stage& stage : playbook.stages)
      stages_.back().push_back(add(Kind::stage, playbook.name + " stage " +
                                                    std::to_string(stages_.back().size() + 1) +
                                                    " (at " + format_duration(stage.at) + ")"));
  }
  for (const auto& [name, action] : policy_->actions)
    actions_.emplace(name, add(Kind::action, name.str()));
  for (const auto& [name, escalation] : policy_->escalations)
    for (std::size_t tier = 0; tier < escalation.tiers.size(); ++tier) {
      tiers_.emplace(core::tier_name(name, tier),
                     add(Kind::tier, name_of_tier(name, tier, escalation.tiers[tier].after)));
    }
  for (const policy::ManualStep& step : policy_->manual_steps)
    steps_.push_back(add(Kind::step, step.text));
  for (const policy::Recommendation& recommendation : policy_->recommendations)
    recommendations_.push_back(
        add(Kind::recommendation, recommendation.service.str() + ": " + recommendation.say));
}

std::size_t Coverage::add(Kind kind, std::string name) {
  items_.push_back({kind, std::move(name)});
  return items_.size() - 1;
}

void Coverage::add_service(const policy::Service& service) {
  OfService& mine = services_[service.name];
  mine.service = &service;
  for (const policy::Rule& rule : service.rules) {
    mine.levels.emplace_back();
    for (const policy::Rule::Level& level : rule.levels)
      mine.levels.back().push_back(add(Kind::rule, rule.name + " " +
                                                       policy_->severities[level.severity].name +
                                                       " (" + level.when.text() + ")"));
  }
  // Without a checklist of its own there is nothing that an author could test.
  if (!service.has_own_checklist) return;
  for (const policy::Check& check : service.checklist)
    mine.checks.push_back(add(Kind::check, service.name.str() + ": " + check.name));
}

void Coverage::observe(const core::State& state, const std::vector<core::Effect>& effects,
                       Instant now) {
  for (const core::Effect& effect : effects) observe_effect(state, effect);
  for (const auto& [id, validation] : state.validations) observe_validation(validation, now);
  if (state.policy != policy_) return;
  for (const auto& [name, mine] : services_) observe_rules(mine, state, now);
  for (const IncidentId& id : state.changed) {
    const auto incident = state.incidents.find(id);
    if (incident != state.incidents.end()) observe_incident(incident->second);
  }
}

// A manual step is reached when it is due.
void Coverage::observe_incident(const core::Incident& incident) {
  if (incident.playbook) {
    const core::PlaybookRun& run = *incident.playbook;
    for (std::size_t stage = 0; stage < run.next_stage; ++stage)
      reached(stages_.at(run.playbook).at(stage));
  }
  for (const core::ManualStep& step : incident.steps)
    for (std::size_t i = 0; step.shown && i < steps_.size(); ++i) {
      const policy::ManualStep& planned = policy_->manual_steps[i];
      const bool is_its = planned.text == step.text &&
                          (planned.service.empty() || planned.service == incident.service);
      if (is_its) reached(steps_[i]);
    }
  for (const core::Recommended& said : incident.recommended)
    for (std::size_t i = 0; i < recommendations_.size(); ++i) {
      const policy::Recommendation& planned = policy_->recommendations[i];
      if (planned.say == said.say && planned.service == incident.service)
        reached(recommendations_[i]);
    }
}

void Coverage::observe_rules(const OfService& mine, const core::State& state, Instant now) {
  const auto found = state.services.find(mine.service->name);
  if (found == state.services.end() || found->second.evaluated != now) return;
  const std::vector<core::RuleState>& rules = found->second.rules;
  for (std::size_t i = 0; i < std::min(rules.size(), mine.levels.size()); ++i) {
    const auto& since = rules[i].true_since;
    const Duration hold = mine.service->rules[i].hold;
    const auto decides = std::find_if(since.begin(), since.end(),
                                      [&](const auto& one) { return one && now - *one >= hold; });
    if (decides != since.end())
      reached(mine.levels[i].at(static_cast<std::size_t>(decides - since.begin())));
  }
}

void Coverage::observe_validation(const core::Validation& validation, Instant now) {
  if (validation.policy != policy_ || (validation.finished && *validation.finished != now)) return;
  const auto mine = services_.find(validation.service);
  if (mine == services_.end()) return;
  const std::vector<std::size_t>& checks = mine->second.checks;
  for (std::size_t i = 0; i < std::min(checks.size(), validation.checks.size()); ++i)
    if (validation.checks[i].started) reached(checks[i]);
}

void Coverage::ordered(const core::State& state, const IncidentId& id, const ActionId& action) {
  const auto incident = state.incidents.find(id);
  if (incident == state.incidents.end() || state.policy != policy_) return;
  for (const core::ActionRun& run : incident->second.actions)
    if (run.id == action)
      if (const auto known = actions_.find(run.name); known != actions_.end())
        reached(known->second);
}

// An action that its playbook may only advise or observe is reached when it is said.
void Coverage::observe_effect(const core::State& state, const core::Effect& effect) {
  if (const auto* host = std::get_if<core::OrderHostAction>(&effect))
    return ordered(state, host->incident, host->action);
  if (const auto* http = std::get_if<core::RunHttpAction>(&effect))
    return ordered(state, http->incident, http->action);
  const auto* entry = std::get_if<core::PublishEntry>(&effect);
  if (entry == nullptr || state.policy != policy_) return;
  if (entry->entry.kind == "escalation") {
    const auto tier =
        tiers_.find(entry->entry.text.substr(0, entry->entry.text.find_first_of(":,")));
    if (tier != tiers_.end()) reached(tier->second);
  }
  if (entry->entry.kind != "action") return;
  constexpr std::array<std::string_view, 2> kSaid{"advised: run ", "would run (observing only): "};
  for (const std::string_view said : kSaid) {
    if (!entry->entry.text.starts_with(said)) continue;
    const std::string what = entry->entry.text.substr(said.size());
    const auto known = actions_.find(ActionName(what.substr(0, what.find(' '))));
    if (known != actions_.end()) reached(known->second);
  }
}

void Coverage::merge(const Coverage& other) {
  FB_ASSERT(other.policy_->digest == policy_->digest && other.items_.size() == items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i)
    items_[i].reached = items_[i].reached || other.items_[i].reached;
}

}  // namespace firebreak::rehearsal
