// Batches, answers and streams.
#include "tests/sim/coordinator.h"

#include <algorithm>
#include <utility>

#include "common/broken.h"
#include "common/limits.h"
#include "coordinator/core/step.h"
#include "coordinator/engine/dispatch.h"
#include "coordinator/ingest/convert.h"

namespace firebreak::sim {

using namespace std::chrono_literals;

namespace {

std::size_t weight(const core::Event& event) {
  const auto* results = std::get_if<core::ResultsReceived>(&event);
  return results == nullptr ? 0 : results->rows.size();
}

// The most severe is the first; without a severity of the rules they call for none.
bool is_raised(const std::optional<core::SeverityOverride>& said) {
  return said && (!said->rules || said->severity < *said->rules);
}

}  // namespace

Coordinator::Coordinator(World& world, Host& host, std::function<AgentName(HostId)> name_of,
                         std::function<void()> died)
    : world_(world),
      host_(host),
      name_of_(std::move(name_of)),
      died_(std::move(died)),
      process_(world.timeline) {}

Instant Coordinator::now() const {
  return origin_ + (host_.clock.steady() - origin_steady_) + offset_;
}

constexpr Duration kEvidenceSlack = 5s;  // news travels at once, the rest after a second

// --- The engine ----------------------------------------------------------------------------------

void Coordinator::start() {
  process_.begin_life();
  ++life_;
  world_.say("coordinator", [&] { return std::to_string(host_.id) + " starts"; });
  origin_ = Instant{host_.clock.wall().time_since_epoch()};
  origin_steady_ = host_.clock.steady();
  offset_ = {};
  auto store = std::make_unique<DiskStore>(world_.disk, world_.rng, compile);
  store_ = store.get();  // the ledger keeps it
  ledger_.emplace(std::move(store));
  const auto recovery = ledger_->recover();
  if (!recovery) return fail(recovery.error().message);
  offset_ = std::max(Duration::zero(), recovery->last + Duration{1} - now());
  process_.after(world_.between(20ms, 400ms, world_.rng), [this] {
    auto begun = ledger_->begin(now());
    if (!begun) return fail(begun.error().message);
    is_busy_ = true;
    after_sync([this, first = std::make_shared<engine::Ledger::Committed>(std::move(*begun))] {
      serve(std::move(*first));
    });
  });
}

void Coordinator::serve(engine::Ledger::Committed first) {
  (void)let_out(std::move(first));
  world_.say("coordinator", [&] {
    return std::to_string(host_.id) + " serves, epoch " + std::to_string(state().epoch);
  });
  world_.network.listen(host_.id,
                        [this](LinkId link, HostId client) { return accept(link, client); });
  process_.after(limits::kHeartbeatInterval, [this] { watch(); });
  is_serving_ = true;
  if (!state().policy) submit(core::PolicyChanged{policy_of(PolicyKind::usual), "directory"});
  work();
}

void Coordinator::crash(bool power) {
  world_.say("coordinator",
             [&] { return std::to_string(host_.id) + (power ? " LOSES POWER" : " CRASHES"); });
  process_.end_life();
  // Killed in the middle of a sync the data may be on the disk; without power, perhaps not.
  world_.disk.lose_unsynced(world_.rng);
  world_.network.drop_host(host_.id, power);
  is_serving_ = is_busy_ = false;
  ledger_.reset();
  store_ = nullptr;
  queue_.clear();
  queued_results_ = 0;
  streams_.clear();
  attached_.clear();
  welcomed_.clear();
  orders_.clear();
  order_agents_.clear();
  last_tick_ = {};
}

void Coordinator::fail(const std::string& why) {
  world_.say("coordinator", [&] { return std::to_string(host_.id) + " gives up: " + why; });
  if (why.find("taken over") != std::string::npos) ++world_.tally.stale_refused;
  crash(false);
  died_();
}

bool Coordinator::is_full() const {
  return queue_.size() >= limits::kIngestQueueEventsMax ||
         queued_results_ >= limits::kIngestQueueResultsMax;
}

bool Coordinator::submit(core::Event event, std::function<void()> committed) {
  if (!is_serving_) return false;
  queued_results_ += weight(event);
  queue_.push_back({std::move(event), std::move(committed), false});
  work();
  return !is_full();
}

void Coordinator::ask(core::Event event) {
  if (!is_serving()) return;
  process_.run([this, event = std::move(event)] {
    queue_.push_back({event, {}, true});
    work();
  });
}

// What arrives while the disk is busy is the next batch.
void Coordinator::work() {
  if (is_busy_) return;
  is_busy_ = true;
  process_.after(Duration{0}, [this] { process(); });
}

void Coordinator::process() {
  const Instant at = now();
  auto answers = std::make_shared<std::vector<std::function<void()>>>();
  std::size_t results = 0;
  for (std::size_t taken = 0;
       !queue_.empty() && taken < limits::kCommitEventsMax && results < limits::kCommitResultsMax;
       ++taken) {
    Input input = std::move(queue_.front());
    queue_.pop_front();
    results += weight(input.event);
    queued_results_ -= weight(input.event);
    if (input.committed) answers->push_back(std::move(input.committed));
    if (input.is_asked && !core::admissible(ledger_->state(), input.event)) continue;
    ledger_->add(std::move(input.event), at);
  }
  const auto wanted = core::next_wake(ledger_->state());
  if (wanted && *wanted <= at && last_tick_ + limits::kTickIntervalMin <= at) {
    last_tick_ = at;
    ledger_->add(core::Tick{}, at);
  }
  if (ledger_->is_empty()) {
    is_busy_ = false;
    return wait_for_due();
  }
  write(answers, limits::kStoreRetryFirst);
}

// As long as the disk is full the batch is kept, and nothing else is decided.
void Coordinator::write(std::shared_ptr<std::vector<std::function<void()>>> answers,
                        Duration retry_after) {
  auto done = ledger_->commit();
  if (!done && done.error().code == Errc::resource_exhausted) {
    process_.after(retry_after, [this, answers = std::move(answers), retry_after] {
      write(answers, std::min<Duration>(2 * retry_after, limits::kStoreRetryLongest));
    });
    return;
  }
  if (!done) return fail(done.error().message);
  after_sync([this, answers, done = std::make_shared<engine::Ledger::Committed>(std::move(*done))] {
    check_state();
    for (const auto& answer : *answers) answer();
    for (const ActionId& lapsed : let_out(std::move(*done)))
      queue_.push_back({core::OrderLapsed{lapsed}, {}, false});
    ledger_->snapshot(now(), world_.chance_in(100, world_.rng));
    if (queue_.empty())
      wait_for_due();
    else
      work();
  });
}

// The process may die while it waits, and between the disk's answer and its own.
void Coordinator::after_sync(std::function<void()> what) {
  const Duration time = world_.between(100us, world_.sync_time, world_.rng);
  const auto die = [this, life = life_] {
    if (life != life_ || !is_alive()) return;
    crash(world_.chance(50, world_.nemesis));
    died_();
  };
  if (world_.strikes()) world_.timeline.after(world_.between(0us, time, world_.nemesis), die);
  if (is_broken(Break::ack)) {
    process_.after(time, [this, ticket = store_->ticket()] { world_.disk.sync(ticket); });
    is_busy_ = false;
    return what();
  }
  process_.after(time, [this, die, ticket = store_->ticket(), what = std::move(what)]() mutable {
    if (!world_.disk.sync(ticket))
      return fail("the disk did not take it, or another one has taken over");
    if (world_.strikes()) world_.timeline.after(Duration{0}, die);
    process_.after(Duration{0}, [this, what = std::move(what)] {
      is_busy_ = false;
      what();
    });
  });
}

void Coordinator::wait_for_due() {
  const std::uint64_t timer = ++due_timer_;
  const auto wanted = core::next_wake(ledger_->state());
  if (!wanted) return;
  const Instant due = std::max(*wanted, last_tick_ + limits::kTickIntervalMin);
  const Instant at = host_.clock.when(host_.clock.steady() + (due - now()));
  process_.at(at, [this, timer] {
    if (timer == due_timer_) work();
  });
}

std::vector<ActionId> Coordinator::let_out(engine::Ledger::Committed committed) {
  for (const ActionId& action : committed.actions_ended) order_ended(action);
  auto lapsed = engine::take_lapsed(committed.effects, state(), now());
  engine::dispatch(std::move(committed.effects), state(), {this, this, this});
  return lapsed;
}

// --- Effects -------------------------------------------------------------------------------------

void Coordinator::assign(const AgentName& agent,
                         std::vector<std::pair<ProbeKey, ProbeSpec>> probes) {
  const StreamPtr stream = welcomed(agent);
  if (!stream || stream->has_ended) return;
  stream->outgoing.assign(ingest::to_proto(probes, ++generation_).message);
  write(stream);
}

void Coordinator::probe_now(core::SendProbeNow request) {
  const StreamPtr stream = welcomed(request.agent);
  if (!stream) return;
  stream->asked.insert(request.request);
  push(stream, ingest::to_proto(request));
}

void Coordinator::order(core::OrderHostAction order) {
  ++world_.tally.actions_ordered;
  world_.say("coordinator",
             [&] { return "orders " + order.action.str() + " on " + order.agent.str(); });
  if (is_serving_) check_evidence(order.incident, Evidence::of_target, {order.agent.str()});
  orders_[order.agent].insert_or_assign(order.action, order);
  order_agents_.insert_or_assign(order.action, order.agent);
  if (const StreamPtr stream = welcomed(order.agent)) send_order(stream, order);
}

void Coordinator::order_ended(const ActionId& action) {
  const auto found = order_agents_.find(action);
  if (found == order_agents_.end()) return;
  const auto orders = orders_.find(found->second);
  orders->second.erase(action);
  if (orders->second.empty()) orders_.erase(orders);
  order_agents_.erase(found);
}

void Coordinator::send_order(const StreamPtr& stream, const core::OrderHostAction& order) {
  if (order.expires > now()) push(stream, ingest::to_proto(order, state().epoch, now()));
}

void Coordinator::confirm(core::ConfirmOutcome outcome) {
  if (const StreamPtr stream = welcomed(outcome.agent)) push(stream, ingest::to_proto(outcome));
}

void Coordinator::send(core::SendNotification notification) {
  ++world_.tally.notifications;
  process_.after(world_.between(20ms, 5s, world_.rng), [this, id = notification.notification] {
    core::NotificationFinished finished;
    finished.notification = id;
    finished.delivered = world_.chance(95, world_.rng);
    finished.attempts = 1;
    submit(finished);
  });
}

void Coordinator::run(core::RunHttpAction action) {
  world_.ran_http(action.action);
  check_evidence(action.incident, Evidence::of_service, {"db:5432", "web-1", "web-2", "web-3"});
  process_.after(world_.between(20ms, 15s, world_.rng), [this, id = action.action] {
    core::ActionReported report;
    report.action = id;
    report.reporter = "engine";
    report.state =
        world_.chance(80, world_.rng) ? core::ActionState::succeeded : core::ActionState::failed;
    report.exit_code = report.state == core::ActionState::succeeded ? 200 : 503;
    submit(report);
  });
}

void Coordinator::publish(const core::PublishEntry& entry) {
  world_.say("incident", [&] {
    return entry.incident.str() + " " + entry.entry.kind + " " + entry.entry.actor + ": " +
           entry.entry.text;
  });
}

void Coordinator::publish(const core::PublishValidation&, const core::State&) {}

// --- The hub -------------------------------------------------------------------------------------

std::optional<Peer> Coordinator::accept(LinkId link, HostId client) {
  const AgentName agent = name_of_(client);
  const auto same = std::count_if(streams_.begin(), streams_.end(), [&](const auto& other) {
    return other.second->session.agent() == agent;
  });
  if (static_cast<std::size_t>(same) >= limits::kStreamsPerAgentMax) return std::nullopt;
  const auto stream = std::make_shared<Stream>(
      Stream{link, ingest::Session(agent), {}, {}, 0, false, false, host_.clock.steady(), {}});
  streams_[link] = stream;
  Peer peer;
  peer.received = [this, stream](std::string bytes) {
    process_.run([this, stream, bytes = std::move(bytes)]() mutable {
      if (stream->has_ended) return;
      stream->unread.push_back(std::move(bytes));
      read(stream);
    });
  };
  peer.ended = [this, stream](const std::string& reason) {
    process_.run([this, stream, reason] { end(stream, reason); });
  };
  return peer;
}

void Coordinator::read(const StreamPtr& stream) {
  while (!stream->has_ended && !stream->unread.empty() && !stream->is_held_back &&
         stream->uncommitted < limits::kBatchesInFlightMax) {
    const std::string bytes = std::move(stream->unread.front());
    stream->unread.pop_front();
    received(stream, bytes);
    stream->reading_since = host_.clock.steady();
  }
}

void Coordinator::received(const StreamPtr& stream, const std::string& bytes) {
  v1::AgentMessage message;
  if (!message.ParseFromString(bytes)) return end(stream, "not a message");
  const bool is_first = !stream->session.has_begun();
  auto event = stream->session.take(message, now(), host_.clock.wall());
  if (!event) return end(stream, event.error().message);
  if (!*event) return;
  if (is_first) return attach(stream, std::move(**event));
  if (const auto* answer = std::get_if<core::ProbeNowFinished>(&**event);
      answer != nullptr && stream->asked.erase(answer->request) == 0)
    return;
  take(stream, std::move(**event));
}

void Coordinator::attach(const StreamPtr& stream, core::Event event) {
  ++stream->uncommitted;
  const StreamPtr before = std::exchange(attached_[stream->session.agent()], stream);
  const bool has_room = submit(std::move(event), [this, stream] {
    welcome(stream);
    committed(stream);
  });
  stream->is_held_back = !has_room && stream->uncommitted > 0;
  if (before) end(before, "a newer stream of the same agent replaces this one");
}

void Coordinator::take(const StreamPtr& stream, core::Event event) {
  const auto* results = std::get_if<core::ResultsReceived>(&event);
  const bool has_results = results != nullptr;
  if (has_results)
    world_.say("coordinator", [&] {
      return "gets results " + std::to_string(results->first_seq) + " to " +
             std::to_string(results->first_seq + results->rows.size() - 1) + " of " +
             results->agent.str();
    });
  ++stream->uncommitted;
  const bool has_room = submit(std::move(event), [this, stream, has_results] {
    if (has_results) acknowledge(stream);
    committed(stream);
  });
  stream->is_held_back = !has_room && stream->uncommitted > 0;
}

void Coordinator::committed(const StreamPtr& stream) {
  if (--stream->uncommitted == 0) stream->is_held_back = false;
  read(stream);
}

void Coordinator::welcome(const StreamPtr& stream) {
  if (stream->has_ended) return;
  const ingest::Session& session = stream->session;
  if (session.epoch_seen() > state().epoch)
    return end(stream, "the agent has obeyed a later epoch");
  const auto agent = state().agents.find(session.agent());
  if (agent == state().agents.end() || agent->second.incarnation != session.incarnation())
    return end(stream, "a later life of this agent has attached");
  v1::Welcome welcome;
  welcome.set_epoch(state().epoch);
  welcome.set_acked_seq(agent->second.last_seq);
  welcome.set_protocol(1);
  stream->outgoing.welcome(std::move(welcome));
  write(stream);
  welcomed_[session.agent()] = stream;
  const auto orders = orders_.find(session.agent());
  if (orders == orders_.end()) return;
  for (const auto& [id, order] : orders->second) send_order(stream, order);
}

void Coordinator::acknowledge(const StreamPtr& stream) {
  const auto agent = state().agents.find(stream->session.agent());
  if (stream->has_ended || agent == state().agents.end() ||
      agent->second.incarnation != stream->session.incarnation())
    return;
  const std::uint64_t seq = agent->second.last_seq;
  const std::uint64_t durable =
      world_.disk.last_seq(stream->session.agent(), stream->session.incarnation());
  promise(seq <= durable, kAcked, [&] {
    return "coordinator " + std::to_string(host_.id) + " acknowledges result " +
           std::to_string(seq) + " of " + stream->session.agent().str() + ", its disk has " +
           std::to_string(durable);
  });
  stream->outgoing.acknowledge(seq);
  write(stream);
}

void Coordinator::end(const StreamPtr& stream, const std::string& reason) {
  if (std::exchange(stream->has_ended, true)) return;
  world_.network.close(stream->link, Side::server);
  streams_.erase(stream->link);
  const AgentName& agent = stream->session.agent();
  const auto found = attached_.find(agent);
  if (found == attached_.end() || found->second != stream) return;
  attached_.erase(found);
  world_.say("coordinator", [&] { return "lost " + agent.str() + ": " + reason; });
  submit(core::AgentDetached{agent, stream->session.incarnation(), reason});
}

void Coordinator::write(const StreamPtr& stream) {
  while (!stream->has_ended) {
    const auto next = stream->outgoing.next();
    if (!next) return;
    world_.network.send(stream->link, Side::server, world_.as_sent(next->SerializeAsString()));
  }
}

void Coordinator::push(const StreamPtr& stream, v1::CoordinatorMessage message) {
  if (stream->has_ended) return;
  if (!stream->outgoing.push(std::move(message)))
    return end(stream, "the agent does not read what it is sent");
  write(stream);
}

Coordinator::StreamPtr Coordinator::welcomed(const AgentName& agent) const {
  const auto found = welcomed_.find(agent);
  return found == welcomed_.end() ? nullptr : found->second.lock();
}

void Coordinator::watch() {
  process_.after(limits::kHeartbeatInterval, [this] { watch(); });
  const auto streams = streams_;
  for (const auto& [link, stream] : streams) {
    const bool is_reading =
        !stream->is_held_back && stream->uncommitted < limits::kBatchesInFlightMax;
    if (is_reading && host_.clock.steady() - stream->reading_since > limits::kPeerSilenceMax) {
      end(stream, "nothing heard");
      continue;
    }
    stream->outgoing.heartbeat();
    write(stream);
  }
}

// --- Checks --------------------------------------------------------------------------------------

void Coordinator::check_state() const {
  const core::State& state = this->state();
  promise(state.counters.results == world_.disk.distinct_results(), kOnce, [&] {
    return "the core has counted " + std::to_string(state.counters.results) +
           " results, the journal holds " + std::to_string(world_.disk.distinct_results()) +
           " different ones";
  });
  promise(queue_.size() <= 2 * limits::kIngestQueueEventsMax, kBounded, "the engine's queue");
  promise(state.resolved_order.size() <= limits::kResolvedIncidentsKept, kBounded, "incidents");
  promise(state.finished_order.size() <= limits::kValidationsKept, kBounded, "validations");
  promise(state.quieting.silences.size() <= limits::kSilencesMax + limits::kQuietingsKept, kBounded,
          "silences");
  for (const auto& [name, service] : state.services)
    promise(service.flaps.changes.size() <= static_cast<std::size_t>(limits::kFlapChangesMax),
            kBounded, [&] { return "changes of " + name.str(); });
  for (const auto& [name, agent] : state.agents) {
    promise(agent.past_incarnations.size() <= limits::kPastIncarnationsMax, kBounded,
            [&] { return "past incarnations of " + name.str(); });
    promise(agent.refs.size() <= limits::kSeriesPerAgentMax, kBounded,
            [&] { return "series of " + name.str(); });
  }
}

// An order stands on what a seeing agent has seen: three intervals ago at most, by the longest of
// the policies, and what a delivery may take. Orders of an earlier life were checked then. Where a
// person calls a service worse off than its rules do, its actions need no failing probe, only
// somebody who sees; a host is repaired only when it was seen to fail.
void Coordinator::check_evidence(const IncidentId& id, Evidence evidence,
                                 const std::vector<std::string>& targets) const {
  const auto incident = state().incidents.find(id);
  if (incident == state().incidents.end() || incident->second.declared_severity) return;
  const bool needs_sight_only =
      evidence == Evidence::of_service && is_raised(incident->second.severity_override);
  const policy::Service* service = state().policy->find_service(incident->second.service);
  if (service == nullptr || service->name.str() == "pit") return;
  const ProbeSpec& spec = service->probes.front().spec;
  const Duration within = 3 * spec.every + spec.timeout + limits::kDeliverySlack + kEvidenceSlack;
  const bool seen = std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    return needs_sight_only ? world_.was_seen(target, within)
                            : world_.was_seen_down(target, within);
  });
  promise(seen, kSighted, [&] {
    return "an action is ordered for " + id.str() + " of " + service->name.str() + ", and for " +
           humanize_duration(within) + " nobody has seen it" + (needs_sight_only ? "" : " fail");
  });
}

}  // namespace firebreak::sim
