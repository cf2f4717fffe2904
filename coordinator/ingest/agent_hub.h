// The agents that are attached: their streams into the engine, the engine's wishes into their
// streams.
//
// Who an agent is comes from its certificate. An agent has one stream, the newest. What an agent
// gets wrong ends its own stream and nothing else. Results are acknowledged when they are
// committed, never before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/limits.h"
#include "common/time.h"
#include "coordinator/engine/engine.h"
#include "coordinator/engine/sinks.h"
#include "coordinator/ingest/token_bucket.h"

namespace grpc {
class Service;
}

namespace firebreak::ingest {

// Thread-safe, but for what engine::AgentSink says. Outlives the gRPC server and the engine's run.
class AgentHub final : public engine::AgentSink {
 public:
  // Since the start, for showing.
  struct Counters {
    std::uint64_t attached = 0;   // now
    std::uint64_t refused = 0;    // streams of somebody who is no agent, or of too many
    std::uint64_t malformed = 0;  // streams ended for what the agent sent
    std::uint64_t replaced = 0;   // by a newer stream of the same agent
    std::uint64_t silent = 0;
    std::uint64_t put_off = 0;  // asked to attach later: too many wanted to at once
  };
  // How often an agent's stream was not read for a while because it had sent too much, and for how
  // long altogether.
  struct Throttled {
    std::uint64_t times = 0;
    Duration held{};
  };

  struct Settings {
    std::string version;  // told to agents
    Duration look_every =
        kLookEvery;  // for agents that have gone silent, and heartbeats that are due
    Rate attaches = {limits::kAttachesPerSecond, limits::kAttachesBurst};
    std::uint64_t seed = 0;  // of what agents are asked to wait
  };
  // A dead link is found within limits::kPeerSilenceMax and this.
  static constexpr Duration kLookEvery = std::chrono::milliseconds(500);

  // `engine` and `clock` outlive the hub.
  AgentHub(engine::Engine& engine, const Clock& clock, Settings settings);
  ~AgentHub() override;
  AgentHub(const AgentHub&) = delete;
  AgentHub& operator=(const AgentHub&) = delete;

  // AgentService, for grpc::ServerBuilder.
  [[nodiscard]] grpc::Service& service();
  // Asks every agent to leave and to come back after `reconnect_after`; new ones are refused.
  void drain(const std::string& reason, Duration reconnect_after);
  [[nodiscard]] Counters counters() const;
  // Of this agent, since the start.
  [[nodiscard]] Throttled throttled(const AgentName& agent) const;

  void assign(const AgentName& agent, std::vector<std::pair<ProbeKey, ProbeSpec>> probes) override;
  void probe_now(core::SendProbeNow request) override;
  void order(core::OrderHostAction order) override;
  void order_ended(const ActionId& action) override;
  void confirm(core::ConfirmOutcome outcome) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::ingest
