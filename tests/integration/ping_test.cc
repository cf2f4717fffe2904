// Pings of a network of our own: a namespace in which this process may ping, and in which an
// address is silent, another one unreachable.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "probes/run.h"
#include "tests/integration/run.h"
#include "tests/support/servers.h"
#include "tests/unit/probes/verdict.h"

namespace firebreak {
namespace {

using std::chrono::milliseconds;
using testing::expect_ok;
using testing::expect_verdict;
using ::testing::HasSubstr;
using testing::run;
using testing::run_program;
using testing::value_of;

void write_to(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) throw std::runtime_error("cannot write " + path);
}

// Once for the process, before it has any thread.
class OwnNetwork : public ::testing::Environment {
 public:
  void SetUp() override {
    const std::string user = std::to_string(::geteuid());
    const std::string group = std::to_string(::getegid());
    ASSERT_EQ(::unshare(CLONE_NEWUSER | CLONE_NEWNET), 0) << "no user namespaces for us";
    write_to("/proc/self/setgroups", "deny");
    write_to("/proc/self/uid_map", "0 " + user + " 1");
    write_to("/proc/self/gid_map", "0 " + group + " 1");
    write_to("/proc/sys/net/ipv4/ping_group_range", "0 0");
    run_program({"ip", "link", "set", "lo", "up"});
    run_program({"ip", "addr", "add", "192.0.2.1/32", "dev", "lo"});
    // Nobody has these addresses: the host drops what it gets for the first, and answers for the
    // second that there is no route.
    run_program({"ip", "route", "add", "192.0.2.9/32", "dev", "lo", "src", "192.0.2.1"});
    run_program({"ip", "route", "add", "2001:db8::9/128", "dev", "lo"});
    run_program({"ip", "route", "add", "unreachable", "198.51.100.0/24"});
  }
};

const auto* const kNetwork = ::testing::AddGlobalTestEnvironment(new OwnNetwork);

IcmpSpec ping_of(const std::string& host) {
  IcmpSpec spec;
  spec.host = host;
  spec.interval = milliseconds(10);
  return spec;
}

TEST(IcmpProbe, SeesWhatPingSees) {
  for (const char* host : {"127.0.0.1", "::1", "192.0.2.1"}) {
    SCOPED_TRACE(host);
    IcmpSpec spec = ping_of(host);
    spec.packets = 5;
    const std::string ping = run_program({"ping", "-n", "-c", "5", "-i", "0.01", host});
    ASSERT_THAT(ping, HasSubstr("5 received, 0% packet loss"));

    const Observation result = run(spec);

    expect_ok(result);
    EXPECT_EQ(value_of(result, "loss"), 0);
    EXPECT_GT(value_of(result, "rtt"), 0);
    EXPECT_LE(value_of(result, "rtt_min"), value_of(result, "rtt"));
    EXPECT_LE(value_of(result, "rtt"), value_of(result, "rtt_max"));
  }
}

TEST(IcmpProbe, EverySizeAndNumberIsAnswered) {
  IcmpSpec large = ping_of("127.0.0.1");
  large.bytes = limits::kIcmpBytesMax;
  large.packets = limits::kIcmpPacketsMax;
  IcmpSpec small = ping_of("::1");
  small.bytes = limits::kIcmpBytesMin;
  small.packets = 1;

  expect_ok(run(large));
  expect_ok(run(small));
}

TEST(IcmpProbe, ProbesAtOnceTakeTheirOwnReplies) {
  boost::asio::io_context io;
  Prober prober(io);
  int fine = 0;
  for (int i = 0; i < 20; ++i) {
    ProbeSpec spec;
    spec.kind = ping_of("127.0.0.1");
    prober.start(spec, [&fine](const Observation& result) {
      expect_ok(result);
      ++fine;
    });
  }
  io.run();
  EXPECT_EQ(fine, 20);
}

TEST(IcmpProbe, LimitsAreCrossed) {
  IcmpSpec slow = ping_of("127.0.0.1");
  slow.rtt_warning = Duration::zero();
  IcmpSpec slower = slow;
  slower.rtt_critical = Duration::zero();

  expect_verdict(run(slow), Status::warning, Reason::threshold, Phase::transfer);
  expect_verdict(run(slower), Status::critical, Reason::threshold, Phase::transfer);
}

TEST(IcmpProbe, ARouteToNowhereIsOurOwnFault) {
  expect_verdict(run(ping_of("198.51.100.1")), Status::unknown, Reason::prober, Phase::connect);
}

TEST(IcmpProbe, AHostOnTheWaySaysThatItIsUnreachable) {
  const Observation result = run(ping_of("2001:db8::9"));

  expect_verdict(result, Status::critical, Reason::unreachable, Phase::first_byte);
  EXPECT_EQ(value_of(result, "loss"), 100);
}

TEST(IcmpProbe, SilenceIsATimeout) {
  const Observation result = run(ping_of("192.0.2.9"), milliseconds(300));

  expect_verdict(result, Status::critical, Reason::timeout, Phase::first_byte);
  EXPECT_EQ(value_of(result, "loss"), 100);
}

TEST(IcmpProbe, MoreThanFitsBeforeTheDeadlineIsOurFault) {
  IcmpSpec spec = ping_of("127.0.0.1");
  spec.interval = milliseconds(150);

  expect_verdict(run(spec, milliseconds(300)), Status::unknown, Reason::config, Phase::none);
}

TEST(IcmpProbe, AGroupThatMayNotPingIsTold) {
  const int ours = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(ours, 0);
  ASSERT_EQ(::unshare(CLONE_NEWNET), 0);  // a new one allows no group

  const Observation result = run(ping_of("127.0.0.1"));

  ASSERT_EQ(::setns(ours, CLONE_NEWNET), 0);
  ::close(ours);
  expect_verdict(result, Status::unknown, Reason::config, Phase::connect);
  EXPECT_THAT(result.evidence, HasSubstr("net.ipv4.ping_group_range"));
  expect_ok(run(ping_of("127.0.0.1")));
}

}  // namespace
}  // namespace firebreak
