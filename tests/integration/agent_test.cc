// The agent against a coordinator, an actuator and a target that do as they are told: real gRPC,
// real TLS, real sockets.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "agent/agent.h"
#include "agent/link_stream.h"
#include "common/clock.h"
#include "common/limits.h"
#include "common/pki.h"
#include "proto/credentials.h"
#include "proto/wire.h"
#include "tests/support/fake_actuator.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/forge.h"
#include "tests/support/stalling_proxy.h"
#include "tests/support/temp_dir.h"

// Debian's c-ares 1.18 loses the ten bytes of the name "localhost" that gRPC asks it for. Read by
// LeakSanitizer where there is one.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcares.so";
}

namespace firebreak::agent {
namespace {

using namespace std::chrono_literals;
using firebreak::testing::FakeActuator;
using firebreak::testing::FakeCoordinator;
using firebreak::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using From = v1::AgentMessage;

// A port where nobody listens and nobody else can: connecting is refused at once.
class ClosedPort {
 public:
  ClosedPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    static_assert(sizeof generic == sizeof address);
    std::memcpy(&generic, &address, sizeof address);
    EXPECT_EQ(::bind(fd_, &generic, sizeof generic), 0);
    socklen_t size = sizeof generic;
    EXPECT_EQ(::getsockname(fd_, &generic, &size), 0);
    std::memcpy(&address, &generic, sizeof address);
    port_ = ntohs(address.sin_port);
  }
  ~ClosedPort() { ::close(fd_); }
  ClosedPort(const ClosedPort&) = delete;
  ClosedPort& operator=(const ClosedPort&) = delete;
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
  }

 private:
  int fd_;
  int port_ = 0;
};

// An agent on a loop of its own.
class RunningAgent {
 public:
  RunningAgent(const Clock& clock, AgentSettings settings)
      : agent_(io_, clock, std::move(settings), [this] { io_.stop(); }), thread_([this] {
          agent_.start();
          io_.run();
        }) {}
  ~RunningAgent() {
    ask_to_stop();
    wait();
  }
  RunningAgent(const RunningAgent&) = delete;
  RunningAgent& operator=(const RunningAgent&) = delete;

  void ask_to_stop() {
    boost::asio::post(io_, [this] { agent_.stop(); });
  }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  boost::asio::io_context io_{1};
  Agent agent_;
  std::thread thread_;
};

class AgentLink : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { require_tls13(); }

  void SetUp() override {
    const WallTime now = clock_.wall();
    ASSERT_TRUE(pki::init_ca(ca_.path(), "prod", now));
    agent_ = issue(pki::Role::agent, "web-1");
    coordinator_ = issue(pki::Role::coordinator, "main");
  }

  pki::KeyPairFiles issue(pki::Role role, const std::string& name) {
    pki::IssueRequest request{role, name, {}, 30};
    if (role == pki::Role::coordinator) request.hosts = {"127.0.0.1"};
    auto files = pki::issue(ca_.path(), request, clock_.wall());
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return files ? *std::move(files) : pki::KeyPairFiles{};
  }

  std::unique_ptr<FakeCoordinator> a_coordinator() {
    const auto credentials = server_credentials(tls(coordinator_));
    EXPECT_TRUE(credentials) << (credentials ? "" : credentials.error().message);
    return std::make_unique<FakeCoordinator>(credentials ? *credentials : nullptr);
  }

  pki::TlsFiles tls(const pki::KeyPairFiles& pair) {
    return {pair.certificate, pair.key, ca_ / "ca.crt"};
  }

  Config config(std::vector<std::string> coordinators) {
    Config config;
    config.coordinators = std::move(coordinators);
    config.tls = tls(agent_);
    config.labels = {{"role", "edge"}};
    config.state = state_.path();
    config.actuator = actuator_socket_;
    return config;
  }

  std::unique_ptr<RunningAgent> run(std::vector<std::string> coordinators) {
    auto settings = prepare(config(std::move(coordinators)), clock_);
    EXPECT_TRUE(settings) << (settings ? "" : settings.error().message);
    if (!settings) return nullptr;
    settings->uplink.backoff_first = 1ms;
    settings->uplink.backoff_longest = 20ms;
    return std::make_unique<RunningAgent>(clock_, *std::move(settings));
  }

  ProbeSpec refused_probe(Duration every) {
    HttpSpec http;
    http.url = target_.url();
    ProbeSpec spec;
    spec.kind = std::move(http);
    spec.every = every;
    spec.confirm.attempts = 0;
    return spec;
  }

  static v1::CoordinatorMessage assignment(
      const std::vector<std::pair<std::string, ProbeSpec>>& probes) {
    v1::CoordinatorMessage message;
    for (const auto& [name, spec] : probes) {
      auto& entry = *message.mutable_assignment()->add_probes();
      *entry.mutable_key() = wire::to_proto(ProbeKey{ServiceName("api"), ProbeName(name)});
      *entry.mutable_spec() = wire::to_proto(spec);
    }
    return message;
  }
  static v1::CoordinatorMessage ack(std::uint64_t seq) {
    v1::CoordinatorMessage message;
    message.mutable_ack()->set_seq(seq);
    return message;
  }
  static v1::CoordinatorMessage order(const std::string& id) {
    v1::CoordinatorMessage message;
    message.mutable_action_order()->set_action_id(id);
    message.mutable_action_order()->set_name("restart-api");
    message.mutable_action_order()->set_epoch(1);
    message.mutable_action_order()->set_valid_for_us(60'000'000);
    return message;
  }
  v1::CoordinatorMessage probe_now(const std::string& id) {
    v1::CoordinatorMessage message;
    message.mutable_probe_now()->set_request_id(id);
    *message.mutable_probe_now()->mutable_spec() = wire::to_proto(refused_probe(1h));
    return message;
  }
  // The agent is attached and answers; what was sent before has been handled.
  void expect_alive(FakeCoordinator& coordinator) {
    coordinator.send(probe_now("alive?"));
    const auto answer = coordinator.next(From::kProbeNowResult);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->probe_now_result().request_id(), "alive?");
    EXPECT_EQ(answer->probe_now_result().observation().status(), v1::STATUS_CRITICAL);
  }

  SystemClock clock_;
  TempDir ca_;
  TempDir state_;
  ClosedPort target_;
  pki::KeyPairFiles agent_;
  pki::KeyPairFiles coordinator_;
  std::string actuator_socket_;
};

// Results by sequence number, as one stream told them.
class Received {
 public:
  struct Result {
    ProbeKey key;
    std::int64_t started_us = 0;
    v1::Status status = v1::STATUS_UNSPECIFIED;
    friend bool operator==(const Result&, const Result&) = default;
  };

  void take(const v1::ResultBatch& message) {
    const auto batch = wire::from_proto(message);
    ASSERT_TRUE(batch) << batch.error().message;
    const auto defined = table_.apply(*batch);
    ASSERT_TRUE(defined) << defined.error().message;
    for (std::size_t i = 0; i < batch->results.size(); ++i) {
      const auto& result = batch->results[i];
      results_[batch->first_seq + i] = {*table_.find(result.ref), result.started.count(),
                                        wire::to_proto(result.observation.status)};
    }
  }
  void take_until(FakeCoordinator& coordinator, std::uint64_t seq) {
    while (last() < seq) {
      const auto message = coordinator.next(From::kResults);
      ASSERT_TRUE(message);
      take(message->results());
    }
  }

  [[nodiscard]] std::uint64_t first() const {
    return results_.empty() ? 0 : results_.begin()->first;
  }
  [[nodiscard]] std::uint64_t last() const {
    return results_.empty() ? 0 : results_.rbegin()->first;
  }
  [[nodiscard]] const std::map<std::uint64_t, Result>& results() const { return results_; }

 private:
  wire::SeriesTable table_;
  std::map<std::uint64_t, Result> results_;
};

// --- Who is there --------------------------------------------------------------------------------

TEST_F(AgentLink, IgnoresWhatANewerCoordinatorSays) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  v1::CoordinatorMessage newer;
  newer.GetReflection()->MutableUnknownFields(&newer)->AddLengthDelimited(1000, "news");

  coordinator->send(newer);

  expect_alive(*coordinator);
}

// Takes as long as silence may last: the agent's clock is the machine's.
TEST_F(AgentLink, FindsAHalfOpenLinkByItsSilenceAndMakesAnother) {
  const auto coordinator = a_coordinator();
  const std::string& address = coordinator->address();
  firebreak::testing::StallingProxy proxy(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto agent = run({proxy.address()});
  const v1::Hello before = coordinator->attach(1);
  expect_alive(*coordinator);

  proxy.stall();
  const v1::Hello after = coordinator->attach(1);

  EXPECT_NE(after.incarnation(), 0U);
  EXPECT_EQ(after.incarnation(), before.incarnation());
  expect_alive(*coordinator);
}

// What happens to an agent that stood still for so long that it was given up meanwhile: it sends
// into a stream that has ended, before it has read all that was sent to it. Taking its time after a
// send makes gRPC tell the failed write before the messages that are left.
TEST_F(AgentLink, AStreamThatEndedWithMessagesUnreadSaysWhyAndIsLetGo) {
  const auto coordinator = a_coordinator();
  for (int round = 0; round < 30; ++round) {
    boost::asio::io_context io;
    const auto work = boost::asio::make_work_guard(io);
    std::optional<LinkStream> stream;
    std::string ended;
    LinkHandlers handlers;
    handlers.received = [&](const v1::CoordinatorMessage&) {
      stream->send({});
      std::this_thread::sleep_for(5ms);
    };
    handlers.ended = [&](std::string reason) {
      ended = std::move(reason);
      io.stop();
    };
    stream.emplace(io, coordinator->address(), tls(agent_), std::move(handlers));
    v1::AgentMessage hello;
    hello.mutable_hello()->set_incarnation(1);
    stream->send(std::move(hello));
    coordinator->attach(1);
    for (int i = 0; i < 5; ++i) coordinator->send(ack(1));
    coordinator->finish({grpc::StatusCode::UNAVAILABLE, "nothing heard of you"});

    io.run_for(60s);
    stream.reset();

    ASSERT_EQ(ended, "nothing heard of you") << "in round " << round;
  }
}

TEST_F(AgentLink, SaysWhoItIsAndWhatItHasSeen) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});

  const v1::Hello hello = coordinator->attach(1);

  EXPECT_NE(hello.incarnation(), 0U);
  EXPECT_EQ(hello.protocol(), 1U);
  EXPECT_EQ(hello.labels().at("role"), "edge");
  EXPECT_GT(hello.monotonic_us(), 0);
  EXPECT_EQ(hello.first_unacked_seq(), 1U);
  EXPECT_EQ(hello.epoch_seen(), 0U);
  EXPECT_THAT(hello.actions(), IsEmpty());
  expect_alive(*coordinator);
}

TEST_F(AgentLink, ARogueWithAnotherRoleIsLeftBeforeAnyResult) {
  const pki::KeyPairFiles odd{ca_ / "odd.crt", coordinator_.key};
  testing::forge(coordinator_.certificate, odd.certificate, ca_ / "ca.key", [](X509* c) {
    testing::replace_names(c, "URI:spiffe://firebreak/agent/web-2,IP:127.0.0.1");
  });
  const auto material = pki::read_tls_material(tls(odd));
  ASSERT_TRUE(material) << material.error().message;
  grpc::SslServerCredentialsOptions options(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs.push_back({material->key.reveal(), material->certificate});
  FakeCoordinator rogue(grpc::SslServerCredentials(options));
  const auto agent = run({rogue.address()});

  rogue.attach(1);
  rogue.send(assignment({{"health", refused_probe(100ms)}}));

  EXPECT_FALSE(rogue.next(From::kResults));
  EXPECT_TRUE(rogue.wait_for_end());
}

TEST_F(AgentLink, OnlyAnAgentsCertificateWillDo) {
  agent_ = issue(pki::Role::operator_, "ann");

  const auto settings = prepare(config({"127.0.0.1:1"}), clock_);

  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::permission_denied);
  EXPECT_THAT(settings.error().message, HasSubstr("firebreak pki agent"));
}

TEST_F(AgentLink, ACoordinatorOfAnotherProtocolIsLeft) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->accept();
  v1::CoordinatorMessage message;
  message.mutable_welcome()->set_epoch(1);
  message.mutable_welcome()->set_protocol(2);

  coordinator->send(std::move(message));

  EXPECT_TRUE(coordinator->wait_for_end());
}

TEST_F(AgentLink, AReplacedCoordinatorIsNotObeyedEvenAfterARestart) {
  const auto former = a_coordinator();
  const auto latter = a_coordinator();
  auto agent = run({latter->address(), former->address()});
  latter->attach(9);
  expect_alive(*latter);
  latter->kill();

  former->attach(8);
  EXPECT_TRUE(former->wait_for_end());
  latter->attach(9);
  expect_alive(*latter);

  agent.reset();
  agent = run({former->address(), latter->address()});
  EXPECT_EQ(former->attach(8).epoch_seen(), 9U);
  EXPECT_TRUE(former->wait_for_end());
  EXPECT_EQ(latter->attach(10).epoch_seen(), 9U);
  expect_alive(*latter);
}

// --- Results -------------------------------------------------------------------------------------

TEST_F(AgentLink, WhatWasNotAcknowledgedComesAgainUnderTheSameNumbers) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  const v1::Hello hello = coordinator->attach(1);
  coordinator->send(
      assignment({{"health", refused_probe(100ms)}, {"other", refused_probe(100ms)}}));
  Received before;
  before.take_until(*coordinator, 5);
  coordinator->kill();

  const v1::Hello again = coordinator->attach(1);
  EXPECT_EQ(again.incarnation(), hello.incarnation());
  EXPECT_EQ(again.first_unacked_seq(), 1U);
  Received after;
  after.take_until(*coordinator, before.last());

  EXPECT_EQ(after.first(), 1U);
  for (const auto& [seq, result] : before.results()) {
    ASSERT_TRUE(after.results().contains(seq));
    EXPECT_EQ(after.results().at(seq), result) << seq;
    EXPECT_EQ(result.status, v1::STATUS_CRITICAL);
  }

  coordinator->send(ack(3));
  expect_alive(*coordinator);  // the ack has arrived
  coordinator->kill();
  EXPECT_EQ(coordinator->attach(1, 4).first_unacked_seq(), 4U);
  Received rest;
  rest.take_until(*coordinator, 5);
  EXPECT_EQ(rest.first(), 5U);  // 4 was committed: the welcome said so
}

TEST_F(AgentLink, AnAckOfWhatWasNeverSentEndsTheStream) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  const std::uint64_t before = coordinator->attach(1).incarnation();

  coordinator->send(ack(1'000'000));
  EXPECT_TRUE(coordinator->wait_for_end());

  coordinator->attach(1, 1'000'000);
  EXPECT_TRUE(coordinator->wait_for_end());
  // It may be back before its spool has begun anew, which ends that stream, too.
  if (coordinator->attach(1).incarnation() == before) {
    EXPECT_TRUE(coordinator->wait_for_end());
    EXPECT_NE(coordinator->attach(1).incarnation(), before);
  }
  expect_alive(*coordinator);
}

TEST_F(AgentLink, ReconnectsWhenAskedToDrain) {
  const auto first = a_coordinator();
  const auto second = a_coordinator();
  const auto agent = run({first->address(), second->address()});
  first->attach(1);
  v1::CoordinatorMessage message;
  message.mutable_drain()->set_reason("restart");

  first->send(std::move(message));

  second->attach(1);
  EXPECT_TRUE(first->wait_for_end());
  expect_alive(*second);
}

TEST_F(AgentLink, StoppingSendsWhatIsThereAndWaitsForTheAck) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  coordinator->send(assignment({{"health", refused_probe(100ms)}}));
  Received received;
  received.take_until(*coordinator, 1);

  agent->ask_to_stop();
  // Everything is acknowledged as it comes, until the agent has nothing left and goes.
  do {
    coordinator->send(ack(received.last()));
    const auto message = coordinator->next(From::kResults);
    if (!message) break;
    received.take(message->results());
  } while (true);

  EXPECT_TRUE(coordinator->wait_for_end());
  agent->wait();
  EXPECT_EQ(received.results().size(), received.last());  // none is missing
}

// --- What a coordinator asks ---------------------------------------------------------------------

TEST_F(AgentLink, AProbeNowOfAnAssignedProbeCountsInItsSeries) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  coordinator->send(assignment({{"health", refused_probe(24h)}}));
  auto ask = probe_now("r1");
  *ask.mutable_probe_now()->mutable_key() =
      wire::to_proto(ProbeKey{ServiceName("api"), ProbeName("health")});
  coordinator->send(std::move(ask));

  const auto answer = coordinator->next(From::kProbeNowResult);
  ASSERT_TRUE(answer);
  const v1::Observation seen = answer->probe_now_result().observation();
  EXPECT_EQ(seen.status(), v1::STATUS_CRITICAL);

  // Its scheduled first run is in the series as well, before or after.
  std::vector<std::int64_t> latencies;
  while (latencies.size() < 2) {
    const auto message = coordinator->next(From::kResults);
    ASSERT_TRUE(message);
    const auto& column = message->results().latency_us();
    latencies.insert(latencies.end(), column.begin(), column.end());
    if (::testing::Value(latencies, ::testing::Contains(seen.latency_us()))) break;
  }
  EXPECT_THAT(latencies, ::testing::Contains(seen.latency_us()));
}

TEST_F(AgentLink, OneBadProbeIsReportedAndCostsNothingElse) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  auto message = assignment({{"odd", refused_probe(1h)}, {"health", refused_probe(100ms)}});
  message.mutable_assignment()->mutable_probes(0)->clear_spec();

  coordinator->send(std::move(message));

  Received received;
  std::map<std::string, v1::Status> seen;
  while (seen.size() < 2) {
    const auto batch = coordinator->next(From::kResults);
    ASSERT_TRUE(batch);
    received.take(batch->results());
    for (const auto& [seq, result] : received.results())
      seen[result.key.probe.str()] = result.status;
  }
  EXPECT_EQ(seen["odd"], v1::STATUS_UNKNOWN);
  EXPECT_EQ(seen["health"], v1::STATUS_CRITICAL);
}

TEST_F(AgentLink, SurvivesHostileRequests) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);

  v1::CoordinatorMessage flood;
  for (std::size_t i = 0; i <= limits::kProbesPerAgentMax; ++i)
    flood.mutable_assignment()->add_probes();
  coordinator->send(std::move(flood));
  coordinator->send(v1::CoordinatorMessage{});
  v1::CoordinatorMessage nameless;
  nameless.mutable_probe_now();
  coordinator->send(std::move(nameless));
  coordinator->send(order(""));
  v1::CoordinatorMessage odd_ack;
  odd_ack.mutable_outcome_ack()->set_action_id(std::string(100'000, 'x'));
  coordinator->send(std::move(odd_ack));
  expect_alive(*coordinator);

  auto bad = probe_now("r1");
  bad.mutable_probe_now()->clear_spec();
  coordinator->send(std::move(bad));
  const auto answer = coordinator->next(From::kProbeNowResult);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->probe_now_result().observation().status(), v1::STATUS_UNKNOWN);

  auto huge = order("big");
  huge.mutable_action_order()->set_reason(std::string(limits::kMessageBytesMax, 'x'));
  coordinator->send(std::move(huge));
  EXPECT_TRUE(coordinator->wait_for_end());
  coordinator->attach(1);
  expect_alive(*coordinator);
}

// --- Actions -------------------------------------------------------------------------------------

TEST_F(AgentLink, WithoutAnActuatorOrdersAreRefusedWithAReason) {
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);

  coordinator->send(order("INC-1/restart"));

  const auto outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->action_outcome().action_id(), "INC-1/restart");
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_REFUSED);
  EXPECT_THAT(outcome->action_outcome().detail(), HasSubstr("only probes"));
}

TEST_F(AgentLink, WhenNobodyListensAtTheSocketOrdersAreRefusedWithAReason) {
  actuator_socket_ = state_ / "nobody.sock";
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  EXPECT_THAT(coordinator->attach(1).actions(), IsEmpty());

  coordinator->send(order("INC-1/restart"));

  const auto outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_REFUSED);
  EXPECT_THAT(outcome->action_outcome().detail(), HasSubstr(actuator_socket_));
  EXPECT_THAT(outcome->action_outcome().detail(), HasSubstr("firebreak-actuator.socket"));
}

TEST_F(AgentLink, OrdersGoToTheActuatorAndOutcomesComeBack) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api", "Not A Name"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  EXPECT_THAT(coordinator->attach(1).actions(), ElementsAre("restart-api"));

  coordinator->send(order("INC-1/restart"));
  const auto asked = actuator.next(v1::ActuatorRequest::kOrder);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->order().action_id(), "INC-1/restart");
  EXPECT_EQ(asked->order().name(), "restart-api");
  actuator.reply("INC-1/restart", v1::ACTION_STATE_STARTED);
  auto outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_STARTED);
  actuator.reply("INC-1/restart", v1::ACTION_STATE_SUCCEEDED);
  outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_SUCCEEDED);

  v1::CoordinatorMessage committed;
  committed.mutable_outcome_ack()->set_action_id("INC-1/restart");
  coordinator->send(std::move(committed));
  const auto acknowledged = actuator.next(v1::ActuatorRequest::kAck);
  ASSERT_TRUE(acknowledged);
  EXPECT_EQ(acknowledged->ack().action_id(), "INC-1/restart");
}

TEST_F(AgentLink, ABrokenSocketMakesNoOutcomeUp) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  coordinator->send(order("started"));
  coordinator->send(order("unanswered"));
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOrder));
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOrder));
  actuator.reply("started", v1::ACTION_STATE_STARTED);
  ASSERT_TRUE(coordinator->next(From::kActionOutcome));

  actuator.drop_connection();

  // It is asked what it owes, and handed again what it never answered, with less time left.
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOwed));
  const auto again = actuator.next(v1::ActuatorRequest::kOrder);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->order().action_id(), "unanswered");
  EXPECT_LT(again->order().valid_for_us(), 60'000'000);
  EXPECT_GT(again->order().valid_for_us(), 0);
  actuator.reply("started", v1::ACTION_STATE_UNKNOWN);
  const auto outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);  // nothing came between
  EXPECT_EQ(outcome->action_outcome().action_id(), "started");
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_UNKNOWN);
}

TEST_F(AgentLink, OwedOutcomesAreDeliveredAgainOnANewLink) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOwed));  // when it connected
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOwed));  // when the link came up
  coordinator->kill();
  coordinator->attach(1);

  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOwed));
  actuator.reply("INC-1/restart", v1::ACTION_STATE_FAILED);

  const auto outcome = coordinator->next(From::kActionOutcome);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->action_outcome().state(), v1::ACTION_STATE_FAILED);
}

// What is still wanted its successor orders again, under the same id.
TEST_F(AgentLink, OrdersOfACoordinatorThatWasReplacedAreNotHandedOver) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  coordinator->send(order("of the former"));
  ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOrder));  // and is not answered
  coordinator->kill();
  coordinator->attach(2);
  std::optional<v1::ActuatorRequest> owed;
  while ((owed = actuator.next(v1::ActuatorRequest::kOwed)) && owed->owed().epoch() < 2) continue;
  ASSERT_TRUE(owed) << "the actuator is told who leads";

  actuator.drop_connection();
  owed = actuator.next(v1::ActuatorRequest::kOwed);
  ASSERT_TRUE(owed);
  v1::CoordinatorMessage later = order("of the latter");
  later.mutable_action_order()->set_epoch(2);
  coordinator->send(std::move(later));

  EXPECT_EQ(owed->owed().epoch(), 2U);
  const auto handed = actuator.next(v1::ActuatorRequest::kOrder);
  ASSERT_TRUE(handed);
  EXPECT_EQ(handed->order().action_id(), "of the latter");
}

TEST_F(AgentLink, AnActuatorThatTalksNonsenseIsLeftAndTriedAgain) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  coordinator->attach(1);
  for (const char* nonsense : {"\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n"}) {
    coordinator->send(order(nonsense[0] == 'G' ? "second" : "first"));
    ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOrder));

    actuator.reply_raw(nonsense);

    ASSERT_TRUE(actuator.next(v1::ActuatorRequest::kOrder));  // again, on a new connection
    actuator.reply("first", v1::ACTION_STATE_SUCCEEDED);
    ASSERT_TRUE(coordinator->next(From::kActionOutcome));
  }
  expect_alive(*coordinator);
}

TEST_F(AgentLink, NewActionsAreToldWithANewHello) {
  actuator_socket_ = state_ / "actuator.sock";
  FakeActuator actuator(actuator_socket_);
  actuator.allow({"restart-api"});
  const auto coordinator = a_coordinator();
  const auto agent = run({coordinator->address()});
  EXPECT_THAT(coordinator->attach(1).actions(), ElementsAre("restart-api"));

  actuator.allow({"restart-api", "save-logs"});
  actuator.drop_connection();

  EXPECT_THAT(coordinator->attach(1).actions(), ElementsAre("restart-api", "save-logs"));
}

}  // namespace
}  // namespace firebreak::agent
