// What operators send is checked field by field, and every refusal says what would be right.
#include "coordinator/api/requests.h"

#include <firebreak/v1/operator.pb.h>

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "coordinator/policy/loader.h"

namespace firebreak::api {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<const policy::Policy> a_policy() {
  const auto loaded = policy::load_policy({{"policy.yaml", R"(
severities: {P1: {}, P2: {}}
facts:
  breach: {type: bool, default: false}
  customers: {type: int, default: 0}
  load: {type: double, default: 0.5}
  region: {type: string, default: eu}
services:
  api:
    agents: "true"
    probes:
      health: {http: "http://127.0.0.1/", every: 5s}
)"}});
  if (!loaded.policy) throw std::runtime_error(loaded.problems);
  return loaded.policy;
}

template <class T>
std::string refusal(const Result<T>& result, Errc code = Errc::invalid_argument) {
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, code) << result.error().message;
  return result.error().message;
}

TEST(IncidentRequests, NameTheIncident) {
  EXPECT_EQ(check_incident_id("INC-20261121-031407")->str(), "INC-20261121-031407");
  EXPECT_TRUE(check_incident_id("", true)->empty());
  EXPECT_THAT(refusal(check_incident_id("")), HasSubstr("id: is missing; name the incident"));
  EXPECT_THAT(refusal(check_incident_id("a\nb")), HasSubstr("id: holds a control character"));
  EXPECT_THAT(refusal(check_incident_id("\xff")), HasSubstr("id: is not valid UTF-8"));
  EXPECT_THAT(refusal(check_incident_id(std::string(129, 'x'))),
              HasSubstr("id: 129 bytes; at most 128"));
}

TEST(ServiceNames, AreNames) {
  EXPECT_EQ(check_service_name("api")->str(), "api");
  EXPECT_TRUE(check_service_name("", true)->empty());
  EXPECT_THAT(refusal(check_service_name("")), HasSubstr("service: is missing"));
  EXPECT_THAT(refusal(check_service_name("../x")), HasSubstr("service: '../x' is not a name"));
}

TEST(Limits, HaveADefaultAndABound) {
  v1::ListIncidentsRequest request;
  EXPECT_EQ(*check_limit(request), 100u);
  request.set_limit(1000);
  EXPECT_EQ(*check_limit(request), 1000u);
  request.set_limit(1001);
  EXPECT_THAT(refusal(check_limit(request)), HasSubstr("limit: at most 1000, not 1001"));
}

TEST(Pages, HaveABoundAndBeginAfterAName) {
  v1::ListAgentsRequest request;
  EXPECT_EQ(check_page(request)->limit, 0U);
  request.set_limit(1000);
  request.set_after("web-1");
  EXPECT_EQ(check_page(request)->limit, 1000U);
  EXPECT_EQ(check_page(request)->after, AgentName("web-1"));
  request.set_limit(1001);
  EXPECT_THAT(refusal(check_page(request)), HasSubstr("limit: at most 1000, not 1001"));
  request.set_limit(1);
  request.set_after("\x1b[2J");
  EXPECT_THAT(refusal(check_page(request)), HasSubstr("after: '\\x1b[2J' is not a name"));
}

TEST(Acknowledge, CarriesWhoAndWhat) {
  v1::AcknowledgeIncidentRequest request;
  request.set_id("INC-1");
  request.set_note("on it");

  const auto asked = to_event("alice", request);

  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->by, "alice");
  const auto& what = std::get<core::AcknowledgeIncident>(asked->what);
  EXPECT_EQ(what.incident, IncidentId("INC-1"));
  EXPECT_EQ(what.note, "on it");
}

TEST(Acknowledge, BoundsItsNote) {
  v1::AcknowledgeIncidentRequest request;
  request.set_id("INC-1");
  request.set_note(std::string(limits::kTextBytesMax + 1, 'x'));
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("note: 4097 bytes; at most 4096"));
}

TEST(AddNote, NeedsATextOrAPhase) {
  v1::AddNoteRequest request;
  request.set_id("INC-1");
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("text: is missing"));
  request.set_text(" \n");
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("text: is missing"));
  request.set_phase("identified");
  EXPECT_TRUE(to_event("alice", request));
  request.set_phase("resolved");
  EXPECT_THAT(refusal(to_event("alice", request)),
              HasSubstr("phase: must be investigating, identified or monitoring"));
}

TEST(Resolve, NeedsAReason) {
  v1::ResolveIncidentRequest request;
  request.set_id("INC-1");
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("reason: is missing"));
  request.set_reason("checked by hand");
  EXPECT_TRUE(to_event("alice", request));
}

class Declare : public ::testing::Test {
 protected:
  Declare() {
    request_.set_service("api");
    request_.set_severity("P2");
    request_.set_title("customers call");
    request_.set_request_id("r-1");
  }
  Result<core::OperatorAsked> asked() { return to_event("alice", request_, *policy_); }

  std::shared_ptr<const policy::Policy> policy_ = a_policy();
  v1::DeclareIncidentRequest request_;
};

TEST_F(Declare, FindsTheSeverityByName) {
  const auto result = asked();
  ASSERT_TRUE(result);
  const auto& what = std::get<core::DeclareIncident>(result->what);
  EXPECT_EQ(what.severity, 1u);
  EXPECT_EQ(what.request_id, "r-1");
}

TEST_F(Declare, NeedsATitleInOneLine) {
  request_.set_title("");
  EXPECT_THAT(refusal(asked()), HasSubstr("title: is missing"));
  request_.set_title("two\nlines");
  EXPECT_THAT(refusal(asked()), HasSubstr("title: holds a control character"));
}

TEST_F(Declare, NeedsARequestIdSoThatARetryIsNotASecondIncident) {
  request_.set_request_id("");
  EXPECT_THAT(refusal(asked()), HasSubstr("request_id: is missing"));
}

TEST_F(Declare, SuggestsWhatWasMeant) {
  request_.set_severity("P3");
  EXPECT_THAT(refusal(asked(), Errc::not_found),
              HasSubstr("the policy has no severity 'P3'; did you mean 'P"));
  request_.set_severity("urgent");
  EXPECT_THAT(refusal(asked(), Errc::not_found), HasSubstr("it has P1 and P2"));
  request_.set_service("apy");
  EXPECT_THAT(refusal(asked(), Errc::not_found),
              HasSubstr("no service 'apy'; did you mean 'api'?"));
}

TEST(OverrideSeverity, LastsForAWhileOrIsLifted) {
  v1::OverrideSeverityRequest request;
  request.set_id("INC-1");
  request.set_severity("P2");
  request.set_reason("quiet hours");
  const auto policy = a_policy();

  const auto usual = to_event("alice", request, *policy);
  ASSERT_TRUE(usual);
  EXPECT_EQ(std::get<core::OverrideSeverity>(usual->what).lasts,
            Duration{limits::kSeverityOverride});
  EXPECT_EQ(std::get<core::OverrideSeverity>(usual->what).severity, 1U);
  request.set_lasts_us(1);
  request.set_severity("");
  const auto lifted = to_event("alice", request, *policy);
  ASSERT_TRUE(lifted);
  EXPECT_EQ(std::get<core::OverrideSeverity>(lifted->what).lasts, Duration{1});
  EXPECT_FALSE(std::get<core::OverrideSeverity>(lifted->what).severity);
}

TEST(OverrideSeverity, NeedsAReasonAnEndAndAKnownSeverity) {
  v1::OverrideSeverityRequest request;
  request.set_id("INC-1");
  request.set_severity("P1");
  const auto policy = a_policy();

  EXPECT_THAT(refusal(to_event("alice", request, *policy)), HasSubstr("reason: is missing"));
  request.set_reason("why");
  request.set_lasts_us(Duration{limits::kSeverityOverrideMax}.count() + 1);
  EXPECT_THAT(refusal(to_event("alice", request, *policy)), HasSubstr("lasts_us: is at most 7d"));
  request.set_lasts_us(0);
  request.set_severity("urgent");
  EXPECT_THAT(refusal(to_event("alice", request, *policy), Errc::not_found),
              HasSubstr("it has P1 and P2"));
}

TEST(CompleteStep, NamesAStepByItsNumber) {
  v1::CompleteStepRequest request;
  request.set_id("INC-1");

  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("step: is missing"));
  request.set_step(2);
  request.set_note("done");
  const auto done = to_event("alice", request);
  ASSERT_TRUE(done);
  EXPECT_EQ(std::get<core::StepDone>(done->what).step, 2U);
  EXPECT_EQ(std::get<core::StepDone>(done->what).note, "done");
}

class SetFact : public ::testing::Test {
 protected:
  Result<core::OperatorAsked> asked(const std::string& name, const std::string& text,
                                    const std::string& service = "") {
    v1::SetFactRequest request;
    request.set_name(name);
    request.set_text(text);
    request.set_service(service);
    return to_event("alice", request, *policy_);
  }
  cel::Value value(const std::string& name, const std::string& text) {
    const auto result = asked(name, text);
    EXPECT_TRUE(result) << text;
    return result ? std::get<core::SetFact>(result->what).value : cel::Value();
  }

  std::shared_ptr<const policy::Policy> policy_ = a_policy();
};

TEST_F(SetFact, ReadsTheDeclaredType) {
  EXPECT_EQ(value("breach", "true"), cel::Value(true));
  EXPECT_EQ(value("customers", "-12"), cel::Value(-12));
  EXPECT_EQ(value("load", "1e-3"), cel::Value(1e-3));
  EXPECT_EQ(value("region", "12"), cel::Value("12"));
}

TEST_F(SetFact, RefusesAnotherType) {
  EXPECT_THAT(refusal(asked("breach", "yes")),
              HasSubstr("text: fact 'breach' is true or false, not 'yes'"));
  for (const char* text : {"", "1.5", "12 ", "0x10", "99999999999999999999"})
    EXPECT_THAT(refusal(asked("customers", text)), HasSubstr("is a whole number")) << text;
  for (const char* text : {"", "nan", "inf", "1,5", "1e999"})
    EXPECT_THAT(refusal(asked("load", text)), HasSubstr("is a number")) << text;
}

TEST_F(SetFact, KnowsFactsAndServices) {
  EXPECT_THAT(refusal(asked("custmers", "1"), Errc::not_found),
              HasSubstr("no fact 'custmers'; did you mean 'customers'?"));
  EXPECT_THAT(refusal(asked("customers", "1", "web"), Errc::not_found),
              HasSubstr("no service 'web'"));
  EXPECT_EQ(std::get<core::SetFact>(asked("customers", "1", "api")->what).service,
            ServiceName("api"));
}

TEST(ClearFact, ChecksItsNames) {
  v1::ClearFactRequest request;
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("name: '' is not a name"));
  request.set_name("customers");
  request.set_service("a/b");
  EXPECT_THAT(refusal(to_event("alice", request)), HasSubstr("service: 'a/b' is not a name"));
  request.set_service("api");
  EXPECT_TRUE(to_event("alice", request));
}

v1::ApplyPolicyRequest files_named(const std::vector<std::string>& paths) {
  v1::ApplyPolicyRequest request;
  for (const std::string& path : paths) {
    request.add_files()->set_path(path);
    request.mutable_files(request.files_size() - 1)->set_text("a: 1\n");
  }
  return request;
}

TEST(PolicyFiles, AreRelativeYamlFiles) {
  const auto files = policy_files(files_named({"policy.yaml", "services/api.yml"}));
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->at(1).path, "services/api.yml");
  EXPECT_EQ(files->at(1).text, "a: 1\n");
}

TEST(PolicyFiles, CannotLeaveTheirFolder) {
  for (const char* path : {"", "/etc/a.yaml", "../a.yaml", "a/../b.yaml", "a//b.yaml", ".a.yaml",
                           "./a.yaml", "a.txt", "a/.git/b.yaml"})
    EXPECT_THAT(refusal(policy_files(files_named({path}))),
                HasSubstr("must be a relative path to a .yaml file"))
        << path;
}

TEST(PolicyFiles, AreBoundedAndNamedOnce) {
  EXPECT_THAT(refusal(policy_files({})), HasSubstr("files: are missing"));
  EXPECT_THAT(refusal(policy_files(files_named({"a.yaml", "a.yaml"}))),
              HasSubstr("files[1]: 'a.yaml' is sent twice"));
  auto request = files_named({"a.yaml", "b.yaml"});
  request.mutable_files(0)->set_text(std::string(limits::kPolicyBytesMax, ' '));
  EXPECT_THAT(refusal(policy_files(request)), HasSubstr("files: hold more than 900 KiB"));
  request.mutable_files(0)->set_text("\xff");
  EXPECT_THAT(refusal(policy_files(request)), HasSubstr("files[0].text: is not valid UTF-8"));
}

}  // namespace
}  // namespace firebreak::api
