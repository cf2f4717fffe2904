// A host's actuator: the real decisions over the real history; its file and its processes are a
// model with a durable half. The steps between are those of agent/actuator/server.cc.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/actuator/decide.h"
#include "agent/actuator/history.h"
#include "common/result.h"
#include "tests/sim/world.h"

namespace firebreak::sim {

class Actuator {
 public:
  // `die`: crash it, and start it again some time later.
  Actuator(World& world, Host& host, std::function<void()> die);

  void start();
  void crash();
  void stop() { process_.stop(); }
  void go_on() { process_.go_on(); }
  [[nodiscard]] bool is_alive() const { return process_.is_alive(); }
  [[nodiscard]] bool is_open() const { return process_.is_alive() && damage_.empty(); }

  // The agent's connection; `heard` gets an ActuatorReply. Nothing comes through while there is
  // none.
  void connect(std::function<void(std::string reply)> heard) { heard_ = std::move(heard); }
  void disconnect() { heard_ = nullptr; }
  // An ActuatorRequest.
  void request(std::string bytes);

  [[nodiscard]] const actuator::History& history() const { return history_; }
  int failing_syncs = 0;
  bool is_full = false;

 private:
  using What =
      std::variant<actuator::Intent, actuator::Ended, actuator::Acknowledged, actuator::EpochSeen>;
  bool append(const What& what);
  void obey(const actuator::Order& order, Instant received);
  void acknowledge(const ActionId& action);
  void note_epoch(std::uint64_t epoch);
  void owed(std::uint64_t epoch);
  void start_action(const actuator::Order& order, Instant received);
  void finish(const ActionId& action, Instant started);
  void save(actuator::Outcome outcome);
  void reply(const actuator::Outcome& outcome);
  [[nodiscard]] Instant now() const;

  World& world_;
  Host& host_;
  const std::function<void()> die_;
  Process process_;
  actuator::AllowList allowed_;
  std::vector<std::string> file_;  // encoded records, durable
  actuator::History history_;
  Instant begun_{};     // this life's time line, as SystemClock has it
  Instant begun_at_{};  // on the steady clock
  std::string damage_;
  std::vector<actuator::Outcome> unsaved_;
  std::function<void(std::string)> heard_;
};

}  // namespace firebreak::sim
