// Writes seeds: inputs made of real messages, from which the fuzzer starts. Run again after a
// change of the protocol: fuzz_seeds tests/fuzz/corpus
#include <firebreak/v1/actuator.pb.h>
#include <firebreak/v1/agent.pb.h>
#include <firebreak/v1/operator.pb.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "agent/actuator/journal.h"
#include "agent/actuator/wire.h"
#include "coordinator/core/step.h"
#include "coordinator/ingest/convert.h"
#include "coordinator/store/journal_codec.h"
#include "coordinator/store/snapshot_codec.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

namespace firebreak::fuzz {
namespace {

using namespace std::chrono_literals;

// Collects parts, whose bytes it owns.
class Seed {
 public:
  Seed& add(char kind, std::string bytes = {}) {
    if (!text_.empty()) text_ += kBetweenParts;
    text_ += kind + std::move(bytes);
    return *this;
  }
  Seed& add(char kind, const google::protobuf::MessageLite& message) {
    return add(kind, message.SerializeAsString());
  }
  void write(const std::string& target, const std::string& name) const {
    const auto folder = std::filesystem::path(root) / target;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / name, std::ios::binary) << text_;
  }
  static inline std::string root;

 private:
  std::string text_;
};

ProbeKey key(const char* service, const char* probe) {
  return {ServiceName(service), ProbeName(probe)};
}

v1::AgentMessage hello(const char* role) {
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_incarnation(42);
  hello.set_version("0.1.0");
  hello.set_protocol(1);
  (*hello.mutable_labels())["role"] = role;
  hello.set_wall_unix_us(1'795'230'000'000'000);
  hello.add_actions("restart-shop");
  return message;
}

// Every probe once, with this verdict.
v1::AgentMessage results(std::uint64_t first_seq, Status status, bool confirmed = true) {
  wire::Batch batch;
  batch.first_seq = first_seq;
  batch.sent = 100s;
  if (first_seq == 1)
    batch.series = {
        {0, key("shop", "health")}, {1, key("shop", "queue")}, {2, key("database", "ready")}};
  for (std::uint32_t ref = 0; ref < 3; ++ref) {
    Observation seen;
    seen.status = status;
    seen.reason = status == Status::ok ? Reason::none : Reason::refused;
    seen.phase = Phase::connect;
    seen.latency = 20ms;
    if (ref == 1) seen.values = {{"length", 7.0}};
    if (status != Status::ok) seen.evidence = "connection refused";
    batch.results.push_back({ref, confirmed, 99s, std::move(seen)});
  }
  v1::AgentMessage message;
  *message.mutable_results() = wire::to_proto(batch);
  return message;
}

v1::AgentMessage outcome(const char* id) {
  v1::AgentMessage message;
  message.mutable_action_outcome()->set_action_id(id);
  message.mutable_action_outcome()->set_state(v1::ACTION_STATE_SUCCEEDED);
  message.mutable_action_outcome()->set_output("restarted\n");
  message.mutable_action_outcome()->set_took_us(1'000'000);
  return message;
}

template <class Request>
Request about(const char* incident) {
  Request request;
  request.set_id(incident);
  return request;
}

v1::DeclareIncidentRequest declare() {
  v1::DeclareIncidentRequest request;
  request.set_service("shop");
  request.set_severity("P1");
  request.set_title("checkout fails");
  request.set_request_id("1");
  return request;
}

v1::AddNoteRequest note() {
  auto request = about<v1::AddNoteRequest>("$");
  request.set_text("looking into it");
  request.set_phase("identified");
  return request;
}

v1::ResolveIncidentRequest resolve() {
  auto request = about<v1::ResolveIncidentRequest>("$");
  request.set_reason("it is over");
  return request;
}

v1::SetFactRequest fact(const char* name, const char* text) {
  v1::SetFactRequest request;
  request.set_name(name);
  request.set_text(text);
  return request;
}

v1::ClearFactRequest clear() {
  v1::ClearFactRequest request;
  request.set_name("customers");
  request.set_service("shop");
  return request;
}

void coordinator_seeds() {
  Seed()
      .add('a', hello("edge"))
      .add('b', hello("ops"))
      .add('a', results(1, Status::ok))
      .add('t', "31000")
      .add('a', results(4, Status::critical, false))
      .add('a', results(7, Status::critical))
      .add('s', std::string(1, '\0'))
      .add('z', std::string("\1restarted", 10))
      .add('y', std::string("\2\1\5refused", 10))
      .add('t', "61000")
      .add('a', outcome("a-1"))
      .add('k', about<v1::AcknowledgeIncidentRequest>("$"))
      .add('a', results(10, Status::ok))
      .add('t', "40000")
      .add('y', std::string(3, '\0'))
      .add('y', std::string(3, '\0'))
      .add('t', "600000")
      .write("coordinator", "outage");
  Seed()
      .add('d', declare())
      .add('n', note())
      .add('k', about<v1::AcknowledgeIncidentRequest>("$"))
      .add('f', fact("customers", "2000"))
      .add('w', "shop")
      .add('t', "5000")
      .add('x')
      .add('f', fact("breach", "true"))
      .add('f', fact("share", "12.5"))
      .add('f', fact("word", "down"))
      .add('c', clear())
      .add('t', "7200000")
      .add('v', resolve())
      .write("coordinator", "operators");
  Seed()
      .add('a', hello("edge"))
      .add('a', results(1, Status::warning))
      .add('P')
      .add('t', "3000")
      .add('r')
      .add('a', hello("edge"))
      .add('a', results(1, Status::critical))
      .add('p')
      .add('t', "120000")
      .add('A')
      .add('r')
      .add('t', "40000")
      .write("coordinator", "restart");
}

void operator_seeds() {
  v1::ApplyPolicyRequest policy;
  policy.add_files()->set_path("a/policy.yaml");
  policy.mutable_files(0)->set_text("severities: {P1: {}}\n");
  v1::ListIncidentsRequest list;
  list.set_limit(10);
  Seed()
      .add('k', about<v1::AcknowledgeIncidentRequest>("INC-20261121-001"))
      .add('n', note())
      .add('v', resolve())
      .add('d', declare())
      .add('f', fact("share", "1e3"))
      .add('f', fact("word", "anything"))
      .add('c', clear())
      .add('p', policy)
      .add('l', list)
      .write("operator", "each");
}

v1::CoordinatorMessage assignment() {
  std::vector<std::pair<ProbeKey, ProbeSpec>> probes;
  for (const auto& [name, service] : world_policy()->services)
    for (const policy::Probe& probe : service.probes)
      probes.emplace_back(ProbeKey{name, probe.name}, probe.spec);
  v1::CoordinatorMessage message;
  *message.mutable_assignment() = ingest::to_proto(probes, 1).message;
  return message;
}

void agent_seeds() {
  const ProbeSpec spec = world_policy()->services.begin()->second.probes.front().spec;
  core::OrderHostAction order{ActionId("a-1"), AgentName("edge-1"), "restart", {{"unit", "x"}},
                              Instant{} + 60s, IncidentId("INC-1"), "P1"};
  Seed()
      .add('m', assignment())
      .add('t', "10000\1\2\3\1")
      .add('m',
           ingest::to_proto({AgentName("edge-1"), RequestId("r-1"), key("shop", "health"), spec}))
      .add('m', ingest::to_proto(order, 3, Instant{}))
      .add('m', ingest::to_proto(core::ConfirmOutcome{AgentName("edge-1"), ActionId("a-1")}))
      .add('t', "86400000")
      .write("agent", "assignment");
}

void actuator_seeds() {
  v1::ActuatorRequest request;
  request.mutable_order()->set_action_id("a-1");
  request.mutable_order()->set_name("restart");
  (*request.mutable_order()->mutable_parameters())["unit"] = "nginx.service";
  request.mutable_order()->set_epoch(3);
  request.mutable_order()->set_valid_for_us(60'000'000);
  v1::ActuatorRequest second;
  second.mutable_order()->CopyFrom(request.order());
  second.mutable_order()->set_action_id("a-2");
  second.mutable_order()->set_name("scale");
  second.mutable_order()->mutable_parameters()->clear();
  (*second.mutable_order()->mutable_parameters())["count"] = "3";
  (*second.mutable_order()->mutable_parameters())["name"] = "shop";
  v1::ActuatorRequest acknowledged;
  acknowledged.mutable_ack()->set_action_id("a-1");
  const Instant at = instant_from_unix_us(1'795'230'000'000'000);
  const actuator::Record intent{at, actuator::Intent{ActionId("a-0"), "restart", 2}};
  const actuator::Record epoch{at, actuator::EpochSeen{2}};
  Seed()
      .add('r', actuator::encode_record(intent))
      .add('r', actuator::encode_record(epoch))
      .add('q', request)
      .add('q', second)
      .add('o', outcome("a-1").action_outcome())
      .add('q', acknowledged)
      .add('J', "\1\1\1\1\1")
      .add('j', actuator::journal_bytes({intent, epoch}))
      .write("actuator", "orders");
}

// What the core of the coordinator's seeds would journal.
void journal_seeds() {
  core::State state;
  const Instant now = instant_from_unix_us(1'795'230'000'000'000);
  std::vector<store::JournalEntry> entries;
  Seed effects;
  const auto step = [&](const core::Event& event) {
    entries.push_back({entries.size() + 1, now, event});
    for (const core::Effect& effect : core::step(state, event, now))
      if (store::is_durable(effect)) effects.add('e', store::encode_effect(effect));
  };
  step(core::Started{1});
  step(core::PolicyChanged{world_policy(true), "directory"});
  core::AgentAttached attached;
  attached.agent = AgentName("edge-1");
  attached.incarnation = 1;
  attached.labels = {{"role", "edge"}};
  step(attached);
  core::ResultsReceived results;
  results.agent = attached.agent;
  results.incarnation = 1;
  results.first_seq = 1;
  results.series = {{0, key("shop", "health")}};
  Observation seen;
  seen.status = Status::critical;
  seen.evidence = "HTTP 500";
  seen.values = {{"status", 500.0}};
  seen.phases = {{Phase::connect, 3ms}};
  results.rows = {{0, now, true, seen}};
  step(results);
  const std::string by = "mia";
  step(core::OperatorAsked{by, core::DeclareIncident{ServiceName("shop"), 0, "down", "1"}});
  step(core::OperatorAsked{by, core::SetFact{FactName("customers"), {}, 2.0}});
  step(core::OperatorAsked{by, core::ClearFact{FactName("customers"), {}}});
  step(core::OperatorAsked{by, core::StartValidation{ValidationId("v-1"), ServiceName("shop")}});
  step(core::OperatorAsked{by, core::CancelValidation{ValidationId("v-1")}});
  step(core::ProbeNowFinished{attached.agent, RequestId("r-1"), seen});
  step(core::ActionReported{ActionId("a-1"), "agent:edge-1", core::ActionState::failed, 1, "no", 0,
                            3s, "exit code 1"});
  step(core::NotificationFinished{NotificationId("n-1"), true, 1, "delivered"});
  for (const auto& [id, incident] : state.incidents) {
    step(core::OperatorAsked{by, core::AcknowledgeIncident{id, "on it"}});
    step(core::OperatorAsked{by, core::AddNote{id, "a note", "monitoring"}});
    step(core::OperatorAsked{by, core::ResolveIncident{id, "over"}});
    effects.add('i', store::encode_incident(incident));
  }
  step(core::AgentDetached{attached.agent, 1, "gone"});
  step(core::OrderLapsed{ActionId("a-1")});
  step(core::Tick{});
  effects.write("journal", "effects");
  Seed snapshot;
  for (const std::string& record : store::encode_state(state)) snapshot.add('n', record);
  snapshot.write("journal", "snapshot");
  Seed().add('j', store::encode_batch(entries)).write("journal", "batch");
}

}  // namespace
}  // namespace firebreak::fuzz

int main(int argc, char** argv) {
  using namespace firebreak::fuzz;
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  Seed::root = argv[1];
  coordinator_seeds();
  operator_seeds();
  agent_seeds();
  actuator_seeds();
  journal_seeds();
  return 0;
}
