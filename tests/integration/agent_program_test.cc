// The program firebreak-agent as an init system runs it: flags, exit codes, signals, notifications,
// and together with the real actuator.
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/pki.h"
#include "common/probe_spec.h"
#include "proto/credentials.h"
#include "proto/wire.h"
#include "tests/support/fake_coordinator.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace {

using firebreak::testing::FakeCoordinator;
using firebreak::testing::read_file;
using firebreak::testing::TempDir;
using ::testing::HasSubstr;
using From = v1::AgentMessage;

constexpr int kPatienceSeconds = 60;  // only so that a broken test ends

// A child that is gone when this is.
class Program {
 public:
  Program(std::vector<std::string> arguments, const std::string& log,
          std::vector<std::string> environment = {}) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    environment.emplace_back("PATH=/usr/bin:/bin");
    std::vector<char*> envp;
    for (std::string& variable : environment) envp.push_back(variable.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t files{};
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), envp.data()), 0);
    ::posix_spawn_file_actions_destroy(&files);
  }
  ~Program() {
    if (pid_ > 0) stop(SIGKILL);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }
  int stop(int signal) {
    send(signal);
    return wait();
  }
  // Its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(std::exchange(pid_, -1), &status, 0) > 0, true);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

// What systemd listens on.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path)
      : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{kPatienceSeconds, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~NotifySocket() { ::close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_; }
  // Takes messages until one holds `text`. `number`: what stands before it.
  [[nodiscard]] bool wait_for(const std::string& text, std::uint64_t* number = nullptr) const {
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (size <= 0) return false;
      const std::string_view said(buffer.data(), static_cast<std::size_t>(size));
      const std::size_t at = said.find(text);
      if (at == std::string_view::npos) continue;
      if (number != nullptr)
        *number = std::stoull(std::string(said.substr(said.rfind(' ', at - 2))));
      return true;
    }
  }

 private:
  std::string path_;
  int fd_;
};

class AgentProgram : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { require_tls13(); }

  void SetUp() override {
    const WallTime now = SystemClock().wall();
    ASSERT_TRUE(pki::init_ca(dir_.path(), "prod", now));
    const auto agent = pki::issue(dir_.path(), {pki::Role::agent, "web-1", {}, 30}, now);
    ASSERT_TRUE(agent) << agent.error().message;
    agent_ = *agent;
    start_coordinator();
    ASSERT_EQ(::mkdir((dir_ / "state").c_str(), 0700), 0);
    configure(coordinator_->address());
  }

  void start_coordinator() {
    if (!credentials_) {
      const auto coordinator = pki::issue(
          dir_.path(), {pki::Role::coordinator, "main", {"127.0.0.1"}, 30}, SystemClock().wall());
      ASSERT_TRUE(coordinator) << coordinator.error().message;
      const auto credentials =
          server_credentials({coordinator->certificate, coordinator->key, dir_ / "ca.crt"});
      ASSERT_TRUE(credentials) << credentials.error().message;
      credentials_ = *credentials;
    }
    coordinator_ = std::make_unique<FakeCoordinator>(credentials_);
  }

  // One probe, ten times a second; nobody listens at port 1.
  void assign_probe() {
    HttpSpec http;
    http.url = "http://127.0.0.1:1/";
    ProbeSpec spec;
    spec.kind = std::move(http);
    spec.every = std::chrono::milliseconds(100);
    v1::CoordinatorMessage message;
    auto& entry = *message.mutable_assignment()->add_probes();
    *entry.mutable_key() = wire::to_proto(ProbeKey{ServiceName("api"), ProbeName("health")});
    *entry.mutable_spec() = wire::to_proto(spec);
    coordinator_->send(std::move(message));
  }

  void configure(const std::string& coordinator, const std::string& more = "") {
    std::ofstream(dir_ / "agent.yaml", std::ios::trunc)
        << "coordinators: [" << coordinator << "]\ntls: {certificate: " << agent_.certificate
        << ", key: " << agent_.key << ", ca: " << (dir_ / "ca.crt")
        << "}\nstate: " << (dir_ / "state") << "\n"
        << more;
  }

  std::vector<std::string> command(std::vector<std::string> more = {}) {
    std::vector<std::string> words{FIREBREAK_AGENT, "--config", dir_ / "agent.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int run(std::vector<std::string> words) { return Program(std::move(words), log_path()).wait(); }
  [[nodiscard]] std::string log_path() const { return dir_ / "log"; }
  [[nodiscard]] std::string log() const { return read_file(log_path()); }

  TempDir dir_;
  pki::KeyPairFiles agent_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<FakeCoordinator> coordinator_;
};

// --- Flags and exit codes ------------------------------------------------------------------------

TEST_F(AgentProgram, SaysItsVersion) {
  EXPECT_EQ(run({FIREBREAK_AGENT, "--version"}), 0);
  EXPECT_THAT(log(), HasSubstr("firebreak-agent "));
}

TEST_F(AgentProgram, ChecksItsConfiguration) {
  EXPECT_EQ(run(command({"--check"})), 0) << log();

  configure("nowhere", "colour: red\n");
  EXPECT_EQ(run(command({"--check"})), 2);
  EXPECT_THAT(log(), HasSubstr("agent.yaml:1:16: error: "));
  EXPECT_THAT(log(), HasSubstr("agent.yaml:4:1: error: unknown key 'colour'"));
}

TEST_F(AgentProgram, WrongUseAndWrongConfigurationAreTwo) {
  EXPECT_EQ(run({FIREBREAK_AGENT, "--nonsense"}), 2);
  EXPECT_EQ(run({FIREBREAK_AGENT, "--config", dir_ / "gone.yaml"}), 2);
  EXPECT_THAT(log(), HasSubstr(dir_ / "gone.yaml"));
}

TEST_F(AgentProgram, WhatItCannotStartWithoutIsOne) {
  ASSERT_EQ(::rmdir((dir_ / "state").c_str()), 0);
  EXPECT_EQ(run(command()), 1);
  EXPECT_THAT(log(), HasSubstr(dir_ / "state"));

  ASSERT_EQ(::unlink(agent_.certificate.c_str()), 0);
  EXPECT_EQ(run(command()), 1);
  EXPECT_THAT(log(), HasSubstr(agent_.certificate));
}

TEST_F(AgentProgram, ADamagedEpochIsNotGuessed) {
  std::ofstream(dir_ / "state/epoch") << "garbage";
  EXPECT_EQ(run(command()), 1);
  EXPECT_THAT(log(), HasSubstr(dir_ / "state/epoch"));
}

TEST_F(AgentProgram, AnEpochOfAnEarlierVersionIsTakenAndGivenAChecksum) {
  std::ofstream(dir_ / "state/epoch") << "7\n";
  configure("127.0.0.1:1");
  const NotifySocket manager(dir_ / "notify");
  Program agent(command(), log_path(), {manager.variable()});
  EXPECT_TRUE(manager.wait_for("READY=1")) << log();
  EXPECT_EQ(agent.stop(SIGTERM), 0) << log();

  std::string line;
  std::getline(std::ifstream(dir_ / "state/epoch"), line);
  EXPECT_THAT(line, ::testing::StartsWith("7 crc32c="));
}

// --- Life under a service manager ----------------------------------------------------------------

TEST_F(AgentProgram, IsReadyWithoutACoordinatorAndStopsWhenAsked) {
  const NotifySocket manager(dir_ / "notify");
  configure("127.0.0.1:1");
  Program agent(command(), log_path(), {manager.variable()});

  EXPECT_TRUE(manager.wait_for("READY=1")) << log();

  EXPECT_EQ(agent.stop(SIGTERM), 0) << log();
  EXPECT_TRUE(manager.wait_for("STOPPING=1"));
}

TEST_F(AgentProgram, ReadsTheFilesOfChecksAgainWhenAsked) {
  if (::geteuid() != 0) GTEST_SKIP() << "files of checks belong to root";
  const NotifySocket manager(dir_ / "notify");
  const std::string folder = dir_ / "checks.d";
  ASSERT_EQ(::mkdir(folder.c_str(), 0755), 0);
  configure(coordinator_->address(), "checks_dir: " + folder + "\n");
  Program agent(command(), log_path(), {manager.variable()});
  coordinator_->attach(1);
  const auto ask = [this] {
    ProbeSpec spec;
    spec.kind = ExecSpec{"greet", {}};
    v1::CoordinatorMessage message;
    message.mutable_probe_now()->set_request_id("now-1");
    *message.mutable_probe_now()->mutable_spec() = wire::to_proto(spec);
    coordinator_->send(std::move(message));
    const auto answer = coordinator_->next(From::kProbeNowResult);
    return answer ? answer->probe_now_result().observation() : v1::Observation();
  };
  ASSERT_TRUE(manager.wait_for("READY=1")) << log();
  EXPECT_THAT(ask().evidence(), HasSubstr("no check 'greet'"));

  const auto write = [&](const std::string& text) {
    std::ofstream(folder + "/a.yaml", std::ios::trunc) << text;
    ::chmod((folder + "/a.yaml").c_str(), 0644);
    agent.send(SIGHUP);
    EXPECT_TRUE(manager.wait_for("READY=1")) << log();
  };
  write("checks: {greet: {exec: [/bin/echo, hello], timeout: 20s}}\n");
  const v1::Observation good = ask();
  EXPECT_EQ(good.status(), v1::STATUS_OK) << good.evidence();

  write("checks: {greet: {exec: [/bin/echo, hello], timeout: never}}\n");
  EXPECT_THAT(ask().evidence(), HasSubstr("files of checks have mistakes"));
  EXPECT_EQ(agent.stop(SIGTERM), 0) << log();
}

TEST_F(AgentProgram, FeedsTheWatchdogAndTellsItsStatus) {
  const NotifySocket manager(dir_ / "notify");
  Program agent(command(), log_path(), {manager.variable(), "WATCHDOG_USEC=20000"});
  coordinator_->attach(1);

  EXPECT_TRUE(manager.wait_for("STATUS=attached to " + coordinator_->address())) << log();
  EXPECT_TRUE(manager.wait_for("WATCHDOG=1"));

  EXPECT_EQ(agent.stop(SIGINT), 0) << log();
  EXPECT_TRUE(coordinator_->wait_for_end());
}

TEST_F(AgentProgram, ComesBackAfterAKillUnderTheSameIncarnation) {
  v1::Hello first;
  {
    const Program agent(command(), log_path());
    first = coordinator_->attach(5);
    assign_probe();
    ASSERT_TRUE(coordinator_->next(From::kResults)) << log();  // what was sent is on disk
  }
  const Program agent(command(), log_path());

  const v1::Hello second = coordinator_->attach(5);

  EXPECT_EQ(second.incarnation(), first.incarnation());
  EXPECT_EQ(second.first_unacked_seq(), 1U);
  EXPECT_EQ(second.epoch_seen(), 5U) << log();
}

TEST_F(AgentProgram, EverythingSpooledWithoutACoordinatorArrivesOnceAfterAKill) {
  v1::Hello before;
  std::uint64_t kept = 0;
  {
    const NotifySocket manager(dir_ / "notify");
    const Program agent(command(), log_path(), {manager.variable(), "WATCHDOG_USEC=20000"});
    before = coordinator_->attach(1);
    assign_probe();
    ASSERT_TRUE(coordinator_->next(From::kResults)) << log();
    coordinator_.reset();
    while (kept < 50) {
      ASSERT_TRUE(manager.wait_for("results kept", &kept)) << log();
    }
  }
  start_coordinator();
  configure(coordinator_->address());
  const Program agent(command(), log_path());

  const v1::Hello after = coordinator_->attach(1);
  EXPECT_EQ(after.incarnation(), before.incarnation());
  EXPECT_EQ(after.first_unacked_seq(), 1U);
  std::uint64_t next = 1;
  // What was pushed in the last second before the kill may not have been on disk.
  while (next < kept - 20) {
    const auto message = coordinator_->next(From::kResults);
    ASSERT_TRUE(message) << log();
    EXPECT_EQ(message->results().first_seq(), next);
    EXPECT_EQ(message->results().dropped_before(), 0U);
    next += static_cast<std::uint64_t>(message->results().ref_size());
  }
}

TEST_F(AgentProgram, AStateFolderThatIsAnOlderCopyIsNoticed) {
  const Program agent(command(), log_path());
  const v1::Hello first = coordinator_->attach(1, 1000);  // it knows a thousand results of ours
  EXPECT_TRUE(coordinator_->wait_for_end());
  v1::Hello again = coordinator_->attach(1);
  while (again.incarnation() == first.incarnation()) again = coordinator_->attach(1, 1000);

  EXPECT_NE(again.incarnation(), 0U);
  assign_probe();
  const auto message = coordinator_->next(From::kResults);
  ASSERT_TRUE(message) << log();
  EXPECT_EQ(message->results().first_seq(), 1U);
  EXPECT_THAT(log(), HasSubstr("older one"));
}

TEST_F(AgentProgram, TwoAgentsDoNotShareAStateFolder) {
  const Program agent(command(), log_path());
  coordinator_->attach(1);
  EXPECT_EQ(run(command()), 1);
  EXPECT_THAT(log(), HasSubstr("does another agent use it?"));
}

// --- Reports of jobs -----------------------------------------------------------------------------

class AgentHearsJobs : public AgentProgram {
 protected:
  void SetUp() override {
    AgentProgram::SetUp();
    configure(coordinator_->address(), "heartbeats: {socket: " + (dir_ / "jobs") + "}\n");
  }

  void assign_heartbeat() {
    ProbeSpec spec;
    spec.kind = HeartbeatSpec{"backup", std::chrono::hours(1)};
    spec.every = std::chrono::milliseconds(100);
    v1::CoordinatorMessage message;
    auto& entry = *message.mutable_assignment()->add_probes();
    *entry.mutable_key() = wire::to_proto(ProbeKey{ServiceName("api"), ProbeName("backup")});
    *entry.mutable_spec() = wire::to_proto(spec);
    coordinator_->send(std::move(message));
  }
  // curl's exit code: 0 when the agent has taken it.
  int report(const std::string& query, const std::string& text) {
    return run({"/usr/bin/curl", "-sSf", "--max-time", "20", "--unix-socket", dir_ / "jobs", "-d",
                text, "http://agent/v1/heartbeat/backup" + query});
  }
  // The evidence of the next result with that status; nothing when there is none.
  std::string await(v1::Status status) {
    while (const auto message = coordinator_->next(From::kResults)) {
      const v1::ResultBatch& batch = message->results();
      for (int row = 0; row < batch.status_size(); ++row) {
        if (batch.status(row) != status) continue;
        for (int i = 0; i < batch.evidence_row_size(); ++i)
          if (static_cast<int>(batch.evidence_row(i)) == row) return batch.evidence(i);
        return "no evidence";
      }
    }
    return "no result";
  }
};

TEST_F(AgentHearsJobs, WhatAJobReportsIsTheProbesResult) {
  const Program agent(command(), log_path());
  coordinator_->attach(1);
  assign_heartbeat();
  EXPECT_THAT(await(v1::STATUS_UNKNOWN), HasSubstr("no report since this agent heard of 'backup'"));
  EXPECT_EQ(report("?state=critical", "disk full"), 0) << log();
  EXPECT_EQ(await(v1::STATUS_CRITICAL), "disk full");
  EXPECT_EQ(report("", "4 files"), 0) << log();
  EXPECT_EQ(await(v1::STATUS_OK), "4 files");
}

TEST_F(AgentHearsJobs, WhatWasTakenOutlivesAKill) {
  {
    Program agent(command(), log_path());
    coordinator_->attach(1);
    assign_heartbeat();
    EXPECT_THAT(await(v1::STATUS_UNKNOWN), HasSubstr("no report"));
    ASSERT_EQ(report("", "4 files"), 0) << log();
    agent.stop(SIGKILL);
  }
  std::filesystem::remove_all(dir_ / "state/spool");  // no older results

  const Program agent(command(), log_path());
  coordinator_->attach(1);
  assign_heartbeat();
  const auto first = coordinator_->next(From::kResults);
  ASSERT_TRUE(first) << log();
  EXPECT_EQ(first->results().status(0), v1::STATUS_OK);
  ASSERT_GT(first->results().evidence_size(), 0);
  EXPECT_EQ(first->results().evidence(0), "4 files");
}

TEST_F(AgentHearsJobs, AnAgentThatTakesNoReportsSaysSo) {
  configure(coordinator_->address());
  const Program agent(command(), log_path());
  coordinator_->attach(1);
  assign_heartbeat();
  EXPECT_THAT(await(v1::STATUS_UNKNOWN), HasSubstr("heartbeats is not set in agent.yaml"));
}

// --- With the actuator ---------------------------------------------------------------------------

class AgentAndActuator : public AgentProgram {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the actuator trusts root's files only: run as root";
    AgentProgram::SetUp();
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((dir_ / "actions.d").c_str(), 0755), 0);
    configure(coordinator_->address(), "actuator: " + (dir_ / "socket") + "\n");
  }

  void allow(const std::string& name, const std::string& script) {
    const std::string program = dir_ / (name + ".sh");
    std::ofstream(program) << "#!/bin/sh\n" << script << '\n';
    ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
    const std::string file = dir_ / ("actions.d/" + name + ".yaml");
    std::ofstream(file) << "actions:\n  " << name << ":\n    exec: [" << program
                        << "]\n    timeout: 60s\n";
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  }
  std::unique_ptr<Program> start_actuator() {
    return std::make_unique<Program>(
        std::vector<std::string>{FIREBREAK_ACTUATOR, "--actions-dir", dir_ / "actions.d",
                                 "--state-dir", dir_ / "actuator", "--socket", dir_ / "socket",
                                 "--allow-user", "daemon"},
        log_path());
  }
  // Until the agent has found the actuator: it says so with a new hello.
  bool attach_with(const std::string& action) {
    for (int i = 0; i < 5; ++i) {
      const v1::Hello hello = coordinator_->attach(1);
      if (hello.actions_size() == 1 && hello.actions(0) == action) return true;
      if (hello.incarnation() == 0) return false;
    }
    return false;
  }
  void order(const std::string& id, const std::string& name) {
    v1::CoordinatorMessage message;
    message.mutable_action_order()->set_action_id(id);
    message.mutable_action_order()->set_name(name);
    message.mutable_action_order()->set_epoch(1);
    message.mutable_action_order()->set_valid_for_us(600'000'000);
    coordinator_->send(std::move(message));
  }
  v1::ActionOutcome outcome() {
    const auto message = coordinator_->next(From::kActionOutcome);
    EXPECT_TRUE(message) << log();
    return message ? message->action_outcome() : v1::ActionOutcome{};
  }
  // The next outcome but STARTED. The agent may come with a new hello meanwhile, because this host
  // allows nothing while nobody listens at the socket.
  v1::ActionOutcome end_on_any_link() {
    while (true) {
      const auto message = coordinator_->next(From::kActionOutcome);
      if (message && message->action_outcome().state() != v1::ACTION_STATE_STARTED)
        return message->action_outcome();
      if (!message && coordinator_->attach(1).incarnation() == 0) return {};
    }
  }
};

TEST_F(AgentAndActuator, AnOrderRunsOnceAndItsOutcomeArrives) {
  allow("save-logs", "echo run >> " + (dir_ / "runs") + "; echo saved 3 files");
  const auto actuator = start_actuator();
  const Program agent(command(), log_path());
  ASSERT_TRUE(attach_with("save-logs")) << log();

  order("INC-1/save", "save-logs");
  EXPECT_EQ(outcome().state(), v1::ACTION_STATE_STARTED);
  const v1::ActionOutcome ended = outcome();
  EXPECT_EQ(ended.state(), v1::ACTION_STATE_SUCCEEDED) << ended.detail();
  EXPECT_THAT(ended.output(), HasSubstr("saved 3 files"));

  // Not acknowledged: a new link hears of it again, and a second order of it runs nothing.
  coordinator_->kill();
  coordinator_->attach(1);
  EXPECT_EQ(outcome().state(), v1::ACTION_STATE_SUCCEEDED);
  order("INC-1/save", "save-logs");
  EXPECT_EQ(outcome().state(), v1::ACTION_STATE_SUCCEEDED);
  EXPECT_EQ(read_file(dir_ / "runs"), "run\n");

  order("INC-1/other", "reboot");
  EXPECT_EQ(outcome().state(), v1::ACTION_STATE_REFUSED);
}

TEST_F(AgentAndActuator, AnActuatorThatDiesInTheMiddleIsAskedAndNeverRunsItTwice) {
  ASSERT_EQ(::mkfifo((dir_ / "gate").c_str(), 0600), 0);
  allow("restart-api", "echo run >> " + (dir_ / "runs") + "; read line < " + (dir_ / "gate"));
  auto actuator = start_actuator();
  const Program agent(command(), log_path());
  ASSERT_TRUE(attach_with("restart-api")) << log();
  order("INC-1/restart", "restart-api");
  ASSERT_EQ(outcome().state(), v1::ACTION_STATE_STARTED);
  // Opening the gate for writing waits until the action reads it: it runs.
  const int gate = ::open((dir_ / "gate").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(gate, 0);

  actuator->stop(SIGKILL);
  actuator.reset();
  ASSERT_EQ(::unlink((dir_ / "socket").c_str()), 0);
  actuator = start_actuator();

  const v1::ActionOutcome ended = end_on_any_link();
  EXPECT_EQ(ended.action_id(), "INC-1/restart");
  EXPECT_EQ(ended.state(), v1::ACTION_STATE_UNKNOWN) << ended.detail();
  EXPECT_EQ(read_file(dir_ / "runs"), "run\n");
  ::close(gate);
}

TEST_F(AgentAndActuator, ARestartedAgentDoesNotCallRefusedWhatAnAbsentActuatorHasRun) {
  ASSERT_EQ(::mkfifo((dir_ / "gate").c_str(), 0600), 0);
  allow("restart-api", "echo run >> " + (dir_ / "runs") + "; read line < " + (dir_ / "gate"));
  auto actuator = start_actuator();
  auto agent = std::make_unique<Program>(command(), log_path());
  ASSERT_TRUE(attach_with("restart-api")) << log();
  order("INC-1/restart", "restart-api");
  ASSERT_EQ(outcome().state(), v1::ACTION_STATE_STARTED);
  const int gate = ::open((dir_ / "gate").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(gate, 0);

  actuator->stop(SIGKILL);
  ASSERT_EQ(::unlink((dir_ / "socket").c_str()), 0);
  agent->stop(SIGKILL);
  agent = std::make_unique<Program>(command(), log_path());
  coordinator_->attach(1);
  order("INC-1/restart", "restart-api");
  order("INC-1/other", "restart-api");  // its refusal says that the first was looked at
  const v1::ActionOutcome refused = outcome();
  EXPECT_EQ(refused.action_id(), "INC-1/other");
  EXPECT_EQ(refused.state(), v1::ACTION_STATE_REFUSED);

  actuator = start_actuator();
  const v1::ActionOutcome ended = end_on_any_link();
  EXPECT_EQ(ended.action_id(), "INC-1/restart");
  EXPECT_EQ(ended.state(), v1::ACTION_STATE_UNKNOWN) << ended.detail();
  EXPECT_EQ(read_file(dir_ / "runs"), "run\n");
  ::close(gate);
}

}  // namespace
}  // namespace firebreak::agent
