// A coordinator's core in a fuzzer's hands, held to its promises after every event:
//
// - what is accepted can be journaled and read back, byte for byte;
// - a restart's replay of the journal decides what the first life decided (a twin is fed from the
//   journal alone, and begins anew from a snapshot at each restart);
// - what grows is bounded;
// - time alone never keeps it busy;
// - what it asks of agents, they accept; what it tells people holds no control characters.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/step.h"
#include "coordinator/store/store.h"

namespace firebreak::fuzz {

// The policies that the fuzzer's coordinator knows: world.yaml and other_world.yaml.
std::shared_ptr<const policy::Policy> world_policy(bool other = false);

class World {
 public:
  World();  // with world_policy() in force

  void take(const core::Event& event);
  // The coordinator begins again, with this epoch.
  void restart(std::uint64_t epoch);
  // Ticks as the core asks for them.
  void pass(Duration time);
  // What is still to be said of its incidents: reports.
  void finish() const;

  [[nodiscard]] const core::State& state() const { return state_; }
  [[nodiscard]] Instant now() const { return now_; }
  // The oldest that has no answer yet, taken out.
  std::optional<core::SendProbeNow> next_request();
  std::optional<core::OrderHostAction> next_order();
  std::optional<core::SendNotification> next_notification();

 private:
  [[nodiscard]] core::Event journaled(const core::Event& event) const;
  void compare(const std::vector<core::Effect>& effects, const std::vector<core::Effect>& twins);
  void check_bounds() const;
  void check(const core::SendAssignment& effect);
  void check(const core::SendProbeNow& effect);
  void check(const core::OrderHostAction& effect);
  void check(const core::SendNotification& effect);
  template <class Other>
  void check(const Other& /*effect*/) {}

  core::State state_;
  core::State twin_;
  Instant now_;
  std::vector<core::SendProbeNow> requests_;
  std::vector<core::OrderHostAction> orders_;
  std::vector<core::SendNotification> notifications_;
};

}  // namespace firebreak::fuzz
