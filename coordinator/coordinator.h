// The coordinator as a whole: store, engine, agents, operators and what is sent, wired together.
#pragma once

#include <functional>
#include <memory>

#include "common/clock.h"
#include "common/result.h"
#include "coordinator/config.h"
#include "coordinator/policy/policy.h"

namespace firebreak::coordinator {

// From the folder that the configuration names. Refused: the message holds every problem with its
// place, rendered for a terminal.
Result<std::shared_ptr<const policy::Policy>> load_policy_directory(const std::string& directory);

// Used by one thread.
class Coordinator {
 public:
  // Opens the store, recovers, applies the folder's policy when it is new, listens. `clock`
  // outlives it; `on_fatal` is called on another thread, at most once, when the store cannot be
  // written any more: the process must end then, at once.
  static Result<std::unique_ptr<Coordinator>> start(Config config, const Clock& clock,
                                                    std::function<void(const Error&)> on_fatal);
  ~Coordinator();  // stop()
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // What the system chose when the configuration says port 0.
  [[nodiscard]] int port() const;
  // Reads the folder again. An error: it is refused, and the policy before stays in force.
  Result<> reload_policy();
  // Tells systemd that the owner thread lives and what it sees, from that thread itself.
  void report_health();
  // Asks the agents to leave, commits what has arrived, ends. Takes limits::kDrainTimeout at most,
  // and as long as one commit.
  void stop();

 private:
  class Parts;
  explicit Coordinator(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::coordinator
