// The real firebreak-actuator, its socket, its journal and the processes it starts.
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>

#include <firebreak/v1/actuator.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/fd.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using testing::read_file;
using ::testing::StartsWith;
using testing::TempDir;
namespace pb = firebreak::v1;

constexpr auto kPatience = 60s;  // for a loaded machine; nothing waits that long otherwise

template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::usleep(2000);
  }
  return true;
}

bool is_alive(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.at(name_end + 2) != 'Z';
}

// One connection to the actuator, spoken byte by byte.
class Client {
 public:
  explicit Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }

  [[nodiscard]] bool try_send(const std::string& bytes) const {
    return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  void send_bytes(const std::string& bytes) const { ASSERT_TRUE(try_send(bytes)); }
  void send(const pb::ActuatorRequest& request) const {
    const std::string body = request.SerializeAsString();
    send_bytes(header(body.size()) + body);
  }
  static std::string header(std::size_t size) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>((size >> shift) & 0xffu));
    return bytes;
  }

  // Nothing when the actuator closed the connection or is silent for too long.
  [[nodiscard]] std::optional<pb::ActuatorReply> receive() const {
    const auto head = take(4);
    if (!head) return std::nullopt;
    std::size_t size = 0;
    for (const char c : *head) size = size << 8 | static_cast<unsigned char>(c);
    const auto body = take(size);
    pb::ActuatorReply reply;
    if (!body || !reply.ParseFromString(*body)) return std::nullopt;
    return reply;
  }
  [[nodiscard]] pb::ActionOutcome outcome() const {
    const auto reply = receive();
    EXPECT_TRUE(reply && reply->has_outcome()) << "no outcome came";
    return reply ? reply->outcome() : pb::ActionOutcome();
  }
  // True once the actuator has closed it.
  [[nodiscard]] bool is_closed() const { return !take(1); }

 private:
  [[nodiscard]] std::optional<std::string> take(std::size_t size) const {
    std::string bytes(size, '\0');
    for (std::size_t got = 0; got < size;) {
      pollfd polled{socket_.get(), POLLIN, 0};
      if (::poll(&polled, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) != 1) {
        ADD_FAILURE() << "the actuator is silent";
        return std::nullopt;
      }
      const ssize_t part = ::recv(socket_.get(), bytes.data() + got, size - got, 0);
      if (part <= 0) return std::nullopt;
      got += static_cast<std::size_t>(part);
    }
    return bytes;
  }

  Fd socket_;
  bool connected_ = false;
};

class Actuator : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the actuator trusts root's files only: run as root";
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((dir_ / "actions.d").c_str(), 0755), 0);
  }
  void TearDown() override { stop(SIGKILL); }

  // Adds an action that runs a shell script, which finds the test's folder in $DIR.
  void allow(const std::string& name, const std::string& script, const std::string& more = "",
             const std::string& arguments = "") {
    const std::string program = dir_ / (name + ".sh");
    std::ofstream(program) << "#!/bin/sh\n" << script << '\n';
    ASSERT_EQ(::chmod(program.c_str(), 0755), 0);
    const std::string file = dir_ / ("actions.d/" + name + ".yaml");
    std::ofstream(file) << "actions:\n  " << name << ":\n    exec: [" << program << arguments
                        << "]\n    environment: {DIR: " << dir_.path() << "}\n"
                        << (more.find("timeout:") == std::string::npos ? "    timeout: 60s\n" : "")
                        << more;
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  }

  void start() {
    log_path_ = dir_ / "log";
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ == 0) {
      const int log = ::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      ::dup2(log, STDERR_FILENO);
      const std::string actions = dir_ / "actions.d";
      const std::string state = dir_ / "state";
      ::execl(FIREBREAK_ACTUATOR, "firebreak-actuator", "--actions-dir", actions.c_str(),
              "--state-dir", state.c_str(), "--socket", socket().c_str(), "--allow-user", "daemon",
              nullptr);
      ::_exit(126);
    }
    ASSERT_TRUE(eventually([this] { return Client(socket()).connected(); })) << log();
  }
  void stop(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    if (signal != SIGTERM) return;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << log();
  }

  [[nodiscard]] std::string socket() const { return dir_ / "socket"; }
  [[nodiscard]] std::string log() const { return read_file(log_path_); }

  static pb::ActuatorRequest order(const std::string& id, const std::string& name,
                                   std::uint64_t epoch = 1) {
    pb::ActuatorRequest request;
    request.mutable_order()->set_action_id(id);
    request.mutable_order()->set_name(name);
    request.mutable_order()->set_epoch(epoch);
    request.mutable_order()->set_valid_for_us(600'000'000);
    return request;
  }
  // Orders it, waits for its end.
  static pb::ActionOutcome run(const Client& client, const pb::ActuatorRequest& request) {
    client.send(request);
    pb::ActionOutcome outcome = client.outcome();
    if (outcome.state() != pb::ACTION_STATE_STARTED) return outcome;
    return client.outcome();
  }
  pid_t pid_in(const std::string& name) {
    EXPECT_TRUE(eventually([&] { return read_file(dir_ / name).ends_with('\n'); })) << name;
    const std::string text = read_file(dir_ / name);
    return text.empty() ? -1 : static_cast<pid_t>(std::stol(text));
  }

  TempDir dir_;
  std::string log_path_;
  pid_t pid_ = -1;
};

TEST_F(Actuator, RunsAnActionWithItsParameters) {
  allow("page", "printf '%s|' \"$@\"; echo oops >&2; pwd; cat; exit 3",
        "    directory: /usr\n    parameters: {page: {one_of: [busy, closed]}}\n",
        ", \"${page}\", \"a b;c\"");
  start();
  const Client client(socket());
  auto request = order("a1", "page");
  (*request.mutable_order()->mutable_parameters())["page"] = "busy";

  client.send(request);
  const pb::ActionOutcome started = client.outcome();
  const pb::ActionOutcome ended = client.outcome();

  EXPECT_EQ(started.state(), pb::ACTION_STATE_STARTED);
  EXPECT_EQ(ended.action_id(), "a1");
  EXPECT_EQ(ended.state(), pb::ACTION_STATE_FAILED);
  EXPECT_EQ(ended.exit_code(), 3);
  EXPECT_EQ(ended.output(), "busy|a b;c|oops\n/usr\n");
  EXPECT_GT(ended.took_us(), 0);
}

TEST_F(Actuator, GivesAProgramAMinimalEnvironmentAndItsUser) {
  allow("who", "id -un; id -Gn; env | cut -d= -f1 | grep -v '^PWD$' | sort | tr '\\n' ' '",
        "    user: daemon\n");
  ASSERT_EQ(::setenv("FROM_THE_ACTUATOR", "secret", 1), 0);
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "who"));

  EXPECT_EQ(
      outcome.output(),
      "daemon\ndaemon\nDIR FIREBREAK_ACTION FIREBREAK_ACTION_ID HOME LANG LOGNAME PATH USER ");
}

TEST_F(Actuator, RunsAnIdOnceHoweverOftenItIsOrdered) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  const Client client(socket());
  ASSERT_EQ(run(client, order("a1", "count")).state(), pb::ACTION_STATE_SUCCEEDED);

  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(run(client, order("a1", "count")).state(), pb::ACTION_STATE_SUCCEEDED);
  stop(SIGTERM);
  start();
  const Client again(socket());
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(run(again, order("a1", "count")).state(), pb::ACTION_STATE_SUCCEEDED);

  EXPECT_EQ(read_file(dir_ / "count"), "ran\n");
}

TEST_F(Actuator, IsKilledWhileAnActionRunsAndNeverRepeatsIt) {
  allow("slow", "echo ran >>\"$DIR/count\"; echo $$ >\"$DIR/pid\"; sleep 600", "    timeout: 3s\n");
  start();
  pid_t action = -1;
  {
    const Client client(socket());
    client.send(order("a1", "slow"));
    ASSERT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);
    action = pid_in("pid");
  }
  stop(SIGKILL);

  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "slow"));
  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_UNKNOWN);
  EXPECT_THAT(outcome.detail(), HasSubstr("it is not repeated"));
  EXPECT_TRUE(eventually([&] { return !is_alive(action); }))
      << "its time-out is kept without the actuator";
  EXPECT_EQ(read_file(dir_ / "count"), "ran\n");
}

TEST_F(Actuator, EndsEverythingThatAnActionStartedAtItsTimeOut) {
  allow("hydra",
        "trap '' TERM\n"
        // A daemon: double fork, its own session, deaf to SIGTERM.
        "(setsid sh -c \"trap '' TERM; echo \\$\\$ >\\\"$DIR/daemon\\\"; while :; do sleep 1; "
        "done\" </dev/null >/dev/null 2>&1 &)\n"
        "echo $$ >\"$DIR/pid\"; echo working; while :; do sleep 1; done",
        "    timeout: 3s\n");
  start();
  const Client client(socket());

  client.send(order("a1", "hydra"));
  ASSERT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);
  const pid_t action = pid_in("pid");
  const pid_t daemon = pid_in("daemon");
  ASSERT_TRUE(is_alive(daemon));
  const pb::ActionOutcome outcome = client.outcome();

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_TIMED_OUT);
  EXPECT_EQ(outcome.output(), "working\n");
  EXPECT_THAT(outcome.detail(), HasSubstr("after its time-out of 3s"));
  EXPECT_FALSE(is_alive(action));
  EXPECT_FALSE(is_alive(daemon));
}

TEST_F(Actuator, LetsAnActionEndGentlyAtItsTimeOut) {
  allow("gentle", "trap 'echo bye; exit 0' TERM; echo hi; sleep 600 & wait", "    timeout: 2s\n");
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "gentle"));

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_TIMED_OUT);
  EXPECT_EQ(outcome.output(), "hi\nbye\n");
}

TEST_F(Actuator, LeavesADaemonOfASuccessfulAction) {
  allow("daemonise", "(setsid sleep 600 & echo $! >\"$DIR/daemon\")");
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "daemonise"));

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_SUCCEEDED);
  const pid_t daemon = pid_in("daemon");
  EXPECT_TRUE(is_alive(daemon));
  ::kill(daemon, SIGKILL);
}

TEST_F(Actuator, KeepsTheHeadAndTheTailOfTheOutput) {
  allow("chatty",
        "echo first; i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; "
        "echo last");
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "chatty"));

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_SUCCEEDED);
  EXPECT_LE(outcome.output().size(), 4096u);
  EXPECT_THAT(outcome.output(), StartsWith("first\n0123456789\n"));
  EXPECT_THAT(outcome.output(), EndsWith("0123456789\nlast\n"));
  EXPECT_GT(outcome.output_dropped_bytes(), 200'000u);
  EXPECT_LT(outcome.output_dropped_bytes(), 220'011u);
}

TEST_F(Actuator, SaysWhatCouldNotBeStarted) {
  allow("broken", "");
  std::ofstream(dir_ / "broken.sh") << "#!/no/such/interpreter\n";
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a1", "broken"));

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_FAILED);
  EXPECT_EQ(outcome.exit_code(), 127);
  EXPECT_THAT(outcome.detail(), AllOf(StartsWith("cannot execute "),
                                      EndsWith("broken.sh: No such file or directory")));
}

TEST_F(Actuator, RefusesForGoodWhatItMayNotDo) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  const Client client(socket());
  auto expired = order("late", "count");
  expired.mutable_order()->set_valid_for_us(0);

  EXPECT_THAT(run(client, expired).detail(), HasSubstr("the order expired"));
  EXPECT_THAT(run(client, order("other", "format-disk")).detail(),
              HasSubstr("does not allow an action 'format-disk'"));
  EXPECT_EQ(run(client, order("late", "count")).state(), pb::ACTION_STATE_REFUSED)
      << "the same id, now valid";

  EXPECT_EQ(read_file(dir_ / "count"), "");
}

TEST_F(Actuator, RemembersTheHighestEpochAcrossARestart) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  {
    const Client client(socket());
    EXPECT_EQ(run(client, order("a1", "no-such", 9)).state(), pb::ACTION_STATE_REFUSED);
  }
  stop(SIGKILL);
  start();
  const Client client(socket());

  EXPECT_THAT(run(client, order("a2", "count", 8)).detail(), HasSubstr("epoch 8 is over"));
  EXPECT_EQ(run(client, order("a3", "count", 9)).state(), pb::ACTION_STATE_SUCCEEDED);
  pb::ActuatorRequest list;
  list.mutable_list();
  client.send(list);
  const auto reply = client.receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->actions().epoch_seen(), 9u);
  EXPECT_THAT(reply->actions().names(), ElementsAre("count"));
}

TEST_F(Actuator, ForgetsWhoeverLedBeforeOnceItIsToldOfTheSuccessor) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  {
    const Client client(socket());
    pb::ActuatorRequest owed;
    owed.mutable_owed()->set_epoch(9);
    client.send(owed);
    EXPECT_THAT(run(client, order("a1", "count", 8)).detail(), HasSubstr("epoch 8 is over"));
  }
  stop(SIGKILL);
  start();
  const Client client(socket());

  EXPECT_THAT(run(client, order("a2", "count", 8)).detail(), HasSubstr("epoch 8 is over"));
  EXPECT_EQ(run(client, order("a3", "count", 9)).state(), pb::ACTION_STATE_SUCCEEDED);
}

TEST_F(Actuator, RefusesTheSameActionTwiceAtATime) {
  allow("wait", "while [ ! -e \"$DIR/go\" ]; do sleep 0.02; done");
  start();
  const Client client(socket());
  client.send(order("a1", "wait"));
  ASSERT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);

  const pb::ActionOutcome second = run(client, order("a2", "wait"));
  std::ofstream(dir_ / "go") << "";

  EXPECT_EQ(second.state(), pb::ACTION_STATE_REFUSED);
  EXPECT_EQ(second.detail(), "action 'wait' runs already, as 'a1'");
  EXPECT_EQ(client.outcome().state(), pb::ACTION_STATE_SUCCEEDED);
}

TEST_F(Actuator, OwesAnOutcomeUntilItIsAcknowledged) {
  allow("wait", "while [ ! -e \"$DIR/go\" ]; do sleep 0.02; done; echo done >\"$DIR/done\"");
  start();
  {
    const Client client(socket());
    client.send(order("a1", "wait"));
    ASSERT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);
  }  // the agent goes away
  std::ofstream(dir_ / "go") << "";
  ASSERT_TRUE(eventually([this] { return log().find("action ended") != std::string::npos; }));
  stop(SIGKILL);
  start();
  const Client client(socket());
  pb::ActuatorRequest owed;
  owed.mutable_owed();

  client.send(owed);
  const pb::ActionOutcome outcome = client.outcome();
  pb::ActuatorRequest acknowledged;
  acknowledged.mutable_ack()->set_action_id("a1");
  client.send(acknowledged);
  client.send(owed);
  pb::ActuatorRequest list;
  list.mutable_list();
  client.send(list);
  const auto next = client.receive();

  EXPECT_EQ(outcome.action_id(), "a1");
  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_SUCCEEDED);
  ASSERT_TRUE(next);
  EXPECT_TRUE(next->has_actions()) << "nothing is owed any more";
}

TEST_F(Actuator, RunsNothingOnADamagedJournal) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  {
    const Client client(socket());
    ASSERT_EQ(run(client, order("a1", "count")).state(), pb::ACTION_STATE_SUCCEEDED);
  }
  stop(SIGTERM);
  std::string journal = read_file(dir_ / "state/journal");
  journal[journal.size() - 5] = static_cast<char>(journal[journal.size() - 5] ^ 1);
  std::ofstream(dir_ / "state/journal", std::ios::binary) << journal;
  start();
  const Client client(socket());

  const pb::ActionOutcome outcome = run(client, order("a2", "count"));

  EXPECT_EQ(outcome.state(), pb::ACTION_STATE_REFUSED);
  EXPECT_THAT(outcome.detail(), HasSubstr("journal is damaged"));
  EXPECT_EQ(read_file(dir_ / "count"), "ran\n");
}

TEST_F(Actuator, ReadsTheActionsAgainOnSighup) {
  start();
  const Client client(socket());
  ASSERT_EQ(run(client, order("a1", "count")).state(), pb::ACTION_STATE_REFUSED);
  allow("count", "echo ran >>\"$DIR/count\"");

  ASSERT_EQ(::kill(pid_, SIGHUP), 0);

  ASSERT_TRUE(eventually([this] { return log().find("actions=1") != std::string::npos; })) << log();
  EXPECT_EQ(run(client, order("a2", "count")).state(), pb::ACTION_STATE_SUCCEEDED);
}

TEST_F(Actuator, WaitsForARunningActionWhenItIsStopped) {
  allow("wait", "while [ ! -e \"$DIR/go\" ]; do sleep 0.02; done");
  start();
  const Client client(socket());
  client.send(order("a1", "wait"));
  ASSERT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);

  ASSERT_EQ(::kill(pid_, SIGTERM), 0);
  ASSERT_TRUE(eventually([this] { return log().find("stopping") != std::string::npos; }));
  const pb::ActionOutcome late = run(client, order("a2", "wait"));
  std::ofstream(dir_ / "go") << "";

  EXPECT_EQ(late.detail(), "the actuator is being stopped");
  EXPECT_EQ(client.outcome().state(), pb::ACTION_STATE_SUCCEEDED);
  stop(SIGTERM);
}

TEST_F(Actuator, TurnsAwayOtherUsers) {
  start();
  ASSERT_EQ(::chmod(socket().c_str(), 0666), 0);
  // 0: an answer came; 1: cut off before one.
  const auto ask_as = [this](const char* name) {
    const uid_t uid = ::getpwnam(name)->pw_uid;
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setuid(uid) != 0) ::_exit(2);
      const Client client(socket());
      if (!client.connected()) ::_exit(3);
      const std::string request = Client::header(2) + std::string("\x12\x00", 2);
      // It may have been closed already.
      [[maybe_unused]] const bool sent = client.try_send(request);
      ::_exit(client.receive() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };

  EXPECT_EQ(ask_as("daemon"), 0) << "the one that --allow-user names";
  EXPECT_EQ(ask_as("nobody"), 1);
  EXPECT_THAT(log(), HasSubstr("a user who may not give orders was turned away uid="));
}

TEST_F(Actuator, CutsOffWhoeverSendsTooMuchOrNonsense) {
  start();
  const Client large(socket());
  const Client nonsense(socket());
  const Client empty(socket());
  const Client good(socket());

  large.send_bytes(Client::header((64u << 10) + 1));
  nonsense.send_bytes(Client::header(4) + "\xff\xff\xff\xff");
  empty.send_bytes(Client::header(0));

  EXPECT_TRUE(large.is_closed());
  EXPECT_TRUE(nonsense.is_closed());
  EXPECT_TRUE(empty.is_closed());
  EXPECT_EQ(run(good, order("a1", "none")).state(), pb::ACTION_STATE_REFUSED);
}

TEST_F(Actuator, TakesARequestByteByByte) {
  allow("count", "echo ran >>\"$DIR/count\"");
  start();
  const Client client(socket());
  const std::string body = order("a1", "count").SerializeAsString();

  for (const char c : Client::header(body.size()) + body) client.send_bytes(std::string(1, c));

  EXPECT_EQ(client.outcome().state(), pb::ACTION_STATE_STARTED);
  EXPECT_EQ(client.outcome().state(), pb::ACTION_STATE_SUCCEEDED);
}

TEST_F(Actuator, IsAloneOnItsStateAndItsSocket) {
  start();
  const pid_t first = pid_;
  const std::string command = std::string(FIREBREAK_ACTUATOR) + " --actions-dir " +
                              dir_ / "actions.d" + " --state-dir " + dir_ / "state" +
                              " --allow-user daemon --socket ";

  EXPECT_EQ(std::system((command + socket() + " 2>" + dir_ / "second").c_str()), 256);
  EXPECT_EQ(std::system((command + dir_ / "other" + " 2>" + dir_ / "third").c_str()), 256);

  EXPECT_THAT(read_file(dir_ / "second"), HasSubstr("another process listens on"));
  EXPECT_THAT(read_file(dir_ / "third"), HasSubstr("does another actuator use it?"));
  EXPECT_TRUE(is_alive(first));
}

// A Unix socket of the test's own, for what systemd would give or take.
Fd bound_socket(int type, const std::string& path) {
  Fd fd(::socket(AF_UNIX, type, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST_F(Actuator, TakesTheSocketOfSystemdAndSaysWhenItIsReady) {
  const Fd listener = bound_socket(SOCK_STREAM, socket());
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  const Fd notified = bound_socket(SOCK_DGRAM, dir_ / "notify");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(listener.get(), 3);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("NOTIFY_SOCKET", (dir_ / "notify").c_str(), 1);
    ::execl(FIREBREAK_ACTUATOR, "firebreak-actuator", "--actions-dir", (dir_ / "actions.d").c_str(),
            "--state-dir", (dir_ / "state").c_str(), "--allow-user", "daemon", nullptr);
    ::_exit(126);
  }
  const Client client(socket());

  EXPECT_EQ(run(client, order("a1", "none")).state(), pb::ACTION_STATE_REFUSED);

  char text[64] = {};
  ASSERT_GT(::recv(notified.get(), text, sizeof text - 1, MSG_DONTWAIT), 0);
  EXPECT_STREQ(text, "READY=1");
}

TEST_F(Actuator, SaysThatNobodyGaveItASocket) {
  const std::string command =
      std::string(FIREBREAK_ACTUATOR) + " --allow-user daemon 2>" + dir_ / "out";

  EXPECT_EQ(std::system(command.c_str()), 256);
  EXPECT_EQ(read_file(dir_ / "out"),
            "firebreak-actuator: systemd passed no socket: start firebreak-actuator.socket, or "
            "give --socket\n");
}

TEST_F(Actuator, ChecksTheActionsWithoutServing) {
  allow("count", "echo ran >>\"$DIR/count\"");
  const std::string command = std::string(FIREBREAK_ACTUATOR) + " --check --actions-dir " +
                              dir_ / "actions.d" + " >" + dir_ / "out" + " 2>&1";

  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(dir_ / "out"), "count: " + dir_ / "count.sh" + "\n1 actions from 1 files\n");
  std::ofstream(dir_ / "actions.d/bad.yaml") << "actions: {x: {}}\n";
  EXPECT_EQ(std::system(command.c_str()), 256);
  EXPECT_THAT(read_file(dir_ / "out"), HasSubstr("bad.yaml:1:11: error: action 'x' needs "));
}

}  // namespace
}  // namespace firebreak::actuator
