// Order, intent, action, outcome.
#include "tests/sim/actuator.h"

#include "agent/actuator/frame.h"
#include "agent/actuator/wire.h"
#include "common/limits.h"

namespace firebreak::sim {

using namespace std::chrono_literals;
using actuator::Outcome;
using actuator::State;

Actuator::Actuator(World& world, Host& host, std::function<void()> die)
    : world_(world), host_(host), die_(std::move(die)), process_(world.timeline) {
  actuator::Action restart;
  restart.name = "restart-web";
  restart.what = actuator::UnitCommand{"restart", "web.service"};
  restart.timeout = 20s;
  allowed_.emplace(restart.name, restart);
}

Instant Actuator::now() const {
  return begun_ + (host_.clock.steady() - begun_at_);
}

void Actuator::start() {
  process_.begin_life();
  history_ = {};
  damage_.clear();
  unsaved_.clear();
  for (const std::string& bytes : file_) {
    const auto record = actuator::decode_record(bytes);
    promise(static_cast<bool>(record), kJournal, [&] { return record.error().message; });
    history_.apply(*record);
  }
  begun_at_ = host_.clock.steady();
  begun_ =
      std::max(Instant{host_.clock.wall().time_since_epoch()}, history_.latest() + Duration{1});
  for (const ActionId& id : history_.running()) {
    Outcome outcome;
    outcome.id = id;
    outcome.state = State::unknown;
    outcome.detail = "the actuator ended while the action ran";
    save(outcome);
  }
}

void Actuator::crash() {
  process_.end_life();
  heard_ = nullptr;
}

void Actuator::reply(const Outcome& outcome) {
  if (heard_) heard_(actuator::encode_outcome_reply(outcome).substr(actuator::kFrameHeaderBytes));
}

void Actuator::request(std::string bytes) {
  process_.run([this, bytes = std::move(bytes), received = now()] {
    const auto request = actuator::decode_request(bytes);
    promise(static_cast<bool>(request), kBounded,
            [&] { return "the agent sent its actuator rubbish: " + request.error().message; });
    if (const auto* order = std::get_if<actuator::Order>(&*request))
      obey(*order, received);
    else if (const auto* acknowledged = std::get_if<actuator::Acknowledged>(&*request))
      acknowledge(acknowledged->id);
    else if (const auto* asked = std::get_if<actuator::Owed>(&*request))
      owed(asked->epoch);
  });
}

// Synchronous, as the real one: the process waits for its disk.
bool Actuator::append(const What& what) {
  if (!damage_.empty() || is_full) return false;
  const actuator::Record record{now(), what};
  if (failing_syncs > 0) {
    --failing_syncs;
    damage_ = "an fsync failed";
    // Whether the record is there is unknown; nothing was done on its behalf.
    if (world_.chance(50, world_.rng)) file_.push_back(actuator::encode_record(record));
    return false;
  }
  file_.push_back(actuator::encode_record(record));
  history_.apply(record);
  return true;
}

void Actuator::save(Outcome outcome) {
  if (!append(actuator::Ended{outcome}) && damage_.empty()) {
    unsaved_.push_back(std::move(outcome));
    process_.after(1s, [this] {
      for (Outcome& waiting : std::exchange(unsaved_, {})) save(std::move(waiting));
    });
    return;
  }
  reply(outcome);
}

void Actuator::obey(const actuator::Order& order, Instant received) {
  const actuator::Situation situation{allowed_, history_, 0, damage_, received, now()};
  const actuator::Decision decision = decide(order, situation);
  if (const auto* known = std::get_if<actuator::Known>(&decision)) return reply(known->outcome);
  if (std::holds_alternative<actuator::Start>(decision)) {
    promise(order.epoch >= host_.epoch_told, kFenced, [&] {
      return order.id.str() + " of epoch " + std::to_string(order.epoch) + " is obeyed on " +
             host_.agent.str() + ", whose actuator was told of epoch " +
             std::to_string(host_.epoch_told);
    });
    host_.epoch_told = order.epoch;
    return start_action(order, received);
  }
  const std::string& reason = std::get<actuator::Refuse>(decision).reason;
  ++world_.tally.orders_refused;
  world_.say(host_.agent.str().c_str(),
             [&] { return "actuator refuses " + order.id.str() + ": " + reason; });
  Outcome outcome;
  outcome.id = order.id;
  outcome.state = State::refused;
  outcome.detail = reason;
  if (damage_.empty()) {
    note_epoch(order.epoch);
    append(actuator::Ended{outcome});
  }
  host_.epoch_obeyed = std::max(host_.epoch_obeyed, history_.epoch_seen());
  reply(outcome);
}

void Actuator::start_action(const actuator::Order& order, Instant received) {
  if (!append(actuator::Intent{order.id, order.name, order.epoch})) {
    Outcome outcome;
    outcome.id = order.id;
    outcome.state = State::refused;
    outcome.detail = "the actuator's journal cannot be written, so nothing may run";
    return reply(outcome);
  }
  // The disk took its time: the process may die on either side of this moment.
  if (world_.strikes()) world_.timeline.after(world_.between(0ms, 20ms, world_.nemesis), die_);
  process_.after(world_.between(0ms, 20ms, world_.rng), [this, order, received] {
    if (is_expired(order, received, now())) {
      Outcome outcome;
      outcome.id = order.id;
      outcome.state = State::refused;
      outcome.detail = "the order expired while it was written to the journal";
      return save(outcome);
    }
    world_.say(host_.agent.str().c_str(), [&] { return "RUNS " + order.id.str(); });
    world_.ran(host_, order.id, order.epoch);
    Outcome outcome;
    outcome.id = order.id;
    outcome.state = State::started;
    reply(outcome);
    // What it does to the world does not depend on who watches it.
    const Duration took = world_.between(500ms, 25s, world_.rng);
    if (world_.strikes()) world_.timeline.after(world_.between(0ms, took, world_.nemesis), die_);
    if (world_.chance(60, world_.rng))
      world_.timeline.after(took, [this] { world_.targets.set_down(host_.agent.str(), false); });
    process_.after(took, [this, id = order.id, started = now()] { finish(id, started); });
  });
}

void Actuator::finish(const ActionId& action, Instant started) {
  Outcome outcome;
  outcome.id = action;
  outcome.took = now() - started;
  outcome.state = outcome.took > 20s              ? State::timed_out
                  : world_.chance(80, world_.rng) ? State::succeeded
                                                  : State::failed;
  outcome.exit_code = outcome.state == State::failed ? 1 : 0;
  outcome.output = "restarted";
  save(outcome);
}

void Actuator::acknowledge(const ActionId& action) {
  const auto* entry = history_.find(action);
  if (entry != nullptr && entry->outcome && !entry->acknowledged)
    append(actuator::Acknowledged{action});
}

void Actuator::note_epoch(std::uint64_t epoch) {
  host_.epoch_told = std::max(host_.epoch_told, epoch);
  if (epoch > history_.epoch_seen() && damage_.empty()) append(actuator::EpochSeen{epoch});
}

void Actuator::owed(std::uint64_t epoch) {
  note_epoch(epoch);
  std::vector<Outcome> owed;
  for (const auto& [id, entry] : history_.entries())
    if (entry.outcome && !entry.acknowledged) owed.push_back(*entry.outcome);
  for (const Outcome& outcome : owed) reply(outcome);
}

}  // namespace firebreak::sim
