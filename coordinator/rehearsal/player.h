// One test's timeline, played: docs/reference/policy-test.md says what may be in it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/rehearsal/expect.h"
#include "coordinator/rehearsal/world.h"

namespace firebreak::rehearsal {

// Every test begins at 2026-11-21T03:14:07Z: ids and timelines show it.
inline constexpr Instant kStart = instant_from_unix_us(1'795'230'847'000'000);

// The policy that a node names: its text, or paths beside the file that the node is in. Null:
// `mistakes` says why, and `details` what the policy's own problems are.
[[nodiscard]] std::shared_ptr<const policy::Policy> read_policy(const yaml::Node& node,
                                                                yaml::Problems& mistakes,
                                                                std::string& details);

// What holds from the beginning, of the file and of the test; missing where it is not said.
struct Setting {
  std::shared_ptr<const policy::Policy> policy;
  yaml::Node agents;
  std::vector<yaml::Node> results;
  std::vector<yaml::Node> actions;
};

class Player {
 public:
  explicit Player(const Findings& findings)
      : mistakes_(findings.mistakes), differences_(findings.differences), world_(kStart) {}

  void watch(Observer observer) { world_.watch(std::move(observer)); }
  // Goes on after a difference to find every mistake; only the entry that differs first tells.
  void play(const Setting& setting, const yaml::Node& timeline);
  [[nodiscard]] const World& world() const { return world_; }
  // What is wrong with policies that the timeline brings.
  [[nodiscard]] const std::string& policy_problems() const { return policy_problems_; }

 private:
  void begin(const Setting& setting);
  void read_agents(const yaml::Node& node);
  void play_entry(const yaml::Node& node, yaml::Problems& differences);
  void do_to_agents(yaml::MapReader& entry);
  void do_as_people(yaml::MapReader& entry);
  void declare(const yaml::Node& node);
  void do_for_quiet(yaml::MapReader& entry);
  void end_silence(const yaml::Node& node);
  void end_maintenance(const yaml::Node& node);
  void override_severity(const yaml::Node& node);
  void do_step(const yaml::Node& node);
  std::optional<Sight> read_sight(const yaml::Node& node);
  void read_what(yaml::MapReader& reader, Sight& sight);
  void read_seen(yaml::MapReader& reader, Sight& sight);
  void read_late(const yaml::Node& node);
  void read_ending(const yaml::Entry& entry);
  void read_facts(const yaml::Node& node);
  std::vector<AgentName> agents_of(const yaml::Node& node);
  std::optional<ProbeKey> key_of(const yaml::Node& node);
  // The open incident of the service that the node names; none: that is a refusal.
  std::optional<IncidentId> incident_of(const yaml::Node& node);
  void ask(const yaml::Node& node, decltype(core::OperatorAsked::what) what);

  yaml::Problems& mistakes_;
  yaml::Problems& differences_;
  World world_;
  std::vector<Refusal> refused_;
  std::string policy_problems_;
  int validations_ = 0;
  int declarations_ = 0;
};

}  // namespace firebreak::rehearsal
