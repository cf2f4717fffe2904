// The operator API over real mutual TLS, in front of a real engine and store.
#include "coordinator/api/service.h"

#include <firebreak/v1/operator.grpc.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "coordinator/policy/loader.h"
#include "coordinator/store/store.h"
#include "proto/credentials.h"
#include "tests/support/temp_dir.h"

namespace firebreak::api {
namespace {

using namespace std::chrono_literals;
using grpc::StatusCode;
using ::testing::HasSubstr;

// Only so that a broken test ends.
constexpr auto kPatience = 60s;

constexpr const char* kPolicy = R"(
severities: {P1: {}, P2: {}}
facts:
  customers: {type: int, default: 0}
services:
  api:
    agents: "true"
    probes:
      health: {http: "http://127.0.0.1:9/", every: 5s}
)";

// Its validation would take an hour.
constexpr const char* kSlowChecklist = R"(
severities: {P1: {}}
services:
  api:
    agents: "true"
    probes:
      health: {http: "http://127.0.0.1:9/", every: 5s}
checklists:
  api:
    - {expect: "error_rate('health', 5m) < 0.001", hold: 1h, samples: 30}
)";

// The shop needs the database.
constexpr const char* kDependent = R"(
severities: {P1: {}, P2: {}}
facts: {customers: 0}
services:
  db: {agents: "true", probes: {}}
  shop: {agents: "true", depends_on: db, probes: {}}
rules:
  - {service: db, severity: {P2: facts.customers > 0}}
  - {service: shop, severity: {P1: facts.customers > 10}}
)";

class NoAgents final : public engine::AgentSink {
 public:
  void assign(const AgentName&, std::vector<std::pair<ProbeKey, ProbeSpec>>) override {}
  void probe_now(core::SendProbeNow) override {}
  void order(core::OrderHostAction) override {}
  void order_ended(const ActionId&) override {}
  void confirm(core::ConfirmOutcome) override {}
};

class NoSender final : public engine::Sender {
 public:
  void send(core::SendNotification) override {}
  void run(core::RunHttpAction) override {}
};

Result<std::shared_ptr<const policy::Policy>> compile(std::vector<policy::SourceFile> files) {
  policy::Loaded loaded = policy::load_policy(std::move(files));
  if (!loaded.policy) return make_error(Errc::invalid_argument, loaded.problems);
  return std::move(loaded.policy);
}

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    require_tls13();
    const auto ca = pki::init_ca(folder_.path(), "test", clock_.wall());
    if (!ca) throw std::runtime_error(ca.error().message);
    ca_ = ca->certificate;
    auto store = store::open_sqlite(folder_ / "store", compile);
    if (!store) throw std::runtime_error(store.error().message);
    const auto started = engine_.start(*std::move(store), {&agents_, &sender_, &watchers_});
    if (!started) throw std::runtime_error(started.error().message);
    grpc::ServerBuilder builder;
    set_server_limits(builder);
    builder.RegisterService(&api_.service());
    const auto credentials = server_credentials(issue(pki::Role::coordinator, "c", {"127.0.0.1"}));
    if (!credentials) throw std::runtime_error(credentials.error().message);
    builder.AddListeningPort("127.0.0.1:0", *credentials, &port_);
    server_ = builder.BuildAndStart();
    stub_ = v1::OperatorService::NewStub(channel(pki::Role::operator_, "alice"));
  }
  ~ApiTest() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    engine_.stop();
  }

  pki::TlsFiles issue(pki::Role role, const std::string& name,
                      const std::vector<std::string>& hosts = {}) {
    pki::IssueRequest request;
    request.role = role;
    request.name = name;
    request.hosts = hosts;
    const auto files = pki::issue(folder_.path(), request, clock_.wall());
    if (!files) throw std::runtime_error(files.error().message);
    return {files->certificate, files->key, ca_};
  }
  std::shared_ptr<grpc::Channel> channel(pki::Role role, const std::string& name) {
    const auto credentials = client_credentials(issue(role, name), role);
    if (!credentials) throw std::runtime_error(credentials.error().message);
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port_), *credentials,
                                     channel_arguments());
  }

  std::unique_ptr<grpc::ClientReader<v1::ValidationProgress>> validate(grpc::ClientContext& context,
                                                                       const std::string& service) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::ValidateRequest request;
    request.set_service(service);
    return stub_->Validate(&context, request);
  }

  // Calls `method` of the stub; the status is kept in status_.
  template <class Request, class Response>
  Response call(grpc::Status (v1::OperatorService::Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    Response response;
    status_ = (stub_.get()->*method)(&context, request, &response);
    return response;
  }
  v1::ApplyPolicyResponse apply(const std::string& text, bool check_only = false) {
    v1::ApplyPolicyRequest request;
    request.add_files()->set_path("policy.yaml");
    request.mutable_files(0)->set_text(text);
    request.set_check_only(check_only);
    return call(&v1::OperatorService::Stub::ApplyPolicy, request);
  }
  v1::Incident declare(const std::string& request_id) {
    v1::DeclareIncidentRequest request;
    request.set_service("api");
    request.set_severity("P2");
    request.set_title("customers call");
    request.set_request_id(request_id);
    return call(&v1::OperatorService::Stub::DeclareIncident, request);
  }
  v1::Incident resolve(const std::string& id) {
    v1::ResolveIncidentRequest request;
    request.set_id(id);
    request.set_reason("checked by hand");
    return call(&v1::OperatorService::Stub::ResolveIncident, request);
  }
  // The text is the number, with what fills a connection.
  void add_note(const std::string& id, std::size_t number) {
    engine_.submit(core::OperatorAsked{
        "alice",
        core::AddNote{IncidentId(id), std::to_string(number) + std::string(1000, ' '), ""}});
  }
  core::Verdict verdict_of(const ValidationId& id) {
    std::promise<core::Verdict> verdict;
    EXPECT_TRUE(engine_.inspect([&](const engine::View& view) {
      verdict.set_value(view.state.validations.at(id).verdict);
    }));
    return verdict.get_future().get();
  }
  v1::Fact set_customers(const std::string& text) {
    v1::SetFactRequest request;
    request.set_name("customers");
    request.set_text(text);
    return call(&v1::OperatorService::Stub::SetFact, request);
  }

  testing::TempDir folder_;
  SystemClock clock_;
  std::string ca_;
  NoAgents agents_;
  NoSender sender_;
  Watchers watchers_;
  engine::Engine engine_{clock_, [](const Error& error) { ADD_FAILURE() << error.message; }};
  OperatorApi api_{engine_, watchers_, "1.2.3"};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::OperatorService::Stub> stub_;
  grpc::Status status_;
};

std::string timeline_of(const v1::Incident& incident) {
  std::string text;
  for (const auto& entry : incident.timeline())
    text += entry.kind() + "|" + entry.actor() + "|" + entry.text() + "|" + entry.detail() + "\n";
  return text;
}

TEST_F(ApiTest, AnAgentsCertificateIsRefusedOnEveryMethod) {
  grpc::GenericStub agent(channel(pki::Role::agent, "web-1"));
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      v1::OperatorService::service_full_name());
  ASSERT_NE(service, nullptr);
  ASSERT_GT(service->method_count(), 0);

  for (int i = 0; i < service->method_count(); ++i) {
    const std::string method = "/" + service->full_name() + "/" + service->method(i)->name();
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    const grpc::ByteBuffer request(nullptr, 0);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    agent.UnaryCall(&context, method, {}, &request, &response,
                    [&](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("spiffe://firebreak/agent/web-1 is not an"))
        << method;
  }
}

TEST_F(ApiTest, AnswersBeforeThereIsAPolicy) {
  const auto status = call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest());
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(status.version(), "1.2.3");
  EXPECT_EQ(status.epoch(), 1u);

  declare("r-1");
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("there is no policy yet"));
  call(&v1::OperatorService::Stub::GetPolicy, v1::GetPolicyRequest());
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(
      call(&v1::OperatorService::Stub::ListServices, v1::ListServicesRequest()).services_size(), 0);
  EXPECT_TRUE(status_.ok());
}

TEST_F(ApiTest, PutsAnEarlierPolicyInForceAgain) {
  const std::string other =
      std::string(kPolicy) + "      queue: {http: \"http://127.0.0.1:9/q\"}\n";
  const std::string first = apply(kPolicy).digest();
  const std::string second = apply(other).digest();
  ASSERT_NE(first, second);

  const auto history = [this] {
    return call(&v1::OperatorService::Stub::ListPolicies, v1::ListPoliciesRequest());
  };
  auto versions = history().versions();
  ASSERT_EQ(versions.size(), 2);
  EXPECT_EQ(versions[0].digest(), second);
  EXPECT_EQ(versions[1].digest(), first);
  EXPECT_EQ(versions[1].applied_by(), "operator:alice");
  EXPECT_TRUE(versions[1].kept());

  v1::GetPolicyRequest earlier;
  earlier.set_digest(first.substr(0, 12));
  const auto kept = call(&v1::OperatorService::Stub::GetPolicy, earlier);
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(kept.digest(), first);
  v1::ApplyPolicyRequest again;
  *again.mutable_files() = kept.files();
  again.set_replaces(first);
  call(&v1::OperatorService::Stub::ApplyPolicy, again);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("another policy came into force meanwhile"));
  again.set_replaces(second);
  EXPECT_TRUE(call(&v1::OperatorService::Stub::ApplyPolicy, again).applied());
  versions = history().versions();
  ASSERT_EQ(versions.size(), 3);
  EXPECT_EQ(versions[0].digest(), first);

  earlier.set_digest("0000");
  call(&v1::OperatorService::Stub::GetPolicy, earlier);
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status_.error_message(), HasSubstr("no policy '0000' was in force"));
}

TEST_F(ApiTest, ExplainsAServiceARuleAndAnIncident) {
  apply(std::string(kPolicy) +
        "rules:\n  - {service: api, name: crowd, severity: {P2: facts.customers > 100}}\n");
  set_customers("1200");
  const auto explain = [this](const std::string& about) {
    v1::ExplainRequest request;
    request.set_about(about);
    return call(&v1::OperatorService::Stub::Explain, request);
  };

  const auto why = explain("crowd");
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(why.severity(), "P2");
  ASSERT_EQ(why.rules_size(), 1);
  ASSERT_EQ(why.rules(0).levels_size(), 1);
  ASSERT_EQ(why.rules(0).levels(0).parts_size(), 2);
  EXPECT_EQ(why.rules(0).levels(0).parts(0).value(), "true");
  EXPECT_EQ(why.rules(0).levels(0).parts(1).text(), "facts.customers");
  EXPECT_EQ(why.rules(0).levels(0).parts(1).value(), "1200");
  EXPECT_FALSE(why.incident().empty());
  EXPECT_EQ(why.no_playbook(), "no playbook is for api at P2");
  EXPECT_EQ(explain(why.incident()).incident(), why.incident());
  EXPECT_EQ(explain("api").rules_size(), 1);

  explain("apii");
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status_.error_message(), HasSubstr("did you mean 'api'?"));
}

TEST_F(ApiTest, RefusesAWrongPolicyWithItsPlaceAndKeepsTheGoodOne) {
  const auto wrong = apply("severities: {P1: {}}\nservises: {}\n");
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_FALSE(wrong.applied());
  EXPECT_THAT(wrong.problems(), HasSubstr("policy.yaml:2:1: error: "));
  EXPECT_THAT(wrong.problems(), HasSubstr("^~~~~~~~"));

  const auto checked = apply(kPolicy, true);
  EXPECT_FALSE(checked.applied());
  EXPECT_FALSE(checked.digest().empty()) << checked.problems();
  call(&v1::OperatorService::Stub::GetPolicy, v1::GetPolicyRequest());
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);

  const auto applied = apply(kPolicy);
  EXPECT_TRUE(applied.applied()) << applied.problems();
  apply("nonsense");
  const auto now = call(&v1::OperatorService::Stub::GetPolicy, v1::GetPolicyRequest());
  EXPECT_EQ(now.digest(), applied.digest());
  EXPECT_EQ(now.applied_by(), "operator:alice");
  ASSERT_EQ(now.files_size(), 1);
  EXPECT_EQ(now.files(0).text(), kPolicy);
}

TEST_F(ApiTest, ADeclarationThatIsSentAgainIsNotASecondIncident) {
  apply(kPolicy);

  const auto first = declare("r-1");
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(first.severity(), "P2");
  EXPECT_TRUE(first.declared());
  EXPECT_EQ(declare("r-1").id(), first.id());
  resolve(first.id());
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(declare("r-1").id(), first.id());

  const auto second = declare("r-2");
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_NE(second.id(), first.id());
  declare("r-3");
  EXPECT_EQ(status_.error_code(), StatusCode::ALREADY_EXISTS);
}

TEST_F(ApiTest, WhatIsDoneIsDoneInTheNameOfTheCertificate) {
  apply(kPolicy);
  const std::string id = declare("r-1").id();

  v1::AcknowledgeIncidentRequest acknowledge;
  acknowledge.set_id(id);
  const auto acknowledged = call(&v1::OperatorService::Stub::AcknowledgeIncident, acknowledge);
  EXPECT_THAT(acknowledged.acknowledged_by(), HasSubstr("alice"));
  v1::AddNoteRequest note;
  note.set_id(id);
  note.set_text("rolled back");
  note.set_phase("identified");
  EXPECT_EQ(call(&v1::OperatorService::Stub::AddNote, note).phase(), "identified");
  const auto resolved = resolve(id);

  EXPECT_EQ(resolved.phase(), "resolved");
  EXPECT_EQ(resolved.resolved_by(), "operator:alice");
  EXPECT_THAT(timeline_of(resolved), HasSubstr("note|operator:alice|rolled back|\n"));
  v1::GetIncidentRequest get;
  get.set_id(id);
  EXPECT_EQ(call(&v1::OperatorService::Stub::GetIncident, get).SerializeAsString(),
            resolved.SerializeAsString());
  v1::ListIncidentsRequest list;
  EXPECT_EQ(call(&v1::OperatorService::Stub::ListIncidents, list).incidents_size(), 0);
  list.set_include_resolved(true);
  const auto all = call(&v1::OperatorService::Stub::ListIncidents, list);
  ASSERT_EQ(all.incidents_size(), 1);
  EXPECT_EQ(all.incidents(0).timeline_size(), 0);

  acknowledge.set_id(id);
  call(&v1::OperatorService::Stub::AcknowledgeIncident, acknowledge);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("was resolved at"));
}

TEST_F(ApiTest, APersonSaysTheSeverityAndTicksStepsOff) {
  apply(std::string(kPolicy) +
        "manual_steps: [{text: call legal}]\n"
        "schemes: {customer: {P1: Critical, P2: Minor}}\n");
  const std::string id = declare("r-1").id();

  v1::OverrideSeverityRequest severity;
  severity.set_id(id);
  severity.set_severity("P1");
  severity.set_reason("the press calls");
  const auto raised = call(&v1::OperatorService::Stub::OverrideSeverity, severity);
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(raised.severity(), "P1");
  EXPECT_EQ(raised.severity_override().by(), "alice");
  EXPECT_EQ(raised.severity_override().rules_say(), "P2");
  EXPECT_EQ(raised.severity_override().reason(), "the press calls");
  ASSERT_EQ(raised.schemes_size(), 1);
  EXPECT_EQ(raised.schemes(0).severity(), "Critical");
  EXPECT_THAT(timeline_of(raised),
              HasSubstr("severity|operator:alice|raised to P1 (was P2)|the press calls\n"));
  severity.set_severity("");
  severity.set_reason("they hung up");
  EXPECT_EQ(call(&v1::OperatorService::Stub::OverrideSeverity, severity).severity(), "P2");
  call(&v1::OperatorService::Stub::OverrideSeverity, severity);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);

  v1::CompleteStepRequest step;
  step.set_id(id);
  step.set_step(1);
  step.set_note("they know");
  const auto done = call(&v1::OperatorService::Stub::CompleteStep, step);
  ASSERT_EQ(done.steps_size(), 1);
  EXPECT_EQ(done.steps(0).done_by(), "alice");
  EXPECT_EQ(done.steps(0).note(), "they know");
  EXPECT_GT(done.steps(0).done_unix_us(), 0);
  call(&v1::OperatorService::Stub::CompleteStep, step);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("step 1 was done at"));
  v1::GetReportRequest report;
  report.set_incident(id);
  EXPECT_THAT(call(&v1::OperatorService::Stub::GetReport, report).markdown(),
              HasSubstr("- [x] call legal"));
}

TEST_F(ApiTest, SaysWhatIsWrongWithARequest) {
  apply(kPolicy);
  v1::GetIncidentRequest get;
  call(&v1::OperatorService::Stub::GetIncident, get);
  EXPECT_EQ(status_.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status_.error_message(), HasSubstr("id: is missing"));
  get.set_id("INC-1");
  call(&v1::OperatorService::Stub::GetIncident, get);
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status_.error_message(), HasSubstr("there is no incident 'INC-1'"));
  v1::ListServicesRequest services;
  services.set_service("apy");
  call(&v1::OperatorService::Stub::ListServices, services);
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(status_.error_message(), HasSubstr("did you mean 'api'?"));
}

TEST_F(ApiTest, SetsShowsAndClearsFacts) {
  apply(kPolicy);

  EXPECT_EQ(set_customers("1200").value().int_value(), 1200);
  set_customers("many");
  EXPECT_EQ(status_.error_code(), StatusCode::INVALID_ARGUMENT);
  auto facts = call(&v1::OperatorService::Stub::ListFacts, v1::ListFactsRequest());
  ASSERT_EQ(facts.facts_size(), 1);
  EXPECT_EQ(facts.facts(0).value().int_value(), 1200);
  EXPECT_FALSE(facts.facts(0).is_default());
  EXPECT_THAT(facts.facts(0).set_by(), HasSubstr("alice"));

  v1::ClearFactRequest clear;
  clear.set_name("customers");
  const auto cleared = call(&v1::OperatorService::Stub::ClearFact, clear);
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_TRUE(cleared.is_default());
  EXPECT_EQ(cleared.value().int_value(), 0);
}

TEST_F(ApiTest, SilencesAreAddedListedShownAndExpired) {
  apply(kPolicy);
  const auto incident = declare("d-1");
  v1::AddSilenceRequest add;
  add.add_matchers("service=api");
  add.set_lasts_us(std::chrono::microseconds(1h).count());
  add.set_request_id("s-1");
  call(&v1::OperatorService::Stub::AddSilence, add);
  EXPECT_EQ(status_.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status_.error_message(), HasSubstr("reason"));

  add.set_reason("the disk is changed");
  const auto silence = call(&v1::OperatorService::Stub::AddSilence, add);
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(silence.author(), "alice");
  EXPECT_EQ(silence.ends_unix_us() - silence.begins_unix_us(), add.lasts_us());
  ASSERT_EQ(silence.incidents_size(), 1);
  EXPECT_EQ(silence.incidents(0), incident.id());
  EXPECT_EQ(call(&v1::OperatorService::Stub::AddSilence, add).id(), silence.id());

  v1::GetIncidentRequest get;
  get.set_id(incident.id());
  const auto shown = call(&v1::OperatorService::Stub::GetIncident, get);
  ASSERT_EQ(shown.silenced_by_size(), 1);
  EXPECT_EQ(shown.silenced_by(0), silence.id());
  EXPECT_EQ(call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest()).silences(), 1U);

  v1::ExpireSilenceRequest expire;
  expire.set_id(silence.id());
  EXPECT_EQ(call(&v1::OperatorService::Stub::ExpireSilence, expire).ended_by(), "alice");
  call(&v1::OperatorService::Stub::ExpireSilence, expire);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  v1::ListSilencesRequest list;
  EXPECT_EQ(call(&v1::OperatorService::Stub::ListSilences, list).silences_size(), 0);
  list.set_all(true);
  EXPECT_EQ(call(&v1::OperatorService::Stub::ListSilences, list).silences_size(), 1);
}

TEST_F(ApiTest, MaintenanceIsStartedShownAndEnded) {
  apply(std::string(kPolicy) +
        "maintenance: [{services: api, every: 'day 00:00-24:00', reason: always, name: daily}]\n");
  v1::StartMaintenanceRequest start;
  start.add_services("apj");
  start.set_lasts_us(std::chrono::microseconds(48h).count());
  start.set_reason("upgrade");
  start.set_request_id("m-1");
  call(&v1::OperatorService::Stub::StartMaintenance, start);
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
  start.set_services(0, "api");
  const auto started = call(&v1::OperatorService::Stub::StartMaintenance, start);
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(started.author(), "alice");

  const auto services = call(&v1::OperatorService::Stub::ListServices, v1::ListServicesRequest());
  ASSERT_EQ(services.services_size(), 1);
  EXPECT_EQ(services.services(0).maintenance().id(), started.id());
  EXPECT_EQ(call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest()).maintenance_size(),
            2);

  v1::EndMaintenanceRequest end;
  end.set_id("daily");
  call(&v1::OperatorService::Stub::EndMaintenance, end);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  end.set_id(started.id());
  EXPECT_EQ(call(&v1::OperatorService::Stub::EndMaintenance, end).ended_by(), "alice");
  const auto left = call(&v1::OperatorService::Stub::ListMaintenance, v1::ListMaintenanceRequest());
  ASSERT_EQ(left.maintenance_size(), 1);
  EXPECT_EQ(left.maintenance(0).id(), "daily");
  EXPECT_EQ(left.maintenance(0).every(), "day 00:00-24:00 UTC");
}

TEST_F(ApiTest, ShowsServicesAgentsAndReport) {
  apply(kPolicy);
  const std::string id = declare("r-1").id();

  const auto services = call(&v1::OperatorService::Stub::ListServices, v1::ListServicesRequest());
  ASSERT_EQ(services.services_size(), 1);
  EXPECT_EQ(services.services(0).incident(), id);
  ASSERT_EQ(services.services(0).probes_size(), 1);
  EXPECT_EQ(services.services(0).probes(0).kind(), "http");
  EXPECT_EQ(services.services(0).probes(0).status(), v1::STATUS_UNKNOWN);
  EXPECT_EQ(call(&v1::OperatorService::Stub::ListAgents, v1::ListAgentsRequest()).agents_size(), 0);
  const auto status = call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest());
  EXPECT_EQ(status.incidents_open(), 1u);
  EXPECT_EQ(status.worst_size(), 1);
  v1::GetReportRequest request;
  request.set_incident(id);
  EXPECT_THAT(call(&v1::OperatorService::Stub::GetReport, request).markdown(),
              HasSubstr("# Incident " + id + ": customers call\n"));
}

TEST_F(ApiTest, ForgetsAgentsThatAreNotAttached) {
  engine_.submit(core::AgentAttached{AgentName("web-1"), 7, "1.0", {}, {}, {}});
  v1::ForgetAgentRequest request;
  call(&v1::OperatorService::Stub::ForgetAgent, request);
  EXPECT_EQ(status_.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status_.error_message(), HasSubstr("name: is missing"));

  request.set_name("web-1");
  call(&v1::OperatorService::Stub::ForgetAgent, request);
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status_.error_message(), HasSubstr("\"web-1\" is attached"));

  engine_.submit(core::AgentDetached{AgentName("web-1"), 7, "gone"});
  call(&v1::OperatorService::Stub::ForgetAgent, request);
  EXPECT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(call(&v1::OperatorService::Stub::ListAgents, v1::ListAgentsRequest()).agents_size(), 0);
  call(&v1::OperatorService::Stub::ForgetAgent, request);
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND);
}

TEST_F(ApiTest, ShowsWhatAnIncidentAffects) {
  apply(kDependent);
  set_customers("1");
  set_customers("11");

  const auto incidents =
      call(&v1::OperatorService::Stub::ListIncidents, v1::ListIncidentsRequest());
  ASSERT_EQ(incidents.incidents_size(), 1);
  EXPECT_EQ(incidents.incidents(0).service(), "db");
  EXPECT_EQ(incidents.incidents(0).severity(), "P1");
  ASSERT_EQ(incidents.incidents(0).affected_size(), 1);
  EXPECT_EQ(incidents.incidents(0).affected(0).service(), "shop");
  v1::ListServicesRequest services;
  services.set_service("shop");
  const auto shop = call(&v1::OperatorService::Stub::ListServices, services);
  EXPECT_EQ(shop.services(0).incident(), "");
  EXPECT_EQ(shop.services(0).symptom_of(), incidents.incidents(0).id());

  resolve(incidents.incidents(0).id());
  const auto own = call(&v1::OperatorService::Stub::ListIncidents, v1::ListIncidentsRequest());
  ASSERT_EQ(own.incidents_size(), 1);
  EXPECT_EQ(own.incidents(0).service(), "shop");
  EXPECT_EQ(own.incidents(0).causes(0), incidents.incidents(0).id());
  v1::GetReportRequest request;
  request.set_incident(incidents.incidents(0).id());
  EXPECT_THAT(call(&v1::OperatorService::Stub::GetReport, request).markdown(),
              HasSubstr("| Also affected | shop at P1 from "));
}

TEST_F(ApiTest, AWatcherSeesWhatIsWritten) {
  apply(kPolicy);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto reader = stub_->Watch(&context, v1::WatchRequest());
  reader->WaitForInitialMetadata();

  const std::string id = declare("r-1").id();

  v1::WatchEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.incident(), id);
  EXPECT_EQ(event.service(), "api");
  EXPECT_EQ(event.entry().kind(), "opened");
  EXPECT_EQ(event.missed(), 0u);
  context.TryCancel();
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(ApiTest, AWatcherIsLetGoWhenTheCoordinatorStops) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto reader = stub_->Watch(&context, v1::WatchRequest());
  reader->WaitForInitialMetadata();

  watchers_.close();

  v1::WatchEvent event;
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("stopping"));
}

TEST_F(ApiTest, AWatcherOfAnUnknownIncidentIsTold) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::WatchRequest request;
  request.set_incident("INC-1");
  const auto reader = stub_->Watch(&context, request);
  v1::WatchEvent event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(ApiTest, AValidationOfAnUnknownServiceIsRefused) {
  apply(kPolicy);
  grpc::ClientContext context;
  const auto reader = validate(context, "web");
  v1::ValidationProgress progress;
  EXPECT_FALSE(reader->Read(&progress));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::NOT_FOUND);
}

// Without an agent nothing can be shown, and that is not health.
TEST_F(ApiTest, AValidationStreamsUntilItsVerdict) {
  apply(kPolicy);
  grpc::ClientContext context;
  const auto reader = validate(context, "api");
  v1::ValidationProgress progress;
  int messages = 0;
  while (reader->Read(&progress)) ++messages;

  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_GT(messages, 0);
  EXPECT_EQ(progress.service(), "api");
  EXPECT_EQ(progress.checks_size(), 1);
  EXPECT_EQ(progress.verdict(), v1::VERDICT_INCONCLUSIVE);
}

// More than the connection and the queue hold: the rest is counted, and nobody waited.
TEST_F(ApiTest, AWatcherThatDoesNotReadMissesTheOldestAndIsTold) {
  apply(kPolicy);
  const std::string id = declare("r-1").id();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto reader = stub_->Watch(&context, v1::WatchRequest());
  reader->WaitForInitialMetadata();

  constexpr std::size_t kNotes = 3 * limits::kWatchQueueMax;
  for (std::size_t i = 1; i <= kNotes; ++i) add_note(id, i);
  std::promise<void> all_written;  // what is read while they are makes room for the rest
  ASSERT_TRUE(engine_.inspect([&](const engine::View&) { all_written.set_value(); }));
  all_written.get_future().wait();
  v1::WatchEvent event;
  std::uint64_t seen = 0, missed = 0, last = 0;
  while (last < kNotes && reader->Read(&event)) {
    if (event.entry().kind() != "note") continue;
    ++seen;
    missed += event.missed();
    EXPECT_GT(event.entry().at_unix_us(), 0);
    last = std::stoull(event.entry().text());
  }

  EXPECT_EQ(last, kNotes);
  EXPECT_EQ(seen + missed, kNotes);
  EXPECT_GT(missed, 0U);
  context.TryCancel();
  reader->Finish();
}

TEST_F(ApiTest, AValidationEndsWhenNobodyWaitsForItAnyMore) {
  apply(kSlowChecklist);
  grpc::ClientContext context;
  const auto reader = validate(context, "api");
  v1::ValidationProgress progress;
  ASSERT_TRUE(reader->Read(&progress));
  ASSERT_EQ(progress.verdict(), v1::VERDICT_UNSPECIFIED);

  context.TryCancel();
  while (reader->Read(&progress)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::CANCELLED);

  // The cancellation travels on its own: it is asked until it has arrived. The calls between keep
  // gRPC at the connection, which it otherwise leaves alone once nobody waits for an answer.
  core::Verdict verdict = core::Verdict::running;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (verdict == core::Verdict::running && std::chrono::steady_clock::now() < end) {
    call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest());
    verdict = verdict_of(ValidationId(progress.id()));
  }
  EXPECT_EQ(verdict, core::Verdict::inconclusive);
}

TEST_F(ApiTest, SaysSoWhenTheEngineHasStopped) {
  engine_.stop();

  call(&v1::OperatorService::Stub::GetStatus, v1::GetStatusRequest());

  EXPECT_EQ(status_.error_code(), StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace firebreak::api
