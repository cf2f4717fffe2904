// What of a policy its tests have reached: levels of rules, stages, actions, checklist items, tiers
// of escalations, manual steps, recommendations.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/core/effect.h"
#include "coordinator/core/state.h"

namespace firebreak::rehearsal {

class Coverage {
 public:
  enum class Kind { rule, stage, action, check, tier, step, recommendation };
  struct Item {
    Kind kind;
    std::string name;  // "shop/1 P1 (!available('health'))", "shop/P1 stage 2 (at 5m)"
    bool reached = false;
  };

  explicit Coverage(std::shared_ptr<const policy::Policy> policy);

  // After a step: `effects` are its own. What another policy does does not count.
  void observe(const core::State& state, const std::vector<core::Effect>& effects, Instant now);
  // Of the same policy, read from the same files.
  void merge(const Coverage& other);

  [[nodiscard]] const std::vector<Item>& items() const { return items_; }
  [[nodiscard]] const policy::Policy& policy() const { return *policy_; }

 private:
  struct OfService {
    const policy::Service* service;
    std::vector<std::vector<std::size_t>> levels;  // by rule
    std::vector<std::size_t> checks;
  };

  std::size_t add(Kind kind, std::string name);
  void add_service(const policy::Service& service);
  void observe_rules(const OfService& mine, const core::State& state, Instant now);
  void observe_validation(const core::Validation& validation, Instant now);
  void observe_incident(const core::Incident& incident);
  void observe_effect(const core::State& state, const core::Effect& effect);
  void ordered(const core::State& state, const IncidentId& incident, const ActionId& action);
  void reached(std::size_t item) { items_[item].reached = true; }

  std::shared_ptr<const policy::Policy> policy_;
  std::vector<Item> items_;
  std::map<ServiceName, OfService> services_;
  std::vector<std::vector<std::size_t>> stages_;  // by playbook
  std::map<ActionName, std::size_t> actions_;
  std::map<std::string, std::size_t> tiers_;  // by what a timeline calls them: "tier 2 of on-call"
  std::vector<std::size_t> steps_;            // as in the policy
  std::vector<std::size_t> recommendations_;  // likewise
};

inline constexpr Coverage::Kind kCoverageKinds[] = {
    Coverage::Kind::rule,          Coverage::Kind::stage, Coverage::Kind::action,
    Coverage::Kind::check,         Coverage::Kind::tier,  Coverage::Kind::step,
    Coverage::Kind::recommendation};

[[nodiscard]] const char* to_string(Coverage::Kind kind);

}  // namespace firebreak::rehearsal
