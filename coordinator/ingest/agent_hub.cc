// The agents that are attached: see agent_hub.h.
//
// gRPC's threads bring messages, the engine's owner thread brings commits and effects; of the hub's
// own two threads one looks for silence, one lets throttled streams be read on. `mutex_` guards who
// is attached, and is held while an attach or detach is submitted, so that the journal has them in
// the order in which they happened.
#include "coordinator/ingest/agent_hub.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/server_context.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/rng.h"
#include "coordinator/ingest/admission.h"
#include "coordinator/ingest/agent_stream.h"
#include "coordinator/ingest/convert.h"
#include "coordinator/ingest/throttle.h"
#include "proto/credentials.h"

namespace firebreak::ingest {
namespace {

using StreamPtr = std::shared_ptr<AgentStream>;

// A call that is refused before it begins.
class Refusal final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage> {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  // Says first when to come back.
  Refusal(const grpc::Status& status, Duration reconnect_after) {
    drain_.mutable_drain()->set_reason(status.error_message());
    drain_.mutable_drain()->set_reconnect_after_us(reconnect_after.count());
    StartWriteAndFinish(&drain_, grpc::WriteOptions(), status);
  }
  void OnDone() override { delete this; }

 private:
  v1::CoordinatorMessage drain_;
};

}  // namespace

class AgentHub::Impl final : public v1::AgentService::CallbackService {
 public:
  Impl(engine::Engine& engine, const Clock& clock, Settings settings);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* Attach(
      grpc::CallbackServerContext* context) override;

  void drain(const std::string& reason, Duration reconnect_after);
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] Throttled throttled(const AgentName& agent) const;
  void assign(const AgentName& agent, const std::vector<std::pair<ProbeKey, ProbeSpec>>& probes);
  void probe_now(const core::SendProbeNow& request);
  void order(const core::OrderHostAction& order);
  void order_ended(const ActionId& action);
  void confirm(const core::ConfirmOutcome& outcome);

 private:
  // gRPC's threads.
  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* put_off(
      const AgentName& agent, Duration reconnect_after);
  grpc::Status admit(const StreamPtr& stream);
  std::optional<Duration> ask_admission(const AgentName& agent);
  TokenBucket::Wait received(const StreamPtr& stream, const v1::AgentMessage& message);
  void handle(const StreamPtr& stream, const v1::AgentMessage& message);
  void refuse(const StreamPtr& stream, const Error& error);
  void ended(const StreamPtr& stream, const grpc::Status& status);
  void throttled(const StreamPtr& stream, TokenBucket::Wait wait);
  void attach(const StreamPtr& stream, core::Event event);
  void submit(const StreamPtr& stream, core::Event event);
  // The owner thread.
  void welcome(const StreamPtr& stream, const engine::View& view);
  static void acknowledge(const StreamPtr& stream, const engine::View& view);
  void send_order(const StreamPtr& stream, const core::OrderHostAction& order, Instant now) const;
  [[nodiscard]] StreamPtr welcomed(const AgentName& agent) const;
  // Any.
  [[nodiscard]] std::vector<StreamPtr> all() const;
  void forget(const StreamPtr& stream);  // with the lock held
  // The hub's own.
  void watch();
  void read_on();
  void look_at(const StreamPtr& stream, bool is_beat_due);

  engine::Engine& engine_;
  const Clock& clock_;
  const Settings settings_;
  const StreamHandlers handlers_;

  mutable std::mutex mutex_;
  std::map<AgentName, StreamPtr> attached_;  // since their Hello
  std::set<StreamPtr> streams_;              // all that have not ended
  std::map<AgentName, std::size_t> streams_of_;
  std::multimap<TokenBucket::Time, std::weak_ptr<AgentStream>> resume_at_;
  std::map<AgentName, Throttle> throttles_;  // of an agent, not of a stream: it may make others
  std::set<AgentName> told_;                 // in the log, that they send too much
  Admission admission_;
  Counters counters_;
  bool is_draining_ = false;
  bool is_stopping_ = false;
  std::condition_variable stop_;     // of the watcher
  std::condition_variable read_on_;  // of the one who lets streams be read on

  // The owner thread's.
  std::map<AgentName, std::weak_ptr<AgentStream>> welcomed_;
  std::map<AgentName, std::map<ActionId, core::OrderHostAction>> orders_;
  std::map<ActionId, AgentName> order_agents_;
  std::uint64_t epoch_ = 0;  // known since the first welcome
  std::uint64_t generation_ = 0;

  std::thread watcher_;
  std::thread reader_;
};

AgentHub::Impl::Impl(engine::Engine& engine, const Clock& clock, Settings settings)
    : engine_(engine),
      clock_(clock),
      settings_(std::move(settings)),
      handlers_{
          [this](const StreamPtr& stream, const v1::AgentMessage& message) {
            return received(stream, message);
          },
          [this](const StreamPtr& stream, const grpc::Status& status) { ended(stream, status); },
          [this](const StreamPtr& stream, TokenBucket::Wait wait) { throttled(stream, wait); }},
      admission_(settings_.attaches, Rng(settings_.seed)),
      watcher_([this] { watch(); }),
      reader_([this] { read_on(); }) {}

AgentHub::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stop_.notify_one();
  read_on_.notify_one();
  watcher_.join();
  reader_.join();
}

// --- gRPC's threads ------------------------------------------------------------------------------

grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* AgentHub::Impl::Attach(
    grpc::CallbackServerContext* context) {
  const auto peer = peer_identity(*context->auth_context());
  if (!peer || peer->role != pki::Role::agent) {
    {
      const std::lock_guard lock(mutex_);
      ++counters_.refused;
    }
    const std::string who = peer ? pki::identity_uri(*peer) : peer.error().message;
    log::warning("refused a stream of somebody who is no agent", {{"peer", who}});
    return new Refusal({grpc::StatusCode::PERMISSION_DENIED,
                        "only a certificate with the role agent may attach; this one: " + who});
  }
  if (const auto later = ask_admission(AgentName(peer->name)))
    return put_off(AgentName(peer->name), *later);
  const auto stream = std::make_shared<AgentStream>(AgentName(peer->name), clock_, handlers_);
  if (const grpc::Status admitted = admit(stream); !admitted.ok()) {
    log::warning("refused a stream", {{"agent", peer->name}, {"reason", admitted.error_message()}});
    return new Refusal(admitted);
  }
  stream->start();
  return stream.get();
}

// One that attaches again and again pays for it itself. Nobody comes in while more waits for the
// disk than fits: whoever attaches would make it more.
std::optional<Duration> AgentHub::Impl::ask_admission(const AgentName& agent) {
  const bool is_behind = engine_.waiting() >= limits::kIngestQueueEventsMax;
  const std::lock_guard lock(mutex_);
  if (is_draining_) return std::nullopt;  // refused in another way
  const auto now = clock_.steady();
  const auto debt = throttles_[agent].charge(limits::kAttachCost, now);
  if (debt > TokenBucket::Wait::zero()) return std::chrono::ceil<Duration>(debt);
  return is_behind ? admission_.turn(now) : admission_.ask(now);
}

grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* AgentHub::Impl::put_off(
    const AgentName& agent, Duration reconnect_after) {
  std::uint64_t times = 0;
  {
    const std::lock_guard lock(mutex_);
    times = ++counters_.put_off;
  }
  // Of thousands, one in a hundred is told.
  if (times % 100 == 1)
    log::warning(
        "too many agents attach at once, some are asked to come back later",
        {{"agent", agent.str()}, {"after", format_duration(reconnect_after)}, {"asked", times}});
  return new Refusal({grpc::StatusCode::UNAVAILABLE, "too many agents attach at once; come back"},
                     reconnect_after);
}

grpc::Status AgentHub::Impl::admit(const StreamPtr& stream) {
  const std::lock_guard lock(mutex_);
  if (is_draining_)
    return {grpc::StatusCode::UNAVAILABLE, "the coordinator is stopping; attach again later"};
  std::size_t& same = streams_of_[stream->agent()];
  if (same >= limits::kStreamsPerAgentMax) {
    ++counters_.refused;
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            "this agent has " + std::to_string(same) +
                " streams already; is its certificate used on several hosts?"};
  }
  ++same;
  streams_.insert(stream);
  return grpc::Status::OK;
}

TokenBucket::Wait AgentHub::Impl::received(const StreamPtr& stream,
                                           const v1::AgentMessage& message) {
  handle(stream, message);
  const auto results = static_cast<std::uint64_t>(message.results().ref_size());
  const std::lock_guard lock(mutex_);
  return throttles_[stream->agent()].charge(results, clock_.steady());
}

void AgentHub::Impl::handle(const StreamPtr& stream, const v1::AgentMessage& message) {
  const bool is_first = !stream->session().has_begun();
  auto event = stream->session().take(message, engine_.now(), clock_.wall());
  if (!event) return refuse(stream, event.error());
  if (!*event) return;
  if (is_first) return attach(stream, std::move(**event));
  if (const auto* answer = std::get_if<core::ProbeNowFinished>(&**event);
      answer != nullptr && !stream->take_answer(answer->request))
    return;  // nobody on this stream was asked
  submit(stream, std::move(**event));
}

void AgentHub::Impl::refuse(const StreamPtr& stream, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    ++counters_.malformed;
  }
  log::warning("ended a stream for what the agent sent",
               {{"agent", stream->agent().str()}, {"reason", error.message}});
  stream->end({error.code == Errc::failed_precondition ? grpc::StatusCode::FAILED_PRECONDITION
                                                       : grpc::StatusCode::INVALID_ARGUMENT,
               error.message});
}

void AgentHub::Impl::attach(const StreamPtr& stream, core::Event event) {
  StreamPtr before;
  stream->about_to_submit();
  {
    const std::lock_guard lock(mutex_);
    if (!streams_.contains(stream)) return;  // ended meanwhile
    before = std::exchange(attached_[stream->agent()], stream);
    if (before) ++counters_.replaced;
    stream->submitted(engine_.submit(std::move(event), [this, stream](const engine::View& view) {
      welcome(stream, view);
      stream->committed();
    }));
  }
  if (!before) return;
  log::warning("an agent attached again, its older stream ends",
               {{"agent", stream->agent().str()}});
  before->end({grpc::StatusCode::ABORTED, "a newer stream of the same agent replaces this one"});
}

void AgentHub::Impl::submit(const StreamPtr& stream, core::Event event) {
  const bool has_results = std::holds_alternative<core::ResultsReceived>(event);
  stream->about_to_submit();
  stream->submitted(
      engine_.submit(std::move(event), [stream, has_results](const engine::View& view) {
        if (has_results) acknowledge(stream, view);
        stream->committed();
      }));
}

void AgentHub::Impl::ended(const StreamPtr& stream, const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  forget(stream);
  const auto found = attached_.find(stream->agent());
  if (found == attached_.end() || found->second != stream) return;
  attached_.erase(found);
  const std::string reason =
      status.ok() ? "the agent ended the stream, or its connection died" : status.error_message();
  log::info("an agent is detached", {{"agent", stream->agent().str()}, {"reason", reason}});
  engine_.submit(core::AgentDetached{stream->agent(), stream->session().incarnation(), reason});
}

// --- The owner thread ----------------------------------------------------------------------------

void AgentHub::Impl::welcome(const StreamPtr& stream, const engine::View& view) {
  const Session& session = stream->session();
  epoch_ = view.state.epoch;
  if (session.epoch_seen() > epoch_)
    return stream->end({grpc::StatusCode::FAILED_PRECONDITION,
                        "the agent has obeyed epoch " + std::to_string(session.epoch_seen()) +
                            ", this coordinator has " + std::to_string(epoch_) +
                            ": another one leads, or its store is an old copy"});
  const auto agent = view.state.agents.find(stream->agent());
  if (agent == view.state.agents.end() || agent->second.incarnation != session.incarnation())
    return stream->end({grpc::StatusCode::FAILED_PRECONDITION,
                        "a later life of this agent has attached; is its certificate used on "
                        "several hosts?"});
  v1::Welcome welcome;
  welcome.set_epoch(epoch_);
  welcome.set_acked_seq(agent->second.last_seq);
  welcome.set_version(settings_.version);
  welcome.set_protocol(kProtocol);
  stream->write([&](Outgoing& outgoing) { outgoing.welcome(std::move(welcome)); });
  welcomed_[stream->agent()] = stream;
  log::info("an agent is attached", {{"agent", stream->agent().str()}});
  const auto orders = orders_.find(stream->agent());
  if (orders == orders_.end()) return;
  for (const auto& [id, order] : orders->second) send_order(stream, order, view.now);
}

// Cumulative, and only what is committed: `view` is the state after the commit.
void AgentHub::Impl::acknowledge(const StreamPtr& stream, const engine::View& view) {
  const auto agent = view.state.agents.find(stream->agent());
  if (agent == view.state.agents.end() ||
      agent->second.incarnation != stream->session().incarnation())
    return;
  stream->write([seq = agent->second.last_seq](Outgoing& outgoing) { outgoing.acknowledge(seq); });
}

StreamPtr AgentHub::Impl::welcomed(const AgentName& agent) const {
  const auto found = welcomed_.find(agent);
  return found == welcomed_.end() ? nullptr : found->second.lock();
}

void AgentHub::Impl::assign(const AgentName& agent,
                            const std::vector<std::pair<ProbeKey, ProbeSpec>>& probes) {
  const StreamPtr stream = welcomed(agent);
  if (!stream) return;
  auto cut = to_proto(probes, ++generation_);
  if (cut.left_out > 0)
    log::error(
        "an agent has more probes than one message holds, the rest does not run; spread the "
        "services over more agents",
        {{"agent", agent.str()}, {"left_out", cut.left_out}});
  stream->write([&](Outgoing& outgoing) { outgoing.assign(std::move(cut.message)); });
}

void AgentHub::Impl::probe_now(const core::SendProbeNow& request) {
  const StreamPtr stream = welcomed(request.agent);
  if (stream && stream->expect_answer(request.request)) stream->push(to_proto(request));
}

void AgentHub::Impl::order(const core::OrderHostAction& order) {
  orders_[order.agent].insert_or_assign(order.action, order);
  order_agents_.insert_or_assign(order.action, order.agent);
  if (const StreamPtr stream = welcomed(order.agent)) send_order(stream, order, engine_.now());
}

void AgentHub::Impl::send_order(const StreamPtr& stream, const core::OrderHostAction& order,
                                Instant now) const {
  if (order.expires > now) stream->push(to_proto(order, epoch_, now));
}

void AgentHub::Impl::order_ended(const ActionId& action) {
  const auto found = order_agents_.find(action);
  if (found == order_agents_.end()) return;
  const auto orders = orders_.find(found->second);
  orders->second.erase(action);
  if (orders->second.empty()) orders_.erase(orders);
  order_agents_.erase(found);
}

void AgentHub::Impl::confirm(const core::ConfirmOutcome& outcome) {
  if (const StreamPtr stream = welcomed(outcome.agent)) stream->push(to_proto(outcome));
}

// --- Everybody -----------------------------------------------------------------------------------

std::vector<StreamPtr> AgentHub::Impl::all() const {
  const std::lock_guard lock(mutex_);
  return {streams_.begin(), streams_.end()};
}

void AgentHub::Impl::drain(const std::string& reason, Duration reconnect_after) {
  {
    const std::lock_guard lock(mutex_);
    is_draining_ = true;
  }
  v1::CoordinatorMessage message;
  message.mutable_drain()->set_reason(reason);
  message.mutable_drain()->set_reconnect_after_us(reconnect_after.count());
  for (const StreamPtr& stream : all()) stream->push(message);
}

AgentHub::Counters AgentHub::Impl::counters() const {
  const std::lock_guard lock(mutex_);
  Counters counters = counters_;
  counters.attached = attached_.size();
  return counters;
}

void AgentHub::Impl::forget(const StreamPtr& stream) {
  if (streams_.erase(stream) == 0) return;
  const auto same = streams_of_.find(stream->agent());
  if (--same->second == 0) streams_of_.erase(same);
}

AgentHub::Throttled AgentHub::Impl::throttled(const AgentName& agent) const {
  const std::lock_guard lock(mutex_);
  const auto found = throttles_.find(agent);
  if (found == throttles_.end()) return {};
  return {found->second.times(), std::chrono::duration_cast<Duration>(found->second.held())};
}

void AgentHub::Impl::throttled(const StreamPtr& stream, TokenBucket::Wait wait) {
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    resume_at_.emplace(clock_.steady() + wait, stream);
    is_news = told_.insert(stream->agent()).second;
  }
  read_on_.notify_one();
  if (!is_news) return;
  log::warning(
      "an agent sends more than its share, its stream is read more slowly",
      {{"agent", stream->agent().str()}, {"results_per_second", limits::kAgentResultsPerSecond}});
}

void AgentHub::Impl::watch() {
  auto beaten = clock_.steady() - limits::kHeartbeatInterval;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, settings_.look_every, [this] { return is_stopping_; })) return;
    }
    const auto now = clock_.steady();
    const bool is_beat_due = now - beaten >= limits::kHeartbeatInterval;
    if (is_beat_due) beaten = now;
    for (const StreamPtr& stream : all()) look_at(stream, is_beat_due);
  }
}

// Sleeps until the first throttled stream may be read on.
void AgentHub::Impl::read_on() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (resume_at_.empty()) {
      read_on_.wait(lock);
      continue;
    }
    const auto now = clock_.steady();
    const auto first = resume_at_.begin();
    if (first->first > now) {
      read_on_.wait_for(lock, first->first - now);
      continue;
    }
    const StreamPtr stream = first->second.lock();
    resume_at_.erase(first);
    lock.unlock();
    if (stream) stream->resume();
    lock.lock();
  }
}

void AgentHub::Impl::look_at(const StreamPtr& stream, bool is_beat_due) {
  if (!stream->is_silent()) {
    if (is_beat_due) stream->write([](Outgoing& outgoing) { outgoing.heartbeat(); });
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++counters_.silent;
  }
  stream->end({grpc::StatusCode::DEADLINE_EXCEEDED, "nothing heard of the agent for " +
                                                        format_duration(limits::kPeerSilenceMax) +
                                                        "; the link counts as dead"});
}

// --- AgentHub ------------------------------------------------------------------------------------

AgentHub::AgentHub(engine::Engine& engine, const Clock& clock, Settings settings)
    : impl_(std::make_unique<Impl>(engine, clock, std::move(settings))) {}
AgentHub::~AgentHub() = default;

grpc::Service& AgentHub::service() {
  return *impl_;
}
void AgentHub::drain(const std::string& reason, Duration reconnect_after) {
  impl_->drain(reason, reconnect_after);
}
AgentHub::Counters AgentHub::counters() const {
  return impl_->counters();
}
AgentHub::Throttled AgentHub::throttled(const AgentName& agent) const {
  return impl_->throttled(agent);
}
void AgentHub::assign(const AgentName& agent, std::vector<std::pair<ProbeKey, ProbeSpec>> probes) {
  impl_->assign(agent, probes);
}
void AgentHub::probe_now(core::SendProbeNow request) {
  impl_->probe_now(request);
}
void AgentHub::order(core::OrderHostAction order) {
  impl_->order(order);
}
void AgentHub::order_ended(const ActionId& action) {
  impl_->order_ended(action);
}
void AgentHub::confirm(core::ConfirmOutcome outcome) {
  impl_->confirm(outcome);
}

}  // namespace firebreak::ingest
