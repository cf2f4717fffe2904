// The agents that are attached: see agent_hub.h.
//
// gRPC's threads bring messages, the engine's owner thread brings commits and effects, one thread
// of the hub's own looks for silence. `mutex_` guards who is attached, and is held while an attach
// or detach is submitted, so that the journal has them in the order in which they happened.
#include "coordinator/ingest/agent_hub.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/server_context.h>

#include "common/limits.h"
#include "common/log.h"
#include "coordinator/ingest/agent_stream.h"
#include "coordinator/ingest/convert.h"
#include "proto/credentials.h"

namespace firebreak::ingest {
namespace {

using StreamPtr = std::shared_ptr<AgentStream>;

// A call that is refused before it begins.
class Refusal final : public grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage> {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

class AgentHub::Impl final : public v1::AgentService::CallbackService {
 public:
  Impl(engine::Engine& engine, const Clock& clock, std::string version, Duration look_every);
  ~Impl() override;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  grpc::ServerBidiReactor<v1::AgentMessage, v1::CoordinatorMessage>* Attach(
      grpc::CallbackServerContext* context) override;

  void drain(const std::string& reason, Duration reconnect_after);
  [[nodiscard]] Counters counters() const;
  void assign(const AgentName& agent, const std::vector<std::pair<ProbeKey, ProbeSpec>>& probes);
  void probe_now(const core::SendProbeNow& request);
  void order(const core::OrderHostAction& order);
  void order_ended(const ActionId& action);
  void confirm(const core::ConfirmOutcome& outcome);

 private:
  // gRPC's threads.
  grpc::Status admit(const StreamPtr& stream);
  void received(const StreamPtr& stream, const v1::AgentMessage& message);
  void refuse(const StreamPtr& stream, const Error& error);
  void ended(const StreamPtr& stream, const grpc::Status& status);
  void attach(const StreamPtr& stream, core::Event event);
  void submit(const StreamPtr& stream, core::Event event);
  // The owner thread.
  void welcome(const StreamPtr& stream, const engine::View& view);
  static void acknowledge(const StreamPtr& stream, const engine::View& view);
  void send_order(const StreamPtr& stream, const core::OrderHostAction& order, Instant now) const;
  [[nodiscard]] StreamPtr welcomed(const AgentName& agent) const;
  // Any.
  [[nodiscard]] std::vector<StreamPtr> all() const;
  // The hub's own.
  void watch();

  engine::Engine& engine_;
  const Clock& clock_;
  const std::string version_;
  const Duration look_every_;
  const StreamHandlers handlers_;

  mutable std::mutex mutex_;
  std::map<AgentName, StreamPtr> attached_;  // since their Hello
  std::set<StreamPtr> streams_;              // all that have not ended
  Counters counters_;
  bool is_draining_ = false;
  bool is_stopping_ = false;
  std::condition_variable stop_;

  // The owner thread's.
  std::map<AgentName, std::weak_ptr<AgentStream>> welcomed_;
  std::map<AgentName, std::map<ActionId, core::OrderHostAction>> orders_;
  std::map<ActionId, AgentName> order_agents_;
  std::uint64_t epoch_ = 0;  // known since the first welcome
  std::uint64_t generation_ = 0;

  std::thread watcher_;
};

AgentHub::Impl::Impl(engine::Engine& engine, const Clock& clock, std::string version,
                     Duration look_every)
    : engine_(engine),
      clock_(clock),
      version_(std::move(version)),
      look_every_(look_every),
      handlers_{
          [this](const StreamPtr& stream, const v1::AgentMessage& message) {
            received(stream, message);
          },
          [this](const StreamPtr& stream, const grpc::Status& status) { ended(stream, status); }},
      watcher_([this] { watch(); }) {}

AgentHub::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stop_.notify_one();
  watcher_.join();
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
  const auto stream = std::make_shared<AgentStream>(AgentName(peer->name), clock_, handlers_);
  if (const grpc::Status admitted = admit(stream); !admitted.ok()) {
    log::warning("refused a stream", {{"agent", peer->name}, {"reason", admitted.error_message()}});
    return new Refusal(admitted);
  }
  stream->start();
  return stream.get();
}

grpc::Status AgentHub::Impl::admit(const StreamPtr& stream) {
  const std::lock_guard lock(mutex_);
  if (is_draining_)
    return {grpc::StatusCode::UNAVAILABLE, "the coordinator is stopping; attach again later"};
  const auto same = std::count_if(streams_.begin(), streams_.end(), [&](const StreamPtr& other) {
    return other->agent() == stream->agent();
  });
  if (static_cast<std::size_t>(same) >= limits::kStreamsPerAgentMax) {
    ++counters_.refused;
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            "this agent has " + std::to_string(same) +
                " streams already; is its certificate used on several hosts?"};
  }
  streams_.insert(stream);
  return grpc::Status::OK;
}

void AgentHub::Impl::received(const StreamPtr& stream, const v1::AgentMessage& message) {
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
  streams_.erase(stream);
  const auto found = attached_.find(stream->agent());
  if (found == attached_.end() || found->second != stream) return;
  attached_.erase(found);
  const std::string reason = status.ok() ? "the agent ended the stream" : status.error_message();
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
  welcome.set_version(version_);
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

void AgentHub::Impl::watch() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, look_every_, [this] { return is_stopping_; })) return;
    }
    for (const StreamPtr& stream : all()) {
      if (!stream->is_silent()) {
        stream->write([](Outgoing& outgoing) { outgoing.heartbeat(); });
        continue;
      }
      {
        const std::lock_guard lock(mutex_);
        ++counters_.silent;
      }
      stream->end({grpc::StatusCode::DEADLINE_EXCEEDED,
                   "nothing heard of the agent for " + format_duration(limits::kPeerSilenceMax) +
                       "; the link counts as dead"});
    }
  }
}

// --- AgentHub ------------------------------------------------------------------------------------

AgentHub::AgentHub(engine::Engine& engine, const Clock& clock, std::string version,
                   Duration look_every)
    : impl_(std::make_unique<Impl>(engine, clock, std::move(version), look_every)) {}
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
