// One agent: the real schedule, outbox and link, with a simulated network and targets around them.
// What connects them is that of agent/agent.cc, agent/uplink.cc and agent/actuator_client.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/outbox.h"
#include "agent/schedule.h"
#include "agent/spool/log.h"
#include "agent/spool_work.h"
#include "agent/time_line.h"
#include "agent/uplink_fsm.h"
#include "tests/sim/actuator.h"
#include "tests/sim/world.h"

namespace firebreak::v1 {
class ActionOrder;
class ActionOutcome;
class AgentMessage;
class CoordinatorMessage;
class ProbeNow;
class Welcome;
}  // namespace firebreak::v1

namespace firebreak::sim {

inline constexpr HostId kCoordinators[] = {1, 2};

class Agent {
 public:
  // `actuator`: of the same host, or null.
  // `die`: crash it without power, and start it again some time later.
  Agent(World& world, Host& host, Actuator* actuator, std::function<void()> die);

  void start();
  // Killed: its memory is gone. `power`: nobody is told.
  void crash(bool power);
  void stop() { process_.stop(); }
  void go_on() { process_.go_on(); }
  [[nodiscard]] bool is_alive() const { return process_.is_alive(); }
  [[nodiscard]] bool is_stopped() const { return process_.is_stopped(); }
  void actuator_died();

  [[nodiscard]] const AgentName& name() const { return host_.agent; }
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] std::uint64_t kept() const { return outbox_ ? outbox_->size() : 0; }
  // In all lives, by the counts of outbox and spool.
  [[nodiscard]] std::uint64_t dropped() const {
    // Asked of the log: an agent may die between a drop and hearing of it.
    return dropped_before_ + (log_ ? log_->counts().dropped : 0) +
           (outbox_ ? outbox_->dropped() : 0);
  }
  [[nodiscard]] bool is_attached() const { return fsm_ && fsm_->is_attached(); }
  // What the spool has taken is on the coordinator's disk, still here, or dropped and counted.
  void check() const;

  static agent::OutboxLimits outbox_limits();

 private:
  // As agent/time_line.h has it.
  [[nodiscard]] Instant now() const { return Instant{agent::kBooted + host_.clock.since_boot()}; }
  [[nodiscard]] Instant when(Instant time) const {
    return host_.clock.when(time.time_since_epoch() - agent::kBooted);
  }

  // --- The link ---
  void resume(const agent::link::Event& event);
  void on(const agent::link::Open& open);
  void on(const agent::link::RememberEpoch& remember);
  void on(const agent::link::Attached& attached);
  void on(const agent::link::SendResults& send);
  void on(const agent::link::SendHeartbeat& send);
  void on(const agent::link::Close& close);
  void on(const agent::link::Stopped& stopped);
  void set_timer();
  void send(const v1::AgentMessage& message);
  void send_hello();
  void received(const std::string& bytes);
  void hand_on(const v1::CoordinatorMessage& message);
  void welcome(const v1::Welcome& message);
  bool acked(std::uint64_t seq);

  // --- The spool ---
  void open_spool();
  [[nodiscard]] spool::Now spool_now() const;
  void work_if_due();
  void work(agent::SpoolWork work);
  void spooled(agent::SpoolDone done);

  // --- Probing ---
  void assign(const v1::CoordinatorMessage& message);
  void wait_for_due();
  void run_due();
  Observation look(const ProbeSpec& spec);
  void report(const agent::Judgement& judgement, Instant started, Observation observation);
  void probe_now(const v1::ProbeNow& message);

  // --- Acting ---
  struct Waiting {
    std::string action;
    std::uint64_t epoch = 0;
    std::string order;  // encoded
    Instant received;
  };
  void obey(const v1::ActionOrder& order);
  void hand_over(const Waiting& waiting);
  void refresh();
  void connect_actuator();
  void actuator_said(const std::string& bytes);
  void send_outcome(const v1::ActionOutcome& outcome);

  World& world_;
  Host& host_;
  Actuator* actuator_;
  const std::function<void()> die_;
  Process process_;
  std::uint64_t incarnation_ = 0;
  std::optional<agent::Schedule> schedule_;
  std::unique_ptr<spool::Log> log_;
  spool::LogCounts counts_;  // of this life
  std::optional<agent::Outbox> outbox_;
  std::optional<agent::UplinkFsm> fsm_;
  std::optional<LinkId> link_;
  std::optional<Instant> timer_at_;
  std::uint64_t timer_ = 0;  // the newest counts
  std::optional<Instant> due_at_;
  std::uint64_t due_timer_ = 0;
  std::uint64_t welcome_acked_ = 0;
  std::string protocol_error_;
  bool has_sent_ = false;
  // Which results have which sequence numbers, for the checks.
  std::map<std::uint64_t, std::uint64_t> sent_;
  std::set<std::uint64_t> spooled_;   // results that the spool has taken, not yet acknowledged
  std::uint64_t dropped_before_ = 0;  // in earlier lives
  std::deque<Waiting> waiting_;       // orders that the actuator has not answered
  bool has_actuator_ = false;         // a connection to it
};

}  // namespace firebreak::sim
