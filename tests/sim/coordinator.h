// One coordinator process: the real ledger, core and sessions over the simulated disk and network.
// The loop around them is that of coordinator/engine/engine.cc and coordinator/ingest/agent_hub.cc,
// without threads: a commit takes time, and whatever is answered is answered after it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <firebreak/v1/agent.pb.h>

#include "coordinator/engine/ledger.h"
#include "coordinator/engine/sinks.h"
#include "coordinator/ingest/outgoing.h"
#include "coordinator/ingest/session.h"
#include "tests/sim/world.h"

namespace firebreak::sim {

class Coordinator final : public engine::AgentSink,
                          public engine::Sender,
                          public engine::WatchSink {
 public:
  // `name_of`: whose certificate a client on this host has. `died`: it has ended by itself.
  Coordinator(World& world, Host& host, std::function<AgentName(HostId)> name_of,
              std::function<void()> died);

  void start();
  void crash(bool power);
  void stop() { process_.stop(); }
  void go_on() { process_.go_on(); }
  [[nodiscard]] bool is_alive() const { return process_.is_alive(); }
  [[nodiscard]] bool is_stopped() const { return process_.is_stopped(); }
  [[nodiscard]] bool is_serving() const { return process_.is_alive() && is_serving_; }

  // What people ask; ignored unless it serves.
  void ask(core::Event event);
  void submit(core::Event event) { submit(std::move(event), {}); }

  // Only what is committed; nothing is being decided.
  [[nodiscard]] bool is_idle() const { return !is_busy_ && queue_.empty(); }
  [[nodiscard]] const core::State& state() const { return ledger_->state(); }

  void assign(const AgentName& agent, std::vector<std::pair<ProbeKey, ProbeSpec>> probes) override;
  void probe_now(core::SendProbeNow request) override;
  void order(core::OrderHostAction order) override;
  void order_ended(const ActionId& action) override;
  void confirm(core::ConfirmOutcome outcome) override;
  void send(core::SendNotification notification) override;
  void run(core::RunHttpAction action) override;
  void publish(const core::PublishEntry& entry) override;
  void publish(const core::PublishValidation& validation, const core::State& state) override;

 private:
  struct Stream {
    LinkId link = 0;
    ingest::Session session;
    ingest::Outgoing outgoing;
    std::deque<std::string> unread;
    std::size_t uncommitted = 0;
    bool is_held_back = false;
    bool has_ended = false;
    Instant reading_since{};
    std::set<RequestId> asked;
  };
  using StreamPtr = std::shared_ptr<Stream>;
  struct Input {
    core::Event event;
    std::function<void()> committed;
    bool is_asked = false;
  };

  [[nodiscard]] Instant now() const;
  // --- The engine ---
  void serve(engine::Ledger::Committed first);
  bool submit(core::Event event, std::function<void()> committed);
  void work();
  void process();
  void write(std::shared_ptr<std::vector<std::function<void()>>> answers, Duration retry_after);
  void after_sync(std::function<void()> what);
  void wait_for_due();
  std::vector<ActionId> let_out(engine::Ledger::Committed committed);
  void fail(const std::string& why);
  [[nodiscard]] bool is_full() const;
  void check_state() const;
  // What an action stands on: a target that is to be repaired, or what the rules of a service see.
  enum class Evidence { of_target, of_service };
  void check_evidence(const IncidentId& id, Evidence evidence,
                      const std::vector<std::string>& targets) const;

  // --- The hub ---
  std::optional<Peer> accept(LinkId link, HostId client);
  void read(const StreamPtr& stream);
  void received(const StreamPtr& stream, const std::string& bytes);
  void attach(const StreamPtr& stream, core::Event event);
  void take(const StreamPtr& stream, core::Event event);
  void committed(const StreamPtr& stream);
  void welcome(const StreamPtr& stream);
  void acknowledge(const StreamPtr& stream);
  void end(const StreamPtr& stream, const std::string& reason);
  void write(const StreamPtr& stream);
  void push(const StreamPtr& stream, v1::CoordinatorMessage message);
  void send_order(const StreamPtr& stream, const core::OrderHostAction& order);
  [[nodiscard]] StreamPtr welcomed(const AgentName& agent) const;
  void watch();

  World& world_;
  Host& host_;
  const std::function<AgentName(HostId)> name_of_;
  const std::function<void()> died_;
  Process process_;
  std::optional<engine::Ledger> ledger_;
  DiskStore* store_ = nullptr;  // the ledger's
  Instant origin_{};            // the time line, as SystemClock and the engine have it
  Instant origin_steady_{};
  Duration offset_{};
  Instant last_tick_{};
  bool is_serving_ = false;
  bool is_busy_ = false;
  std::uint64_t life_ = 0;
  std::uint64_t due_timer_ = 0;
  std::deque<Input> queue_;
  std::size_t queued_results_ = 0;
  std::map<LinkId, StreamPtr> streams_;
  std::map<AgentName, StreamPtr> attached_;
  std::map<AgentName, std::weak_ptr<Stream>> welcomed_;
  std::map<AgentName, std::map<ActionId, core::OrderHostAction>> orders_;
  std::map<ActionId, AgentName> order_agents_;
  std::uint64_t generation_ = 0;
};

}  // namespace firebreak::sim
