// Probes of the agent's own host: real plugins, a real D-Bus, the real /proc.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "common/fd.h"
#include "common/limits.h"
#include "probes/checks.h"
#include "probes/run.h"
#include "tests/integration/run.h"
#include "tests/support/servers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using namespace std::chrono_literals;
using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::run_with;
using testing::TempDir;
using testing::value_of;

// --- exec ----------------------------------------------------------------------------------------

class ExecProbe : public ::testing::Test {
 protected:
  // Checks NAME: YAML of what they are.
  void allow(const std::map<std::string, std::string>& checks) {
    std::ofstream out(dir_ / "checks.yaml");
    out << "checks:\n";
    for (const auto& [name, body] : checks) out << "  " << name << ": " << body << "\n";
    out.close();
    ASSERT_EQ(::chmod((dir_ / "checks.yaml").c_str(), 0644), 0);
    yaml::Problems problems;
    auto opened = probes::open_checks(dir_.path(), ::geteuid(), problems);
    ASSERT_TRUE(opened) << opened.error().message;
    ASSERT_TRUE(problems.ok()) << problems.render();
    options_.checks = *std::move(opened);
  }
  // A check "x" that is a script.
  void allow_script(const std::string& script, const std::string& timeout = "60s") {
    std::ofstream(dir_ / "script") << "#!/bin/bash\n" << script << "\n";
    ASSERT_EQ(::chmod((dir_ / "script").c_str(), 0755), 0);
    allow({{"x", "{exec: [" + (dir_ / "script") + "], timeout: " + timeout + "}"}});
  }
  Observation check(const std::string& name = "x", Duration timeout = 30s) {
    return run_with(options_, ExecSpec{name, {}}, timeout);
  }

  TempDir dir_;
  ProberOptions options_;
};

TEST_F(ExecProbe, TakesTheVerdictsOfRealPlugins) {
  const std::string folder = "/usr/lib/nagios/plugins/";
  allow({{"ok", "{exec: [" + folder + "check_dummy, \"0\", fine], timeout: 5s}"},
         {"warning", "{exec: [" + folder + "check_dummy, \"1\", so so], timeout: 5s}"},
         {"critical", "{exec: [" + folder + "check_dummy, \"2\", down], timeout: 5s}"},
         {"unknown", "{exec: [" + folder + "check_dummy, \"3\"], timeout: 5s}"},
         {"load", "{exec: [" + folder +
                      "check_load, -w, \"1e6,1e6,1e6\", -c, \"2e6,2e6,2e6\"], timeout: 9s}"},
         {"disk", "{exec: [" + folder + "check_disk, -w, \"1\", -c, \"0\", -p, /], timeout: 9s}"}});

  const Observation fine = check("ok");
  expect_ok(fine);
  EXPECT_EQ(fine.evidence, "OK: fine");
  EXPECT_EQ(value_of(fine, "exit_code"), 0);
  ASSERT_EQ(fine.phases.size(), 1u);
  EXPECT_EQ(fine.phases[0].phase, Phase::query);
  expect_verdict(check("warning"), Status::warning, Reason::status, Phase::query);
  const Observation down = check("critical");
  expect_verdict(down, Status::critical, Reason::status, Phase::query);
  EXPECT_EQ(down.evidence, "CRITICAL: down");
  expect_verdict(check("unknown"), Status::unknown, Reason::status, Phase::query);

  const Observation load = check("load");
  expect_ok(load);
  EXPECT_GE(value_of(load, "load1"), 0);
  EXPECT_EQ(value_of(load, "load5.warning"), 1e6);
  EXPECT_EQ(value_of(load, "load15.critical"), 2e6);
  const Observation disk = check("disk");
  expect_ok(disk);
  EXPECT_GT(value_of(disk, "root"), 1e6) << "bytes, not megabytes";
  EXPECT_GT(value_of(disk, "root.max"), value_of(disk, "root"));
}

TEST_F(ExecProbe, TellsHowElseAProgramEnds) {
  allow_script("echo text; exit 42");
  const Observation odd = check();
  expect_verdict(odd, Status::unknown, Reason::protocol, Phase::query);
  EXPECT_THAT(odd.evidence, HasSubstr("exit code 42"));
  allow_script("kill -SEGV $$");
  const Observation killed = check();
  expect_verdict(killed, Status::unknown, Reason::protocol, Phase::query);
  EXPECT_THAT(killed.evidence, HasSubstr("signal 11"));
  allow_script("echo 'no such table' >&2; exit 2");
  EXPECT_EQ(check().evidence, "no such table\n") << "stderr, when there is nothing else";
  allow_script("yes");
  expect_verdict(check(), Status::unknown, Reason::protocol, Phase::query);
  allow_script("");
  ASSERT_EQ(::unlink((dir_ / "script").c_str()), 0);
  expect_verdict(check(), Status::unknown, Reason::config, Phase::query);
}

TEST_F(ExecProbe, BoundsAndKeepsRawWhatIsPrinted) {
  allow_script(
      R"(printf 'a\0b\033[2Jc | good=1 bad=1e999 worse=NaN x=U '; head -c 50000 /dev/zero | tr '\0' z; exit 1)");
  const Observation seen = check();
  expect_verdict(seen, Status::warning, Reason::status, Phase::query);
  EXPECT_EQ(seen.evidence, "a b\x1b[2Jc");
  EXPECT_EQ(value_of(seen, "good"), 1);
  EXPECT_EQ(seen.values.size(), 2u) << "and the exit code";
  allow_script("head -c 50000 /dev/zero | tr '\\0' z");
  EXPECT_EQ(check().evidence.size(), limits::kEvidenceBytesMax);
}

TEST_F(ExecProbe, EndsAtTheProbesDeadlineAndAtTheHostsLimit) {
  allow_script("trap '' TERM; (trap '' TERM; setsid sleep 1000) & sleep 1000");
  expect_verdict(check("x", 300ms), Status::critical, Reason::timeout, Phase::query);
  allow_script("sleep 1000", "200ms");
  const Observation capped = check("x", 100s);
  expect_verdict(capped, Status::critical, Reason::timeout, Phase::query);
  EXPECT_LT(capped.latency, 50s);
}

TEST_F(ExecProbe, RunsNothingThatTheHostDoesNotAllow) {
  const Observation closed = check();
  expect_verdict(closed, Status::unknown, Reason::config, Phase::query);
  EXPECT_THAT(closed.evidence, HasSubstr("checks_dir"));
  allow_script("exit 0");
  expect_verdict(check("other"), Status::unknown, Reason::config, Phase::query);
  expect_verdict(run_with(options_, ExecSpec{"x", {{"argument", "1"}}}), Status::unknown,
                 Reason::config, Phase::query);
}

TEST_F(ExecProbe, SidebySideEachGetsItsOwnReport) {
  allow_script("echo \"$BASHPID\"");
  boost::asio::io_context io;
  Prober prober(io, options_);
  ProbeSpec spec;
  spec.kind = ExecSpec{"x", {}};
  spec.timeout = 60s;
  std::vector<std::string> seen;
  for (int i = 0; i < 20; ++i)
    prober.start(spec, [&seen](const Observation& one) { seen.push_back(one.evidence); });
  io.run();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()) - seen.begin(), 20);
}

// --- host ----------------------------------------------------------------------------------------

TEST(HostProbe, MeasuresThisHost) {
  HostSpec spec;
  spec.disks = {"/", "/tmp"};
  spec.critical = {{"cpu", *parse_range("0:100")}, {"disk_used", *parse_range("0:100")}};

  const Observation seen = run_with({}, spec);

  expect_ok(seen);
  for (const char* name : {"cpu", "cpu_iowait", "memory_used", "memory_available", "load1",
                           "load1_per_cpu", "files", "disk_used", "inodes_used", "disk_free.tmp"})
    EXPECT_GE(value_of(seen, name), 0) << name;
  EXPECT_GT(value_of(seen, "memory_available"), 1e6);
}

TEST(HostProbe, HoldsValuesAgainstTheirRanges) {
  HostSpec spec;
  spec.warning = {{"memory_available", *parse_range("@0:1e18")}};
  const Observation warned = run_with({}, spec);
  expect_verdict(warned, Status::warning, Reason::threshold, Phase::query);
  EXPECT_THAT(warned.evidence, HasSubstr("memory_available is "));

  spec.critical = {{"disk_free", *parse_range("1e18:")}};
  const Observation critical = run_with({}, spec);
  expect_verdict(critical, Status::critical, Reason::threshold, Phase::query);
  EXPECT_THAT(critical.evidence, HasSubstr("disk_free is "));

  spec.disks = {"/nonexistent"};
  expect_verdict(run_with({}, spec), Status::critical, Reason::missing, Phase::query);
}

TEST(HostProbe, SaysWhatAHostDoesNotTell) {
  const TempDir proc;  // as a unit with ProcSubset=pid sees it
  ProberOptions options;
  options.proc = proc.path();
  HostSpec spec;
  expect_ok(run_with(options, spec));
  spec.critical = {{"cpu", *parse_range("95")}};
  const Observation blind = run_with(options, spec);
  expect_verdict(blind, Status::unknown, Reason::missing, Phase::query);
  EXPECT_THAT(blind.evidence, HasSubstr("cpu"));

  std::ofstream(proc / "stat") << "cpu  \xff garbage 1e999\n";
  std::ofstream(proc / "meminfo") << std::string(8u << 20, 'x');
  expect_verdict(run_with(options, spec), Status::unknown, Reason::missing, Phase::query);
}

// --- systemd -------------------------------------------------------------------------------------

// The file is there before anybody listens.
bool is_listening(const std::string& path) {
  const Fd one(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A private message bus, and something on it that answers as systemd.
class FakeSystemd {
 public:
  // "Interface.Property" to its value; no entry is an error, "hang" is no answer at all.
  using Properties = std::map<std::string, std::string>;

  FakeSystemd() {
    std::ofstream(folder_ / "bus.conf")
        << "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
           "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
           "<busconfig><listen>unix:path="
        << socket() << "</listen><auth>EXTERNAL</auth><policy context=\"default\">"
        << "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/><allow own=\"*\"/><allow "
           "user=\"*\"/></policy></busconfig>\n";
    bus_.start({"dbus-daemon", "--nofork", "--config-file=" + (folder_ / "bus.conf")},
               folder_ / "log");
    while (!is_listening(socket()) && !bus_.has_ended()) std::this_thread::yield();
  }
  ~FakeSystemd() { stop_serving(); }
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;

  [[nodiscard]] std::string socket() const { return folder_ / "bus"; }
  [[nodiscard]] ProberOptions options() const {
    ProberOptions all;
    all.system_bus = "unix:path=" + socket();
    return all;
  }
  void serve(Properties properties) {
    stop_serving();
    properties_ = std::move(properties);
    sd_bus* bus = nullptr;
    ASSERT_GE(sd_bus_new(&bus), 0);
    server_.reset(bus);
    ASSERT_GE(sd_bus_set_address(bus, ("unix:path=" + socket()).c_str()), 0);
    ASSERT_GE(sd_bus_set_bus_client(bus, 1), 0);
    ASSERT_GE(sd_bus_start(bus), 0);
    ASSERT_GE(sd_bus_request_name(bus, "org.freedesktop.systemd1", 0), 0);
    ASSERT_GE(sd_bus_add_filter(bus, nullptr, &FakeSystemd::on_message, this), 0);
    thread_ = std::thread([this] {
      while (!stopped_ && sd_bus_process(server_.get(), nullptr) >= 0)
        sd_bus_wait(server_.get(), 10'000);
    });
  }
  void kill() { bus_.kill(); }
  void freeze() { bus_.freeze(); }

 private:
  struct CloseBus {
    void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
  };

  void stop_serving() {
    stopped_ = true;
    if (thread_.joinable()) thread_.join();
    stopped_ = false;
    server_.reset();
  }

  static int on_message(sd_bus_message* call, void* self, sd_bus_error* /*error*/) {
    if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Get") <= 0)
      return 0;
    const char* interface = nullptr;
    const char* property = nullptr;
    if (sd_bus_message_read(call, "ss", &interface, &property) < 0) return 0;
    const auto& known = static_cast<FakeSystemd*>(self)->properties_;
    std::string key = interface;
    key.append(".").append(property);
    const auto found = known.find(key.substr(key.find("systemd1.") + 9));
    if (std::string_view(sd_bus_message_get_path(call)) !=
        "/org/freedesktop/systemd1/unit/nginx_2eservice")
      return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_UNKNOWN_OBJECT, "nothing there");
    if (found == known.end()) return sd_bus_reply_method_errorf(call, SD_BUS_ERROR_FAILED, "no");
    if (found->second == "hang") return 1;
    if (found->first == "Service.NRestarts")
      return sd_bus_reply_method_return(call, "v", "u",
                                        static_cast<unsigned>(std::stoul(found->second)));
    return sd_bus_reply_method_return(call, "v", "s", found->second.c_str());
  }

  TempDir folder_;
  testing::ServerProcess bus_;
  Properties properties_;
  std::unique_ptr<sd_bus, CloseBus> server_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

FakeSystemd::Properties unit(const std::string& active, const std::string& sub,
                             const std::string& restarts = "0",
                             const std::string& load = "loaded") {
  return {{"Unit.LoadState", load},
          {"Unit.ActiveState", active},
          {"Unit.SubState", sub},
          {"Service.Result", active == "failed" ? "exit-code" : "success"},
          {"Service.NRestarts", restarts}};
}

SystemdSpec nginx() {
  SystemdSpec spec;
  spec.unit = "nginx.service";
  return spec;
}

TEST(SystemdProbe, TellsTheStatesOfAUnit) {
  FakeSystemd systemd;
  systemd.serve(unit("active", "running", "2"));
  const Observation good = run_with(systemd.options(), nginx());
  expect_ok(good);
  EXPECT_EQ(good.evidence, "active (running)");
  EXPECT_EQ(value_of(good, "restarts"), 2);
  EXPECT_EQ(good.phases.size(), 2u);

  systemd.serve(unit("failed", "failed"));
  const Observation failed = run_with(systemd.options(), nginx());
  expect_verdict(failed, Status::critical, Reason::status, Phase::query);
  EXPECT_THAT(failed.evidence, HasSubstr("result exit-code"));
  systemd.serve(unit("activating", "auto-restart"));
  expect_verdict(run_with(systemd.options(), nginx()), Status::warning, Reason::status,
                 Phase::query);
  systemd.serve(unit("inactive", "dead", "0", "not-found"));
  expect_verdict(run_with(systemd.options(), nginx()), Status::critical, Reason::missing,
                 Phase::query);
  SystemdSpec other = nginx();
  other.unit = "other.service";
  expect_verdict(run_with(systemd.options(), other), Status::critical, Reason::missing,
                 Phase::query);
}

TEST(SystemdProbe, LimitsRestartsAndSubStates) {
  FakeSystemd systemd;
  systemd.serve(unit("active", "running", "5"));
  SystemdSpec spec = nginx();
  spec.warning = parse_range("3");
  expect_verdict(run_with(systemd.options(), spec), Status::warning, Reason::threshold,
                 Phase::query);
  spec.critical = parse_range("4");
  expect_verdict(run_with(systemd.options(), spec), Status::critical, Reason::threshold,
                 Phase::query);
  spec = nginx();
  spec.sub_states = {"exited"};
  expect_verdict(run_with(systemd.options(), spec), Status::critical, Reason::status, Phase::query);
}

TEST(SystemdProbe, SaysWhenSystemdCannotBeAsked) {
  FakeSystemd systemd;
  expect_verdict(run_with(systemd.options(), nginx()), Status::unknown, Reason::unreachable,
                 Phase::query);
  systemd.serve({{"Unit.LoadState", "hang"}});
  expect_verdict(run_with(systemd.options(), nginx(), 300ms), Status::critical, Reason::timeout,
                 Phase::query);
  auto odd = unit("active", "running");
  odd.erase("Unit.SubState");
  systemd.serve(odd);
  expect_verdict(run_with(systemd.options(), nginx()), Status::unknown, Reason::protocol,
                 Phase::query);
  systemd.freeze();
  expect_verdict(run_with(systemd.options(), nginx(), 300ms), Status::critical, Reason::timeout,
                 Phase::connect);
  systemd.kill();
  expect_verdict(run_with(systemd.options(), nginx()), Status::unknown, Reason::unreachable,
                 Phase::connect);
}

}  // namespace
}  // namespace firebreak
