// The whole coordinator in this process: certificate, policy, store and port as a configuration
// names them.
#include "coordinator/coordinator.h"

#include <firebreak/v1/operator.grpc.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "proto/credentials.h"
#include "tests/support/fault_policy.h"
#include "tests/support/temp_dir.h"

// Debian's c-ares 1.18 loses the ten bytes of the name "localhost" that gRPC asks it for.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcares.so";
}

namespace firebreak::coordinator {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto kPatience = 60s;  // only so that a broken test ends

class Whole : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { require_tls13(); }
  void SetUp() override {
    ASSERT_TRUE(pki::init_ca(dir_.path(), "prod", clock_.wall()));
    std::filesystem::create_directory(dir_ / "policy");
    std::filesystem::create_directory(dir_ / "state");
    write_policy(testing::kFaultPolicy);
    config_.listen = {"127.0.0.1", 0};
    config_.tls = issue(pki::Role::coordinator, "main");
    config_.policy = dir_ / "policy";
    config_.state = dir_ / "state";
  }
  void write_policy(const std::string& text) { std::ofstream(dir_ / "policy/policy.yaml") << text; }
  pki::TlsFiles issue(pki::Role role, const std::string& name) {
    pki::IssueRequest request;
    request.role = role;
    request.name = name;
    if (role == pki::Role::coordinator) request.hosts = {"127.0.0.1"};
    const auto files = pki::issue(dir_.path(), request, clock_.wall());
    EXPECT_TRUE(files) << (files ? "" : files.error().message);
    return {files->certificate, files->key, dir_ / "ca.crt"};
  }
  std::unique_ptr<Coordinator> start() {
    auto started = Coordinator::start(config_, clock_,
                                      [](const Error& error) { ADD_FAILURE() << error.message; });
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    return started ? std::move(*started) : nullptr;
  }
  std::string refusal() {
    const auto started = Coordinator::start(
        config_, clock_, [](const Error& error) { ADD_FAILURE() << error.message; });
    EXPECT_FALSE(started);
    return started ? "" : started.error().message;
  }
  std::shared_ptr<grpc::Channel> channel(const Coordinator& coordinator) {
    if (mia_.certificate.empty()) mia_ = issue(pki::Role::operator_, "mia");
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(coordinator.port()),
                                     *client_credentials(mia_, pki::Role::operator_),
                                     channel_arguments());
  }
  v1::GetPolicyResponse policy(const Coordinator& coordinator) {
    const auto stub = v1::OperatorService::NewStub(channel(coordinator));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::GetPolicyResponse response;
    const auto status = stub->GetPolicy(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  void apply(const Coordinator& coordinator, const std::string& text) {
    const auto stub = v1::OperatorService::NewStub(channel(coordinator));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::ApplyPolicyRequest request;
    v1::PolicyFile& file = *request.add_files();
    file.set_path("policy.yaml");
    file.set_text(text);
    v1::ApplyPolicyResponse response;
    const auto status = stub->ApplyPolicy(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(response.applied()) << response.problems();
  }
  static std::string commented(const std::string& comment) {
    return "# " + comment + "\n" + testing::kFaultPolicy;
  }

  const SystemClock clock_;
  testing::TempDir dir_;
  Config config_;
  pki::TlsFiles mia_;
};

TEST_F(Whole, AppliesTheFoldersPolicyAndListens) {
  const auto coordinator = start();
  ASSERT_TRUE(coordinator);

  EXPECT_GT(coordinator->port(), 0);
  EXPECT_EQ(policy(*coordinator).digest(), testing::fault_policy()->digest);
}

TEST_F(Whole, SaysThatItServesWhenAskedForItsHealth) {
  const auto coordinator = start();
  ASSERT_TRUE(coordinator);
  grpc::GenericStub stub(channel(*coordinator));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const grpc::ByteBuffer request(nullptr, 0);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;

  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });

  const grpc::Status status = done.get_future().get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  grpc::Slice slice;
  ASSERT_TRUE(response.DumpToSingleSlice(&slice).ok());
  EXPECT_EQ(std::string(slice.begin(), slice.end()), std::string("\x08\x01"));  // SERVING
}

TEST_F(Whole, RefusesToStartWithAPolicyThatHasMistakes) {
  write_policy("services:\n  api: {probs: {}}\n");

  EXPECT_THAT(refusal(), HasSubstr("policy.yaml:2"));
}

TEST_F(Whole, RefusesToStartWithAnotherRolesCertificate) {
  config_.tls = issue(pki::Role::agent, "web-1");

  EXPECT_THAT(refusal(), HasSubstr("expected one for the role coordinator"));
}

TEST_F(Whole, KeepsThePolicyWhenAChangedOneIsRefused) {
  const auto coordinator = start();
  ASSERT_TRUE(coordinator);
  write_policy("nonsense: true\n");

  const auto reloaded = coordinator->reload_policy();

  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().message, HasSubstr("nonsense"));
  EXPECT_EQ(policy(*coordinator).digest(), testing::fault_policy()->digest);
}

TEST_F(Whole, TakesAChangedPolicyWhenTold) {
  const auto coordinator = start();
  ASSERT_TRUE(coordinator);
  write_policy(commented("changed"));

  ASSERT_TRUE(coordinator->reload_policy());

  EXPECT_EQ(policy(*coordinator).files(0).text(), commented("changed"));
}

TEST_F(Whole, KeepsAnOperatorsPolicyOverARestartUntilTheFolderChanges) {
  auto coordinator = start();
  ASSERT_TRUE(coordinator);
  apply(*coordinator, commented("by mia"));
  coordinator.reset();

  coordinator = start();
  ASSERT_TRUE(coordinator);
  EXPECT_EQ(policy(*coordinator).files(0).text(), commented("by mia"));
  coordinator.reset();

  write_policy(commented("deployed"));
  coordinator = start();
  ASSERT_TRUE(coordinator);
  EXPECT_EQ(policy(*coordinator).files(0).text(), commented("deployed"));
}

}  // namespace
}  // namespace firebreak::coordinator
