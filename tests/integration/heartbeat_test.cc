// Jobs report to an agent as jobs do: with curl, with the real `firebreak heartbeat`, and badly.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "agent/heartbeat_server.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/limits.h"
#include "tests/support/files.h"
#include "tests/support/temp_dir.h"

namespace firebreak::agent {
namespace heartbeat_test {

using firebreak::testing::read_file;
using firebreak::testing::TempDir;
using firebreak::testing::write_file;
using probes::Heartbeat;
using probes::HeartbeatState;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Ran {
  int exit_code = -1;
  std::string out;
};

// What a crontab would run.
Ran run(const std::string& script) {
  Ran ran;
  std::FILE* pipe = ::popen(script.c_str(), "re");
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    ran.out.append(buffer.data(), size);
  const int status = ::pclose(pipe);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

class HeartbeatJobs : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::mkdir((dir_ / "state").c_str(), 0700), 0);
    config_.socket = dir_ / "socket";
  }
  void TearDown() override { stop(); }

  void start(const std::set<std::string>& expected = {"backup"}) {
    io_ = std::make_unique<boost::asio::io_context>(1);
    server_ = std::make_unique<HeartbeatServer>(*io_, clock_, config_, dir_ / "state", "boot");
    server_->start();
    server_->expect(expected);
    loop_ = std::thread([this] {
      const auto work = boost::asio::make_work_guard(*io_);
      io_->run();
    });
  }
  void stop() {
    if (!server_) return;
    ask<int>([this] {
      server_->stop();
      return 0;
    });
    io_->stop();
    loop_.join();
    server_.reset();
    io_.reset();
  }
  // On the loop's thread.
  template <class T>
  T ask(std::function<T()> question) {
    std::packaged_task<T()> task(std::move(question));
    auto answer = task.get_future();
    boost::asio::post(*io_, [&task] { task(); });
    return answer.get();
  }
  Heartbeat known(const std::string& name = "backup") {
    const auto beat = ask<Result<Heartbeat>>([this, &name] { return server_->find(name); });
    EXPECT_TRUE(beat) << beat.error().message;
    return beat ? *beat : Heartbeat{};
  }
  Heartbeat::Last last(const std::string& name = "backup") {
    const Heartbeat beat = known(name);
    EXPECT_TRUE(beat.last);
    return beat.last.value_or(Heartbeat::Last{});
  }

  [[nodiscard]] std::string curl(const std::string& what, const std::string& as = "") const {
    return as + "curl -sS -w ' %{http_code}' --max-time 20 --unix-socket " + config_.socket + " " +
           what + " 2>&1";
  }
  [[nodiscard]] std::string firebreak(const std::string& what) const {
    return std::string(FIREBREAK_CLI) + " heartbeat --wait 0s --socket " + config_.socket + " " +
           what;
  }
  [[nodiscard]] Fd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, config_.socket.c_str(), sizeof address.sun_path - 1);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // Until the other end closes.
  static std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (size <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }

  TempDir dir_;
  const SystemClock clock_;
  HeartbeatConfig config_;
  std::unique_ptr<boost::asio::io_context> io_;
  std::unique_ptr<HeartbeatServer> server_;
  std::thread loop_;
};

const std::string kBackup = "http://agent/v1/heartbeat/backup";

// --- curl ----------------------------------------------------------------------------------------

TEST_F(HeartbeatJobs, CurlReportsAndTheReportIsOnDiskWhenItIsTold) {
  start();
  EXPECT_EQ(run(curl("-d 'files: 4' " + kBackup)).out, "kept\n 200");
  EXPECT_THAT(read_file(dir_ / "state/heartbeats"), HasSubstr("files: 4"));
  EXPECT_EQ(last().report.message, "files: 4");

  EXPECT_EQ(run(curl("-X POST '" + kBackup + "?state=critical'")).out, "kept\n 200");
  EXPECT_EQ(last().report.state, HeartbeatState::critical);

  const std::string json = R"('{"state":"warning","values":{"files":4}}')";
  EXPECT_EQ(run(curl("--json " + json + " " + kBackup)).out, "kept\n 200");
  EXPECT_EQ(last().report.state, HeartbeatState::warning);

  EXPECT_THAT(run(curl(kBackup)).out, AllOf(StartsWith("{\"known_us\":"), HasSubstr("}\n 200")));
  EXPECT_THAT(run(curl("-X POST http://agent/v1/heartbeat/bakcup")).out,
              HasSubstr("did you mean 'backup'?\n 202"));
}

TEST_F(HeartbeatJobs, CurlIsToldWhatIsWrong) {
  start();
  EXPECT_THAT(run(curl("-d '{\"state\": \"failed\"}' " + kBackup)).out, HasSubstr(" 400"));
  const std::string large = "head -c 20000 /dev/zero | tr '\\0' x | ";
  EXPECT_THAT(run(large + curl("--data-binary @- " + kBackup)).out, HasSubstr("16 KiB\n 413"));
  EXPECT_THAT(run(large + curl("-H 'Expect: 100-continue' -H 'Transfer-Encoding: chunked' "
                               "--data-binary @- " +
                               kBackup))
                  .out,
              HasSubstr("16 KiB\n 413"));
  EXPECT_EQ(run("echo fine | " + curl("-H 'Expect: 100-continue' --expect100-timeout 60 "
                                      "--data-binary @- " +
                                      kBackup))
                .out,
            "kept\n 200");
  EXPECT_EQ(last().report.message, "fine");
}

TEST_F(HeartbeatJobs, WhatIsNotOnTheDiskIsNotAcknowledged) {
  start();
  EXPECT_EQ(run(curl("-d one " + kBackup)).out, "kept\n 200");
  std::filesystem::rename(dir_ / "state", dir_ / "gone");
  EXPECT_THAT(run(curl("-d two " + kBackup)).out, HasSubstr(" 503"));
  std::filesystem::rename(dir_ / "gone", dir_ / "state");
  EXPECT_EQ(run(curl("-d three " + kBackup)).out, "kept\n 200");
  EXPECT_THAT(read_file(dir_ / "state/heartbeats"), HasSubstr("three"));
}

TEST_F(HeartbeatJobs, ManyAtOnceAreAllKept) {
  std::set<std::string> names;
  for (int i = 0; i < 150; ++i) names.insert("job-" + std::to_string(i));
  start(names);
  EXPECT_EQ(run("seq 0 149 | xargs -P 150 -I{} curl -sS --max-time 20 --unix-socket " +
                config_.socket + " -d '{}' http://agent/v1/heartbeat/job-{} | sort | uniq -c")
                .out,
            "    150 kept\n");
  for (int i = 0; i < 150; ++i)
    EXPECT_EQ(last("job-" + std::to_string(i)).report.message, std::to_string(i));
}

// --- Bad company ---------------------------------------------------------------------------------

TEST_F(HeartbeatJobs, ThoseWhoNeverFinishDoNotKeepOthersOut) {
  start();
  std::vector<Fd> slow;
  for (std::size_t i = 0; i < limits::kHeartbeatConnectionsMax; ++i) {
    slow.push_back(connect());
    ASSERT_EQ(::send(slow.back().get(), "POST /", 6, MSG_NOSIGNAL), 6);
  }
  EXPECT_EQ(run(curl("-X POST " + kBackup)).out, "kept\n 200");
  EXPECT_EQ(read_all(slow.front().get()), "");  // the oldest had to go
  EXPECT_EQ(read_all(slow.back().get()), "");   // at its deadline
}

TEST_F(HeartbeatJobs, GarbageIsAnsweredAndHarmsNobody) {
  start();
  const Fd fd = connect();
  ASSERT_EQ(::send(fd.get(), "\x16\x03\x01\x02\x00\r\n\r\n", 9, MSG_NOSIGNAL), 9);
  EXPECT_THAT(read_all(fd.get()), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_EQ(run(curl("-X POST " + kBackup)).out, "kept\n 200");
}

TEST_F(HeartbeatJobs, TheSocketIsForAllOrForAGroup) {
  struct stat info {};
  start();
  ASSERT_EQ(::stat(config_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666U);
  stop();
  config_.is_for_all = false;
  start();
  ASSERT_EQ(::stat(config_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
}

TEST_F(HeartbeatJobs, AListedNameIsItsUsersAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes other users";
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  config_.users["backup"] = {"daemon", "no-such-user"};
  start();
  const std::string post = "-X POST " + kBackup;
  EXPECT_THAT(run(curl(post, "setpriv --reuid=bin --clear-groups ")).out, HasSubstr(" 403"));
  EXPECT_THAT(run(curl(kBackup, "setpriv --reuid=bin --clear-groups ")).out, HasSubstr(" 403"));
  EXPECT_EQ(run(curl(post, "setpriv --reuid=daemon --clear-groups ")).out, "kept\n 200");
  EXPECT_EQ(run(curl(post)).out, "kept\n 200");  // root
}

TEST_F(HeartbeatJobs, ByTcpWithTheToken) {
  write_file(dir_ / "token", "s3cret\n");
  ASSERT_EQ(::chmod((dir_ / "token").c_str(), 0600), 0);
  config_.address = "127.0.0.1";
  config_.token_file = dir_ / "token";
  start();
  const std::string port = std::to_string(ask<int>([this] { return server_->tcp_port(); }));
  const std::string ask_port =
      "curl -sS -w ' %{http_code}' --max-time 20 -X POST http://127.0.0.1:" + port +
      "/v1/heartbeat/backup ";
  EXPECT_THAT(run(ask_port).out, HasSubstr(" 401"));
  EXPECT_THAT(run(ask_port + "-H 'Authorization: Bearer wrong'").out, HasSubstr(" 401"));
  EXPECT_EQ(run(ask_port + "-H 'Authorization: Bearer s3cret'").out, "kept\n 200");
}

TEST_F(HeartbeatJobs, WhereNobodyCanReportNobodyIsLate) {
  config_.socket = dir_ / "no/such/folder/socket";
  start();
  EXPECT_THAT(known().trouble, HasSubstr("no/such/folder"));
}

// --- Lives ---------------------------------------------------------------------------------------

TEST_F(HeartbeatJobs, WhatWasReportedOutlivesTheAgent) {
  start();
  EXPECT_EQ(run(curl("-d one " + kBackup)).out, "kept\n 200");
  stop();
  start({});
  EXPECT_EQ(last().report.message, "one");
}

TEST_F(HeartbeatJobs, ADamagedMemoryBeginsAnew) {
  start();
  EXPECT_EQ(run(curl("-d one " + kBackup)).out, "kept\n 200");
  stop();
  std::string bytes = read_file(dir_ / "state/heartbeats");
  bytes[bytes.size() / 2] ^= 1;
  write_file(dir_ / "state/heartbeats", bytes);
  start();
  EXPECT_FALSE(known().last);
  EXPECT_EQ(run(curl("-d two " + kBackup)).out, "kept\n 200");
}

// --- firebreak heartbeat -------------------------------------------------------------------------

TEST_F(HeartbeatJobs, TheCommandReports) {
  start();
  const Ran done = run(firebreak("backup --message '4 files' --value files=4 2>&1"));
  EXPECT_EQ(done.exit_code, 0) << done.out;
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(last().report.message, "4 files");
  EXPECT_THAT(last().report.values, ::testing::ElementsAre(NamedValue{"files", 4}));

  const Ran stray = run(firebreak("bakcup --state critical 2>&1"));
  EXPECT_EQ(stray.exit_code, 0);
  EXPECT_THAT(stray.out, HasSubstr("did you mean 'backup'?"));

  EXPECT_EQ(run(firebreak("--value a=1 --value b=-0.5 backup 2>&1")).exit_code, 0);
  EXPECT_THAT(last().report.values,
              ::testing::ElementsAre(NamedValue{"a", 1}, NamedValue{"b", -0.5}));

  EXPECT_EQ(run(firebreak("backup --state fine 2>&1")).exit_code, 2);
  EXPECT_EQ(run(firebreak("backup --value files 2>&1")).exit_code, 2);
  EXPECT_EQ(run(firebreak("backup --value Files=1 2>&1")).exit_code, 1);
  stop();
  EXPECT_EQ(run(firebreak("backup 2>&1")).exit_code, 4);
}

TEST_F(HeartbeatJobs, ARunIsReportedAndChangedInNothing) {
  start();
  const std::string errors = dir_ / "errors";
  const Ran good =
      run("echo in | " + firebreak("backup -- sh -c 'cat; echo --oops -x >&2' 2>") + errors);
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.out, "in\n");
  EXPECT_EQ(read_file(errors), "--oops -x\n");
  EXPECT_EQ(last().report.state, HeartbeatState::ok);
  EXPECT_TRUE(last().took);

  const Ran bad = run(firebreak("backup -- sh -c 'echo disk full >&2; exit 3' 2>&1"));
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_EQ(bad.out, "disk full\n");
  EXPECT_EQ(last().report.state, HeartbeatState::critical);
  EXPECT_EQ(last().report.message, "exit code 3: disk full");
  EXPECT_THAT(last().report.values, ::testing::ElementsAre(NamedValue{"exit_code", 3}));

  EXPECT_EQ(run(firebreak("backup -- sh -c 'kill -9 $$' 2>&1")).exit_code, 137);
  EXPECT_EQ(last().report.message, "signal 9 (Killed)");
  EXPECT_EQ(run(firebreak("backup -- /no/such/program 2>&1")).exit_code, 127);
  EXPECT_THAT(last().report.message, HasSubstr("cannot run /no/such/program"));
}

TEST_F(HeartbeatJobs, ARunThatGoesOnIsKnownToHaveBegun) {
  start();
  const std::string gate = dir_ / "gate";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  auto ran = std::async(std::launch::async, [&] {
    return run(firebreak("backup -- sh -c 'read line <" + gate + "; echo $line' 2>&1"));
  });
  std::FILE* opened = std::fopen(gate.c_str(), "we");  // waits until the job reads
  ASSERT_NE(opened, nullptr);
  EXPECT_TRUE(known().run);
  EXPECT_FALSE(known().last);
  std::fputs("on\n", opened);
  std::fclose(opened);
  EXPECT_EQ(ran.get().out, "on\n");
  EXPECT_FALSE(known().run);
}

TEST_F(HeartbeatJobs, SignalsReachTheJob) {
  start();
  const std::string gate = dir_ / "gate";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  const std::string job =
      "trap \"echo asked; exit 7\" TERM; echo ready >" + gate + "; while :; do sleep 0.05; done";
  const Ran ran = run("cd " + dir_.path() + "; " + firebreak("backup -- sh -c '" + job + "' & ") +
                      "read line <" + gate + "; kill -TERM $!; wait $!");
  EXPECT_EQ(ran.exit_code, 7);
  EXPECT_EQ(ran.out, "asked\n");
  EXPECT_EQ(last().report.message, "exit code 7: asked");
}

TEST_F(HeartbeatJobs, AJobIsToldWhenNobodyReadsItAndKnowsNoSignalOfOurs) {
  start();
  EXPECT_EQ(run(firebreak("backup -- bash -c 'yes | head -n 1; echo ${PIPESTATUS[0]}'")).out,
            "y\n141\n");
  EXPECT_EQ(run(firebreak("backup -- yes | head -n 1")).out, "y\n");
  EXPECT_THAT(last().report.message, StartsWith("signal 13 "));
}

TEST_F(HeartbeatJobs, AnAgentThatIsNotThereBreaksNoJob) {
  const Ran ran = run(firebreak("backup -- sh -c 'echo fine; exit 5' 2>&1"));
  EXPECT_EQ(ran.exit_code, 5);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("fine\n"), HasSubstr("not reported: no agent on ")));
}

TEST_F(HeartbeatJobs, OnlyTheEndOfALongOutputIsReported) {
  start();
  EXPECT_EQ(run(firebreak("backup -- seq 100000 | tail -n 1")).out, "100000\n");
  EXPECT_THAT(last().report.message, ::testing::EndsWith("99999\n100000"));
  EXPECT_LE(last().report.message.size(), limits::kEvidenceBytesMax);
}

TEST_F(HeartbeatJobs, OneCanAskWhatTheAgentKnows) {
  start();
  const std::string probe = std::string(FIREBREAK_CLI) +
                            " probe heartbeat backup --within 1h --socket " + config_.socket +
                            " 2>&1";
  EXPECT_EQ(run(probe).exit_code, 3);
  ASSERT_EQ(run(firebreak("backup --value files=4")).exit_code, 0);
  const Ran good = run(probe);
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_THAT(good.out, AllOf(StartsWith("HEARTBEAT OK - backup"), HasSubstr("'files'=4")));
  ASSERT_EQ(run(firebreak("backup --state critical --message 'disk full'")).exit_code, 0);
  EXPECT_THAT(run(probe).out, HasSubstr("status: disk full"));
  EXPECT_EQ(run(probe).exit_code, 2);
  stop();
  EXPECT_EQ(run(probe).exit_code, 3);
}

}  // namespace heartbeat_test
}  // namespace firebreak::agent
