// What happens to an agent, and what it does about it.
#include "tests/sim/agent.h"

#include <algorithm>
#include <array>
#include <utility>

#include <firebreak/v1/actuator.pb.h>
#include <firebreak/v1/agent.pb.h>

#include "agent/inbound.h"
#include "common/limits.h"
#include "proto/wire.h"

namespace firebreak::sim {

using namespace std::chrono_literals;
namespace link = agent::link;

Agent::Agent(World& world, Host& host, Actuator* actuator, std::function<void()> die)
    : world_(world),
      host_(host),
      actuator_(actuator),
      die_(std::move(die)),
      process_(world.timeline) {}

// Small, so that a simulated trouble of minutes reaches them.
agent::OutboxLimits Agent::outbox_limits() {
  agent::OutboxLimits limits;
  limits.pending_max = 12;
  limits.ready_max = 24;
  limits.batch_results_max = 12;
  limits.batches_in_flight_max = 4;
  return limits;
}

void Agent::start() {
  process_.begin_life();
  open_spool();
  schedule_.emplace(host_.agent.str());
  const agent::SpoolStart start = agent::start_of(*log_);
  incarnation_ = start.incarnation;
  outbox_.emplace(outbox_limits(), start);
  agent::UplinkOptions options;
  options.coordinators = std::size(kCoordinators);
  options.epoch_seen = host_.epoch_on_disk;
  fsm_.emplace(options, *outbox_, Rng(world_.rng.next()));
  world_.say(name().str().c_str(),
             [&] { return "starts, incarnation " + std::to_string(incarnation_); });
  connect_actuator();
  resume(link::Started{});
}

void Agent::crash(bool power) {
  world_.say(name().str().c_str(), [] { return "CRASHES"; });
  process_.end_life();
  world_.network.drop_host(host_.id, power);
  if (actuator_ != nullptr) actuator_->disconnect();
  link_.reset();
  timer_at_.reset();
  due_at_.reset();
  has_actuator_ = false;
  waiting_.clear();
  welcome_acked_ = 0;
  protocol_error_.clear();
  fsm_.reset();
  dropped_before_ = dropped();
  counts_ = {};
  outbox_.reset();
  log_.reset();
  schedule_.reset();
  if (!power) return host_.spool.crash(testing::FakeFiles::Survives::all);
  constexpr std::array kSurvives{testing::FakeFiles::Survives::nothing,
                                 testing::FakeFiles::Survives::torn,
                                 testing::FakeFiles::Survives::scrambled};
  host_.spool.crash(kSurvives[world_.rng.below(kSurvives.size())]);
  ++host_.boots;
  host_.clock.reboot();
}

// --- The spool -----------------------------------------------------------------------------------

spool::Now Agent::spool_now() const {
  return {"boot-" + std::to_string(host_.boots), agent::kBooted, now().time_since_epoch(),
          host_.clock.wall()};
}

void Agent::open_spool() {
  auto log = spool::Log::open(host_.spool, {}, spool_now(), world_.rng.next() | 1);
  promise(static_cast<bool>(log), kLiveness, [&] { return "no spool: " + log.error().message; });
  log_ = std::make_unique<spool::Log>(std::move(*log));
}

void Agent::work_if_due() {
  if (const auto due = outbox_->work_due(); due && *due <= now()) work(outbox_->take_work());
}

// As on the thread that waits for the disk. It may die before, within, and before it has told.
void Agent::work(agent::SpoolWork work) {
  if (world_.strikes())
    host_.spool.plan({testing::FakeFiles::Fault::crash,
                      host_.spool.operations() + 1 + world_.nemesis.below(5), 1});
  process_.after(World::between(100us, 15ms, world_.rng), [this, work = std::move(work)] {
    auto done = std::make_shared<agent::SpoolDone>(
        agent::perform(*log_, work, spool_now(), world_.rng.next() | 1));
    if (host_.spool.has_crashed()) {
      world_.timeline.after(0us, die_);
      return;
    }
    if (done->is_written)
      for (const spool::Entry& entry : done->work.entries)
        if (const auto id = result_id(entry.observation.evidence)) spooled_.insert(*id);
    world_.tally.results_spooled += done->is_written ? done->work.entries.size() : 0;
    if (world_.strikes()) world_.timeline.after(0us, die_);
    process_.after(0us, [this, done] { spooled(std::move(*done)); });
  });
}

void Agent::spooled(agent::SpoolDone done) {
  counts_ = done.counts;
  promise(done.incarnation == incarnation_, kOnce, "the spool has changed its name");
  promise(counts_.bytes <= spool::LogLimits{}.bytes_max, kBounded,
          [&] { return "the spool of " + name().str(); });
  outbox_->work_done(std::move(done), now());
  resume(link::Woken{});
}

// --- The link ------------------------------------------------------------------------------------

void Agent::resume(const link::Event& event) {
  const auto perform = [this](const std::vector<link::Action>& actions) {
    for (const link::Action& action : actions)
      std::visit([this](const auto& what) { on(what); }, action);
  };
  has_sent_ = false;
  perform(fsm_->resume(event, now()));
  while (std::exchange(has_sent_, false)) perform(fsm_->resume(link::Woken{}, now()));
  work_if_due();
  set_timer();
}

void Agent::set_timer() {
  const Instant wake = std::min(fsm_->next_wake(), outbox_->work_due().value_or(Instant::max()));
  if (timer_at_ && wake == *timer_at_) return;
  timer_at_ = wake;
  const std::uint64_t timer = ++timer_;
  if (wake == Instant::max()) return;
  process_.at(when(wake), [this, timer] {
    if (timer != timer_) return;
    timer_at_.reset();
    resume(link::Woken{});
  });
}

void Agent::on(const link::Open& open) {
  outbox_->restart_stream();
  const HostId coordinator = kCoordinators[open.coordinator];
  const auto if_this = [this](LinkId id, auto what) {
    process_.run([this, id, what = std::move(what)] {
      if (link_ == id) what();
    });
  };
  // The id is known only once the link is open.
  const auto id = std::make_shared<LinkId>(0);
  Peer peer;
  peer.received = [this, if_this, id](std::string bytes) {
    if_this(*id, [this, bytes = std::move(bytes)] { received(bytes); });
  };
  peer.ended = [this, if_this, id](const std::string& reason) {
    if_this(*id, [this, reason] { resume(link::Broken{reason}); });
  };
  link_ = *id = world_.network.open(host_.id, coordinator, std::move(peer));
  world_.say(name().str().c_str(),
             [&] { return "dials coordinator " + std::to_string(coordinator); });
  send_hello();
}

void Agent::on(const link::RememberEpoch& remember) {
  promise(remember.epoch >= host_.epoch_obeyed, kFenced, [&] {
    return name().str() + " obeys epoch " + std::to_string(remember.epoch) + " after epoch " +
           std::to_string(host_.epoch_obeyed);
  });
  host_.epoch_obeyed = host_.epoch_on_disk = remember.epoch;
}

void Agent::on(const link::Attached&) {
  if (!acked(welcome_acked_)) return;
  world_.say(name().str().c_str(), [&] {
    return "attached, epoch " + std::to_string(fsm_->epoch_seen()) + ", acknowledged " +
           std::to_string(welcome_acked_);
  });
  refresh();
}

// As agent/actuator_client.cc does.
void Agent::refresh() {
  std::erase_if(waiting_, [this](const Waiting& one) { return one.epoch < fsm_->epoch_seen(); });
  if (!has_actuator_) return;
  v1::ActuatorRequest owed;
  owed.mutable_owed()->set_epoch(is_attached() ? fsm_->epoch_seen() : 0);
  actuator_->request(owed.SerializeAsString());
}

bool Agent::acked(std::uint64_t seq) {
  const std::uint64_t before = outbox_->first_unacked_seq();
  const auto done = outbox_->ack(seq, now());
  promise(static_cast<bool>(done), kAcked,
          [&] { return name().str() + ": " + done.error().message; });
  std::vector<std::uint64_t> ids;
  for (std::uint64_t each = before; each <= seq; ++each) {
    const auto found = sent_.find(each);
    if (found == sent_.end()) continue;
    ids.push_back(found->second);
    sent_.erase(found);
  }
  for (const std::uint64_t id : ids) spooled_.erase(id);
  world_.results_forgotten(name(), ids);
  return true;
}

void Agent::on(const link::SendResults&) {
  if (!link_ || !protocol_error_.empty() || !outbox_->can_send()) return;
  const wire::Batch batch = outbox_->take_batch(now());
  // Sent once, then dropped at a bound, and owned up to: check() holds that count against the
  // spool's.
  sent_.erase(sent_.lower_bound(batch.first_seq - batch.dropped_before),
              sent_.lower_bound(batch.first_seq));
  for (std::size_t i = 0; i < batch.results.size(); ++i) {
    const auto id = result_id(batch.results[i].observation.evidence);
    const auto [known, is_new] = sent_.emplace(batch.first_seq + i, id.value_or(0));
    promise(known->second == id.value_or(0), kOnce, [&] {
      return name().str() + " gives sequence number " + std::to_string(known->first) +
             " to another result";
    });
    if (!is_new) ++world_.tally.results_repeated;
  }
  world_.say(name().str().c_str(), [&] {
    return "sends results " + std::to_string(batch.first_seq) + " to " +
           std::to_string(batch.first_seq + batch.results.size() - 1) + ", dropped before " +
           std::to_string(batch.dropped_before);
  });
  v1::AgentMessage message;
  *message.mutable_results() = wire::to_proto(batch);
  send(message);
  has_sent_ = true;
}

void Agent::on(const link::SendHeartbeat&) {
  if (!link_) return;
  v1::AgentMessage message;
  message.mutable_heartbeat()->set_monotonic_us(unix_us(now()));
  send(message);
}

void Agent::on(const link::Close& close) {
  world_.say(name().str().c_str(), [&] { return "closes its link: " + close.reason; });
  if (link_) world_.network.close(*std::exchange(link_, {}), Side::client);
  outbox_->end_stream();
}

void Agent::on(const link::Stopped&) {}

void Agent::send(const v1::AgentMessage& message) {
  if (link_) world_.network.send(*link_, Side::client, world_.as_sent(message.SerializeAsString()));
}

void Agent::send_hello() {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_incarnation(incarnation_);
  hello.set_version("sim");
  hello.set_protocol(1);
  (*hello.mutable_labels())["host"] = name().str();
  hello.set_wall_unix_us(host_.clock.wall().time_since_epoch().count());
  hello.set_monotonic_us(unix_us(now()));
  hello.set_first_unacked_seq(outbox_->first_unacked_seq());
  if (actuator_ != nullptr) hello.add_actions("restart-web");
  hello.set_epoch_seen(fsm_->epoch_seen());
  send(message);
}

void Agent::received(const std::string& bytes) {
  v1::CoordinatorMessage message;
  promise(message.ParseFromString(bytes), kBounded, "a coordinator sent rubbish");
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kWelcome:
      return welcome(message.welcome());
    case v1::CoordinatorMessage::kAck:
      if (fsm_->is_attached() && !acked(message.ack().seq()))
        return resume(link::Broken{std::exchange(protocol_error_, {})});
      return resume(link::Received{});
    case v1::CoordinatorMessage::kDrain:
      return resume(link::DrainAsked{Duration{message.drain().reconnect_after_us()}});
    default:
      break;
  }
  resume(link::Received{});
  const auto state = fsm_->state();
  if (state == agent::UplinkFsm::State::streaming || state == agent::UplinkFsm::State::draining)
    hand_on(message);
}

void Agent::hand_on(const v1::CoordinatorMessage& message) {
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kAssignment:
      return assign(message);
    case v1::CoordinatorMessage::kProbeNow:
      return probe_now(message.probe_now());
    case v1::CoordinatorMessage::kActionOrder:
      return obey(message.action_order());
    case v1::CoordinatorMessage::kOutcomeAck:
      if (has_actuator_) {
        v1::ActuatorRequest request;
        request.mutable_ack()->set_action_id(message.outcome_ack().action_id());
        actuator_->request(request.SerializeAsString());
      }
      return;
    default:
      return;
  }
}

void Agent::welcome(const v1::Welcome& message) {
  if (message.protocol() != 1) return resume(link::Broken{"another protocol"});
  welcome_acked_ = message.acked_seq();
  resume(link::Welcomed{message.epoch()});
  if (!protocol_error_.empty()) resume(link::Broken{std::exchange(protocol_error_, {})});
}

// --- Probing -------------------------------------------------------------------------------------

void Agent::assign(const v1::CoordinatorMessage& message) {
  auto assignment = agent::from_proto(message.assignment());
  promise(static_cast<bool>(assignment) && assignment->refused.empty(), kBounded,
          "an agent refuses what an honest coordinator assigns");
  schedule_->replace(std::move(assignment->probes), now());
  wait_for_due();
}

void Agent::wait_for_due() {
  const auto due = schedule_->next_due();
  if (due == due_at_) return;
  due_at_ = due;
  const std::uint64_t timer = ++due_timer_;
  if (!due) return;
  process_.at(when(*due), [this, timer] {
    if (timer != due_timer_) return;
    due_at_.reset();
    run_due();
  });
}

void Agent::run_due() {
  const Instant at = now();
  for (const agent::DueRun& run : schedule_->take_due(at)) {
    Observation seen = look(*run.spec);
    process_.after(seen.latency, [this, id = run.id, at, seen] {
      const auto judgement = schedule_->finished(id, seen.status, now());
      if (judgement) report(*judgement, at, seen);
    });
  }
  wait_for_due();
}

Observation Agent::look(const ProbeSpec& spec) {
  Observation seen;
  seen.latency = world_.between(2ms, 60ms, world_.rng);
  if (host_.is_blind) {
    seen.status = Status::unknown;
    seen.reason = Reason::prober;
    return seen;
  }
  const std::string target = target_of(name(), spec);
  const bool is_down = world_.targets.is_down(target);
  world_.saw(target, is_down);
  if (is_down) {
    seen.status = Status::critical;
    seen.reason = Reason::refused;
    seen.phase = Phase::connect;
  } else {
    seen.status = Status::ok;
    seen.reason = Reason::none;
  }
  return seen;
}

void Agent::report(const agent::Judgement& judgement, Instant started, Observation observation) {
  ++world_.tally.results_made;
  observation.evidence = "r" + std::to_string(world_.next_result());
  const auto pushed = outbox_->push({judgement.key, judgement.confirmed, judgement.news,
                                     started.time_since_epoch(), std::move(observation)},
                                    now());
  promise(static_cast<bool>(pushed), kBounded, "the outbox takes no further series");
  promise(outbox_->pending() <= outbox_limits().pending_max, kBounded, [&] {
    return name().str() + " has " + std::to_string(outbox_->pending()) +
           " results in memory, at most " + std::to_string(outbox_limits().pending_max) +
           " are allowed";
  });
  resume(link::Woken{});
  wait_for_due();
}

void Agent::probe_now(const v1::ProbeNow& message) {
  const auto asked = agent::from_proto(message);
  promise(asked && asked->spec, kBounded, "an agent refuses an honest coordinator's request");
  const Instant at = now();
  const Observation seen = look(*asked->spec);
  process_.after(seen.latency, [this, asked = *asked, at, seen] {
    v1::AgentMessage answer;
    answer.mutable_probe_now_result()->set_request_id(asked.request.str());
    *answer.mutable_probe_now_result()->mutable_observation() = wire::to_proto(seen);
    if (fsm_->is_attached()) send(answer);
    if (!asked.key) return;
    const auto judgement = schedule_->observed(*asked.key, seen.status, now());
    if (judgement) report(*judgement, at, seen);
  });
}

// --- Acting --------------------------------------------------------------------------------------

void Agent::send_outcome(const v1::ActionOutcome& outcome) {
  if (!fsm_->is_attached()) return;
  v1::AgentMessage message;
  *message.mutable_action_outcome() = outcome;
  send(message);
}

void Agent::obey(const v1::ActionOrder& order) {
  const auto checked = agent::check(order);
  promise(static_cast<bool>(checked), kBounded, "an agent refuses an honest coordinator's order");
  world_.say(name().str().c_str(), [&] { return "is ordered " + order.action_id(); });
  if (actuator_ == nullptr) {
    v1::ActionOutcome outcome;
    outcome.set_action_id(order.action_id());
    outcome.set_state(v1::ACTION_STATE_REFUSED);
    outcome.set_detail("this host only probes");
    return send_outcome(outcome);
  }
  std::erase_if(waiting_, [&](const Waiting& one) { return one.action == order.action_id(); });
  if (waiting_.size() >= limits::kOrdersHeldMax) return;
  waiting_.push_back({order.action_id(), order.epoch(), order.SerializeAsString(), now()});
  hand_over(waiting_.back());
}

void Agent::hand_over(const Waiting& waiting) {
  if (!has_actuator_) return;
  promise(waiting.epoch >= host_.epoch_obeyed, kFenced, [&] {
    return name().str() + " hands over " + waiting.action + " of epoch " +
           std::to_string(waiting.epoch) + ", after epoch " + std::to_string(host_.epoch_obeyed) +
           " was obeyed there";
  });
  v1::ActuatorRequest request;
  request.mutable_order()->ParseFromString(waiting.order);
  const auto waited = (now() - waiting.received).count();
  request.mutable_order()->set_valid_for_us(
      std::max<std::int64_t>(request.order().valid_for_us() - waited, 0));
  actuator_->request(request.SerializeAsString());
}

void Agent::connect_actuator() {
  if (actuator_ == nullptr || has_actuator_) return;
  if (!actuator_->is_alive()) {
    process_.after(world_.between(200ms, 10s, world_.rng), [this] { connect_actuator(); });
    return;
  }
  has_actuator_ = true;
  actuator_->connect([this](std::string bytes) {
    process_.after(100us, [this, bytes = std::move(bytes)] { actuator_said(bytes); });
  });
  refresh();
  for (const Waiting& waiting : waiting_) hand_over(waiting);
}

void Agent::actuator_died() {
  if (!has_actuator_) return;
  has_actuator_ = false;
  process_.after(world_.between(200ms, 2s, world_.rng), [this] { connect_actuator(); });
}

void Agent::actuator_said(const std::string& bytes) {
  v1::ActuatorReply reply;
  promise(reply.ParseFromString(bytes) && reply.has_outcome(), kBounded,
          "the actuator sent rubbish");
  std::erase_if(waiting_,
                [&](const Waiting& one) { return one.action == reply.outcome().action_id(); });
  send_outcome(reply.outcome());
}

void Agent::check() const {
  std::uint64_t missing = 0;
  for (const std::uint64_t id : spooled_) missing += world_.disk.has_result(id) ? 0U : 1U;
  promise(missing <= dropped() + kept(), kAcked, [&] {
    return std::to_string(missing) + " results that the spool of " + name().str() +
           " had taken are nowhere; it has counted " + std::to_string(dropped()) +
           " and still keeps " + std::to_string(kept());
  });
}

}  // namespace firebreak::sim
