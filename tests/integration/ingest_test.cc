// Agents' streams over real gRPC and mutual TLS, into a real engine and a real store.
//
// The agents are raw clients, so that they can say what a real one never would. The clock stands
// still: nothing here waits for time to pass.
#include "coordinator/ingest/agent_hub.h"

#include <firebreak/v1/agent.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "coordinator/store/store.h"
#include "proto/credentials.h"
#include "tests/support/fault_policy.h"
#include "tests/support/gate.h"
#include "tests/support/manual_clock.h"
#include "tests/support/stalling_proxy.h"
#include "tests/support/temp_dir.h"

// Debian's c-ares 1.18 loses the ten bytes of the name "localhost" that gRPC asks it for.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcares.so";
}

namespace firebreak::ingest {
namespace {

using namespace std::chrono_literals;
using grpc::StatusCode;
using ::testing::HasSubstr;
using Message = v1::CoordinatorMessage;

constexpr auto kPatience = 60s;  // only so that a broken test ends
constexpr auto kLookEvery = 10ms;

// Commits wait at a gate; everything else is the store's own.
class GatedStore final : public store::Store {
 public:
  GatedStore(std::unique_ptr<store::Store> store, testing::Gate& gate)
      : store_(std::move(store)), gate_(gate) {}
  Result<std::uint64_t> take_leadership() override { return store_->take_leadership(); }
  Result<> commit(const store::Transaction& transaction) override {
    gate_.pass();
    return store_->commit(transaction);
  }
  Result<> replay(std::uint64_t after,
                  const std::function<Result<>(store::JournalEntry)>& visit) override {
    return store_->replay(after, visit);
  }
  Result<std::vector<store::OutboxEntry>> outbox() override { return store_->outbox(); }
  Result<std::vector<core::Incident>> past_incidents(std::size_t limit) override {
    return store_->past_incidents(limit);
  }
  Result<std::optional<core::Incident>> find_incident(const IncidentId& id) override {
    return store_->find_incident(id);
  }

 private:
  const std::unique_ptr<store::Store> store_;
  testing::Gate& gate_;
};

class Silent final : public engine::Sender, public engine::WatchSink {
 public:
  void send(core::SendNotification) override {}
  void run(core::RunHttpAction) override {}
  void publish(const core::PublishEntry&) override {}
  void publish(const core::PublishValidation&, const core::State&) override {}
};

// The coordinator's half under test, from store to port.
class Half {
 public:
  Half(const std::string& database, const pki::TlsFiles& tls, const Clock& clock,
       testing::Gate& gate, Rate attaches)
      : engine_(clock, [](const Error& error) { ADD_FAILURE() << error.message; }),
        hub_(engine_, clock, {.version = "test", .look_every = kLookEvery, .attaches = attaches}) {
    auto store = store::open_sqlite(
        database,
        [](std::vector<policy::SourceFile> files) -> Result<std::shared_ptr<const policy::Policy>> {
          return testing::compiled(std::move(files));
        });
    if (!store) throw std::runtime_error(store.error().message);
    const auto started = engine_.start(std::make_unique<GatedStore>(std::move(*store), gate),
                                       {&hub_, &silent_, &silent_});
    if (!started) throw std::runtime_error(started.error().message);
    const auto credentials = server_credentials(tls);
    if (!credentials) throw std::runtime_error(credentials.error().message);
    grpc::ServerBuilder builder;
    set_server_limits(builder);
    builder.RegisterService(&hub_.service());
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    server_ = builder.BuildAndStart();
  }
  ~Half() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
    engine_.stop();
  }
  Half(const Half&) = delete;
  Half& operator=(const Half&) = delete;

  [[nodiscard]] int port() const { return port_; }
  engine::Engine& engine() { return engine_; }
  AgentHub& hub() { return hub_; }
  void apply(std::shared_ptr<const policy::Policy> policy) {
    std::promise<Result<>> done;
    engine_.ask(core::PolicyChanged{std::move(policy), "test"},
                [&](const Result<>& result, const engine::View*) { done.set_value(result); });
    ASSERT_TRUE(done.get_future().get());
  }
  // A value of the committed state.
  template <class Read>
  auto read(Read read) {
    std::promise<decltype(read(std::declval<const core::State&>()))> value;
    EXPECT_TRUE(
        engine_.inspect([&](const engine::View& view) { value.set_value(read(view.state)); }));
    return value.get_future().get();
  }

 private:
  engine::Engine engine_;
  Silent silent_;
  AgentHub hub_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A client that says what the test wants.
class Agent {
 public:
  explicit Agent(std::shared_ptr<grpc::Channel> channel)
      : stub_(v1::AgentService::NewStub(std::move(channel))) {
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Attach(&context_);
  }
  ~Agent() {
    if (is_over_) return;
    context_.TryCancel();
    stream_->Finish();
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void say(const v1::AgentMessage& message) { stream_->Write(message); }
  void greet(std::uint64_t incarnation = 1) {
    v1::AgentMessage message;
    message.mutable_hello()->set_incarnation(incarnation);
    message.mutable_hello()->set_protocol(1);
    message.mutable_hello()->set_version("1.0");
    say(message);
  }
  // Hello, and the coordinator's Welcome.
  v1::Welcome attach(std::uint64_t incarnation = 1) {
    greet(incarnation);
    const auto first = next();
    EXPECT_TRUE(first && first->has_welcome());
    return first ? first->welcome() : v1::Welcome();
  }
  // One result of api/health.
  void report(std::uint64_t seq, v1::Status status, bool defines = false) {
    v1::AgentMessage message;
    v1::ResultBatch& batch = *message.mutable_results();
    batch.set_first_seq(seq);
    batch.set_sent_monotonic_us(1'000'000);
    if (defines) {
      v1::ResultBatch::Series& series = *batch.add_series();
      series.mutable_key()->set_service("api");
      series.mutable_key()->set_probe("health");
    }
    batch.add_ref(0);
    batch.add_status(status);
    batch.add_reason(status == v1::STATUS_OK ? 0 : static_cast<std::uint32_t>(Reason::refused));
    batch.add_phase(0);
    batch.add_started_monotonic_us(990'000);
    batch.add_latency_us(10'000);
    batch.add_confirmed(true);
    say(message);
  }
  // So many results of api/health at once. False: the stream is over.
  bool report_many(std::uint64_t first_seq, int results) {
    v1::AgentMessage message;
    v1::ResultBatch& batch = *message.mutable_results();
    batch.set_first_seq(first_seq);
    batch.set_sent_monotonic_us(1'000'000);
    if (first_seq == 1) {
      v1::ResultBatch::Series& series = *batch.add_series();
      series.mutable_key()->set_service("api");
      series.mutable_key()->set_probe("health");
    }
    for (int i = 0; i < results; ++i) {
      batch.add_ref(0);
      batch.add_status(v1::STATUS_OK);
      batch.add_reason(0);
      batch.add_phase(0);
      batch.add_started_monotonic_us(990'000);
      batch.add_latency_us(10'000);
      batch.add_confirmed(true);
    }
    return stream_->Write(message);
  }
  std::optional<Message> next() {
    Message message;
    if (!stream_->Read(&message)) return std::nullopt;
    return message;
  }
  // Skips others; empty when the stream ended.
  std::optional<Message> next(Message::MessageCase kind) {
    for (auto message = next(); message; message = next())
      if (message->message_case() == kind) return message;
    return std::nullopt;
  }
  std::uint64_t acknowledged() {
    const auto message = next(Message::kAck);
    return message ? message->ack().seq() : 0;
  }
  // Reads to the end.
  grpc::Status end() {
    while (next()) {
    }
    is_over_ = true;
    return stream_->Finish();
  }

 private:
  std::unique_ptr<v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, Message>> stream_;
  bool is_over_ = false;
};

class Ingest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { require_tls13(); }
  void SetUp() override {
    ASSERT_TRUE(pki::init_ca(dir_.path(), "prod", SystemClock().wall()));
    start();
  }
  pki::TlsFiles issue(pki::Role role, const std::string& name) {
    pki::IssueRequest request;
    request.role = role;
    request.name = name;
    if (role == pki::Role::coordinator) request.hosts = {"127.0.0.1"};
    const auto files = pki::issue(dir_.path(), request, SystemClock().wall());
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return {files->certificate, files->key, dir_ / "ca.crt"};
  }
  void start() {
    if (tls_.certificate.empty()) tls_ = issue(pki::Role::coordinator, "main");
    half_ = std::make_unique<Half>(dir_ / "coordinator.db", tls_, clock_, gate_, attaches_);
  }
  void restart() {
    half_.reset();
    start();
  }
  std::shared_ptr<grpc::Channel> channel(const std::string& name,
                                         pki::Role role = pki::Role::agent) {
    return channel_to("127.0.0.1:" + std::to_string(half_->port()), name, role);
  }
  std::shared_ptr<grpc::Channel> channel_to(const std::string& address, const std::string& name,
                                            pki::Role role = pki::Role::agent) {
    auto found = identities_.find(name);
    if (found == identities_.end()) found = identities_.emplace(name, issue(role, name)).first;
    const auto credentials = client_credentials(found->second, role);
    EXPECT_TRUE(credentials);
    auto arguments = channel_arguments();
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address, *credentials, arguments);
  }
  std::uint64_t last_seq(const std::string& agent) {
    return half_->read(
        [&](const core::State& state) { return state.agents.at(AgentName(agent)).last_seq; });
  }
  void wait_for_seq(const std::string& agent, std::uint64_t seq) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (last_seq(agent) < seq)
      ASSERT_LT(std::chrono::steady_clock::now(), end) << agent << " stays at " << last_seq(agent);
  }
  // The agent hears of it first.
  void wait_for_detach(const std::string& agent) {
    const auto is_attached = [&](const core::State& state) {
      return state.agents.at(AgentName(agent)).attached;
    };
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (half_->read(is_attached))
      ASSERT_LT(std::chrono::steady_clock::now(), end) << agent << " is never detached";
  }
  std::uint64_t results() {
    return half_->read([](const core::State& state) { return state.counters.results; });
  }
  // Policy in force, agent web-1 attached, its service failing: an order is out.
  void fail_service(Agent& agent) {
    half_->apply(testing::fault_policy());
    clock_.advance(1min);  // before there is a stream, which would be silent for as long
    agent.attach();
    agent.report(1, v1::STATUS_CRITICAL, true);
  }

  testing::TempDir dir_;
  testing::ManualClock clock_;
  testing::Gate gate_;
  pki::TlsFiles tls_;
  std::map<std::string, pki::TlsFiles> identities_;
  Rate attaches_{100, 100};
  std::unique_ptr<Half> half_;
};

TEST_F(Ingest, WelcomesAndAssigns) {
  half_->apply(testing::fault_policy());
  Agent agent(channel("web-1"));

  const v1::Welcome welcome = agent.attach();
  const auto assignment = agent.next(Message::kAssignment);

  EXPECT_EQ(welcome.epoch(), 1U);
  EXPECT_EQ(welcome.acked_seq(), 0U);
  ASSERT_TRUE(assignment);
  ASSERT_EQ(assignment->assignment().probes_size(), 1);
  EXPECT_EQ(assignment->assignment().probes(0).key().probe(), "health");
}

TEST_F(Ingest, AcknowledgesOnlyWhatIsCommitted) {
  Agent agent(channel("web-1"));
  agent.attach();
  gate_.close();
  agent.report(1, v1::STATUS_OK, true);
  gate_.wait_for_arrival();
  // What is said after the result has arrived comes after whatever was said about it.
  half_->hub().drain("test", 1s);
  for (auto message = agent.next(); !message->has_drain(); message = agent.next())
    EXPECT_FALSE(message->has_ack());

  gate_.open();

  EXPECT_EQ(agent.acknowledged(), 1U);
}

TEST_F(Ingest, CountsAResultOnceHoweverOftenItIsSent) {
  {
    Agent agent(channel("web-1"));
    agent.attach();
    agent.report(1, v1::STATUS_OK, true);
    EXPECT_EQ(agent.acknowledged(), 1U);
  }
  Agent again(channel("web-1"));

  EXPECT_EQ(again.attach().acked_seq(), 1U);
  again.report(1, v1::STATUS_OK, true);
  again.report(2, v1::STATUS_OK);
  while (again.acknowledged() < 2) {
  }

  EXPECT_EQ(results(), 2U);
}

TEST_F(Ingest, GoesOnAfterARestartOnTheSameStore) {
  {
    Agent agent(channel("web-1"));
    fail_service(agent);
    ASSERT_TRUE(agent.next(Message::kActionOrder));
  }
  restart();

  Agent agent(channel("web-1"));
  const v1::Welcome welcome = agent.attach();

  EXPECT_EQ(welcome.epoch(), 2U);
  EXPECT_EQ(welcome.acked_seq(), 1U);
  EXPECT_EQ(half_->read([](const core::State& state) { return state.incidents.size(); }), 1U);
  EXPECT_TRUE(agent.next(Message::kAssignment));
}

TEST_F(Ingest, SendsAnOrderAgainUnderItsIdUntilItsOutcomeIsCommitted) {
  std::string id;
  {
    Agent agent(channel("web-1"));
    fail_service(agent);
    const auto order = agent.next(Message::kActionOrder);
    ASSERT_TRUE(order) << agent.end().error_message();
    EXPECT_EQ(order->action_order().name(), "restart-web");
    EXPECT_EQ(order->action_order().epoch(), 1U);
    EXPECT_GT(order->action_order().valid_for_us(), 0);
    id = order->action_order().action_id();
  }
  restart();
  {
    Agent agent(channel("web-1"));
    agent.attach();
    const auto order = agent.next(Message::kActionOrder);
    ASSERT_TRUE(order);
    EXPECT_EQ(order->action_order().action_id(), id);
    EXPECT_EQ(order->action_order().epoch(), 2U);

    v1::AgentMessage message;
    message.mutable_action_outcome()->set_action_id(id);
    message.mutable_action_outcome()->set_state(v1::ACTION_STATE_SUCCEEDED);
    agent.say(message);

    const auto confirmed = agent.next(Message::kOutcomeAck);
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->outcome_ack().action_id(), id);
  }
  Agent agent(channel("web-1"));
  agent.attach();
  half_->hub().drain("test", 1s);
  for (auto message = agent.next(); message && !message->has_drain(); message = agent.next())
    EXPECT_FALSE(message->has_action_order());
}

TEST_F(Ingest, KeepsTheNewestStreamOfAnAgent) {
  Agent first(channel("web-1"));
  first.attach();
  Agent second(channel("web-1"));
  second.attach();

  const grpc::Status status = first.end();

  EXPECT_EQ(status.error_code(), StatusCode::ABORTED);
  EXPECT_THAT(status.error_message(), HasSubstr("newer stream"));
  second.report(1, v1::STATUS_OK, true);
  EXPECT_EQ(second.acknowledged(), 1U);
  EXPECT_TRUE(half_->read(
      [](const core::State& state) { return state.agents.at(AgentName("web-1")).attached; }));
  EXPECT_EQ(half_->hub().counters().replaced, 1U);
}

TEST_F(Ingest, EndsOnlyTheStreamThatSentNonsense) {
  Agent good(channel("web-1"));
  good.attach();
  Agent bad(channel("web-2"));
  bad.attach();
  bad.report(1, v1::STATUS_OK);  // of a series that it never defined

  const grpc::Status status = bad.end();

  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("not defined on this stream"));
  EXPECT_EQ(half_->hub().counters().malformed, 1U);
  good.report(1, v1::STATUS_OK, true);
  EXPECT_EQ(good.acknowledged(), 1U);
  EXPECT_EQ(results(), 1U);
}

TEST_F(Ingest, EndsTheStreamOfAnAgentThatHasGoneSilent) {
  Agent silent(channel("web-1"));
  silent.attach();
  clock_.advance(limits::kPeerSilenceMax);
  // Whoever attaches now has been heard.
  Agent other(channel("web-2"));
  other.attach();

  clock_.advance(1us);
  const grpc::Status status = silent.end();

  EXPECT_EQ(status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing heard of the agent for 14s"));
  EXPECT_EQ(half_->hub().counters().silent, 1U);
  wait_for_detach("web-1");
  other.report(1, v1::STATUS_OK, true);
  EXPECT_EQ(other.acknowledged(), 1U);
}

// The clock stands still, so that what a flood may send in no time is all that is read of it.
TEST_F(Ingest, ReadsAFloodSlowlyAndEverybodyElseAtOnce) {
  constexpr std::uint64_t kAtOnce = limits::kAgentResultsBurst - limits::kAttachCost;
  Agent flood(channel("web-1"));
  flood.attach();
  std::thread sending([&] {
    for (std::uint64_t seq = 1; seq <= 2 * kAtOnce; seq += 1000) flood.report_many(seq, 1000);
  });
  wait_for_seq("web-1", kAtOnce);

  Agent good(channel("web-2"));
  good.attach();
  for (std::uint64_t seq = 1; seq <= 100; ++seq) {
    good.report(seq, v1::STATUS_OK, seq == 1);
    while (good.acknowledged() < seq) {
    }
  }

  EXPECT_EQ(last_seq("web-1"), kAtOnce);  // the rest waits at its sender
  EXPECT_EQ(half_->hub().throttled(AgentName("web-1")).times, 1U);
  EXPECT_EQ(half_->hub().throttled(AgentName("web-2")).times, 0U);
  clock_.advance(1s);
  wait_for_seq("web-1", kAtOnce + limits::kAgentResultsPerSecond);
  clock_.advance(10s);
  sending.join();
  wait_for_seq("web-1", 2 * kAtOnce);
}

TEST_F(Ingest, AsksWhoComesTooSoonToComeBackAtItsTurn) {
  attaches_ = {1, 2};
  restart();
  Agent first(channel("web-1"));
  first.attach();
  Agent second(channel("web-2"));
  second.attach();

  Agent third(channel("web-3"));
  const auto drain = third.next();
  ASSERT_TRUE(drain && drain->has_drain());
  EXPECT_EQ(third.end().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(half_->hub().counters().put_off, 1U);
  EXPECT_GE(drain->drain().reconnect_after_us(), 1'000'000);

  clock_.advance(Duration{drain->drain().reconnect_after_us()});
  Agent again(channel("web-3"));
  again.attach();
  EXPECT_EQ(half_->hub().counters().put_off, 1U);
}

TEST_F(Ingest, PutsOffOnlyTheAgentThatAttachesAgainAndAgain) {
  constexpr int kAtOnce =
      limits::kAgentResultsBurst / (limits::kAttachCost + limits::kMessageCost);  // with its Hello
  for (int i = 0; i < kAtOnce; ++i) {
    {
      Agent restless(channel("web-1"));
      restless.attach();
    }
    wait_for_detach("web-1");
  }
  ASSERT_EQ(half_->hub().counters().put_off, 0U);
  Agent restless(channel("web-1"));
  restless.greet();
  const auto drain = restless.next();

  EXPECT_TRUE(drain && drain->has_drain());
  Agent good(channel("web-2"));
  good.attach();
}

// Neither side is told: the connection stays up and carries nothing.
TEST_F(Ingest, FindsAHalfOpenLinkByItsSilence) {
  testing::StallingProxy proxy(half_->port());
  Agent cut_off(channel_to(proxy.address(), "web-1"));
  cut_off.attach();
  Agent good(channel("web-2"));
  good.attach();
  proxy.stall();
  clock_.advance(limits::kPeerSilenceMax);
  good.report(1, v1::STATUS_OK, true);
  ASSERT_EQ(good.acknowledged(), 1U);
  EXPECT_EQ(half_->hub().counters().silent, 0U);

  clock_.advance(1us);

  wait_for_detach("web-1");
  EXPECT_EQ(half_->hub().counters().silent, 1U);
  good.report(2, v1::STATUS_OK);
  EXPECT_EQ(good.acknowledged(), 2U);
}

TEST_F(Ingest, LetsNobodyAttachButAgents) {
  Agent operator_(channel("mia", pki::Role::operator_));

  const grpc::Status status = operator_.end();

  EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("only a certificate with the role agent"));
  EXPECT_EQ(half_->hub().counters().refused, 1U);
}

TEST_F(Ingest, RefusesAnAgentThatHasObeyedANewerCoordinator) {
  Agent agent(channel("web-1"));
  v1::AgentMessage message;
  message.mutable_hello()->set_incarnation(1);
  message.mutable_hello()->set_protocol(1);
  message.mutable_hello()->set_epoch_seen(9);
  agent.say(message);

  EXPECT_EQ(agent.end().error_code(), StatusCode::FAILED_PRECONDITION);
}

TEST_F(Ingest, AsksAgentsToLeaveAndTakesNoMore) {
  Agent agent(channel("web-1"));
  agent.attach();

  half_->hub().drain("maintenance", 3s);

  const auto drain = agent.next(Message::kDrain);
  ASSERT_TRUE(drain);
  EXPECT_EQ(drain->drain().reason(), "maintenance");
  EXPECT_EQ(drain->drain().reconnect_after_us(), 3'000'000);
  Agent late(channel("web-2"));
  EXPECT_EQ(late.end().error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace firebreak::ingest
